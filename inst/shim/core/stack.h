// Work that may need more stack than R's thread is sure to have.
#pragma once
#include <cstddef>
#include <functional>

namespace shim {

// A thread has 8 MB as a rule. So much of it such work may use without a thread of its own.
constexpr size_t kOrdinaryStack = size_t{2} << 20;
inline bool is_ordinary_stack(size_t bytes) { return bytes <= kOrdinaryStack; }

// Runs `work` with at least so many bytes of stack: on this thread if they are few, otherwise on a new thread, for
// which this thread waits and which takes over this thread's modes. An exception of `work` is thrown on this thread.
void with_stack(size_t bytes, const std::function<void()>& work);

}  // namespace shim
