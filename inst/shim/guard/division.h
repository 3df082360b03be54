// Guards for integer division.
#pragma once

namespace shim {

// Replaces LibTorch's operators that divide integers by ones that check their operands. Called once, first of all.
void replace_divisions();

}  // namespace shim
