// Constants that LibTorch writes into files as what they are not.
#pragma once
#include "core/pch.h"

namespace shim {

// Whole floats from 1e10 to 1e17 are printed without a point and would be read as integers: in the methods of a module
// and of its children, and in what they call, integers take their place that the program makes floats of.
void spell_floats(const torch::jit::Module& module);

}  // namespace shim
