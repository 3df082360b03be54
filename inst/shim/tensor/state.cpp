// Saves and restores what a run of the host's code may change: values and gradients of tensors, and the states of the
// random number generators.
#include "core/value.h"

#include <mutex>
#include <optional>

struct ts_state {
  // A tensor and a copy of its value. The value is copied back only if it has changed: copying would break graphs that
  // hold the tensor for backward(). The tensor's version does not tell, as batch norm writes its statistics without
  // counting.
  struct Kept {
    explicit Kept(const at::Tensor& it) : tensor(it), copy(it.detach().clone()) {}
    void put_back() {
      if (!tensor.equal(copy)) tensor.copy_(copy);
    }
    at::Tensor tensor, copy;
  };

  struct Generator {
    at::Generator generator;
    at::Tensor state;
  };

  std::vector<Kept> tensors;
  std::vector<std::pair<at::Tensor, std::optional<Kept>>> gradients;
  std::vector<Generator> generators;
};

int ts_state_save(ts_tensor* const* tensors, size_t n, ts_state** out) {
  return shim::guarded([&] {
    at::NoGradGuard no_grad;
    at::tracer::impl::NoTracerDispatchMode unseen;
    auto state = std::make_unique<ts_state>();
    for (auto& tensor : shim::borrow_all(tensors, n)) {
      if (!tensor.defined()) continue;
      const at::Tensor grad = tensor.grad();
      state->gradients.emplace_back(tensor, grad.defined() ? std::make_optional<ts_state::Kept>(grad) : std::nullopt);
      state->tensors.emplace_back(tensor);
    }
    auto keep = [&](at::Generator generator) {
      const std::lock_guard<std::mutex> hold(generator.mutex());
      state->generators.push_back({generator, generator.get_state()});
    };
    keep(at::globalContext().defaultGenerator(at::kCPU));
    int devices = 0;
    TORCH_CHECK(ts_cuda_device_count(&devices) == TS_OK);
    for (int i = 0; i < devices; ++i)
      keep(at::globalContext().defaultGenerator(at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(i))));
    *out = state.release();
  });
}

int ts_state_restore(ts_state* state) {
  return shim::guarded([&] {
    at::NoGradGuard no_grad;
    at::tracer::impl::NoTracerDispatchMode unseen;
    for (auto& kept : state->tensors) kept.put_back();
    for (auto& [tensor, grad] : state->gradients) {
      tensor.mutable_grad() = grad ? grad->tensor : at::Tensor();
      if (grad) grad->put_back();
    }
    for (auto& kept : state->generators) {
      const std::lock_guard<std::mutex> hold(kept.generator.mutex());
      kept.generator.set_state(kept.state);
    }
  });
}

void ts_state_release(ts_state* state) { delete state; }
