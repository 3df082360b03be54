// Gradients.
#include "host.h"
#include "operate.h"

RcppExport SEXP C_grad_mode(SEXP set) {
  int was;
  check(shim().ts_grad_mode(set == R_NilValue ? -1 : Rf_asLogical(set) == TRUE, &was));
  return Rf_ScalarLogical(was);
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_tensor_grad(SEXP x) {
  return asked<ts_tensor>(Kind::tensor, [&](ts_tensor** out) { return shim().ts_tensor_grad(tensor_of(x), out); });
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
  operate([&] { return shim().ts_tensor_set_grad(tensor_of(x), grad == R_NilValue ? nullptr : tensor_of(grad, "value")); });
  return x;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_tensor_set_requires_grad(SEXP x, SEXP value) {
  operate([&] { return shim().ts_tensor_set_requires_grad(tensor_of(x), Rf_asLogical(value) == TRUE); });
  return x;
}

// The node that made a tensor, or NULL.
// [[Rcpp::export(rng = false)]]
SEXP cpp_tensor_grad_fn(SEXP x) {
  return asked<ts_node>(Kind::node, [&](ts_node** out) { return shim().ts_tensor_grad_fn(tensor_of(x), out); });
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_node_name(SEXP node) {
  return answered(
      [&](ts_value* out, ts_arena** arena) {
        return shim().ts_node_name(static_cast<ts_node*>(handle_of(node, Kind::node, "node")), out, arena);
      });
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_node_next(SEXP node) {
  auto* handle = static_cast<ts_node*>(handle_of(node, Kind::node, "node"));
  size_t n = 0;
  ts_node* next;
  check(shim().ts_node_next(handle, SIZE_MAX, &next, &n));
  SEXP out = PROTECT(Rf_allocVector(VECSXP, static_cast<R_xlen_t>(n)));
  for (size_t i = 0; i < n; ++i) {
    SET_VECTOR_ELT(out, static_cast<R_xlen_t>(i), asked<ts_node>(Kind::node, [&](ts_node** place) {
      return shim().ts_node_next(handle, i, place, &n);
    }));
  }
  UNPROTECT(1);
  return out;
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
  const bool keep = Rf_asLogical(retain_graph) == TRUE;
  operate([&] {
    return shim().ts_backward(roots, given, n, leaves, n_inputs, keep, Rf_asLogical(create_graph) == TRUE);
  });
  vmaxset(memory);
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
  const bool keep = Rf_asLogical(retain_graph) == TRUE;
  SEXP result = answered([&](ts_value* out, ts_arena** arena) {
    return shim().ts_gradients(roots, given, n, leaves, n_inputs, keep, Rf_asLogical(create_graph) == TRUE,
                               Rf_asLogical(allow_unused) == TRUE, out, arena);
  });
  vmaxset(memory);
  return result;
}

RcppExport SEXP C_zero_grad(SEXP tensors, SEXP set_to_none) {
  const void* memory = vmaxget();
  size_t n;
  ts_tensor** all = tensors_of(tensors, "params", &n);
  operate([&] { return shim().ts_zero_grad(all, n, Rf_asLogical(set_to_none) == TRUE); });
  vmaxset(memory);
  return R_NilValue;
}
