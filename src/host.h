// R functions that the shim calls: while it traces, and later where LibTorch comes to a hook or a derivative of the user's.
#pragma once
#include "convert.h"

// Calls function(list of the arguments), with R's jumps caught: TS_HOST_JUMP if one waits. The result is spelt in memory
// that lives until R code runs again; `value` (may be NULL) gets R's own, unprotected.
int call_function(SEXP function, const ts_value* arguments, size_t n, ts_value* result, SEXP* value);

// A function of that kind for the shim to keep: it lives until the shim gives it back.
ts_host_function host_function(SEXP function);
// The same of a hook on the gradient of `tensor`. A hook can often reach the tensor that it hangs on, as a closure of the
// function that computed it does. LibTorch's reference to the hook and R's to the tensor would then hold each other for
// ever. So R's object of the tensor holds the hook, and R does not let go of that object while LibTorch holds the tensor
// or its node for anything else.
ts_host_function hook_function(SEXP function, SEXP tensor);

// What the shim may ask of R.
extern const ts_host r_host;
