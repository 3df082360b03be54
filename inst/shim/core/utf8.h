// Messages quote what files hold, and the host wants text.
#pragma once
#include <string>

namespace shim {

// The same text with each byte that is part of no character in UTF-8 spelt out, as in "\xe9". No byte is zero.
std::string valid_utf8(const std::string& text);

}  // namespace shim
