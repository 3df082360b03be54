// Instances of TorchScript classes, and futures.
#include "jit.h"

namespace {
ts_object* object_of(SEXP x) { return static_cast<ts_object*>(handle_of(x, Kind::object, "x")); }
}  // namespace

// `part` is one of `object_parts`.
// [[Rcpp::export(rng = false)]]
SEXP cpp_object_describe(SEXP object, SEXP part) {
  return answered(
      [&](ts_value* out, ts_arena** arena) {
        return shim().ts_object_describe(object_of(object), Rf_asInteger(part), out, arena);
      });
}

// Whether `x` is an object with a handle, whatever its class says.
// [[Rcpp::export(rng = false)]]
SEXP cpp_is_object(SEXP x) { return Rf_ScalarLogical(is_kind(x, Kind::object) && R_ExternalPtrAddr(x)); }

// [[Rcpp::export(rng = false)]]
SEXP cpp_object_attribute(SEXP object, SEXP name) {
  return answered(
      [&](ts_value* out, ts_arena** arena) {
        return shim().ts_object_attribute(object_of(object), Rf_translateCharUTF8(STRING_ELT(name, 0)), out, arena);
      }, Int64::ask);
}

// A callable; NULL if there is no such member. `member` is one of `object_members`.
// [[Rcpp::export(rng = false)]]
SEXP cpp_object_member(SEXP object, SEXP name, SEXP member) {
  return asked<ts_callable>(Kind::callable, [&](ts_callable** out) {
    return shim().ts_object_member(object_of(object), Rf_translateCharUTF8(STRING_ELT(name, 0)), Rf_asInteger(member), out);
  });
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_future_wait(SEXP future) {
  return answered(
      [&](ts_value* out, ts_arena** arena) {
        return shim().ts_future_wait(object_of(future), out, arena);
      }, Int64::ask);
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_future_done(SEXP future) {
  int done;
  check(shim().ts_future_done(object_of(future), &done));
  return Rf_ScalarLogical(done);
}

// Whether two R objects are the same tensor.
// [[Rcpp::export(rng = false)]]
SEXP cpp_same_tensor(SEXP x, SEXP y) {
  return Rf_ScalarLogical(is_tensor(x) && is_tensor(y) && tensor_of(x) == tensor_of(y));
}
