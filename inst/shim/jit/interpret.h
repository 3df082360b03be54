// Running graphs without the executor.
#pragma once
#include "core/pch.h"

namespace shim {

// Runs a graph as it stands: nothing is profiled or optimised. Its results take the place of the arguments on the stack.
void interpret(const std::shared_ptr<torch::jit::Graph>& graph, torch::jit::Stack& stack);

}  // namespace shim
