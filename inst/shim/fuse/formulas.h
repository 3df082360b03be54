// The table of what operators compute: for each a formula in C, and its derivatives.
#pragma once
#include "core/pch.h"

#include <optional>

namespace shim::fuse {

// `text` is a C expression of one number of each argument, `a` the first, `b` the second, and so on, in the type that the
// operator computes in; `name$(y)` is a function of kernel-math.h, `K(0.5)` a constant of that type. Derivatives,
// one for each argument from the first, also know the result `r` and what arrives from above, `g`. A text may begin with
// `x = ...;`, a value of its own: if that is a function over blocks, this is the one place where it may stand.
struct Formula {
  const char* text;
  std::vector<const char*> derivatives = {};
  enum Domain {
    any,       // all types
    floating,  // for other types LibTorch's operator is called
    numeric,   // all but logicals
    logical,   // any arguments, compared in their common type; the result is logical
  } domain = any;
  // Whether `text` is the name of a function that computes a whole block of numbers at a time.
  bool block = false;
};

// The formula of an operator, NULL if it has none. `constants`: the values of its arguments, empty where one is no constant.
const Formula* formula_of(c10::Symbol op, const std::vector<std::optional<c10::IValue>>& constants);
// Whether the formula rounds where LibTorch's operator does, in the same way.
bool is_exact(c10::Symbol op, const std::vector<std::optional<c10::IValue>>& constants);
// How many arguments of an operator, from the first, its formula needs. 0 for operators without a formula.
size_t arguments_of(c10::Symbol op);

}  // namespace shim::fuse
