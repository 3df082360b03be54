// Forward-mode derivatives: the levels at which tensors carry tangents. Making and reading tangents is done by
// operators.
#include "core/value.h"

#include <torch/csrc/autograd/forward_grad.h>

using torch::autograd::ForwardADLevel;

int ts_forward_level_enter(uint64_t* level) {
  return shim::guarded([&] { *level = ForwardADLevel::get_next_idx(); });
}

int ts_forward_level_exit(uint64_t level) {
  return shim::guarded([&] { ForwardADLevel::release_idx(level); });
}
