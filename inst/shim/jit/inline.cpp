#include "jit/inline.h"

#include "jit/plan.h"

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

namespace shim {
namespace {

using torch::jit::Block;
using torch::jit::Node;

void set_place(Node& node, const torch::jit::SourceRange& place) {
  node.setSourceRange(place);
  for (Block* inner : node.blocks())
    for (Node* it : inner->nodes()) set_place(*it, place);
}

// The builtins of programs made of R code: nobody but us knows their text.
bool is_builtin(const torch::jit::Function& function) {
  return function.qualname().qualifiedName().rfind("__torch__.R.", 0) == 0;
}

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
    Node* const after = node->next();
    const auto place = node->sourceRange();
    if (node->kind() == c10::prim::CallFunction) node->removeInput(0);
    torch::jit::inlineCallTo(node, function, /*inline_optimized_graph=*/false);
    // An error in a file tells the line of the user's that called it.
    if (is_builtin(*function))
      for (Node* it = before->next(); it != after; it = it->next()) set_place(*it, place);
    node = before->next();
  }
}

}  // namespace

void inline_calls(torch::jit::Graph& graph) { inline_calls(graph.block()); }

}  // namespace shim
