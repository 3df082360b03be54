// How far LibTorch goes in joining operators to kernels.
#include "jit/fusion.h"

#include "core/pch.h"

#include <torch/csrc/jit/passes/pass_manager.h>
#include <torch/csrc/jit/passes/tensorexpr_fuser.h>
#include <torch/csrc/jit/runtime/graph_executor.h>

#include <algorithm>
#include <atomic>
#include <numeric>
#include <unordered_map>

// Exported by every LibTorch, but the header is not in every package of it.
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

// What the host wants; LibTorch's own switches are also off while the plan of a long program is made.
std::atomic<bool> fuses_on_cpu{false}, fuses_on_gpu{false};

// The compiler of kernels takes time that grows with the square of their length: 200 operators took a second, 600 a
// quarter of a minute, and 15,000 never ended.
constexpr size_t kLongestKernel = 200;

// Operators of a block that could become kernels, in groups of those that hand values to each other.
class Groups {
 public:
  size_t largest() const { return largest_; }

  void read(const Block* block) {
    for (Node* node : const_cast<Block*>(block)->nodes()) {
      for (const auto* inner : node->blocks()) read(inner);
      // It only looks at a value.
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
  // A strategy that begins with static shapes compiles anew for each new shape, 0.2 s each time.
  torch::jit::FusionStrategy strategy{{torch::jit::FusionBehavior::DYNAMIC, 10}};
  torch::jit::setFusionStrategy(strategy);
  fuses_on_cpu = torch::jit::canFuseOnCPU();
  fuses_on_gpu = torch::jit::canFuseOnGPU();
  // Runs before the operators of each graph are joined.
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
