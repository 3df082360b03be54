// What operators on numbers are in C.
#pragma once
#include <torch/csrc/jit/ir/ir.h>

namespace shim::fuse {

struct NumberFormula {
  const char* name;
  // Of each argument its kinds: i, d, b as in kind_of(); n: i or d; x: any.
  std::vector<const char*> arguments;
  const char* formula;  // of a, b, c
  // LibTorch's operator is asked where this holds: it fails there, or the formula is another one.
  const char* except = nullptr;
};

// The row of a node, or NULL.
const NumberFormula* number_formula(const torch::jit::Node& node);
// C that formulas need.
extern const char* const kNumberHelpers;

}  // namespace shim::fuse
