// CRC-32. All bytes of a model are checked while it is loaded, so this must be as fast as memory. It uses 128-bit
// carry-less products where the processor has them (the method of Gopal et al., "Fast CRC Computation for Generic
// Polynomials Using PCLMULQDQ Instruction", Intel 2009), ARM's own instruction, or eight tables.
#include "guard/crc32.h"

#include <array>
#include <bit>
#include <cstring>
#if defined(__x86_64__) && defined(__GNUC__)
#define TS_CARRY_LESS
#include <immintrin.h>
#elif defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#endif

namespace shim {
namespace {

constexpr uint32_t kPolynomial = 0xedb88320;

using Tables = std::array<std::array<uint32_t, 256>, 8>;

// tables[k][b] is the checksum of byte b with k zero bytes after it.
constexpr Tables make_tables() {
  Tables tables{};
  for (uint32_t b = 0; b < 256; ++b) {
    uint32_t crc = b;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1 ? kPolynomial : 0);
    tables[0][b] = crc;
  }
  for (size_t k = 1; k < 8; ++k)
    for (size_t b = 0; b < 256; ++b) tables[k][b] = tables[k - 1][b] >> 8 ^ tables[0][tables[k - 1][b] & 0xff];
  return tables;
}

constexpr Tables tables = make_tables();

// `state` is the remainder itself; callers see its complement.
uint32_t run_tables(uint32_t state, const unsigned char* p, size_t n) {
  if constexpr (std::endian::native == std::endian::little) {
    for (; n >= 8; p += 8, n -= 8) {
      uint64_t word;
      std::memcpy(&word, p, 8);
      word ^= state;
      state = 0;
      for (int k = 0; k < 8; ++k) state ^= tables[7 - k][word >> 8 * k & 0xff];
    }
  }
  for (; n; ++p, --n) state = state >> 8 ^ tables[0][(state ^ *p) & 0xff];
  return state;
}

#if defined(TS_CARRY_LESS)
__attribute__((target("pclmul,sse4.1"))) inline __m128i fold(__m128i x, __m128i by, __m128i next) {
  return _mm_xor_si128(_mm_xor_si128(_mm_clmulepi64_si128(x, by, 0x00), _mm_clmulepi64_si128(x, by, 0x11)), next);
}

// Powers of x modulo the polynomial, with reversed bits. Multiplying by them moves a block by 64 or 16 bytes.
constexpr long long kBy64[2] = {0x0154442bd4, 0x01c6e41596}, kBy16[2] = {0x01751997d0, 0x00ccaa009e};

// Processes the last n bytes, after four remainders of blocks that lie 16 bytes apart.
__attribute__((target("pclmul,sse4.1"))) uint32_t finish_blocks(__m128i a, __m128i b, __m128i c, __m128i d,
                                                                const unsigned char* p, size_t n) {
  const __m128i by_64 = _mm_set_epi64x(kBy64[1], kBy64[0]), by_16 = _mm_set_epi64x(kBy16[1], kBy16[0]);
  const auto* block = reinterpret_cast<const __m128i*>(p);
  for (; n >= 64; block += 4, n -= 64) {
    a = fold(a, by_64, _mm_loadu_si128(block));
    b = fold(b, by_64, _mm_loadu_si128(block + 1));
    c = fold(c, by_64, _mm_loadu_si128(block + 2));
    d = fold(d, by_64, _mm_loadu_si128(block + 3));
  }
  a = fold(fold(fold(a, by_16, b), by_16, c), by_16, d);
  for (; n >= 16; ++block, n -= 16) a = fold(a, by_16, _mm_loadu_si128(block));
  // `left` holds 16 bytes with the same remainder as everything read so far.
  unsigned char left[16];
  _mm_storeu_si128(reinterpret_cast<__m128i*>(left), a);
  return run_tables(run_tables(0, left, 16), reinterpret_cast<const unsigned char*>(block), n);
}

// n must be at least 64.
__attribute__((target("pclmul,sse4.1"))) uint32_t run_carry_less(uint32_t state, const unsigned char* p, size_t n) {
  const auto* block = reinterpret_cast<const __m128i*>(p);
  return finish_blocks(_mm_xor_si128(_mm_loadu_si128(block), _mm_cvtsi32_si128(static_cast<int>(state))),
                       _mm_loadu_si128(block + 1), _mm_loadu_si128(block + 2), _mm_loadu_si128(block + 3), p + 64,
                       n - 64);
}

uint32_t run(uint32_t state, const unsigned char* p, size_t n) {
  static const bool has = __builtin_cpu_supports("pclmul") && __builtin_cpu_supports("sse4.1");
  return has && n >= 64 ? run_carry_less(state, p, n) : run_tables(state, p, n);
}
#elif defined(__ARM_FEATURE_CRC32)
uint32_t run(uint32_t state, const unsigned char* p, size_t n) {
  for (; n >= 8; p += 8, n -= 8) {
    uint64_t word;
    std::memcpy(&word, p, 8);
    state = __crc32d(state, word);
  }
  for (; n; ++p, --n) state = __crc32b(state, *p);
  return state;
}
#else
uint32_t run(uint32_t state, const unsigned char* p, size_t n) { return run_tables(state, p, n); }
#endif

}  // namespace

uint32_t crc32(uint32_t crc, const void* data, size_t n) {
  return ~run(~crc, static_cast<const unsigned char*>(data), n);
}

}  // namespace shim
