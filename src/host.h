// R functions that the shim calls while it traces, and later where LibTorch comes to the user's hooks and derivatives.
// The shim calls them on R's main thread only.
#pragma once
#include "convert.h"

// Calls function(list of the arguments). R's jumps are caught; TS_HOST_JUMP means that one waits. The result lies in
// memory that lives until R code runs again. `value`, which may be NULL, gets the R value, unprotected.
int call_function(SEXP function, const ts_value* arguments, size_t n, ts_value* result, SEXP* value);

// An R function for the shim to keep. It lives until the shim gives it back.
ts_host_function host_function(SEXP function);
// The same for a hook on the gradient of `tensor`. Often the hook can reach the tensor, since it is a closure of the
// function that computed it. Then LibTorch's reference to the hook and R's to the tensor would keep both alive for
// ever. So R's object of the tensor holds the hook, and R keeps that object alive only while LibTorch holds the tensor
// or its node for another reason.
ts_host_function hook_function(SEXP function, SEXP tensor);

// The functions by which the shim asks R for something.
extern const ts_host r_host;
