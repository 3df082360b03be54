#include "values.h"

#include <cmath>
#include <cstring>

#include "value.h"

int64_t bits_of(double v) {
  int64_t bits;
  std::memcpy(&bits, &v, sizeof bits);
  return bits;
}

bool is_coded(SEXP x) {
  static const char* const classes[] = {"factor", "Date", "POSIXct", "difftime", "R7", "torch_dtype", "torch_layout",
                                        "torch_memory_format", "torch_qscheme"};
  if (!Rf_isObject(x) || TYPEOF(x) == EXTPTRSXP) return false;
  for (const char* name : classes)
    if (Rf_inherits(x, name)) return true;
  return false;
}
bool is_number_vector(SEXP x) {
  return (TYPEOF(x) == REALSXP || TYPEOF(x) == INTSXP || TYPEOF(x) == LGLSXP) && !is_coded(x);
}
bool is_atomic_data(SEXP x) { return is_number_vector(x) || TYPEOF(x) == CPLXSXP || TYPEOF(x) == RAWSXP; }
bool is_scalar_na(SEXP x) {
  if (TYPEOF(x) == LGLSXP || TYPEOF(x) == INTSXP) return is_scalar(x) && INTEGER(x)[0] == NA_INTEGER;
  return is_integer64(x) && is_scalar(x) && bits_of(REAL(x)[0]) == INT64_MIN;
}
bool is_enum(SEXP x) { return TYPEOF(x) == STRSXP && XLENGTH(x) == 1 && has_class(x, "torch_enum"); }
bool is_code(SEXP x, const char* class_) {
  if (TYPEOF(x) != INTSXP || XLENGTH(x) != 1 || !has_class(x, class_)) return false;
  // A user may have put the class on any number, and LibTorch uses it as a position in its tables unchecked.
  const int code = INTEGER(x)[0];
  if (std::strcmp(class_, "torch_dtype") == 0) {
    if (shim().ts_dtype_name(code)) return true;
    SEXP lacking = call_package("lacking_dtype", x);
    if (lacking != R_NilValue) fail_lacking(CHAR(STRING_ELT(lacking, 0)), CHAR(STRING_ELT(lacking, 1)));
    return false;
  }
  return code >= 0 && code < (std::strcmp(class_, "torch_layout") == 0          ? 8
                              : std::strcmp(class_, "torch_memory_format") == 0 ? 4
                                                                                : 5);
}

int dtype_of(SEXP x) {
  if (!is_code(x, "torch_dtype")) fail("type_error", "`dtype` must be a torch_dtype or its name, not %s.", friendly(x));
  return INTEGER(x)[0];
}

bool flag_of(SEXP x, const char* name) {
  if (TYPEOF(x) != LGLSXP || XLENGTH(x) != 1 || LOGICAL(x)[0] == NA_LOGICAL)
    fail("type_error", "`%s` must be TRUE or FALSE, not %s.", name, friendly(x));
  return LOGICAL(x)[0];
}

bool is_string(SEXP x) {
  return TYPEOF(x) == STRSXP && XLENGTH(x) == 1 && STRING_ELT(x, 0) != NA_STRING && !is_enum(x);
}
bool is_whole(double v) { return std::isfinite(v) && v == std::trunc(v) && std::fabs(v) < 9223372036854775808.0; }
bool is_device(SEXP x) { return is_string(x) && has_class(x, "torch_device"); }
// Whether `x` is a list of keys and values. A user may have put that class on anything.
bool is_dict(SEXP x) {
  return TYPEOF(x) == VECSXP && XLENGTH(x) == 2 && has_class(x, "torch_dict") && TYPEOF(VECTOR_ELT(x, 1)) == VECSXP &&
         Rf_isVector(VECTOR_ELT(x, 0)) && XLENGTH(VECTOR_ELT(x, 0)) == XLENGTH(VECTOR_ELT(x, 1));
}
bool is_plain_list(SEXP x) { return TYPEOF(x) == VECSXP && !is_dict(x); }
bool is_sequence(SEXP x) {
  return is_plain_list(x) || is_number_vector(x) || TYPEOF(x) == CPLXSXP || (TYPEOF(x) == STRSXP && !is_enum(x));
}

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

bool double_at(SEXP x, R_xlen_t i, double* out) {
  switch (TYPEOF(x)) {
    case INTSXP:
      *out = INTEGER(x)[i] == NA_INTEGER ? NA_REAL : INTEGER(x)[i];
      return true;
    case LGLSXP:
      *out = LOGICAL(x)[i] == NA_LOGICAL ? NA_REAL : LOGICAL(x)[i];
      return true;
    default: {
      if (!is_integer64(x)) {
        *out = REAL(x)[i];
        return true;
      }
      const int64_t bits = bits_of(REAL(x)[i]);
      *out = bits == INT64_MIN ? NA_REAL : static_cast<double>(bits);
      return bits == INT64_MIN || (bits <= kExact && bits >= -kExact) ||
             (std::fabs(*out) < 9223372036854775808.0 && static_cast<int64_t>(*out) == bits);
    }
  }
}

SEXP element(SEXP x, R_xlen_t i) {
  switch (TYPEOF(x)) {
    case VECSXP:
      return VECTOR_ELT(x, i);
    case LGLSXP:
      return Rf_ScalarLogical(LOGICAL(x)[i]);
    case INTSXP:
      return Rf_ScalarInteger(INTEGER(x)[i]);
    case CPLXSXP:
      return Rf_ScalarComplex(COMPLEX(x)[i]);
    case STRSXP:
      return Rf_ScalarString(STRING_ELT(x, i));
    case RAWSXP:
      return Rf_ScalarRaw(RAW(x)[i]);
    default: {
      SEXP one = Rf_ScalarReal(REAL(x)[i]);
      if (is_integer64(x)) {
        PROTECT(one);
        Rf_setAttrib(one, R_ClassSymbol, Rf_getAttrib(x, R_ClassSymbol));
        UNPROTECT(1);
      }
      return one;
    }
  }
}

bool is_named(SEXP x) {
  SEXP names = Rf_getAttrib(x, R_NamesSymbol);
  if (TYPEOF(names) != STRSXP || XLENGTH(names) == 0) return false;
  for (R_xlen_t i = 0; i < XLENGTH(names); ++i)
    if (STRING_ELT(names, i) == NA_STRING || CHAR(STRING_ELT(names, i))[0] == '\0') return false;
  return true;
}

bool is_none(SEXP x, const ts_type& optional) {
  return x == R_NilValue ||
         (is_plain_list(x) && XLENGTH(x) == 0 && optional.items[0]->kind == TS_KIND_TENSOR);
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
ts_value charsxp_value(SEXP s, int tag) {
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

ts_value number_value(SEXP x, uint8_t flags, const char* what) {
  // NA is neither a whole number nor a logical: it becomes NaN, as in R's arithmetic.
  if (is_scalar_na(x)) return float_value(R_NaN);
  switch (TYPEOF(x)) {
    case LGLSXP:
      return bool_value(LOGICAL(x)[0] != 0);
    case REALSXP:
      if (is_integer64(x)) return int_value(bits_of(REAL(x)[0]));
      if (flags & kWhole && is_whole(REAL(x)[0])) return int_value(static_cast<int64_t>(REAL(x)[0]));
      return float_value(REAL(x)[0]);
    case INTSXP:
      return int_value(INTEGER(x)[0]);
    case CPLXSXP:
      return complex_value(COMPLEX(x)[0].r, COMPLEX(x)[0].i);
    default:
      return handle_value(TS_TENSOR, tensor_of(x, what));
  }
}

ts_value tensor_value(SEXP x, uint8_t flags, const char* what, Keeper& keeper) {
  SEXP cell = keeper.keep(new_cell(Kind::tensor));
  ts_tensor* tensor;
  // Positions are whole numbers; in R they may be integers or doubles.
  const bool positions = (flags & kIndexTensor) && (TYPEOF(x) == INTSXP || TYPEOF(x) == REALSXP) && all_whole(x);
  if (!positions && (flags & kPromote) && is_scalar(x) && TYPEOF(x) != RAWSXP && Rf_getAttrib(x, R_DimSymbol) == R_NilValue) {
    const ts_value number = number_value(x, flags, what);
    check(shim().ts_tensor_from_number(&number, keeper.like, &tensor));
  } else {
    ts_tensor_info info;
    const bool elsewhere = keeper.like && shim().ts_tensor_describe(keeper.like, &info) == TS_OK && info.defined;
    tensor = tensor_from_vector(x, positions ? TS_INT64 : -1, elsewhere ? info.device : nullptr, false, false, what);
  }
  set_handle(cell, tensor);
  return handle_value(TS_TENSOR, tensor);
}

ts_value index_value(ts_tensor* tensor, Keeper& keeper) {
  ts_tensor_info info;
  check(shim().ts_tensor_describe(tensor, &info));
  // Masks stay as they are. Any other dtype that holds no positions is refused by LibTorch.
  if (info.dtype < TS_INT8 || info.dtype > TS_INT64) return handle_value(TS_TENSOR, tensor);
  SEXP cell = keeper.keep(new_cell(Kind::tensor));
  ts_tensor* shifted;
  check(shim().ts_positions_from_one(tensor, &shifted));
  set_handle(cell, shifted);
  return handle_value(TS_TENSOR, shifted);
}

const char** names_of(SEXP x) {
  SEXP names = Rf_getAttrib(x, R_NamesSymbol);
  const R_xlen_t n = XLENGTH(names);
  auto** out = reinterpret_cast<const char**>(R_alloc(n + 1, sizeof(char*)));
  for (R_xlen_t i = 0; i < n; ++i) out[i] = Rf_translateCharUTF8(STRING_ELT(names, i));
  return out;
}

// The handle of a script module, which is a closure for R users.
static SEXP module_handle(SEXP x) {
  static SEXP handle = Rf_install("handle");
  if (TYPEOF(x) != CLOSXP || !has_class(x, "script_module")) return x;
  return Rf_getAttrib(x, handle);
}

bool held_value(SEXP x, const char* what, ts_value* out) {
  static SEXP handle = Rf_install("handle");
  x = is_enum(x) ? Rf_getAttrib(x, handle) : module_handle(x);
  if (is_kind(x, Kind::module)) {
    *out = handle_value(TS_MODULE, handle_of(x, Kind::module, what));
  } else if (is_kind(x, Kind::object)) {
    *out = handle_value(TS_OBJECT, handle_of(x, Kind::object, what));
    out->of.held = has_class(x, "torch_future") ? TS_HELD_FUTURE : TS_HELD_OTHER;
  } else {
    return false;
  }
  return true;
}

bool held_value_fits(SEXP x, const ts_type& type) {
  ts_value value;
  return held_value(x, "x", &value) && shim().ts_value_fits(&value, &type);
}

const char* class_name(const ts_type& type) {
  const char* dot = std::strrchr(type.text, '.');
  return dot ? dot + 1 : type.text;
}

const char* member_of(SEXP x, const ts_type& type) {
  static SEXP type_of = Rf_install("type");
  if (is_enum(x)) {
    SEXP own = Rf_getAttrib(x, type_of);
    if (TYPEOF(own) != STRSXP || XLENGTH(own) != 1 || std::strcmp(CHAR(STRING_ELT(own, 0)), class_name(type)) != 0) return nullptr;
  } else if (!is_string(x)) {
    return nullptr;
  }
  const char* name = Rf_translateCharUTF8(STRING_ELT(x, 0));
  for (size_t i = 0; i < type.n_names; ++i)
    if (std::strcmp(type.names[i], name) == 0) return type.names[i];
  return nullptr;
}
