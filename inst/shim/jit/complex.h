// Which programs compute with complex numbers.
#pragma once
#include "core/pch.h"

namespace shim {

// Whether a function, or one that it calls, can make complex numbers of real ones or holds complex constants.
bool makes_complex(torch::jit::Function& function);
// Whether a value is complex or holds complex numbers: a module in its tensors, a list, tuple or dict in its items.
bool holds_complex(const c10::IValue& value);

}  // namespace shim
