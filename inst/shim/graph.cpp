// Graphs and the executor.
#include "call.h"

#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/runtime/profiling_graph_executor_impl.h>

using shim::Arena;
using shim::guarded;
using shim::guarded_result;

int ts_callable_text(const ts_callable* callable, int which, ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, Arena& own) {
    TORCH_CHECK(callable->function, "an operator has no graph");
    auto& function = torch::jit::toGraphFunction(*callable->function);
    std::shared_ptr<torch::jit::Graph> graph = function.graph();
    if (which == 1) {
      graph = graph->copy();
      torch::jit::Inline(*graph);
    } else if (which == 2) {
      // What the executor's inner plans ran last; a wrapper's own plan only calls them.
      graph = torch::jit::lastExecutedOptimizedGraph();
    }
    if (which == 3) {
      std::vector<at::IValue> constants;
      torch::jit::PrintDepsTable classes;
      torch::jit::PythonPrint printer(constants, classes);
      callable->self ? printer.printMethod(function) : printer.printFunction(function);
      value = shim::string_value(printer.str(), own);
    } else {
      value = shim::string_value(graph->toString(), own);
    }
  });
}

int ts_profiled_runs(int* out) {
  return guarded([&] { *out = static_cast<int>(torch::jit::getNumProfiledRuns().load()); });
}
