// CUDA, MPS and other backends, through the hooks that LibTorch's CPU part declares for them: the same source compiles
// against every LibTorch. Only the history of the CUDA allocator has no hook, and needs a LibTorch with CUDA.
#include "core/value.h"

#include <torch/version.h>

#include <algorithm>
#include <optional>
#include <vector>

#if __has_include(<ATen/detail/MPSHooksInterface.h>)
#include <ATen/detail/MPSHooksInterface.h>
#define TS_MPS_HOOKS
#endif
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 9)
#include <c10/core/CachingDeviceAllocator.h>
#define TS_DEVICE_ALLOCATOR
#ifdef TS_CUDA
#include <torch/csrc/cuda/memory_snapshot.h>
#define TS_CUDA_HISTORY
#endif
#endif

#ifdef _WIN32
#include <windows.h>
#else
#include <dlfcn.h>
#endif

using shim::guarded;

namespace {

// LibTorch 2.4 and later renamed some hooks.
template <class Hooks>
int count_devices(const Hooks& hooks) {
  if constexpr (requires { hooks.deviceCount(); })
    return static_cast<int>(hooks.deviceCount());
  else
    return static_cast<int>(hooks.getNumGPUs());
}
template <class Context>
void wake_cuda(Context& context) {
  if constexpr (requires { context.lazyInitDevice(at::kCUDA); })
    context.lazyInitDevice(at::kCUDA);
  else
    context.lazyInitCUDA();
}
template <class Hooks>
long cudnn_version(const Hooks& hooks) {
  if constexpr (requires { hooks.versionRuntimeCuDNN(); })
    return hooks.versionRuntimeCuDNN();
  else
    return hooks.versionCuDNN();
}

// A function of CUDA's driver, whose C interface is the same in all versions. The library is in the process already
// where there is a device.
template <class Function>
Function* of_driver(const char* name) {
#ifdef _WIN32
  static HMODULE driver = LoadLibraryA("nvcuda.dll");
  void* found = driver ? reinterpret_cast<void*>(GetProcAddress(driver, name)) : nullptr;
#else
  static void* driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
  void* found = driver ? dlsym(driver, name) : nullptr;
#endif
  TORCH_CHECK(found, "the CUDA driver's library has no function ", name);
  return reinterpret_cast<Function*>(found);
}

int device_attribute(int device, int attribute) {
  int handle = 0, value = 0;
  int status = of_driver<int(unsigned)>("cuInit")(0);
  if (!status) status = of_driver<int(int*, int)>("cuDeviceGet")(&handle, device);
  if (!status) status = of_driver<int(int*, int, int)>("cuDeviceGetAttribute")(&value, attribute, handle);
  TORCH_CHECK(!status, "the CUDA driver answers with error ", status);
  return value;
}

#ifdef TS_DEVICE_ALLOCATOR
// The CUDA allocator; NULL if this LibTorch has none. It registers itself when LibTorch is loaded.
c10::DeviceAllocator* find_allocator() {
  if (!at::detail::getCUDAHooks().hasCUDA()) return nullptr;
  return dynamic_cast<c10::DeviceAllocator*>(c10::GetAllocator(c10::DeviceType::CUDA));
}

c10::DeviceAllocator& allocator() {
  wake_cuda(at::globalContext());
  auto* found = find_allocator();
  TORCH_CHECK(found, "this LibTorch's CUDA allocator keeps no statistics");
  return *found;
}

template <class Stat>
void add_stat(const Stat& stat, c10::List<int64_t>& out) {
  for (const int64_t value : {stat.current, stat.peak, stat.allocated, stat.freed}) out.push_back(value);
}

// Shares of the memory of a device above which the host is told to collect.
struct {
  double reserved = 0.2, allocated = 0.8, allocated_of_reserved = 0.8;
} rates;

// What is remembered of a device from one look at it to the next, in bytes.
struct Watch {
  double total = 0;    // all memory of the device; 0: not asked yet
  double least = 0;    // the least that was alive since the last full collection
  double left = 0;     // what was alive after that collection
  double taken = 0;    // all that had been allocated by the last look
  ts_due told = TS_DUE_NOTHING;  // what the host was told at the last look
};

// Tells the host to collect when a twentieth of the device may be garbage. Collecting costs less than taking new
// memory, and other processes use the device as well.
ts_due due_of(c10::DeviceAllocator& allocator, int device, Watch& watch) {
  const auto stats = allocator.getDeviceStats(static_cast<c10::DeviceIndex>(device));
  const auto alive = static_cast<double>(stats.allocated_bytes[0].current);
  const auto reserved = static_cast<double>(stats.reserved_bytes[0].current);
  const auto taken = static_cast<double>(stats.allocated_bytes[0].allocated);
  if (reserved == 0) return TS_DUE_NOTHING;
  if (watch.total == 0) {
    watch.total = static_cast<double>(allocator.getMemoryInfo(static_cast<c10::DeviceIndex>(device)).second);
  }
  if (watch.told == TS_DUE_ALL) watch.least = watch.left = alive;
  watch.least = std::min(watch.least, alive);
  const double twentieth = watch.total / 20, room = std::max(twentieth, watch.least / 2);
  const bool full = (reserved > rates.reserved * watch.total && alive > rates.allocated_of_reserved * reserved) ||
                    alive > rates.allocated * watch.total;
  const bool is_fast = taken > watch.taken + twentieth / 16;
  watch.taken = taken;
  // Memory that stays in use is no reason to collect again and again.
  if (full && alive > watch.left + twentieth) return watch.told = TS_DUE_ALL;
  if (watch.told == TS_DUE_YOUNG) {
    if (alive > watch.least + room * 3 / 4) return watch.told = TS_DUE_ALL;
  } else if (alive > watch.least + room) {
    return watch.told = TS_DUE_YOUNG;
  }
  return watch.told = is_fast ? TS_DUE_SOON : TS_DUE_NOTHING;
}
#endif

}  // namespace

int ts_cuda_device_count(int* out) {
  return guarded([&] { *out = at::globalContext().hasCUDA() ? count_devices(at::detail::getCUDAHooks()) : 0; });
}

int ts_cuda_current_device(int* out) {
  return guarded([&] {
    wake_cuda(at::globalContext());
    *out = static_cast<int>(at::detail::getCUDAHooks().current_device());
  });
}

int ts_cuda_synchronize(int device) {
  return guarded([&] {
    wake_cuda(at::globalContext());
    at::detail::getCUDAHooks().deviceSynchronize(static_cast<c10::DeviceIndex>(device));
  });
}

int ts_cuda_capability(int device, int* major, int* minor) {
  return guarded([&] {
    const int of_major = device_attribute(device, 75);
    *minor = device_attribute(device, 76);
    *major = of_major;
  });
}

int ts_cuda_memory_stats(int device, ts_value* out, ts_arena** arena) {
  return shim::guarded_result(out, arena, [&](ts_value& value, shim::Arena& own) {
#ifdef TS_DEVICE_ALLOCATOR
    const auto stats = allocator().getDeviceStats(static_cast<c10::DeviceIndex>(device));
    c10::List<int64_t> numbers;
    for (const int64_t number : {stats.num_alloc_retries, stats.num_ooms, stats.max_split_size})
      numbers.push_back(number);
    add_stat(stats.oversize_allocations, numbers);
    add_stat(stats.oversize_segments, numbers);
    for (const auto* pools : {&stats.allocation, &stats.segment, &stats.active, &stats.inactive_split,
                              &stats.allocated_bytes, &stats.reserved_bytes, &stats.active_bytes,
                              &stats.inactive_split_bytes})
      for (const auto& stat : *pools) add_stat(stat, numbers);
    shim::from_ivalue(numbers, value, own);
#else
    TORCH_CHECK_NOT_IMPLEMENTED(false, "Statistics of CUDA memory need LibTorch 2.9 or later.");
#endif
  });
}

int ts_cuda_empty_cache(void) {
  return guarded([] {
#ifdef TS_DEVICE_ALLOCATOR
    allocator().emptyCache();
#else
    TORCH_CHECK_NOT_IMPLEMENTED(false, "Emptying the cache of CUDA memory needs LibTorch 2.9 or later.");
#endif
  });
}

int ts_cuda_record_history(const char* enabled, const char* context, const char* stacks, int64_t max_entries) {
  return guarded([&] {
#ifdef TS_CUDA_HISTORY
    wake_cuda(at::globalContext());
    using Text = std::optional<std::string>;
    torch::cuda::_record_memory_history(enabled ? Text(enabled) : Text(), context ? Text(context) : Text(),
                                        std::string(stacks), static_cast<size_t>(max_entries));
#else
    TORCH_CHECK_NOT_IMPLEMENTED(false, "This LibTorch keeps no history of CUDA memory.");
#endif
  });
}

int ts_cuda_snapshot(ts_value* out, ts_arena** arena) {
  return shim::guarded_result(out, arena, [&](ts_value& value, shim::Arena& own) {
#ifdef TS_CUDA_HISTORY
    wake_cuda(at::globalContext());
    value = shim::string_value(torch::cuda::_memory_snapshot_pickled(), own);
#else
    TORCH_CHECK_NOT_IMPLEMENTED(false, "This LibTorch gives no snapshot of CUDA memory.");
#endif
  });
}

void ts_cuda_set_rates(double reserved, double allocated, double allocated_of_reserved) {
#ifdef TS_DEVICE_ALLOCATOR
  rates = {reserved, allocated, allocated_of_reserved};
#endif
}

ts_due ts_cuda_due(void) {
  ts_due due = TS_DUE_NOTHING;
#ifdef TS_DEVICE_ALLOCATOR
  const int status = guarded([&] {
    static c10::DeviceAllocator* const found = find_allocator();
    if (!found || !found->initialized()) return;
    static std::vector<Watch> watches(count_devices(at::detail::getCUDAHooks()));
    for (size_t i = 0; i < watches.size(); ++i) due = std::max(due, due_of(*found, static_cast<int>(i), watches[i]));
  });
  if (status != TS_OK) return TS_DUE_NOTHING;
#endif
  return due;
}

int ts_backend(int fact, int64_t* out) {
  return guarded([&] {
    const auto& cuda = at::detail::getCUDAHooks();
    switch (fact) {
      case TS_BACKEND_MKL: *out = at::hasMKL(); break;
      case TS_BACKEND_MKLDNN: *out = at::hasMKLDNN(); break;
      case TS_BACKEND_OPENMP: *out = at::hasOpenMP(); break;
      case TS_BACKEND_MPS: *out = at::hasMPS(); break;
      case TS_BACKEND_CUDNN: *out = cuda.hasCuDNN() ? cudnn_version(cuda) : 0; break;
      case TS_BACKEND_CUDART: *out = cuda.versionCUDART(); break;
      default: TORCH_CHECK(false, "there is no fact of backends number ", fact);
    }
  });
}

int ts_mps_synchronize(void) {
  return guarded([] {
#ifdef TS_MPS_HOOKS
    at::detail::getMPSHooks().deviceSynchronize();
#else
    TORCH_CHECK_NOT_IMPLEMENTED(false, "This LibTorch has no MPS.");
#endif
  });
}
