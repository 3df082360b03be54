// What operators are as expressions.
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
      probe_[input] = probe(argument.shape, argument.dtype);
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

// Of real sizes the probe has no memory.
at::Tensor Translator::probe(at::IntArrayRef sizes, at::ScalarType dtype) const {
  const auto options = at::TensorOptions().dtype(dtype);
  return real_.empty() ? at::empty(sizes, options.device(at::kMeta)) : at::ones(sizes, options);
}

// An operator that does not compute without memory gets some for a moment.
void Translator::run(const Node& node, torch::jit::Stack& stack) const {
  const torch::jit::Stack arguments = stack;
  try {
    return node.getOperation()(stack);
  } catch (const std::exception&) {
    if (!real_.empty()) throw Unfusable{"LibTorch refuses it"};
  }
  stack = arguments;
  for (c10::IValue& value : stack)
    if (value.isTensor() && value.toTensor().is_meta())
      value = at::ones(value.toTensor().sizes(), value.toTensor().options().device(at::kCPU));
  try {
    node.getOperation()(stack);
  } catch (const std::exception&) {
    throw Unfusable{"LibTorch refuses it"};
  }
  for (c10::IValue& value : stack)
    if (value.isTensor()) value = probe(value.toTensor().sizes(), value.toTensor().scalar_type());
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
  if (node->kind() == c10::prim::ListUnpack) return unpack(node);
  if (node->kind() == c10::prim::ListConstruct) {
    c10::List<at::Tensor> list;
    for (const Value* input : node->inputs()) list.push_back(probed(input));
    probe_[node->output()] = list;
    return;
  }
  torch::jit::Stack stack;
  for (const Value* input : node->inputs()) stack.push_back(probe_.at(input));
  const Composite* composite = composite_of(node->kind());
  if (composite && composite->sizes > 0) {
    c10::IValue& sizes = stack[static_cast<size_t>(composite->sizes)];
    if (!sizes.isIntList()) throw Unfusable{"its sizes are no list"};
    sizes = sizes_of_probe(sizes.toIntVector());
  }
  run(*node, stack);
  for (size_t i = 0; i < node->outputs().size(); ++i) probe_[node->outputs()[i]] = stack[stack.size() - node->outputs().size() + i];
  if (gives_parts(*node)) return;
  if (const Id id = compute(node); id >= 0) id_[node->output()] = b_.rounded(id);
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
  const Composite* composite = composite_of(node->kind());
  if (!composite) throw Unfusable{"it has no formula"};
  return (this->*composite->write)(node, out);
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

std::vector<int64_t> Translator::sizes_of_probe(const std::vector<int64_t>& sizes) const {
  if (real_.empty()) return sizes;
  std::vector<int64_t> out;
  for (const int64_t size : sizes) {
    const auto known = std::find_if(real_.begin(), real_.end(), [&](const auto& it) { return it.second == size; });
    if (size != 1 && size != -1 && known == real_.end()) throw Unfusable{"it asks for a size that no argument has"};
    out.push_back(size == 1 || size == -1 ? size : known->first);
  }
  return out;
}

}  // namespace shim::fuse
