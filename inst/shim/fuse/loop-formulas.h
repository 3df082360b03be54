// The table of operators on numbers, with their formulas in C.
#pragma once
#include <torch/csrc/jit/ir/ir.h>

namespace shim::fuse {

struct NumberFormula {
  const char* name;
  // The kinds of the arguments, a letter each: i, d, b as in kind_of(), n for i or d, x for any.
  std::vector<const char*> arguments;
  const char* formula;  // in C; the arguments are a, b, c
  // A condition in C under which LibTorch's operator is called, since it fails, or the formula does not hold.
  const char* except = nullptr;
};

// The row of the table for a node, NULL if there is none.
const NumberFormula* number_formula(const torch::jit::Node& node);
// Functions in C that the formulas call.
extern const char* const kNumberHelpers;

}  // namespace shim::fuse
