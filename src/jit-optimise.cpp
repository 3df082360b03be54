// The executor's switches, and modules made for inference.
#include "jit.h"

// [[Rcpp::export(rng = false)]]
SEXP cpp_callable_is_optimised(SEXP callable) {
  int is;
  check(shim().ts_callable_is_optimised(callable_of(callable), &is));
  return Rf_ScalarLogical(is);
}

// `which` is one of `jit_switches`, `set` a whole number, or NULL to ask only. Returns what the switch was.
// [[Rcpp::export(rng = false)]]
SEXP cpp_jit_switch(SEXP which, SEXP set) {
  int was;
  check(shim().ts_jit_switch(Rf_asInteger(which), set == R_NilValue ? -1 : Rf_asInteger(set), &was));
  return Rf_ScalarInteger(was);
}

// `set` holds pairs of a behaviour (0 static, 1 dynamic) and a depth in one integer vector, or is NULL to ask only.
// Returns the strategy before.
// [[Rcpp::export(rng = false)]]
SEXP cpp_fusion_strategy(SEXP set) {
  const void* memory = vmaxget();
  const R_xlen_t n = Rf_xlength(set);
  auto* pairs = reinterpret_cast<int64_t*>(R_alloc(n + 1, sizeof(int64_t)));
  for (R_xlen_t i = 0; i < n; ++i) pairs[i] = INTEGER(set)[i];
  SEXP was = answered([&](ts_value* out, ts_arena** arena) {
    return shim().ts_fusion_strategy(pairs, static_cast<size_t>(n), out, arena);
  });
  vmaxset(memory);
  return was;
}

namespace {

using Make = int (*)(ts_module*, const char* const*, size_t, int, ts_module**);

SEXP make_module(SEXP module, SEXP names, int flag, Make make) {
  const void* memory = vmaxget();
  const R_xlen_t n = Rf_xlength(names);
  auto** all = reinterpret_cast<const char**>(R_alloc(n + 1, sizeof(char*)));
  for (R_xlen_t i = 0; i < n; ++i) all[i] = Rf_translateCharUTF8(STRING_ELT(names, i));
  SEXP made = asked<ts_module>(Kind::module, [&](ts_module** out) {
    return make(module_of(module), all, static_cast<size_t>(n), flag, out);
  });
  vmaxset(memory);
  return made;
}

}  // namespace

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_freeze(SEXP module, SEXP preserved, SEXP optimise_numerics) {
  return make_module(module, preserved, Rf_asLogical(optimise_numerics) == TRUE, shim().ts_module_freeze);
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_optimise(SEXP module, SEXP methods) {
  return make_module(module, methods, 0,
                     [](ts_module* from, const char* const* names, size_t n, int, ts_module** out) {
                       return shim().ts_module_optimise(from, names, n, out);
                     });
}
