// An R function over an operator: which formals it has, which overloads stand behind it, what counts from 1.
// Records are made once at the first call, from op_facts() in R/ops.R, and never freed.
#pragma once
#include "convert.h"
#include "operate.h"

constexpr int kMaxArguments = 64;

struct Slot {
  SEXP symbol;
  const char* name;
  SEXP default_value;  // a constant, or NULL if there is none
  SEXP words;          // what its numbers are called: a named list, or NULL
};

struct Candidate {
  const ts_callable* callable;
  const ts_schema* schema;
  int16_t slot[kMaxArguments];  // of each argument, -1: none
  // Formals that stand in other overloads where the argument stands here, as bits: what is given there will do. `for_tensor`:
  // those of tensors, where this is a number.
  uint64_t for_tensor[kMaxArguments], elsewhere[kMaxArguments];
  uint8_t flags[kMaxArguments];
  uint32_t position_results;  // bit i: result i holds positions
  bool makes_tensor;          // one result, a tensor of its own
  bool writes;                // into an argument
};

struct Op {
  const char* name;  // as the user writes it
  bool is_r_operator;
  int n_slots;
  Slot* slots;
  int n_candidates;
  Candidate* candidates;  // ranked
  SEXP result_names;      // of several results, NULL where they have none
};

const Op& op_record(SEXP key);

// The value of a formal in the function's frame, NULL if it was not given or is the default itself.
SEXP given(const Slot& slot, SEXP frame);

// Calls the overload that fits the values best; values[slot] is NULL where nothing was given. `frame`: that of the R
// function, if it is the operator's own.
SEXP invoke(const Op& op, SEXP* values, SEXP frame = nullptr);
// Runs a callable on converted arguments, results to R.
// `sources` are the R values behind the arguments (or NULL): a result that is one of them is that R object.
SEXP run_callable(const ts_callable* callable, const ts_value* arguments, size_t n, SEXP const* sources,
                  uint32_t position_results, bool makes_tensor, Repeat may_repeat, Int64 ints = Int64::exact,
                  SEXP frame = nullptr);
