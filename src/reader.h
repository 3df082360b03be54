// One R value read as one TorchScript value: what goes on between the kinds (src/kinds.cpp) while containers are read.
#pragma once
#include "text.h"
#include "to-value.h"

// One reading: goes down into containers, and on a misfit back up, leaving the way to it.
class Reader {
 public:
  Reader(uint8_t flags, const char* what, Keeper& keeper, Misfit* why)
      : flags_(flags), what_(what), keeper_(keeper), why_(why) {}

  bool read(SEXP x, const ts_type& type, ts_value* out);
  // Without a type: a vector is a list, a named list of tensors a dict, any other list a tuple.
  bool read_natural(SEXP x, ts_value* out);

  bool read_list(SEXP x, const ts_type& type, ts_value* out);
  bool read_tuple(SEXP x, const ts_type& type, ts_value* out);
  bool read_dict(SEXP x, const ts_type& type, ts_value* out);

  uint8_t flags() const { return flags_; }
  const char* what() const { return what_; }
  Keeper& keeper() { return keeper_; }

  // Notes that the value does not fit the type, with a sentence more; false, for the caller to return.
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
  // What did not fit the one item of a type would have fitted the type in another way too.
  bool widen(const ts_type& type) {
    if (why_->type == type.items[0] && !why_->path[0]) why_->type = &type;
    return false;
  }

 private:
  bool misfit_at(SEXP x, R_xlen_t i, const ts_type& type);
  // The misfit lies a step further down. false.
  bool below(const char* step, size_t index = 0);
  bool read_scalar(SEXP x, R_xlen_t i, const ts_type& type, ts_value* out);
  bool read_element(SEXP x, R_xlen_t i, const ts_type& type, ts_value* out);

  bool read_vector(SEXP x, const ts_type& element, int32_t length, ts_value* out);
  bool read_natural_list(SEXP x, ts_value* out);
  bool read_natural_dict(SEXP x, ts_value* out);

  // Types end, values need not.
  static constexpr int kDeepest = 500;
  int depth_ = 0;
  uint8_t flags_;
  const char* what_;
  Keeper& keeper_;
  Misfit* why_;
};

// Which element of x is each field of a named tuple, -1: none, as it has a default; false if names and fields do not fit.
// `from` and `why` may be NULL.
bool match_fields(SEXP x, const ts_type& type, int* from, Misfit* why);
bool fits_length(SEXP x, const ts_type& tuple);

// The type of a vector's elements where no schema tells; NULL if `x` is none.
const ts_type* natural_leaf(SEXP x);
