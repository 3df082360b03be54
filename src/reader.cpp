#include "reader.h"

#include <cstring>

#include "kinds.h"
#include "trace.h"
#include "value.h"
#include "values.h"

namespace {

constexpr ts_type leaf_type(ts_kind kind, const char* text) { return {kind, 0, 0, nullptr, nullptr, text, 0, nullptr, 0}; }
constexpr ts_type kAny = leaf_type(TS_KIND_ANY, "Any");
constexpr ts_type kLeaves[] = {leaf_type(TS_KIND_BOOL, "bool"), leaf_type(TS_KIND_INT, "int"),
                               leaf_type(TS_KIND_FLOAT, "float"), leaf_type(TS_KIND_COMPLEX, "complex"),
                               leaf_type(TS_KIND_STRING, "str")};

}  // namespace

const ts_type* natural_leaf(SEXP x) {
  if (TYPEOF(x) == STRSXP) return is_enum(x) ? nullptr : &kLeaves[4];
  if (TYPEOF(x) == CPLXSXP) return &kLeaves[3];
  if (!is_number_vector(x)) return nullptr;
  return &kLeaves[TYPEOF(x) == LGLSXP ? 0 : TYPEOF(x) == INTSXP || is_integer64(x) ? 1 : 2];
}

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

bool Reader::misfit_at(SEXP x, R_xlen_t i, const ts_type& type) {
  misfit(keeper_.keep(element(x, i)), type);
  Text(why_->path, sizeof why_->path) << "[" << static_cast<size_t>(i) + 1 << "]";
  return false;
}

bool Reader::below(const char* step, size_t index) {
  char path[sizeof why_->path];
  Text text(path, sizeof path);
  if (index)
    text << step << index << "]]" << why_->path;
  else
    text << step << why_->path;
  std::memcpy(why_->path, path, sizeof path);
  return false;
}

// Reads one element of a vector. Once a scalar is read, its R object is not needed any more: keeping all of them would
// fill R's stack of protected objects.
bool Reader::read_scalar(SEXP x, R_xlen_t i, const ts_type& type, ts_value* out) {
  const int before = keeper_.n;
  if (!read(keeper_.keep(element(x, i)), type, out)) return false;
  const bool scalar = out->tag == TS_NONE || (out->tag >= TS_INT && out->tag <= TS_DEVICE);
  if (scalar && keeper_.n == before + 1) keeper_.drop();
  return true;
}

bool Reader::read_element(SEXP x, R_xlen_t i, const ts_type& type, ts_value* out) {
  if (TYPEOF(x) == VECSXP ? read(VECTOR_ELT(x, i), type, out) : read_scalar(x, i, type, out)) return true;
  SEXP names = Rf_getAttrib(x, R_NamesSymbol);
  if (names == R_NilValue || !CHAR(STRING_ELT(names, i))[0]) return below("[[", static_cast<size_t>(i) + 1);
  below(Rf_translateCharUTF8(STRING_ELT(names, i)));
  return below("$");
}

bool Reader::read_vector(SEXP x, const ts_type& element, int32_t length, ts_value* out) {
  if (element.kind == TS_KIND_ANY) return read_vector(x, *natural_leaf(x), 0, out);
  const ts_type& leaf = element.kind == TS_KIND_OPTIONAL ? *element.items[0] : element;
  const R_xlen_t n = XLENGTH(x);
  // For `int[2]` one number stands for both.
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
    if (wanted == n && TYPEOF(x) == REALSXP && !Rf_isObject(x)) {
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
  out->of.kind = leaf.kind;
  for (R_xlen_t i = 0; i < wanted; ++i) {
    ts_value& item = out->as.items[i];
    if (leaf.kind == TS_KIND_STRING) {
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
    // Only the kind of the vector is checked here; its elements are checked while they are read.
    const bool numbers = leaf.kind == TS_KIND_INT || leaf.kind == TS_KIND_FLOAT || leaf.kind == TS_KIND_NUMBER;
    if ((numbers && is_number_vector(x)) || (!numbers && cost_of_vector_list(x, element) >= 0))
      return read_vector(x, element, type.length, out);
  }
  if (flags_ & kStrict) return misfit(x, type);
  // An operator takes a single tensor as a list of one.
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
  const auto read_key = kind_of(key).key;
  for (R_xlen_t i = 0; i < n; ++i) {
    if (!read_key || !read_key(STRING_ELT(names, i), &out->as.items[2 * i])) {
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

// Whole numbers as keys are read as int, which they were when they came out of TorchScript.
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
  return kind_of(type).read(*this, x, type, out);
}
