#include "guard/inflate.h"

#include <array>
#include <cstdint>
#include <cstring>

namespace shim {
namespace {

constexpr int kLongestCode = 15, kLiterals = 288, kDistances = 32;

// A canonical Huffman code: how many codes there are of each length, and the symbols in the order of their codes.
struct Code {
  std::array<uint16_t, kLongestCode + 1> count{};
  std::array<uint16_t, kLiterals> symbol{};

  // False if the lengths give no code: too many, or too few, where one of a single symbol is let pass.
  bool build(const uint8_t* lengths, int n) {
    count.fill(0);
    for (int i = 0; i < n; ++i) ++count[lengths[i]];
    const int used = n - count[0];
    count[0] = 0;
    int left = 1;
    std::array<uint16_t, kLongestCode + 2> offset{};
    for (int length = 1; length <= kLongestCode; ++length) {
      left = 2 * left - count[length];
      if (left < 0) return false;
      offset[length + 1] = offset[length] + count[length];
    }
    for (int i = 0; i < n; ++i)
      if (lengths[i]) symbol[offset[lengths[i]]++] = static_cast<uint16_t>(i);
    return left == 0 || used <= 1;
  }
};

class Inflater {
 public:
  Inflater(const unsigned char* in, size_t n, unsigned char* out, size_t size)
      : in_(in), end_(in + n), out_(out), size_(size) {}

  bool run() {
    for (bool last = false; !last;) {
      last = bits(1);
      switch (bits(2)) {
        case 0:
          if (!stored()) return false;
          break;
        case 1:
          fixed_codes();
          if (!block()) return false;
          break;
        case 2:
          if (!dynamic_codes() || !block()) return false;
          break;
        default:
          return false;
      }
      if (failed_) return false;
    }
    return in_ == end_ && used_ == size_;
  }

 private:
  // Past the end they are zeros, and the run has failed.
  uint32_t bits(int n) {
    while (held_ < n) {
      if (in_ == end_) {
        failed_ = true;
        return 0;
      }
      hold_ |= static_cast<uint32_t>(*in_++) << held_;
      held_ += 8;
    }
    const uint32_t out = hold_ & ((1u << n) - 1);
    hold_ >>= n;
    held_ -= n;
    return out;
  }

  // -1 if no code begins like this.
  int decode(const Code& code) {
    int value = 0, first = 0, index = 0;
    for (int length = 1; length <= kLongestCode && !failed_; ++length) {
      value |= static_cast<int>(bits(1));
      const int count = code.count[length];
      if (value - first < count) return code.symbol[index + value - first];
      index += count;
      first = 2 * (first + count);
      value *= 2;
    }
    return -1;
  }

  bool stored() {
    // The rest of the byte is left out.
    hold_ = 0;
    held_ = 0;
    if (end_ - in_ < 4) return false;
    const size_t n = in_[0] | in_[1] << 8;
    if ((n ^ 0xffff) != static_cast<size_t>(in_[2] | in_[3] << 8)) return false;
    in_ += 4;
    if (static_cast<size_t>(end_ - in_) < n || size_ - used_ < n) return false;
    std::memcpy(out_ + used_, in_, n);
    in_ += n;
    used_ += n;
    return true;
  }

  void fixed_codes() {
    std::array<uint8_t, kLiterals> lengths;
    for (int i = 0; i < kLiterals; ++i) lengths[i] = i < 144 ? 8 : i < 256 ? 9 : i < 280 ? 7 : 8;
    literals_.build(lengths.data(), kLiterals);
    lengths.fill(5);
    distances_.build(lengths.data(), kDistances);
  }

  bool dynamic_codes() {
    static constexpr uint8_t order[19] = {16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15};
    const int n_literals = static_cast<int>(bits(5)) + 257, n_distances = static_cast<int>(bits(5)) + 1;
    const int n_lengths = static_cast<int>(bits(4)) + 4;
    if (failed_ || n_literals > 286 || n_distances > 30) return false;
    std::array<uint8_t, kLiterals + kDistances> lengths{};
    for (int i = 0; i < n_lengths; ++i) lengths[order[i]] = static_cast<uint8_t>(bits(3));
    Code code;
    if (!code.build(lengths.data(), 19)) return false;
    lengths.fill(0);
    for (int i = 0; i < n_literals + n_distances;) {
      const int symbol = decode(code);
      if (symbol < 0) return false;
      if (symbol < 16) {
        lengths[i++] = static_cast<uint8_t>(symbol);
        continue;
      }
      if (symbol == 16 && i == 0) return false;
      const uint8_t again = symbol == 16 ? lengths[i - 1] : 0;
      int times = symbol == 16   ? 3 + static_cast<int>(bits(2))
                  : symbol == 17 ? 3 + static_cast<int>(bits(3))
                                 : 11 + static_cast<int>(bits(7));
      if (i + times > n_literals + n_distances) return false;
      while (times-- > 0) lengths[i++] = again;
    }
    // A block without an end is none.
    return !failed_ && lengths[256] != 0 && literals_.build(lengths.data(), n_literals) &&
           distances_.build(lengths.data() + n_literals, n_distances);
  }

  bool block() {
    static constexpr uint16_t length_base[29] = {3,  4,  5,  6,  7,  8,  9,  10, 11,  13,  15,  17,  19,  23, 27,
                                                 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258};
    static constexpr uint8_t length_bits[29] = {0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2,
                                                2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0};
    static constexpr uint16_t distance_base[30] = {1,    2,    3,    4,    5,    7,    9,    13,    17,    25,
                                                   33,   49,   65,   97,   129,  193,  257,  385,   513,   769,
                                                   1025, 1537, 2049, 3073, 4097, 6145, 8193, 12289, 16385, 24577};
    static constexpr uint8_t distance_bits[30] = {0, 0, 0, 0, 1, 1, 2, 2,  3,  3,  4,  4,  5,  5,  6,
                                                  6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13};
    for (;;) {
      int symbol = decode(literals_);
      if (symbol < 0) return false;
      if (symbol == 256) return true;
      if (symbol < 256) {
        if (used_ == size_) return false;
        out_[used_++] = static_cast<unsigned char>(symbol);
        continue;
      }
      symbol -= 257;
      if (symbol >= 29) return false;
      size_t length = length_base[symbol] + bits(length_bits[symbol]);
      symbol = decode(distances_);
      if (symbol < 0 || symbol >= 30) return false;
      const size_t distance = distance_base[symbol] + bits(distance_bits[symbol]);
      if (failed_ || distance > used_ || length > size_ - used_) return false;
      // Byte by byte: the source may overlap what it makes.
      for (; length; --length, ++used_) out_[used_] = out_[used_ - distance];
    }
  }

  const unsigned char *in_, *end_;
  unsigned char* out_;
  size_t size_, used_ = 0;
  uint32_t hold_ = 0;
  int held_ = 0;
  bool failed_ = false;
  Code literals_, distances_;
};

}  // namespace

bool inflate(const unsigned char* packed, size_t n, unsigned char* out, size_t size) {
  return Inflater(packed, n, out, size).run();
}

}  // namespace shim
