// R does not see the memory behind a handle, and frees it late. So the shim wraps LibTorch's CPU allocator. Every byte
// is counted, whoever allocates it, and the host decides by the counts when to collect. Freed blocks are kept for the
// next tensor of that size: otherwise the system would get them back and hand them out again page by page. Any thread
// may allocate and free. An allocation may ask the host whether to go on and, when memory runs out, to collect.
#include "core/boundary.h"
#include "core/host.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/core/TensorImpl.h>

#include <atomic>
#include <cstdlib>
#include <map>
#include <mutex>
#include <thread>
#include <vector>
#if defined(__APPLE__)
#include <malloc/malloc.h>
#elif defined(__linux__) || defined(_WIN32)
#include <malloc.h>
#endif

namespace shim {
namespace {

// Bytes allocated and freed since the start, bytes allocated before the last mark, and the peak of live bytes.
std::atomic<int64_t> taken{0}, given{0}, marked{0}, peak{0};
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

// A lock for small blocks. It is held for a few instructions, and costs half of a mutex that nobody waits for.
class SpinLock {
 public:
  void lock() {
    while (held_.test_and_set(std::memory_order_acquire)) std::this_thread::yield();
  }
  void unlock() { held_.clear(std::memory_order_release); }

 private:
  std::atomic_flag held_ = ATOMIC_FLAG_INIT;
};

// Blocks of up to 1 KiB, cut out of slabs, with a free list for each multiple of 64 bytes. Programs with small tensors
// make and free them by the million, and an aligned malloc() would be the dearest part of a small operator.
class Pool {
 public:
  static constexpr size_t kLargest = 1024;

  void* take(size_t n) {
    const size_t c = n ? (n - 1) / kStep : 0;
    const std::lock_guard<SpinLock> hold(lock_);
    Free* block = free_[c];
    if (!block) return carve(c);
    free_[c] = block->next;
    return block;
  }
  // The size of a block of this pool, 0 for any other.
  int64_t size(const void* block) const {
    const char* p = static_cast<const char*>(block);
    const int n = slabs_used_.load(std::memory_order_acquire);
    for (int i = 0; i < n; ++i)
      if (p >= slabs_[i].begin && p < slabs_[i].begin + kSlab)
        return (slabs_[i].class_of_page[(p - slabs_[i].begin) / kPage] + 1) * kStep;
    return 0;
  }
  void give(void* block, int64_t size) {
    auto* free = static_cast<Free*>(block);
    const size_t c = size / kStep - 1;
    const std::lock_guard<SpinLock> hold(lock_);
    free->next = free_[c];
    free_[c] = free;
  }

 private:
  static constexpr size_t kStep = 64, kPage = 64 * 1024, kSlab = 16 * 1024 * 1024, kClasses = kLargest / kStep;
  static constexpr int kSlabs = 256;
  struct Free {
    Free* next;
  };
  struct Slab {
    char* begin;
    uint8_t class_of_page[kSlab / kPage];
  };

  // NULL if there is no memory. The caller then allocates in the ordinary way, which asks the host for memory.
  static char* take_slab() {
    try {
      return static_cast<char*>(wrapped->allocate(kSlab).release_context());
    } catch (const std::exception&) {
      return nullptr;
    }
  }

  // Adds a page of blocks of class `c` and gives the first of them. NULL when all slabs are used up; the caller then
  // allocates in the ordinary way.
  void* carve(size_t c) {
    int n = slabs_used_.load(std::memory_order_relaxed);
    if (n == 0 || pages_used_ == kSlab / kPage) {
      if (n == kSlabs) return nullptr;
      slabs_[n].begin = take_slab();
      if (!slabs_[n].begin) return nullptr;
      pages_used_ = 0;
      slabs_used_.store(++n, std::memory_order_release);
    }
    Slab& slab = slabs_[n - 1];
    char* page = slab.begin + pages_used_ * kPage;
    slab.class_of_page[pages_used_++] = static_cast<uint8_t>(c);
    const size_t step = (c + 1) * kStep;
    for (size_t at = step; at + step <= kPage; at += step) {
      auto* free = reinterpret_cast<Free*>(page + at);
      free->next = free_[c];
      free_[c] = free;
    }
    return page;
  }

  SpinLock lock_;
  Free* free_[kClasses] = {};
  Slab slabs_[kSlabs] = {};
  std::atomic<int> slabs_used_{0};
  size_t pages_used_ = 0;
};

// Freed blocks by size. The block that was freed last is used first, as its pages are the warmest in the caches.
class Cache {
 public:
  void* take(int64_t n) {
    if (n < smallest_.load(std::memory_order_relaxed)) return nullptr;
    const std::lock_guard<std::mutex> hold(lock_);
    const auto found = blocks_.lower_bound(n);
    // A block may be larger than what it is used for by an eighth and a page.
    if (found == blocks_.end() || found->first > n + n / 8 + kPage) return nullptr;
    void* block = found->second.back();
    found->second.pop_back();
    bytes_ -= found->first;
    if (found->second.empty()) blocks_.erase(found);
    return block;
  }
  bool keep(void* block, int64_t size) {
    if (size < smallest_.load(std::memory_order_relaxed)) return false;
    const std::lock_guard<std::mutex> hold(lock_);
    if (size > limit_) return false;
    while (bytes_ + size > limit_) drop_largest();
    blocks_[size].push_back(block);
    bytes_ += size;
    return true;
  }
  void flush() {
    const std::lock_guard<std::mutex> hold(lock_);
    drop_all();
  }
  void set_limits(int64_t bytes, int64_t smallest) {
    const std::lock_guard<std::mutex> hold(lock_);
    drop_all();
    limit_ = bytes;
    smallest_.store(smallest, std::memory_order_relaxed);
  }

 private:
  static constexpr int64_t kPage = 4096;

  void drop_all() {
    for (auto& entry : blocks_)
      for (void* block : entry.second) wrapped_delete(block);
    blocks_.clear();
    bytes_ = 0;
  }

  void drop_largest() {
    const auto last = std::prev(blocks_.end());
    wrapped_delete(last->second.back());
    last->second.pop_back();
    bytes_ -= last->first;
    if (last->second.empty()) blocks_.erase(last);
  }

  std::mutex lock_;
  std::map<int64_t, std::vector<void*>> blocks_;
  // The host sets both limits before it makes tensors.
  int64_t bytes_ = 0, limit_ = 0;
  std::atomic<int64_t> smallest_{0};
};

// Never destroyed: tensors may be freed after static objects are.
Cache& cache = *new Cache();
Pool& pool = *new Pool();

void counted_delete(void* block) {
  if (!block) return;
  if (const int64_t small = pool.size(block)) {
    given.fetch_add(small, std::memory_order_relaxed);
    pool.give(block, small);
    return;
  }
  const int64_t size = size_of(block);
  given.fetch_add(size, std::memory_order_relaxed);
  if (!cache.keep(block, size)) wrapped_delete(block);
}

void count(int64_t size) {
  const int64_t now = taken.fetch_add(size, std::memory_order_relaxed) + size - given.load(std::memory_order_relaxed);
  int64_t seen = peak.load(std::memory_order_relaxed);
  while (now > seen && !peak.compare_exchange_weak(seen, now, std::memory_order_relaxed)) {
  }
}

template <class Ask>
auto try_to_allocate(Ask&& ask, bool& failed) -> decltype(ask()) {
  failed = false;
  try {
    return ask();
  } catch (const c10::Error& e) {
    if (!is_out_of_memory(e.what_without_backtrace())) throw;
  } catch (const std::bad_alloc&) {
  }
  failed = true;
  return {};
}

// Allocates with LibTorch's own allocator. When there is no memory, the blocks kept for reuse are given back first,
// then the host is asked to free what it does not need. Retrying here repeats no computation, and serves every way into
// LibTorch.
c10::DataPtr allocate_wrapped(size_t n) {
  const auto ask = [n] { return wrapped->allocate(n); };
  bool failed;
  c10::DataPtr data = try_to_allocate(ask, failed);
  if (!failed) return data;
  cache.flush();
  data = try_to_allocate(ask, failed);
  if (!failed || !collect_host()) return failed ? ask() : std::move(data);
  cache.flush();
  return ask();
}

struct CountingAllocator final : c10::Allocator {
  c10::DataPtr take(size_t n) const {
    look_for_stop();
    if (n - 1 < Pool::kLargest) {
      if (void* block = pool.take(n)) {
        count(static_cast<int64_t>((n + 63) / 64 * 64));
        return {block, block, &counted_delete, c10::Device(c10::DeviceType::CPU)};
      }
    }
    if (void* kept = cache.take(static_cast<int64_t>(n))) {
      count(size_of(kept));
      return {kept, kept, &counted_delete, c10::Device(c10::DeviceType::CPU)};
    }
    c10::DataPtr data = allocate_wrapped(n);
    if (data.get() && data.compare_exchange_deleter(wrapped_delete, &counted_delete)) count(size_of(data.get()));
    return data;
  }
  c10::DeleterFnPtr raw_deleter() const override { return &counted_delete; }
  // LibTorch from 2.3 on declares allocate() without const and asks for copy_data().
#ifdef TS_CONST_ALLOCATE
  c10::DataPtr allocate(size_t n) const override { return take(n); }
#else
  c10::DataPtr allocate(size_t n) override { return take(n); }
  void copy_data(void* target, const void* source, std::size_t n) const final { default_copy_data(target, source, n); }
#endif
};

inline void prefetch(const void* p) {
#if defined(__GNUC__)
  __builtin_prefetch(p, 1);
#else
  (void)p;
#endif
}

// Small tensors that R has let go of and that later calls free one by one. R's collector lets go of ten thousand at
// once. If all were freed together, their blocks would leave the caches before they are used again; freed just before
// the next tensor of that size is made, a block is still warm. Used by R's main thread only.
class Waiting {
 public:
  // False if the tensor must be freed at once: it is not small, or there is no room.
  bool add(c10::TensorImpl* tensor) {
    if (n_ == kMost || !is_small(*tensor)) return false;
    tensors_[n_++] = tensor;
    return true;
  }
  void free_one() {
    if (n_ == 0) return;
    c10::raw::intrusive_ptr::decref(tensors_[--n_]);
    if (n_ > 0) {
      const char* next = reinterpret_cast<const char*>(tensors_[n_ - 1]);
      for (size_t at = 0; at < sizeof(c10::TensorImpl); at += 64) prefetch(next + at);
    }
  }
  void free_all() {
    while (n_ > 0) free_one();
  }

 private:
  static constexpr size_t kMost = size_t{1} << 16;

  // Whether freeing the tensor can wait: this is the last reference, it holds no graph, and its memory is small and
  // ours. That of a view counts as a whole.
  static bool is_small(c10::TensorImpl& tensor) noexcept {
    try {
      return c10::raw::intrusive_ptr::use_count(&tensor) == 1 && tensor.has_storage() && !tensor.requires_grad() &&
             tensor.unsafe_storage().data_ptr().get_deleter() == &counted_delete &&
             tensor.unsafe_storage().nbytes() <= Pool::kLargest;
    } catch (...) {
      return false;
    }
  }

  c10::TensorImpl* tensors_[kMost];
  size_t n_ = 0;
};
Waiting waiting;

}  // namespace

void free_one_waiting() { waiting.free_one(); }

void count_memory() {
  wrapped = c10::GetCPUAllocator();
  wrapped_delete = wrapped->raw_deleter();
  TORCH_CHECK(wrapped_delete, "this LibTorch's CPU allocator has no plain deleter");
  static CountingAllocator counting;
  c10::SetCPUAllocator(&counting, /*priority=*/100);
}

}  // namespace shim

void ts_memory_stats(ts_memory* out) {
  const int64_t all = shim::taken.load(std::memory_order_relaxed);
  out->live_bytes = all - shim::given.load(std::memory_order_relaxed);
  out->allocated_bytes = all - shim::marked.load(std::memory_order_relaxed);
  out->peak_bytes = shim::peak.load(std::memory_order_relaxed);
}
void ts_memory_mark(void) { shim::marked.store(shim::taken.load()); }
void ts_memory_mark_peak(void) { shim::peak.store(shim::taken.load() - shim::given.load()); }
void ts_memory_flush(void) {
  shim::waiting.free_all();
  shim::cache.flush();
}
void ts_memory_set_cache(int64_t bytes, int64_t smallest) { shim::cache.set_limits(bytes, smallest); }

void ts_tensor_release_later(ts_tensor* tensor) {
  auto* impl = reinterpret_cast<c10::TensorImpl*>(tensor);
  if (!shim::waiting.add(impl)) c10::raw::intrusive_ptr::decref(impl);
}

void ts_tensor_release_waiting(void) { shim::waiting.free_all(); }

void* ts_memory_take(size_t n) {
  void* block = shim::cache.take(static_cast<int64_t>(n));
  if (!block && shim::guarded([&] { block = shim::wrapped->allocate(n).release_context(); }) != TS_OK) return nullptr;
  shim::count(shim::size_of(block));
  return block;
}
void ts_memory_give(void* block) {
  const int64_t size = shim::size_of(block);
  shim::given.fetch_add(size, std::memory_order_relaxed);
  if (!shim::cache.keep(block, size)) shim::wrapped_delete(block);
}
