// Checks of arguments that operators trust: wrong ones would end the process.
#pragma once
#include "core/pch.h"

namespace shim {

// Checks the arguments of an operator, which are on top of a stack, and throws. Empty for most operators.
using Look = std::function<void(const torch::jit::Stack&)>;
Look look_of(const c10::FunctionSchema& schema);

// Replaces operators of TorchScript by ones that check their arguments. Called once.
void guard_arguments();

}  // namespace shim
