// LibTorch needs some 3,000 instructions to add two numbers: several layers of dispatch, of which autograd is one, and
// the computation of the result's shape for any two tensors. Where no layer has anything to do, and the tensors are
// dense, small and of one shape, a plain loop computes the same. Each operator is a row of the table. Only operators
// whose results are exactly LibTorch's are in it.
#include "core/small.h"

#include "core/value.h"

#include <ATen/EmptyTensor.h>
#include <ATen/record_function.h>

#include <functional>

namespace shim {
namespace {

// With more elements LibTorch's vector code is faster.
constexpr int64_t kMost = 64;

// `b` points to one number, or to as many as `a`.
using Loop = void (*)(const void* a, const void* b, bool is_number, void* out, int64_t n);

template <class T, class Result, class Function>
void loop(const void* a, const void* b, bool is_number, void* out, int64_t n) {
  const auto* x = static_cast<const T*>(a);
  const auto* y = static_cast<const T*>(b);
  auto* result = static_cast<Result*>(out);
  if (is_number) {
    const T number = *y;
    for (int64_t i = 0; i < n; ++i) result[i] = Function()(x[i], number);
  } else {
    for (int64_t i = 0; i < n; ++i) result[i] = Function()(x[i], y[i]);
  }
}

}  // namespace

struct SmallKernel {
  const char* name;
  Loop of_floats, of_doubles;
  bool compares;
};

namespace {

template <template <class> class Function>
constexpr SmallKernel arithmetic(const char* name) {
  return {name, loop<float, float, Function<float>>, loop<double, double, Function<double>>, false};
}
template <template <class> class Function>
constexpr SmallKernel comparison(const char* name) {
  return {name, loop<float, bool, Function<float>>, loop<double, bool, Function<double>>, true};
}

constexpr SmallKernel kKernels[] = {
    arithmetic<std::plus>("aten::add"),        arithmetic<std::minus>("aten::sub"),
    arithmetic<std::multiplies>("aten::mul"),  arithmetic<std::divides>("aten::div"),
    comparison<std::equal_to>("aten::eq"),     comparison<std::not_equal_to>("aten::ne"),
    comparison<std::less>("aten::lt"),         comparison<std::less_equal>("aten::le"),
    comparison<std::greater>("aten::gt"),      comparison<std::greater_equal>("aten::ge"),
};

const at::TensorImpl& tensor_of(const ts_value& value) { return *static_cast<const at::TensorImpl*>(value.as.handle); }

// Whether LibTorch works on this thread as usual: without tracing, autocast, modes or observers.
bool is_plain_thread() {
  const auto keys = c10::impl::tls_local_dispatch_key_set();
  return keys.included_ == c10::default_included_set && keys.excluded_ == c10::default_excluded_set && !at::hasCallbacks();
}

// Whether a tensor takes part in gradients, in backward or forward mode.
bool is_differentiated(const at::TensorImpl& tensor, ts_tensor* handle) {
  if (!tensor.autograd_meta()) return false;
  return (tensor.requires_grad() && at::GradMode::is_enabled()) || borrow(handle)._fw_grad(0).defined();
}

bool is_plain(const ts_value& value) {
  static const c10::DispatchKeySet plain = at::detail::empty_cpu({0}, at::kFloat).key_set();
  if (value.tag != TS_TENSOR || !value.as.handle) return false;
  const at::TensorImpl& tensor = tensor_of(value);
  return tensor.key_set() == plain && tensor.numel() <= kMost && tensor.is_contiguous() &&
         !is_differentiated(tensor, static_cast<ts_tensor*>(value.as.handle));
}

}  // namespace

const SmallKernel* small_kernel_of(const std::string& name, const std::string& overload) {
  if (overload != "Tensor" && overload != "Scalar") return nullptr;
  for (const SmallKernel& kernel : kKernels) {
    if (name == kernel.name) return &kernel;
  }
  return nullptr;
}

ts_tensor* run_small(const SmallKernel& kernel, const ts_value* arguments, size_t n) {
  // The third argument of add and sub is a factor of the second one.
  if (n > 2 && arguments[2].tag != TS_DEFAULT) return nullptr;
  if (!is_plain(arguments[0]) || !is_plain_thread()) return nullptr;
  const at::TensorImpl& a = tensor_of(arguments[0]);
  const auto dtype = c10::typeMetaToScalarType(a.dtype());
  if (dtype != at::kFloat && dtype != at::kDouble) return nullptr;
  const void* b;
  float as_float;
  double number;
  const bool is_number = arguments[1].tag != TS_TENSOR;
  if (is_number) {
    if (arguments[1].tag != TS_FLOAT) return nullptr;
    number = arguments[1].as.d;
    as_float = static_cast<float>(number);
    b = dtype == at::kFloat ? static_cast<const void*>(&as_float) : &number;
  } else {
    if (!is_plain(arguments[1])) return nullptr;
    const at::TensorImpl& other = tensor_of(arguments[1]);
    if (other.dtype() != a.dtype() || other.sizes() != a.sizes()) return nullptr;
    b = other.data();
  }
  at::Tensor out = at::detail::empty_cpu(a.sizes(), kernel.compares ? at::kBool : dtype);
  (dtype == at::kFloat ? kernel.of_floats : kernel.of_doubles)(a.data(), b, is_number, out.data_ptr(), a.numel());
  return give(std::move(out));
}

}  // namespace shim
