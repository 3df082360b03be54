// The record of an R function that calls an operator: its formals, the overloads behind it, and what counts from 1. A
// record is made at the first call, from op_facts() in R/ops.R, and never freed. R's main thread only.
#pragma once
#include "convert.h"
#include "operate.h"

constexpr int kMaxArguments = 64;

struct Slot {
  SEXP symbol;
  const char* name;
  SEXP default_value;  // a constant, or NULL if there is none
  SEXP words;          // names of its numbers, a named list of these; NULL: they have none
};

struct Candidate {
  const ts_callable* callable;
  const ts_schema* schema;
  int16_t slot[kMaxArguments];  // the formal of each argument; -1: none
  // Formals that other overloads have in the place of the argument, as bits; the argument may be given by their names
  // too. `for_tensor` holds those for tensors, if the argument is a number.
  uint64_t for_tensor[kMaxArguments], elsewhere[kMaxArguments];
  uint8_t flags[kMaxArguments];
  uint32_t position_results;  // bit i: result i holds positions
  bool makes_tensor;          // the only result is a new tensor
  bool writes;                // changes an argument
};

struct Op {
  const char* name;  // as users write it
  bool is_r_operator;
  int n_slots;
  Slot* slots;
  int n_candidates;
  Candidate* candidates;  // sorted by their rank
  SEXP result_names;      // names of several results; NULL: they have none
};

const Op& op_record(SEXP key);

// The value of a formal in the function's frame; NULL if it was not given or equals the default.
SEXP given(const Slot& slot, SEXP frame);

// Calls the overload that fits the values best. values[slot] is NULL for a formal that was not given. `frame` is that
// of the R function, if it is the operator's own.
SEXP invoke(const Op& op, SEXP* values, SEXP frame = nullptr);
// Runs a callable on converted arguments and returns the R value of its results. `sources` are the R values of the
// arguments, or NULL: a result that is the same tensor as one of them is that R object.
SEXP run_callable(const ts_callable* callable, const ts_value* arguments, size_t n, SEXP const* sources,
                  uint32_t position_results, bool makes_tensor, Repeat may_repeat, Int64 ints = Int64::exact,
                  SEXP frame = nullptr);
