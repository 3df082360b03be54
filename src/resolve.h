// Chooses the overload of an operator: one ranking serves all operators.
#pragma once
#include "op.h"

// Sorts the overloads of a record. Their order decides between overloads that fit equally well.
void rank(Candidate* candidates, int n);
// The additional cost of an argument that is given by the name which another overload has in its place. For a number
// given by a tensor's name it is small; for all others it is more than reading a number as a tensor costs.
constexpr int kForTensor = 1, kElsewhere = 9;
// The formal that gives argument `i`, and in `price` what its name costs; -1: none. `used` holds the formals that gave
// other arguments, as bits.
int slot_of(const Candidate& candidate, size_t i, SEXP const* values, uint64_t used, int* price);
// The overload that fits the values best. An R error that lists the candidates if none fits.
const Candidate& resolve(const Op& op, SEXP* values);
// The overload that fits the arguments of a call best: a pairlist with tags, bound by position and name as each
// overload has them. The same error. values[i] is NULL for an argument that was not given.
const Candidate& resolve_call(const Op& op, SEXP given, SEXP* values);
// Binds the arguments of a call by position and name. False if the argument `*wrong` can't be bound. `spellings` holds
// further names of the arguments, or is NULL.
bool bind_arguments(const ts_schema& schema, SEXP given, SEXP* values, SEXP* wrong, SEXP spellings = R_NilValue);
