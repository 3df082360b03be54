// Tensors: conversion from and to R's vectors, facts about them, and `$`.
#include "convert.h"

#include <cmath>
#include <cstring>

#include "memory.h"
#include "operate.h"
#include "trace.h"
#include "value.h"
#include "values.h"

namespace {

void refuse_undefined(const ts_tensor_info& info) {
  if (!info.defined) fail("value_error", "This tensor is undefined: it holds no values.");
}

ts_tensor_info describe(SEXP x) {
  ts_tensor_info info;
  check(shim().ts_tensor_describe(tensor_of(x), &info));
  refuse_undefined(info);
  return info;
}

SEXP sizes_sexp(const int64_t* sizes, int64_t n) {
  bool fits = true;
  for (int64_t i = 0; i < n; ++i) fits = fits && sizes[i] <= INT_MAX;
  SEXP out = Rf_allocVector(fits ? INTSXP : REALSXP, n);
  for (int64_t i = 0; i < n; ++i) {
    if (fits)
      INTEGER(out)[i] = static_cast<int>(sizes[i]);
    else
      REAL(out)[i] = static_cast<double>(sizes[i]);
  }
  return out;
}

// int64 values in the narrowest R type that holds all of them: integer, double up to 2^53, or integer64.
SEXP int64_sexp(ts_tensor* tensor, int64_t n) {
  SEXP wide = PROTECT(Rf_allocVector(REALSXP, n));
  auto* values = reinterpret_cast<int64_t*>(REAL(wide));
  check(shim().ts_tensor_to_data(tensor, values, TS_INT64));
  int64_t low = 0, high = 0;
  for (int64_t i = 0; i < n; ++i) {
    low = values[i] < low ? values[i] : low;
    high = values[i] > high ? values[i] : high;
  }
  SEXP out = wide;
  bool exact = low >= -kExact && high <= kExact;
  // integer64 uses the smallest int64 for NA.
  if (low == INT64_MIN) {
    exact = true;
    for (int64_t i = 0; i < n; ++i) exact = exact && is_exact_double(values[i]);
  }
  // In R's integers -2^31 is NA.
  if (low > INT_MIN && high <= INT_MAX) {
    out = Rf_allocVector(INTSXP, n);
    for (int64_t i = 0; i < n; ++i) INTEGER(out)[i] = static_cast<int>(values[i]);
  } else if (exact) {
    for (int64_t i = 0; i < n; ++i) REAL(wide)[i] = static_cast<double>(values[i]);
  } else {
    make_integer64(wide, low == INT64_MIN);
  }
  UNPROTECT(1);
  return out;
}

// Integers become doubles if one is -2^31, which is R's NA.
SEXP without_na(SEXP x) {
  if (TYPEOF(x) != INTSXP) return x;
  const int* values = INTEGER(x);
  const R_xlen_t n = XLENGTH(x);
  bool has_na = false;
  for (R_xlen_t i = 0; i < n; ++i) has_na |= values[i] == INT_MIN;
  if (!has_na) return x;
  SEXP out = Rf_allocVector(REALSXP, n);
  for (R_xlen_t i = 0; i < n; ++i) REAL(out)[i] = values[i];
  return out;
}

struct RType {
  SEXPTYPE type;
  int as;  // the dtype of the R vector's memory
};

RType r_type_of(const ts_tensor_info& info) {
  const char* name = shim().ts_dtype_name(info.dtype);
  if (info.is_complex) return {CPLXSXP, TS_COMPLEX128};
  if (info.is_floating_point) return {REALSXP, TS_FLOAT64};
  if (std::strcmp(name, "Bool") == 0) return {LGLSXP, TS_INT32};
  if (std::strcmp(name, "Byte") == 0) return {RAWSXP, TS_UINT8};
  if (std::strcmp(name, "Int") == 0 || std::strcmp(name, "Short") == 0 || std::strcmp(name, "Char") == 0)
    return {INTSXP, TS_INT32};
  return {REALSXP, TS_INT64};
}

SEXP values_sexp(ts_tensor* tensor, const ts_tensor_info& info) {
  const RType type = r_type_of(info);
  SEXP out;
  if (type.as == TS_INT64) {
    out = PROTECT(int64_sexp(tensor, info.numel));
  } else {
    const bool large = type.type == REALSXP && info.numel >= 1 << 15;
    out = PROTECT(large ? new_large_doubles(info.numel) : Rf_allocVector(type.type, info.numel));
    void* data = type.type == INTSXP || type.type == LGLSXP ? static_cast<void*>(INTEGER(out))
                 : type.type == RAWSXP                      ? static_cast<void*>(RAW(out))
                 : type.type == CPLXSXP                     ? static_cast<void*>(COMPLEX(out))
                                                            : static_cast<void*>(REAL(out));
    check(shim().ts_tensor_to_data(tensor, data, type.as));
    if (info.dtype == TS_INT32) {
      out = without_na(out);
      UNPROTECT(1);
      PROTECT(out);
    }
  }
  if (info.ndim > 1) {
    SEXP dim = PROTECT(sizes_sexp(info.sizes, info.ndim));
    Rf_setAttrib(out, R_DimSymbol, dim);
    UNPROTECT(1);
  }
  UNPROTECT(1);
  return out;
}
}  // namespace

// The values as an R vector (of 0-d and 1-d tensors) or array.
RcppExport SEXP C_to_r(SEXP x) {
  leaves_trace(x);
  const ts_tensor_info info = describe(x);
  if (info.is_sparse || !info.strides)
    fail("type_error", "Sparse tensors are not supported. Use `$to_dense()` first.");
  if (info.is_quantized) return call_package("quantized_array", x);
  return operate_taking([&] { return values_sexp(tensor_of(x), info); });
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_tensor_from_r(SEXP data, SEXP dtype, SEXP device, SEXP requires_grad, SEXP pin_memory) {
  const void* memory = vmaxget();
  SEXP tensor = asked<ts_tensor>(Kind::tensor, [&](ts_tensor** out) {
    *out = tensor_from_vector(data, dtype == R_NilValue ? -1 : dtype_of(dtype),
                              device == R_NilValue ? nullptr : CHAR(STRING_ELT(device, 0)),
                              Rf_asLogical(requires_grad) == TRUE, Rf_asLogical(pin_memory) == TRUE);
    return TS_OK;
  });
  vmaxset(memory);
  return tensor;
}

// The values as exact integer64, with dimensions.
// [[Rcpp::export(rng = false)]]
SEXP cpp_tensor_to_integer64(SEXP x) {
  leaves_trace(x);
  const ts_tensor_info info = describe(x);
  SEXP out = PROTECT(Rf_allocVector(REALSXP, info.numel));
  operate([&] { return shim().ts_tensor_to_data(tensor_of(x), REAL(out), TS_INT64); });
  bool lowest = false;
  for (R_xlen_t i = 0; i < XLENGTH(out); ++i) lowest = lowest || bits_of(REAL(out)[i]) == INT64_MIN;
  if (info.ndim > 1) {
    SEXP dim = PROTECT(sizes_sexp(info.sizes, info.ndim));
    Rf_setAttrib(out, R_DimSymbol, dim);
    UNPROTECT(1);
  }
  make_integer64(out, lowest);
  UNPROTECT(1);
  return out;
}

// The single element as an R scalar, for the package's own use: the trace follows it in another way.
RcppExport SEXP C_count(SEXP x) {
  ts_value value;
  operate([&] { return shim().ts_tensor_item(tensor_of(x), &value); });
  if (value.tag == TS_INT && value.as.i > INT_MIN && value.as.i <= INT_MAX)
    return Rf_ScalarInteger(static_cast<int>(value.as.i));
  return to_sexp(value);
}

// The single element as an R scalar.
RcppExport SEXP C_item(SEXP x) {
  leaves_trace(x);
  return C_count(x);
}

// The sizes as plain numbers, for the package's own use. R's vectors and arrays have sizes too.
RcppExport SEXP C_shape(SEXP x) {
  if (Rf_isNumeric(x) || Rf_isLogical(x) || Rf_isComplex(x) || TYPEOF(x) == RAWSXP) {
    SEXP dim = Rf_getAttrib(x, R_DimSymbol);
    return dim == R_NilValue ? Rf_ScalarInteger(Rf_length(x)) : dim;
  }
  const ts_tensor_info info = describe(x);
  return sizes_sexp(info.sizes, info.ndim);
}

// The sizes as users get them: while a trace runs, they belong to it.
RcppExport SEXP C_size(SEXP x) {
  const ts_tensor_info info = describe(x);
  SEXP traced = tracing ? traced_sizes(x, info, false) : R_NilValue;
  return traced == R_NilValue ? sizes_sexp(info.sizes, info.ndim) : traced;
}

namespace {
SEXP numel(const ts_tensor_info& info) {
  const double n = info.defined ? static_cast<double>(info.numel) : 0;
  return n <= INT_MAX ? Rf_ScalarInteger(static_cast<int>(n)) : Rf_ScalarReal(n);
}
}  // namespace

RcppExport SEXP C_numel(SEXP x) {
  ts_tensor_info info;
  check(shim().ts_tensor_describe(tensor_of(x), &info));
  SEXP traced = tracing ? traced_sizes(x, info, true) : R_NilValue;
  return traced == R_NilValue ? numel(info) : traced;
}

// R's length() must return a plain number.
RcppExport SEXP C_length(SEXP x) {
  leaves_trace(x);
  ts_tensor_info info;
  check(shim().ts_tensor_describe(tensor_of(x), &info));
  return numel(info);
}

namespace {
// The numbers of `tensor_facts` in R/contract.R.
enum class Fact { dtype, device, requires_grad, is_leaf, ndim, is_cuda, layout, is_sparse, is_quantized, is_floating_point, is_complex, strides, defined, sizes };
}  // namespace

// A fact about a tensor that does not depend on its values.
RcppExport SEXP C_field(SEXP x, SEXP which) {
  const auto fact = static_cast<Fact>(INTEGER(which)[0]);
  if (fact == Fact::sizes) return C_size(x);
  ts_tensor_info info;
  check(shim().ts_tensor_describe(tensor_of(x), &info));
  if (fact == Fact::defined) return Rf_ScalarLogical(info.defined);
  refuse_undefined(info);
  switch (fact) {
    case Fact::dtype: return Rf_ScalarInteger(info.dtype);
    case Fact::device: return Rf_mkString(info.device);
    case Fact::requires_grad: return Rf_ScalarLogical(info.requires_grad);
    case Fact::is_leaf: return Rf_ScalarLogical(info.is_leaf);
    case Fact::ndim: return Rf_ScalarInteger(static_cast<int>(info.ndim));
    case Fact::is_cuda: return Rf_ScalarLogical(info.is_cuda);
    case Fact::layout: return Rf_ScalarInteger(info.layout);
    case Fact::is_sparse: return Rf_ScalarLogical(info.is_sparse);
    case Fact::is_quantized: return Rf_ScalarLogical(info.is_quantized);
    case Fact::is_floating_point: return Rf_ScalarLogical(info.is_floating_point);
    case Fact::is_complex: return Rf_ScalarLogical(info.is_complex);
    default: return info.strides ? sizes_sexp(info.strides, info.ndim) : R_NilValue;
  }
}

namespace {
bool same_names(SEXP a, SEXP b) {
  if (a == b) return true;
  if (TYPEOF(a) != STRSXP || TYPEOF(b) != STRSXP || XLENGTH(a) != XLENGTH(b)) return false;
  for (R_xlen_t i = 0; i < XLENGTH(a); ++i)
    if (STRING_ELT(a, i) != STRING_ELT(b, i)) return false;
  return true;
}
}  // namespace

// Transposes a list of lists that have the same length and names: gives a list of their first elements, one of their
// second elements, and so on. NULL if the lists differ.
RcppExport SEXP C_columns(SEXP items) {
  const R_xlen_t n = XLENGTH(items);
  SEXP first = VECTOR_ELT(items, 0), names = Rf_getAttrib(first, R_NamesSymbol);
  for (R_xlen_t i = 0; i < n; ++i) {
    SEXP item = VECTOR_ELT(items, i);
    if (TYPEOF(item) != VECSXP || XLENGTH(item) != XLENGTH(first) || !same_names(Rf_getAttrib(item, R_NamesSymbol), names))
      return R_NilValue;
  }
  SEXP out = PROTECT(Rf_allocVector(VECSXP, XLENGTH(first)));
  for (R_xlen_t j = 0; j < XLENGTH(first); ++j) {
    SEXP column = Rf_allocVector(VECSXP, n);
    SET_VECTOR_ELT(out, j, column);
    for (R_xlen_t i = 0; i < n; ++i) SET_VECTOR_ELT(column, i, VECTOR_ELT(VECTOR_ELT(items, i), j));
  }
  UNPROTECT(1);
  return out;
}

// Whether all elements of a list are vectors of the same basic type and length, without class or dimensions, so that
// they can be rows of a matrix.
RcppExport SEXP C_are_rows(SEXP list) {
  const R_xlen_t n = XLENGTH(list);
  for (R_xlen_t i = 0; i < n; ++i) {
    SEXP item = VECTOR_ELT(list, i), first = VECTOR_ELT(list, 0);
    if (!Rf_isVectorAtomic(item) || TYPEOF(item) != TYPEOF(first) || XLENGTH(item) != XLENGTH(first) ||
        Rf_isObject(item) || Rf_getAttrib(item, R_DimSymbol) != R_NilValue)
      return Rf_ScalarLogical(FALSE);
  }
  return Rf_ScalarLogical(n > 0);
}

// The address of the TensorImpl, as text.
// [[Rcpp::export(rng = false)]]
SEXP cpp_tensor_address(SEXP x) {
  char text[32];
  std::snprintf(text, sizeof text, "%p", static_cast<void*>(tensor_of(x)));
  return Rf_mkString(text);
}

// The address of the tensor's memory, as text.
// [[Rcpp::export(rng = false)]]
SEXP cpp_tensor_storage(SEXP x) {
  uint64_t address;
  check(shim().ts_tensor_storage(tensor_of(x), &address));
  char text[32];
  std::snprintf(text, sizeof text, "0x%llx", static_cast<unsigned long long>(address));
  return Rf_mkString(text);
}

// A tensor that uses the memory of an R vector. The vector is kept until the last tensor on it is gone.
// [[Rcpp::export(rng = false)]]
SEXP cpp_tensor_from_buffer(SEXP buffer, SEXP shape, SEXP dtype) {
  const void* memory = vmaxget();
  const R_xlen_t n = Rf_xlength(shape);
  auto* sizes = reinterpret_cast<int64_t*>(R_alloc(n + 1, sizeof(int64_t)));
  double elements = 1;
  for (R_xlen_t i = 0; i < n; ++i) elements *= static_cast<double>(sizes[i] = static_cast<int64_t>(REAL(shape)[i]));
  void* data = nullptr;
  double bytes = 0;
  switch (TYPEOF(buffer)) {
    case RAWSXP: data = RAW(buffer); bytes = 1.0 * XLENGTH(buffer); break;
    case INTSXP: data = INTEGER(buffer); bytes = 4.0 * XLENGTH(buffer); break;
    case REALSXP: data = REAL(buffer); bytes = 8.0 * XLENGTH(buffer); break;
    case CPLXSXP: data = COMPLEX(buffer); bytes = 16.0 * XLENGTH(buffer); break;
    default: fail("type_error", "`buffer` must be a raw, integer, double or complex vector, not %s.", friendly(buffer));
  }
  int floating, complex_, size;
  check(shim().ts_dtype_info(dtype_of(dtype), &floating, &complex_, &size));
  if (elements * size > bytes)
    fail("value_error", "`buffer` has %.0f bytes, but `shape` and `dtype` need %.0f.", bytes, elements * size);
  SEXP tensor = asked<ts_tensor>(Kind::tensor, [&](ts_tensor** out) {
    return shim().ts_tensor_from_buffer(
        data, sizes, static_cast<size_t>(n), dtype_of(dtype),
        [](void* cell) { queue_released_object(static_cast<SEXP>(cell)); }, keep_object(buffer), out);
  });
  vmaxset(memory);
  return tensor;
}

namespace {

// A table of the members of tensors. A method is a closure, whose `self` is bound at each `$`. A field is a function of
// the tensor, or a number for C_field. The key is the address of the name, a CHARSXP that is preserved.
struct Member {
  SEXP name, value;
  bool is_field;
};
Member members[4096];

size_t place_of(SEXP name) {
  size_t i = (reinterpret_cast<uintptr_t>(name) >> 4) * 0x9E3779B97F4A7C15ull >> 20 & 4095;
  while (members[i].name && members[i].name != name) i = (i + 1) & 4095;
  return i;
}

const Member* find_member(SEXP name) {
  static int n = 0;
  const size_t i = place_of(name);
  if (members[i].name) return &members[i];
  SEXP text = PROTECT(Rf_ScalarString(name));
  SEXP found = PROTECT(call_package("tensor_member", text));
  // `found` is list(is_field, a function or a number for C_field), or NULL.
  if (found == R_NilValue || n >= 3500) {
    UNPROTECT(2);
    return nullptr;
  }
  ++n;
  R_PreserveObject(name);
  R_PreserveObject(VECTOR_ELT(found, 1));
  members[i] = {name, VECTOR_ELT(found, 1), Rf_asLogical(VECTOR_ELT(found, 0)) == TRUE};
  UNPROTECT(2);
  return &members[i];
}

}  // namespace

// Computes `x$name`.
RcppExport SEXP C_dollar(SEXP x, SEXP name) {
  static SEXP self = Rf_install("self");
  const Member* member = find_member(STRING_ELT(name, 0));
  if (!member) return call_package("unknown_member", x, name);
  if (TYPEOF(member->value) == INTSXP) return C_field(x, member->value);
  SEXP environment = PROTECT(R_NewEnv(package_namespace(), FALSE, 1));
  Rf_defineVar(self, x, environment);
  if (member->is_field) {
    SEXP call = PROTECT(Rf_lang2(member->value, self));
    SEXP value = Rf_eval(call, environment);
    UNPROTECT(2);
    return value;
  }
  SEXP method = closure_in(member->value, environment);
  UNPROTECT(1);
  return method;
}
