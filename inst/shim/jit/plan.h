// Which functions a program calls, and how much stack its plan needs.
#pragma once
#include <cstddef>

namespace torch::jit {
struct Function;
struct Graph;
struct Node;
}

namespace shim {

// The function that a node calls; NULL if it calls none. A method of an interface is not known before it is called, and
// LibTorch does not inline it.
torch::jit::Function* called(const torch::jit::Node& node);

// Bytes of stack that LibTorch's interpreter may need to plan a graph or a function: it follows each value through the
// nodes that made it, by recursion.
size_t plan_stack(const torch::jit::Graph& graph);
size_t plan_stack(torch::jit::Function& function);
// The most that any function has needed so far. The plans of gradients are made when the gradients are asked for, and
// need as much.
size_t most_plan_stack();

}  // namespace shim
