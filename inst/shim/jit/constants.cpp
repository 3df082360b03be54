#include "jit/constants.h"

#include <cmath>
#include <unordered_set>

#include "jit/plan.h"

namespace shim {
namespace {

using torch::jit::Block;
using torch::jit::Function;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

bool is_misspelt(const c10::IValue& value) {
  if (value.isDouble()) {
    const double d = value.toDouble();
    return std::abs(d) >= 1e10 && std::abs(d) < 1e17 && std::trunc(d) == d;
  }
  if (value.isTuple()) {
    const auto elements = value.toTuple()->elements();
    return std::any_of(elements.begin(), elements.end(), is_misspelt);
  }
  if (!value.isList()) return false;
  const auto list = value.toListRef();
  return std::any_of(list.begin(), list.end(), is_misspelt);
}

// The value as nodes, put in where the graph's insertion point is.
Value* spell(Graph& graph, const c10::IValue& value) {
  if (value.isDouble() && is_misspelt(value))
    return graph.insert(c10::aten::Float, {graph.insertConstant(static_cast<int64_t>(value.toDouble()))});
  if (!is_misspelt(value)) return graph.insertConstant(value);
  std::vector<Value*> items;
  if (value.isTuple()) {
    for (const auto& item : value.toTuple()->elements()) items.push_back(spell(graph, item));
    return graph.insertNode(graph.createTuple(items))->output();
  }
  for (const c10::IValue& item : value.toListRef()) items.push_back(spell(graph, item));
  return graph.insertNode(graph.createList(value.toList().elementType(), items))->output();
}

void spell_in(Graph& graph, std::vector<Function*>& calls) {
  std::vector<Block*> blocks{graph.block()};
  while (!blocks.empty()) {
    Block* block = blocks.back();
    blocks.pop_back();
    for (auto it = block->nodes().begin(); it != block->nodes().end();) {
      Node* node = *it++;
      for (Block* inner : node->blocks()) blocks.push_back(inner);
      if (Function* callee = called(*node)) calls.push_back(callee);
      if (node->kind() != c10::prim::Constant || node->outputs().size() != 1) continue;
      const auto constant = torch::jit::toIValue(node->output());
      if (!constant || !is_misspelt(*constant)) continue;
      const torch::jit::WithInsertPoint here(node);
      Value* spelt = spell(graph, *constant);
      spelt->node()->setSourceRange(node->sourceRange());
      node->output()->replaceAllUsesWith(spelt);
      node->destroy();
    }
  }
}

}  // namespace

void spell_floats(const torch::jit::Module& module) {
  std::vector<Function*> calls;
  for (const auto& child : module.modules())
    for (Function* method : child.type()->methods()) calls.push_back(method);
  std::unordered_set<Function*> seen;
  while (!calls.empty()) {
    Function* function = calls.back();
    calls.pop_back();
    if (!seen.insert(function).second) continue;
    if (torch::jit::tryToGraphFunction(*function)) spell_in(*torch::jit::toGraphFunction(*function).graph(), calls);
  }
}

}  // namespace shim
