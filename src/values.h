// Tells what R values are, and makes ts_values of their parts.
#pragma once
#include "to-value.h"

inline bool has_class(SEXP x, const char* name) { return Rf_isObject(x) && Rf_inherits(x, name); }
inline bool is_integer64(SEXP x) { return TYPEOF(x) == REALSXP && has_class(x, "integer64"); }
inline bool is_scalar(SEXP x) { return XLENGTH(x) == 1; }
// Whether `x` is of a class whose numbers mean nothing without it, such as factors, dates and dtypes.
bool is_coded(SEXP x);
bool is_number_vector(SEXP x);
bool is_atomic_data(SEXP x);
// Whether `x` is a single NA of a type that has no number for it: integer, logical, integer64.
bool is_scalar_na(SEXP x);
bool is_enum(SEXP x);
// Whether `x` is a number of LibTorch's with this class, such as a dtype or a layout.
bool is_code(SEXP x, const char* class_);
// The number of the dtype `x`. An R error if it is none.
int dtype_of(SEXP x);
// The value of the argument `name`. An R error if it is neither TRUE nor FALSE.
bool flag_of(SEXP x, const char* name);
bool is_string(SEXP x);
bool is_device(SEXP x);
bool is_dict(SEXP x);
bool is_plain_list(SEXP x);
// Whether `x` is a list, or a vector that may stand for a list of scalars.
bool is_sequence(SEXP x);
// Whether every element has a name.
bool is_named(SEXP x);
// Whether `x` is NULL, or an empty list for a missing tensor in a list of tensors.
bool is_none(SEXP x, const ts_type& optional);

int64_t bits_of(double v);
// Reads an element of a number vector as int64. False if it is not whole, or NA.
bool whole_at(SEXP x, R_xlen_t i, int64_t* out);
bool all_whole(SEXP x);
// Reads an element of a number vector as a double. False if that would round.
bool double_at(SEXP x, R_xlen_t i, double* out);
// An element of a list, or a new scalar with an element of a vector. The caller protects it.
SEXP element(SEXP x, R_xlen_t i);
// The names of a list or a vector, in R_alloc() memory.
const char** names_of(SEXP x);

ts_value float_value(double d);
ts_value bool_value(bool b);
ts_value complex_value(double real, double imaginary);
ts_value charsxp_value(SEXP s, int tag = TS_STRING);
ts_value items_value(int tag, R_xlen_t n, R_xlen_t entries);
// Makes a position count from 0 if the flags say that the number is one.
int64_t position(int64_t value, uint8_t flags);
ts_value number_value(SEXP x, uint8_t flags, const char* what);
ts_value tensor_value(SEXP x, uint8_t flags, const char* what, Keeper& keeper);
ts_value index_value(ts_tensor* tensor, Keeper& keeper);

// Reads modules, instances and members of enums, for which R holds handles. False if `x` is none of them.
bool held_value(SEXP x, const char* what, ts_value* out);
bool held_value_fits(SEXP x, const ts_type& type);
// The name of a class without the modules before it.
const char* class_name(const ts_type& type);
// The name of the member of the enum that `x` is or names; NULL if there is none.
const char* member_of(SEXP x, const ts_type& type);
