// Which overload: one ranking for all operators.
#pragma once
#include "op.h"

// Sorts the overloads of a record; the order decides among those that fit equally well.
void rank(Candidate* candidates, int n);
// The best overload for these values, or an R error that lists the candidates.
const Candidate& resolve(const Op& op, SEXP* values);
// The R error for values (a named list) that no overload takes.
[[noreturn]] void fail_overloads(const Op& op, SEXP given);
// Arguments of a call (a pairlist with tags) by position and name; NULL where none was given. false: they do not bind.
// `spellings`: further names of the arguments, or NULL.
bool bind_arguments(const ts_schema& schema, SEXP given, SEXP* values, SEXP spellings = R_NilValue);
