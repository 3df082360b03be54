// TorchScript's own operators, on strings, lists and numbers.
#pragma once

namespace shim {

// Those that would never end, or take all of the memory, are replaced.
void guard_builtins();

}  // namespace shim
