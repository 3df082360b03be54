// TorchScript text as LibTorch's trees.
#pragma once
#include "core/pch.h"

#include <torch/csrc/jit/frontend/tree.h>

namespace shim {

// The definitions of a source: functions and classes, of a module's source methods.
std::vector<torch::jit::TreeRef> parse(const char* source, const char* file, int line, bool methods);

// The stack that parsing and compiling it needs. Throws if the text is nested too deeply.
size_t compile_stack(const char* source);

// Throws if what was compiled would end the process. It is the user's own code: it may reach files.
void check_text(const torch::jit::CompilationUnit& unit);

}  // namespace shim
