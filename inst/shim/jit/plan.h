// What a program calls, and the stack that LibTorch's interpreter needs while it makes the plan of a program.
#pragma once
#include <cstddef>

namespace torch::jit {
struct Function;
struct Graph;
struct Node;
}

namespace shim {

// The function that a node calls, or NULL. What an interface calls is not known, and not inlined either.
torch::jit::Function* called(const torch::jit::Node& node);

// What the plan of a graph or of a function may need: the interpreter follows values through the nodes that made them by
// recursion.
size_t plan_stack(const torch::jit::Graph& graph);
size_t plan_stack(torch::jit::Function& function);
// The most that a function needed so far: the plans of its gradients are made when these are asked for.
size_t most_plan_stack();

}  // namespace shim
