// Messages quote bytes of files, which may be no text; the host needs valid UTF-8.
#pragma once
#include <string>

namespace shim {

// The text with each byte that is part of no UTF-8 character spelt out, as in "\xe9". Zero bytes are spelt out too.
std::string valid_utf8(const std::string& text);

}  // namespace shim
