// Anomaly mode, which finds the source of wrong gradients: each node remembers where the host's code was that recorded
// it.
#include <torch/csrc/autograd/anomaly_mode.h>
#include <torch/csrc/autograd/engine.h>

#include "tensor/autograd.h"
#include "core/host.h"

namespace shim {
namespace {

struct Record : torch::autograd::AnomalyMetadata {
  void store_stack() override { place = host_place(); }

  void assign_parent(const NodePtr& node) override { parent = node; }

  void print_stack(const std::string& name) override {
    std::string text = name + ", whose gradient failed, was recorded " + describe();
    for (NodePtr node = parent; node;) {
      const auto* record = dynamic_cast<Record*>(node->metadata());
      if (!record) break;
      text += "\nwhile the gradient of " + node->name() + " was computed, which was recorded " + record->describe();
      node = record->parent;
    }
    TORCH_WARN(text);
  }

  std::string describe() const { return place.empty() ? "elsewhere than in R" : place; }

  std::string place;
  NodePtr parent;
};

struct Engine : torch::autograd::Engine {
  std::unique_ptr<torch::autograd::AnomalyMetadata> make_anomaly_metadata() override {
    return std::make_unique<Record>();
  }
};

}  // namespace

void set_engine() {
  // The engine is never destroyed: device threads may still wait in it when the process ends.
  torch::autograd::set_default_engine_stub([]() -> torch::autograd::Engine& {
    static auto* engine = new Engine();
    return *engine;
  });
}

}  // namespace shim

int ts_anomaly_mode(int set, int check_nan, int* was, int* checked_nan) {
  return shim::guarded([&] {
    using Mode = torch::autograd::AnomalyMode;
    *was = Mode::is_enabled();
    *checked_nan = Mode::should_check_nan();
    Mode::set_enabled(set != 0, check_nan != 0);
  });
}
