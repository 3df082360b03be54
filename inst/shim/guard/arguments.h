// What operators trust of their arguments: wrong ones would end the process.
#pragma once
#include "core/pch.h"

namespace shim {

// Looks at the arguments of an operator, which are the last of a stack, and throws; empty for most operators.
using Look = std::function<void(const torch::jit::Stack&)>;
Look look_of(const c10::FunctionSchema& schema);

// Once: TorchScript's operators look before they run.
void guard_arguments();

}  // namespace shim
