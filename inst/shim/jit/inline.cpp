#include "jit/inline.h"

#include "jit/plan.h"

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

namespace shim {
namespace {

using torch::jit::Block;
using torch::jit::Node;

void inline_calls(Block* block) {
  for (Node* node = *block->nodes().begin(); node != block->return_node();) {
    auto* callee = called(*node);
    auto* function = callee ? torch::jit::tryToGraphFunction(*callee) : nullptr;
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
