// Script modules in files and raw vectors.
#include <cstring>

#include "jit.h"

namespace {

const char* optional_text(SEXP x) { return x == R_NilValue ? nullptr : CHAR(STRING_ELT(x, 0)); }

// Files from a named list of raw vectors, which must outlive the result.
ts_extra_file* extra_files(SEXP files, size_t* n) {
  *n = static_cast<size_t>(Rf_xlength(files));
  auto* out = reinterpret_cast<ts_extra_file*>(R_alloc(*n + 1, sizeof(ts_extra_file)));
  SEXP names = Rf_getAttrib(files, R_NamesSymbol);
  for (size_t i = 0; i < *n; ++i) {
    SEXP file = VECTOR_ELT(files, static_cast<R_xlen_t>(i));
    out[i] = {Rf_translateCharUTF8(STRING_ELT(names, static_cast<R_xlen_t>(i))), RAW(file),
              static_cast<size_t>(XLENGTH(file))};
  }
  return out;
}

SEXP files_sexp(const ts_value& extra) {
  SEXP files = PROTECT(Rf_allocVector(VECSXP, extra.len));
  SEXP names = PROTECT(Rf_allocVector(STRSXP, extra.len));
  Rf_setAttrib(files, R_NamesSymbol, names);
  for (int64_t i = 0; i < extra.len; ++i) {
    SET_STRING_ELT(names, i, STRING_ELT(string_sexp(extra.as.items[2 * i]), 0));
    SET_VECTOR_ELT(files, i, raw_sexp(extra.as.items[2 * i + 1]));
  }
  UNPROTECT(2);
  return files;
}

}  // namespace

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_from_function(SEXP callable) {
  return asked<ts_module>(Kind::module,
                          [&](ts_module** out) { return shim().ts_module_from_function(callable_of(callable), out); });
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_save(SEXP module, SEXP path, SEXP mobile, SEXP extra) {
  const void* memory = vmaxget();
  size_t n;
  const ts_extra_file* files = extra_files(extra, &n);
  operate([&] { return shim().ts_module_save(module_of(module), Rf_translateCharUTF8(STRING_ELT(path, 0)), Rf_asLogical(mobile) == TRUE, files, n); });
  vmaxset(memory);
  return R_NilValue;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_serialize(SEXP module, SEXP mobile, SEXP extra) {
  const void* memory = vmaxget();
  size_t n;
  const ts_extra_file* files = extra_files(extra, &n);
  SEXP bytes = answered(
      [&](ts_value* out, ts_arena** arena) {
        return shim().ts_module_serialize(module_of(module), Rf_asLogical(mobile) == TRUE, files, n, out, arena);
      },
      raw_sexp);
  vmaxset(memory);
  return bytes;
}

// `source` is the name of a file, or bytes. Returns list(handle, extra files).
// [[Rcpp::export(rng = false)]]
SEXP cpp_module_load(SEXP source, SEXP device, SEXP allow_files) {
  const void* memory = vmaxget();
  const int files = Rf_asLogical(allow_files) == TRUE;
  SEXP out = PROTECT(Rf_allocVector(VECSXP, 2));
  SEXP cell = new_cell(Kind::module);
  SET_VECTOR_ELT(out, 0, cell);
  ts_module* module;
  SET_VECTOR_ELT(out, 1, answered(
                             [&](ts_value* extra, ts_arena** arena) {
                               if (TYPEOF(source) == RAWSXP)
                                 return shim().ts_module_unserialize(RAW(source), static_cast<size_t>(XLENGTH(source)),
                                                                     optional_text(device), files, &module, extra, arena);
                               return shim().ts_module_load(Rf_translateCharUTF8(STRING_ELT(source, 0)),
                                                            optional_text(device), files, &module, extra, arena);
                             },
                             [&](ts_value& extra) {
                               set_handle(cell, module);
                               return files_sexp(extra);
                             }));
  vmaxset(memory);
  UNPROTECT(1);
  return out;
}

// `operators` holds names, `kinds` numbers of ts_rule_kind.
// [[Rcpp::export(rng = false)]]
SEXP cpp_set_rules(SEXP operators, SEXP kinds) {
  const void* memory = vmaxget();
  const R_xlen_t n = Rf_xlength(operators);
  auto* rules = reinterpret_cast<ts_rule*>(R_alloc(static_cast<size_t>(n) + 1, sizeof(ts_rule)));
  for (R_xlen_t i = 0; i < n; ++i)
    rules[i] = {CHAR(STRING_ELT(operators, i)), static_cast<ts_rule_kind>(INTEGER(kinds)[i])};
  operate([&] { return shim().ts_set_rules(rules, static_cast<size_t>(n)); });
  vmaxset(memory);
  return R_NilValue;
}
