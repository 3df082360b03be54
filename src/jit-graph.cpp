// Graphs and the executor.
#include "jit.h"

// which: 0 the graph, 1 inlined, 2 the plan that ran last, 3 code.
// [[Rcpp::export(rng = false)]]
SEXP cpp_callable_text(SEXP callable, SEXP which) {
  ts_value out;
  ts_arena* arena = nullptr;
  check(shim().ts_callable_text(callable_of(callable), Rf_asInteger(which), &out, &arena));
  return finish(&out, arena);
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_profiled_runs() {
  int n;
  check(shim().ts_profiled_runs(&n));
  return Rf_ScalarInteger(n);
}
