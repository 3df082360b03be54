// Helpers on modules that several files use.
#pragma once
#include "core/value.h"

namespace shim {

// Makes every module of the tree have all attributes of its type. A type gets another attribute when one of its modules
// is given one, and LibTorch reads attributes of the others without looking how many they have.
void complete_tree(const torch::jit::Module& module);

// A copy of the module with tensors of its own. They require gradients where those of the original do.
torch::jit::Module copy_module(const torch::jit::Module& module);

}  // namespace shim
