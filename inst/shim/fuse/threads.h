// Work shared among LibTorch's own threads.
#pragma once
#include <c10/util/FunctionRef.h>
#include <cstdint>

namespace shim::fuse {

// Among how many threads work of that cost (in additions of two numbers) on `n` parts is best shared; 1 within a thread
// that shares already.
int shares_of(int64_t n, double cost);
// `does` for each share, with its number and its parts [begin, end). It throws nothing.
void in_parallel(int shares, int64_t n, c10::function_ref<void(int, int64_t, int64_t)> does);

}  // namespace shim::fuse
