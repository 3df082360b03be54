// Conversion of ts_values to R values.
#pragma once
#include "handle.h"

// How int64 values become R values. `exact` makes doubles, or integer64 if a double would round; `ask` reads
// `options(torch.int64 =)`.
enum class Int64 { exact, ask, as_double, as_integer64 };
// Converts a value. The R objects take over its handles.
SEXP to_sexp(ts_value& value, Int64 ints = Int64::exact);
// Makes an integer64 of doubles that hold the bits of int64. `lowest` tells that one is the smallest int64, which is NA
// there.
SEXP make_integer64(SEXP bits, bool lowest);
SEXP string_sexp(const ts_value& value);
SEXP raw_sexp(const ts_value& value);  // the bytes of a string
