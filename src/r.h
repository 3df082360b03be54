// R's C interface as the glue uses it. The glue holds plain data and R objects only, so that a longjmp out of any R call
// leaves nothing behind. Everything here must run on R's main thread.
#pragma once
#define R_NO_REMAP
#define STRICT_R_HEADERS
#include <Rcpp.h>

#include "compat.h"
#include "torch_shim.h"

// Raises the R error of `class_` (a subclass of torch_error) for the R function that called the glue. Never returns.
[[noreturn]] void fail(const char* class_, const char* format, ...);
// The same with the message of the shim's last failed call; continues an R jump that a callback held back.
[[noreturn]] void fail_shim(int status);
// LibTorch's warnings that wait, as R warnings. May jump, where warnings are errors.
void pass_warnings();
inline void check(int status) {
  if (status != TS_OK) fail_shim(status);
}

// The value of an argument in the function's frame. A default is a promise of a constant, which needs no evaluation.
inline SEXP argument_of(SEXP frame, SEXP symbol) {
  SEXP value = frame_variable(frame, symbol);
  if (TYPEOF(value) != PROMSXP) return value;
  SEXP expression = promise_expression(value);
  return expression == R_NilValue || Rf_isVectorAtomic(expression) ? expression : Rf_eval(value, frame);
}

// The value of the package's own function `name` called with these arguments.
SEXP call_package(const char* name, SEXP a);
SEXP call_package(const char* name, SEXP a, SEXP b);
SEXP package_namespace();
