#include "convert.h"

#include <cmath>
#include <cstring>

#include "value.h"

namespace {

constexpr int64_t kExact = int64_t{1} << 53;  // beyond it doubles skip integers
// LibTorch's ScalarType numbers.
constexpr int kUInt8 = 0, kInt8 = 1, kInt32 = 3, kInt64 = 4, kFloat32 = 6, kFloat64 = 7, kComplex64 = 9, kComplex128 = 10, kBool = 11;

bool has_class(SEXP x, const char* name) { return OBJECT(x) && Rf_inherits(x, name); }
bool is_integer64(SEXP x) { return TYPEOF(x) == REALSXP && has_class(x, "integer64"); }
bool is_number_vector(SEXP x) {
  return (TYPEOF(x) == REALSXP || TYPEOF(x) == INTSXP || TYPEOF(x) == LGLSXP) && !has_class(x, "factor");
}
bool is_atomic_data(SEXP x) { return is_number_vector(x) || TYPEOF(x) == CPLXSXP || TYPEOF(x) == RAWSXP; }
bool is_scalar(SEXP x) { return XLENGTH(x) == 1; }
bool is_string(SEXP x) { return TYPEOF(x) == STRSXP && XLENGTH(x) == 1 && STRING_ELT(x, 0) != NA_STRING; }
bool is_whole(double v) { return std::isfinite(v) && v == std::trunc(v) && std::fabs(v) < 9223372036854775808.0; }
bool is_plain_list(SEXP x) { return TYPEOF(x) == VECSXP; }

int64_t bits_of(double v) {
  int64_t bits;
  std::memcpy(&bits, &v, sizeof bits);
  return bits;
}

// One element of a number vector as an int64; false if it is not whole or NA.
bool whole_at(SEXP x, R_xlen_t i, int64_t* out) {
  switch (TYPEOF(x)) {
    case INTSXP:
      if (INTEGER(x)[i] == NA_INTEGER) return false;
      *out = INTEGER(x)[i];
      return true;
    case LGLSXP:
      if (LOGICAL(x)[i] == NA_LOGICAL) return false;
      *out = LOGICAL(x)[i];
      return true;
    case REALSXP: {
      const double v = REAL(x)[i];
      if (is_integer64(x)) {
        *out = bits_of(v);
        return *out != INT64_MIN;
      }
      if (!is_whole(v)) return false;
      *out = static_cast<int64_t>(v);
      return true;
    }
    default:
      return false;
  }
}

bool all_whole(SEXP x) {
  int64_t ignored;
  const R_xlen_t n = XLENGTH(x);
  for (R_xlen_t i = 0; i < n; ++i)
    if (!whole_at(x, i, &ignored)) return false;
  return true;
}

double double_at(SEXP x, R_xlen_t i) {
  switch (TYPEOF(x)) {
    case INTSXP: return INTEGER(x)[i] == NA_INTEGER ? NA_REAL : INTEGER(x)[i];
    case LGLSXP: return LOGICAL(x)[i] == NA_LOGICAL ? NA_REAL : LOGICAL(x)[i];
    default: return is_integer64(x) ? static_cast<double>(bits_of(REAL(x)[i])) : REAL(x)[i];
  }
}

int cost_of_list(SEXP x, const ts_type& element) {
  int worst = 0;
  const R_xlen_t n = XLENGTH(x);
  for (R_xlen_t i = 0; i < n; ++i) {
    const int one = cost(VECTOR_ELT(x, i), element);
    if (one < 0) return -1;
    if (one > worst) worst = one;
  }
  return worst;
}

// Vectors that stand for List[T] of a leaf kind.
int cost_of_vector_list(SEXP x, const ts_type& element) {
  switch (element.kind) {
    case TS_KIND_INT:
      if (!is_number_vector(x) || !all_whole(x)) return -1;
      return (TYPEOF(x) == LGLSXP ? 4 : TYPEOF(x) == INTSXP ? 0 : 1) + (is_scalar(x) ? 2 : 0);
    case TS_KIND_FLOAT:
      if (!is_number_vector(x)) return -1;
      return (TYPEOF(x) == REALSXP ? 0 : 2) + (is_scalar(x) ? 2 : 0);
    case TS_KIND_NUMBER:
      return is_number_vector(x) ? (is_scalar(x) ? 3 : 1) : -1;
    case TS_KIND_BOOL:
      return TYPEOF(x) == LGLSXP ? (is_scalar(x) ? 2 : 0) : -1;
    case TS_KIND_COMPLEX:
      return TYPEOF(x) == CPLXSXP ? 0 : is_number_vector(x) ? 3 : -1;
    case TS_KIND_STRING:
    case TS_KIND_DIMNAME:
      return TYPEOF(x) == STRSXP ? (is_scalar(x) ? 2 : 0) : -1;
    case TS_KIND_OPTIONAL:
      return cost_of_vector_list(x, *element.items[0]);
    default:
      return -1;
  }
}

bool is_named(SEXP x) {
  SEXP names = Rf_getAttrib(x, R_NamesSymbol);
  if (TYPEOF(names) != STRSXP || XLENGTH(names) == 0) return false;
  for (R_xlen_t i = 0; i < XLENGTH(names); ++i)
    if (STRING_ELT(names, i) == NA_STRING || CHAR(STRING_ELT(names, i))[0] == '\0') return false;
  return true;
}

ts_value float_value(double d) {
  ts_value value = tagged(TS_FLOAT);
  value.as.d = d;
  return value;
}
ts_value bool_value(bool b) {
  ts_value value = tagged(TS_BOOL);
  value.as.i = b;
  return value;
}
ts_value complex_value(double real, double imaginary) {
  ts_value value = tagged(TS_COMPLEX);
  value.as.z[0] = real;
  value.as.z[1] = imaginary;
  return value;
}
ts_value charsxp_value(SEXP s, int tag = TS_STRING) {
  ts_value value = tagged(tag);
  value.as.s = Rf_translateCharUTF8(s);
  value.len = static_cast<int64_t>(std::strlen(value.as.s));
  return value;
}
ts_value items_value(int tag, R_xlen_t n, R_xlen_t entries) {
  ts_value value = tagged(tag);
  value.len = n;
  value.as.items = reinterpret_cast<ts_value*>(R_alloc(entries + 1, sizeof(ts_value)));
  return value;
}

int64_t position(int64_t value, uint8_t flags) {
  if (!(flags & kPosition)) return value;
  if (value == 0) fail("value_error", "Indexing starts at 1 but found a 0.");
  return value > 0 ? value - 1 : value;
}

int64_t whole_or_fail(SEXP x, R_xlen_t i, const char* what) {
  int64_t value;
  if (!whole_at(x, i, &value)) fail("value_error", "`%s` must hold whole numbers without NA.", what);
  return value;
}

ts_value number_value(SEXP x, const char* what);

ts_value tensor_value(SEXP x, uint8_t flags, const char* what, Keeper& keeper) {
  SEXP cell = keeper.keep(new_cell(Kind::tensor));
  ts_tensor* tensor;
  if ((flags & kPromote) && is_scalar(x) && TYPEOF(x) != RAWSXP && Rf_getAttrib(x, R_DimSymbol) == R_NilValue) {
    const ts_value number = number_value(x, what);
    check(shim().ts_tensor_from_number(&number, keeper.like, &tensor));
  } else {
    tensor = tensor_from_vector(x, -1, nullptr, false, false);
  }
  set_handle(cell, tensor);
  return handle_value(TS_TENSOR, tensor);
}

ts_value index_value(ts_tensor* tensor, Keeper& keeper) {
  ts_tensor_info info;
  check(shim().ts_tensor_describe(tensor, &info));
  // Masks stay as they are, and what is no position at all is LibTorch's to refuse.
  if (info.dtype < kInt8 || info.dtype > kInt64) return handle_value(TS_TENSOR, tensor);
  SEXP cell = keeper.keep(new_cell(Kind::tensor));
  ts_tensor* shifted;
  check(shim().ts_positions_from_one(tensor, &shifted));
  set_handle(cell, shifted);
  return handle_value(TS_TENSOR, shifted);
}

ts_value vector_list_value(SEXP x, const ts_type& element, uint8_t flags, const char* what, int32_t length) {
  const ts_type& leaf = element.kind == TS_KIND_OPTIONAL ? *element.items[0] : element;
  const R_xlen_t n = XLENGTH(x);
  // `int[2]`: one number stands for all.
  const R_xlen_t wanted = n == 1 && length > 1 ? length : n;
  ts_value value = items_value(TS_LIST, wanted, wanted);
  for (R_xlen_t i = 0; i < wanted; ++i) {
    const R_xlen_t from = n == 1 ? 0 : i;
    ts_value& item = value.as.items[i];
    switch (leaf.kind) {
      case TS_KIND_INT:
        item = int_value(position(whole_or_fail(x, from, what), flags));
        break;
      case TS_KIND_BOOL:
        if (LOGICAL(x)[from] == NA_LOGICAL) fail("value_error", "`%s` must not hold NA.", what);
        item = bool_value(LOGICAL(x)[from] != 0);
        break;
      case TS_KIND_COMPLEX:
        item = TYPEOF(x) == CPLXSXP ? complex_value(COMPLEX(x)[from].r, COMPLEX(x)[from].i)
                                    : complex_value(double_at(x, from), 0);
        break;
      case TS_KIND_STRING:
      case TS_KIND_DIMNAME:
        if (STRING_ELT(x, from) == NA_STRING) fail("value_error", "`%s` must not hold NA.", what);
        item = charsxp_value(STRING_ELT(x, from));
        break;
      case TS_KIND_NUMBER:
        if (TYPEOF(x) == REALSXP) {
          item = float_value(double_at(x, from));
        } else {
          item = int_value(whole_or_fail(x, from, what));
        }
        break;
      default:
        item = float_value(double_at(x, from));
    }
  }
  return value;
}

ts_value number_value(SEXP x, const char* what) {
  switch (TYPEOF(x)) {
    case LGLSXP:
      if (LOGICAL(x)[0] == NA_LOGICAL) fail("value_error", "`%s` must not be NA.", what);
      return bool_value(LOGICAL(x)[0] != 0);
    case INTSXP:
      return int_value(whole_or_fail(x, 0, what));
    case REALSXP:
      return is_integer64(x) ? int_value(whole_or_fail(x, 0, what)) : float_value(REAL(x)[0]);
    case CPLXSXP:
      return complex_value(COMPLEX(x)[0].r, COMPLEX(x)[0].i);
    default:
      return handle_value(TS_TENSOR, tensor_of(x, what));
  }
}

int enum_of(SEXP x, const char* reader) {
  if (TYPEOF(x) == INTSXP) return INTEGER(x)[0];
  return INTEGER(call_package(reader, x))[0];
}

const char** names_of(SEXP x) {
  SEXP names = Rf_getAttrib(x, R_NamesSymbol);
  const R_xlen_t n = XLENGTH(names);
  auto** out = reinterpret_cast<const char**>(R_alloc(n + 1, sizeof(char*)));
  for (R_xlen_t i = 0; i < n; ++i) out[i] = Rf_translateCharUTF8(STRING_ELT(names, i));
  return out;
}

[[noreturn]] void fail_fit(SEXP x, const ts_type& type, const char* what) {
  fail("type_error", "`%s` must be %s, not %s.%s", what, type.text, friendly(x),
       type.kind == TS_KIND_TENSOR && is_atomic_data(x) ? " Use `torch_tensor()` to make a tensor of it." : "");
}

}  // namespace

const char* friendly(SEXP x) { return CHAR(STRING_ELT(call_package("friendly_type", x), 0)); }

int cost(SEXP x, const ts_type& type) {
  switch (type.kind) {
    case TS_KIND_OPTIONAL:
      if (x == R_NilValue) return 0;
      if (is_plain_list(x) && XLENGTH(x) == 0 && type.items[0]->kind != TS_KIND_LIST) return 0;
      return cost(x, *type.items[0]);
    case TS_KIND_TENSOR:
      if (is_tensor(x)) return 0;
      if (!is_atomic_data(x)) return -1;
      return is_scalar(x) ? 8 : 6;
    case TS_KIND_NUMBER:
      if (is_tensor(x)) {
        ts_tensor_info info;
        return shim().ts_tensor_describe(tensor_of(x), &info) == TS_OK && info.ndim == 0 && !info.requires_grad ? 12 : -1;
      }
      return (is_number_vector(x) || TYPEOF(x) == CPLXSXP) && is_scalar(x) ? 1 : -1;
    case TS_KIND_INT:
      if (!is_number_vector(x) || !is_scalar(x) || !all_whole(x)) return -1;
      return TYPEOF(x) == INTSXP || is_integer64(x) ? 0 : TYPEOF(x) == REALSXP ? 1 : 5;
    case TS_KIND_FLOAT:
      if (!is_number_vector(x) || !is_scalar(x)) return -1;
      return TYPEOF(x) == REALSXP ? 0 : TYPEOF(x) == INTSXP ? 1 : 5;
    case TS_KIND_BOOL:
      return TYPEOF(x) == LGLSXP && is_scalar(x) && LOGICAL(x)[0] != NA_LOGICAL ? 0 : -1;
    case TS_KIND_COMPLEX:
      if (TYPEOF(x) == CPLXSXP && is_scalar(x)) return 0;
      return is_number_vector(x) && is_scalar(x) ? 3 : -1;
    case TS_KIND_STRING:
      return is_string(x) && !OBJECT(x) ? 0 : is_string(x) ? 1 : -1;
    case TS_KIND_DIMNAME:
      return is_string(x) ? 0 : -1;
    case TS_KIND_DEVICE:
      return has_class(x, "torch_device") ? 0 : is_string(x) ? 2 : -1;
    case TS_KIND_DTYPE:
      return has_class(x, "torch_dtype") ? 0 : is_string(x) ? 3 : -1;
    case TS_KIND_LAYOUT:
      return has_class(x, "torch_layout") ? 0 : -1;
    case TS_KIND_MEMORY_FORMAT:
      return has_class(x, "torch_memory_format") ? 0 : -1;
    case TS_KIND_QSCHEME:
      return has_class(x, "torch_qscheme") ? 0 : -1;
    case TS_KIND_GENERATOR:
      return is_kind(x, Kind::generator) ? 0 : -1;
    case TS_KIND_NONE:
      return x == R_NilValue ? 0 : -1;
    case TS_KIND_LIST: {
      const ts_type& element = *type.items[0];
      if (is_plain_list(x)) return cost_of_list(x, element) < 0 ? -1 : 1 + cost_of_list(x, element);
      if (is_tensor(x)) return cost(x, element) == 0 ? 10 : -1;
      const int vector = cost_of_vector_list(x, element);
      if (vector >= 0 || !is_atomic_data(x)) return vector;
      return cost(x, element) >= 0 ? 11 : -1;
    }
    case TS_KIND_TUPLE:
      if (!is_plain_list(x) || static_cast<size_t>(XLENGTH(x)) != type.n) return -1;
      for (size_t i = 0; i < type.n; ++i)
        if (cost(VECTOR_ELT(x, i), *type.items[i]) < 0) return -1;
      return 1;
    case TS_KIND_DICT:
      if (!is_plain_list(x) || (XLENGTH(x) > 0 && !is_named(x)) || type.items[0]->kind != TS_KIND_STRING) return -1;
      return cost_of_list(x, *type.items[1]);
    case TS_KIND_OBJECT:
      return is_kind(x, Kind::object) || is_kind(x, Kind::module) || is_string(x) ? 0 : -1;
    case TS_KIND_STORAGE:
    case TS_KIND_STREAM:
      return is_kind(x, Kind::object) ? 0 : -1;
    case TS_KIND_ANY:
      return 4;
  }
  return -1;
}

ts_value to_value(SEXP x, const ts_type& type, uint8_t flags, const char* what, Keeper& keeper) {
  if (type.kind == TS_KIND_TENSOR && !(flags & kIndexTensor) && is_tensor(x))
    return handle_value(TS_TENSOR, tensor_of(x, what));
  if (cost(x, type) < 0) fail_fit(x, type, what);
  switch (type.kind) {
    case TS_KIND_OPTIONAL:
      if (x == R_NilValue) return tagged(TS_NONE);
      if (is_plain_list(x) && XLENGTH(x) == 0 && type.items[0]->kind != TS_KIND_LIST) return tagged(TS_NONE);
      return to_value(x, *type.items[0], flags, what, keeper);
    case TS_KIND_TENSOR: {
      ts_value value = is_tensor(x) ? handle_value(TS_TENSOR, tensor_of(x, what)) : tensor_value(x, flags, what, keeper);
      return flags & kIndexTensor ? index_value(static_cast<ts_tensor*>(value.as.handle), keeper) : value;
    }
    case TS_KIND_NUMBER:
      return number_value(x, what);
    case TS_KIND_INT:
      return int_value(position(whole_or_fail(x, 0, what), flags));
    case TS_KIND_FLOAT:
      return float_value(double_at(x, 0));
    case TS_KIND_BOOL:
      return bool_value(LOGICAL(x)[0] != 0);
    case TS_KIND_COMPLEX:
      return TYPEOF(x) == CPLXSXP ? complex_value(COMPLEX(x)[0].r, COMPLEX(x)[0].i) : complex_value(double_at(x, 0), 0);
    case TS_KIND_STRING:
    case TS_KIND_DIMNAME:
      return charsxp_value(STRING_ELT(x, 0));
    case TS_KIND_DEVICE:
      return charsxp_value(STRING_ELT(x, 0), TS_DEVICE);
    case TS_KIND_DTYPE:
      return int_value(enum_of(x, "as_dtype"));
    case TS_KIND_LAYOUT:
    case TS_KIND_MEMORY_FORMAT:
    case TS_KIND_QSCHEME:
      return int_value(INTEGER(x)[0]);
    case TS_KIND_GENERATOR:
      return handle_value(TS_GENERATOR, handle_of(x, Kind::generator, what));
    case TS_KIND_NONE:
      return tagged(TS_NONE);
    case TS_KIND_LIST: {
      const ts_type& element = *type.items[0];
      if (is_plain_list(x)) {
        const R_xlen_t n = XLENGTH(x);
        ts_value value = items_value(TS_LIST, n, n);
        for (R_xlen_t i = 0; i < n; ++i) value.as.items[i] = to_value(VECTOR_ELT(x, i), element, flags, what, keeper);
        return value;
      }
      if (!is_tensor(x) && cost_of_vector_list(x, element) >= 0)
        return vector_list_value(x, element, flags, what, type.length);
      ts_value value = items_value(TS_LIST, 1, 1);
      value.as.items[0] = to_value(x, element, flags, what, keeper);
      return value;
    }
    case TS_KIND_TUPLE: {
      ts_value value = items_value(TS_TUPLE, static_cast<R_xlen_t>(type.n), static_cast<R_xlen_t>(type.n));
      for (size_t i = 0; i < type.n; ++i)
        value.as.items[i] = to_value(VECTOR_ELT(x, i), *type.items[i], flags, what, keeper);
      return value;
    }
    case TS_KIND_DICT: {
      const R_xlen_t n = XLENGTH(x);
      ts_value value = items_value(TS_DICT, n, 2 * n);
      SEXP names = Rf_getAttrib(x, R_NamesSymbol);
      for (R_xlen_t i = 0; i < n; ++i) {
        value.as.items[2 * i] = charsxp_value(STRING_ELT(names, i));
        value.as.items[2 * i + 1] = to_value(VECTOR_ELT(x, i), *type.items[1], flags, what, keeper);
      }
      return value;
    }
    case TS_KIND_OBJECT:
    case TS_KIND_STORAGE:
    case TS_KIND_STREAM:
      if (is_kind(x, Kind::module)) return handle_value(TS_MODULE, handle_of(x, Kind::module, what));
      if (is_kind(x, Kind::object)) return handle_value(TS_OBJECT, handle_of(x, Kind::object, what));
      return charsxp_value(STRING_ELT(x, 0));
    case TS_KIND_ANY:
      return to_natural_value(x, what, keeper);
  }
  fail_fit(x, type, what);
}

ts_value to_natural_value(SEXP x, const char* what, Keeper& keeper) {
  if (x == R_NilValue) return tagged(TS_NONE);
  if (is_tensor(x)) return handle_value(TS_TENSOR, tensor_of(x, what));
  if (is_kind(x, Kind::module)) return handle_value(TS_MODULE, handle_of(x, Kind::module, what));
  if (is_kind(x, Kind::object)) return handle_value(TS_OBJECT, handle_of(x, Kind::object, what));
  if (is_kind(x, Kind::generator)) return handle_value(TS_GENERATOR, handle_of(x, Kind::generator, what));
  if (has_class(x, "torch_device")) return charsxp_value(STRING_ELT(x, 0), TS_DEVICE);
  if (is_string(x)) return charsxp_value(STRING_ELT(x, 0));
  if (is_plain_list(x)) {
    const R_xlen_t n = XLENGTH(x);
    bool all_tensors = true;
    for (R_xlen_t i = 0; i < n; ++i) all_tensors = all_tensors && is_tensor(VECTOR_ELT(x, i));
    const bool tuple = has_class(x, "jit_tuple"), named = n > 0 && is_named(x);
    if (named && all_tensors && !tuple) {
      ts_value value = items_value(TS_DICT, n, 2 * n);
      SEXP names = Rf_getAttrib(x, R_NamesSymbol);
      for (R_xlen_t i = 0; i < n; ++i) {
        value.as.items[2 * i] = charsxp_value(STRING_ELT(names, i));
        value.as.items[2 * i + 1] = to_natural_value(VECTOR_ELT(x, i), what, keeper);
      }
      return value;
    }
    ts_value value = items_value(all_tensors && !tuple ? TS_LIST : TS_TUPLE, n, n);
    if (named) value.names = names_of(x);
    for (R_xlen_t i = 0; i < n; ++i) value.as.items[i] = to_natural_value(VECTOR_ELT(x, i), what, keeper);
    return value;
  }
  if (is_number_vector(x)) {
    if (has_class(x, "jit_scalar")) return number_value(x, what);
    ts_type element{};
    element.kind = TYPEOF(x) == LGLSXP ? TS_KIND_BOOL : TYPEOF(x) == INTSXP || is_integer64(x) ? TS_KIND_INT : TS_KIND_FLOAT;
    return vector_list_value(x, element, kPlain, what, 0);
  }
  if (TYPEOF(x) == CPLXSXP && has_class(x, "jit_scalar")) return number_value(x, what);
  fail("type_error", "Unsupported type: `%s` must be a tensor, a list of tensors, a number, a string or a logical, not %s.",
       what, friendly(x));
}

SEXP string_sexp(const ts_value& value) {
  SEXP s = PROTECT(Rf_mkCharLenCE(value.as.s, static_cast<int>(value.len), CE_UTF8));
  SEXP out = Rf_ScalarString(s);
  UNPROTECT(1);
  return out;
}

namespace {

SEXP with_class(SEXP x, const char* name) {
  PROTECT(x);
  SEXP class_ = PROTECT(Rf_mkString(name));
  Rf_setAttrib(x, R_ClassSymbol, class_);
  UNPROTECT(2);
  return x;
}

// int64 is a double where that is exact; if one element is not, all are integer64.
SEXP ints_sexp(const ts_value* items, R_xlen_t n) {
  SEXP out = PROTECT(Rf_allocVector(REALSXP, n));
  bool exact = true;
  for (R_xlen_t i = 0; i < n; ++i) exact = exact && items[i].as.i <= kExact && items[i].as.i >= -kExact;
  for (R_xlen_t i = 0; i < n; ++i) {
    if (exact)
      REAL(out)[i] = static_cast<double>(items[i].as.i);
    else
      std::memcpy(&REAL(out)[i], &items[i].as.i, sizeof(double));
  }
  if (!exact) with_class(out, "integer64");
  UNPROTECT(1);
  return out;
}

bool all_tagged(const ts_value& list, int tag) {
  for (int64_t i = 0; i < list.len; ++i)
    if (list.as.items[i].tag != tag) return false;
  return list.len > 0;
}

SEXP items_sexp(ts_value* items, R_xlen_t n, R_xlen_t step) {
  SEXP out = PROTECT(Rf_allocVector(VECSXP, n));
  for (R_xlen_t i = 0; i < n; ++i) SET_VECTOR_ELT(out, i, to_sexp(items[i * step]));
  UNPROTECT(1);
  return out;
}

SEXP list_sexp(ts_value& value) {
  if (all_tagged(value, TS_INT)) return ints_sexp(value.as.items, value.len);
  if (all_tagged(value, TS_FLOAT)) {
    SEXP out = Rf_allocVector(REALSXP, value.len);
    for (int64_t i = 0; i < value.len; ++i) REAL(out)[i] = value.as.items[i].as.d;
    return out;
  }
  if (all_tagged(value, TS_BOOL)) {
    SEXP out = Rf_allocVector(LGLSXP, value.len);
    for (int64_t i = 0; i < value.len; ++i) LOGICAL(out)[i] = value.as.items[i].as.i != 0;
    return out;
  }
  return items_sexp(value.as.items, value.len, 1);
}

SEXP dict_sexp(ts_value& value) {
  SEXP values = PROTECT(items_sexp(value.as.items + 1, value.len, 2));
  bool text = true;
  for (int64_t i = 0; i < value.len; ++i) text = text && value.as.items[2 * i].tag == TS_STRING;
  SEXP keys = PROTECT(text ? Rf_allocVector(STRSXP, value.len) : items_sexp(value.as.items, value.len, 2));
  if (text) {
    for (int64_t i = 0; i < value.len; ++i)
      SET_STRING_ELT(keys, i, STRING_ELT(string_sexp(value.as.items[2 * i]), 0));
    Rf_setAttrib(values, R_NamesSymbol, keys);
    UNPROTECT(2);
    return values;
  }
  SEXP dict = call_package("new_torch_dict", keys, values);
  UNPROTECT(2);
  return dict;
}

SEXP take(Kind kind, ts_value& value) {
  SEXP cell = new_cell(kind);
  set_handle(cell, value.as.handle);
  value.as.handle = nullptr;
  return cell;
}

}  // namespace

SEXP to_sexp(ts_value& value) {
  switch (value.tag) {
    case TS_TENSOR:
      return take(Kind::tensor, value);
    case TS_INT:
      return ints_sexp(&value, 1);
    case TS_FLOAT:
      return Rf_ScalarReal(value.as.d);
    case TS_BOOL:
      return Rf_ScalarLogical(value.as.i != 0);
    case TS_COMPLEX: {
      Rcomplex z;
      z.r = value.as.z[0];
      z.i = value.as.z[1];
      return Rf_ScalarComplex(z);
    }
    case TS_STRING:
      return string_sexp(value);
    case TS_DEVICE:
      return with_class(string_sexp(value), "torch_device");
    case TS_GENERATOR:
      return take(Kind::generator, value);
    case TS_LIST:
      return list_sexp(value);
    case TS_TUPLE: {
      SEXP out = PROTECT(items_sexp(value.as.items, value.len, 1));
      if (value.names) {
        SEXP names = PROTECT(Rf_allocVector(STRSXP, value.len));
        for (int64_t i = 0; i < value.len; ++i) SET_STRING_ELT(names, i, Rf_mkCharCE(value.names[i], CE_UTF8));
        Rf_setAttrib(out, R_NamesSymbol, names);
        UNPROTECT(1);
      }
      UNPROTECT(1);
      return out;
    }
    case TS_DICT:
      return dict_sexp(value);
    case TS_MODULE: {
      SEXP handle = PROTECT(take(Kind::module, value));
      SEXP module = call_package("new_script_module", handle);
      UNPROTECT(1);
      return module;
    }
    case TS_ENUM: {
      SEXP parts = PROTECT(items_sexp(value.as.items, 3, 1));
      SEXP out = call_package("new_torch_enum", parts);
      UNPROTECT(1);
      return out;
    }
    case TS_OBJECT:
      return take(Kind::object, value);
    default:
      return R_NilValue;
  }
}

ts_tensor* tensor_from_vector(SEXP x, int dtype, const char* device, bool requires_grad, bool pin_memory) {
  int source, natural;
  const void* data;
  switch (TYPEOF(x)) {
    case REALSXP:
      source = is_integer64(x) ? kInt64 : kFloat64;
      natural = is_integer64(x) ? kInt64 : kFloat32;
      data = REAL(x);
      break;
    case INTSXP:
      source = kInt32;
      natural = kInt64;
      data = INTEGER(x);
      break;
    case LGLSXP:
      source = kInt32;
      natural = kBool;
      data = LOGICAL(x);
      break;
    case CPLXSXP:
      source = kComplex128;
      natural = kComplex64;
      data = COMPLEX(x);
      break;
    case RAWSXP:
      source = natural = kUInt8;
      data = RAW(x);
      break;
    default:
      fail("type_error", "R type not handled: can't make a tensor of %s.", friendly(x));
  }
  SEXP dim = Rf_getAttrib(x, R_DimSymbol);
  size_t ndim = dim == R_NilValue ? 1 : static_cast<size_t>(XLENGTH(dim));
  int64_t one = XLENGTH(x);
  int64_t* sizes = &one;
  if (dim != R_NilValue) {
    sizes = reinterpret_cast<int64_t*>(R_alloc(ndim, sizeof(int64_t)));
    for (size_t i = 0; i < ndim; ++i) sizes[i] = INTEGER(dim)[i];
  }
  ts_tensor* out;
  check(shim().ts_tensor_from_data(data, source, sizes, ndim, dtype < 0 ? natural : dtype, device, requires_grad,
                                   pin_memory, &out));
  return out;
}
