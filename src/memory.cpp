#include "memory.h"

#include <R_ext/Rallocators.h>

#include <algorithm>

std::atomic<int64_t> mapped_bytes{0};

namespace {

// A collection of young objects costs one or two milliseconds, a full one fifty and more. A loop makes and drops young
// objects. But objects that are in use during a collection count as old afterwards, and only a full collection frees
// those. So a full one follows when the first one does not make room.
//
// `threshold` is the number of bytes by which tensors may grow beyond `least`, the least that was alive since the last
// full collection. An option sets it. If much is alive, tensors may grow by half of that instead.
int64_t threshold = 160 << 20, least = 0;
// How many calls lie between two looks at the CUDA devices: each look takes the lock of LibTorch's allocator.
constexpr unsigned kLook = 16;
unsigned until_look = kLook;

int64_t live(const Shim& it) {
  ts_memory memory;
  it.ts_tensor_release_waiting();
  it.ts_memory_stats(&memory);
  return memory.live_bytes + mapped_bytes.load(std::memory_order_relaxed);
}

void collect_young() {
  static SEXP call = nullptr;
  if (!call) {
    call = Rf_lang4(Rf_install("gc"), Rf_ScalarLogical(FALSE), Rf_ScalarLogical(FALSE), Rf_ScalarLogical(FALSE));
    R_PreserveObject(call);
  }
  Rf_eval(call, R_BaseEnv);
}

void collect_all(const Shim& it) {
  R_gc();
  least = live(it);
}

void collect_for_cuda(const Shim& it) {
  ts_due due = it.ts_cuda_due();
  until_look = due == TS_DUE_NOTHING ? kLook : 1;
  if (due == TS_DUE_YOUNG) {
    collect_young();
    due = it.ts_cuda_due();
  }
  if (due == TS_DUE_ALL) collect_all(it);
}

int64_t room() { return std::max(threshold, least / 2); }

}  // namespace

void collect_now(const Shim& it) {
  collect_all(it);
  it.ts_memory_flush();
  it.ts_memory_mark();
}

void collect_if_due(const Shim& it) {
  if (--until_look == 0) collect_for_cuda(it);
  ts_memory memory;
  it.ts_memory_stats(&memory);
  const int64_t alive = memory.live_bytes + mapped_bytes.load(std::memory_order_relaxed);
  least = std::min(least, alive);
  if (alive < least + room()) return;
  it.ts_memory_mark();
  collect_young();
  if (live(it) > least + room() - room() / 4) collect_all(it);
}

SEXP new_large_doubles(R_xlen_t n) {
  R_allocator_t store = {[](R_allocator_t*, size_t size) { return shim().ts_memory_take(size); },
                         [](R_allocator_t*, void* block) { shim().ts_memory_give(block); }, nullptr, nullptr};
  return Rf_allocVector3(REALSXP, n, &store);
}

// The live and the peak bytes of CPU tensors. With `reset` the peak begins anew.
// [[Rcpp::export(rng = false)]]
SEXP cpp_memory_stats(SEXP reset) {
  ts_memory memory;
  shim().ts_tensor_release_waiting();
  shim().ts_memory_stats(&memory);
  if (Rf_asLogical(reset) == TRUE) shim().ts_memory_mark_peak();
  const char* names[] = {"live", "allocated", "peak", ""};
  SEXP out = PROTECT(Rf_mkNamed(REALSXP, names));
  REAL(out)[0] = static_cast<double>(memory.live_bytes + mapped_bytes.load(std::memory_order_relaxed));
  REAL(out)[1] = static_cast<double>(memory.allocated_bytes);
  REAL(out)[2] = static_cast<double>(memory.peak_bytes);
  UNPROTECT(1);
  return out;
}

// `between` is the number of bytes by which tensors may grow before R collects, `limit` the most bytes that the store
// keeps, `smallest` the size of the smallest block that it keeps. `rates` is c(reserved, allocated, allocated of
// reserved), shares of a CUDA device's memory.
// [[Rcpp::export(rng = false)]]
SEXP cpp_memory_configure(SEXP between, SEXP limit, SEXP smallest, SEXP rates) {
  const Shim& it = shim();
  threshold = static_cast<int64_t>(Rf_asReal(between));
  it.ts_memory_set_cache(static_cast<int64_t>(Rf_asReal(limit)), static_cast<int64_t>(Rf_asReal(smallest)));
  if (rates != R_NilValue) it.ts_cuda_set_rates(REAL(rates)[0], REAL(rates)[1], REAL(rates)[2]);
  return R_NilValue;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_memory_flush() {
  shim().ts_memory_flush();
  return R_NilValue;
}
