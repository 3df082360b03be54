// Gradients.
#include <algorithm>
#include <cstdio>

#include "host.h"
#include "operate.h"
#include "values.h"

namespace {

// The text lies in memory of R's, because an R error skips C++ destructors.
const char* shape_words(const ts_tensor_info& info) {
  const size_t room = 4 + 22 * static_cast<size_t>(info.ndim);
  char* out = R_alloc(room, 1);
  size_t end = static_cast<size_t>(std::snprintf(out, room, "("));
  for (int64_t i = 0; i < info.ndim; ++i)
    end += static_cast<size_t>(std::snprintf(out + end, room - end, "%s%lld", i ? ", " : "", static_cast<long long>(info.sizes[i])));
  std::snprintf(out + end, room - end, ")");
  return out;
}

}  // namespace

RcppExport SEXP C_grad_mode(SEXP set) {
  int was;
  check(shim().ts_grad_mode(set == R_NilValue ? -1 : Rf_asLogical(set) == TRUE, &was));
  return Rf_ScalarLogical(was);
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_tensor_grad(SEXP x) {
  return asked<ts_tensor>(Kind::tensor, [&](ts_tensor** out) { return shim().ts_tensor_grad(tensor_of(x), out); });
}

// The gradients of the tensors in a list; NULL for a tensor that has none.
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
    if (info.defined) {
      // LibTorch's operators for lists of tensors read past the end of a gradient that is smaller than its parameter.
      ts_tensor_info param;
      check(shim().ts_tensor_describe(tensor_of(VECTOR_ELT(tensors, i), "params"), &param));
      if (!std::equal(param.sizes, param.sizes + param.ndim, info.sizes, info.sizes + info.ndim))
        fail("value_error", "A gradient must have the shape of its parameter, %s, not %s.", shape_words(param), shape_words(info));
      SET_VECTOR_ELT(out, i, cell);
    }
    UNPROTECT(1);
  }
  UNPROTECT(1);
  return out;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_tensor_set_grad(SEXP x, SEXP grad) {
  if (grad != R_NilValue) {
    ts_tensor_info own, given;
    check(shim().ts_tensor_describe(tensor_of(x), &own));
    check(shim().ts_tensor_describe(tensor_of(grad, "value"), &given));
    if (given.defined && given.dtype != own.dtype)
      fail("value_error", "A gradient must have the dtype of its tensor, %s, not %s.", shim().ts_dtype_name(own.dtype),
           shim().ts_dtype_name(given.dtype));
    if (given.defined && !std::equal(own.sizes, own.sizes + own.ndim, given.sizes, given.sizes + given.ndim))
      fail("value_error", "A gradient must have the shape of its tensor, %s, not %s.", shape_words(own), shape_words(given));
  }
  operate([&] { return shim().ts_tensor_set_grad(tensor_of(x), grad == R_NilValue ? nullptr : tensor_of(grad, "value")); });
  return x;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_tensor_set_requires_grad(SEXP x, SEXP value) {
  operate([&] { return shim().ts_tensor_set_requires_grad(tensor_of(x), Rf_asLogical(value) == TRUE); });
  return x;
}

// The node of the graph that made a tensor, or NULL.
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

namespace {
// The tensors that a backward pass begins with, and the gradients given for them; NULL: none.
struct Roots {
  ts_tensor** tensors;
  ts_tensor** given;
  size_t n;
};

// `words` holds the names of both arguments for messages. The shapes must agree: LibTorch would sum a larger gradient
// down to the tensor's shape.
Roots roots_of(SEXP tensors, SEXP grads, SEXP words) {
  const char* name = CHAR(STRING_ELT(words, 0));
  const char* word = CHAR(STRING_ELT(words, 1));
  Roots roots;
  size_t n_grads;
  roots.tensors = tensors_of(tensors, name, &roots.n);
  roots.given = tensors_of(grads, word, &n_grads, Nulls::allowed);
  if (n_grads == 0) {
    roots.given = reinterpret_cast<ts_tensor**>(R_alloc(roots.n + 1, sizeof(ts_tensor*)));
    std::fill_n(roots.given, roots.n, nullptr);
    return roots;
  }
  if (n_grads != roots.n)
    fail("value_error", "`%s` must have as many elements as `%s`, %zu, not %zu.", word, name, roots.n, n_grads);
  for (size_t i = 0; i < roots.n; ++i) {
    ts_tensor_info root, grad;
    check(shim().ts_tensor_describe(roots.tensors[i], &root));
    if (!roots.given[i]) continue;
    check(shim().ts_tensor_describe(roots.given[i], &grad));
    if (!root.defined || !grad.defined || std::equal(root.sizes, root.sizes + root.ndim, grad.sizes, grad.sizes + grad.ndim))
      continue;
    if (roots.n > 1)
      fail("value_error", "Element %zu of `%s` must have the shape of that of `%s`, %s, not %s.", i + 1, word, name,
           shape_words(root), shape_words(grad));
    fail("value_error", "`%s` must have the shape of `%s`, %s, not %s.", word, name, shape_words(root), shape_words(grad));
  }
  return roots;
}

// Whether the graph is kept. NULL stands for PyTorch's default.
bool kept(SEXP retain_graph, bool create) { return retain_graph == R_NilValue ? create : flag_of(retain_graph, "retain_graph"); }
}  // namespace

namespace {
double backward_passes = 0;
}

// How many there were in this session: what has a graph may have lost it since.
RcppExport SEXP C_backward_passes() { return Rf_ScalarReal(backward_passes); }

RcppExport SEXP C_backward(SEXP tensors, SEXP grads, SEXP inputs, SEXP retain_graph, SEXP create_graph, SEXP words) {
  ++backward_passes;
  const void* memory = vmaxget();
  const Roots roots = roots_of(tensors, grads, words);
  size_t n_inputs;
  ts_tensor** leaves = tensors_of(inputs, "inputs", &n_inputs);
  const bool create = flag_of(create_graph, "create_graph");
  const bool keep = kept(retain_graph, create);
  operate([&] {
    return shim().ts_backward(roots.tensors, roots.given, roots.n, leaves, n_inputs, keep, create);
  });
  vmaxset(memory);
  return R_NilValue;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_gradients(SEXP outputs, SEXP inputs, SEXP grads, SEXP retain_graph, SEXP create_graph, SEXP allow_unused,
                   SEXP words) {
  ++backward_passes;
  const void* memory = vmaxget();
  const Roots roots = roots_of(outputs, grads, words);
  size_t n_inputs;
  ts_tensor** leaves = tensors_of(inputs, "inputs", &n_inputs);
  const bool create = flag_of(create_graph, "create_graph");
  const bool keep = kept(retain_graph, create);
  const bool unused = flag_of(allow_unused, "allow_unused");
  SEXP result = answered([&](ts_value* out, ts_arena** arena) {
    return shim().ts_gradients(roots.tensors, roots.given, roots.n, leaves, n_inputs, keep,
                               create, unused, out, arena);
  });
  vmaxset(memory);
  return result;
}

RcppExport SEXP C_zero_grad(SEXP tensors, SEXP set_to_none) {
  const void* memory = vmaxget();
  size_t n;
  ts_tensor** all = tensors_of(tensors, "params", &n);
  const bool none = flag_of(set_to_none, "set_to_none");
  operate([&] { return shim().ts_zero_grad(all, n, none); });
  vmaxset(memory);
  return R_NilValue;
}
