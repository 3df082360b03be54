#include "kinds.h"

#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "misfit.h"
#include "trace.h"
#include "value.h"
#include "values.h"

namespace {

int cost_of_elements(SEXP x, const ts_type& type, uint8_t flags) {
  int worst = 0;
  const R_xlen_t n = XLENGTH(x);
  for (R_xlen_t i = 0; i < n; ++i) {
    const int one = cost(PROTECT(element(x, i)), type, flags);
    UNPROTECT(1);
    if (one < 0) return -1;
    if (one > worst) worst = one;
  }
  return worst;
}

// The number of the alternative of a union that fits best, -1 if none fits.
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

// --- what it costs to read a value as a kind

int cost_tensor(SEXP x, const ts_type&, uint8_t flags) {
  if (is_tensor(x)) return 0;
  if (!is_atomic_data(x) || flags & kStrict) return -1;
  return is_scalar(x) ? 8 : 6;
}

// The cost of a tensor of one element as a number: higher than any other, so that it is taken only if nothing else
// fits.
constexpr int kElementCost = 12;

bool is_element(SEXP x) {
  ts_tensor_info info;
  return is_tensor(x) && shim().ts_tensor_describe(tensor_of(x), &info) == TS_OK && info.numel == 1 && !info.requires_grad &&
         !info.is_complex && info.dtype != TS_BOOLEAN;
}

int cost_number(SEXP x, const ts_type&, uint8_t) {
  if (is_tensor(x)) {
    ts_tensor_info info;
    return shim().ts_tensor_describe(tensor_of(x), &info) == TS_OK && info.numel == 1 && !info.requires_grad ? kElementCost : -1;
  }
  return (is_number_vector(x) || TYPEOF(x) == CPLXSXP) && is_scalar(x) ? 1 : -1;
}

int cost_int(SEXP x, const ts_type&, uint8_t flags) {
  if (is_tensor(x)) return !(flags & kStrict) && is_element(x) ? kElementCost : -1;
  if (!is_number_vector(x) || !is_scalar(x) || !all_whole(x)) return -1;
  return TYPEOF(x) == INTSXP || is_integer64(x) ? 0 : TYPEOF(x) == REALSXP ? 1 : 5;
}

int cost_float(SEXP x, const ts_type&, uint8_t) {
  if (!is_number_vector(x) || !is_scalar(x)) return -1;
  return TYPEOF(x) == REALSXP ? 0 : TYPEOF(x) == INTSXP ? 1 : 5;
}

int cost_bool(SEXP x, const ts_type&, uint8_t) {
  return TYPEOF(x) == LGLSXP && is_scalar(x) && LOGICAL(x)[0] != NA_LOGICAL ? 0 : -1;
}

int cost_complex(SEXP x, const ts_type&, uint8_t) {
  if (TYPEOF(x) == CPLXSXP && is_scalar(x)) return 0;
  return is_number_vector(x) && is_scalar(x) ? 3 : -1;
}

int cost_string(SEXP x, const ts_type&, uint8_t) {
  return is_string(x) && !is_device(x) ? (Rf_isObject(x) ? 1 : 0) : -1;
}

int cost_device(SEXP x, const ts_type&, uint8_t) { return is_device(x) ? 0 : is_string(x) ? 2 : -1; }
int cost_dtype(SEXP x, const ts_type&, uint8_t) { return is_code(x, "torch_dtype") ? 0 : is_string(x) ? 3 : -1; }
int cost_layout(SEXP x, const ts_type&, uint8_t) { return is_code(x, "torch_layout") ? 0 : -1; }
int cost_memory_format(SEXP x, const ts_type&, uint8_t) { return is_code(x, "torch_memory_format") ? 0 : -1; }
int cost_qscheme(SEXP x, const ts_type&, uint8_t) { return is_code(x, "torch_qscheme") ? 0 : -1; }
int cost_generator(SEXP x, const ts_type&, uint8_t) { return is_kind(x, Kind::generator) ? 0 : -1; }
int cost_none(SEXP x, const ts_type&, uint8_t) { return x == R_NilValue ? 0 : -1; }
int cost_any(SEXP, const ts_type&, uint8_t) { return 4; }
int cost_held(SEXP x, const ts_type& type, uint8_t) { return held_value_fits(x, type) ? 0 : -1; }

int cost_optional(SEXP x, const ts_type& type, uint8_t flags) {
  return is_none(x, type) ? 0 : cost(x, *type.items[0], flags);
}

int cost_list(SEXP x, const ts_type& type, uint8_t flags) {
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

int cost_tuple(SEXP x, const ts_type& type, uint8_t flags) {
  if (!is_sequence(x)) return -1;
  if (type.names && Rf_getAttrib(x, R_NamesSymbol) != R_NilValue) return match_fields(x, type, nullptr, nullptr) ? 1 : -1;
  if (!fits_length(x, type)) return -1;
  for (R_xlen_t i = 0; !type.names && i < static_cast<R_xlen_t>(type.n); ++i) {
    const int one = cost(PROTECT(element(x, i)), *type.items[i], flags);
    UNPROTECT(1);
    if (one < 0) return -1;
  }
  return 1;
}

int cost_dict(SEXP x, const ts_type& type, uint8_t flags) {
  if (is_dict(x)) {
    if (cost_of_elements(VECTOR_ELT(x, 0), *type.items[0], flags) < 0) return -1;
    return cost_of_elements(VECTOR_ELT(x, 1), *type.items[1], flags);
  }
  if (!is_sequence(x) || (XLENGTH(x) > 0 && !is_named(x))) return -1;
  const auto key = kind_of(*type.items[0]).key;
  SEXP names = Rf_getAttrib(x, R_NamesSymbol);
  ts_value ignored;
  for (R_xlen_t i = 0; i < XLENGTH(x); ++i)
    if (!key || !key(STRING_ELT(names, i), &ignored)) return -1;
  const int worst = cost_of_elements(x, *type.items[1], flags);
  return worst < 0 ? -1 : 1 + worst;
}

int cost_enum(SEXP x, const ts_type& type, uint8_t) { return member_of(x, type) ? (is_enum(x) ? 0 : 1) : -1; }

int cost_future(SEXP x, const ts_type& type, uint8_t flags) {
  return held_value_fits(x, type) ? 0 : cost(x, *type.items[0], flags);
}

int cost_union(SEXP x, const ts_type& type, uint8_t flags) {
  int lowest = 0;
  return alternative(x, type, flags, &lowest) < 0 ? -1 : lowest;
}

// --- what it costs to read a vector as a list of a kind

int vector_int(SEXP x, const ts_type&) {
  if (!is_number_vector(x) || !all_whole(x)) return -1;
  return (TYPEOF(x) == LGLSXP ? 4 : TYPEOF(x) == INTSXP ? 0 : 1) + (is_scalar(x) ? 2 : 0);
}
int vector_float(SEXP x, const ts_type&) {
  if (!is_number_vector(x)) return -1;
  return (TYPEOF(x) == REALSXP ? 0 : 2) + (is_scalar(x) ? 2 : 0);
}
int vector_number(SEXP x, const ts_type&) { return is_number_vector(x) ? (is_scalar(x) ? 3 : 1) : -1; }
int vector_bool(SEXP x, const ts_type&) { return TYPEOF(x) == LGLSXP ? (is_scalar(x) ? 2 : 0) : -1; }
int vector_complex(SEXP x, const ts_type&) { return TYPEOF(x) == CPLXSXP ? 0 : is_number_vector(x) ? 3 : -1; }
int vector_string(SEXP x, const ts_type&) {
  return TYPEOF(x) == STRSXP && !is_enum(x) ? (is_scalar(x) ? 2 : 0) : -1;
}
int vector_optional(SEXP x, const ts_type& element) { return cost_of_vector_list(x, *element.items[0]); }
int vector_any(SEXP x, const ts_type&) { return is_sequence(x) ? 4 : -1; }
int vector_each(SEXP x, const ts_type& element) { return is_sequence(x) ? cost_of_elements(x, element, kStrict) : -1; }

// --- names of an R list as keys of a dict: strings, or numbers and logicals as R writes them

bool key_string(SEXP name, ts_value* out) {
  *out = charsxp_value(name);
  return true;
}
bool key_int(SEXP name, ts_value* out) {
  char* end;
  errno = 0;
  *out = int_value(std::strtoll(CHAR(name), &end, 10));
  return *CHAR(name) && !*end && errno == 0;
}
bool key_float(SEXP name, ts_value* out) {
  char* end;
  *out = float_value(R_strtod(CHAR(name), &end));
  return *CHAR(name) && !*end;
}
bool key_bool(SEXP name, ts_value* out) {
  *out = bool_value(std::strcmp(CHAR(name), "TRUE") == 0);
  return out->as.i || std::strcmp(CHAR(name), "FALSE") == 0;
}

// --- how a value of each kind is read

using Read = bool (*)(Reader& reader, SEXP x, const ts_type& type, ts_value* out);

// Reads a value that needs no check beyond its cost.
template <Read spell>
bool read_leaf(Reader& reader, SEXP x, const ts_type& type, ts_value* out) {
  if (cost(x, type, reader.flags()) < 0) return reader.misfit(x, type);
  return spell(reader, x, type, out);
}

bool read_tensor(Reader& reader, SEXP x, const ts_type& type, ts_value* out) {
  if (is_tensor(x)) {
    *out = handle_value(TS_TENSOR, tensor_of(x, reader.what()));
  } else if (is_atomic_data(x) && !(reader.flags() & kStrict)) {
    *out = tensor_value(x, reader.flags(), reader.what(), reader.keeper());
  } else {
    return reader.misfit(x, type);
  }
  if (reader.flags() & kIndexTensor) *out = index_value(static_cast<ts_tensor*>(out->as.handle), reader.keeper());
  return true;
}

bool read_int(Reader& reader, SEXP x, const ts_type& type, ts_value* out) {
  int64_t whole;
  if (is_tensor(x) && !(reader.flags() & kStrict) && is_element(x)) {
    leaves_trace(x);
    ts_value item;
    check(shim().ts_tensor_item(tensor_of(x), &item));
    if (item.tag == TS_FLOAT && item.as.d != std::trunc(item.as.d)) return reader.misfit(x, type);
    whole = item.tag == TS_FLOAT ? static_cast<int64_t>(item.as.d) : item.as.i;
    *out = int_value(position(whole, reader.flags()));
    return true;
  }
  if (!is_number_vector(x) || !is_scalar(x) || !whole_at(x, 0, &whole)) return reader.misfit(x, type);
  *out = int_value(position(whole, reader.flags()));
  return true;
}

bool read_float(Reader& reader, SEXP x, const ts_type& type, ts_value* out) {
  double d;
  if (!is_number_vector(x) || !is_scalar(x)) return reader.misfit(x, type);
  if (!double_at(x, 0, &d)) return reader.misfit(x, type, " A double would round it.");
  *out = float_value(d);
  return true;
}

bool spell_number(Reader& reader, SEXP x, const ts_type&, ts_value* out) {
  *out = number_value(x, reader.flags(), reader.what());
  return true;
}

bool spell_bool(Reader&, SEXP x, const ts_type&, ts_value* out) {
  *out = bool_value(LOGICAL(x)[0] != 0);
  return true;
}

bool spell_complex(Reader& reader, SEXP x, const ts_type& type, ts_value* out) {
  double d = 0;
  if (TYPEOF(x) == CPLXSXP)
    *out = complex_value(COMPLEX(x)[0].r, COMPLEX(x)[0].i);
  else if (double_at(x, 0, &d))
    *out = complex_value(d, 0);
  else
    return reader.misfit(x, type);
  return true;
}

template <int tag>
bool spell_string(Reader&, SEXP x, const ts_type&, ts_value* out) {
  *out = charsxp_value(STRING_ELT(x, 0), tag);
  return true;
}

bool spell_dtype(Reader&, SEXP x, const ts_type&, ts_value* out) {
  *out = int_value(INTEGER(TYPEOF(x) == INTSXP ? x : call_package("as_dtype", x))[0]);
  return true;
}

bool spell_code(Reader&, SEXP x, const ts_type&, ts_value* out) {
  *out = int_value(INTEGER(x)[0]);
  return true;
}

bool spell_generator(Reader& reader, SEXP x, const ts_type&, ts_value* out) {
  *out = handle_value(TS_GENERATOR, handle_of(x, Kind::generator, reader.what()));
  return true;
}

bool spell_member(Reader&, SEXP x, const ts_type& type, ts_value* out) {
  *out = tagged(TS_STRING);
  out->as.s = member_of(x, type);
  out->len = static_cast<int64_t>(std::strlen(out->as.s));
  return true;
}

bool spell_none(Reader&, SEXP, const ts_type&, ts_value* out) {
  *out = tagged(TS_NONE);
  return true;
}

bool spell_held(Reader& reader, SEXP x, const ts_type&, ts_value* out) { return held_value(x, reader.what(), out); }

bool read_optional(Reader& reader, SEXP x, const ts_type& type, ts_value* out) {
  if (!is_none(x, type)) return reader.read(x, *type.items[0], out) || reader.widen(type);
  *out = tagged(TS_NONE);
  return true;
}

bool read_future(Reader& reader, SEXP x, const ts_type& type, ts_value* out) {
  if (held_value_fits(x, type)) return held_value(x, reader.what(), out);
  return reader.read(x, *type.items[0], out) || reader.widen(type);
}

bool read_union(Reader& reader, SEXP x, const ts_type& type, ts_value* out) {
  int lowest = 0;
  const int which = alternative(x, type, reader.flags(), &lowest);
  if (which < 0) return reader.misfit(x, type);
  if (!reader.read(x, *type.items[which], out)) return false;
  out->of.alternative = which;
  return true;
}

bool read_list(Reader& reader, SEXP x, const ts_type& type, ts_value* out) { return reader.read_list(x, type, out); }
bool read_tuple(Reader& reader, SEXP x, const ts_type& type, ts_value* out) { return reader.read_tuple(x, type, out); }
bool read_dict(Reader& reader, SEXP x, const ts_type& type, ts_value* out) { return reader.read_dict(x, type, out); }
bool read_any(Reader& reader, SEXP x, const ts_type&, ts_value* out) { return reader.read_natural(x, out); }

constexpr const char* kAnyWords = "a tensor, a number, a string, a logical, or a list of these";

// The rows stand in the order of ts_kind.
const ValueKind kinds[] = {
    {TS_KIND_ANY, 4, cost_any, vector_any, read_any, key_string, kAnyWords, nullptr, nullptr},
    {TS_KIND_TENSOR, 0, cost_tensor, nullptr, read_tensor, nullptr, "a tensor", "a list of tensors", nullptr},
    {TS_KIND_NUMBER, 1, cost_number, vector_number, read_leaf<spell_number>, nullptr, "a number", nullptr, nullptr},
    {TS_KIND_INT, 1, cost_int, vector_int, read_int, key_int, "a whole number", "a vector of whole numbers", nullptr},
    {TS_KIND_FLOAT, 1, cost_float, vector_float, read_float, key_float, "a number", "a numeric vector", nullptr},
    {TS_KIND_BOOL, 1, cost_bool, vector_bool, read_leaf<spell_bool>, key_bool, "TRUE or FALSE", "a logical vector", nullptr},
    {TS_KIND_COMPLEX, 1, cost_complex, vector_complex, read_leaf<spell_complex>, nullptr, "a complex number", "a complex vector", nullptr},
    {TS_KIND_STRING, 3, cost_string, vector_string, read_leaf<spell_string<TS_STRING>>, key_string, "a string", "a character vector", nullptr},
    {TS_KIND_DEVICE, 4, cost_device, vector_each, read_leaf<spell_string<TS_DEVICE>>, nullptr, "a torch_device or its name", nullptr, nullptr},
    {TS_KIND_DTYPE, 4, cost_dtype, nullptr, read_leaf<spell_dtype>, nullptr, "a torch_dtype or its name", nullptr, nullptr},
    {TS_KIND_LAYOUT, 4, cost_layout, nullptr, read_leaf<spell_code>, nullptr, "a torch_layout", nullptr, nullptr},
    {TS_KIND_MEMORY_FORMAT, 4, cost_memory_format, nullptr, read_leaf<spell_code>, nullptr, "a torch_memory_format", nullptr, nullptr},
    {TS_KIND_GENERATOR, 4, cost_generator, nullptr, read_leaf<spell_generator>, nullptr, "a torch_generator", nullptr, nullptr},
    {TS_KIND_STORAGE, 4, cost_held, nullptr, read_leaf<spell_held>, nullptr, nullptr, nullptr, describe_by_name},
    {TS_KIND_STREAM, 4, cost_held, nullptr, read_leaf<spell_held>, nullptr, nullptr, nullptr, describe_by_name},
    {TS_KIND_QSCHEME, 4, cost_qscheme, nullptr, read_leaf<spell_code>, nullptr, nullptr, nullptr, describe_by_name},
    {TS_KIND_NONE, 4, cost_none, nullptr, read_leaf<spell_none>, nullptr, "NULL", nullptr, nullptr},
    {TS_KIND_OBJECT, 4, cost_held, nullptr, read_leaf<spell_held>, nullptr, nullptr, nullptr, describe_object},
    {TS_KIND_OPTIONAL, 4, cost_optional, vector_optional, read_optional, nullptr, nullptr, nullptr, describe_optional},
    {TS_KIND_LIST, 2, cost_list, nullptr, read_list, nullptr, nullptr, nullptr, describe_list},
    {TS_KIND_TUPLE, 4, cost_tuple, nullptr, read_tuple, nullptr, nullptr, nullptr, describe_tuple},
    {TS_KIND_DICT, 4, cost_dict, nullptr, read_dict, nullptr, nullptr, nullptr, describe_dict},
    {TS_KIND_ENUM, 4, cost_enum, vector_each, read_leaf<spell_member>, nullptr, nullptr, nullptr, describe_enum},
    {TS_KIND_FUTURE, 4, cost_future, nullptr, read_future, nullptr, nullptr, nullptr, describe_future},
    {TS_KIND_UNION, 4, cost_union, vector_each, read_union, nullptr, nullptr, nullptr, describe_union},
};

}  // namespace

const ValueKind& kind_of(const ts_type& type) { return kinds[type.kind]; }

int weight(const ts_type& type) {
  if (type.kind == TS_KIND_OPTIONAL) return weight(*type.items[0]);
  return kind_of(type).weight;
}

int cost_of_vector_list(SEXP x, const ts_type& element) {
  const auto vector_cost = kind_of(element).vector_cost;
  return vector_cost ? vector_cost(x, element) : -1;
}
