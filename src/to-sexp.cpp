// Converts TorchScript values to R values.
#include "to-sexp.h"

#include <cstring>

#include "to-value.h"
#include "value.h"

namespace {

SEXP charsxp_of(const ts_value& value) {
  if (std::memchr(value.as.s, '\0', static_cast<size_t>(value.len)))
    fail("value_error", "The result holds a string with a NUL byte, which R strings can't hold.");
  return Rf_mkCharLenCE(value.as.s, static_cast<int>(value.len), CE_UTF8);
}

}  // namespace

SEXP raw_sexp(const ts_value& value) {
  SEXP out = Rf_allocVector(RAWSXP, value.len);
  if (value.len > 0) std::memcpy(RAW(out), value.as.s, static_cast<size_t>(value.len));
  return out;
}

SEXP make_integer64(SEXP bits, bool lowest) {
  // Without bit64's methods an integer64 would print as the double with the same bits.
  static bool loaded = false;
  if (!loaded) call_package("load_bit64", R_NilValue);
  loaded = true;
  SEXP class_ = PROTECT(Rf_mkString("integer64"));
  Rf_setAttrib(bits, R_ClassSymbol, class_);
  UNPROTECT(1);
  if (lowest) call_package("warn_lowest_int64", R_NilValue);
  return bits;
}

SEXP string_sexp(const ts_value& value) {
  SEXP s = PROTECT(charsxp_of(value));
  SEXP out = Rf_ScalarString(s);
  UNPROTECT(1);
  return out;
}

namespace {

SEXP with_classes(SEXP x, const char* first, const char* second) {
  PROTECT(x);
  SEXP classes = PROTECT(Rf_allocVector(STRSXP, second ? 2 : 1));
  SET_STRING_ELT(classes, 0, Rf_mkChar(first));
  if (second) SET_STRING_ELT(classes, 1, Rf_mkChar(second));
  Rf_setAttrib(x, R_ClassSymbol, classes);
  UNPROTECT(2);
  return x;
}

Int64 int64_option() {
  SEXP option = Rf_GetOption1(Rf_install("torch.int64"));
  if (option == R_NilValue) return Int64::exact;
  if (TYPEOF(option) == STRSXP && XLENGTH(option) == 1) {
    if (std::strcmp(CHAR(STRING_ELT(option, 0)), "double") == 0) return Int64::as_double;
    if (std::strcmp(CHAR(STRING_ELT(option, 0)), "integer64") == 0) return Int64::as_integer64;
  }
  fail("value_error", "`options(torch.int64 =)` must be \"double\" or \"integer64\", not %s.", friendly(option));
}

// Integers that lie `stride` bytes apart, as an R vector.
SEXP ints_sexp(const void* first, R_xlen_t n, size_t stride, Int64& mode) {
  const auto at = [&](R_xlen_t i) {
    int64_t value;
    std::memcpy(&value, static_cast<const char*>(first) + static_cast<size_t>(i) * stride, sizeof value);
    return value;
  };
  if (mode == Int64::ask) mode = int64_option();
  bool exact = true, lowest = false;
  for (R_xlen_t i = 0; i < n; ++i) {
    exact = exact && at(i) <= kExact && at(i) >= -kExact;
    lowest = lowest || at(i) == INT64_MIN;
  }
  // integer64 uses the smallest int64 for NA.
  if (lowest) {
    exact = true;
    for (R_xlen_t i = 0; i < n; ++i) exact = exact && is_exact_double(at(i));
  }
  SEXP out = PROTECT(Rf_allocVector(REALSXP, n));
  if (mode == Int64::as_integer64 || (!exact && mode == Int64::exact)) {
    for (R_xlen_t i = 0; i < n; ++i) {
      const int64_t value = at(i);
      std::memcpy(&REAL(out)[i], &value, sizeof value);
    }
    make_integer64(out, lowest);
  } else {
    bool rounds = false;
    for (R_xlen_t i = 0; i < n; ++i) {
      const double d = static_cast<double>(at(i));
      REAL(out)[i] = d;
      rounds = rounds || !is_exact_double(at(i));
    }
    if (rounds) call_package("warn_int64", out);
  }
  UNPROTECT(1);
  return out;
}

SEXP items_sexp(ts_value* items, R_xlen_t n, R_xlen_t step, Int64& mode);

// Items as an R vector, if R has vectors for their declared kind. The values themselves do not matter, so that the type
// of the result is predictable.
SEXP scalars_sexp(ts_value* items, R_xlen_t n, R_xlen_t step, int kind, Int64& mode) {
  SEXP out;
  switch (kind) {
    case TS_KIND_INT:
      return ints_sexp(&items->as.i, n, sizeof(ts_value) * static_cast<size_t>(step), mode);
    case TS_KIND_FLOAT:
      out = Rf_allocVector(REALSXP, n);
      for (R_xlen_t i = 0; i < n; ++i) REAL(out)[i] = items[i * step].as.d;
      return out;
    case TS_KIND_BOOL:
      out = Rf_allocVector(LGLSXP, n);
      for (R_xlen_t i = 0; i < n; ++i) LOGICAL(out)[i] = items[i * step].as.i != 0;
      return out;
    case TS_KIND_COMPLEX:
      out = Rf_allocVector(CPLXSXP, n);
      for (R_xlen_t i = 0; i < n; ++i) {
        COMPLEX(out)[i].r = items[i * step].as.z[0];
        COMPLEX(out)[i].i = items[i * step].as.z[1];
      }
      return out;
    default:
      return items_sexp(items, n, step, mode);
  }
}

SEXP dict_sexp(ts_value& value, Int64& mode) {
  ts_value* items = value.as.items;
  const bool text = value.len > 0 ? items[0].tag == TS_STRING : value.of.kind == TS_KIND_STRING || value.of.kind == TS_KIND_ANY;
  SEXP values = PROTECT(items_sexp(items + 1, value.len, 2, mode));
  SEXP keys = PROTECT(text ? Rf_allocVector(STRSXP, value.len) : scalars_sexp(items, value.len, 2, value.of.kind, mode));
  bool names = text;
  for (int64_t i = 0; text && i < value.len; ++i) {
    SET_STRING_ELT(keys, i, charsxp_of(items[2 * i]));
    // An element of an R list can't have an empty name.
    names = names && items[2 * i].len > 0;
  }
  SEXP out = values;
  if (names)
    Rf_setAttrib(values, R_NamesSymbol, keys);
  else
    out = call_package("new_torch_dict", keys, values);
  UNPROTECT(2);
  return out;
}

SEXP take(Kind kind, ts_value& value) {
  SEXP cell = new_cell(kind);
  set_handle(cell, value.as.handle);
  value.as.handle = nullptr;
  return cell;
}

SEXP int_sexp(ts_value& value, Int64& mode) {
  const char* class_ = value.of.kind == TS_KIND_DTYPE           ? "torch_dtype"
                       : value.of.kind == TS_KIND_LAYOUT        ? "torch_layout"
                       : value.of.kind == TS_KIND_MEMORY_FORMAT ? "torch_memory_format"
                                                             : nullptr;
  return class_ ? with_classes(Rf_ScalarInteger(static_cast<int>(value.as.i)), class_, "R7")
                : ints_sexp(&value.as.i, 1, 0, mode);
}

SEXP tuple_sexp(ts_value& value, Int64& mode) {
  SEXP out = PROTECT(items_sexp(value.as.items, value.len, 1, mode));
  if (value.names) {
    SEXP names = PROTECT(Rf_allocVector(STRSXP, value.len));
    for (int64_t i = 0; i < value.len; ++i) SET_STRING_ELT(names, i, Rf_mkCharCE(value.names[i], CE_UTF8));
    Rf_setAttrib(out, R_NamesSymbol, names);
    UNPROTECT(1);
  }
  UNPROTECT(1);
  return out;
}

SEXP value_sexp(ts_value& value, Int64& mode) {
  switch (value.tag) {
    case TS_TENSOR:
      return take(Kind::tensor, value);
    case TS_INT:
      return int_sexp(value, mode);
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
      return with_classes(string_sexp(value), "torch_device", "R7");
    case TS_GENERATOR:
      return take(Kind::generator, value);
    case TS_INT_LIST:
      return ints_sexp(value.as.ints, value.len, sizeof(int64_t), mode);
    case TS_FLOAT_LIST: {
      SEXP out = Rf_allocVector(REALSXP, value.len);
      std::memcpy(REAL(out), value.as.doubles, static_cast<size_t>(value.len) * sizeof(double));
      return out;
    }
    case TS_BOOL_LIST: {
      SEXP out = Rf_allocVector(LGLSXP, value.len);
      std::memcpy(LOGICAL(out), value.as.bools, static_cast<size_t>(value.len) * sizeof(int));
      return out;
    }
    case TS_LIST:
      return scalars_sexp(value.as.items, value.len, 1, value.of.kind, mode);
    case TS_TUPLE:
      return tuple_sexp(value, mode);
    case TS_DICT:
      return dict_sexp(value, mode);
    case TS_MODULE: {
      SEXP handle = PROTECT(take(Kind::module, value));
      SEXP module = call_package("new_script_module", handle);
      UNPROTECT(1);
      return module;
    }
    case TS_ENUM: {
      SEXP parts = PROTECT(items_sexp(value.as.items, 4, 1, mode));
      SEXP out = call_package("new_torch_enum", parts);
      UNPROTECT(1);
      return out;
    }
    case TS_OBJECT: {
      const bool future = value.of.held == TS_HELD_FUTURE;
      SEXP object = take(Kind::object, value);
      return future ? with_classes(object, "torch_future", "torch_script_object") : object;
    }
    default:
      return R_NilValue;
  }
}

SEXP items_sexp(ts_value* items, R_xlen_t n, R_xlen_t step, Int64& mode) {
  SEXP out = PROTECT(Rf_allocVector(VECSXP, n));
  for (R_xlen_t i = 0; i < n; ++i) SET_VECTOR_ELT(out, i, value_sexp(items[i * step], mode));
  UNPROTECT(1);
  return out;
}

}  // namespace

SEXP to_sexp(ts_value& value, Int64 ints) { return value_sexp(value, ints); }
