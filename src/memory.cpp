#include "memory.h"

#include <algorithm>

namespace {
constexpr int64_t kFloor = 100 * 1000 * 1000;
int64_t threshold = kFloor;
}  // namespace

void collect_now(const Shim& it) {
  R_gc();
  ts_memory memory;
  it.ts_memory_stats(&memory);
  it.ts_memory_mark();
  threshold = std::max(kFloor, memory.live_bytes);
}

void collect_if_due(const Shim& it) {
  ts_memory memory;
  it.ts_memory_stats(&memory);
  if (memory.allocated_bytes > threshold) collect_now(it);
}

// Live and peak bytes of CPU tensors; reset: the peak begins anew.
// [[Rcpp::export(rng = false)]]
SEXP cpp_memory_stats(SEXP reset) {
  ts_memory memory;
  shim().ts_memory_stats(&memory);
  if (Rf_asLogical(reset) == TRUE) shim().ts_memory_mark_peak();
  const char* names[] = {"live", "allocated", "peak", ""};
  SEXP out = PROTECT(Rf_mkNamed(REALSXP, names));
  REAL(out)[0] = static_cast<double>(memory.live_bytes);
  REAL(out)[1] = static_cast<double>(memory.allocated_bytes);
  REAL(out)[2] = static_cast<double>(memory.peak_bytes);
  UNPROTECT(1);
  return out;
}
