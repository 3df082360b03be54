// Mixed precision.
#include "r.h"
#include "shim.h"

// state: c(enabled, dtype, cache), -1: as it is. nesting: 1 a region begins, -1 it ends. Gives what the state was.
// [[Rcpp::export(rng = false)]]
SEXP cpp_autocast(SEXP device, SEXP nesting, SEXP state) {
  SEXP out = PROTECT(Rf_duplicate(state));
  int* it = INTEGER(out);
  check(shim().ts_autocast(CHAR(STRING_ELT(device, 0)), Rf_asInteger(nesting), &it[0], &it[1], &it[2]));
  UNPROTECT(1);
  return out;
}
