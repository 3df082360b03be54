// R -> TorchScript: R values as ts_values, what that costs, and why a value does not fit. What is built lives in R_alloc
// memory and in R objects kept by the Keeper; no C++ resource is held.
#pragma once
#include "handle.h"

// R objects made during one conversion, protected until the call is over. Plain data: an R jump resets the stack itself.
struct Keeper {
  // R's stack of protected objects is short: past so many they are in a list that takes one place there.
  static constexpr int kOnStack = 256;
  int n = 0;
  SEXP more = nullptr;
  ts_tensor* like = nullptr;  // a tensor beside which numbers stand that become tensors: there, on its device
  // Numbers as long as the Keeper lives: sizes and dimensions are few, and R's memory for them costs as much as a tensor.
  int64_t few[16];
  R_xlen_t used = 0;
  int64_t* ints(R_xlen_t n) {
    if (n > 16 - used) return reinterpret_cast<int64_t*>(R_alloc(n, sizeof(int64_t)));
    used += n;
    return few + used - n;
  }
  SEXP keep(SEXP x) {
    PROTECT(x);
    if (++n <= kOnStack) return x;
    if (!more) {
      more = Rf_list1(R_NilValue);
      UNPROTECT(1);
      PROTECT(more);
      PROTECT(x);
    }
    SETCDR(more, Rf_cons(x, CDR(more)));
    UNPROTECT(1);
    return x;
  }
  // The last one is not needed after all.
  void drop() {
    if (--n > kOnStack) {
      SETCDR(more, CDDR(more));
      return;
    }
    UNPROTECT(1);
    more = nullptr;
  }
  void release() {
    UNPROTECT(more ? kOnStack + 1 : n);
    n = 0;
    more = nullptr;
  }
};

// How an argument is to be read beyond its type.
enum ArgumentFlag : uint8_t {
  kPlain = 0,
  kPosition = 1,     // counts dimensions or positions from 1
  kIndexTensor = 2,  // its values count from 1
  kPromote = 4,      // a lone number is a number to type promotion, not a tensor of shape (1)
  kStrict = 8,       // as TorchScript has it: a number is no tensor, nor one tensor a list of them
  kStored = 16,      // becomes an element of a tensor
  kWhole = 32        // where 2.0 means 2: with integer tensors LibTorch takes no other number
};

// Cost of reading `x` as `type`: 0 fits as it is, more for each coercion, -1 does not fit. What it allocates is garbage.
int cost(SEXP x, const ts_type& type, uint8_t flags = kPlain);

// Why a value does not fit: the innermost part that does not, and what it should have been.
struct Misfit {
  SEXP x;  // kept by the Keeper of the reading
  const ts_type* type;
  char path[128];  // from the argument to that part: "$a[[2]]"
  char note[160];
};
// Reads `x` in one pass; false if it does not fit.
bool read_value(SEXP x, const ts_type& type, uint8_t flags, const char* what, Keeper& keeper, ts_value* out, Misfit* why);
// "`x[[2]]` must be a whole number (int), not NA.", in R_alloc memory.
const char* misfit_message(const Misfit& why, const char* what);
// Reads `x`, or fails with an error that names `what`.
ts_value to_value(SEXP x, const ts_type& type, uint8_t flags, const char* what, Keeper& keeper);
// Without a type to guide: what tracing and TorchScript's Any see.
ts_value to_natural_value(SEXP x, const char* what, Keeper& keeper);

// An R vector or array as a tensor, as torch_tensor() reads it. dtype -1: by R's type. `what` names it in errors.
ts_tensor* tensor_from_vector(SEXP x, int dtype, const char* device, bool requires_grad, bool pin_memory,
                              const char* what = "data");
// An error if the dtype has no number for an element of `x`.
void check_numbers(SEXP x, int dtype, const char* what);
// "an integer vector", "a function", ... for messages.
const char* friendly(SEXP x);
// A type as R users read it: without the names of modules and of LibTorch's own before a class.
const char* type_text(const ts_type& type);
