// What an R value is, and how its parts are spelt for the shim.
#pragma once
#include "to-value.h"

inline bool has_class(SEXP x, const char* name) { return Rf_isObject(x) && Rf_inherits(x, name); }
inline bool is_integer64(SEXP x) { return TYPEOF(x) == REALSXP && has_class(x, "integer64"); }
inline bool is_scalar(SEXP x) { return XLENGTH(x) == 1; }
// Numbers that mean nothing without their class (factors, dates, dtypes) are no numbers here.
bool is_coded(SEXP x);
bool is_number_vector(SEXP x);
bool is_atomic_data(SEXP x);
// One NA of a type that has no number for it: integer, logical, integer64.
bool is_scalar_na(SEXP x);
bool is_enum(SEXP x);
// LibTorch's number of a dtype, a layout, ...
bool is_code(SEXP x, const char* class_);
// The number of the dtype that `x` is; an R error if it is none.
int dtype_of(SEXP x);
// What the argument `name` says; an R error if that is neither TRUE nor FALSE.
bool flag_of(SEXP x, const char* name);
bool is_string(SEXP x);
bool is_device(SEXP x);
bool is_dict(SEXP x);
bool is_plain_list(SEXP x);
// A list, or a vector that may stand for a list of scalars.
bool is_sequence(SEXP x);
// Every element has a name.
bool is_named(SEXP x);
// NULL, or how operators write an absent tensor in a list of them: an empty list.
bool is_none(SEXP x, const ts_type& optional);

int64_t bits_of(double v);
// One element of a number vector as an int64; false if it is not whole or NA.
bool whole_at(SEXP x, R_xlen_t i, int64_t* out);
bool all_whole(SEXP x);
// One element of a number vector as a double; false if that would round.
bool double_at(SEXP x, R_xlen_t i, double* out);
// An element as an R value of its own; of a vector a new scalar, which the caller protects.
SEXP element(SEXP x, R_xlen_t i);
// In R_alloc memory.
const char** names_of(SEXP x);

ts_value float_value(double d);
ts_value bool_value(bool b);
ts_value complex_value(double real, double imaginary);
ts_value charsxp_value(SEXP s, int tag = TS_STRING);
ts_value items_value(int tag, R_xlen_t n, R_xlen_t entries);
// A position as LibTorch counts it, where the flags say that it is one.
int64_t position(int64_t value, uint8_t flags);
ts_value number_value(SEXP x, uint8_t flags, const char* what);
ts_value tensor_value(SEXP x, uint8_t flags, const char* what, Keeper& keeper);
ts_value index_value(ts_tensor* tensor, Keeper& keeper);

// Modules, instances, members of enums: what the shim holds. false if x is none of them.
bool held_value(SEXP x, const char* what, ts_value* out);
bool held_value_fits(SEXP x, const ts_type& type);
// Without the names of modules before it.
const char* class_name(const ts_type& type);
// The member of the enum that `x` is or names, else NULL.
const char* member_of(SEXP x, const ts_type& type);
