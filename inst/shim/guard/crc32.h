// CRC-32 as zip archives and zlib have it.
#pragma once
#include <cstddef>
#include <cstdint>

namespace shim {

// Continues `crc`, which is 0 at the start, over n bytes more.
uint32_t crc32(uint32_t crc, const void* data, size_t n);

}  // namespace shim
