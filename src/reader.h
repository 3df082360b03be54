// Reads an R value as a TorchScript value. This class reads containers; src/kinds.cpp tells how each kind is read.
#pragma once
#include "text.h"
#include "to-value.h"

// One reading. It goes down into containers. On a misfit it returns false all the way up, noting the path to the
// misfit.
class Reader {
 public:
  Reader(uint8_t flags, const char* what, Keeper& keeper, Misfit* why)
      : flags_(flags), what_(what), keeper_(keeper), why_(why) {}

  bool read(SEXP x, const ts_type& type, ts_value* out);
  // Reads without a type: a vector is a list, a named list of tensors a dict, any other list a tuple.
  bool read_natural(SEXP x, ts_value* out);

  bool read_list(SEXP x, const ts_type& type, ts_value* out);
  bool read_tuple(SEXP x, const ts_type& type, ts_value* out);
  bool read_dict(SEXP x, const ts_type& type, ts_value* out);

  uint8_t flags() const { return flags_; }
  const char* what() const { return what_; }
  Keeper& keeper() { return keeper_; }

  // Notes that the value does not fit the type. Returns false, for the caller to return.
  bool misfit(SEXP x, const ts_type& type) {
    why_->x = x;
    why_->type = &type;
    why_->path[0] = '\0';
    why_->note[0] = '\0';
    return false;
  }
  bool misfit(SEXP x, const ts_type& type, const char* note) {
    misfit(x, type);
    Text(why_->note, sizeof why_->note) << note;
    return false;
  }
  // After the value did not fit the item of an optional type or the like: makes the message name the whole type, which
  // allows more. Returns false.
  bool widen(const ts_type& type) {
    if (why_->type == type.items[0] && !why_->path[0]) why_->type = &type;
    return false;
  }

 private:
  bool misfit_at(SEXP x, R_xlen_t i, const ts_type& type);
  // Puts a step before the path to the misfit. Returns false.
  bool below(const char* step, size_t index = 0);
  bool read_scalar(SEXP x, R_xlen_t i, const ts_type& type, ts_value* out);
  bool read_element(SEXP x, R_xlen_t i, const ts_type& type, ts_value* out);

  bool read_vector(SEXP x, const ts_type& element, int32_t length, ts_value* out);
  bool read_natural_list(SEXP x, ts_value* out);
  bool read_natural_dict(SEXP x, ts_value* out);

  // The most levels of nesting. Types are finite, but a value may hold itself.
  static constexpr int kDeepest = 500;
  int depth_ = 0;
  uint8_t flags_;
  const char* what_;
  Keeper& keeper_;
  Misfit* why_;
};

// Finds the element of `x` for each field of a named tuple; -1: the field has a default and no element. False if names
// and fields do not fit. `from` and `why` may be NULL.
bool match_fields(SEXP x, const ts_type& type, int* from, Misfit* why);
bool fits_length(SEXP x, const ts_type& tuple);

// The type of a vector's elements where no schema tells it; NULL if `x` is not such a vector.
const ts_type* natural_leaf(SEXP x);
