// Mixed precision: whether operators of a device type cast their arguments, and to which dtype.
#include "core/value.h"

#include <ATen/autocast_mode.h>
#include <torch/version.h>

namespace {

// Before LibTorch 2.4 each device type has functions of its own.
#if TORCH_VERSION_MAJOR > 2 || (TORCH_VERSION_MAJOR == 2 && TORCH_VERSION_MINOR >= 4)
bool is_enabled(at::DeviceType device) { return at::autocast::is_autocast_enabled(device); }
void set_enabled(at::DeviceType device, bool enabled) { at::autocast::set_autocast_enabled(device, enabled); }
at::ScalarType get_dtype(at::DeviceType device) { return at::autocast::get_autocast_dtype(device); }
void set_dtype(at::DeviceType device, at::ScalarType dtype) { at::autocast::set_autocast_dtype(device, dtype); }
#else
bool is_cpu(at::DeviceType device) { return device == at::kCPU; }
bool is_enabled(at::DeviceType device) {
  return is_cpu(device) ? at::autocast::is_cpu_enabled() : at::autocast::is_enabled();
}
void set_enabled(at::DeviceType device, bool enabled) {
  is_cpu(device) ? at::autocast::set_cpu_enabled(enabled) : at::autocast::set_enabled(enabled);
}
at::ScalarType get_dtype(at::DeviceType device) {
  return is_cpu(device) ? at::autocast::get_autocast_cpu_dtype() : at::autocast::get_autocast_gpu_dtype();
}
void set_dtype(at::DeviceType device, at::ScalarType dtype) {
  is_cpu(device) ? at::autocast::set_autocast_cpu_dtype(dtype) : at::autocast::set_autocast_gpu_dtype(dtype);
}
#endif

}  // namespace

int ts_autocast(const char* device, int nesting, int* enabled, int* dtype, int* cache) {
  return shim::guarded([&] {
    const auto type = c10::Device(device).type();
    const int was_enabled = is_enabled(type), was_dtype = static_cast<int>(get_dtype(type)),
              was_cache = at::autocast::is_autocast_cache_enabled();
    // What LibTorch may refuse is done first, so that an error changes nothing.
    if (*dtype >= 0) set_dtype(type, static_cast<at::ScalarType>(*dtype));
    set_enabled(type, *enabled != 0);
    if (*cache >= 0) at::autocast::set_autocast_cache_enabled(*cache != 0);
    if (nesting > 0) at::autocast::increment_nesting();
    if (nesting < 0 && at::autocast::decrement_nesting() == 0) at::autocast::clear_cache();
    *enabled = was_enabled;
    *dtype = was_dtype;
    *cache = was_cache;
  });
}
