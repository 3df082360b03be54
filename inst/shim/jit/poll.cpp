#include "jit/poll.h"

#include "core/pch.h"
#include "core/stop.h"

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/runtime/custom_operator.h>

namespace shim {
namespace {

using torch::jit::Block;

const char* const kPoll = "torchshim::poll";

// Conservative: what computes nothing would be left out else.
torch::jit::RegisterOperators registered({torch::jit::Operator(
    "torchshim::poll() -> ()", [](torch::jit::Stack&) { look_for_stop(); }, c10::AliasAnalysisKind::CONSERVATIVE)});

bool add_to(Block* block) {
  bool found = false;
  for (auto* node : block->nodes()) {
    for (auto* inner : node->blocks()) found = add_to(inner) || found;
    if (node->kind() != c10::prim::Loop) continue;
    found = true;
    Block* body = node->blocks()[0];
    auto* first = *body->nodes().begin();
    if (is_poll(*first)) continue;
    body->owningGraph()->create(c10::Symbol::fromQualString(kPoll), 0)->insertBefore(first);
  }
  return found;
}

}  // namespace

bool is_poll(const torch::jit::Node& node) { return node.kind().toQualString() == std::string(kPoll); }

std::string text_without_polls(const torch::jit::Graph& graph) {
  std::string text = graph.toString();
  for (size_t at; (at = text.find(kPoll)) != std::string::npos;) {
    const size_t begin = text.rfind('\n', at) + 1;
    text.erase(begin, text.find('\n', at) + 1 - begin);
  }
  return text;
}

bool add_polls(torch::jit::Function& function, const torch::jit::Graph*& last) {
  auto* with_graph = torch::jit::tryToGraphFunction(function);
  if (!with_graph) return false;
  // LibTorch keeps one optimised graph for each state of autocast, and makes its plans of that.
  const auto graph = with_graph->optimized_graph();
  if (graph.get() == last) return true;
  last = graph.get();
  return add_to(graph->block());
}

}  // namespace shim
