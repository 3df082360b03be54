// What operators are as expressions: formulas, and what is made of several of them and of reductions.
#include "fuse/translator.h"

#include <ATen/Functions.h>

namespace shim::fuse {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

Translator::Translator(Builder& builder, Graph& graph, const std::vector<Argument>& arguments, const Real& real)
    : b_(builder), real_(real) {
  const at::NoGradGuard no_grad;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const Value* input = graph.inputs()[i];
    const Argument& argument = arguments[i];
    if (argument.is_tensor) {
      probe_[input] = at::ones(argument.shape, at::TensorOptions().dtype(argument.dtype));
      const int slot = b_.argument_slot(argument.dtype, argument.shape);
      slots.push_back(slot);
      id_[input] = b_.tensor(slot);
    } else {
      probe_[input] = argument.number;
      slots.push_back(-1);
      if (argument.number.isDouble() || argument.number.isInt() || argument.number.isBool())
        id_[input] = b_.number(argument.number, static_cast<int>(i));
    }
  }
  for (Node* node : graph.nodes()) translate(node);
}

Id Translator::of(const Value* value) const {
  const auto found = id_.find(value);
  if (found == id_.end()) throw Unfusable{"a result that is no tensor"};
  return found->second;
}

at::Tensor Translator::probed(const Value* value) const {
  const c10::IValue& it = probe_.at(value);
  if (!it.isTensor()) throw Unfusable{"a result that is no tensor"};
  return it.toTensor();
}

void Translator::translate(Node* node) {
  if (node->kind() == c10::prim::Constant) {
    const auto value = torch::jit::toIValue(node->output());
    probe_[node->output()] = value ? *value : c10::IValue();
    if (value && (value->isDouble() || value->isInt() || value->isBool())) id_[node->output()] = b_.number(*value, -1);
    if (value && value->isTensor()) {
      const at::Tensor& it = value->toTensor();
      if (it.numel() != 1 || !it.device().is_cpu() || it.is_complex()) throw Unfusable{"a constant tensor"};
      const c10::Scalar number = it.item();
      id_[node->output()] = b_.number(number.isFloatingPoint() ? c10::IValue(number.toDouble()) : c10::IValue(number.toLong()), -1);
    }
    return;
  }
  torch::jit::Stack stack;
  for (const Value* input : node->inputs()) stack.push_back(probe_.at(input));
  const std::string name = node->kind().toUnqualString();
  if (name == "layer_norm" || name == "rms_norm") {
    // It asks for sizes by their numbers.
    const std::vector<int64_t> wanted = stack[1].toIntVector();
    const auto sizes = stack[0].toTensor().sizes();
    if (wanted.size() != 1 || sizes.empty() || wanted[0] != (sizes.back() == 1 ? 1 : real_.at(sizes.back())))
      throw Unfusable{"it goes over other sizes"};
    stack[1] = std::vector<int64_t>{sizes.back()};
  }
  try {
    node->getOperation()(stack);
  } catch (const std::exception&) {
    throw Unfusable{"LibTorch refuses it"};
  }
  for (size_t i = 0; i < node->outputs().size(); ++i) probe_[node->outputs()[i]] = stack[stack.size() - node->outputs().size() + i];
  id_[node->output()] = compute(node);
}

c10::IValue Translator::constant(const Node* node, size_t i) const {
  return i < node->inputs().size() ? probe_.at(node->inputs()[i]) : c10::IValue();
}

Id Translator::arg(const Node* node, size_t i) const {
  if (i >= node->inputs().size()) return -1;
  const auto found = id_.find(node->inputs()[i]);
  return found == id_.end() ? -1 : found->second;
}

Id Translator::compute(Node* node) {
  const at::Tensor out = probed(node->output());
  const at::ScalarType dtype = out.scalar_type();
  const std::string name = node->kind().toUnqualString();
  if (const size_t n = arguments_of(node->kind())) {
    std::vector<std::optional<c10::IValue>> constants;
    std::vector<Id> args;
    for (size_t i = 0; i < node->inputs().size(); ++i) {
      const auto value = torch::jit::toIValue(node->inputs()[i]);
      constants.push_back(value ? std::optional<c10::IValue>(*value) : std::nullopt);
      if (i < n) args.push_back(arg(node, i));
    }
    const Formula* f = formula_of(node->kind(), constants);
    if (!f) throw Unfusable{"this form of it has no formula"};
    at::ScalarType compute = dtype;
    if (f->domain == Formula::logical) compute = common_type(node);
    else if (f->domain == Formula::floating && !c10::isFloatingType(dtype)) throw Unfusable{"it is no floating point number"};
    else if (f->domain == Formula::numeric && dtype == at::kBool) throw Unfusable{"it is logical"};
    if (node->kind() == c10::aten::div && n == 2 && !b_.program.exact) {
      // A division costs as much as ten products.
      const c10::IValue divisor = constants[1] ? *constants[1] : c10::IValue();
      const double by = divisor.isDouble() ? divisor.toDouble() : divisor.isInt() ? static_cast<double>(divisor.toInt()) : 0;
      if (std::abs(by) > 1e-30 && std::abs(by) < 1e30) {
        static const Formula times{"a * b", {"g * b"}, Formula::floating};
        return checked(b_.formula(times, {args[0], b_.number(1 / by, -1)}, compute, dtype), out);
      }
    }
    return checked(b_.formula(*f, args, compute, dtype), out);
  }
  return composite(name, node, out, dtype);
}

Id Translator::checked(Id id, const at::Tensor& out) {
  if (trimmed(b_.at(id).shape) != trimmed(out.sizes().vec())) throw Unfusable{"its sizes are others"};
  return id;
}

at::ScalarType Translator::common_type(const Node* node) const {
  const c10::IValue a = constant(node, 0), b = constant(node, 1);
  if (!a.isTensor()) throw Unfusable{"a number comes first"};
  if (b.isTensor()) return at::result_type(a.toTensor(), b.toTensor());
  return b.isScalar() ? at::result_type(a.toTensor(), b.toScalar()) : a.toTensor().scalar_type();
}

bool Translator::is_whole(const c10::IValue& dims, int64_t rank) const {
  if (dims.isNone()) return true;
  std::vector<int64_t> list = dims.isInt() ? std::vector<int64_t>{dims.toInt()} : dims.toIntVector();
  std::set<int64_t> set;
  for (const int64_t dim : list) set.insert(dim < 0 ? dim + rank : dim);
  if (set.empty() || static_cast<int64_t>(set.size()) == rank) return true;
  if (set.size() != 1 || *set.begin() != rank - 1) throw Unfusable{"it reduces other dimensions than the last"};
  return false;
}

Id Translator::reduced(Reduction reduction, Id a, const c10::IValue& dims, bool keep, at::ScalarType dtype, bool mean) {
  const int64_t rank = static_cast<int64_t>(b_.at(a).shape.size());
  const bool whole = is_whole(dims, rank);
  const at::ScalarType sum_type = dtype;
  Id id = b_.reduce(reduction, a, whole, sum_type);
  if (mean && whole) b_.mean_of_whole(id);
  if (mean && !whole && !b_.is_single(a)) {
    static const Formula divide{"a / b", {"g / b"}};
    id = b_.formula(divide, {id, b_.row_count(dtype)}, dtype, dtype);
  }
  if (!whole && !keep) {
    // Only a result from here on: what computes with it would see one dimension more.
    id = b_.formula(same(), {id}, dtype, dtype);
    b_.close(id);
  }
  return id;
}

Id Translator::formula(const char* text, std::vector<const char*> derivatives, std::vector<Id> args, at::ScalarType type) {
  // Texts live as long as the program: they are constants of this file.
  return b_.formula(Formula{text, std::move(derivatives)}, std::move(args), type, type);
}

Id Translator::loss(Id each, int64_t reduction, at::ScalarType dtype) {
  if (reduction == 0) return each;
  const Id sum = b_.reduce(Reduction::sum, each, true, dtype);
  return reduction == 1 ? b_.mean_of_whole(sum) : sum;
}

Id Translator::composite(const std::string& name, Node* node, const at::Tensor& out, at::ScalarType dtype) {
  const Id a = arg(node, 0);
  if (!c10::isFloatingType(dtype) && name != "sum") throw Unfusable{"it is no floating point number"};
  const auto cast = [&](Id id) { return b_.at(id).dtype == dtype ? id : b_.formula(same(), {id}, dtype, dtype); };
  if (name == "sum" || name == "mean") {
    const bool has_dims = node->inputs().size() == 4;
    return reduced(Reduction::sum, cast(a), has_dims ? constant(node, 1) : c10::IValue(),
                   has_dims && constant(node, 2).toBool(), dtype, name == "mean");
  }
  if (name == "amax" || name == "amin")
    return reduced(name == "amax" ? Reduction::max : Reduction::min, a, constant(node, 1), constant(node, 2).toBool(), dtype, false);
  if (name == "softmax" || name == "log_softmax") {
    const int64_t rank = out.dim(), dim = constant(node, 1).toInt();
    if (rank == 0 || (dim != -1 && dim != rank - 1)) throw Unfusable{"it reduces other dimensions than the last"};
    const Id x = cast(a), most = b_.reduce(Reduction::max, x, false, dtype);
    const Id away = formula("a - b", {}, {x, most}, dtype), e = formula("exp_below$(a)", {}, {away}, dtype);
    const Id sum = b_.reduce(Reduction::sum, e, false, dtype);
    const bool log = name == "log_softmax";
    const Id result = log ? formula("a - b", {}, {away, formula("log$(a)", {}, {sum}, dtype)}, dtype)
                          : formula("a * b", {}, {e, formula("1 / a", {}, {sum}, dtype)}, dtype);
    softmaxes[result] = {x, log};
    return result;
  }
  if (name == "layer_norm" || name == "rms_norm") {
    if (b_.is_single(a)) throw Unfusable{"it goes over one element"};
    const Id x = cast(a), n = b_.row_count(dtype);
    const bool layer = name == "layer_norm";
    Id centred = x;
    if (layer) {
      const Id mean = formula("a / b", {"g / b"}, {b_.reduce(Reduction::sum, x, false, dtype), n}, dtype);
      centred = formula("a - b", {"g", "-g"}, {x, mean}, dtype);
    }
    const Id squares = formula("a * a", {"g * (a + a)"}, {centred}, dtype);
    const Id variance = formula("a / b", {"g / b"}, {b_.reduce(Reduction::sum, squares, false, dtype), n}, dtype);
    const Id eps = arg(node, layer ? 4 : 3);
    if (eps < 0) throw Unfusable{"its epsilon depends on the dtype"};
    const Id scale = formula("1 / sqrt$(a + b)", {"K(-0.5) * g * (r * r * r)"}, {variance, eps}, dtype);
    Id result = formula("a * b", {"g * b", "g * a"}, {centred, scale}, dtype);
    const Id weight = arg(node, 2), bias = layer ? arg(node, 3) : -1;
    if (weight >= 0) result = formula("a * b", {"g * b", "g * a"}, {result, weight}, dtype);
    if (bias >= 0) result = formula("a + b", {"g", "g"}, {result, bias}, dtype);
    return checked(result, out);
  }
  if (name == "mse_loss")
    return loss(formula("(a - b) * (a - b)", {"g * 2 * (a - b)", "g * -2 * (a - b)"}, {a, arg(node, 1)}, dtype),
                constant(node, 2).toInt(), dtype);
  if (name == "l1_loss")
    return loss(formula("fabs$(a - b)", {"a > b ? g : a < b ? -g : 0 * g", "a > b ? -g : a < b ? g : 0 * g"}, {a, arg(node, 1)}, dtype),
                constant(node, 2).toInt(), dtype);
  if (name == "smooth_l1_loss" && constant(node, 3).isDouble() && constant(node, 3).toDouble() > 0)
    return loss(formula("x = fabs$(a - b); x < c ? K(0.5) * x * x / c : x - K(0.5) * c",
                        {"x = a - b; x <= -c ? -g : x >= c ? g : g * x / c", "x = b - a; x <= -c ? -g : x >= c ? g : g * x / c"},
                        {a, arg(node, 1), arg(node, 3)}, dtype),
                constant(node, 2).toInt(), dtype);
  if (name == "huber_loss")
    return loss(formula("x = fabs$(a - b); x <= c ? K(0.5) * x * x : c * (x - K(0.5) * c)",
                        {"x = a - b; g * (x < -c ? -c : x > c ? c : x)", "x = b - a; g * (x < -c ? -c : x > c ? c : x)"},
                        {a, arg(node, 1), arg(node, 3)}, dtype),
                constant(node, 2).toInt(), dtype);
  if (name == "binary_cross_entropy_with_logits") {
    if (!constant(node, 2).isNone() || !constant(node, 3).isNone()) throw Unfusable{"its weights"};
    return loss(formula("(1 - b) * a + ((a > 0 ? 0 : -a) + log1p$(exp$(-fabs$(a))))", {"g * (sigmoid$(a) - b)", "-(g * a)"},
                        {a, arg(node, 1)}, dtype),
                constant(node, 4).toInt(), dtype);
  }
  throw Unfusable{"it has no formula"};
}

}  // namespace shim::fuse
