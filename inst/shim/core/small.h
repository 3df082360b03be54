// Arithmetic of small tensors past LibTorch's dispatcher.
#pragma once
#include "torch_shim.h"

#include <string>

namespace shim {

// What computes an operator on plain small tensors. NULL: nothing does.
struct SmallKernel;
const SmallKernel* small_kernel_of(const std::string& name, const std::string& overload);

// The result, or NULL where the arguments are such that LibTorch must see them.
ts_tensor* run_small(const SmallKernel& kernel, const ts_value* arguments, size_t n);

}  // namespace shim
