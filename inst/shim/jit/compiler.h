// Compiling one source: its names are defined when they are first needed.
#pragma once
#include "core/pch.h"

#include <torch/csrc/jit/frontend/tree.h>

namespace shim {

// The functions and types of one source. What its graphs call elsewhere is kept alive here: graphs hold plain pointers.
struct Unit : torch::jit::CompilationUnit {
  std::vector<std::shared_ptr<torch::jit::CompilationUnit>> uses;
  std::vector<std::string> names;  // what the source defines, in its order
};

// Files can hold only what has a qualified name; Python's is __torch__ as well.
inline c10::QualifiedName qualified(const std::string& name) { return c10::QualifiedName(std::string("__torch__.") + name); }

// What the source may call besides its own names: all names of a unit, or those behind `name.`, or one function.
struct Use {
  std::string name;
  std::shared_ptr<Unit> unit;
  torch::jit::Function* function;
};

// Compiles functions and classes into the unit.
void compile_into(std::shared_ptr<Unit> unit, std::vector<Use> uses, const std::vector<torch::jit::TreeRef>& definitions);

}  // namespace shim
