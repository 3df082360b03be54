// Which overload: one ranking for all operators.
#pragma once
#include "op.h"

// Sorts the overloads of a record; the order decides among those that fit equally well.
void rank(Candidate* candidates, int n);
// What a number costs that is given by the name of a tensor, and anything else by the name that stands there elsewhere:
// more than a number that is read as a tensor.
constexpr int kForTensor = 1, kElsewhere = 9;
// Which formal gives argument `i`, and what its name costs; -1: none. `used`: the formals that gave others.
int slot_of(const Candidate& candidate, size_t i, SEXP const* values, uint64_t used, int* price);
// The best overload for these values, or an R error that lists the candidates.
const Candidate& resolve(const Op& op, SEXP* values);
// The best overload for the arguments of a call (a pairlist with tags) by position and name, as each overload has them,
// or the same error. values[i] is NULL where an argument was not given.
const Candidate& resolve_call(const Op& op, SEXP given, SEXP* values);
// Arguments of a call by position and name. false: they do not bind, because of the argument `*wrong`. `spellings`:
// further names of the arguments, or NULL.
bool bind_arguments(const ts_schema& schema, SEXP given, SEXP* values, SEXP* wrong, SEXP spellings = R_NilValue);
