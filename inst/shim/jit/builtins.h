// Names that every TorchScript text may use without defining them: `torch`, `math`, `inf`, `nan`.
#pragma once
#include "core/pch.h"

#include <torch/csrc/jit/frontend/sugared_value.h>

namespace shim {

// The value of a name; NULL if there is none of that name.
torch::jit::SugaredValuePtr builtin_name(const std::string& name, torch::jit::GraphFunction& function,
                                         const torch::jit::SourceRange& place);

}  // namespace shim
