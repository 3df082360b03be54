// What other files need of modules.
#pragma once
#include "core/value.h"

namespace shim {

// Makes every module of the tree have all attributes of its type. A type may have grown by an attribute that another
// module of it was given, and LibTorch reads attributes without a look at how many there are.
void complete_tree(const torch::jit::Module& module);

// Another module with tensors of its own, which require gradients where the first one's do.
torch::jit::Module copy_module(const torch::jit::Module& module);

}  // namespace shim
