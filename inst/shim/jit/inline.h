// Inlining of calls.
#pragma once
#include <torch/csrc/jit/ir/ir.h>

namespace shim {

// Replaces the calls in a graph by the graphs of the functions, as these were written. LibTorch's own pass would take
// the optimised graph of a function that ran before, and with it nodes that the shim has put there: polls and kernels.
void inline_calls(torch::jit::Graph& graph);
// The same of calls of builtins of programs made of R code alone, in what the graph's tasks run as well.
void inline_builtins(torch::jit::Graph& graph);

}  // namespace shim
