// Forward-mode derivatives.
#include "r.h"
#include "shim.h"

// With NULL enters a level and returns its number; otherwise leaves the level `level`.
// [[Rcpp::export(rng = false)]]
SEXP cpp_forward_level(SEXP level) {
  if (level != R_NilValue) {
    check(shim().ts_forward_level_exit(static_cast<uint64_t>(Rf_asInteger(level))));
    return level;
  }
  uint64_t entered;
  check(shim().ts_forward_level_enter(&entered));
  return Rf_ScalarInteger(static_cast<int>(entered));
}
