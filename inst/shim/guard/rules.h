// Which operators a program may hold, by rules that the host sets once (ts_set_rules).
#pragma once
#include "core/boundary.h"

#include <string>

namespace torch::jit {
struct Graph;
}

namespace shim {

// Whether a text may call this operator of the namespace prim by its name. Operators of prim trust what LibTorch's
// compiler knows of their operands.
bool may_name_prim(const std::string& name);

// Throws if the graph holds an operator that no program may hold, or one that reaches files when that is not allowed.
// `whose` begins the message: "it", "The source".
void check_operators(const torch::jit::Graph& graph, bool allow_files, const char* whose);

}  // namespace shim
