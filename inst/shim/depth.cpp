#include "depth.h"

#include <ATen/ThreadLocalState.h>
#include <torch/csrc/jit/api/function_impl.h>

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

// Of the 8 MB that a thread has as a rule.
constexpr size_t kOrdinaryStack = size_t{2} << 20;

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
  if (bytes <= kOrdinaryStack) return work();
  constexpr size_t page = 64 * 1024;
  bytes = (bytes + page - 1) / page * page;
  Task task{work, {}, {}};
  TORCH_CHECK(run_on_thread(bytes, task), "code of this size needs ", bytes >> 20, " MB of stack, which are not there");
  if (task.failure) std::rethrow_exception(task.failure);
}

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
