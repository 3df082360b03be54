#include "jit/plan.h"

#include <torch/csrc/jit/api/function_impl.h>

#include <algorithm>
#include <atomic>
#include <unordered_map>

namespace shim {
namespace {

using torch::jit::Block;
using torch::jit::Function;

// Bytes of stack for each node. In a straight line of nodes a plan was seen to need 0.4 to 0.8 kB for each, and twice
// that with Debian's LibTorch 1.13.
constexpr size_t kPlanStack = 3072;
std::atomic<size_t> most_needed{0};

// Counts the nodes that a graph has when all calls are inlined: those of a function count once for each call. Calls are
// not nested deeper than kMostLevels, so the recursion is bounded.
class Nodes {
 public:
  size_t of(const Block* block) {
    size_t n = 0;
    for (const auto* node : block->nodes()) {
      ++n;
      for (const auto* inner : node->blocks()) n += of(inner);
      if (node->hasAttribute(c10::attr::Subgraph)) n += of(node->g(c10::attr::Subgraph)->block());
      if (Function* callee = called(*node)) n += of(callee);
    }
    return std::min(n, kMost);
  }

 private:
  static constexpr size_t kMost = size_t{1} << 24;

  size_t of(Function* function) {
    const auto known = known_.find(function);
    if (known != known_.end()) return known->second;
    const auto* with_graph = torch::jit::tryToGraphFunction(*function);
    return known_[function] = with_graph ? of(with_graph->graph()->block()) : 0;
  }

  std::unordered_map<Function*, size_t> known_;
};

}  // namespace

Function* called(const torch::jit::Node& node) {
  if (node.kind() == c10::prim::CallFunction) {
    const auto type = node.input(0)->type()->cast<c10::FunctionType>();
    return type ? type->function() : nullptr;
  }
  if (node.kind() != c10::prim::CallMethod) return nullptr;
  const auto type = node.input(0)->type()->cast<c10::ClassType>();
  return type ? type->findMethod(node.s(c10::attr::name)) : nullptr;
}

size_t plan_stack(const torch::jit::Graph& graph) { return Nodes().of(graph.block()) * kPlanStack; }

size_t plan_stack(torch::jit::Function& function) {
  const auto* with_graph = torch::jit::tryToGraphFunction(function);
  const size_t bytes = with_graph ? plan_stack(*with_graph->graph()) : 0;
  size_t most = most_needed;
  while (bytes > most && !most_needed.compare_exchange_weak(most, bytes)) {
  }
  return bytes;
}

size_t most_plan_stack() { return most_needed; }

}  // namespace shim
