// Copies that bypass the processor's caches. A large block from the store of freed ones was last used long ago, and is
// written from end to end: ordinary stores would first fetch each of its lines from memory.
#pragma once
#include <cstdint>
#include <cstring>

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#define TS_UNCACHED
#endif

namespace shim {

// Whether to copy so. Smaller blocks may be read again while they are in the second-level cache.
inline bool is_uncached(const void* to, size_t bytes) {
#ifdef TS_UNCACHED
  return bytes >= size_t{2} << 20 && reinterpret_cast<uintptr_t>(to) % 16 == 0;
#else
  (void)to, (void)bytes;
  return false;
#endif
}

// `to` must be aligned to 16 bytes. Call finish_uncached() after the last copy.
inline void store_uncached(void* to, const void* from, size_t bytes) {
  size_t at = 0;
  auto* target = static_cast<char*>(to);
  const auto* source = static_cast<const char*>(from);
#ifdef TS_UNCACHED
  for (; at + 16 <= bytes; at += 16)
    _mm_stream_si128(reinterpret_cast<__m128i*>(target + at), _mm_loadu_si128(reinterpret_cast<const __m128i*>(source + at)));
#endif
  std::memcpy(target + at, source + at, bytes - at);
}

// Makes the copied bytes visible to other threads.
inline void finish_uncached() {
#ifdef TS_UNCACHED
  _mm_sfence();
#endif
}

}  // namespace shim
