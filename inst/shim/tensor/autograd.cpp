// Gradients: backward passes, and what a tensor knows of its history.
#include "tensor/autograd.h"

#include "core/host.h"
#include "core/value.h"

using shim::borrow;
using shim::borrow_all;
using shim::give;

int ts_grad_mode(int set, int* was) {
  return shim::guarded([&] {
    *was = at::GradMode::is_enabled();
    if (set >= 0) at::GradMode::set_enabled(set != 0);
  });
}

int ts_tensor_grad(ts_tensor* tensor, ts_tensor** out) {
  return shim::guarded([&] { *out = give(borrow(tensor).grad()); });
}

int ts_tensor_set_grad(ts_tensor* handle, ts_tensor* grad) {
  return shim::guarded([&] {
    at::Tensor tensor = borrow(handle);
    const at::Tensor value = grad ? borrow(grad) : at::Tensor();
    TORCH_CHECK(!value.defined() || value.sizes() == tensor.sizes(), "the gradient's shape ", value.sizes(),
                " must be the tensor's, ", tensor.sizes());
    tensor.mutable_grad() = value;
  });
}

int ts_tensor_set_requires_grad(ts_tensor* handle, int requires_grad) {
  return shim::guarded([&] {
    at::Tensor tensor = borrow(handle);
    TORCH_CHECK(requires_grad || tensor.is_leaf(),
                "only leaf tensors can stop requiring gradients; use `$detach()` for this one");
    tensor.set_requires_grad(requires_grad != 0);
  });
}

int ts_tensor_grad_fn(ts_tensor* tensor, ts_node** out) {
  return shim::guarded([&] {
    const at::Tensor of = borrow(tensor);
    auto node = of.defined() ? of.grad_fn() : nullptr;
    *out = node ? new ts_node{std::move(node)} : nullptr;
  });
}

int ts_node_name(ts_node* node, ts_value* out, ts_arena** arena) {
  return shim::guarded_result(
      out, arena, [&](ts_value& value, shim::Arena& own) { value = shim::string_value(node->node->name(), own); });
}

int ts_node_next(ts_node* node, size_t i, ts_node** out, size_t* n) {
  return shim::guarded([&] {
    *n = node->node->next_edges().size();
    *out = nullptr;
    if (i >= *n) return;
    const auto& edge = node->node->next_edge(i);
    if (edge.is_valid()) *out = new ts_node{edge.function};
  });
}

void ts_node_release(ts_node* node) { delete node; }

int ts_backward(ts_tensor* const* tensors, ts_tensor* const* grads, size_t n, ts_tensor* const* inputs, size_t n_inputs,
                int retain_graph, int create_graph) {
  return shim::guarded([&] {
    const auto roots = borrow_all(tensors, n), given = borrow_all(grads, n), leaves = borrow_all(inputs, n_inputs);
    shim::run_engine([&] { torch::autograd::backward(roots, given, retain_graph != 0, create_graph != 0, leaves); });
  });
}

int ts_gradients(ts_tensor* const* outputs, ts_tensor* const* grads, size_t n, ts_tensor* const* inputs,
                 size_t n_inputs, int retain_graph, int create_graph, int allow_unused, ts_value* out,
                 ts_arena** arena) {
  return shim::guarded_result(out, arena, [&](ts_value& value, shim::Arena& own) {
    const auto roots = borrow_all(outputs, n), given = borrow_all(grads, n), leaves = borrow_all(inputs, n_inputs);
    std::vector<at::Tensor> result;
    shim::run_engine([&] {
      result = torch::autograd::grad(roots, leaves, given, retain_graph != 0, create_graph != 0, allow_unused != 0);
    });
    value.tag = TS_LIST;
    value.of.kind = TS_KIND_TENSOR;
    value.len = static_cast<int64_t>(result.size());
    value.as.items = own.get().new_items(result.size());
    for (size_t i = 0; i < result.size(); ++i) shim::from_ivalue(std::move(result[i]), value.as.items[i], own);
  });
}

int ts_zero_grad(ts_tensor* const* tensors, size_t n, int set_to_none) {
  return shim::guarded([&] {
    for (size_t i = 0; i < n; ++i) {
      at::Tensor tensor = borrow(tensors[i]);
      at::Tensor& grad = tensor.mutable_grad();
      if (!grad.defined()) continue;
      if (set_to_none) {
        grad.reset();
      } else {
        grad = grad.detach();
        grad.zero_();
      }
    }
  });
}
