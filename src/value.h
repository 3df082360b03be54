// Makes ts_values.
#pragma once
#include "torch_shim.h"

constexpr int64_t kExact = int64_t{1} << 53;  // beyond it doubles skip integers

inline bool is_exact_double(int64_t v) {
  const auto d = static_cast<double>(v);
  return d < 9223372036854775808.0 && static_cast<int64_t>(d) == v;
}

inline ts_value tagged(int tag) {
  ts_value value{};
  value.tag = tag;
  return value;
}
inline ts_value int_value(int64_t i) {
  ts_value value = tagged(TS_INT);
  value.as.i = i;
  return value;
}
inline ts_value handle_value(int tag, void* handle) {
  ts_value value = tagged(tag);
  value.as.handle = handle;
  return value;
}
