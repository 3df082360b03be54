// Dtypes, devices, random numbers and threads.
#include "convert.h"
#include "operate.h"

#include <cstring>

// The names of dtypes in LibTorch, such as "Byte", in the order of their numbers.
// [[Rcpp::export(rng = false)]]
SEXP cpp_dtype_names() {
  int n = 0;
  while (shim().ts_dtype_name(n)) ++n;
  SEXP out = PROTECT(Rf_allocVector(STRSXP, n));
  for (int i = 0; i < n; ++i) SET_STRING_ELT(out, i, Rf_mkChar(shim().ts_dtype_name(i)));
  UNPROTECT(1);
  return out;
}

// Returns c(is_floating_point, is_complex, bytes).
// [[Rcpp::export(rng = false)]]
SEXP cpp_dtype_info(SEXP dtype) {
  int facts[3];
  check(shim().ts_dtype_info(Rf_asInteger(dtype), &facts[0], &facts[1], &facts[2]));
  SEXP out = Rf_allocVector(INTSXP, 3);
  std::memcpy(INTEGER(out), facts, sizeof facts);
  return out;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_default_dtype(SEXP set) {
  int was;
  check(shim().ts_default_dtype(set == R_NilValue ? -1 : Rf_asInteger(set), &was));
  return Rf_ScalarInteger(was);
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_device_check(SEXP device) {
  return answered(
      [&](ts_value* out, ts_arena** arena) {
        return shim().ts_device_check(CHAR(STRING_ELT(device, 0)), out, arena);
      });
}

namespace {
uint64_t seed_of(SEXP seed) {
  uint64_t bits;
  if (TYPEOF(seed) == REALSXP && Rf_inherits(seed, "integer64"))
    std::memcpy(&bits, REAL(seed), sizeof bits);
  else
    bits = static_cast<uint64_t>(static_cast<int64_t>(Rf_asReal(seed)));
  return bits;
}
ts_generator* generator_of(SEXP x) {
  return x == R_NilValue ? nullptr : static_cast<ts_generator*>(handle_of(x, Kind::generator, "generator"));
}
}  // namespace

// [[Rcpp::export(rng = false)]]
SEXP cpp_manual_seed(SEXP seed) {
  operate([&] { return shim().ts_manual_seed(seed_of(seed)); });
  return R_NilValue;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_generator_new() {
  return asked<ts_generator>(Kind::generator, [](ts_generator** out) { return shim().ts_generator_new(out); });
}

// The default generator of a device such as "cuda:0".
// [[Rcpp::export(rng = false)]]
SEXP cpp_generator_of_device(SEXP device) {
  return asked<ts_generator>(Kind::generator, [&](ts_generator** out) {
    return shim().ts_generator_of_device(CHAR(STRING_ELT(device, 0)), out);
  });
}

// The current seed as integer64, or NULL after setting it.
// [[Rcpp::export(rng = false)]]
SEXP cpp_generator_seed(SEXP generator, SEXP set) {
  uint64_t seed = set == R_NilValue ? 0 : seed_of(set);
  operate([&] { return shim().ts_generator_seed(generator_of(generator), set != R_NilValue, &seed); });
  if (set != R_NilValue) return R_NilValue;
  SEXP out = PROTECT(Rf_ScalarReal(0));
  std::memcpy(REAL(out), &seed, sizeof seed);
  SEXP class_ = PROTECT(Rf_mkString("integer64"));
  Rf_setAttrib(out, R_ClassSymbol, class_);
  UNPROTECT(2);
  return out;
}

// The state as a tensor, or NULL after setting it.
// [[Rcpp::export(rng = false)]]
SEXP cpp_generator_state(SEXP generator, SEXP set) {
  if (set != R_NilValue) {
    operate([&] { return shim().ts_generator_state(generator_of(generator), tensor_of(set, "state"), nullptr); });
    return R_NilValue;
  }
  return asked<ts_tensor>(Kind::tensor, [&](ts_tensor** out) {
    return shim().ts_generator_state(generator_of(generator), nullptr, out);
  });
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_threads(SEXP interop, SEXP set) {
  int n;
  check(shim().ts_threads(Rf_asLogical(interop) == TRUE, set == R_NilValue ? 0 : Rf_asInteger(set), &n));
  return Rf_ScalarInteger(n);
}
