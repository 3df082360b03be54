// Notes each operator that runs while a piece of the host's code does, as LibTorch reports it to observers.
#include "core/host.h"
#include "core/value.h"

#include <ATen/record_function.h>
#include <torch/csrc/profiler/util.h>

#include <algorithm>
#include <chrono>
#include <mutex>
#include <thread>
#include <unordered_map>

namespace shim {
namespace {

struct Event {
  std::string name, place;
  int64_t start = 0, end = 0, bytes = 0;
  double operations = 0;  // of floating point, where LibTorch can tell
  int depth = 0, thread = 0;
};

struct Profile {
  std::mutex lock;
  bool on = false;
  at::CallbackHandle handle{};
  std::vector<Event> events;
  std::unordered_map<std::thread::id, int> threads;
  std::thread::id home;
};
// Never destroyed: other threads may still report events when the process ends.
Profile& profile() {
  static Profile& it = *new Profile();
  return it;
}
thread_local int depth = 0;
// What the events that have ended at each depth add to the one around them.
thread_local std::vector<double> operations_inside;

int64_t now() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

struct Begun : at::ObserverContext {
  Event event;
  std::vector<const void*> memory;  // of the arguments, which are gone from the stack when the results come; never read
};

int64_t bytes_of(const c10::IValue& value) {
  if (value.isTensor()) {
    const at::Tensor& tensor = value.toTensor();
    return tensor.defined() && tensor.layout() == at::kStrided && !tensor.is_meta()
               ? static_cast<int64_t>(tensor.numel()) * static_cast<int64_t>(tensor.element_size())
               : 0;
  }
  int64_t sum = 0;
  if (value.isTensorList())
    for (const at::Tensor& tensor : value.toTensorVector()) sum += bytes_of(tensor);
  return sum;
}

const void* memory_of(const c10::IValue& value) {
  if (!value.isTensor() || !value.toTensor().defined() || value.toTensor().layout() != at::kStrided) return nullptr;
  return value.toTensor().storage().unsafeGetStorageImpl();
}

// Whether an operator's result is memory of an argument that it only looks at: nothing was read or written.
bool shows_an_input(const at::RecordFunction& function, const std::vector<const void*>& memory) {
  const auto schema = function.operator_schema();
  if (!schema || schema->is_mutable() || function.outputs().size() != 1) return false;
  const void* const out = memory_of(function.outputs()[0]);
  return out && std::count(memory.begin(), memory.end(), out);
}

std::unique_ptr<at::ObserverContext> begin(const at::RecordFunction& function) {
  auto context = std::make_unique<Begun>();
  Event& event = context->event;
  event.name = function.name();
  event.depth = depth++;
  event.operations = static_cast<double>(
      torch::profiler::impl::computeFlops(event.name, torch::profiler::impl::saveExtraArgs(function)));
  if (event.depth == 0) {
    for (const c10::IValue& input : function.inputs()) {
      event.bytes += bytes_of(input);
      if (const void* memory = memory_of(input)) context->memory.push_back(memory);
    }
    if (std::this_thread::get_id() == profile().home) event.place = host_place();
  }
  event.start = now();
  return context;
}

void end(const at::RecordFunction& function, at::ObserverContext* context) {
  auto& started = *static_cast<Begun*>(context);
  Event& event = started.event;
  event.end = now();
  --depth;
  // What an operator calls is counted once.
  const auto at = static_cast<size_t>(event.depth);
  if (operations_inside.size() < at + 2) operations_inside.resize(at + 2);
  if (event.operations == 0) event.operations = operations_inside[at + 1];
  operations_inside[at + 1] = 0;
  operations_inside[at] += event.operations;
  if (event.depth == 0) {
    operations_inside[0] = 0;
    if (shows_an_input(function, started.memory)) event.bytes = 0;
    else
      for (const c10::IValue& output : function.outputs()) event.bytes += bytes_of(output);
  }
  Profile& it = profile();
  const std::lock_guard<std::mutex> hold(it.lock);
  event.thread = it.threads.emplace(std::this_thread::get_id(), static_cast<int>(it.threads.size())).first->second;
  if (it.on) it.events.push_back(std::move(event));
}

}  // namespace
}  // namespace shim

int ts_profile_start(void) {
  return shim::guarded([] {
    auto& it = shim::profile();
    const std::lock_guard<std::mutex> hold(it.lock);
    TORCH_CHECK(!it.on, "a profile is being taken already");
    it.events.clear();
    it.threads.clear();
    it.home = std::this_thread::get_id();
    shim::depth = 0;
    shim::operations_inside.clear();
    it.handle = at::addGlobalCallback(
        at::RecordFunctionCallback(shim::begin, shim::end)
            .needsInputs(true)
            .needsOutputs(true)
            .scopes({at::RecordScope::FUNCTION, at::RecordScope::BACKWARD_FUNCTION, at::RecordScope::USER_SCOPE}));
    it.on = true;
  });
}

int ts_profile_stop(ts_value* out, ts_arena** arena) {
  return shim::guarded_result(out, arena, [&](ts_value& value, shim::Arena& own) {
    auto& it = shim::profile();
    std::vector<shim::Event> events;
    {
      const std::lock_guard<std::mutex> hold(it.lock);
      TORCH_CHECK(it.on, "no profile is being taken");
      it.on = false;
      at::removeCallback(it.handle);
      events.swap(it.events);
    }
    c10::List<std::string> names, places;
    c10::List<double> starts, lasts, bytes, operations;
    c10::List<int64_t> depths, threads;
    for (const auto& event : events) {
      names.push_back(event.name);
      places.push_back(event.place);
      starts.push_back(static_cast<double>(event.start) / 1e9);
      lasts.push_back(static_cast<double>(event.end - event.start) / 1e9);
      bytes.push_back(static_cast<double>(event.bytes));
      operations.push_back(event.operations);
      depths.push_back(event.depth);
      threads.push_back(event.thread);
    }
    shim::from_ivalue(c10::ivalue::Tuple::create({names, places, starts, lasts, bytes, depths, threads, operations}), value, own);
  });
}
