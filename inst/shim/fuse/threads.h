// Shares work among LibTorch's own threads.
#pragma once
#include <c10/util/FunctionRef.h>
#include <cstdint>

namespace shim::fuse {

// How many threads are best for `n` parts of which each costs so much (in additions of two numbers). 1 in a thread that already
// works on a share.
int shares_of(int64_t n, double cost);
// Calls `does` for each share, with its number and its parts [begin, end). `does` must not throw.
void in_parallel(int shares, int64_t n, c10::function_ref<void(int, int64_t, int64_t)> does);

}  // namespace shim::fuse
