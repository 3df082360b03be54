// Derivatives and hooks that are R functions.
#include "host.h"

namespace {
ts_tensors tensors(SEXP list, const char* what) {
  ts_tensors all;
  all.items = tensors_of(list, what, &all.n);
  return all;
}
}  // namespace

// `outputs` as results of a node whose gradients the R function `backward` gives: it takes one list, the gradients of the
// outputs and then the tensors saved. An output that LibTorch needed no new tensor for stays the R object that it is.
// [[Rcpp::export(rng = false)]]
SEXP cpp_autograd_record(SEXP backward, SEXP materialize, SEXP inputs, SEXP outputs, SEXP saved, SEXP dirty, SEXP fixed) {
  const void* memory = vmaxget();
  if (has_released_objects) drain_released_objects();
  const ts_tensors in = tensors(inputs, "inputs"), made = tensors(outputs, "outputs"), kept = tensors(saved, "saved"),
                   changed = tensors(dirty, "dirty"), constant = tensors(fixed, "fixed");
  auto** results = reinterpret_cast<ts_tensor**>(R_alloc(made.n + 1, sizeof(ts_tensor*)));
  SEXP out = PROTECT(Rf_allocVector(VECSXP, static_cast<R_xlen_t>(made.n)));
  for (size_t i = 0; i < made.n; ++i) SET_VECTOR_ELT(out, static_cast<R_xlen_t>(i), new_cell(Kind::tensor));
  const ts_host_function function = host_function(backward);
  check(shim().ts_autograd_record(&function, Rf_asLogical(materialize) == TRUE, &in, &made, &kept, &changed, &constant,
                                  results));
  for (size_t i = 0; i < made.n; ++i) {
    set_handle(VECTOR_ELT(out, static_cast<R_xlen_t>(i)), results[i]);
    if (results[i] == made.items[i]) SET_VECTOR_ELT(out, static_cast<R_xlen_t>(i), VECTOR_ELT(outputs, static_cast<R_xlen_t>(i)));
  }
  vmaxset(memory);
  UNPROTECT(1);
  return out;
}

// hook: takes a list of the gradient, gives a list of a tensor or NULL.
// [[Rcpp::export(rng = false)]]
SEXP cpp_register_hook(SEXP x, SEXP hook) {
  if (has_released_objects) drain_released_objects();
  int64_t id;
  ts_tensor* tensor = tensor_of(x);
  const ts_host_function function = hook_function(hook, x);
  check(shim().ts_tensor_register_hook(tensor, &function, &id));
  return Rf_ScalarReal(static_cast<double>(id));
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_remove_hook(SEXP x, SEXP id) {
  check(shim().ts_tensor_remove_hook(tensor_of(x), static_cast<int64_t>(Rf_asReal(id))));
  return R_NilValue;
}

// Sets anomaly mode, gives what it was: on or off, whether NaN is an error.
// [[Rcpp::export(rng = false)]]
SEXP cpp_anomaly_mode(SEXP set, SEXP check_nan) {
  int was, checked;
  check(shim().ts_anomaly_mode(Rf_asLogical(set) == TRUE, Rf_asLogical(check_nan) == TRUE, &was, &checked));
  SEXP out = Rf_allocVector(LGLSXP, 2);
  LOGICAL(out)[0] = was;
  LOGICAL(out)[1] = checked;
  return out;
}
