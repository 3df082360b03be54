// Limits on LibTorch's own fusion of operators.
#include "jit/fusion.h"

#include "core/pch.h"

#include <torch/csrc/jit/passes/pass_manager.h>
#include <torch/csrc/jit/passes/tensorexpr_fuser.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <unordered_map>

// Every LibTorch exports these functions, but some packages of it lack the header.
namespace torch::jit {
TORCH_API bool canFuseOnCPU();
TORCH_API bool canFuseOnGPU();
TORCH_API void overrideCanFuseOnCPU(bool value);
TORCH_API void overrideCanFuseOnGPU(bool value);
}  // namespace torch::jit

namespace shim {
namespace {

using torch::jit::Block;
using torch::jit::Node;
using torch::jit::Value;

// What the host asked for. LibTorch's own switches may be off nevertheless: they are for graphs with long chains.
std::atomic<bool> fuses_on_cpu{false}, fuses_on_gpu{false};

// LibTorch's compiler of kernels takes time that grows with the square of their length: 1.4 s for 200 operators, 16 s
// for 600. For 15,000 operators it never ended.
constexpr size_t kLongestKernel = 200;

// Finds groups of operators that LibTorch could fuse: operators that it supports and that pass values to each other.
class Groups {
 public:
  size_t largest() const { return largest_; }

  void read(const Block* block) {
    for (Node* node : const_cast<Block*>(block)->nodes()) {
      for (const auto* inner : node->blocks()) read(inner);
      // A profiling node only observes its value: the value stays in its group.
      if (node->kind() == c10::prim::profile && node->outputs().size() == 1 && node->inputs().size() == 1) {
        const auto known = group_of_.find(node->input());
        if (known != group_of_.end()) group_of_[node->output()] = known->second;
      } else if (node->kind() != c10::prim::Constant && torch::jit::tensorexpr::isSupported(node)) {
        add(*node);
      }
    }
  }

 private:
  void add(const Node& node) {
    const size_t group = parent_.size();
    parent_.push_back(group);
    size_.push_back(1);
    for (const Value* input : node.inputs()) {
      const auto known = group_of_.find(input);
      if (known != group_of_.end()) join(group, known->second);
    }
    for (const Value* output : node.outputs()) group_of_[output] = group;
    largest_ = std::max(largest_, size_[root(group)]);
  }
  size_t root(size_t group) {
    while (parent_[group] != group) group = parent_[group] = parent_[parent_[group]];
    return group;
  }
  void join(size_t a, size_t b) {
    a = root(a);
    b = root(b);
    if (a == b) return;
    parent_[a] = b;
    size_[b] += size_[a];
  }

  std::vector<size_t> parent_, size_;
  std::unordered_map<const Value*, size_t> group_of_;
  size_t largest_ = 0;
};

void apply(bool allowed) {
  torch::jit::overrideCanFuseOnCPU(fuses_on_cpu && allowed);
  torch::jit::overrideCanFuseOnGPU(fuses_on_gpu && allowed);
}

}  // namespace

void set_default_fusion() {
  // With static shapes first, as LibTorch has it, each new shape would be compiled anew, at 0.2 s each time.
  torch::jit::FusionStrategy strategy{{torch::jit::FusionBehavior::DYNAMIC, 10}};
  torch::jit::setFusionStrategy(strategy);
  fuses_on_cpu = torch::jit::canFuseOnCPU();
  fuses_on_gpu = torch::jit::canFuseOnGPU();
  // LibTorch calls this for each graph before it fuses the graph's operators.
  torch::jit::registerPrePass([](std::shared_ptr<torch::jit::Graph>& graph) {
    if (!fuses_on_cpu && !fuses_on_gpu) return;
    Groups groups;
    groups.read(graph->block());
    apply(groups.largest() <= kLongestKernel);
  });
}

bool fuses(bool gpu) { return (gpu ? fuses_on_gpu : fuses_on_cpu) && torch::jit::tensorExprFuserEnabled(); }

void set_fuses(bool gpu, bool value) {
  (gpu ? fuses_on_gpu : fuses_on_cpu) = value;
  apply(true);
}

}  // namespace shim
