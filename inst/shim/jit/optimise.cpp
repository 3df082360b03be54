// The executor's switches, and modules made for inference.
#include "core/callable.h"
#include "fuse/group.h"
#include "jit/fusion.h"
#include "jit/module.h"
#include "jit/names.h"

#include <torch/csrc/jit/passes/frozen_graph_optimizations.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

// Every LibTorch exports this function; its header takes long to compile.
namespace torch::jit::tensorexpr {
TORCH_API bool& getTEMustUseLLVMOnCPU();
}

using shim::Arena;
using shim::guarded;
using shim::guarded_result;

namespace shim {

namespace {

// Turns names of methods and members into their identifiers in the program.
std::vector<std::string> members(const torch::jit::Module& module, const char* const* names, size_t n) {
  std::vector<std::string> out;
  for (size_t i = 0; i < n; ++i) {
    const auto method = find_method(module, names[i]);
    const auto member = method ? method : find_member(module, names[i]);
    out.push_back(member ? *member : names[i]);
  }
  return out;
}

torch::jit::Module freeze(const torch::jit::Module& module, const char* const* names, size_t n, bool numerics) {
  std::vector<std::string> preserved = members(module, names, n);
  if (module.hasattr(Names::kAttribute)) preserved.push_back(Names::kAttribute);
  // The module is copied first: the constants of LibTorch's frozen module may be the very tensors of the original.
  auto frozen = torch::jit::freeze(copy_module(module), preserved, numerics);
  // LibTorch optimises `forward` alone. The other methods are optimised here, as Python does it.
  for (const auto& name : preserved) {
    if (name == "forward" || !frozen.find_method(name)) continue;
    auto graph = frozen.get_method(name).graph();
    torch::jit::OptimizeFrozenGraph(graph, numerics);
  }
  return frozen;
}

}  // namespace
}  // namespace shim

int ts_callable_is_optimised(const ts_callable* callable, int* out) {
  return guarded([&] {
    TORCH_CHECK(callable->function, "an operator has no plan");
    *out = torch::jit::toGraphFunction(*callable->function).get_executor().isOptimized();
  });
}

int ts_jit_switch(int which, int set, int* was) {
  return guarded([&] {
    switch (which) {
      case TS_SWITCH_EXECUTOR:
        *was = torch::jit::getExecutorMode();
        if (set >= 0) torch::jit::getExecutorMode() = set != 0;
        return;
      case TS_SWITCH_PROFILING:
        *was = torch::jit::getProfilingMode();
        if (set >= 0) torch::jit::getProfilingMode() = set != 0;
        return;
      case TS_SWITCH_PROFILED_RUNS:
        *was = static_cast<int>(torch::jit::getNumProfiledRuns().load());
        if (set >= 0) torch::jit::getNumProfiledRuns() = static_cast<size_t>(set);
        return;
      case TS_SWITCH_OPTIMIZE:
        *was = torch::jit::getGraphExecutorOptimize();
        if (set >= 0) torch::jit::setGraphExecutorOptimize(set != 0);
        return;
      case TS_SWITCH_CPU:
        *was = shim::fuses(false);
        if (set >= 0) {
          shim::set_fuses(false, set != 0);
          // A build without LLVM interprets what it fuses, and does so only if LLVM is not required.
          torch::jit::tensorexpr::getTEMustUseLLVMOnCPU() = set == 0;
        }
        return;
      case TS_SWITCH_CUDA:
        *was = shim::fuses(true);
        if (set >= 0) shim::set_fuses(true, set != 0);
        return;
      case TS_SWITCH_OWN:
        *was = static_cast<int>(shim::fuse::mode());
        if (set >= 0) shim::fuse::set_mode(static_cast<shim::fuse::Mode>(std::min(set, 2)));
        return;
      default:
        TORCH_CHECK(false, "there is no switch ", which);
    }
  });
}

int ts_fusion_strategy(const int64_t* set, size_t n, ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, Arena& own) {
    using torch::jit::FusionBehavior;
    auto strategy = torch::jit::getFusionStrategy();
    value.tag = TS_LIST;
    value.len = static_cast<int64_t>(2 * strategy.size());
    value.as.items = own.get().new_items(2 * strategy.size());
    size_t i = 0;
    for (const auto& step : strategy) {
      for (const int64_t part : {static_cast<int64_t>(step.first == FusionBehavior::DYNAMIC),
                                 static_cast<int64_t>(step.second)}) {
        value.as.items[i].tag = TS_INT;
        value.as.items[i++].as.i = part;
      }
    }
    if (n == 0) return;
    torch::jit::FusionStrategy next;
    for (size_t j = 0; j + 1 < n; j += 2)
      next.emplace_back(set[j] ? FusionBehavior::DYNAMIC : FusionBehavior::STATIC, static_cast<size_t>(set[j + 1]));
    torch::jit::setFusionStrategy(next);
  });
}

int ts_module_freeze(ts_module* module, const char* const* preserved, size_t n, int optimise_numerics, ts_module** out) {
  return guarded([&] { *out = new ts_module{shim::freeze(module->module, preserved, n, optimise_numerics != 0)}; });
}

int ts_module_optimise(ts_module* module, const char* const* methods, size_t n, ts_module** out) {
  return guarded([&] {
    // The module is frozen here first: LibTorch's function would freeze it without the other methods.
    auto frozen = shim::freeze(module->module, methods, n, true);
    *out = new ts_module{torch::jit::optimize_for_inference(frozen, shim::members(frozen, methods, n))};
  });
}
