// R vectors as tensors, with checks for NA and for numbers that the dtype can't hold.
#include <climits>
#include <cmath>
#include <cstdio>

#include "value.h"
#include "values.h"

namespace {

// The range of each integer dtype. Dtypes that are not listed are checked by LibTorch; bool takes any number.
struct Whole {
  int dtype;
  double low, high;
};
constexpr double kInt64End = 9223372036854775808.0;
constexpr Whole wholes[] = {{TS_UINT8, 0, 255},          {TS_INT8, -128, 127},
                            {TS_INT16, -32768, 32767},   {TS_INT32, -2147483648.0, 2147483647},
                            {TS_INT64, -kInt64End, kInt64End - 1024},  // the largest double below 2^63
                            {TS_BOOLEAN, -HUGE_VAL, HUGE_VAL}};

const Whole* whole_dtype(int dtype) {
  for (const Whole& it : wholes)
    if (it.dtype == dtype) return &it;
  return nullptr;
}

[[noreturn]] void fail_number(SEXP x, R_xlen_t i, const Whole& dtype, const char* what, bool is_na) {
  const char* name = shim().ts_dtype_name(dtype.dtype);
  SEXP one = PROTECT(element(x, i));
  if (is_na)
    fail("value_error", "`%s` must not hold %s (element %.0f): dtype %s has no number for it. Use a floating dtype such as \"float\".",
         what, friendly(one), i + 1.0, name);
  char high[32];
  std::snprintf(high, sizeof high, "%.0f", dtype.high);
  fail("value_error", "`%s` must hold numbers from %.0f to %s, as dtype %s does, not %s (element %.0f).", what, dtype.low,
       dtype.dtype == TS_INT64 ? "9223372036854775807" : high, name, friendly(one), i + 1.0);
}

bool is_na_at(SEXP x, R_xlen_t i) {
  if (TYPEOF(x) != REALSXP) return INTEGER(x)[i] == NA_INTEGER;
  return is_integer64(x) ? bits_of(REAL(x)[i]) == INT64_MIN : std::isnan(REAL(x)[i]);
}

// The position of the first element that the dtype can't hold, -1 if there is none. Fractions are cut off, as
// as.integer() does.
template <class Number, class IsWrong>
R_xlen_t first_wrong(const Number* values, R_xlen_t n, IsWrong&& is_wrong) {
  // Elements are tested in blocks, which compilers turn into vector code.
  constexpr int kBlock = 64;
  R_xlen_t i = 0;
  for (; i + kBlock <= n; i += kBlock) {
    int any = 0;
    for (int j = 0; j < kBlock; ++j) any |= is_wrong(values[i + j]);
    if (any) break;
  }
  for (; i < n; ++i)
    if (is_wrong(values[i])) return i;
  return -1;
}

void check_whole(SEXP x, const Whole& dtype, const char* what) {
  const R_xlen_t n = XLENGTH(x);
  const double low = dtype.low - 1, high = dtype.high + 1;
  R_xlen_t wrong = -1;
  if (TYPEOF(x) != REALSXP && dtype.high >= INT_MAX) {
    wrong = first_wrong(INTEGER(x), n, [](int v) { return v == NA_INTEGER; });
  } else if (TYPEOF(x) != REALSXP) {
    const int from = static_cast<int>(dtype.low), to = static_cast<int>(dtype.high);
    wrong = first_wrong(INTEGER(x), n, [=](int v) { return v < from || v > to; });
  } else if (is_integer64(x)) {
    const bool narrow = dtype.dtype != TS_INT64;
    wrong = first_wrong(REAL(x), n, [=](double v) {
      const int64_t bits = bits_of(v);
      return bits == INT64_MIN || (narrow && (bits <= low || bits >= high));
    });
  } else if (dtype.dtype == TS_INT64) {
    wrong = first_wrong(REAL(x), n, [](double v) { return !(v >= -kInt64End && v < kInt64End); });
  } else {
    wrong = first_wrong(REAL(x), n, [=](double v) { return !(v > low && v < high) && !(std::isinf(low) && std::isinf(v)); });
  }
  if (wrong >= 0) fail_number(x, wrong, dtype, what, is_na_at(x, wrong));
}

// Integers, logicals and integer64 that hold NA become doubles with NaN. Other vectors stay as they are.
SEXP with_nan(SEXP x) {
  if (TYPEOF(x) == REALSXP && !is_integer64(x)) return x;
  const R_xlen_t n = XLENGTH(x);
  const R_xlen_t first = TYPEOF(x) == REALSXP ? first_wrong(REAL(x), n, [](double v) { return bits_of(v) == INT64_MIN; })
                                              : first_wrong(INTEGER(x), n, [](int v) { return v == NA_INTEGER; });
  if (first < 0) return x;
  SEXP out = PROTECT(Rf_allocVector(REALSXP, n));
  for (R_xlen_t i = 0; i < n; ++i)
    REAL(out)[i] = is_na_at(x, i) ? R_NaN : TYPEOF(x) == REALSXP ? static_cast<double>(bits_of(REAL(x)[i])) : INTEGER(x)[i];
  SEXP dim = Rf_getAttrib(x, R_DimSymbol);
  if (dim != R_NilValue) Rf_setAttrib(out, R_DimSymbol, dim);
  UNPROTECT(1);
  return out;
}

// The dtype of an R vector in memory, and the dtype of the tensor where none is asked for.
struct Source {
  int dtype, natural;
  const void* data;
};

Source source_of(SEXP x) {
  switch (TYPEOF(x)) {
    case REALSXP: return is_integer64(x) ? Source{TS_INT64, TS_INT64, REAL(x)} : Source{TS_FLOAT64, TS_FLOAT32, REAL(x)};
    case INTSXP: return {TS_INT32, TS_INT64, INTEGER(x)};
    case LGLSXP: return {TS_INT32, TS_BOOLEAN, LOGICAL(x)};
    case CPLXSXP: return {TS_COMPLEX128, TS_COMPLEX64, COMPLEX(x)};
    case RAWSXP: return {TS_UINT8, TS_UINT8, RAW(x)};
    default: fail("type_error", "R type not handled: can't make a tensor of %s.", friendly(x));
  }
}

}  // namespace

void check_numbers(SEXP x, int dtype, const char* what) {
  const Whole* whole = TYPEOF(x) == CPLXSXP || TYPEOF(x) == RAWSXP ? nullptr : whole_dtype(dtype);
  if (whole) check_whole(x, *whole, what);
}

ts_tensor* tensor_from_vector(SEXP x, int dtype, const char* device, bool requires_grad, bool pin_memory, const char* what) {
  Source source = source_of(x);
  if (dtype < 0) dtype = source.natural;
  check_numbers(x, dtype, what);
  if (TYPEOF(x) != CPLXSXP && TYPEOF(x) != RAWSXP && !whole_dtype(dtype)) source = source_of(x = with_nan(x));
  PROTECT(x);
  SEXP dim = Rf_getAttrib(x, R_DimSymbol);
  size_t ndim = dim == R_NilValue ? 1 : static_cast<size_t>(XLENGTH(dim));
  int64_t one = XLENGTH(x);
  int64_t* sizes = &one;
  if (dim != R_NilValue) {
    sizes = reinterpret_cast<int64_t*>(R_alloc(ndim, sizeof(int64_t)));
    for (size_t i = 0; i < ndim; ++i) sizes[i] = INTEGER(dim)[i];
  }
  ts_tensor* out;
  check(shim().ts_tensor_from_data(source.data, source.dtype, sizes, ndim, dtype, device, requires_grad, pin_memory, &out));
  UNPROTECT(1);
  return out;
}
