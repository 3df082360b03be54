// What the rest of the glue does differently while a trace runs. R's main thread only.
#pragma once
#include "convert.h"

// How many traces run, one inside the other.
extern int tracing;

// Before each operator: tells the shim where the user's code is, and gives the warnings that had to wait. `frame`: that of
// the operator's R function, if there is one.
void mark_place(SEXP frame = nullptr);
// Does so where the place is known without a look at all frames; false if it is not.
bool mark_known_place(SEXP frame);
// Whether warnings wait.
extern bool warnings_wait;
// A value of `tensor` leaves the graph for R: a warning at the user's call, if the trace knows the tensor.
void leaves_trace(SEXP tensor);

// Sizes of a traced tensor: an integer vector of class torch_size that knows which sizes it holds, so that an operator
// gets the trace's value and not the number of the example. Reading it as numbers anywhere else is noticed.
SEXP new_size(SEXP numbers, SEXP tensors);
bool is_size(SEXP x);
// The numbers, without being noticed.
SEXP size_numbers(SEXP x);
// All sizes of a tensor (dim -1: the number of elements instead), or NULL if the trace does not know it.
SEXP traced_sizes(SEXP tensor, const ts_tensor_info& info, bool numel);
// A size as an argument; false where the type has no place for it, and the caller reads the numbers.
bool size_value(SEXP x, const ts_type& type, uint8_t flags, ts_value* out);
