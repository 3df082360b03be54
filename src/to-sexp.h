// TorchScript -> R: ts_values as R values.
#pragma once
#include "handle.h"

// How int64 comes to R: exact is double, or integer64 where a double would round; ask reads `options(torch.int64 =)`.
enum class Int64 { exact, ask, as_double, as_integer64 };
// Takes the handles that it wraps out of `value`.
SEXP to_sexp(ts_value& value, Int64 ints = Int64::exact);
// Doubles that hold the bits of int64 as bit64 has them; `lowest`: one is the smallest of all, which is NA there.
SEXP make_integer64(SEXP bits, bool lowest);
SEXP string_sexp(const ts_value& value);
SEXP raw_sexp(const ts_value& value);  // the bytes of a string
