// Makes a program (program.h) of a group's graph, for arguments of given types and sizes.
#pragma once
#include "fuse/program.h"

#include <map>

namespace shim::fuse {

// An argument of a group in a probe, a run on tiny tensors. Equal sizes are equal in the probe too, and 1 stays 1.
struct Argument {
  bool is_tensor = false;
  at::ScalarType dtype = at::kFloat;
  Sizes shape;
  c10::IValue number;  // an argument that is no tensor: some number of its type
};

// Whether kernels compute an operator, some forms of it at least.
bool has_kernel(c10::Symbol op);
// Whether a node is one of those that may stand in a group, if its arguments are such.
bool may_be_fusable(const torch::jit::Node& node);
// Whether a node may stand in a group.
bool is_fusable(torch::jit::Node* node, bool exact);
// Whether a node is worth a kernel even if it is alone in its group.
bool is_worth_a_kernel(const torch::jit::Node& node);
// Whether it is a step by itself: it multiplies matrices or sums columns, which is no loop over elements.
bool is_step(const torch::jit::Node& node);
// Whether the result of a node may share memory with its argument. Such a value must not leave a group.
bool stays_inside(const torch::jit::Node& node);
// Whether a node is given sizes as numbers, as `expand()` is.
bool asks_for_sizes(const torch::jit::Node& node);
// Whether a node takes sizes apart or puts them together, as `view()` does.
bool reshapes(const torch::jit::Node& node);
// Whether its first argument is a list of tensors, as that of `cat()` is.
bool gathers(const torch::jit::Node& node);
// Whether its second argument picks elements of rows, as that of `nll_loss()` does.
bool chooses(const torch::jit::Node& node);
// Whether it gives parts of a tensor as a list, as `chunk()` does, which parts being constant.
bool gives_parts(const torch::jit::Node& node);
bool gives_parts(c10::Symbol op);

// The real sizes, by the sizes in the probe that stand for them. If there are none, the probe has the real sizes.
using Real = std::map<int64_t, int64_t>;

// The program of a group: it has the arguments and results of the group.
Program forward_program(torch::jit::Graph& graph, const std::vector<Argument>& arguments, const Real& real, bool exact);
// The program of a group's gradients. Its arguments are those of the group, then the group's results, then the gradients of the
// results in `given`. Its results are the gradients of the arguments in `wanted`.
Program backward_program(torch::jit::Graph& graph, const std::vector<Argument>& arguments, const Real& real,
                         const std::vector<bool>& given, const std::vector<bool>& wanted);

}  // namespace shim::fuse
