#include "guard/depth.h"

#include "jit/plan.h"

#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/csrc/jit/api/function_impl.h>

namespace shim {
namespace {

using torch::jit::Block;
using torch::jit::Function;

using CallLevels = Levels<Function*>;

// The functions that a function calls, each with the number of blocks around the call. `deepest` becomes the number of
// blocks that are nested.
std::vector<CallLevels::Edge> calls_of(Function* function, int64_t& deepest) {
  std::vector<CallLevels::Edge> calls;
  auto* with_graph = torch::jit::tryToGraphFunction(*function);
  if (!with_graph) return calls;
  std::vector<std::pair<Block*, int>> todo{{with_graph->graph()->block(), 1}};
  while (!todo.empty()) {
    const auto [block, nest] = todo.back();
    todo.pop_back();
    deepest = std::max<int64_t>(deepest, nest);
    for (auto* node : block->nodes()) {
      for (auto* inner : node->blocks()) todo.emplace_back(inner, nest + 1);
      if (node->hasAttribute(c10::attr::Subgraph)) todo.emplace_back(node->g(c10::attr::Subgraph)->block(), nest + 1);
      if (Function* callee = called(*node)) calls.push_back({callee, nest});
    }
  }
  return calls;
}

}  // namespace

void check_calls(const torch::jit::CompilationUnit& unit, const char* whose) {
  CallLevels levels(calls_of);
  for (auto* function : unit.get_functions()) {
    // The unit has a null pointer in the place of a function that was removed.
    if (!function) continue;
    TORCH_CHECK(levels.of(function) <= kMostLevels, whose, " functions call each other too deeply: more than ",
                kMostLevels, " levels of calls and blocks; each `else if` is one");
  }
}

}  // namespace shim
