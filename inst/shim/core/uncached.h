// Stores that go past the processor's caches. A large block that comes out of the store of freed ones was last used long
// ago, and is written from end to end: an ordinary store would first fetch each of its lines from memory.
#pragma once
#include <cstdint>
#include <cstring>

#if defined(__SSE2__) || defined(_M_X64)
#include <emmintrin.h>
#define TS_UNCACHED
#endif

namespace shim {

// Smaller targets may be read again while they are in the second cache.
inline bool is_uncached(const void* to, size_t bytes) {
#ifdef TS_UNCACHED
  return bytes >= size_t{2} << 20 && reinterpret_cast<uintptr_t>(to) % 16 == 0;
#else
  (void)to, (void)bytes;
  return false;
#endif
}

// `to` begins at a multiple of 16 bytes.
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

// After the last of them: other threads see what was stored.
inline void finish_uncached() {
#ifdef TS_UNCACHED
  _mm_sfence();
#endif
}

}  // namespace shim
