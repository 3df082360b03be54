// Runs the host's functions on the home thread, whichever thread asks for them (see host.h).
#include "core/host.h"

#include "core/stack.h"
#include "core/value.h"
#include "jit/plan.h"

#include <ATen/ThreadLocalState.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <ctime>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

namespace shim {
namespace {

std::thread::id home;
ts_host host{};

// How many functions of the host the shim holds, and how many of them run now. They can nest: one may lead to the next.
// `running` is used by the home thread only.
std::atomic<int> alive{0};
int running = 0;
// How many calls of run_served() wait on the home thread and serve calls of other threads.
std::atomic<int> serving{0};

// Notes that the host wants all that runs to stop, TorchScript's tasks on other threads included (see jit/poll.h).
void stop_all() {
  ++host_stops;
  host_jumped = true;
}

bool at_home() { return std::this_thread::get_id() == home; }

struct Call {
  std::function<void()> run;
  const std::function<void()>* work = nullptr;  // work that the waiting thread is to do meanwhile
  bool is_engine = false;                       // whether the waiting thread belongs to LibTorch's engine
  std::exception_ptr error;
  bool done = false;
};

std::mutex lock;
std::condition_variable changed;
std::deque<Call*> calls;
// The call of another thread that the home thread is running now; NULL: none.
Call* current = nullptr;
// Whether this thread does work for run_served() and is no thread of LibTorch's engine.
thread_local bool is_own = false;

// A thread of the shim that does work for run_served(). A worker that is done is kept for the next work, because
// LibTorch starts threads of its own beside each thread that uses it. Workers are never destroyed.
class Worker {
 public:
  Worker() : thread_([this] { loop(); }) { thread_.detach(); }

  void start(std::function<void()> work) {
    const std::lock_guard<std::mutex> hold(own_);
    work_ = std::move(work);
    wake_.notify_one();
  }

 private:
  void loop() {
    is_own = true;
    keep_warnings();
    while (true) {
      std::unique_lock<std::mutex> hold(own_);
      wake_.wait(hold, [this] { return static_cast<bool>(work_); });
      const auto work = std::move(work_);
      work_ = nullptr;
      hold.unlock();
      work();
    }
  }

  std::mutex own_;
  std::condition_variable wake_;
  std::function<void()> work_;
  std::thread thread_;
};

// Workers without work. Used by the home thread only.
std::vector<Worker*> idle;

Worker* take_worker() {
  if (idle.empty()) return new Worker();
  Worker* worker = idle.back();
  idle.pop_back();
  return worker;
}

// Called on any other thread: queues the call for the home thread, which must be serving, and waits until it is done.
// While it waits, this thread does the work that the call needs done here (`work`).
void call_served(Call& call) {
  call.is_engine = !is_own;
  std::unique_lock<std::mutex> hold(lock);
  calls.push_back(&call);
  changed.notify_all();
  while (true) {
    changed.wait(hold, [&] { return call.done || call.work; });
    if (!call.work) return;
    const auto work = *std::exchange(call.work, nullptr);
    hold.unlock();
    work();
    hold.lock();
  }
}

void serve_until(const bool& done) {
  std::unique_lock<std::mutex> hold(lock);
  while (!done) {
    if (calls.empty()) {
      if (changed.wait_for(hold, std::chrono::milliseconds(100)) == std::cv_status::no_timeout || host_jumped) continue;
      hold.unlock();
      if (host.poll() != TS_OK) stop_all();
      hold.lock();
      continue;
    }
    Call& call = *calls.front();
    calls.pop_front();
    hold.unlock();
    Call* const outer = std::exchange(current, &call);
    try {
      call.run();
    } catch (...) {
      call.error = std::current_exception();
    }
    current = outer;
    hold.lock();
    call.done = true;
    changed.notify_all();
  }
}

// Whether a tenth of a second has passed since the host was last asked. Home thread only.
bool is_time() {
  static int64_t last = 0;
#if defined(CLOCK_MONOTONIC_COARSE)
  // This runs at each allocation, and the coarse clock costs a quarter of the exact one.
  timespec time;
  clock_gettime(CLOCK_MONOTONIC_COARSE, &time);
  const int64_t now = time.tv_sec * int64_t{1000} + time.tv_nsec / 1000000;
#else
  using namespace std::chrono;
  const int64_t now = duration_cast<milliseconds>(steady_clock::now().time_since_epoch()).count();
#endif
  if (now - last < 100) return false;
  last = now;
  return true;
}

// Whether LibTorch's engine has threads of its own: it has one for each device other than the CPU.
bool has_device_threads() {
  for (const auto& registered : c10::impl::device_guard_impl_registry) {
    const auto* device = registered.load();
    if (device && device->type() != at::kCPU && device->type() != at::kMeta && device->deviceCount() > 0) return true;
  }
  return false;
}

}  // namespace

HostFunction::HostFunction(const ts_host_function& function) : function_(function) { ++alive; }

HostFunction::~HostFunction() {
  --alive;
  function_.release(function_.context);
}

std::vector<at::Tensor> HostFunction::call_home(const std::vector<at::Tensor>& arguments) const {
  if (host_jumped) throw HostStop();
  Arena arena;
  ts_value* values = arena.get().new_items(arguments.size());
  for (size_t i = 0; i < arguments.size(); ++i) from_ivalue(arguments[i], values[i], arena);
  ts_value result{};
  const Stoppable::Suspended host_looks;
  ++running;
  const int status = function_.fn(function_.context, values, arguments.size(), &result);
  --running;
  if (status != TS_OK) {
    host_jumped = true;
    throw HostStop();
  }
  // R's list of tensors arrives as a tuple where some elements are NULL.
  const bool items = result.tag == TS_LIST || result.tag == TS_TUPLE;
  std::vector<at::Tensor> tensors(items ? static_cast<size_t>(result.len) : 0);
  for (size_t i = 0; i < tensors.size(); ++i) {
    const ts_value& item = result.as.items[i];
    if (item.tag == TS_TENSOR) tensors[i] = borrow(static_cast<ts_tensor*>(item.as.handle));
  }
  return tensors;
}

std::vector<at::Tensor> HostFunction::call(const std::vector<at::Tensor>& arguments) const {
  if (at_home()) return call_home(arguments);
  std::vector<at::Tensor> result;
  const at::ThreadLocalState state;
  Call call{[&] {
              const at::ThreadLocalStateGuard as_there(state);
              result = call_home(arguments);
            }};
  TORCH_CHECK(serving > 0, "a function of the host was called from a thread for which the host does not wait");
  call_served(call);
  if (call.error) std::rethrow_exception(call.error);
  return result;
}

void forget_workers() { idle.clear(); }

void set_host(const ts_host& given) {
  home = std::this_thread::get_id();
  host = given;
  // Debian's builds register a backend for Vulkan, which reports a device whether there is one or not. LibTorch's
  // engine would start a thread for that device, and a process with such a thread can't be forked.
  c10::impl::device_guard_impl_registry[static_cast<size_t>(c10::DeviceType::Vulkan)].store(nullptr);
}

std::string host_place() {
  if (!at_home()) return "";
  char text[500] = "";
  host.place(text, sizeof text);
  return text;
}

void stop_if_asked() {
  if (!host_jumped) {
    if (!at_home() || !is_time()) return;
    if (host.poll() == TS_OK) return;
    stop_all();
  }
  throw HostStop();
}

bool collect_host() {
  if (at_home()) {
    const Stoppable::Suspended in_host;
    host.collect();
    return true;
  }
  if (serving == 0) return false;
  Call call{[] { host.collect(); }};
  call_served(call);
  return true;
}

bool engine_waits() { return at_home() && current && current->is_engine; }

void run_engine(const std::function<void()>& body) { run_served(engine_waits() ? 0 : most_plan_stack(), body); }

void run_served(size_t bytes, const std::function<void()>& body) {
  const auto stoppable = [&] {
    const Stoppable here;
    body();
  };
  // A backward() inside a function of the host goes to another thread as well. On this thread LibTorch would count it
  // as nested, and run it on yet another thread, which nobody serves, once the nesting is too deep.
  if (!at_home() || (is_ordinary_stack(bytes) && (alive == 0 || (running == 0 && !has_device_threads())))) {
    with_stack(bytes, stoppable);
    return;
  }
  bool done = false;
  std::exception_ptr error;
  const at::ThreadLocalState state;
  // The engine has one thread for each device. Where that thread waits for the function that runs here, it does the
  // work itself: LibTorch then takes the work for nested, and no other thread could do the device's part of it.
  const bool nested = engine_waits() && is_ordinary_stack(bytes);
  const std::function<void()> work = [&] {
    try {
      const at::ThreadLocalStateGuard as_here(state);
      with_stack(bytes, [&] {
        is_own = !nested;
        stoppable();
      });
    } catch (...) {
      error = std::current_exception();
    }
    const std::lock_guard<std::mutex> hold(lock);
    done = true;
    changed.notify_all();
  };
  ++serving;
  if (nested) {
    {
      const std::lock_guard<std::mutex> hold(lock);
      current->work = &work;
      changed.notify_all();
    }
    serve_until(done);
  } else {
    Worker* worker = take_worker();
    worker->start(work);
    serve_until(done);
    idle.push_back(worker);
  }
  --serving;
  if (error) std::rethrow_exception(error);
  if (host_jumped) throw HostStop();
}

}  // namespace shim
