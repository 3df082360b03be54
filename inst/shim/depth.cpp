#include "depth.h"

#include <ATen/ThreadLocalState.h>
#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/csrc/jit/api/function_impl.h>

#include <atomic>
#include <exception>

#include "boundary.h"
#if defined(_WIN32)
#define NOMINMAX
#include <process.h>
#include <windows.h>

#include <limits>
#else
#include <pthread.h>
#endif

namespace shim {
namespace {

using torch::jit::Block;
using torch::jit::Function;

struct Task {
  const std::function<void()>& work;
  at::ThreadLocalState modes;
  std::exception_ptr failure;

  void run() noexcept {
    try {
      const at::ThreadLocalStateGuard same_modes(modes);
      keep_warnings();
      work();
    } catch (...) {
      failure = std::current_exception();
    }
  }
};

// False if there is no thread with so much stack.
#if defined(_WIN32)
unsigned __stdcall run_task(void* task) {
  static_cast<Task*>(task)->run();
  return 0;
}

bool run_on_thread(size_t bytes, Task& task) {
  if (bytes > std::numeric_limits<unsigned>::max()) return false;
  const auto thread = reinterpret_cast<HANDLE>(_beginthreadex(nullptr, static_cast<unsigned>(bytes), run_task, &task,
                                                              STACK_SIZE_PARAM_IS_A_RESERVATION, nullptr));
  if (!thread) return false;
  WaitForSingleObject(thread, INFINITE);
  CloseHandle(thread);
  return true;
}
#else
void* run_task(void* task) {
  static_cast<Task*>(task)->run();
  return nullptr;
}

bool run_on_thread(size_t bytes, Task& task) {
  pthread_attr_t attributes;
  if (pthread_attr_init(&attributes) != 0) return false;
  pthread_t thread;
  const bool made =
      pthread_attr_setstacksize(&attributes, bytes) == 0 && pthread_create(&thread, &attributes, run_task, &task) == 0;
  pthread_attr_destroy(&attributes);
  return made && pthread_join(thread, nullptr) == 0;
}
#endif

// What a node calls, or NULL. What an interface calls is not known, and not inlined either.
Function* called(const torch::jit::Node& node) {
  if (node.kind() == c10::prim::CallFunction) {
    const auto type = node.input(0)->type()->cast<c10::FunctionType>();
    return type ? type->function() : nullptr;
  }
  if (node.kind() != c10::prim::CallMethod) return nullptr;
  const auto type = node.input(0)->type()->cast<c10::ClassType>();
  return type ? type->findMethod(node.s(c10::attr::name)) : nullptr;
}

// A plan was seen to need 0.4 to 0.8 kB for each node of a straight line.
constexpr size_t kPlanStack = 1536;
std::atomic<size_t> most_needed{0};

// Nodes of a graph with those of what it calls, each time anew, as they are when all is inlined. Calls are not nested
// deeper than kMostLevels.
class Nodes {
 public:
  size_t of(const Block* block) {
    size_t n = 0;
    for (const auto* node : block->nodes()) {
      ++n;
      for (const auto* inner : node->blocks()) n += of(inner);
      if (node->hasAttribute(c10::attr::Subgraph)) n += of(node->g(c10::attr::Subgraph)->block());
      if (Function* callee = called(*node)) n += of(callee);
    }
    return std::min(n, kMost);
  }

 private:
  static constexpr size_t kMost = size_t{1} << 24;

  size_t of(Function* function) {
    const auto known = known_.find(function);
    if (known != known_.end()) return known->second;
    const auto* with_graph = torch::jit::tryToGraphFunction(*function);
    return known_[function] = with_graph ? of(with_graph->graph()->block()) : 0;
  }

  std::unordered_map<Function*, size_t> known_;
};

using CallLevels = Levels<Function*>;

// The calls of a function, each with the blocks around it. What an interface calls is not known, and not inlined
// either.
std::vector<CallLevels::Edge> calls_of(Function* function, int64_t& deepest) {
  std::vector<CallLevels::Edge> calls;
  auto* with_graph = torch::jit::tryToGraphFunction(*function);
  if (!with_graph) return calls;
  std::vector<std::pair<Block*, int>> todo{{with_graph->graph()->block(), 1}};
  while (!todo.empty()) {
    const auto [block, nest] = todo.back();
    todo.pop_back();
    deepest = std::max<int64_t>(deepest, nest);
    for (auto* node : block->nodes()) {
      for (auto* inner : node->blocks()) todo.emplace_back(inner, nest + 1);
      if (node->hasAttribute(c10::attr::Subgraph)) todo.emplace_back(node->g(c10::attr::Subgraph)->block(), nest + 1);
      if (node->kind() == c10::prim::CallFunction) {
        if (const auto type = node->input(0)->type()->cast<c10::FunctionType>())
          calls.push_back({type->function(), nest});
      } else if (node->kind() == c10::prim::CallMethod) {
        const auto type = node->input(0)->type()->cast<c10::ClassType>();
        if (auto* method = type ? type->findMethod(node->s(c10::attr::name)) : nullptr) calls.push_back({method, nest});
      }
    }
  }
  return calls;
}

}  // namespace

void with_stack(size_t bytes, const std::function<void()>& work) {
  if (is_ordinary_stack(bytes)) return work();
  constexpr size_t page = 64 * 1024;
  bytes = (bytes + page - 1) / page * page;
  Task task{work, {}, {}};
  TORCH_CHECK(run_on_thread(bytes, task), "code of this size needs ", bytes >> 20, " MB of stack, which are not there");
  if (task.failure) std::rethrow_exception(task.failure);
}

size_t plan_stack(const torch::jit::Graph& graph) { return Nodes().of(graph.block()) * kPlanStack; }

size_t plan_stack(torch::jit::Function& function) {
  const auto* with_graph = torch::jit::tryToGraphFunction(function);
  const size_t bytes = with_graph ? plan_stack(*with_graph->graph()) : 0;
  size_t most = most_needed;
  while (bytes > most && !most_needed.compare_exchange_weak(most, bytes)) {
  }
  return bytes;
}

size_t most_plan_stack() { return most_needed; }

void check_calls(const torch::jit::CompilationUnit& unit, const char* whose) {
  CallLevels levels(calls_of);
  for (auto* function : unit.get_functions()) {
    // In the place of one that was removed there is none.
    if (!function) continue;
    TORCH_CHECK(levels.of(function) <= kMostLevels, whose, " functions call each other too deeply: more than ",
                kMostLevels, " levels of calls and blocks");
  }
}

}  // namespace shim
