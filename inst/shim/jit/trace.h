// What the call knows of tracing.
#pragma once
#include "core/callable.h"

namespace shim {

// Runs a callable whose arguments are on the stack while a trace is running. Sizes that the trace has recorded reach
// LibTorch's kernels as plain numbers; the tracer finds what they stand for by the names of the arguments.
void run_traced(const ts_callable& callable, const ts_value* arguments, size_t n, torch::jit::Stack& stack);

// Of LibTorch's kernels for traces this one alone records before it looks whether it can be done.
void record_copy(at::Tensor& to, const at::Tensor& from);

// After an operator that was called without run_traced(): what the check of a trace compares.
void note_result(const at::Tensor& result);

}  // namespace shim
