// Work that needs more stack than R's thread is sure to have.
#pragma once
#include <cstddef>
#include <functional>

namespace shim {

// The share that such work may take of the 8 MB that a thread has as a rule.
constexpr size_t kOrdinaryStack = size_t{2} << 20;
inline bool is_ordinary_stack(size_t bytes) { return bytes <= kOrdinaryStack; }

// Runs `work` where it has so many bytes of stack: on this thread if they are few, else on one that is made for it, has
// this thread's modes and is waited for. What `work` throws is thrown here.
void with_stack(size_t bytes, const std::function<void()>& work);

}  // namespace shim
