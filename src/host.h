// R functions that the shim calls: while it traces, and later where LibTorch comes to a hook or a derivative of the user's.
#pragma once
#include "convert.h"

// Calls function(list of the arguments), with R's jumps caught: TS_HOST_JUMP if one waits. The result is spelt in memory
// that lives until R code runs again; `value` (may be NULL) gets R's own, unprotected.
int call_function(SEXP function, const ts_value* arguments, size_t n, ts_value* result, SEXP* value);

// A function of that kind for the shim to keep: it lives until the shim gives it back.
ts_host_function host_function(SEXP function);
// The same of a hook on the gradient of `tensor`. Where a hook of an intermediate result can reach that result, as a
// closure of the function that computed it does, the two would hold each other for ever: once its graph is used up it
// lives as long as R's own object of the tensor does.
ts_host_function hook_function(SEXP function, SEXP tensor);

// Between the two the hooks that run are noted; those of a graph that is used up are let go.
size_t begin_backward();
void end_backward(size_t begin, bool used_up);

// What the shim may ask of R.
extern const ts_host r_host;
