#include "jit/complex.h"

#include <unordered_set>

#include "jit/plan.h"

namespace shim {
namespace {

using torch::jit::Block;
using torch::jit::Function;
using torch::jit::Node;
using torch::jit::Value;

// Whether a type is complex or holds a complex type. Types share their parts, so each part is looked at once. Classes
// are left out: the values in an instance are looked at themselves.
bool is_complex_type(const c10::TypePtr& type) {
  std::vector<c10::TypePtr> types{type};
  std::unordered_set<const c10::Type*> seen;
  while (!types.empty()) {
    const c10::TypePtr it = std::move(types.back());
    types.pop_back();
    if (it->kind() == c10::TypeKind::ComplexType) return true;
    if (const auto tensor = it->cast<c10::TensorType>()) {
      if (tensor->scalarType() && c10::isComplexType(*tensor->scalarType())) return true;
    } else if (it->kind() != c10::TypeKind::ClassType) {
      for (const auto& inner : it->containedTypes())
        if (seen.insert(inner.get()).second) types.push_back(inner);
    }
  }
  return false;
}

// Whether an operator of this name gives complex numbers for real ones.
bool is_complex_operator(const std::string& name) {
  static const std::unordered_set<std::string> names = {
      "aten::complex", "aten::polar", "aten::view_as_complex", "aten::stft", "aten::eig",
      "aten::linalg_eig", "aten::linalg_eigvals", "aten::Complex"};
  return names.count(name) > 0 || name.compare(0, 9, "aten::fft") == 0 || name.compare(0, 10, "aten::_fft") == 0;
}

// Whether an argument `dtype` of the node is complex. A dtype is a number in a graph.
bool asks_for_complex(const Node& node) {
  const auto* schema = node.maybeSchema();
  if (!schema) return false;
  for (size_t i = 0; i < node.inputs().size() && i < schema->arguments().size(); ++i) {
    if (schema->arguments()[i].name() != "dtype") continue;
    const auto number = torch::jit::toIValue(node.input(i));
    if (number && number->isInt() && number->toInt() >= 0 &&
        number->toInt() < static_cast<int64_t>(at::ScalarType::NumOptions) &&
        c10::isComplexType(static_cast<at::ScalarType>(number->toInt())))
      return true;
  }
  return false;
}

bool is_complex_node(const Node& node) {
  for (const Value* output : node.outputs())
    if (is_complex_type(output->type())) return true;
  if (node.kind() == c10::prim::Constant) {
    const auto constant = node.outputs().empty() ? c10::nullopt : torch::jit::toIValue(node.output());
    return constant && holds_complex(*constant);
  }
  return is_complex_operator(node.kind().toQualString()) || asks_for_complex(node);
}

}  // namespace

bool makes_complex(Function& function) {
  std::vector<Function*> functions{&function};
  std::unordered_set<Function*> seen{&function};
  while (!functions.empty()) {
    const auto* with_graph = torch::jit::tryToGraphFunction(*functions.back());
    functions.pop_back();
    if (!with_graph) continue;
    std::vector<Block*> blocks{with_graph->graph()->block()};
    for (const Value* input : with_graph->graph()->inputs())
      if (is_complex_type(input->type())) return true;
    while (!blocks.empty()) {
      Block* block = blocks.back();
      blocks.pop_back();
      for (Node* node : block->nodes()) {
        if (is_complex_node(*node)) return true;
        for (Block* inner : node->blocks()) blocks.push_back(inner);
        if (node->hasAttribute(c10::attr::Subgraph)) blocks.push_back(node->g(c10::attr::Subgraph)->block());
        Function* callee = called(*node);
        if (callee && seen.insert(callee).second) functions.push_back(callee);
      }
    }
  }
  return false;
}

bool holds_complex(const c10::IValue& value) {
  if (value.isTensor()) return value.toTensor().defined() && value.toTensor().is_complex();
  if (value.isComplexDouble()) return true;
  if (!value.isPtrType() || value.isString()) return false;
  // Lists of Any and instances of classes may hold themselves.
  std::vector<c10::IValue> holders{value};
  std::unordered_set<const void*> seen;
  const auto look_at = [&](const c10::IValue& item) {
    if (item.isIntList() || item.isDoubleList() || item.isBoolList()) return false;
    const bool holds = item.isTuple() || item.isList() || item.isGenericDict() || item.isObject();
    if (holds && seen.insert(item.internalToPointer()).second) holders.push_back(item);
    return !holds && holds_complex(item);
  };
  while (!holders.empty()) {
    const c10::IValue it = std::move(holders.back());
    holders.pop_back();
    if (it.isTuple()) {
      for (const auto& item : it.toTuple()->elements())
        if (look_at(item)) return true;
    } else if (it.isList()) {
      // The type of a list tells whether its numbers are complex.
      const auto list = it.toList();
      if (list.elementType()->kind() == c10::TypeKind::ComplexType) return true;
      for (size_t i = 0; i < list.size(); ++i)
        if (look_at(list.get(i))) return true;
    } else if (it.isGenericDict()) {
      for (const auto& entry : it.toGenericDict())
        if (look_at(entry.value())) return true;
    } else if (it.isObject()) {
      for (const auto& slot : it.toObject()->slots())
        if (look_at(slot)) return true;
    }
  }
  return false;
}

}  // namespace shim
