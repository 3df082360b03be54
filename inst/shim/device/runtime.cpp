// Dtypes, devices, random numbers and threads.
#include "core/host.h"
#include "core/value.h"
#include "guard/arguments.h"
#include "guard/builtins.h"
#include "guard/division.h"
#include "jit/fusion.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/Parallel.h>

#include <mutex>

#ifndef _WIN32
#include <pthread.h>
#endif

namespace shim {
void count_memory();
void set_engine();

bool is_forked = false;

// This runs at the child's first call and not in the fork's handler: LibTorch's own handlers have run by then.
void work_alone() {
  is_forked = false;
  at::set_num_threads(1);
  forget_workers();
}
}  // namespace shim

using shim::guarded;

namespace {

// Makes LibTorch check the indices of sparse tensors, which its kernels trust. LibTorch before 2.0 always checks.
template <class Context>
void check_sparse(Context& context) {
  if constexpr (requires { context.setCheckSparseTensorInvariants(true); }) context.setCheckSparseTensorInvariants(true);
}

}  // namespace

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
    shim::replace_divisions();
    shim::guard_builtins();
    shim::guard_arguments();
    check_sparse(at::globalContext());
    // Drops the warning by which LibTorch says that it checks.
    while (ts_take_warning()) {
    }
#ifndef _WIN32
    pthread_atfork(nullptr, nullptr, [] { shim::is_forked = true; });
#endif
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

int ts_manual_seed(uint64_t seed) {
  return guarded([&] { at::manual_seed(seed); });
}

int ts_generator_new(ts_generator** out) {
  return guarded([&] { *out = new ts_generator{at::detail::createCPUGenerator()}; });
}

int ts_generator_of_device(const char* device, ts_generator** out) {
  return guarded([&] { *out = new ts_generator{at::globalContext().defaultGenerator(c10::Device(device))}; });
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
