// What a graph calls, in the place of the calls.
#pragma once
#include <torch/csrc/jit/ir/ir.h>

namespace shim {

// As the functions were written. LibTorch's own pass takes what it runs of a function that ran before, with what the shim has
// put there: polls, groups that are kernels.
void inline_calls(torch::jit::Graph& graph);

}  // namespace shim
