// From a group's graph to a program, for arguments of given types and sizes.
#pragma once
#include "fuse/program.h"

#include <map>

namespace shim::fuse {

// An argument of a group as a probe sees it: sizes stand for sizes, the same for the same, 1 for 1.
struct Argument {
  bool is_tensor = false;
  at::ScalarType dtype = at::kFloat;
  Sizes shape;
  c10::IValue number;  // what is no tensor: a number of the right type
};

// Whether kernels compute an operator, some forms of it at least.
bool has_kernel(c10::Symbol op);
// Whether a node is one of those that may stand in a group, if its arguments are such.
bool may_be_fusable(const torch::jit::Node& node);
// Whether a node may stand in a group.
bool is_fusable(torch::jit::Node* node, bool exact);
// Whether it is worth a kernel by itself.
bool is_worth_a_kernel(const torch::jit::Node& node);
// Whether it is a step by itself: it multiplies matrices or sums columns, which is no loop over elements.
bool is_step(const torch::jit::Node& node);
// Whether what it gives may be its argument's memory, which must not leave a group.
bool stays_inside(const torch::jit::Node& node);
// Whether it asks for sizes by their numbers.
bool asks_for_sizes(const torch::jit::Node& node);

// What the sizes of a probe stand for.
using Real = std::map<int64_t, int64_t>;

// Results are the group's.
Program forward_program(torch::jit::Graph& graph, const std::vector<Argument>& arguments, const Real& real, bool exact);
// Arguments are the group's, then its results, then the gradients of those that `given` tells; results are gradients of
// the arguments that `wanted` tells.
Program backward_program(torch::jit::Graph& graph, const std::vector<Argument>& arguments, const Real& real,
                         const std::vector<bool>& given, const std::vector<bool>& wanted);

}  // namespace shim::fuse
