// Derivatives and hooks that are R functions. All of this runs on R's main thread.
#include "host.h"
#include "operate.h"

namespace {
ts_tensors tensors(SEXP list, const char* what) {
  ts_tensors all;
  all.items = tensors_of(list, what, &all.n, Nulls::allowed);
  return all;
}
}  // namespace

// The positions of the tensors in a list, counted from 1.
RcppExport SEXP C_tensor_positions(SEXP list) {
  const R_xlen_t n = TYPEOF(list) == VECSXP ? XLENGTH(list) : 0;
  R_xlen_t found = 0;
  for (R_xlen_t i = 0; i < n; ++i) found += is_tensor(VECTOR_ELT(list, i));
  SEXP out = Rf_allocVector(INTSXP, found);
  for (R_xlen_t i = n; i-- > 0;)
    if (is_tensor(VECTOR_ELT(list, i))) INTEGER(out)[--found] = static_cast<int>(i + 1);
  return out;
}

// A list of logicals: whether each element of `list` is a tensor that requires a gradient.
RcppExport SEXP C_needs_gradient(SEXP list) {
  const R_xlen_t n = Rf_xlength(list);
  SEXP out = PROTECT(Rf_allocVector(VECSXP, n));
  for (R_xlen_t i = 0; i < n; ++i) {
    ts_tensor_info info{};
    SEXP x = VECTOR_ELT(list, i);
    if (is_tensor(x)) check(shim().ts_tensor_describe(tensor_of(x), &info));
    SET_VECTOR_ELT(out, i, Rf_ScalarLogical(info.requires_grad));
  }
  Rf_setAttrib(out, R_NamesSymbol, Rf_getAttrib(list, R_NamesSymbol));
  UNPROTECT(1);
  return out;
}

// Makes `results`, a tensor or a list with tensors, the results of a node whose gradients the R function `backward`
// computes. That function takes one list: the gradients of the results, then the saved tensors. Where LibTorch needed
// no new tensor for a result, the R object of that result is returned.
RcppExport SEXP C_autograd_record(SEXP backward, SEXP materialize, SEXP inputs, SEXP results, SEXP saved, SEXP dirty,
                                  SEXP fixed) {
  const void* memory = vmaxget();
  SEXP out = PROTECT(is_tensor(results) ? Rf_allocVector(VECSXP, 1) : Rf_shallow_duplicate(results));
  if (is_tensor(results)) SET_VECTOR_ELT(out, 0, results);
  SEXP positions = PROTECT(C_tensor_positions(out));
  const R_xlen_t n = XLENGTH(positions);
  const ts_tensors in = tensors(inputs, "inputs"), kept = tensors(saved, "saved"), changed = tensors(dirty, "dirty"),
                   constant = tensors(fixed, "fixed");
  auto** made = reinterpret_cast<ts_tensor**>(R_alloc(2 * n + 1, sizeof(ts_tensor*)));
  SEXP cells = PROTECT(Rf_allocVector(VECSXP, n));
  for (R_xlen_t i = 0; i < n; ++i) {
    made[i] = tensor_of(VECTOR_ELT(out, INTEGER(positions)[i] - 1), "forward");
    SET_VECTOR_ELT(cells, i, new_cell(Kind::tensor));
  }
  const ts_tensors outputs = {made, static_cast<size_t>(n)};
  ts_tensor** wrapped = made + n;
  const ts_host_function function = host_function(backward);
  operate([&] { return shim().ts_autograd_record(&function, Rf_asLogical(materialize) == TRUE, &in, &outputs, &kept, &changed, &constant, wrapped); });
  for (R_xlen_t i = 0; i < n; ++i) {
    set_handle(VECTOR_ELT(cells, i), wrapped[i]);
    if (wrapped[i] != made[i]) SET_VECTOR_ELT(out, INTEGER(positions)[i] - 1, VECTOR_ELT(cells, i));
  }
  if (is_tensor(results)) out = VECTOR_ELT(out, 0);
  vmaxset(memory);
  UNPROTECT(3);
  return out;
}

// `hook` gets a list with the gradient and returns a list with a tensor or NULL. Returns the number of the hook.
// [[Rcpp::export(rng = false)]]
SEXP cpp_register_hook(SEXP x, SEXP hook) {
  int64_t id;
  ts_tensor* tensor = tensor_of(x);
  const ts_host_function function = hook_function(hook, x);
  operate([&] { return shim().ts_tensor_register_hook(tensor, &function, &id); });
  return Rf_ScalarReal(static_cast<double>(id));
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_remove_hook(SEXP x, SEXP id) {
  operate([&] { return shim().ts_tensor_remove_hook(tensor_of(x), static_cast<int64_t>(Rf_asReal(id))); });
  return R_NilValue;
}

// Sets anomaly mode and returns what it was: whether it was on, and whether NaN was an error.
// [[Rcpp::export(rng = false)]]
SEXP cpp_anomaly_mode(SEXP set, SEXP check_nan) {
  int was, checked;
  check(shim().ts_anomaly_mode(Rf_asLogical(set) == TRUE, Rf_asLogical(check_nan) == TRUE, &was, &checked));
  SEXP out = Rf_allocVector(LGLSXP, 2);
  LOGICAL(out)[0] = was;
  LOGICAL(out)[1] = checked;
  return out;
}
