// TorchScript text.
#include "jit.h"

// [[Rcpp::export(rng = false)]]
SEXP cpp_unit_compile(SEXP source) {
  SEXP cell = PROTECT(new_cell(Kind::unit));
  ts_unit* unit;
  check(shim().ts_unit_compile(Rf_translateCharUTF8(STRING_ELT(source, 0)), &unit));
  set_handle(cell, unit);
  UNPROTECT(1);
  return cell;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_unit_functions(SEXP unit) {
  ts_value out;
  ts_arena* arena = nullptr;
  check(shim().ts_unit_functions(static_cast<ts_unit*>(handle_of(unit, Kind::unit, "unit")), &out, &arena));
  return finish(&out, arena);
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_unit_function(SEXP unit, SEXP name) {
  SEXP cell = PROTECT(new_cell(Kind::callable));
  ts_callable* callable;
  check(shim().ts_unit_function(static_cast<ts_unit*>(handle_of(unit, Kind::unit, "unit")), CHAR(STRING_ELT(name, 0)),
                                &callable));
  set_handle(cell, callable);
  UNPROTECT(1);
  return cell;
}
