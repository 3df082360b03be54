// Arithmetic and comparisons of small tensors without LibTorch's dispatcher.
#pragma once
#include "torch_shim.h"

#include <string>

namespace shim {

// The loop for an overload of an operator; NULL if there is none.
struct SmallKernel;
const SmallKernel* small_kernel_of(const std::string& name, const std::string& overload);

// The result as an owned handle. NULL if the arguments are not plain small tensors: LibTorch must then compute it.
ts_tensor* run_small(const SmallKernel& kernel, const ts_value* arguments, size_t n);

}  // namespace shim
