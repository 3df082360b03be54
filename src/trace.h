// What the glue does differently while a trace runs. R's main thread only.
#pragma once
#include "convert.h"

// How many traces run. They can nest.
extern int tracing;

// Called before each operator. Tells the shim where the user's code is, and gives the warnings that had to wait.
// `frame` is that of the operator's R function, if there is one.
void mark_place(SEXP frame = nullptr);
// Does the same if the place is known without a search through all frames; otherwise returns false.
bool mark_known_place(SEXP frame);
// Whether warnings wait for the next operator.
extern bool warnings_wait;
// Warns at the user's call that a value of `tensor` leaves the graph, if the trace knows the tensor.
void leaves_trace(SEXP tensor);

// Makes sizes of a traced tensor: an integer vector of class torch_size that knows which sizes it holds. An operator
// gets the trace's value and not the number of the example. Any other read of the numbers is noticed.
SEXP new_size(SEXP numbers, SEXP tensors);
bool is_size(SEXP x);
// The numbers; this read is not noticed.
SEXP size_numbers(SEXP x);
// All sizes of a tensor, or with `numel` its number of elements. NULL if the trace does not know the tensor.
SEXP traced_sizes(SEXP tensor, const ts_tensor_info& info, bool numel);
// A size as an argument. False if the type can't take a size; the caller then reads the numbers.
bool size_value(SEXP x, const ts_type& type, uint8_t flags, ts_value* out);
