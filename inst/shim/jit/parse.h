// Parsing and checking of TorchScript text.
#pragma once
#include "core/pch.h"

#include <torch/csrc/jit/frontend/tree.h>

namespace shim {

// The definitions in a source, as LibTorch's trees. With `methods` the source holds methods of a module, otherwise
// functions and classes.
std::vector<torch::jit::TreeRef> parse(const char* source, const char* file, int line, bool methods);

// How many bytes of stack parsing and compiling need. Throws if the text is nested too deeply.
size_t compile_stack(const char* source);

// Throws if a function of the unit could end the process. Operators that reach files are allowed, as this is the user's
// own code.
void check_text(const torch::jit::CompilationUnit& unit);

}  // namespace shim
