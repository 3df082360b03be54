// What the other folders of the shim need of tracing.
#pragma once
#include "core/callable.h"

namespace shim {

// Runs a callable whose arguments are on the stack while a trace runs. Sizes that the trace has recorded reach
// LibTorch's kernels as plain numbers; the tracer finds their values by the names of the arguments.
void run_traced(const ts_callable& callable, const ts_value* arguments, size_t n, torch::jit::Stack& stack);

// Copies values, also while a trace runs. LibTorch's kernel for traces records a copy before it checks whether that is
// possible, so a failure is undone here.
void record_copy(at::Tensor& to, const at::Tensor& from);

// Tells a comparison of traces the result of an operator that was called without run_traced().
void note_result(const at::Tensor& result);

}  // namespace shim
