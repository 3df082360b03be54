// Loops that can be stopped. What allocates looks for the host's wish to stop by itself; a loop over numbers does not.
#pragma once
#include <string>

namespace torch::jit {
struct Function;
struct Graph;
struct Node;
}

namespace shim {

// Sees to it that each loop in what LibTorch runs of the function looks for the wish to stop, before its first run. The
// graph that is shown and saved stays as it is. `last` is the caller's, NULL at first: what was seen to at the last call.
// False if the function has no loops.
bool add_polls(torch::jit::Function& function, const torch::jit::Graph*& last);

// A node that does it, and a graph as text without these: they are nothing of the program.
bool is_poll(const torch::jit::Node& node);
std::string text_without_polls(const torch::jit::Graph& graph);

}  // namespace shim
