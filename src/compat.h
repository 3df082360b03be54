// What differs between versions of R, each with the version from which the newer form is there.
#pragma once
#include <Rversion.h>
#include <Rinternals.h>

// The binding of `symbol` in the frame of a function: a value, a promise, R_MissingArg, or R_UnboundValue.
inline SEXP frame_variable(SEXP frame, SEXP symbol) { return Rf_findVarInFrame3(frame, symbol, TRUE); }

inline SEXP enclosing_environment(SEXP environment) {
#if R_VERSION >= R_Version(4, 5, 0)
  return R_ParentEnv(environment);
#else
  return ENCLOS(environment);
#endif
}

// A closure like `from` in another environment.
inline SEXP closure_in(SEXP from, SEXP environment) {
#if R_VERSION >= R_Version(4, 5, 0)
  return R_mkClosure(R_ClosureFormals(from), R_ClosureBody(from), environment);
#else
  SEXP closure = Rf_allocSExp(CLOSXP);
  SET_FORMALS(closure, FORMALS(from));
  SET_BODY(closure, BODY(from));
  SET_CLOENV(closure, environment);
  return closure;
#endif
}

// Expression and environment of an argument that has not been evaluated; the environment is R_NilValue once it has.
inline SEXP promise_expression(SEXP promise) { return R_PromiseExpr(promise); }
inline SEXP promise_environment(SEXP promise) { return PRENV(promise); }
