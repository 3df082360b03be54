// Questions about the nodes of a graph.
#pragma once
#include <torch/csrc/jit/ir/ir.h>

namespace shim {

// Whether there is such a node in the block, or in the blocks of its nodes.
template <class Predicate>
bool any_node(const torch::jit::Block& block, Predicate&& predicate) {
  for (const torch::jit::Node* node : block.nodes()) {
    if (predicate(*node)) return true;
    for (const torch::jit::Block* inner : node->blocks())
      if (any_node(*inner, predicate)) return true;
  }
  return false;
}

}  // namespace shim
