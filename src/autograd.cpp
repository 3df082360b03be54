// Gradients.
#include "convert.h"
#include "memory.h"

RcppExport SEXP C_grad_mode(SEXP set) {
  int was;
  check(shim().ts_grad_mode(set == R_NilValue ? -1 : Rf_asLogical(set) == TRUE, &was));
  return Rf_ScalarLogical(was);
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_tensor_grad(SEXP x) {
  SEXP cell = PROTECT(new_cell(Kind::tensor));
  ts_tensor* grad;
  check(shim().ts_tensor_grad(tensor_of(x), &grad));
  set_handle(cell, grad);
  UNPROTECT(1);
  return cell;
}

// The gradients of a list of tensors; NULL where there is none.
RcppExport SEXP C_grads(SEXP tensors) {
  const R_xlen_t n = Rf_xlength(tensors);
  SEXP out = PROTECT(Rf_allocVector(VECSXP, n));
  for (R_xlen_t i = 0; i < n; ++i) {
    SEXP cell = PROTECT(new_cell(Kind::tensor));
    ts_tensor* grad;
    ts_tensor_info info;
    check(shim().ts_tensor_grad(tensor_of(VECTOR_ELT(tensors, i), "params"), &grad));
    set_handle(cell, grad);
    check(shim().ts_tensor_describe(grad, &info));
    if (info.defined) SET_VECTOR_ELT(out, i, cell);
    UNPROTECT(1);
  }
  UNPROTECT(1);
  return out;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_tensor_set_grad(SEXP x, SEXP grad) {
  check(shim().ts_tensor_set_grad(tensor_of(x), grad == R_NilValue ? nullptr : tensor_of(grad, "value")));
  return x;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_tensor_set_requires_grad(SEXP x, SEXP value) {
  check(shim().ts_tensor_set_requires_grad(tensor_of(x), Rf_asLogical(value) == TRUE));
  return x;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_tensor_grad_fn(SEXP x) {
  ts_value out;
  ts_arena* arena = nullptr;
  check(shim().ts_tensor_grad_fn(tensor_of(x), &out, &arena));
  SEXP name = PROTECT(out.tag == TS_STRING ? string_sexp(out) : R_NilValue);
  shim().ts_arena_release(arena);
  UNPROTECT(1);
  return name;
}

RcppExport SEXP C_backward(SEXP tensors, SEXP grads, SEXP inputs, SEXP retain_graph, SEXP create_graph) {
  const void* memory = vmaxget();
  size_t n, n_grads, n_inputs;
  ts_tensor** roots = tensors_of(tensors, "tensors", &n);
  ts_tensor** given = tensors_of(grads, "grad_tensors", &n_grads);
  ts_tensor** leaves = tensors_of(inputs, "inputs", &n_inputs);
  if (n_grads == 0) {
    given = reinterpret_cast<ts_tensor**>(R_alloc(n + 1, sizeof(ts_tensor*)));
    for (size_t i = 0; i < n; ++i) given[i] = nullptr;
  } else if (n_grads != n) {
    fail("value_error", "`grad_tensors` must have as many elements as `tensors`, %zu, not %zu.", n, n_grads);
  }
  check(shim().ts_backward(roots, given, n, leaves, n_inputs, Rf_asLogical(retain_graph) == TRUE,
                           Rf_asLogical(create_graph) == TRUE));
  vmaxset(memory);
  collect_if_due(shim());
  return R_NilValue;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_gradients(SEXP outputs, SEXP inputs, SEXP grads, SEXP retain_graph, SEXP create_graph, SEXP allow_unused) {
  const void* memory = vmaxget();
  size_t n, n_grads, n_inputs;
  ts_tensor** roots = tensors_of(outputs, "outputs", &n);
  ts_tensor** given = tensors_of(grads, "grad_outputs", &n_grads);
  ts_tensor** leaves = tensors_of(inputs, "inputs", &n_inputs);
  if (n_grads == 0) {
    given = reinterpret_cast<ts_tensor**>(R_alloc(n + 1, sizeof(ts_tensor*)));
    for (size_t i = 0; i < n; ++i) given[i] = nullptr;
  } else if (n_grads != n) {
    fail("value_error", "`grad_outputs` must have as many elements as `outputs`, %zu, not %zu.", n, n_grads);
  }
  ts_value out;
  ts_arena* arena = nullptr;
  check(shim().ts_gradients(roots, given, n, leaves, n_inputs, Rf_asLogical(retain_graph) == TRUE,
                            Rf_asLogical(create_graph) == TRUE, Rf_asLogical(allow_unused) == TRUE, &out, &arena));
  SEXP result = PROTECT(to_sexp(out));
  shim().ts_arena_release(arena);
  vmaxset(memory);
  collect_if_due(shim());
  UNPROTECT(1);
  return result;
}

RcppExport SEXP C_zero_grad(SEXP tensors, SEXP set_to_none) {
  const void* memory = vmaxget();
  size_t n;
  ts_tensor** all = tensors_of(tensors, "params", &n);
  check(shim().ts_zero_grad(all, n, Rf_asLogical(set_to_none) == TRUE));
  vmaxset(memory);
  return R_NilValue;
}
