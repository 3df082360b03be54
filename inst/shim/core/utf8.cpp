#include "core/utf8.h"

#include <cstdio>

namespace shim {
namespace {

// The number of bytes of the character at `at`. 0 if there is no valid one: it is cut short, encoded in more bytes than
// needed, a surrogate, or beyond Unicode.
size_t character_at(const std::string& text, size_t at) {
  const auto byte = [&](size_t i) { return at + i < text.size() ? static_cast<unsigned char>(text[at + i]) : 0u; };
  const unsigned first = byte(0);
  if (first < 0x80) return first != 0;
  const size_t n = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4) return 0;
  for (size_t i = 1; i < n; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  const unsigned second = byte(1);
  if (first == 0xe0 && second < 0xa0) return 0;
  if (first == 0xed && second > 0x9f) return 0;
  if (first == 0xf0 && second < 0x90) return 0;
  if (first == 0xf4 && second > 0x8f) return 0;
  return n;
}

}  // namespace

std::string valid_utf8(const std::string& text) {
  std::string out;
  out.reserve(text.size());
  for (size_t at = 0; at < text.size();) {
    if (const size_t n = character_at(text, at)) {
      out.append(text, at, n);
      at += n;
    } else {
      char spelt[5];
      std::snprintf(spelt, sizeof spelt, "\\x%02x", static_cast<unsigned>(static_cast<unsigned char>(text[at++])));
      out += spelt;
    }
  }
  return out;
}

}  // namespace shim
