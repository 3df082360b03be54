// Compiling one source: its names are defined when they are first needed.
#pragma once
#include "core/pch.h"

#include <torch/csrc/jit/frontend/tree.h>

namespace shim {

// The functions and types of one source. Graphs hold plain pointers to functions of other units that they call, so the
// unit keeps those units alive in `uses`.
struct Unit : torch::jit::CompilationUnit {
  std::vector<std::shared_ptr<torch::jit::CompilationUnit>> uses;
  std::vector<std::string> names;  // names that the source defines, in their order
};

// The name of a function or class in a file, where all names are qualified. Python uses the same prefix.
inline c10::QualifiedName qualified(const std::string& name) { return c10::QualifiedName(std::string("__torch__.") + name); }

// Names that a source may use besides its own: all names of a unit, those after `name.`, or one function.
struct Use {
  std::string name;
  std::shared_ptr<Unit> unit;
  torch::jit::Function* function;
};

// Compiles functions and classes into the unit. Throws with a place in the source.
void compile_into(std::shared_ptr<Unit> unit, std::vector<Use> uses, const std::vector<torch::jit::TreeRef>& definitions);

}  // namespace shim
