// Graphs and code.
#include "jit.h"

namespace {
ts_graph* graph_of(SEXP x) { return static_cast<ts_graph*>(handle_of(x, Kind::graph, "graph")); }
}  // namespace

// `stage` is one of `graph_stages`.
// [[Rcpp::export(rng = false)]]
SEXP cpp_callable_graph(SEXP callable, SEXP stage) {
  return asked<ts_graph>(Kind::graph, [&](ts_graph** out) {
    return shim().ts_callable_graph(callable_of(callable), Rf_asInteger(stage), out);
  });
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_graph_text(SEXP graph) {
  return answered([&](ts_value* out, ts_arena** arena) { return shim().ts_graph_text(graph_of(graph), out, arena); });
}

// The nodes of a graph, as a list of columns.
// [[Rcpp::export(rng = false)]]
SEXP cpp_graph_nodes(SEXP graph) {
  return answered([&](ts_value* out, ts_arena** arena) { return shim().ts_graph_nodes(graph_of(graph), out, arena); });
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_callable_code(SEXP callable) {
  return answered(
      [&](ts_value* out, ts_arena** arena) {
        return shim().ts_callable_code(callable_of(callable), out, arena);
      });
}
