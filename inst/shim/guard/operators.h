// Replacing operators in TorchScript's registry. Whatever runs a program takes its operators from there: calls from R,
// tasks, methods of interfaces, code that runs while a file is read, and constants that are folded while text is
// compiled.
#pragma once
#include "core/pch.h"

namespace shim {

// Gives the operation to run in place of an overload; an empty one leaves the overload as it is.
using Replacement = std::function<torch::jit::Operation(const torch::jit::Operator&)>;

// Offers each overload of the operator to `replacement`.
void replace_operator(c10::Symbol name, const Replacement& replacement);

}  // namespace shim
