// Conversion of R values to ts_values: what it costs, and why a value does not fit. The results lie in R_alloc() memory
// and in R objects that the Keeper keeps. No C++ object owns anything.
#pragma once
#include "handle.h"

// Protects the R objects that are made during one conversion until the call is over. It is plain data: when R jumps, R
// resets its stack of protected objects itself.
struct Keeper {
  // R's stack of protected objects is short. Beyond this number objects are in a list, which takes one place there.
  static constexpr int kOnStack = 256;
  int n = 0;
  SEXP more = nullptr;
  ts_tensor* like = nullptr;  // numbers that become tensors go to the device of this one; NULL: none
  // Memory for integers that lasts as long as the Keeper. Sizes and dimensions are few, and memory from R would cost as
  // much as a tensor.
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
  // Unprotects the last object.
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

// How an argument is read, beyond its type.
enum ArgumentFlag : uint8_t {
  kPlain = 0,
  kPosition = 1,     // counts dimensions or positions from 1
  kIndexTensor = 2,  // a tensor whose values count from 1
  kPromote = 4,      // a lone number is a number to type promotion, not a tensor of shape (1)
  kStrict = 8,       // as TorchScript has it: a number is no tensor, nor one tensor a list of them
  kStored = 16,      // becomes an element of a tensor
  kWhole = 32        // 2.0 means 2: beside integer tensors LibTorch takes whole numbers only
};

// The cost of reading `x` as `type`: 0 if it fits as it is, more for each coercion, -1 if it does not fit. R may
// allocate memory for this, which becomes garbage.
int cost(SEXP x, const ts_type& type, uint8_t flags = kPlain);

// Why a value does not fit: the innermost part that does not, and the type that it should have.
struct Misfit {
  SEXP x;  // kept by the Keeper of the reading
  const ts_type* type;
  char path[128];  // from the argument to that part: "$a[[2]]"
  char note[160];
};
// Reads `x` in one pass. False if it does not fit; `why` then tells the reason.
bool read_value(SEXP x, const ts_type& type, uint8_t flags, const char* what, Keeper& keeper, ts_value* out, Misfit* why);
// A message such as "`x[[2]]` must be a whole number (int), not NA.", in R_alloc() memory.
const char* misfit_message(const Misfit& why, const char* what);
// Reads `x`. An R error that names `what` if it does not fit.
ts_value to_value(SEXP x, const ts_type& type, uint8_t flags, const char* what, Keeper& keeper);
// Reads `x` without a type, as for traces and for TorchScript's Any.
ts_value to_natural_value(SEXP x, const char* what, Keeper& keeper);

// An R vector or array as a tensor, as torch_tensor() makes it. `dtype` -1 takes R's type. `what` names it in errors.
ts_tensor* tensor_from_vector(SEXP x, int dtype, const char* device, bool requires_grad, bool pin_memory,
                              const char* what = "data");
// An R error if the dtype has no number for an element of `x`.
void check_numbers(SEXP x, int dtype, const char* what);
// Describes `x` for messages: "an integer vector", "a function".
const char* friendly(SEXP x);
// A type for R users: names of classes without the modules and marks that LibTorch puts before them.
const char* type_text(const ts_type& type);
