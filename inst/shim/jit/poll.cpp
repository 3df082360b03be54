#include "jit/poll.h"

#include "core/pch.h"
#include "fuse/group.h"

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/runtime/custom_operator.h>

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <unordered_map>

namespace shim {
namespace {

using torch::jit::Block;
using torch::jit::Node;
using torch::jit::Stack;

const char* const kPoll = "torchshim::poll";
const char* const kWait = "torchshim::wait";
const char* const kEnter = "torchshim::enter";

// --- tasks -----------------------------------------------------------------------------------------------------------

// The place for our data in the state that LibTorch hands on to every task it starts on another thread. Of LibTorch's
// own code only tests use this place.
c10::DebugInfoKind place() { return c10::DebugInfoKind::TEST_INFO_2; }

struct Started : c10::DebugInfoBase {
  int64_t stops = host_stops;  // how many stops there had been when the program was called
};

// --- what a program runs ----------------------------------------------------------------------------------------------

void add_polls_to(torch::jit::Function& function) {
  static std::mutex lock;
  static auto& known = *new std::unordered_map<torch::jit::Function*, Polls>();
  const std::lock_guard<std::mutex> hold(lock);
  add_polls(function, known[&function], {});
}

// Conservative means that the operators may have effects. LibTorch would otherwise remove them, as they give no value.
constexpr auto kConservative = c10::AliasAnalysisKind::CONSERVATIVE;
torch::jit::RegisterOperators registered({
    torch::jit::Operator("torchshim::poll() -> ()", [](Stack&) { look_in_program(); }, kConservative),
    // Only a thread that may be stopped waits here. On a thread of LibTorch's pool the interpreter sets the waiting
    // task aside, so that no thread waits.
    torch::jit::Operator(
        "torchshim::wait(Future(t) task) -> ()",
        [](Stack& stack) {
          const auto task = torch::jit::pop(stack).toFuture();
          if (Stoppable::here()) wait_for(*task);
        },
        kConservative),
    // Which function a method of an interface is shows only when it is called. That function gets its polls here.
    torch::jit::Operator(
        "torchshim::enter(Any object) -> ()",
        [](const Node* node) -> torch::jit::Operation {
          return [method = node->s(c10::attr::name)](Stack& stack) {
            const auto object = torch::jit::pop(stack).toObject();
            if (auto* function = object->type()->findMethod(method)) add_polls_to(*function);
          };
        },
        kConservative),
});

Node* insert(const char* kind, at::ArrayRef<torch::jit::Value*> inputs, Node* before) {
  auto* node = before->owningGraph()->create(c10::Symbol::fromQualString(kind), inputs, 0);
  return node->insertBefore(before);
}

bool follows(const char* kind, Node* node) { return node->prev()->kind().toQualString() == std::string(kind); }

void add_to(Block* block, Polls& polls) {
  for (auto* node : block->nodes()) {
    for (auto* inner : node->blocks()) add_to(inner, polls);
    if (node->kind() == c10::prim::Loop) {
      auto* first = *node->blocks()[0]->nodes().begin();
      if (!is_poll(*first)) insert(kPoll, {}, first);
      // The interpreter computes a loop with a single result where that result is used, after other nodes there. It
      // frees values that both use in the loop's first round. A node with an effect behind the loop prevents that.
      if (node->outputs().size() == 1 && !is_poll(*node->next())) insert(kPoll, {}, node->next());
    } else if (node->kind() == c10::aten::wait) {
      if (!follows(kWait, node)) insert(kWait, {node->input(0)}, node);
    } else if (node->kind() == c10::prim::CallMethod && node->input(0)->type()->cast<c10::InterfaceType>()) {
      polls.tasks = true;
      if (!follows(kEnter, node)) insert(kEnter, {node->input(0)}, node)->s_(c10::attr::name, node->s(c10::attr::name));
    } else if (node->kind() == c10::prim::fork) {
      polls.tasks = true;
      auto task = node->g(c10::attr::Subgraph);
      if (is_poll(**task->nodes().begin())) continue;
      // The graph that is shown shares this subgraph, so a copy is changed.
      task = task->copy();
      torch::jit::Inline(*task);
      insert(kPoll, {}, *task->nodes().begin());
      add_to(task->block(), polls);
      node->g_(c10::attr::Subgraph, task);
    }
  }
}

}  // namespace

// A task may outlive the call that started it, and then the host's wish to stop is no longer there to see. But the
// count of stops has changed since the task was started.
void look_in_program() {
  if (Stoppable::here()) return stop_if_asked();
  const auto* started = static_cast<Started*>(c10::ThreadLocalDebugInfo::get(place()));
  if (started && started->stops != host_stops) throw HostStop();
}

Tasks::Tasks() : guard_(place(), std::make_shared<Started>()) {}

void wait_for(c10::ivalue::Future& future) {
  struct Signal {
    std::mutex lock;
    std::condition_variable changed;
    bool done = false;
  };
  const auto signal = std::make_shared<Signal>();
  future.addCallback([signal](c10::ivalue::Future&) {
    const std::lock_guard<std::mutex> hold(signal->lock);
    signal->done = true;
    signal->changed.notify_all();
  });
  std::unique_lock<std::mutex> hold(signal->lock);
  while (!signal->changed.wait_for(hold, std::chrono::milliseconds(100), [&] { return signal->done; })) {
    hold.unlock();
    look_for_stop();
    hold.lock();
  }
}

bool is_poll(const torch::jit::Node& node) {
  const std::string kind = node.kind().toQualString();
  return kind == kPoll || kind == kWait || kind == kEnter;
}

std::string text_without_polls(const torch::jit::Graph& graph) {
  std::string text = graph.toString();
  for (const char* kind : {kPoll, kWait, kEnter}) {
    for (size_t at; (at = text.find(kind)) != std::string::npos;) {
      const size_t begin = text.rfind('\n', at) + 1;
      text.erase(begin, text.find('\n', at) + 1 - begin);
    }
  }
  return text;
}

void add_polls(Block* block) {
  Polls polls;
  add_to(block, polls);
}

void add_polls(torch::jit::Function& function, Polls& polls, const Stack& arguments) {
  auto* with_graph = torch::jit::tryToGraphFunction(function);
  polls.none = !with_graph;
  if (!with_graph) return;
  // LibTorch keeps an optimised graph for each state of autocast, and plans that one.
  const auto graph = with_graph->optimized_graph();
  if (graph == polls.graph.lock()) return;
  polls.graph = graph;
  if (fuse::may_fuse(arguments)) fuse::form_groups_and_loops(graph, function.name());
  add_to(graph->block(), polls);
}

}  // namespace shim
