#include "core/stack.h"

#include <ATen/ThreadLocalState.h>

#include <exception>

#include "core/boundary.h"
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

// Runs the task on a new thread with so many bytes of stack. False if the system gives none.
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

}  // namespace

void with_stack(size_t bytes, const std::function<void()>& work) {
  if (is_ordinary_stack(bytes)) return work();
  constexpr size_t page = 64 * 1024;
  bytes = (bytes + page - 1) / page * page;
  Task task{work, {}, {}};
  TORCH_CHECK(run_on_thread(bytes, task), "code of this size needs ", bytes >> 20, " MB of stack, which are not there");
  if (task.failure) std::rethrow_exception(task.failure);
}

}  // namespace shim
