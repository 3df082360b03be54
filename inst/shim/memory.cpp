// R does not see the memory behind a handle: LibTorch's CPU allocator is wrapped so that every byte is counted, whoever
// allocates it. The host decides from the counts when to collect garbage. Thread-safe; never calls the host.
#include "boundary.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>

#include <atomic>
#include <cstdlib>
#if defined(__APPLE__)
#include <malloc/malloc.h>
#elif defined(__linux__) || defined(_WIN32)
#include <malloc.h>
#endif

namespace shim {
namespace {

std::atomic<int64_t> live{0}, allocated{0}, peak{0};
c10::Allocator* wrapped = nullptr;
c10::DeleterFnPtr wrapped_delete = nullptr;

int64_t size_of(void* block) {
#if defined(__APPLE__)
  return static_cast<int64_t>(malloc_size(block));
#elif defined(_WIN32)
  return static_cast<int64_t>(_aligned_msize(block, 64, 0));
#else
  return static_cast<int64_t>(malloc_usable_size(block));
#endif
}

void counted_delete(void* block) {
  if (!block) return;
  live.fetch_sub(size_of(block), std::memory_order_relaxed);
  wrapped_delete(block);
}

void raise_peak(int64_t now) {
  int64_t seen = peak.load(std::memory_order_relaxed);
  while (now > seen && !peak.compare_exchange_weak(seen, now, std::memory_order_relaxed)) {
  }
}

struct CountingAllocator final : c10::Allocator {
  // Not const in LibTorch 2.3 and newer, const before: both are overridden by the one that fits.
  c10::DataPtr take(size_t n) const {
    c10::DataPtr data = wrapped->allocate(n);
    void* block = data.get();
    if (block && data.compare_exchange_deleter(wrapped_delete, &counted_delete)) {
      const int64_t size = size_of(block);
      allocated.fetch_add(size, std::memory_order_relaxed);
      raise_peak(live.fetch_add(size, std::memory_order_relaxed) + size);
    }
    return data;
  }
  c10::DeleterFnPtr raw_deleter() const override { return &counted_delete; }
#ifdef TS_CONST_ALLOCATE
  c10::DataPtr allocate(size_t n) const override { return take(n); }
#else
  c10::DataPtr allocate(size_t n) override { return take(n); }
  void copy_data(void* target, const void* source, std::size_t n) const final { default_copy_data(target, source, n); }
#endif
};

}  // namespace

void count_memory() {
  wrapped = c10::GetCPUAllocator();
  wrapped_delete = wrapped->raw_deleter();
  // An allocator without a plain deleter cannot be counted this way; then the counts stay 0.
  static CountingAllocator counting;
  if (wrapped_delete) c10::SetCPUAllocator(&counting, /*priority=*/100);
}

}  // namespace shim

void ts_memory_stats(ts_memory* out) {
  out->live_bytes = shim::live.load();
  out->allocated_bytes = shim::allocated.load();
  out->peak_bytes = shim::peak.load();
}
void ts_memory_mark(void) { shim::allocated.store(0); }
void ts_memory_mark_peak(void) { shim::peak.store(shim::live.load()); }
