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

// LibTorch's own way would note the call in each node, and errors would tell of a function that nobody knows.
void insert_builtin(Node* call, const torch::jit::GraphFunction& function) {
  Node* const before = call->prev();
  const torch::jit::WithInsertPoint here(call);
  const auto outputs = torch::jit::insertGraph(*call->owningGraph(), *function.graph(), call->inputs());
  for (Node* it = before->next(); it != call; it = it->next()) set_place(*it, call->sourceRange());
  call->output()->replaceAllUsesWith(outputs.at(0));
  call->destroy();
}

void inline_calls(Block* block, bool builtins_only) {
  for (Node* node = *block->nodes().begin(); node != block->return_node();) {
    auto* callee = called(*node);
    auto* function = callee ? torch::jit::tryToGraphFunction(*callee) : nullptr;
    if (!function || (builtins_only && !is_builtin(*function))) {
      for (Block* inner : node->blocks()) inline_calls(inner, builtins_only);
      if (builtins_only && node->hasAttribute(c10::attr::Subgraph)) inline_builtins(*node->g(c10::attr::Subgraph));
      node = node->next();
      continue;
    }
    // The inlined nodes may contain calls too, so the loop goes on with the first of them.
    Node* const before = node->prev();
    if (node->kind() == c10::prim::CallFunction) node->removeInput(0);
    if (is_builtin(*function))
      insert_builtin(node, *function);
    else
      torch::jit::inlineCallTo(node, function, /*inline_optimized_graph=*/false);
    node = before->next();
  }
}

}  // namespace

void inline_calls(torch::jit::Graph& graph) { inline_calls(graph.block(), /*builtins_only=*/false); }

void inline_builtins(torch::jit::Graph& graph) { inline_calls(graph.block(), /*builtins_only=*/true); }

}  // namespace shim
