#include "fuse/product.h"

#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <limits>

#ifdef __linux__
#include <dlfcn.h>
#endif

namespace shim::fuse {
namespace {

template <class T>
using Gemm = void (*)(const char* turn_a, const char* turn_b, const int* m, const int* n, const int* k, const T* alpha, const T* a,
                      const int* step_a, const T* b, const int* step_b, const T* beta, T* c, const int* step_c);

// LibTorch's own, or that of the BLAS that it is linked to. The plain name would give R's. Elsewhere than on Linux, and for
// other types, it is LibTorch's operator.
template <class T>
Gemm<T> gemm([[maybe_unused]] const char* name) {
#ifdef __linux__
  Dl_info info;
  if (!dladdr(reinterpret_cast<const void*>(&at::get_num_threads), &info)) return nullptr;
  if (void* library = dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD)) return reinterpret_cast<Gemm<T>>(dlsym(library, name));
#endif
  return nullptr;
}

}  // namespace

Product::Operand Product::operand(const Place& place, bool turned) {
  const size_t rank = place.sizes.size();
  const int64_t columns = rank == 0 ? 1 : place.sizes[rank - 1];
  int64_t rows = 1, apart = 0;  // apart: numbers from row to row
  bool even = true;
  for (size_t d = rank; d-- > 1;) {
    const int64_t size = place.sizes[d - 1], stride = place.strides[d - 1];
    if (size == 1) continue;
    if (rows == 1) apart = stride;
    else even = even && stride == apart * rows;
    rows *= size;
  }
  const int64_t along = rank == 0 || columns == 1 ? 1 : place.strides[rank - 1];
  Operand it{rows, columns, 0, turned, turned};
  // In the order of BLAS, rows that lie one after the other are columns.
  if (even && along == 1 && (rows == 1 || apart >= columns)) {
    it.step = rows == 1 ? columns : apart;
  } else if (even && rows > 1 && apart == 1 && along >= rows) {
    it.step = along;
    it.exchanged = !turned;
  }
  if (turned) std::swap(it.rows, it.columns);
  return it;
}

Product::Product(const Program& program, const Kernel& kernel, const std::vector<Place>& places)
    : kernel_(&kernel), dtype_(places[kernel.arguments[0]].dtype) {
  const Expr& e = program.exprs[kernel.values[0]];
  a_ = operand(places[kernel.arguments[0]], e.turned[0]);
  b_ = operand(places[kernel.arguments[1]], e.turned[1]);
  if (a_.columns != b_.rows || places[kernel.arguments[1]].dtype != dtype_) throw Unfusable{"its matrices do not fit"};
}

void Product::run(const at::Tensor& a, const at::Tensor& b, const at::Tensor& out) const {
  static const Gemm<float> single = gemm<float>("sgemm_");
  static const Gemm<double> twice = gemm<double>("dgemm_");
  const bool is_known = dtype_ == at::kFloat ? single != nullptr : dtype_ == at::kDouble && twice;
  const int64_t largest = std::max({a_.rows, a_.columns, b_.columns, a_.step, b_.step});
  if (!is_known || largest > std::numeric_limits<int>::max()) {
    const auto matrix = [](const at::Tensor& it, bool turned) {
      const at::Tensor flat = it.reshape({-1, it.size(-1)});
      return turned ? flat.t() : flat;
    };
    at::Tensor flat = out.view({a_.rows, b_.columns});
    at::mm_out(flat, matrix(a, a_.turned), matrix(b, b_.turned));
    return;
  }
  struct Read {
    at::Tensor it;
    int step;
    char how;
  };
  const auto read = [](const at::Tensor& it, const Operand& operand) {
    if (operand.step > 0) return Read{it, static_cast<int>(operand.step), operand.exchanged ? 'T' : 'N'};
    return Read{it.contiguous(), static_cast<int>(it.size(-1)), operand.turned ? 'T' : 'N'};
  };
  const Read from_a = read(a, a_), from_b = read(b, b_);
  const int m = static_cast<int>(a_.rows), n = static_cast<int>(b_.columns), k = static_cast<int>(a_.columns);
  // What lies here in rows BLAS reads as columns: C' = B' A'.
  const auto multiply = [&](auto function, auto one) {
    using T = decltype(one);
    const T zero = 0;
    function(&from_b.how, &from_a.how, &n, &m, &k, &one, static_cast<const T*>(from_b.it.data_ptr()), &from_b.step,
             static_cast<const T*>(from_a.it.data_ptr()), &from_a.step, &zero, static_cast<T*>(out.data_ptr()), &n);
  };
  if (dtype_ == at::kFloat) multiply(single, 1.0f);
  else multiply(twice, 1.0);
}

}  // namespace shim::fuse
