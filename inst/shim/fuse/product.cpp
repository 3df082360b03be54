#include "fuse/product.h"

#include "fuse/threads.h"
#include "fuse/views.h"

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

namespace {

// The first of the matrices of a place, or all as one.
Place first_matrix(const Place& place, bool batched) {
  if (!batched) return place;
  return {place.dtype, {place.sizes.end() - 2, place.sizes.end()}, {place.strides.end() - 2, place.strides.end()}};
}

}  // namespace

Product::Operand::Operand(const Place& at, bool turned, bool batched, size_t turns)
    : place(at), copied(Matrix(first_matrix(at, batched), turned).step == 0),
      matrix(first_matrix(copied ? Place{at.dtype, at.sizes, contiguous(at.sizes)} : at, batched), turned) {
  const std::vector<int64_t> strides = copied ? contiguous(at.sizes) : at.strides;
  // The leading dimensions end together. In those that are missing or of size 1 a matrix is repeated.
  apart.assign(turns, 0);
  for (size_t back = 3; batched && back <= at.sizes.size(); ++back)
    if (at.sizes[at.sizes.size() - back] != 1) apart[turns + 2 - back] = strides[strides.size() - back];
}

at::Tensor Product::Operand::read(const at::Tensor& it, const void*& first) const {
  const at::Tensor read = copied ? as_placed(it, place).contiguous() : it;
  const auto skipped = copied ? 0 : place.offset * static_cast<int64_t>(c10::elementSize(place.dtype));
  first = static_cast<const char*>(read.data_ptr()) + skipped;
  return read;
}

Product::Product(const Expr& e, const Place& a, const Place& b, const Place& out)
    : dtype_(a.dtype), turns_(out.sizes.begin(), e.batched ? out.sizes.end() - 2 : out.sizes.begin()),
      a_(a, e.turned[0], e.batched, turns_.size()), b_(b, e.turned[1], e.batched, turns_.size()), out_(out) {
  if (a_.matrix.columns != b_.matrix.rows || b.dtype != dtype_) throw Unfusable{"its matrices do not fit"};
  step_ = static_cast<int>(a_.matrix.rows == 1 || !e.batched ? b_.matrix.columns : out_.strides[out_.strides.size() - 2]);
}

double Product::operations() const {
  return 2.0 * static_cast<double>(shim::fuse::product(turns_)) * static_cast<double>(a_.matrix.rows) *
         static_cast<double>(a_.matrix.columns) * static_cast<double>(b_.matrix.columns);
}

// By LibTorch's operators.
void Product::run_slowly(const at::Tensor& a, const at::Tensor& b, const at::Tensor& out) const {
  const auto matrix = [&](const at::Tensor& it, const Operand& operand) {
    const at::Tensor placed = as_placed(it, operand.place), flat = turns_.empty() ? placed.reshape({-1, placed.size(-1)}) : placed;
    return operand.matrix.turned ? flat.transpose(-2, -1) : flat;
  };
  const at::Tensor from_a = matrix(a, a_), from_b = matrix(b, b_);
  if (!turns_.empty()) {
    out.copy_(at::matmul(from_a, from_b));
    return;
  }
  at::Tensor flat = out.view({a_.matrix.rows, b_.matrix.columns});
  at::mm_out(flat, from_a, from_b);
}

void Product::run(const at::Tensor& a, const at::Tensor& b, const at::Tensor& out) const {
  static const Gemm<float> single = gemm<float>("sgemm_");
  static const Gemm<double> twice = gemm<double>("dgemm_");
  const bool is_known = dtype_ == at::kFloat ? single != nullptr : dtype_ == at::kDouble && twice;
  const int64_t largest = std::max({a_.matrix.rows, a_.matrix.columns, b_.matrix.columns, a_.matrix.step, b_.matrix.step});
  if (!is_known || largest > std::numeric_limits<int>::max()) return run_slowly(a, b, out);
  const void *begin_a, *begin_b;
  const at::Tensor from_a = a_.read(a, begin_a), from_b = b_.read(b, begin_b);
  const char how_a = a_.matrix.exchanged ? 'T' : 'N', how_b = b_.matrix.exchanged ? 'T' : 'N';
  const int m = static_cast<int>(a_.matrix.rows), n = static_cast<int>(b_.matrix.columns), k = static_cast<int>(a_.matrix.columns),
            step_a = static_cast<int>(a_.matrix.step), step_b = static_cast<int>(b_.matrix.step);
  // What lies here in rows BLAS reads as columns: C' = B' A'.
  const auto multiply = [&](auto function, auto one) {
    using T = decltype(one);
    const T zero = 0;
    const T *const first_a = static_cast<const T*>(begin_a), *const first_b = static_cast<const T*>(begin_b);
    T* const first = static_cast<T*>(out.data_ptr());
    const auto one_of = [&](int64_t turn) {
      int64_t at_a = 0, at_b = 0, at = 0;
      for (size_t d = turns_.size(); d-- > 0; turn /= turns_[d]) {
        const int64_t i = turn % turns_[d];
        at_a += i * a_.apart[d];
        at_b += i * b_.apart[d];
        at += i * out_.strides[d];
      }
      function(&how_b, &how_a, &n, &m, &k, &one, first_b + at_b, &step_b, first_a + at_a, &step_a, &zero, first + at, &step_);
    };
    if (turns_.empty()) return one_of(0);
    const int64_t turns = shim::fuse::product(turns_);
    const double cost = static_cast<double>(turns) * m * n * k / 16;
    in_parallel(shares_of(turns, cost), turns, [&](int, int64_t begin, int64_t end) {
      for (int64_t turn = begin; turn < end; ++turn) one_of(turn);
    });
  };
  if (dtype_ == at::kFloat) multiply(single, 1.0f);
  else multiply(twice, 1.0);
}

Columns::Columns(const Expr& e, Place place) : place_(std::move(place)) {
  if (place_.dtype != at::kFloat && place_.dtype != at::kDouble) throw Unfusable{"sums of columns of another dtype"};
  const auto rank = static_cast<int64_t>(place_.sizes.size());
  outer_ = loop(0, e.begin);
  rows_ = loop(e.begin, e.end);
  columns_ = loop(e.end, rank);
  copied_ = copied_ || columns_.apart != 1;
  if (copied_) {
    columns_.apart = 1;
    rows_.apart = columns_.turns;
    outer_.apart = rows_.turns * columns_.turns;
  }
}

Columns::Loop Columns::loop(int64_t begin, int64_t end) {
  Loop out{1, 1};
  for (int64_t d = end; d-- > begin;) {
    const int64_t size = place_.sizes[static_cast<size_t>(d)], stride = place_.strides[static_cast<size_t>(d)];
    if (size == 1) continue;
    if (out.turns == 1) out.apart = stride;
    else if (stride != out.apart * out.turns) copied_ = true;
    out.turns *= size;
  }
  return out;
}

void Columns::run(const at::Tensor& a, const at::Tensor& out) const {
  const at::Tensor it = copied_ ? as_placed(a, place_).contiguous() : a;
  const int64_t skipped = copied_ ? 0 : place_.offset, unit = 32, units = (columns_.turns + unit - 1) / unit;
  const double cost = 0.25 * static_cast<double>(outer_.turns) * static_cast<double>(rows_.turns) * static_cast<double>(columns_.turns);
  const auto add = [&](auto* from, auto* to) {
    in_parallel(shares_of(outer_.turns * units, cost), outer_.turns * units, [&](int, int64_t begin, int64_t end) {
      for (int64_t turn = begin / units; turn * units < end; ++turn) {
        const int64_t first = std::max<int64_t>(0, begin - turn * units) * unit;
        const int64_t last = std::min(columns_.turns, (end - turn * units) * unit);
        add_columns(from + turn * outer_.apart + first, rows_.apart, rows_.turns, last - first, to + turn * columns_.turns + first);
      }
    });
  };
  if (place_.dtype == at::kFloat) add(it.data_ptr<float>() + skipped, out.data_ptr<float>());
  else add(it.data_ptr<double>() + skipped, out.data_ptr<double>());
}

}  // namespace shim::fuse
