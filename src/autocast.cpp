// Mixed precision.
#include "r.h"
#include "shim.h"

// `state` is c(enabled, dtype, cache), where -1 leaves a value as it is. `nesting` is 1 where a region begins and -1
// where it ends. Returns the state before.
// [[Rcpp::export(rng = false)]]
SEXP cpp_autocast(SEXP device, SEXP nesting, SEXP state) {
  SEXP out = PROTECT(Rf_duplicate(state));
  int* it = INTEGER(out);
  check(shim().ts_autocast(CHAR(STRING_ELT(device, 0)), Rf_asInteger(nesting), &it[0], &it[1], &it[2]));
  UNPROTECT(1);
  return out;
}
