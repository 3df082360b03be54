#include "fuse/product.h"

#include "fuse/threads.h"

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

// Some columns at a time stay in registers; the sums of some rows are added up in double precision.
template <class T>
void add_columns(const T* from, int64_t step, int64_t rows, int64_t columns, T* to) {
  constexpr int64_t kColumns = 32, kRows = 64;
  for (int64_t first = 0; first < columns; first += kColumns) {
    const int64_t n = std::min(kColumns, columns - first);
    double sums[kColumns] = {};
    for (int64_t begin = 0; begin < rows; begin += kRows) {
      const int64_t end = std::min(rows, begin + kRows);
      T some[kColumns] = {};
      for (int64_t i = begin; i < end; ++i) {
        const T* const row = from + i * step + first;
        if (n == kColumns)
          for (int64_t j = 0; j < kColumns; ++j) some[j] += row[j];
        else
          for (int64_t j = 0; j < n; ++j) some[j] += row[j];
      }
      for (int64_t j = 0; j < n; ++j) sums[j] += some[j];
    }
    for (int64_t j = 0; j < n; ++j) to[first + j] = static_cast<T>(sums[j]);
  }
}

}  // namespace

Matrix::Matrix(const Place& place, bool turned)
    : rows(1), columns(place.sizes.empty() ? 1 : place.sizes.back()), turned(turned), exchanged(turned) {
  const size_t rank = place.sizes.size();
  int64_t apart = 0;  // numbers from row to row
  bool even = true;
  for (size_t d = rank; d-- > 1;) {
    const int64_t size = place.sizes[d - 1], stride = place.strides[d - 1];
    if (size == 1) continue;
    if (rows == 1) apart = stride;
    else even = even && stride == apart * rows;
    rows *= size;
  }
  const int64_t along = columns == 1 ? 1 : place.strides[rank - 1];
  // In the order of BLAS, rows that lie one after the other are columns.
  if (even && along == 1 && (rows == 1 || apart >= columns)) {
    step = rows == 1 ? columns : apart;
  } else if (even && rows > 1 && apart == 1 && along >= rows) {
    step = along;
    exchanged = !turned;
  }
  if (turned) std::swap(rows, columns);
}

Product::Product(const Program& program, const Kernel& kernel, const std::vector<Place>& places)
    : dtype_(places[kernel.arguments[0]].dtype),
      a_(places[kernel.arguments[0]], program.exprs[kernel.values[0]].turned[0]),
      b_(places[kernel.arguments[1]], program.exprs[kernel.values[0]].turned[1]) {
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
  const auto read = [](const at::Tensor& it, const Matrix& matrix) {
    if (matrix.step > 0) return Read{it, static_cast<int>(matrix.step), matrix.exchanged ? 'T' : 'N'};
    return Read{it.contiguous(), static_cast<int>(it.size(-1)), matrix.turned ? 'T' : 'N'};
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

Columns::Columns(const Kernel& kernel, const std::vector<Place>& places)
    : dtype_(places[kernel.arguments[0]].dtype), matrix_(places[kernel.arguments[0]], false) {
  if (dtype_ != at::kFloat && dtype_ != at::kDouble) throw Unfusable{"sums of columns of another dtype"};
}

void Columns::run(const at::Tensor& a, const at::Tensor& out) const {
  const bool as_it_is = matrix_.step > 0 && !matrix_.exchanged;
  const at::Tensor it = as_it_is ? a : a.contiguous();
  const int64_t step = as_it_is ? matrix_.step : matrix_.columns, unit = 32;
  const int64_t units = (matrix_.columns + unit - 1) / unit;
  const double cost = 0.25 * static_cast<double>(matrix_.rows) * static_cast<double>(matrix_.columns);
  const auto add = [&](auto* from, auto* to) {
    in_parallel(shares_of(units, cost), units, [&](int, int64_t begin, int64_t end) {
      const int64_t first = begin * unit, last = std::min(end * unit, matrix_.columns);
      add_columns(from + first, step, matrix_.rows, last - first, to + first);
    });
  };
  if (dtype_ == at::kFloat) add(it.data_ptr<float>(), out.data_ptr<float>());
  else add(it.data_ptr<double>(), out.data_ptr<double>());
}

}  // namespace shim::fuse
