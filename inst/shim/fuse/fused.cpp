#include "fuse/fused.h"

#include "core/pch.h"

#include <torch/csrc/jit/runtime/custom_operator.h>

#include <unordered_map>

namespace shim::fuse {
namespace {

using torch::jit::Graph;
using torch::jit::Node;

const char* const kFused = "torchshim::fused";
c10::Symbol number() { return c10::Symbol::fromQualString("attr::group"); }

// Nodes are copied with the graph; what they stand for is here, as long as the graph that they were made in.
struct Registered {
  std::shared_ptr<Fused> fused;
  std::weak_ptr<Graph> graph;
};
struct Registry {
  std::mutex lock;
  std::unordered_map<int64_t, Registered> all;
  int64_t last = 0;
};
Registry& registry() {
  static Registry& it = *new Registry();
  return it;
}

torch::jit::Operator operator_of(c10::Symbol kind, c10::AliasAnalysisKind effects) {
  return torch::jit::Operator(
      kind,
      [](const Node* node) -> torch::jit::Operation {
        return [fused = fused_of(*node)](torch::jit::Stack& stack) { fused->run(stack); };
      },
      effects);
}

torch::jit::RegisterOperators registered({
    operator_of(fused(), c10::AliasAnalysisKind::PURE_FUNCTION),
    operator_of(fused_with_effects(), c10::AliasAnalysisKind::CONSERVATIVE),
});

}  // namespace

c10::Symbol fused() { return c10::Symbol::fromQualString(kFused); }
c10::Symbol fused_with_effects() { return c10::Symbol::fromQualString("torchshim::fused_"); }

void settle(Node* node, const std::shared_ptr<Graph>& graph, const std::function<std::shared_ptr<Fused>(std::string)>& make) {
  Registry& it = registry();
  int64_t id;
  {
    const std::lock_guard<std::mutex> hold(it.lock);
    for (auto one = it.all.begin(); one != it.all.end();)
      one = one->second.graph.expired() && one->second.fused.use_count() == 1 ? it.all.erase(one) : std::next(one);
    id = ++it.last;
  }
  node->i_(number(), id);
  // What `make` makes may have such nodes inside.
  auto made = make(kFused + ("_" + std::to_string(id)));
  const std::lock_guard<std::mutex> hold(it.lock);
  it.all[id] = {std::move(made), graph};
}

std::shared_ptr<Fused> fused_of(const Node& node) {
  if (node.kind() != fused() && node.kind() != fused_with_effects()) return nullptr;
  Registry& it = registry();
  const std::lock_guard<std::mutex> hold(it.lock);
  const auto found = it.all.find(node.i(number()));
  TORCH_CHECK(found != it.all.end(), "a group of operators is gone");
  return found->second.fused;
}

}  // namespace shim::fuse
