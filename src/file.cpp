// Tensors in files: their bytes, and where these lie.
#include <climits>
#include <cstdio>
#include <cstring>

#include "operate.h"
#include "text.h"
#include "values.h"

namespace {

// Parts for the shim from a list of raw vectors and tensors. In R_alloc() memory.
ts_part* parts_of(SEXP list, size_t* n) {
  *n = static_cast<size_t>(Rf_xlength(list));
  auto* out = reinterpret_cast<ts_part*>(R_alloc(*n + 1, sizeof(ts_part)));
  for (size_t i = 0; i < *n; ++i) {
    SEXP part = VECTOR_ELT(list, static_cast<R_xlen_t>(i));
    if (TYPEOF(part) == RAWSXP)
      out[i] = {RAW(part), static_cast<size_t>(XLENGTH(part)), nullptr};
    else
      out[i] = {nullptr, 0, tensor_of(part, "obj")};
  }
  return out;
}

}  // namespace

// Writes the parts to the file `path`. With NULL returns the bytes.
// [[Rcpp::export(rng = false)]]
SEXP cpp_parts_write(SEXP path, SEXP parts) {
  const void* memory = vmaxget();
  size_t n;
  const ts_part* all = parts_of(parts, &n);
  const char* file = path == R_NilValue ? nullptr : Rf_translateCharUTF8(STRING_ELT(path, 0));
  SEXP out = answered([&](ts_value* bytes, ts_arena** arena) { return shim().ts_parts_write(file, all, n, bytes, arena); },
                      [&](ts_value& bytes) { return file ? R_NilValue : raw_sexp(bytes); });
  vmaxset(memory);
  return out;
}

// `source` is the name of a file, or bytes. `offsets` are doubles, `sizes` a list of doubles, `dtypes` LibTorch's
// numbers.
// [[Rcpp::export(rng = false)]]
SEXP cpp_pieces_read(SEXP source, SEXP offsets, SEXP dtypes, SEXP sizes, SEXP device) {
  const void* memory = vmaxget();
  const R_xlen_t n = XLENGTH(offsets);
  auto* pieces = reinterpret_cast<ts_piece*>(R_alloc(n + 1, sizeof(ts_piece)));
  auto* handles = reinterpret_cast<ts_tensor**>(R_alloc(n + 1, sizeof(ts_tensor*)));
  SEXP out = PROTECT(Rf_allocVector(VECSXP, n));
  for (R_xlen_t i = 0; i < n; ++i) {
    SEXP shape = VECTOR_ELT(sizes, i);
    const R_xlen_t ndim = XLENGTH(shape);
    auto* own = reinterpret_cast<int64_t*>(R_alloc(ndim + 1, sizeof(int64_t)));
    for (R_xlen_t d = 0; d < ndim; ++d) own[d] = static_cast<int64_t>(REAL(shape)[d]);
    pieces[i] = {static_cast<uint64_t>(REAL(offsets)[i]), INTEGER(dtypes)[i], static_cast<size_t>(ndim), own};
    handles[i] = nullptr;
    SET_VECTOR_ELT(out, i, new_cell(Kind::tensor));
  }
  const bool bytes = TYPEOF(source) == RAWSXP;
  const char* file = bytes ? nullptr : Rf_translateCharUTF8(STRING_ELT(source, 0));
  const char* place = device == R_NilValue ? nullptr : CHAR(STRING_ELT(device, 0));
  operate([&] {
    const int status = shim().ts_pieces_read(file, bytes ? RAW(source) : nullptr, bytes ? static_cast<size_t>(XLENGTH(source)) : 0,
                                             pieces, static_cast<size_t>(n), place, handles);
    // The handles that were set are owned here even if the shim failed.
    for (R_xlen_t i = 0; i < n; ++i)
      if (handles[i]) set_handle(VECTOR_ELT(out, i), handles[i]);
    return status;
  });
  UNPROTECT(1);
  vmaxset(memory);
  return out;
}

// `values` is a list of kinds (integers), numbers (doubles), texts, raw vectors and tensors. Writes to the file `path`;
// with NULL returns the bytes.
// [[Rcpp::export(rng = false)]]
SEXP cpp_values_write(SEXP path, SEXP values) {
  const void* memory = vmaxget();
  SEXP texts = VECTOR_ELT(values, 2), tensors = VECTOR_ELT(values, 4);
  const R_xlen_t n_texts = XLENGTH(texts), n_tensors = XLENGTH(tensors);
  auto* text = reinterpret_cast<const char**>(R_alloc(static_cast<size_t>(n_texts) + 1, sizeof(char*)));
  for (R_xlen_t i = 0; i < n_texts; ++i) text[i] = Rf_translateCharUTF8(STRING_ELT(texts, i));
  auto* handles = reinterpret_cast<ts_tensor**>(R_alloc(static_cast<size_t>(n_tensors) + 1, sizeof(ts_tensor*)));
  for (R_xlen_t i = 0; i < n_tensors; ++i) handles[i] = tensor_of(VECTOR_ELT(tensors, i), "obj");
  size_t n_parts;
  const ts_part* parts = parts_of(VECTOR_ELT(values, 3), &n_parts);
  const ts_values all = {static_cast<size_t>(XLENGTH(VECTOR_ELT(values, 0))), INTEGER(VECTOR_ELT(values, 0)), REAL(VECTOR_ELT(values, 1)),
                         text, parts, handles, static_cast<size_t>(n_tensors)};
  const char* file = path == R_NilValue ? nullptr : Rf_translateCharUTF8(STRING_ELT(path, 0));
  SEXP out = answered([&](ts_value* bytes, ts_arena** arena) { return shim().ts_values_write(file, &all, bytes, arena); },
                      [&](ts_value& bytes) { return file ? R_NilValue : raw_sexp(bytes); });
  vmaxset(memory);
  return out;
}

// `source` is the name of a file, or bytes.
// [[Rcpp::export(rng = false)]]
SEXP cpp_values_read(SEXP source, SEXP device) {
  const bool bytes = TYPEOF(source) == RAWSXP;
  const char* file = bytes ? nullptr : Rf_translateCharUTF8(STRING_ELT(source, 0));
  return answered([&](ts_value* out, ts_arena** arena) {
    return shim().ts_values_read(file, bytes ? RAW(source) : nullptr, bytes ? static_cast<size_t>(XLENGTH(source)) : 0,
                                 CHAR(STRING_ELT(device, 0)), out, arena);
  });
}

// Facts about the tensors in a list that files need, by column: a key, which is NA for what is no tensor or holds none;
// the number of the dtype; the shape; whether it requires a gradient; and whether its elements lie in memory without
// gaps.
// [[Rcpp::export(rng = false)]]
SEXP cpp_tensor_facts(SEXP list) {
  const R_xlen_t n = XLENGTH(list);
  const char* names[] = {"key", "dtype", "shape", "requires_grad", "is_dense", ""};
  SEXP out = PROTECT(Rf_mkNamed(VECSXP, names));
  const int types[] = {STRSXP, INTSXP, VECSXP, LGLSXP, LGLSXP};
  for (int column = 0; column < 5; ++column) SET_VECTOR_ELT(out, column, Rf_allocVector(static_cast<SEXPTYPE>(types[column]), n));
  for (R_xlen_t i = 0; i < n; ++i) {
    SEXP x = VECTOR_ELT(list, i);
    SET_STRING_ELT(VECTOR_ELT(out, 0), i, NA_STRING);
    INTEGER(VECTOR_ELT(out, 1))[i] = NA_INTEGER;
    LOGICAL(VECTOR_ELT(out, 3))[i] = LOGICAL(VECTOR_ELT(out, 4))[i] = NA_LOGICAL;
    if (!is_tensor(x) || (!R_ExternalPtrAddr(x) && !can_revive(x))) continue;
    ts_tensor* it = tensor_of(x);
    ts_tensor_info info;
    check(shim().ts_tensor_describe(it, &info));
    if (!info.defined) continue;
    char text[32];
    std::snprintf(text, sizeof text, "%p", static_cast<void*>(it));
    SET_STRING_ELT(VECTOR_ELT(out, 0), i, Rf_mkChar(text));
    INTEGER(VECTOR_ELT(out, 1))[i] = info.dtype;
    bool is_large = false;
    for (int64_t d = 0; d < info.ndim; ++d) is_large = is_large || info.sizes[d] > INT_MAX;
    SEXP shape = Rf_allocVector(is_large ? REALSXP : INTSXP, info.ndim);
    SET_VECTOR_ELT(VECTOR_ELT(out, 2), i, shape);
    for (int64_t d = 0; d < info.ndim; ++d) {
      if (is_large)
        REAL(shape)[d] = static_cast<double>(info.sizes[d]);
      else
        INTEGER(shape)[d] = static_cast<int>(info.sizes[d]);
    }
    LOGICAL(VECTOR_ELT(out, 3))[i] = info.requires_grad;
    // Layout 0 is the strided one.
    LOGICAL(VECTOR_ELT(out, 4))[i] = info.layout == 0 && !info.is_quantized && std::strcmp(info.device, "meta") != 0;
  }
  UNPROTECT(1);
  return out;
}
