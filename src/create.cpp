// Creation functions: sizes as R users write them, the default device, and `requires_grad`. Each `torch_<name>()` calls
// the operator of that name with the variables of the function's frame. Plain arguments are read here. All other
// arguments, and all wrong ones, are read by R functions, whose errors name the user's call.
#include <algorithm>
#include <cmath>

#include "op.h"

namespace {

constexpr int kMaxSizes = 64;

struct Words {
  SEXP size, stride, names, dtype, device, requires_grad, self, input;
};
const Words& words() {
  static const Words it = {Rf_install("size"),   Rf_install("stride"),        Rf_install("names"), Rf_install("dtype"),
                           Rf_install("device"), Rf_install("requires_grad"), Rf_install("self"),  Rf_install("input")};
  return it;
}

bool is_plain_number(SEXP x) { return (TYPEOF(x) == REALSXP || TYPEOF(x) == INTSXP) && !Rf_isObject(x); }

bool are_plain_sizes(SEXP x) {
  if (!is_plain_number(x)) return false;
  for (R_xlen_t i = 0; i < XLENGTH(x); ++i) {
    const double v = TYPEOF(x) == REALSXP ? REAL(x)[i] : INTEGER(x)[i];
    if (!(v >= 0 && std::isfinite(v) && v == std::trunc(v))) return false;
  }
  return true;
}

// Calls the R function `name` in the frame with a variable of it; `tag` is the name of the argument or NULL.
SEXP call_in_frame(const char* name, SEXP tag, SEXP variable, SEXP frame) {
  SEXP call = PROTECT(Rf_lang2(Rf_install(name), variable));
  SET_TAG(CDR(call), tag);
  SEXP out = Rf_eval(call, frame);
  UNPROTECT(1);
  return out;
}

// Reads sizes given as separate numbers or as one vector. NULL if `...` holds anything else; then nothing has been
// evaluated that rlang needs as it was written, such as `!!!sizes`.
SEXP plain_sizes_of(Dots dots) {
  static SEXP bang = Rf_install("!");
  double sizes[kMaxSizes];
  R_xlen_t n = 0;
  while (dots.more()) {
    if (dots.has_name() || dots.is_missing() || n == kMaxSizes) return nullptr;
    if (dots.is_promise()) {
      SEXP expression = dots.expression();
      if (TYPEOF(expression) == LANGSXP && CAR(expression) == bang) return nullptr;
    }
    SEXP value = dots.value();
    if (!are_plain_sizes(value)) return nullptr;
    dots.next();
    if (n == 0 && !dots.more()) return value;
    if (XLENGTH(value) != 1) return nullptr;
    sizes[n++] = Rf_asReal(value);
  }
  if (n == 0) return nullptr;
  SEXP out = Rf_allocVector(REALSXP, n);
  std::copy(sizes, sizes + n, REAL(out));
  return out;
}

SEXP sizes_of(SEXP symbol, SEXP frame) {
  SEXP value = argument_of(frame, symbol);
  if (value == R_UnboundValue) {
    SEXP plain = plain_sizes_of(Dots(frame));
    return plain ? plain : call_in_frame("sizes_of", R_NilValue, R_DotsSymbol, frame);
  }
  if (value == R_MissingArg) fail("type_error", "`%s` must be given: whole numbers.", CHAR(PRINTNAME(symbol)));
  return are_plain_sizes(value) ? value : call_in_frame("sizes_of", words().size, symbol, frame);
}

// The value of an option such as `dtype`; NULL if it was not given. Strings and wrong values are left to the R function
// `reader`.
SEXP option(SEXP symbol, const char* class_, const char* reader, SEXP frame) {
  SEXP value = argument_of(frame, symbol);
  if (value == R_NilValue || value == R_UnboundValue) return nullptr;
  return Rf_inherits(value, class_) ? value : call_in_frame(reader, R_NilValue, symbol, frame);
}

SEXP default_device() {
  static SEXP state = nullptr;
  if (!state) state = Rf_eval(Rf_install("the"), package_namespace());
  SEXP value = argument_of(state, words().device);
  return value == R_NilValue || value == R_UnboundValue ? nullptr : value;
}

SEXP read_argument(const Slot& slot, bool has_input, SEXP frame) {
  const Words& it = words();
  if (slot.symbol == it.size || slot.symbol == it.stride) return sizes_of(slot.symbol, frame);
  if (slot.symbol == it.dtype) return option(slot.symbol, "torch_dtype", "as_dtype", frame);
  if (slot.symbol == it.device) {
    SEXP device = option(slot.symbol, "torch_device", "as_device", frame);
    // A tensor that is made like another one is on the device of that one.
    return device || has_input ? device : default_device();
  }
  if (slot.symbol != it.self) return given(slot, frame);
  SEXP input = argument_of(frame, it.input);
  if (input == R_MissingArg) fail("type_error", "`input` must be given: a tensor.");
  if (!is_tensor(input)) call_in_frame("check_input", R_NilValue, it.input, frame);
  return input;
}

bool is_false(SEXP x) { return TYPEOF(x) == LGLSXP && XLENGTH(x) == 1 && LOGICAL(x)[0] == FALSE; }

}  // namespace

// .External2(C_create, key): the body of the creation functions.
SEXP create_external(SEXP, SEXP, SEXP args, SEXP frame) {
  const Words& it = words();
  const Op& op = op_record(STRING_ELT(CADR(args), 0));
  SEXP names = argument_of(frame, it.names);
  if (names != R_NilValue && names != R_UnboundValue) call_in_frame("refuse_names", R_NilValue, it.names, frame);
  const bool has_input = argument_of(frame, it.input) != R_UnboundValue;
  SEXP values[kMaxArguments];
  int n = 0;
  for (int slot = 0; slot < op.n_slots; ++slot) {
    values[slot] = read_argument(op.slots[slot], has_input, frame);
    if (!values[slot]) continue;
    PROTECT(values[slot]);
    ++n;
  }
  SEXP out = PROTECT(invoke(op, values));
  SEXP requires_grad = argument_of(frame, it.requires_grad);
  if (requires_grad != R_UnboundValue && !is_false(requires_grad)) {
    SEXP call = PROTECT(Rf_lang3(Rf_install("set_requires_grad"), out, it.requires_grad));
    out = Rf_eval(call, frame);
    UNPROTECT(1);
  }
  UNPROTECT(n + 1);
  return out;
}
