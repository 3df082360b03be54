// Script modules in files and raw vectors.
#include <cstring>

#include "jit.h"

namespace {
const char* optional_text(SEXP x) { return x == R_NilValue ? nullptr : CHAR(STRING_ELT(x, 0)); }
}  // namespace

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_from_function(SEXP callable) {
  SEXP cell = PROTECT(new_cell(Kind::module));
  ts_module* module;
  check(shim().ts_module_from_function(callable_of(callable), &module));
  set_handle(cell, module);
  UNPROTECT(1);
  return cell;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_save(SEXP module, SEXP path, SEXP mobile) {
  check(shim().ts_module_save(module_of(module), Rf_translateCharUTF8(STRING_ELT(path, 0)), Rf_asLogical(mobile) == TRUE));
  return R_NilValue;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_load(SEXP path, SEXP device) {
  SEXP cell = PROTECT(new_cell(Kind::module));
  ts_module* module;
  check(shim().ts_module_load(Rf_translateCharUTF8(STRING_ELT(path, 0)), optional_text(device), &module));
  set_handle(cell, module);
  UNPROTECT(1);
  return cell;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_serialize(SEXP module) {
  ts_value out;
  ts_arena* arena = nullptr;
  check(shim().ts_module_serialize(module_of(module), &out, &arena));
  SEXP bytes = PROTECT(Rf_allocVector(RAWSXP, out.len));
  std::memcpy(RAW(bytes), out.as.s, static_cast<size_t>(out.len));
  shim().ts_arena_release(arena);
  UNPROTECT(1);
  return bytes;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_unserialize(SEXP bytes, SEXP device) {
  SEXP cell = PROTECT(new_cell(Kind::module));
  ts_module* module;
  check(shim().ts_module_unserialize(RAW(bytes), static_cast<size_t>(XLENGTH(bytes)), optional_text(device), &module));
  set_handle(cell, module);
  UNPROTECT(1);
  return cell;
}
