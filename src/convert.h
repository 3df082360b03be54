// R values <-> ts_value: the one converter, used by eager operators, compiled functions, loaded modules and tracing.
// What is built lives in R_alloc memory and in R objects kept by the Keeper; no C++ resource is held.
#pragma once
#include "handle.h"

// R objects made during one conversion, protected until the call is over. Plain data: an R jump resets the stack itself.
struct Keeper {
  int n = 0;
  ts_tensor* like = nullptr;  // a tensor beside which numbers stand that become tensors
  SEXP keep(SEXP x) {
    PROTECT(x);
    ++n;
    return x;
  }
  void release() {
    UNPROTECT(n);
    n = 0;
  }
};

// How an argument is to be read beyond its type.
enum ArgumentFlag : uint8_t {
  kPlain = 0,
  kPosition = 1,     // counts dimensions or positions from 1
  kIndexTensor = 2,  // its values count from 1
  kPromote = 4       // a lone number is a number to type promotion, not a tensor of shape (1)
};

// Cost of reading `x` as `type`: 0 fits as it is, more for each coercion, -1 does not fit. Never allocates.
int cost(SEXP x, const ts_type& type);
// Reads `x`, whose cost is not -1, or fails with an error that names `what`.
ts_value to_value(SEXP x, const ts_type& type, uint8_t flags, const char* what, Keeper& keeper);
// Without a type to guide: what tracing and TorchScript's Any see.
ts_value to_natural_value(SEXP x, const char* what, Keeper& keeper);

// Takes the handles that it wraps out of `value`.
SEXP to_sexp(ts_value& value);
SEXP string_sexp(const ts_value& value);

// An R vector or array as a tensor, as torch_tensor() reads it. dtype -1: by R's type.
ts_tensor* tensor_from_vector(SEXP x, int dtype, const char* device, bool requires_grad, bool pin_memory);
// "an integer vector", "a function", ... for messages.
const char* friendly(SEXP x);
