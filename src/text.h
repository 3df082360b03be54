// Composes messages in memory of a fixed size.
#pragma once
#include <cstddef>
#include <cstdio>

// Writes text into a buffer and cuts it off where the buffer is full.
class Text {
 public:
  Text(char* to, size_t size) : at_(to), left_(size) { *to = '\0'; }
  Text& operator<<(const char* s) {
    while (*s && left_ > 1) {
      *at_++ = *s++;
      --left_;
    }
    *at_ = '\0';
    return *this;
  }
  Text& operator<<(size_t n) {
    char digits[24];
    std::snprintf(digits, sizeof digits, "%zu", n);
    return *this << digits;
  }

 private:
  char* at_;
  size_t left_;
};
