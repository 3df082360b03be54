// The checksum CRC-32 of zip archives and zlib.
#pragma once
#include <cstddef>
#include <cstdint>

namespace shim {

// Continues a checksum over n more bytes. It is 0 at the start.
uint32_t crc32(uint32_t crc, const void* data, size_t n);

}  // namespace shim
