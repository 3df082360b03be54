// TorchScript's operators, replaced by ones that look at their arguments first. Whatever runs a program goes through the
// registry of operators: what is called from R, tasks, methods of interfaces, code that runs while a file is read, and
// constants that are folded while text is compiled.
#pragma once
#include "core/pch.h"

namespace shim {

// What is to run in the place of an overload; an empty operation leaves it as it is.
using Replacement = std::function<torch::jit::Operation(const torch::jit::Operator&)>;

// Looks at each overload of the operator.
void replace_operator(c10::Symbol name, const Replacement& replacement);

}  // namespace shim
