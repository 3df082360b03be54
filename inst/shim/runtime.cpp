// dtypes, devices, random numbers, threads.
#include "host.h"
#include "value.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>

#include <mutex>

namespace shim {
void count_memory();
void set_default_fusion();
void keep_warnings();
void set_engine();
}

using shim::guarded;

int ts_initialise(const ts_host* host) {
  return guarded([&] {
    static bool done = false;
    if (done) return;
    done = true;
    shim::set_host(*host);
    shim::set_engine();
    shim::count_memory();
    shim::set_default_fusion();
    shim::keep_warnings();
  });
}

const char* ts_dtype_name(int dtype) {
  if (dtype < 0 || dtype >= static_cast<int>(at::ScalarType::NumOptions)) return nullptr;
  return c10::toString(static_cast<at::ScalarType>(dtype));
}

int ts_default_dtype(int set, int* was) {
  return guarded([&] {
    auto type = at::get_default_dtype();
    *was = static_cast<int>(type.toScalarType());
    if (set >= 0) at::set_default_dtype(at::scalarTypeToTypeMeta(static_cast<at::ScalarType>(set)));
  });
}

int ts_dtype_info(int dtype, int* is_floating_point, int* is_complex, int* size) {
  return guarded([&] {
    const auto type = static_cast<at::ScalarType>(dtype);
    *is_floating_point = at::isFloatingType(type);
    *is_complex = at::isComplexType(type);
    *size = static_cast<int>(c10::elementSize(type));
  });
}

int ts_device_check(const char* device, ts_value* out, ts_arena** arena) {
  return shim::guarded_result(out, arena, [&](ts_value& value, shim::Arena& own) {
    value = shim::string_value(c10::Device(device).str(), own);
  });
}

namespace {
// The name changed with LibTorch 2.4.
template <class Hooks>
int count_devices(const Hooks& hooks) {
  if constexpr (requires { hooks.deviceCount(); })
    return static_cast<int>(hooks.deviceCount());
  else
    return static_cast<int>(hooks.getNumGPUs());
}
}  // namespace

int ts_cuda_device_count(int* out) {
  return guarded([&] { *out = at::globalContext().hasCUDA() ? count_devices(at::detail::getCUDAHooks()) : 0; });
}

int ts_manual_seed(uint64_t seed) {
  return guarded([&] { at::manual_seed(seed); });
}

int ts_generator_new(ts_generator** out) {
  return guarded([&] { *out = new ts_generator{at::detail::createCPUGenerator()}; });
}

namespace {
at::Generator& generator_of(ts_generator* generator) {
  return generator ? generator->generator : const_cast<at::Generator&>(at::detail::getDefaultCPUGenerator());
}
}  // namespace

int ts_generator_seed(ts_generator* handle, int set, uint64_t* seed) {
  return guarded([&] {
    auto& generator = generator_of(handle);
    const std::lock_guard<std::mutex> hold(generator.mutex());
    if (set)
      generator.set_current_seed(*seed);
    else
      *seed = generator.current_seed();
  });
}

int ts_generator_state(ts_generator* handle, ts_tensor* set, ts_tensor** out) {
  return guarded([&] {
    auto& generator = generator_of(handle);
    const std::lock_guard<std::mutex> hold(generator.mutex());
    if (set)
      generator.set_state(shim::borrow(set));
    else
      *out = shim::give(generator.get_state());
  });
}

void ts_generator_release(ts_generator* generator) { delete generator; }

int ts_threads(int interop, int set, int* out) {
  return guarded([&] {
    if (set > 0) interop ? at::set_num_interop_threads(set) : at::set_num_threads(set);
    *out = interop ? at::get_num_interop_threads() : at::get_num_threads();
  });
}
