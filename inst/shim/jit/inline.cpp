#include "jit/inline.h"

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

namespace shim {
namespace {

using torch::jit::Block;
using torch::jit::Node;

// The function with a graph that a node calls; NULL: it calls none.
torch::jit::GraphFunction* called(const Node* node) {
  if (node->kind() == c10::prim::CallFunction) {
    const auto type = node->input(0)->type()->cast<c10::FunctionType>();
    return type ? torch::jit::tryToGraphFunction(*type->function()) : nullptr;
  }
  if (node->kind() != c10::prim::CallMethod) return nullptr;
  const auto type = node->input(0)->type()->cast<c10::ClassType>();
  return type ? torch::jit::tryToGraphFunction(type->getMethod(node->s(c10::attr::name))) : nullptr;
}

void inline_calls(Block* block) {
  for (Node* node = *block->nodes().begin(); node != block->return_node();) {
    auto* function = called(node);
    if (!function) {
      for (Block* inner : node->blocks()) inline_calls(inner);
      node = node->next();
      continue;
    }
    // The inlined nodes may contain calls too, so the loop goes on with the first of them.
    Node* const before = node->prev();
    if (node->kind() == c10::prim::CallFunction) node->removeInput(0);
    torch::jit::inlineCallTo(node, function, /*inline_optimized_graph=*/false);
    node = before->next();
  }
}

}  // namespace

void inline_calls(torch::jit::Graph& graph) { inline_calls(graph.block()); }

}  // namespace shim
