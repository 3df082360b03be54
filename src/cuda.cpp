// CUDA, MPS and other backends. The R functions have checked that there is a device.
#include "convert.h"
#include "operate.h"

#include <cstring>

// [[Rcpp::export(rng = false)]]
SEXP cpp_cuda_device_count() {
  int n;
  check(shim().ts_cuda_device_count(&n));
  return Rf_ScalarInteger(n);
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_cuda_current_device() {
  int device;
  check(shim().ts_cuda_current_device(&device));
  return Rf_ScalarInteger(device);
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_cuda_synchronize(SEXP device) {
  operate([&] { return shim().ts_cuda_synchronize(Rf_asInteger(device)); });
  return R_NilValue;
}

// Returns c(major, minor).
// [[Rcpp::export(rng = false)]]
SEXP cpp_cuda_capability(SEXP device) {
  int numbers[2];
  check(shim().ts_cuda_capability(Rf_asInteger(device), &numbers[0], &numbers[1]));
  SEXP out = Rf_allocVector(INTSXP, 2);
  std::memcpy(INTEGER(out), numbers, sizeof numbers);
  return out;
}

// Returns the numbers in the order that the contract gives.
// [[Rcpp::export(rng = false)]]
SEXP cpp_cuda_memory_stats(SEXP device) {
  return answered(
      [&](ts_value* out, ts_arena** arena) {
        return shim().ts_cuda_memory_stats(Rf_asInteger(device), out, arena);
      });
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_cuda_empty_cache() {
  operate([&] { return shim().ts_cuda_empty_cache(); });
  return R_NilValue;
}

// `enabled` and `context` are strings or NULL.
// [[Rcpp::export(rng = false)]]
SEXP cpp_cuda_record_history(SEXP enabled, SEXP context, SEXP stacks, SEXP max_entries) {
  const auto text = [](SEXP x) { return x == R_NilValue ? nullptr : CHAR(STRING_ELT(x, 0)); };
  operate([&] { return shim().ts_cuda_record_history(text(enabled), text(context), text(stacks), static_cast<int64_t>(Rf_asReal(max_entries))); });
  return R_NilValue;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_cuda_snapshot() {
  return answered([](ts_value* out, ts_arena** arena) { return shim().ts_cuda_snapshot(out, arena); }, raw_sexp);
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_backend(SEXP fact) {
  int64_t out;
  check(shim().ts_backend(Rf_asInteger(fact), &out));
  return Rf_ScalarReal(static_cast<double>(out));
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_mps_synchronize() {
  operate([&] { return shim().ts_mps_synchronize(); });
  return R_NilValue;
}
