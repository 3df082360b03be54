// Functions whose derivative is a function of the host, and hooks on gradients.
#include <torch/csrc/autograd/custom_function.h>
#include <torch/csrc/autograd/functions/utils.h>

#include "tensor/autograd.h"
#include "core/host.h"
#include "core/value.h"

#include <optional>

namespace shim {
namespace {

using torch::autograd::Node;
using torch::autograd::SavedVariable;
using torch::autograd::VariableInfo;
using torch::autograd::variable_list;

class HostNode : public Node {
 public:
  explicit HostNode(const ts_host_function& backward, bool materialize)
      : backward_(std::in_place, backward), materialize_(materialize) {}

  std::string name() const override { return "AutogradFunctionBackward"; }

  variable_list apply(variable_list&& gradients) override {
    if (released_) throw std::runtime_error(torch::autograd::ERR_BACKWARD_TWICE);
    at::OptionalDeviceGuard guard;
    variable_list arguments = std::move(gradients);
    for (size_t i = 0; i < arguments.size(); ++i)
      if (materialize_ && !arguments[i].defined()) arguments[i] = outputs_[i].zeros(guard);
    for (const SavedVariable& saved : saved_) arguments.push_back(saved.unpack(pointer_to(*this)));
    variable_list result = backward_->call(arguments);
    TORCH_CHECK(result.size() == num_outputs(), "a backward function must give ", num_outputs(), " gradients, not ",
                result.size());
    return result;
  }

  // The host's function may hold objects that hold this node. LibTorch calls this when the graph is freed, and only
  // this breaks such a circle.
  void release_variables() override {
    backward_.reset();
    saved_.clear();
    released_ = true;
  }

  void keep(const std::vector<at::Tensor>& outputs, const std::vector<at::Tensor>& saved, const NodePtr& self) {
    for (const at::Tensor& output : outputs) outputs_.emplace_back(output);
    for (const at::Tensor& tensor : saved) saved_.emplace_back(tensor, tensor.grad_fn() == self);
  }

 private:
  std::optional<HostFunction> backward_;
  bool materialize_;
  bool released_ = false;
  std::vector<VariableInfo> outputs_;
  std::vector<SavedVariable> saved_;
};

variable_list no_forward_mode(const variable_list&, const variable_list&) {
  TORCH_CHECK(false, "a function made by `autograd_function()` has no forward-mode derivative");
}

// Newer versions of LibTorch need more arguments.
template <class Ids, class Outputs, class Pointer>
auto wrap_outputs(const variable_list& inputs, const Ids& fixed, const Ids& dirty, const Outputs& outputs,
                  const Pointer& node) {
  const auto view_as_self = [](const at::Tensor& x) { return x.view_as(x); };
  Pointer attached = node;
  if constexpr (requires {
                  torch::autograd::_wrap_outputs(inputs, fixed, dirty, outputs, node, no_forward_mode, Ids{},
                                                 view_as_self, false, attached);
                })
    return torch::autograd::_wrap_outputs(inputs, fixed, dirty, outputs, node, no_forward_mode, Ids{}, view_as_self,
                                          false, attached);
  else if constexpr (requires {
                  torch::autograd::_wrap_outputs(inputs, fixed, dirty, outputs, node, no_forward_mode, Ids{},
                                                 view_as_self, false);
                })
    return torch::autograd::_wrap_outputs(inputs, fixed, dirty, outputs, node, no_forward_mode, Ids{}, view_as_self,
                                          false);
  else if constexpr (requires {
                       torch::autograd::_wrap_outputs(inputs, fixed, dirty, outputs, node, no_forward_mode, Ids{},
                                                      view_as_self);
                     })
    return torch::autograd::_wrap_outputs(inputs, fixed, dirty, outputs, node, no_forward_mode, Ids{}, view_as_self);
  else if constexpr (requires {
                       torch::autograd::_wrap_outputs(inputs, fixed, dirty, outputs, node, no_forward_mode, Ids{});
                     })
    return torch::autograd::_wrap_outputs(inputs, fixed, dirty, outputs, node, no_forward_mode, Ids{});
  else
    return torch::autograd::_wrap_outputs(inputs, fixed, dirty, outputs, node, no_forward_mode);
}

std::unordered_set<at::TensorImpl*> ids_of(const ts_tensors& tensors) {
  std::unordered_set<at::TensorImpl*> ids;
  for (size_t i = 0; i < tensors.n; ++i) ids.insert(reinterpret_cast<at::TensorImpl*>(tensors.items[i]));
  return ids;
}

std::vector<at::Tensor> borrowed(const ts_tensors& tensors) { return borrow_all(tensors.items, tensors.n); }

}  // namespace
}  // namespace shim

int ts_autograd_record(const ts_host_function* backward, int materialize, const ts_tensors* inputs,
                       const ts_tensors* outputs, const ts_tensors* saved, const ts_tensors* dirty,
                       const ts_tensors* fixed, ts_tensor** out) {
  return shim::guarded([&] {
    const auto node = shim::new_node<shim::HostNode>(*backward, materialize != 0);
    const auto given = shim::borrowed(*inputs), made = shim::borrowed(*outputs);
    node->set_next_edges(torch::autograd::collect_next_edges(given));
    node->clear_input_metadata();
    const auto changed = shim::ids_of(*dirty);
    for (at::TensorImpl* tensor : changed) tensor->bump_version();
    std::vector<decltype(torch::autograd::to_optional(std::declval<at::Tensor&>()))::value_type> raw(made.begin(), made.end());
    const auto wrapped = shim::wrap_outputs(given, shim::ids_of(*fixed), changed, raw, shim::NodePtr(node));
    std::vector<at::Tensor> results;
    for (const auto& one : wrapped) results.push_back(*one);
    node->keep(results, shim::borrowed(*saved), node);
    for (size_t i = 0; i < results.size(); ++i) out[i] = shim::give(results[i]);
  });
}

int ts_tensor_register_hook(ts_tensor* handle, const ts_host_function* hook, int64_t* id) {
  return shim::guarded([&] {
    const auto function = std::make_shared<shim::HostFunction>(*hook);
    *id = shim::borrow(handle).register_hook([function](const at::Tensor& gradient) {
      const auto result = function->call({gradient});
      return result.empty() ? at::Tensor() : result[0];
    });
  });
}

int ts_tensor_is_shared(ts_tensor* handle, int* out) {
  return shim::guarded([&] {
    const at::Tensor tensor = shim::borrow(handle);
    // Two references are known: the handle's and this one.
    const bool held = tensor.use_count() > 2;
    const shim::NodePtr node = tensor.requires_grad() ? tensor.grad_fn() : nullptr;
    // Two references are known: the tensor's own and this one.
    *out = held || (node && node.use_count() > 2);
  });
}

int ts_tensor_remove_hook(ts_tensor* handle, int64_t id) {
  return shim::guarded([&] { shim::borrow(handle).remove_hook(static_cast<unsigned>(id)); });
}
