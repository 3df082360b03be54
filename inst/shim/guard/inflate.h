// Unpacks deflated bytes (RFC 1951).
#pragma once
#include <cstddef>

namespace shim {

// True if the n bytes are one whole stream, no more and no less, that unpacks to `size` bytes. Strict, unlike the
// reader in LibTorch, which may leave part of the output as it was.
bool inflate(const unsigned char* packed, size_t n, unsigned char* out, size_t size);

}  // namespace shim
