// Writes the C for elements of tensors in loops: where they lie, and operators on tensors without dimensions.
#include <ATen/Functions.h>

#include "fuse/build.h"
#include "fuse/formulas.h"
#include "fuse/loop-emit.h"

namespace shim::fuse {
namespace {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

enum class Means { nothing, select, dim, size, length, number, fill, copy, clone, compute, squeeze };

Means means(const Node& node) {
  static const auto& names = *new std::unordered_map<std::string, std::pair<Means, size_t>>{
      {"aten::select", {Means::select, 3}}, {"aten::dim", {Means::dim, 1}},     {"aten::size", {Means::size, 2}},
      {"aten::len", {Means::length, 1}},    {"aten::Float", {Means::number, 1}}, {"aten::Int", {Means::number, 1}},
      {"aten::Bool", {Means::number, 1}},   {"aten::fill_", {Means::fill, 2}},  {"aten::copy_", {Means::copy, 3}},
      {"aten::clone", {Means::clone, 2}},   {"aten::squeeze", {Means::squeeze, 2}},
  };
  if (node.inputs().empty() || kind_of(*node.input(0)) != 'T' || node.outputs().size() != 1) return Means::nothing;
  const auto found = names.find(node.kind().toQualString());
  if (found == names.end()) return Means::compute;
  const auto [it, n] = found->second;
  if (node.inputs().size() != n) return Means::nothing;
  const bool has_result = it == Means::fill || it == Means::copy;
  if (has_result && node.output()->hasUses()) return Means::nothing;
  if (it == Means::select && kind_of(*node.input(2)) != 'i') return Means::nothing;
  return it;
}

bool is_whole(at::ScalarType type) { return c10::isIntegralType(type, true); }

}  // namespace

bool is_on_elements(const Node& node) {
  const Means it = means(node);
  if (it == Means::nothing) return false;
  return it != Means::compute || (!node.isNondeterministic() && arguments_of(node.kind()) > 0 && is_fusable(const_cast<Node*>(&node), false));
}

const LoopEmitter::Element& LoopEmitter::element(const Value* value) {
  const auto found = elements_.find(value);
  if (found != elements_.end()) return found->second;
  const auto constant = torch::jit::toIValue(value);
  if (!constant || !constant->isTensor() || constant->toTensor().dim() != 0 || why_not_plain(constant->toTensor()))
    throw Unfusable{"a tensor that is none of its arguments"};
  const at::Tensor& tensor = constant->toTensor();
  Element& it = elements_[value];
  it.dtype = tensor.scalar_type();
  const std::string id = "k" + std::to_string(++last_), type = computed(it.dtype);
  it.value = "((" + type + ")" + literal(is_whole(it.dtype) ? c10::IValue(tensor.item().toLong()) : c10::IValue(tensor.item().toDouble())) + ")";
  return it;
}

std::string LoopEmitter::number_of(const Value* value) {
  const Element& it = element(value);
  if (!it.value.empty()) return it.value;
  if (!it.dims.empty()) throw Unfusable{"it computes with tensors that have dimensions"};
  if (it.dtype == at::kHalf || it.dtype == at::kBFloat16) throw Unfusable{"elements of half a precision"};
  return std::string("(*(const at_") + stored(it.dtype) + "*)" + it.pointer + ")";
}

std::string LoopEmitter::variable(const Value* to, const Value* from) {
  const Element& it = element(from);
  if (it.value.empty()) {
    if (arguments_.count(from)) source_.kept.push_back(it.tensor);
    else keeps_elements_ = true;
  }
  Element& target = elements_[to];
  if (target.value.empty()) {
    target.value = names_[to];
    target.dtype = it.dtype;
  } else if (target.dtype != it.dtype) {
    throw Unfusable{"a variable changes its dtype"};
  }
  return number_of(from);
}

std::string LoopEmitter::type_of(const Value* value) {
  if (kind_of(*value) != 'T') return c_type(kind_of(*value));
  const auto found = elements_.find(value);
  // No branch reaches its end.
  return found == elements_.end() ? "double" : computed(found->second.dtype);
}

bool LoopEmitter::write_element(const Node* node) {
  const Value* output = node->outputs().empty() ? nullptr : node->output();
  switch (means(*node)) {
    case Means::nothing:
      return false;
    case Means::squeeze:
      throw Unfusable{"it computes with tensors that have dimensions"};
    case Means::select:
      write_select(node);
      return true;
    case Means::dim: {
      const Element& it = element(node->input(0));
      known_[output] = static_cast<int64_t>(it.dims.size());
      names_[output] = std::to_string(it.dims.size());
      return true;
    }
    case Means::size:
    case Means::length: {
      const Element& it = element(node->input(0));
      const int64_t n = static_cast<int64_t>(it.dims.size());
      auto dim = means(*node) == Means::size ? known(node->input(1)) : std::optional<c10::IValue>(int64_t{0});
      if (!dim || !dim->isInt() || dim->toInt() >= n || dim->toInt() < -n) throw Unfusable{"it asks for a size that is not there"};
      const int64_t d = dim->toInt() < 0 ? dim->toInt() + n : dim->toInt();
      names_[output] = "tensors[" + std::to_string(it.tensor) + "].sizes[" + std::to_string(it.dims[static_cast<size_t>(d)]) + "]";
      return true;
    }
    case Means::number: {
      const Element& it = element(node->input(0));
      const char to = kind_of(*output);
      const std::string from = number_of(node->input(0));
      declare(output);
      if (to == 'i' && !is_whole(it.dtype)) {
        out_ << "if (!(fabs_d(" << from << ") < 9e18)) ";
        leave(node, node, false);
        out_ << "else ";
      }
      out_ << names_[output] << " = " << (to == 'b' ? "" : to == 'i' ? "(int64_t)" : "(double)") << from << (to == 'b' ? " != 0" : "") << ";\n";
      return true;
    }
    case Means::fill:
      write_fill(node);
      return true;
    case Means::copy:
      write_copy(node);
      return true;
    case Means::clone:
      fresh(output);
      elements_[output] = {element(node->input(0)).dtype, names_[output], 0, "", {}};
      out_ << "const " << type_of(output) << " " << names_[output] << " = " << number_of(node->input(0)) << ";\n";
      return true;
    case Means::compute:
      compute(node);
      return true;
  }
  return false;
}

void LoopEmitter::write_select(const Node* node) {
  const Element from = element(node->input(0));
  const auto dim = known(node->input(1));
  const int64_t n = static_cast<int64_t>(from.dims.size());
  if (!from.value.empty() || !dim || !dim->isInt() || dim->toInt() >= n || dim->toInt() < -n)
    throw Unfusable{"it selects from something else than its arguments"};
  const size_t d = static_cast<size_t>(dim->toInt() < 0 ? dim->toInt() + n : dim->toInt());
  const std::string it = "tensors[" + std::to_string(from.tensor) + "]", of = "[" + std::to_string(from.dims[d]) + "]";
  Element to = from;
  to.dims.erase(to.dims.begin() + static_cast<std::ptrdiff_t>(d));
  to.pointer = "p" + std::to_string(++last_);
  out_ << "char* " << to.pointer << ";\n{ const int64_t b = " << name(node->input(2)) << ", n = " << it << ".sizes" << of
       << ";\nif (b >= n || b < -n) ";
  leave(node, node, true);
  out_ << to.pointer << " = " << from.pointer << " + " << it << ".strides" << of << " * (b < 0 ? b + n : b); }\n";
  elements_[node->output()] = std::move(to);
}

// LibTorch checks that a number can be held by the tensor's dtype, and so does this.
void LoopEmitter::write_fill(const Node* node) {
  const Element to = element(node->input(0));
  const bool is_tensor = kind_of(*node->input(1)) == 'T';
  if (!to.value.empty() || !to.dims.empty()) throw Unfusable{"it writes more than elements"};
  const std::string from = is_tensor ? number_of(node->input(1)) : name(node->input(1));
  const bool whole = is_tensor ? is_whole(element(node->input(1)).dtype) : kind_of(*node->input(1)) != 'd';
  std::string fits;
  switch (to.dtype) {
    case at::kDouble: break;
    case at::kFloat: fits = whole ? "" : "fabs_d(x) <= 3.4028234663852886e38"; break;
    case at::kLong: fits = whole ? "" : "fabs_d(x) < 9e18"; break;
    case at::kInt: fits = "x > -2147483648 && x < 2147483647"; break;
    case at::kBool: break;
    default: throw Unfusable{"it writes elements of another dtype"};
  }
  source_.written.push_back(to.tensor);
  out_ << "{ const " << (whole ? "int64_t" : "double") << " x = " << from << ";\n";
  if (!fits.empty()) {
    out_ << "if (!(" << fits << ")) ";
    leave(node, node, false);
    out_ << "else ";
  }
  out_ << "*(at_" << stored(to.dtype) << "*)" << to.pointer << " = (" << stored(to.dtype) << ")" << (to.dtype == at::kBool ? "(x != 0)" : "x")
       << "; }\n";
}

void LoopEmitter::write_copy(const Node* node) {
  const Element to = element(node->input(0)), from = element(node->input(1));
  const std::string value = number_of(node->input(1));
  if (!to.value.empty() || !to.dims.empty()) throw Unfusable{"it writes more than elements"};
  if (to.dtype == at::kHalf || to.dtype == at::kBFloat16 || (is_whole(to.dtype) && !is_whole(from.dtype)))
    throw Unfusable{"it writes elements of another dtype"};
  source_.written.push_back(to.tensor);
  out_ << "*(at_" << stored(to.dtype) << "*)" << to.pointer << " = (" << stored(to.dtype) << ")(" << value
       << (to.dtype == at::kBool ? " != 0" : "") << ");\n";
}

// Computes an operator on tensors without dimensions by the formulas of kernels.
void LoopEmitter::compute(const Node* node) {
  Graph graph;
  std::vector<Argument> arguments;
  std::vector<const Value*> inputs, tensors;
  Node* copy = graph.createClone(const_cast<Node*>(node), [&](Value* value) -> Value* {
    if (const auto constant = torch::jit::toIValue(value); constant && !constant->isTensor()) return graph.insertConstant(*constant);
    Argument argument;
    argument.is_tensor = kind_of(*value) == 'T';
    if (argument.is_tensor) {
      argument.dtype = element(value).dtype;
      if (argument.dtype == at::kHalf || argument.dtype == at::kBFloat16) throw Unfusable{"elements of half a precision"};
      tensors.push_back(value);
    } else {
      const char kind = kind_of(*value);
      if (!is_number(kind)) throw Unfusable{"it is not made of numbers alone"};
      argument.number = kind == 'd' ? c10::IValue(1.0) : kind == 'i' ? c10::IValue(int64_t{1}) : c10::IValue(true);
    }
    arguments.push_back(argument);
    inputs.push_back(value);
    return graph.addInput()->setType(value->type());
  });
  graph.insertNode(copy);
  graph.registerOutput(copy->output());
  if (!is_fusable(copy, exact_)) throw Unfusable{"it is not to be rounded in another way"};
  const Program program = forward_program(graph, arguments, {{1, 1}}, true);
  const Slot& result = program.slots[static_cast<size_t>(program.results[0])];
  if (!result.shape.empty()) throw Unfusable{"it computes with tensors that have dimensions"};
  std::map<Id, std::string> done;
  const std::function<std::string(Id)> write = [&](Id id) -> std::string {
    if (done.count(id)) return done[id];
    const Expr& e = program.exprs[static_cast<size_t>(id)];
    if (e.kind == Expr::tensor) {
      const auto at = std::find(program.arguments.begin(), program.arguments.end(), e.slot);
      return number_of(tensors[static_cast<size_t>(at - program.arguments.begin())]);
    }
    if (e.kind == Expr::number) {
      const Number& number = program.numbers[static_cast<size_t>(e.slot)];
      const std::string it = number.input >= 0 ? name(inputs[static_cast<size_t>(number.input)])
                                               : literal(e.integer ? c10::IValue(number.i) : c10::IValue(number.d));
      return std::string("((") + computed(e.dtype) + ")" + it + ")";
    }
    if (e.kind != Expr::formula) throw Unfusable{"it reduces"};
    std::vector<std::string> args;
    for (const Id arg : e.args) args.push_back(write(arg));
    const std::string it = "e" + std::to_string(++last_);
    out_ << computed(e.dtype) << " " << it << ";\n{ ";
    if (e.block) {
      for (size_t i = 0; i < args.size(); ++i) out_ << "const " << computed(e.compute) << " y" << i << " = " << args[i] << "; ";
      out_ << e.text << "_block" << (e.compute == at::kDouble ? "_d(" : "_f(");
      for (size_t i = 0; i < args.size(); ++i) out_ << "&y" << i << ", ";
      out_ << "&" << it << ", 1); }\n";
    } else {
      out_ << assignment(e, it, args) << " }\n";
    }
    return done[id] = it;
  };
  const std::string it = write(result.made_by);
  elements_[node->output()] = {result.dtype, it, 0, "", {}};
}

}  // namespace shim::fuse
