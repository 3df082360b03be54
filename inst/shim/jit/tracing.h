// The trace that runs on this thread, for the files that record it, call operators in it and compare it.
#pragma once
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/pch.h"
#include "core/value.h"

namespace shim {

// What the shim keeps of a running trace. Traces nest.
struct Trace {
  Trace* outer;
  // LibTorch's part of the trace, while the host's function runs.
  std::shared_ptr<torch::jit::tracer::TracingState> state;
  // The node that LibTorch made last, if it was not in the graph by then.
  torch::jit::Node* made;
  std::vector<std::shared_ptr<torch::jit::Source>> sources;
  std::optional<torch::jit::SourceRange> place;
  // Whether `results` gets the result of each call, for a comparison of two traces.
  bool keeps_results;
  std::vector<std::pair<torch::jit::Value*, at::Tensor>> results;
};
// The innermost trace on this thread; NULL: none, or it is suspended.
extern thread_local Trace* running_trace;

// Begins a trace on this thread, which ends with this object.
class Fresh {
 public:
  explicit Fresh(bool keeps_results = false);
  ~Fresh();
  Fresh(const Fresh&) = delete;
  Fresh& operator=(const Fresh&) = delete;
  Trace& trace() { return trace_; }

 private:
  Trace trace_;
  bool cache_;
};

// While an object of this class lives, the running trace does not see the operators of this thread.
class Paused {
 public:
  Paused();
  ~Paused();
  Paused(const Paused&) = delete;
  Paused& operator=(const Paused&) = delete;

 private:
  Trace* trace_;
  std::shared_ptr<torch::jit::tracer::TracingState> state_;
};

// A function of the host, and what it is traced with.
struct Traced {
  ts_host_fn fn;
  void* context;
  const ts_value* inputs;
  const char* const* names;
  size_t n;
  ts_module* self;  // NULL: the function belongs to no module
};
// Runs the function and gives the graph of what it did: calls are inlined, and dead nodes are gone.
std::shared_ptr<torch::jit::Graph> record(Fresh& trace, const Traced& traced);

// Runs `work` as one step of the running trace: if it fails, what it has added to the graph is taken out again.
void record_step(const std::function<void()>& work);

// Keeps the result of a call in `results`, if the trace knows it.
void keep_result(const c10::IValue& result);

}  // namespace shim
