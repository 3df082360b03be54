// Hides the differences between versions of R. Each form uses the API of the R that compiles it: functions that look
// into promises left the API in 4.5, and their replacements came with 4.6.
#pragma once
#include <Rversion.h>
#include <Rinternals.h>
#include <R_ext/Rallocators.h>

#if R_VERSION >= R_Version(4, 6, 0)
// libR exports this function, but its header does not declare it.
extern "C" SEXP Rf_allocVector3(SEXPTYPE, R_xlen_t, R_allocator_t*);
#endif

#if R_VERSION >= R_Version(4, 5, 0) && R_VERSION < R_Version(4, 6, 0)
// Calls the package's R function of this name.
SEXP dots_environment(SEXP frame, int position);
#endif

#if R_VERSION >= R_Version(4, 6, 0)

// The value of a variable in a function's frame; R_MissingArg, or R_UnboundValue if there is no such variable. The
// promise of a default that is a constant is not evaluated.
inline SEXP argument_of(SEXP frame, SEXP symbol) {
  switch (R_GetBindingType(symbol, frame)) {
    case R_BindingTypeUnbound: return R_UnboundValue;
    case R_BindingTypeMissing: return R_MissingArg;
    case R_BindingTypeDelayed: {
      SEXP expression = R_DelayedBindingExpression(symbol, frame);
      if (expression == R_NilValue || Rf_isVectorAtomic(expression)) return expression;
    } [[fallthrough]];
    default: return R_getVarEx(symbol, frame, FALSE, R_UnboundValue);
  }
}

inline bool has_variable(SEXP frame, SEXP symbol) { return R_GetBindingType(symbol, frame) != R_BindingTypeUnbound; }

// Walks through `...` of a function's frame. expression() and environment() are for elements that were promises; once a
// promise was evaluated, its environment is R_NilValue.
class Dots {
 public:
  explicit Dots(SEXP frame) : frame_(frame), n_(R_DotsExist(frame) ? R_DotsLength(frame) : 0) {}
  bool more() const { return at_ <= n_; }
  void next() { ++at_; }
  bool is_named(SEXP symbol) const {
    SEXP names = R_DotsNames(frame_);
    return names != R_NilValue && STRING_ELT(names, at_ - 1) == PRINTNAME(symbol);
  }
  bool has_name() const {
    SEXP names = R_DotsNames(frame_);
    return names != R_NilValue && XLENGTH(STRING_ELT(names, at_ - 1)) > 0;
  }
  bool is_missing() const { return R_GetDotType(at_, frame_) == R_DotTypeMissing; }
  bool is_promise() const { return is_delayed() || R_GetDotType(at_, frame_) == R_DotTypeForced; }
  SEXP expression() const {
    return is_delayed() ? R_DotDelayedExpression(at_, frame_) : R_DotForcedExpression(at_, frame_);
  }
  SEXP environment() const { return is_delayed() ? R_DotDelayedEnvironment(at_, frame_) : R_NilValue; }
  SEXP value() const { return R_DotsElt(at_, frame_); }

 private:
  bool is_delayed() const { return R_GetDotType(at_, frame_) == R_DotTypeDelayed; }

  SEXP frame_;
  int at_ = 1, n_;
};

#else

inline SEXP argument_of(SEXP frame, SEXP symbol) {
  SEXP value = Rf_findVarInFrame(frame, symbol);
  if (TYPEOF(value) != PROMSXP) return value;
#if R_VERSION < R_Version(4, 5, 0)
  SEXP expression = R_PromiseExpr(value);
  if (expression == R_NilValue || Rf_isVectorAtomic(expression)) return expression;
#endif
  return Rf_eval(value, frame);
}

inline bool has_variable(SEXP frame, SEXP symbol) {
#if R_VERSION >= R_Version(4, 2, 0)
  return R_existsVarInFrame(frame, symbol);
#else
  return Rf_findVarInFrame3(frame, symbol, FALSE) != R_UnboundValue;
#endif
}

class Dots {
 public:
  explicit Dots(SEXP frame) : frame_(frame), at_(Rf_findVarInFrame(frame, R_DotsSymbol)) {}
  bool more() const { return TYPEOF(at_) == DOTSXP || TYPEOF(at_) == LISTSXP; }
  void next() {
    at_ = CDR(at_);
    ++position_;
  }
  bool is_named(SEXP symbol) const { return TAG(at_) == symbol; }
  bool has_name() const { return TAG(at_) != R_NilValue; }
  bool is_missing() const { return CAR(at_) == R_MissingArg; }
  bool is_promise() const { return TYPEOF(CAR(at_)) == PROMSXP; }
#if R_VERSION < R_Version(4, 5, 0)
  SEXP expression() const { return R_PromiseExpr(as_written()); }
  SEXP environment() const { return PRENV(as_written()); }
#else
  // Substituting in a promise gives its expression, or a copy of it.
  SEXP expression() const { return Rf_substitute(CAR(at_), R_NilValue); }
  SEXP environment() const { return dots_environment(frame_, position_); }
#endif
  SEXP value() const { return is_promise() ? Rf_eval(CAR(at_), R_EmptyEnv) : CAR(at_); }

 private:
#if R_VERSION < R_Version(4, 5, 0)
  // If a function hands on its `...`, R wraps each promise into another one. This is the innermost.
  SEXP as_written() const {
    SEXP promise = CAR(at_);
    while (TYPEOF(R_PromiseExpr(promise)) == PROMSXP) promise = R_PromiseExpr(promise);
    return promise;
  }
#endif

  SEXP frame_, at_;
  int position_ = 1;
};

#endif

inline SEXP enclosing_environment(SEXP environment) {
#if R_VERSION >= R_Version(4, 5, 0)
  return R_ParentEnv(environment);
#else
  return ENCLOS(environment);
#endif
}

inline SEXP closure_environment(SEXP closure) {
#if R_VERSION >= R_Version(4, 5, 0)
  return R_ClosureEnv(closure);
#else
  return CLOENV(closure);
#endif
}

// A copy of the closure `from` in another environment.
inline SEXP closure_in(SEXP from, SEXP environment) {
#if R_VERSION >= R_Version(4, 5, 0)
  return R_mkClosure(R_ClosureFormals(from), R_ClosureBody(from), environment);
#else
  SEXP closure = Rf_allocSExp(CLOSXP);
  SET_FORMALS(closure, FORMALS(from));
  SET_BODY(closure, BODY(from));
  SET_CLOENV(closure, environment);
  return closure;
#endif
}
