// Which programs compute with complex numbers.
#pragma once
#include "core/pch.h"

namespace shim {

// Whether a function's code, with what it calls, can make complex numbers of real ones or holds some.
bool makes_complex(torch::jit::Function& function);
// Whether a value is complex, or holds what is: of a module its tensors, of a list, tuple or dict its items.
bool holds_complex(const c10::IValue& value);

}  // namespace shim
