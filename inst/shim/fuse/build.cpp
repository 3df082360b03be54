#include "fuse/build.h"

#include <ATen/Functions.h>
#include <ATen/core/interned_strings.h>

#include <map>
#include <set>
#include <unordered_map>

#include "fuse/formulas.h"

namespace shim::fuse {
namespace {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

Sizes broadcast(const Sizes& a, const Sizes& b) {
  Sizes out(std::max(a.size(), b.size()), 1);
  for (size_t i = 0; i < out.size(); ++i) {
    const int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1, y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1) throw Unfusable{"its sizes do not fit"};
    out[out.size() - 1 - i] = x == 1 ? y : x;
  }
  return out;
}
int64_t count(const Sizes& shape) {
  int64_t n = 1;
  for (const int64_t size : shape) n *= size;
  return n;
}
// Without leading ones.
Sizes trimmed(const Sizes& shape) {
  size_t first = 0;
  while (first < shape.size() && shape[first] == 1) ++first;
  return Sizes(shape.begin() + static_cast<std::ptrdiff_t>(first), shape.end());
}

const Formula& plain() {
  static const Formula same{"a"};
  return same;
}
// The same value, which has a derivative.
const Formula& same() {
  static const Formula same{"a", {"g"}};
  return same;
}
const Formula& sum_of() {
  static const Formula sum{"a + b"};
  return sum;
}

class Builder {
 public:
  Program program;

  Id tensor(int slot) {
    const Slot& from = program.slots[slot];
    Expr e;
    e.kind = Expr::tensor;
    e.slot = slot;
    e.dtype = e.compute = from.dtype;
    e.shape = from.shape;
    if (from.unsqueeze) e.shape.push_back(1);
    if (from.made_by >= 0) e.level = at(from.made_by).level + 1;
    return add(std::move(e));
  }

  int argument_slot(at::ScalarType dtype, const Sizes& shape, bool unsqueeze = false) {
    Slot slot;
    slot.dtype = dtype;
    slot.shape = shape;
    slot.unsqueeze = unsqueeze;
    program.slots.push_back(slot);
    program.arguments.push_back(static_cast<int>(program.slots.size()) - 1);
    return program.arguments.back();
  }

  Id number(const c10::IValue& value, int input) {
    Number number;
    number.input = input;
    const bool integer = !value.isDouble();
    if (input < 0) {
      if (value.isDouble()) number.d = value.toDouble();
      else number.i = value.isBool() ? value.toBool() : value.toInt();
    }
    program.numbers.push_back(number);
    return number_expr(integer, value.isDouble() ? at::kDouble : at::kLong);
  }
  // One over the count of a shape.
  Id inverse_count(const Sizes& shape, at::ScalarType dtype) {
    Number number;
    number.of = shape;
    number.inverse = true;
    program.numbers.push_back(number);
    const Id id = number_expr(false, dtype);
    return id;
  }
  Id row_count(at::ScalarType dtype) {
    Expr e;
    e.kind = Expr::count;
    e.dtype = e.compute = dtype;
    return add(std::move(e));
  }

  Id formula(const Formula& f, std::vector<Id> args, at::ScalarType compute, at::ScalarType dtype,
             const std::string& letters = "abcdefh") {
    Expr e;
    e.kind = Expr::formula;
    e.text = f.text;
    e.block = f.block;
    e.compute = compute;
    e.dtype = dtype;
    const size_t semicolon = e.text.find(';');
    std::string inner;  // a function over blocks before the formula
    if (semicolon != std::string::npos) {
      const std::string head = e.text.substr(4, semicolon - 4);
      const std::string name = head.substr(0, head.find('('));
      const Formula* block = formula_of(c10::Symbol::fromQualString("aten::" + name), {});
      if (block && block->block) {
        std::vector<Id> inner_args;
        for (size_t i = 0; i < head.size(); ++i) {
          const size_t k = letters.find(head[i]);
          if (i > name.size() && k != std::string::npos && k < args.size()) inner_args.push_back(args[k]);
        }
        e.args.push_back(formula(*block, inner_args, compute, compute));
        e.names = "x";
        e.text = e.text.substr(semicolon + 1);
      }
    }
    for (size_t i = 0; i < args.size(); ++i)
      if (f.block || mentions(e.text, letters[i])) {
        if (args[i] < 0) throw Unfusable{"an argument that it needs is missing"};
        if (at(args[i]).extent == Extent::whole || at(args[i]).closed) args[i] = materialised(args[i]);
        e.names += letters[i];
        e.args.push_back(args[i]);
      }
    for (Id& arg : e.args) {
      if (f.block && at(arg).dtype != compute) arg = formula(plain(), {arg}, compute, compute);
    }
    bool rows = false;
    for (const Id arg : e.args) {
      e.shape = broadcast(e.shape, at(arg).shape);
      e.level = std::max(e.level, at(arg).level);
      rows = rows || at(arg).extent == Extent::row;
    }
    if (rows) {
      for (const Id arg : e.args)
        if (at(arg).extent == Extent::row) {
          if (!e.space.empty() && e.space != at(arg).space) throw Unfusable{"rows of several lengths"};
          e.space = at(arg).space;
        }
      const bool last_is_one = e.shape.empty() || e.shape.back() == 1;
      // A space whose rows have length one can't tell which of both it is.
      e.extent = last_is_one && e.space.back() != 1 ? Extent::row : Extent::full;
      if (e.extent == Extent::row && e.block) throw Unfusable{"a function of the C library on rows"};
      if (e.extent == Extent::full && trimmed(e.shape) != trimmed(e.space)) throw Unfusable{"rows are repeated"};
      if (e.extent == Extent::row) {
        Sizes row = e.space;
        row.back() = 1;
        if (trimmed(row) != trimmed(e.shape)) throw Unfusable{"rows are repeated"};
      }
    }
    const Id id = add(std::move(e));
    if (!f.derivatives.empty()) derivatives_[id] = {f.derivatives, std::move(args)};
    return id;
  }

  Id reduce(Reduction reduction, Id a, bool whole, at::ScalarType dtype) {
    if (at(a).extent != Extent::full || at(a).closed) a = materialised(a);
    if (at(a).kind == Expr::number || at(a).kind == Expr::count) throw Unfusable{"a number is reduced"};
    // Of one element nothing is reduced, and the kernel may go through another space than these.
    if (whole ? count(at(a).shape) == 1 : is_single(a)) return formula(same(), {a}, dtype, dtype);
    Expr e;
    e.kind = Expr::reduce;
    e.reduction = reduction;
    e.args = {a};
    e.dtype = e.compute = dtype;
    e.extent = whole ? Extent::whole : Extent::row;
    e.space = e.shape = at(a).shape;
    if (e.shape.empty()) throw Unfusable{"it has no dimension"};
    if (whole) e.shape.clear();
    else e.shape.back() = 1;
    e.level = at(a).level;
    return add(std::move(e));
  }

  bool is_single(Id id) const { return !at(id).shape.empty() && at(id).shape.back() == 1; }

  // A value as what another kernel reads.
  Id materialised(Id id) {
    const auto known = slot_of_.find(id);
    Sizes shape = at(id).shape;
    if (at(id).closed) shape.pop_back();
    return tensor(known != slot_of_.end() ? known->second : slot_for(id, shape));
  }
  // The same with one dimension more at its end.
  Id unsqueezed(Id id) {
    const int slot = slot_for(full(id), at(id).shape);
    program.slots[slot].unsqueeze = true;
    return tensor(slot);
  }
  int slot_for(Id id, const Sizes& shape) {
    Slot slot;
    slot.made_by = id;
    slot.dtype = at(id).dtype;
    slot.shape = shape;
    slot.mean = means_.count(id) > 0;
    program.slots.push_back(slot);
    return slot_of_[id] = static_cast<int>(program.slots.size()) - 1;
  }
  Id mean_of_whole(Id sum) {
    means_.insert(sum);
    return sum;
  }

  // The sum of `id` over what `shape` lacks.
  Id summed_to(Id id, const Sizes& shape) {
    if (at(id).shape == shape) return id;
    const Sizes from = at(id).shape;
    if (count(shape) == 1) {
      const Id sum = reduce(Reduction::sum, full(id), true, at(id).dtype);
      return tensor(slot_for(sum, shape));
    }
    Sizes row = from;
    if (!row.empty()) row.back() = 1;
    if (trimmed(row) == trimmed(shape) && row.size() == shape.size()) return reduce(Reduction::sum, full(id), false, at(id).dtype);
    const Id whole = full(id);
    Slot slot;
    slot.made_by = whole;
    slot.dtype = at(whole).dtype;
    slot.shape = shape;
    slot.of = from;
    program.slots.push_back(slot);
    return tensor(static_cast<int>(program.slots.size()) - 1);
  }
  // Something that lives at each element.
  Id full(Id id) { return at(id).extent == Extent::full ? id : repeated(id, at(id).space); }
  Id repeated(Id id, const Sizes& shape) {
    if (at(id).extent == Extent::whole) id = materialised(id);
    Expr e;
    e.kind = Expr::formula;
    e.text = "a";
    e.names = "a";
    e.args = {id};
    e.compute = e.dtype = at(id).dtype;
    e.shape = shape;
    e.level = at(id).level;
    return add(std::move(e));
  }

  // How a formula was written: its arguments with those that its text does not mention, and the derivatives by each.
  struct Derivatives {
    std::vector<const char*> texts;
    std::vector<Id> args;
  };
  const Derivatives* derivatives(Id id) const {
    const auto found = derivatives_.find(id);
    return found == derivatives_.end() ? nullptr : &found->second;
  }
  bool is_mean(Id id) const { return means_.count(id) > 0; }

  const Expr& at(Id id) const { return program.exprs[id]; }
  void close(Id id) { program.exprs[id].closed = true; }

  // The kernels for what the slots with a maker need.
  void schedule() {
    struct Key {
      int level;
      Sizes space;
      bool operator<(const Key& other) const {
        return level != other.level ? level < other.level : space < other.space;
      }
    };
    std::map<Key, Kernel> kernels;
    const std::set<int> needed = needed_slots();
    for (const int slot : needed) {
      const Slot& it = program.slots[slot];
      if (it.made_by < 0) continue;
      const Expr& e = at(it.made_by);
      const Sizes space = trimmed(e.extent == Extent::full ? e.shape : e.space);
      Kernel& kernel = kernels[{e.level, space}];
      kernel.space = e.extent == Extent::full ? (e.shape.size() > kernel.space.size() ? e.shape : kernel.space)
                                              : (e.space.size() > kernel.space.size() ? e.space : kernel.space);
      kernel.results.push_back(slot);
      kernel.values.push_back(it.made_by);
    }
    for (auto& [key, kernel] : kernels) {
      std::set<Id> seen;
      std::set<int> read;
      for (const Id id : kernel.values) gather(id, kernel, seen, read);
      for (const Id id : seen)
        if (at(id).kind == Expr::reduce ? trimmed(at(id).space) != key.space : at(id).kind == Expr::count && !kernel.rows)
          throw Unfusable{"it reduces other rows than those of the result"};
      kernel.arguments.assign(read.begin(), read.end());
      program.kernels.push_back(std::move(kernel));
    }
  }

 private:
  static bool mentions(const std::string& text, char letter) {
    for (size_t i = 0; i < text.size(); ++i) {
      const auto is_word = [&](size_t k) {
        return k < text.size() && (std::isalnum(static_cast<unsigned char>(text[k])) || text[k] == '_');
      };
      if (text[i] == letter && (i == 0 || !is_word(i - 1)) && !is_word(i + 1)) return true;
    }
    return false;
  }
  Id number_expr(bool integer, at::ScalarType dtype) {
    Expr e;
    e.kind = Expr::number;
    e.integer = integer;
    e.slot = static_cast<int>(program.numbers.size()) - 1;
    e.dtype = e.compute = dtype;
    return add(std::move(e));
  }
  Id add(Expr e) {
    program.exprs.push_back(std::move(e));
    if (program.exprs.size() > 2000) throw Unfusable{"there is too much of it"};
    return static_cast<Id>(program.exprs.size()) - 1;
  }
  std::set<int> needed_slots() {
    std::set<int> needed;
    std::vector<int> open;
    for (const int slot : program.results)
      if (slot >= 0) open.push_back(slot);
    while (!open.empty()) {
      const int slot = open.back();
      open.pop_back();
      if (!needed.insert(slot).second || program.slots[slot].made_by < 0) continue;
      std::set<Id> seen;
      std::set<int> read;
      Kernel nothing;
      gather(program.slots[slot].made_by, nothing, seen, read);
      open.insert(open.end(), read.begin(), read.end());
    }
    return needed;
  }
  void gather(Id id, Kernel& kernel, std::set<Id>& seen, std::set<int>& read) {
    if (!seen.insert(id).second) return;
    const Expr& e = at(id);
    if (e.kind == Expr::tensor) read.insert(e.slot);
    kernel.rows = kernel.rows || e.extent == Extent::row;
    kernel.whole = kernel.whole || (e.kind == Expr::reduce && e.extent == Extent::whole);
    kernel.block = kernel.block || e.block;
    if (e.kind == Expr::formula) ++(e.block || e.text.find('$') != std::string::npos ? kernel.heavy : kernel.light);
    for (const Id arg : e.args) gather(arg, kernel, seen, read);
  }

  std::unordered_map<Id, int> slot_of_;
  std::map<Id, Derivatives> derivatives_;
  std::set<Id> means_;
};

// --- the group's graph ------------------------------------------------------------------------------------------------

// What is more than a formula: reductions, and what is made of them.
class Translator {
 public:
  Translator(Builder& builder, Graph& graph, const std::vector<Argument>& arguments, const Real& real)
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

  Id of(const Value* value) const {
    const auto found = id_.find(value);
    if (found == id_.end()) throw Unfusable{"a result that is no tensor"};
    return found->second;
  }
  at::Tensor probed(const Value* value) const {
    const c10::IValue& it = probe_.at(value);
    if (!it.isTensor()) throw Unfusable{"a result that is no tensor"};
    return it.toTensor();
  }
  std::vector<int> slots;  // of the graph's inputs, -1 for numbers
  // Where softmax and its like are differentiated as one: result, and what it is of.
  struct Whole {
    Id input;
    bool log;
  };
  std::map<Id, Whole> softmaxes;

 private:
  void translate(Node* node) {
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

  c10::IValue constant(const Node* node, size_t i) const {
    return i < node->inputs().size() ? probe_.at(node->inputs()[i]) : c10::IValue();
  }
  Id arg(const Node* node, size_t i) const {
    if (i >= node->inputs().size()) return -1;
    const auto found = id_.find(node->inputs()[i]);
    return found == id_.end() ? -1 : found->second;
  }

  Id compute(Node* node) {
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

  // The formula's sizes are LibTorch's.
  Id checked(Id id, const at::Tensor& out) {
    if (trimmed(b_.at(id).shape) != trimmed(out.sizes().vec())) throw Unfusable{"its sizes are others"};
    return id;
  }

  at::ScalarType common_type(const Node* node) const {
    const c10::IValue a = constant(node, 0), b = constant(node, 1);
    if (!a.isTensor()) throw Unfusable{"a number comes first"};
    if (b.isTensor()) return at::result_type(a.toTensor(), b.toTensor());
    return b.isScalar() ? at::result_type(a.toTensor(), b.toScalar()) : a.toTensor().scalar_type();
  }

  // Whether dimensions are all, or the last alone; others are refused.
  bool is_whole(const c10::IValue& dims, int64_t rank) const {
    if (dims.isNone()) return true;
    std::vector<int64_t> list = dims.isInt() ? std::vector<int64_t>{dims.toInt()} : dims.toIntVector();
    std::set<int64_t> set;
    for (const int64_t dim : list) set.insert(dim < 0 ? dim + rank : dim);
    if (set.empty() || static_cast<int64_t>(set.size()) == rank) return true;
    if (set.size() != 1 || *set.begin() != rank - 1) throw Unfusable{"it reduces other dimensions than the last"};
    return false;
  }

  Id reduced(Reduction reduction, Id a, const c10::IValue& dims, bool keep, at::ScalarType dtype, bool mean) {
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
  Id formula(const char* text, std::vector<const char*> derivatives, std::vector<Id> args, at::ScalarType type) {
    // Texts live as long as the program: they are constants of this file.
    return b_.formula(Formula{text, std::move(derivatives)}, std::move(args), type, type);
  }

  Id loss(Id each, int64_t reduction, at::ScalarType dtype) {
    if (reduction == 0) return each;
    const Id sum = b_.reduce(Reduction::sum, each, true, dtype);
    return reduction == 1 ? b_.mean_of_whole(sum) : sum;
  }

  Id composite(const std::string& name, Node* node, const at::Tensor& out, at::ScalarType dtype) {
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

  Builder& b_;
  const Real& real_;
  std::map<const Value*, c10::IValue> probe_;
  std::map<const Value*, Id> id_;
};

const std::set<std::string>& composites() {
  static const auto& names = *new std::set<std::string>{"sum",        "mean",     "amax",     "amin",
                                                        "softmax",    "log_softmax", "layer_norm", "rms_norm",
                                                        "mse_loss",   "l1_loss",  "huber_loss", "smooth_l1_loss", "binary_cross_entropy_with_logits"};
  return names;
}

bool is_number_type(const c10::TypePtr& type) {
  return type->kind() == c10::TypeKind::FloatType || type->kind() == c10::TypeKind::IntType ||
         type->kind() == c10::TypeKind::BoolType;
}

}  // namespace

bool is_composite(c10::Symbol op) { return op.is_aten() && composites().count(op.toUnqualString()) > 0; }

bool may_be_fusable(const Node& node) {
  return node.kind().is_aten() && node.outputs().size() == 1 &&
         node.output()->type()->kind() == c10::TypeKind::TensorType &&
         (arguments_of(node.kind()) > 0 || is_composite(node.kind()));
}

bool is_fusable(Node* node, bool exact) {
  if (!may_be_fusable(*node)) return false;
  const std::string name = node->kind().toUnqualString();
  const size_t n = arguments_of(node->kind());
  if (name == "to" && (node->inputs().size() != 5 || node->inputs()[1]->type()->kind() != c10::TypeKind::IntType)) return false;
  for (size_t i = 0; i < node->inputs().size(); ++i) {
    const Value* input = node->inputs()[i];
    if (input->type()->kind() == c10::TypeKind::TensorType) continue;
    if (torch::jit::toIValue(input)) continue;
    // A number that is only known when the program runs.
    if (n == 0 || i >= n || !is_number_type(input->type())) return false;
    if (name == "pow") return false;
  }
  if (n == 0) return !exact;
  std::vector<std::optional<c10::IValue>> constants;
  for (const Value* input : node->inputs()) {
    const auto value = torch::jit::toIValue(input);
    constants.push_back(value ? std::optional<c10::IValue>(*value) : std::nullopt);
  }
  return formula_of(node->kind(), constants) && (!exact || is_exact(node->kind(), constants));
}

bool is_worth_a_kernel(const Node& node) {
  static const auto& names = *new std::set<std::string>{"gelu", "mish", "layer_norm", "rms_norm"};
  return node.kind().is_aten() && names.count(node.kind().toUnqualString()) > 0;
}

Program forward_program(Graph& graph, const std::vector<Argument>& arguments, const Real& real, bool exact) {
  Builder builder;
  builder.program.exact = exact;
  const Translator translator(builder, graph, arguments, real);
  std::map<Id, int> known;
  for (const Value* output : graph.outputs()) {
    const Id id = translator.of(output);
    if (builder.at(id).kind != Expr::formula && builder.at(id).kind != Expr::reduce) throw Unfusable{"an argument is a result"};
    const int slot = builder.slot_for(id, translator.probed(output).sizes().vec());
    builder.program.results.push_back(slot);
  }
  builder.schedule();
  return std::move(builder.program);
}

Program backward_program(Graph& graph, const std::vector<Argument>& arguments, const Real& real,
                         const std::vector<bool>& given, const std::vector<bool>& wanted) {
  Builder b;
  const Translator translator(b, graph, arguments, real);
  const Id last = static_cast<Id>(b.program.exprs.size());
  // The results, as they were computed, and their gradients.
  std::map<Id, Id> saved;
  std::map<Id, std::vector<Id>> adjoints;
  std::vector<int> result_slots, gradient_slots;
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    const Id id = translator.of(graph.outputs()[i]);
    const at::Tensor probe = translator.probed(graph.outputs()[i]);
    const bool closed = b.at(id).closed;
    const int slot = b.argument_slot(b.at(id).dtype, probe.sizes().vec(), closed);
    result_slots.push_back(slot);
    if (b.at(id).extent != Extent::whole && !saved.count(id)) saved[id] = b.tensor(slot);
  }
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    const Id id = translator.of(graph.outputs()[i]);
    const at::Tensor probe = translator.probed(graph.outputs()[i]);
    gradient_slots.push_back(b.argument_slot(b.at(id).dtype, probe.sizes().vec(), b.at(id).closed));
    if (given[i]) adjoints[id].push_back(b.tensor(gradient_slots.back()));
  }
  // What leads to an argument whose gradient is wanted.
  std::vector<bool> leads(last, false);
  std::map<int, size_t> wanted_slot;
  for (size_t i = 0; i < wanted.size(); ++i)
    if (wanted[i]) wanted_slot[translator.slots[i]] = i;
  for (Id id = 0; id < last; ++id) {
    const Expr& e = b.at(id);
    if (!c10::isFloatingType(e.dtype)) continue;
    if (e.kind == Expr::tensor) {
      // Between two kernels of the forward pass.
      if (b.program.slots[e.slot].made_by >= 0) leads[id] = leads[b.program.slots[e.slot].made_by];
      else leads[id] = wanted_slot.count(e.slot) > 0;
    }
    for (const Id arg : e.args) leads[id] = leads[id] || leads[arg];
  }
  for (const Value* output : graph.outputs()) b.program.reached.push_back(leads[translator.of(output)]);
  b.program.results.assign(wanted.size(), -1);
  for (Id id = last - 1; id >= 0; --id) {
    if (!leads[id] || !adjoints.count(id)) continue;
    const Expr e = b.at(id);
    // What arrived, in the shape and type of the value.
    Id g = -1;
    std::map<Sizes, Id> by_shape;
    for (Id part : adjoints[id]) {
      if (b.at(part).dtype != e.dtype) part = b.formula(plain(), {part}, e.dtype, e.dtype);
      const auto known = by_shape.find(b.at(part).shape);
      if (known == by_shape.end()) by_shape[b.at(part).shape] = part;
      else known->second = b.formula(sum_of(), {known->second, part}, e.dtype, e.dtype);
    }
    const Sizes shape = e.extent == Extent::whole ? Sizes{} : e.shape;
    for (const auto& [from, part] : by_shape) {
      const Id here = count(from) == 1 && count(shape) == 1 ? part : b.summed_to(part, shape);
      g = g < 0 ? here : b.formula(sum_of(), {g, here}, e.dtype, e.dtype);
    }
    if (e.kind == Expr::tensor) {
      if (b.program.slots[e.slot].made_by >= 0) {
        const Id maker = b.program.slots[e.slot].made_by;
        adjoints[maker].push_back(b.at(maker).closed ? b.unsqueezed(g) : g);
        continue;
      }
      const size_t i = wanted_slot.at(e.slot);
      if (b.program.results[i] >= 0) throw Unfusable{"an argument that is read twice"};
      if (b.at(g).extent == Extent::full && b.at(g).kind == Expr::tensor) {
        if (b.program.slots[b.at(g).slot].made_by >= 0) {
          b.program.results[i] = b.at(g).slot;
          continue;
        }
        g = b.repeated(g, e.shape);
      }
      b.program.results[i] = b.slot_for(g, e.shape);
      continue;
    }
    if (e.kind == Expr::reduce) {
      const Expr& of = b.at(e.args[0]);
      const at::ScalarType type = of.dtype;
      Id down = g;
      if (e.extent == Extent::whole) {
        if (e.reduction != Reduction::sum) throw Unfusable{"the largest of all"};
        static const Formula times{"a * b"};
        if (b.is_mean(id)) down = b.formula(times, {g, b.inverse_count(e.space, e.dtype)}, e.dtype, e.dtype);
      } else if (e.reduction != Reduction::sum) {
        static const Formula same{"a == b"}, share{"b ? a : 0"}, part{"a / b"};
        const Id value = saved.count(id) ? saved[id] : id;
        const Id ties = b.formula(same, {e.args[0], value}, type, type);
        const Id all = b.reduce(Reduction::sum, ties, false, type);
        down = b.formula(share, {b.formula(part, {g, all}, type, type), ties}, type, type);
      }
      if (b.at(down).dtype != type) down = b.formula(plain(), {down}, type, type);
      const Sizes under = b.at(e.args[0]).shape;
      adjoints[e.args[0]].push_back(b.repeated(down, under));
      continue;
    }
    const auto softmax = translator.softmaxes.find(id);
    if (softmax != translator.softmaxes.end()) {
      static const Formula times{"a * b"}, by_softmax{"a * (b - c)"}, by_log{"a - exp$(b) * c"};
      const Id r = saved.count(id) ? saved[id] : id;
      const Id input = softmax->second.input;
      Id down;
      if (softmax->second.log) {
        const Id sum = b.reduce(Reduction::sum, b.full(g), false, e.dtype);
        down = b.formula(by_log, {g, r, sum}, e.dtype, e.dtype);
      } else {
        const Id sum = b.reduce(Reduction::sum, b.formula(times, {g, r}, e.dtype, e.dtype), false, e.dtype);
        down = b.formula(by_softmax, {r, g, sum}, e.dtype, e.dtype);
      }
      adjoints[input].push_back(down);
      continue;
    }
    if (e.kind != Expr::formula) continue;
    const auto* derivatives = b.derivatives(id);
    if (!derivatives) throw Unfusable{"its derivative is unknown"};
    const Id r = saved.count(id) ? saved[id] : id;
    for (size_t k = 0; k < derivatives->args.size(); ++k) {
      const Id arg = derivatives->args[k];
      if (arg < 0 || arg >= last || !leads[arg]) continue;
      const char* text = k < derivatives->texts.size() ? derivatives->texts[k] : nullptr;
      if (!text) throw Unfusable{"its derivative is unknown"};
      std::vector<Id> args = derivatives->args;
      for (Id& each : args)
        if (each >= 0 && saved.count(each)) each = saved[each];
      std::string letters = std::string("abcdefh").substr(0, args.size()) + "rg";
      args.push_back(r);
      args.push_back(g);
      Id down = b.formula(Formula{text}, args, e.dtype, e.dtype, letters);
      // A derivative that looks at nothing but what arrives may be smaller than the value.
      if (b.at(down).extent == Extent::full && b.at(down).shape != e.shape && count(b.at(down).shape) != count(e.shape))
        down = b.repeated(down, e.shape);
      adjoints[arg].push_back(down);
    }
  }
  // A wanted gradient to which nothing leads is zero, and stays undefined.
  b.schedule();
  return std::move(b.program);
}

}  // namespace shim::fuse
