// R -> TorchScript.
#include "to-value.h"

#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "trace.h"
#include "value.h"

namespace {

// LibTorch's ScalarType numbers.
constexpr int kUInt8 = 0, kInt8 = 1, kInt32 = 3, kInt64 = 4, kFloat32 = 6, kFloat64 = 7, kComplex64 = 9, kComplex128 = 10, kBool = 11;

bool has_class(SEXP x, const char* name) { return OBJECT(x) && Rf_inherits(x, name); }
bool is_integer64(SEXP x) { return TYPEOF(x) == REALSXP && has_class(x, "integer64"); }
// Numbers that mean nothing without their class are no numbers here.
bool is_coded(SEXP x) {
  return OBJECT(x) && (Rf_inherits(x, "factor") || Rf_inherits(x, "Date") || Rf_inherits(x, "POSIXct") ||
                       Rf_inherits(x, "difftime"));
}
bool is_number_vector(SEXP x) {
  return (TYPEOF(x) == REALSXP || TYPEOF(x) == INTSXP || TYPEOF(x) == LGLSXP) && !is_coded(x);
}
bool is_atomic_data(SEXP x) { return is_number_vector(x) || TYPEOF(x) == CPLXSXP || TYPEOF(x) == RAWSXP; }
bool is_scalar(SEXP x) { return XLENGTH(x) == 1; }
bool is_enum(SEXP x) { return TYPEOF(x) == STRSXP && XLENGTH(x) == 1 && has_class(x, "torch_enum"); }
// LibTorch's number of a dtype, a layout, ...
bool is_code(SEXP x, const char* class_) { return TYPEOF(x) == INTSXP && XLENGTH(x) == 1 && has_class(x, class_); }
bool is_string(SEXP x) {
  return TYPEOF(x) == STRSXP && XLENGTH(x) == 1 && STRING_ELT(x, 0) != NA_STRING && !is_enum(x);
}
bool is_whole(double v) { return std::isfinite(v) && v == std::trunc(v) && std::fabs(v) < 9223372036854775808.0; }
bool is_device(SEXP x) { return is_string(x) && has_class(x, "torch_device"); }
// Keys and values; a user may have put the class on anything.
bool is_dict(SEXP x) {
  return TYPEOF(x) == VECSXP && XLENGTH(x) == 2 && has_class(x, "torch_dict") && TYPEOF(VECTOR_ELT(x, 1)) == VECSXP &&
         Rf_isVector(VECTOR_ELT(x, 0)) && XLENGTH(VECTOR_ELT(x, 0)) == XLENGTH(VECTOR_ELT(x, 1));
}
bool is_plain_list(SEXP x) { return TYPEOF(x) == VECSXP && !is_dict(x); }
// A list, or a vector that may stand for a list of scalars.
bool is_sequence(SEXP x) {
  return is_plain_list(x) || is_number_vector(x) || TYPEOF(x) == CPLXSXP || (TYPEOF(x) == STRSXP && !is_enum(x));
}

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

// One element of a number vector as a double; false if that would round.
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

// An element as an R value of its own; of a vector a new scalar, which the caller protects.
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

int cost_of_element(SEXP x, R_xlen_t i, const ts_type& type, uint8_t flags) {
  SEXP one = PROTECT(element(x, i));
  const int out = cost(one, type, flags);
  UNPROTECT(1);
  return out;
}

int cost_of_elements(SEXP x, const ts_type& type, uint8_t flags) {
  int worst = 0;
  const R_xlen_t n = XLENGTH(x);
  for (R_xlen_t i = 0; i < n; ++i) {
    const int one = cost_of_element(x, i, type, flags);
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
      return TYPEOF(x) == STRSXP && !is_enum(x) ? (is_scalar(x) ? 2 : 0) : -1;
    case TS_KIND_OPTIONAL:
      return cost_of_vector_list(x, *element.items[0]);
    case TS_KIND_ANY:
      return is_sequence(x) ? 4 : -1;
    case TS_KIND_ENUM:
    case TS_KIND_DEVICE:
    case TS_KIND_UNION:
      return is_sequence(x) ? cost_of_elements(x, element, kStrict) : -1;
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

ts_value number_value(SEXP x, const char* what) {
  switch (TYPEOF(x)) {
    case LGLSXP:
      if (LOGICAL(x)[0] == NA_LOGICAL) fail("value_error", "`%s` must not be NA.", what);
      return bool_value(LOGICAL(x)[0] != 0);
    case REALSXP:
      if (!is_integer64(x)) return float_value(REAL(x)[0]);
      [[fallthrough]];
    case INTSXP: {
      int64_t whole;
      if (!whole_at(x, 0, &whole)) fail("value_error", "`%s` must not be NA.", what);
      return int_value(whole);
    }
    case CPLXSXP:
      return complex_value(COMPLEX(x)[0].r, COMPLEX(x)[0].i);
    default:
      return handle_value(TS_TENSOR, tensor_of(x, what));
  }
}

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

// The handle behind a script module, which is a closure to R users.
SEXP module_handle(SEXP x) {
  static SEXP handle = Rf_install("handle");
  if (TYPEOF(x) != CLOSXP || !has_class(x, "script_module")) return x;
  return Rf_getAttrib(x, handle);
}

// Modules, instances, members of enums: what the shim holds. false if x is none of them.
bool held_value(SEXP x, const char* what, ts_value* out) {
  static SEXP handle = Rf_install("handle");
  x = is_enum(x) ? Rf_getAttrib(x, handle) : module_handle(x);
  if (is_kind(x, Kind::module)) {
    *out = handle_value(TS_MODULE, handle_of(x, Kind::module, what));
  } else if (is_kind(x, Kind::object)) {
    *out = handle_value(TS_OBJECT, handle_of(x, Kind::object, what));
    out->flag = has_class(x, "torch_future");
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

// The member of the enum that `x` is or names, else NULL.
const char* member_of(SEXP x, const ts_type& type) {
  static SEXP type_of = Rf_install("type");
  if (is_enum(x)) {
    SEXP own = Rf_getAttrib(x, type_of);
    if (TYPEOF(own) != STRSXP || std::strcmp(CHAR(STRING_ELT(own, 0)), class_name(type)) != 0) return nullptr;
  } else if (!is_string(x)) {
    return nullptr;
  }
  const char* name = Rf_translateCharUTF8(STRING_ELT(x, 0));
  for (size_t i = 0; i < type.n_names; ++i)
    if (std::strcmp(type.names[i], name) == 0) return type.names[i];
  return nullptr;
}

// The key that a name stands for: itself, or a number or logical as R writes it.
bool key_of_name(SEXP name, const ts_type& type, ts_value* out) {
  const char* text = CHAR(name);
  char* end;
  switch (type.kind) {
    case TS_KIND_ANY:
    case TS_KIND_STRING:
      *out = charsxp_value(name);
      return true;
    case TS_KIND_INT:
      errno = 0;
      *out = int_value(std::strtoll(text, &end, 10));
      return *text && !*end && errno == 0;
    case TS_KIND_FLOAT:
      *out = float_value(R_strtod(text, &end));
      return *text && !*end;
    case TS_KIND_BOOL:
      *out = bool_value(std::strcmp(text, "TRUE") == 0);
      return out->as.i || std::strcmp(text, "FALSE") == 0;
    default:
      return false;
  }
}

bool is_none(SEXP x, const ts_type& optional) {
  // Operators write an absent tensor in a list of them as an empty list.
  return x == R_NilValue ||
         (is_plain_list(x) && XLENGTH(x) == 0 && optional.items[0]->kind == TS_KIND_TENSOR);
}

// Text into a buffer, cut where it is full.
class Text {
 public:
  Text(char* to, size_t size) : at_(to), left_(size) { *to = '\0'; }
  Text& operator<<(const char* s) {
    while (*s && left_ > 1) {
      *at_++ = *s++;
      --left_;
    }
    *at_ = '\0';
    return *this;
  }
  Text& operator<<(size_t n) {
    char digits[24];
    std::snprintf(digits, sizeof digits, "%zu", n);
    return *this << digits;
  }

 private:
  char* at_;
  size_t left_;
};

// Which element of x is each field of a named tuple, -1: none, as it has a default; false if names and fields do not fit.
bool match_fields(SEXP x, const ts_type& type, int* from, Misfit* why) {
  const char** names = names_of(x);
  const size_t n = static_cast<size_t>(XLENGTH(x));
  size_t found = 0;
  for (size_t i = 0; i < type.n; ++i) {
    size_t j = 0;
    while (j < n && std::strcmp(names[j], type.names[i]) != 0) ++j;
    found += j < n;
    if (j == n && i < type.n_required) {
      if (why) Text(why->note, sizeof why->note) << " It has no field `" << type.names[i] << "`.";
      return false;
    }
    if (from) from[i] = j == n ? -1 : static_cast<int>(j);
  }
  for (size_t j = 0; j < n; ++j) {
    size_t i = 0;
    while (i < type.n && std::strcmp(names[j], type.names[i]) != 0) ++i;
    if (i == type.n) {
      if (why) Text(why->note, sizeof why->note) << " There is no field `" << names[j] << "`.";
      return false;
    }
  }
  return n == found;
}

bool fits_length(SEXP x, const ts_type& tuple) {
  const auto n = static_cast<size_t>(XLENGTH(x));
  return n >= tuple.n_required && n <= tuple.n;
}

// The alternative of a union that fits best, -1 if none does.
int alternative(SEXP x, const ts_type& type, uint8_t flags, int* lowest) {
  int best = -1;
  for (size_t i = 0; i < type.n; ++i) {
    const int one = cost(x, *type.items[i], flags);
    if (one < 0 || (best >= 0 && one >= *lowest)) continue;
    best = static_cast<int>(i);
    *lowest = one;
  }
  return best;
}

constexpr ts_type leaf_type(ts_kind kind, const char* text) { return {kind, 0, 0, nullptr, nullptr, text, 0, nullptr, 0}; }
constexpr ts_type kAny = leaf_type(TS_KIND_ANY, "Any");
constexpr ts_type kLeaves[] = {leaf_type(TS_KIND_BOOL, "bool"), leaf_type(TS_KIND_INT, "int"),
                               leaf_type(TS_KIND_FLOAT, "float"), leaf_type(TS_KIND_COMPLEX, "complex"),
                               leaf_type(TS_KIND_STRING, "str")};

// The type of a vector's elements where no schema tells; NULL if `x` is none.
const ts_type* natural_leaf(SEXP x) {
  if (TYPEOF(x) == STRSXP) return is_enum(x) ? nullptr : &kLeaves[4];
  if (TYPEOF(x) == CPLXSXP) return &kLeaves[3];
  if (!is_number_vector(x)) return nullptr;
  return &kLeaves[TYPEOF(x) == LGLSXP ? 0 : TYPEOF(x) == INTSXP || is_integer64(x) ? 1 : 2];
}

// One reading: goes down into containers, and on a misfit back up, leaving the way to it.
class Reader {
 public:
  Reader(uint8_t flags, const char* what, Keeper& keeper, Misfit* why)
      : flags_(flags), what_(what), keeper_(keeper), why_(why) {}

  bool read(SEXP x, const ts_type& type, ts_value* out);
  // Without a type: a vector is a list, a named list of tensors a dict, any other list a tuple.
  bool read_natural(SEXP x, ts_value* out);

 private:
  bool misfit(SEXP x, const ts_type& type) {
    why_->x = x;
    why_->type = &type;
    why_->path[0] = '\0';
    why_->note[0] = '\0';
    return false;
  }
  // What did not fit the one item of a type would have fitted the type in another way too.
  bool widen(const ts_type& type) {
    if (why_->type == type.items[0] && !why_->path[0]) why_->type = &type;
    return false;
  }
  bool misfit_at(SEXP x, R_xlen_t i, const ts_type& type) {
    misfit(keeper_.keep(element(x, i)), type);
    Text(why_->path, sizeof why_->path) << "[" << static_cast<size_t>(i) + 1 << "]";
    return false;
  }
  bool below(const char* step, size_t index = 0) {
    char path[sizeof why_->path];
    Text text(path, sizeof path);
    if (index)
      text << step << index << "]]" << why_->path;
    else
      text << step << why_->path;
    std::memcpy(why_->path, path, sizeof path);
    return false;
  }
  // One element of a vector. A scalar is read for good: to keep them all would fill R's stack of protected objects.
  bool read_scalar(SEXP x, R_xlen_t i, const ts_type& type, ts_value* out) {
    const int before = keeper_.n;
    if (!read(keeper_.keep(element(x, i)), type, out)) return false;
    const bool scalar = out->tag == TS_NONE || (out->tag >= TS_INT && out->tag <= TS_DEVICE);
    if (scalar && keeper_.n == before + 1) keeper_.drop();
    return true;
  }
  bool read_element(SEXP x, R_xlen_t i, const ts_type& type, ts_value* out) {
    if (TYPEOF(x) == VECSXP ? read(VECTOR_ELT(x, i), type, out) : read_scalar(x, i, type, out)) return true;
    SEXP names = Rf_getAttrib(x, R_NamesSymbol);
    if (names == R_NilValue || !CHAR(STRING_ELT(names, i))[0]) return below("[[", static_cast<size_t>(i) + 1);
    below(Rf_translateCharUTF8(STRING_ELT(names, i)));
    return below("$");
  }

  bool read_list(SEXP x, const ts_type& type, ts_value* out);
  bool read_vector(SEXP x, const ts_type& element, int32_t length, ts_value* out);
  bool read_tuple(SEXP x, const ts_type& type, ts_value* out);
  bool read_dict(SEXP x, const ts_type& type, ts_value* out);
  bool read_natural_list(SEXP x, ts_value* out);
  bool read_natural_dict(SEXP x, ts_value* out);

  // Types end, values need not.
  static constexpr int kDeepest = 500;
  int depth_ = 0;
  uint8_t flags_;
  const char* what_;
  Keeper& keeper_;
  Misfit* why_;
};

bool Reader::read_vector(SEXP x, const ts_type& element, int32_t length, ts_value* out) {
  if (element.kind == TS_KIND_ANY) return read_vector(x, *natural_leaf(x), 0, out);
  const ts_type& leaf = element.kind == TS_KIND_OPTIONAL ? *element.items[0] : element;
  const R_xlen_t n = XLENGTH(x);
  // `int[2]`: one number stands for all.
  const R_xlen_t wanted = n == 1 && length > 1 ? length : n;
  const auto from = [&](R_xlen_t i) { return n == 1 ? 0 : i; };
  const bool packed = element.kind != TS_KIND_OPTIONAL;
  if (packed && leaf.kind == TS_KIND_INT) {
    int64_t* ints = keeper_.ints(wanted);
    for (R_xlen_t i = 0; i < wanted; ++i) {
      if (!whole_at(x, from(i), &ints[i])) return misfit_at(x, from(i), leaf);
      ints[i] = position(ints[i], flags_);
    }
    *out = tagged(TS_INT_LIST);
    out->as.ints = ints;
    out->len = wanted;
    return true;
  }
  if (packed && leaf.kind == TS_KIND_FLOAT) {
    *out = tagged(TS_FLOAT_LIST);
    out->len = wanted;
    if (wanted == n && TYPEOF(x) == REALSXP && !OBJECT(x)) {
      out->as.doubles = REAL(x);
      return true;
    }
    auto* doubles = reinterpret_cast<double*>(R_alloc(wanted + 1, sizeof(double)));
    for (R_xlen_t i = 0; i < wanted; ++i)
      if (!double_at(x, from(i), &doubles[i])) return misfit_at(x, from(i), leaf);
    out->as.doubles = doubles;
    return true;
  }
  if (packed && leaf.kind == TS_KIND_BOOL && wanted == n) {
    for (R_xlen_t i = 0; i < n; ++i)
      if (LOGICAL(x)[i] == NA_LOGICAL) return misfit_at(x, i, leaf);
    *out = tagged(TS_BOOL_LIST);
    out->as.bools = LOGICAL(x);
    out->len = n;
    return true;
  }
  *out = items_value(TS_LIST, wanted, wanted);
  out->flag = leaf.kind;
  for (R_xlen_t i = 0; i < wanted; ++i) {
    ts_value& item = out->as.items[i];
    if (leaf.kind == TS_KIND_STRING || leaf.kind == TS_KIND_DIMNAME) {
      if (STRING_ELT(x, from(i)) == NA_STRING) return misfit_at(x, from(i), leaf);
      item = charsxp_value(STRING_ELT(x, from(i)));
    } else if (!read_scalar(x, from(i), leaf, &item)) {
      return misfit_at(x, from(i), leaf);
    }
  }
  return true;
}

bool Reader::read_list(SEXP x, const ts_type& type, ts_value* out) {
  const ts_type& element = *type.items[0];
  if (is_plain_list(x)) {
    const R_xlen_t n = XLENGTH(x);
    *out = items_value(TS_LIST, n, n);
    for (R_xlen_t i = 0; i < n; ++i)
      if (!read_element(x, i, element, &out->as.items[i])) return false;
    return true;
  }
  if (is_sequence(x)) {
    const ts_type& leaf = element.kind == TS_KIND_OPTIONAL ? *element.items[0] : element;
    // What kind of vector it must be; its elements are looked at while they are read.
    const bool numbers = leaf.kind == TS_KIND_INT || leaf.kind == TS_KIND_FLOAT || leaf.kind == TS_KIND_NUMBER;
    if ((numbers && is_number_vector(x)) || (!numbers && cost_of_vector_list(x, element) >= 0))
      return read_vector(x, element, type.length, out);
  }
  if (flags_ & kStrict) return misfit(x, type);
  // An operator takes one tensor for a list of one.
  if (cost(x, element, flags_) < 0) return misfit(x, type);
  *out = items_value(TS_LIST, 1, 1);
  return read(x, element, &out->as.items[0]);
}

bool Reader::read_tuple(SEXP x, const ts_type& type, ts_value* out) {
  if (!is_sequence(x)) return misfit(x, type);
  const int n = static_cast<int>(type.n);
  int* from = nullptr;
  if (type.names && Rf_getAttrib(x, R_NamesSymbol) != R_NilValue) {
    from = reinterpret_cast<int*>(R_alloc(n + 1, sizeof(int)));
    misfit(x, type);
    if (!match_fields(x, type, from, why_)) return false;
  } else if (!fits_length(x, type)) {
    return misfit(x, type);
  }
  *out = items_value(TS_TUPLE, n, n);
  for (int i = 0; i < n; ++i) {
    const int at = from ? from[i] : i < XLENGTH(x) ? i : -1;
    if (at < 0)
      out->as.items[i] = tagged(TS_DEFAULT);
    else if (!read_element(x, at, *type.items[i], &out->as.items[i]))
      return false;
  }
  return true;
}

bool Reader::read_dict(SEXP x, const ts_type& type, ts_value* out) {
  const ts_type &key = *type.items[0], &mapped = *type.items[1];
  if (is_dict(x)) {
    SEXP keys = VECTOR_ELT(x, 0), values = VECTOR_ELT(x, 1);
    const R_xlen_t n = Rf_xlength(keys);
    *out = items_value(TS_DICT, n, 2 * n);
    for (R_xlen_t i = 0; i < n; ++i) {
      if (!read_element(keys, i, key, &out->as.items[2 * i])) return below("$keys");
      if (!read_element(values, i, mapped, &out->as.items[2 * i + 1])) return below("$values");
    }
    return true;
  }
  if (!is_sequence(x)) return misfit(x, type);
  const R_xlen_t n = XLENGTH(x);
  if (n > 0 && !is_named(x)) {
    misfit(x, type);
    Text(why_->note, sizeof why_->note) << " Its elements must have names.";
    return false;
  }
  *out = items_value(TS_DICT, n, 2 * n);
  SEXP names = Rf_getAttrib(x, R_NamesSymbol);
  for (R_xlen_t i = 0; i < n; ++i) {
    if (!key_of_name(STRING_ELT(names, i), key, &out->as.items[2 * i])) {
      misfit(x, type);
      Text(why_->note, sizeof why_->note) << " The name `" << CHAR(STRING_ELT(names, i)) << "` is no key of type "
                                          << key.text << ": see `jit_dict()`.";
      return false;
    }
    if (!read_element(x, i, mapped, &out->as.items[2 * i + 1])) return false;
  }
  return true;
}

bool Reader::read_natural_list(SEXP x, ts_value* out) {
  if (++depth_ > kDeepest) fail("value_error", "`%s` is nested more than %d levels deep.", what_, kDeepest);
  const R_xlen_t n = XLENGTH(x);
  bool all_tensors = true;
  for (R_xlen_t i = 0; i < n; ++i) all_tensors = all_tensors && is_tensor(VECTOR_ELT(x, i));
  const bool tuple = has_class(x, "jit_tuple"), named = n > 0 && is_named(x);
  if (named && all_tensors && !tuple) {
    *out = items_value(TS_DICT, n, 2 * n);
    SEXP names = Rf_getAttrib(x, R_NamesSymbol);
    for (R_xlen_t i = 0; i < n; ++i) {
      out->as.items[2 * i] = charsxp_value(STRING_ELT(names, i));
      if (!read_element(x, i, kAny, &out->as.items[2 * i + 1])) return false;
    }
  } else {
    *out = items_value(all_tensors && !tuple ? TS_LIST : TS_TUPLE, n, n);
    if (named) out->names = names_of(x);
    for (R_xlen_t i = 0; i < n; ++i)
      if (!read_element(x, i, kAny, &out->as.items[i])) return false;
  }
  --depth_;
  return true;
}

// Whole keys are int, as they came out of TorchScript.
bool Reader::read_natural_dict(SEXP x, ts_value* out) {
  SEXP keys = VECTOR_ELT(x, 0), values = VECTOR_ELT(x, 1);
  const R_xlen_t n = Rf_xlength(keys);
  const ts_type* leaf = natural_leaf(keys);
  const bool whole = leaf && leaf->kind == TS_KIND_FLOAT && all_whole(keys);
  *out = items_value(TS_DICT, n, 2 * n);
  for (R_xlen_t i = 0; i < n; ++i) {
    ts_value& key = out->as.items[2 * i];
    if (!read_element(keys, i, leaf ? *leaf : kAny, &key)) return below("$keys");
    if (whole) key = int_value(static_cast<int64_t>(key.as.d));
    if (!read_element(values, i, kAny, &out->as.items[2 * i + 1])) return below("$values");
  }
  return true;
}

bool Reader::read_natural(SEXP x, ts_value* out) {
  if (x == R_NilValue) {
    *out = tagged(TS_NONE);
  } else if (is_tensor(x)) {
    *out = handle_value(TS_TENSOR, tensor_of(x, what_));
  } else if (held_value(x, what_, out)) {
    return true;
  } else if (is_kind(x, Kind::generator)) {
    *out = handle_value(TS_GENERATOR, handle_of(x, Kind::generator, what_));
  } else if (is_device(x)) {
    *out = charsxp_value(STRING_ELT(x, 0), TS_DEVICE);
  } else if (is_code(x, "torch_dtype") || is_code(x, "torch_layout") || is_code(x, "torch_memory_format")) {
    *out = int_value(INTEGER(x)[0]);
  } else if (is_string(x)) {
    *out = charsxp_value(STRING_ELT(x, 0));
  } else if (is_dict(x)) {
    return read_natural_dict(x, out);
  } else if (is_plain_list(x)) {
    return read_natural_list(x, out);
  } else if (const ts_type* leaf = natural_leaf(x)) {
    return has_class(x, "jit_scalar") ? read(x, *leaf, out) : read_vector(x, *leaf, 0, out);
  } else {
    return misfit(x, kAny);
  }
  return true;
}

bool Reader::read(SEXP x, const ts_type& type, ts_value* out) {
  if (tracing && is_size(x) && size_value(x, type, flags_, out)) return true;
  switch (type.kind) {
    case TS_KIND_OPTIONAL:
      if (is_none(x, type)) {
        *out = tagged(TS_NONE);
        return true;
      }
      return read(x, *type.items[0], out) || widen(type);
    case TS_KIND_TENSOR:
      if (is_tensor(x)) {
        *out = handle_value(TS_TENSOR, tensor_of(x, what_));
      } else if (is_atomic_data(x) && !(flags_ & kStrict)) {
        *out = tensor_value(x, flags_, what_, keeper_);
      } else {
        return misfit(x, type);
      }
      if (flags_ & kIndexTensor) *out = index_value(static_cast<ts_tensor*>(out->as.handle), keeper_);
      return true;
    case TS_KIND_INT:
      if (!is_number_vector(x) || !is_scalar(x) || !whole_at(x, 0, &out->as.i)) return misfit(x, type);
      *out = int_value(position(out->as.i, flags_));
      return true;
    case TS_KIND_FLOAT: {
      double d;
      if (!is_number_vector(x) || !is_scalar(x)) return misfit(x, type);
      if (!double_at(x, 0, &d)) {
        misfit(x, type);
        Text(why_->note, sizeof why_->note) << " A double would round it.";
        return false;
      }
      *out = float_value(d);
      return true;
    }
    case TS_KIND_LIST:
      return read_list(x, type, out);
    case TS_KIND_TUPLE:
      return read_tuple(x, type, out);
    case TS_KIND_DICT:
      return read_dict(x, type, out);
    case TS_KIND_UNION: {
      int lowest = 0;
      const int which = alternative(x, type, flags_, &lowest);
      if (which < 0) return misfit(x, type);
      if (!read(x, *type.items[which], out)) return false;
      out->flag = which;
      return true;
    }
    case TS_KIND_FUTURE:
      if (held_value_fits(x, type)) return held_value(x, what_, out);
      return read(x, *type.items[0], out) || widen(type);
    case TS_KIND_ANY:
      return read_natural(x, out);
    default:
      break;
  }
  if (cost(x, type, flags_) < 0) return misfit(x, type);
  switch (type.kind) {
    case TS_KIND_NUMBER:
      *out = number_value(x, what_);
      return true;
    case TS_KIND_BOOL:
      *out = bool_value(LOGICAL(x)[0] != 0);
      return true;
    case TS_KIND_COMPLEX: {
      double d = 0;
      if (TYPEOF(x) == CPLXSXP)
        *out = complex_value(COMPLEX(x)[0].r, COMPLEX(x)[0].i);
      else if (double_at(x, 0, &d))
        *out = complex_value(d, 0);
      else
        return misfit(x, type);
      return true;
    }
    case TS_KIND_STRING:
    case TS_KIND_DIMNAME:
      *out = charsxp_value(STRING_ELT(x, 0));
      return true;
    case TS_KIND_DEVICE:
      *out = charsxp_value(STRING_ELT(x, 0), TS_DEVICE);
      return true;
    case TS_KIND_DTYPE:
      *out = int_value(enum_of(x, "as_dtype"));
      return true;
    case TS_KIND_LAYOUT:
    case TS_KIND_MEMORY_FORMAT:
    case TS_KIND_QSCHEME:
      *out = int_value(INTEGER(x)[0]);
      return true;
    case TS_KIND_GENERATOR:
      *out = handle_value(TS_GENERATOR, handle_of(x, Kind::generator, what_));
      return true;
    case TS_KIND_ENUM:
      *out = tagged(TS_STRING);
      out->as.s = member_of(x, type);
      out->len = static_cast<int64_t>(std::strlen(out->as.s));
      return true;
    case TS_KIND_NONE:
      *out = tagged(TS_NONE);
      return true;
    default:
      return held_value(x, what_, out);
  }
}

void list_names(const ts_type& type, const char* quote, Text& out) {
  for (size_t i = 0; i < type.n_names; ++i) out << (i ? ", " : "") << quote << type.names[i] << quote;
}

// What fits a type, in R's words.
void describe(const ts_type& type, Text& out) {
  switch (type.kind) {
    case TS_KIND_TENSOR: out << "a tensor"; break;
    case TS_KIND_BOOL: out << "TRUE or FALSE"; break;
    case TS_KIND_INT: out << "a whole number"; break;
    case TS_KIND_FLOAT:
    case TS_KIND_NUMBER: out << "a number"; break;
    case TS_KIND_COMPLEX: out << "a complex number"; break;
    case TS_KIND_STRING:
    case TS_KIND_DIMNAME: out << "a string"; break;
    case TS_KIND_DEVICE: out << "a torch_device or its name"; break;
    case TS_KIND_DTYPE: out << "a torch_dtype or its name"; break;
    case TS_KIND_LAYOUT: out << "a torch_layout"; break;
    case TS_KIND_MEMORY_FORMAT: out << "a torch_memory_format"; break;
    case TS_KIND_GENERATOR: out << "a torch_generator"; break;
    case TS_KIND_NONE: out << "NULL"; break;
    case TS_KIND_OPTIONAL:
      out << "NULL or ";
      describe(*type.items[0], out);
      break;
    case TS_KIND_LIST:
      switch (type.items[0]->kind) {
        case TS_KIND_INT: out << "a vector of whole numbers"; break;
        case TS_KIND_FLOAT: out << "a numeric vector"; break;
        case TS_KIND_BOOL: out << "a logical vector"; break;
        case TS_KIND_COMPLEX: out << "a complex vector"; break;
        case TS_KIND_STRING: out << "a character vector"; break;
        case TS_KIND_TENSOR: out << "a list of tensors"; break;
        default:
          out << "a list, each element ";
          describe(*type.items[0], out);
      }
      break;
    case TS_KIND_TUPLE:
      if (type.names) {
        out << "a list with the fields ";
        list_names(type, "`", out);
      } else {
        out << "a list of length " << type.n;
      }
      break;
    case TS_KIND_DICT:
      out << (type.items[0]->kind == TS_KIND_STRING ? "a named list" : "a dict made by `jit_dict()`") << ", each value ";
      describe(*type.items[1], out);
      break;
    case TS_KIND_ENUM:
      out << "one of ";
      list_names(type, "\"", out);
      break;
    case TS_KIND_FUTURE:
      out << "a future, or ";
      describe(*type.items[0], out);
      break;
    case TS_KIND_UNION:
      for (size_t i = 0; i < type.n; ++i) {
        out << (i ? " or " : "");
        describe(*type.items[i], out);
      }
      break;
    case TS_KIND_OBJECT: out << "an instance of " << class_name(type); break;
    case TS_KIND_ANY: out << "a tensor, a number, a string, a logical, or a list of these"; break;
    default: out << type_text(type);
  }
}

}  // namespace

const char* friendly(SEXP x) { return CHAR(STRING_ELT(call_package("friendly_type", x), 0)); }

const char* type_text(const ts_type& type) {
  // "List[__torch__.net.___torch_mangle_1.Point]" as "List[Point]".
  const size_t n = std::strlen(type.text);
  char* out = R_alloc(n + 1, 1);
  size_t at = 0;
  for (const char* from = type.text; *from;) {
    size_t word = std::strspn(from, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.");
    if (word == 0) {
      out[at++] = *from++;
      continue;
    }
    size_t skip = 0;
    if (std::strncmp(from, "__torch__.", 10) == 0)
      for (size_t i = 0; i < word; ++i)
        if (from[i] == '.') skip = i + 1;
    std::memcpy(out + at, from + skip, word - skip);
    at += word - skip;
    from += word;
  }
  out[at] = '\0';
  return out;
}

const char* misfit_message(const Misfit& why, const char* what) {
  constexpr size_t size = 1000;
  char* wanted = R_alloc(size, 1);
  Text into(wanted, size);
  describe(*why.type, into);
  // Of these that says it as well as the type's name.
  const ts_kind kind = why.type->kind;
  if (kind != TS_KIND_TENSOR && kind != TS_KIND_ANY && kind != TS_KIND_OBJECT) into << " (" << type_text(*why.type) << ")";
  const ts_type& inner = why.type->kind == TS_KIND_OPTIONAL ? *why.type->items[0] : *why.type;
  const char* hint = "";
  if ((inner.kind == TS_KIND_TENSOR || (inner.kind == TS_KIND_LIST && inner.items[0]->kind == TS_KIND_TENSOR)) &&
      is_atomic_data(why.x))
    hint = " Use `torch_tensor()` to make a tensor of it.";
  else if ((inner.kind == TS_KIND_OBJECT || inner.kind == TS_KIND_ANY) && TYPEOF(why.x) == CLOSXP && has_class(why.x, "nn_module"))
    hint = " Use `jit_trace()` to make a script module of it.";
  else if (is_coded(why.x))
    hint = has_class(why.x, "factor") ? " Use `as.integer()` or `as.character()`." : " Use `as.numeric()`.";
  const char* given = friendly(why.x);
  const size_t length = std::strlen(what) + std::strlen(given) + size + 600;
  char* out = R_alloc(length, 1);
  Text(out, length) << "`" << what << why.path << "` must be " << wanted << ", not " << given << "." << why.note << hint;
  return out;
}

int cost(SEXP x, const ts_type& type, uint8_t flags) {
  if (tracing && is_size(x)) x = size_numbers(x);
  switch (type.kind) {
    case TS_KIND_OPTIONAL:
      return is_none(x, type) ? 0 : cost(x, *type.items[0], flags);
    case TS_KIND_TENSOR:
      if (is_tensor(x)) return 0;
      if (!is_atomic_data(x) || flags & kStrict) return -1;
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
      return is_device(x) ? 0 : is_string(x) ? 2 : -1;
    case TS_KIND_DTYPE:
      return is_code(x, "torch_dtype") ? 0 : is_string(x) ? 3 : -1;
    case TS_KIND_LAYOUT:
      return is_code(x, "torch_layout") ? 0 : -1;
    case TS_KIND_MEMORY_FORMAT:
      return is_code(x, "torch_memory_format") ? 0 : -1;
    case TS_KIND_QSCHEME:
      return is_code(x, "torch_qscheme") ? 0 : -1;
    case TS_KIND_GENERATOR:
      return is_kind(x, Kind::generator) ? 0 : -1;
    case TS_KIND_NONE:
      return x == R_NilValue ? 0 : -1;
    case TS_KIND_LIST: {
      const ts_type& element = *type.items[0];
      if (is_plain_list(x)) {
        const int worst = cost_of_elements(x, element, flags);
        return worst < 0 ? -1 : 1 + worst;
      }
      if (is_tensor(x)) return !(flags & kStrict) && cost(x, element) == 0 ? 10 : -1;
      const int vector = cost_of_vector_list(x, element);
      if (vector >= 0 || !is_atomic_data(x)) return vector;
      return !(flags & kStrict) && cost(x, element) >= 0 ? 11 : -1;
    }
    case TS_KIND_TUPLE:
      if (!is_sequence(x)) return -1;
      if (type.names && Rf_getAttrib(x, R_NamesSymbol) != R_NilValue) {
        if (!match_fields(x, type, nullptr, nullptr)) return -1;
      } else if (!fits_length(x, type)) {
        return -1;
      }
      for (size_t i = 0; i < type.n; ++i)
        if (!type.names && cost_of_element(x, static_cast<R_xlen_t>(i), *type.items[i], flags) < 0) return -1;
      return 1;
    case TS_KIND_DICT: {
      if (is_dict(x)) {
        if (cost_of_elements(VECTOR_ELT(x, 0), *type.items[0], flags) < 0) return -1;
        return cost_of_elements(VECTOR_ELT(x, 1), *type.items[1], flags);
      }
      if (!is_sequence(x) || (XLENGTH(x) > 0 && !is_named(x))) return -1;
      SEXP names = Rf_getAttrib(x, R_NamesSymbol);
      ts_value ignored;
      for (R_xlen_t i = 0; i < XLENGTH(x); ++i)
        if (!key_of_name(STRING_ELT(names, i), *type.items[0], &ignored)) return -1;
      const int worst = cost_of_elements(x, *type.items[1], flags);
      return worst < 0 ? -1 : 1 + worst;
    }
    case TS_KIND_ENUM:
      return member_of(x, type) ? (is_enum(x) ? 0 : 1) : -1;
    case TS_KIND_OBJECT:
    case TS_KIND_STORAGE:
    case TS_KIND_STREAM:
      return held_value_fits(x, type) ? 0 : -1;
    case TS_KIND_FUTURE:
      return held_value_fits(x, type) ? 0 : cost(x, *type.items[0], flags);
    case TS_KIND_UNION: {
      int lowest = 0;
      return alternative(x, type, flags, &lowest) < 0 ? -1 : lowest;
    }
    case TS_KIND_ANY:
      return 4;
  }
  return -1;
}

bool read_value(SEXP x, const ts_type& type, uint8_t flags, const char* what, Keeper& keeper, ts_value* out, Misfit* why) {
  return Reader(flags, what, keeper, why).read(x, type, out);
}

ts_value to_value(SEXP x, const ts_type& type, uint8_t flags, const char* what, Keeper& keeper) {
  ts_value value;
  Misfit why;
  if (!read_value(x, type, flags, what, keeper, &value, &why)) fail("type_error", "%s", misfit_message(why, what));
  return value;
}

ts_value to_natural_value(SEXP x, const char* what, Keeper& keeper) {
  ts_value value;
  Misfit why;
  if (!Reader(kStrict, what, keeper, &why).read_natural(x, &value))
    fail("type_error", "%s%s", why.type->kind == TS_KIND_ANY ? "Unsupported type: " : "", misfit_message(why, what));
  return value;
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
