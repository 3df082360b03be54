// Functions of the host that LibTorch keeps and calls when it likes: hooks, derivatives. They run on the home thread only,
// the one that called ts_initialise. A call from another thread waits until the home thread takes it, which it does
// while it waits in run_engine().
#pragma once
#include "core/boundary.h"
#include "core/pch.h"
#include "core/stop.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace shim {

class HostFunction {
 public:
  explicit HostFunction(const ts_host_function& function);
  ~HostFunction();
  HostFunction(const HostFunction&) = delete;
  HostFunction& operator=(const HostFunction&) = delete;

  // Undefined tensors in the result stand for none. Throws HostStop.
  std::vector<at::Tensor> call(const std::vector<at::Tensor>& arguments) const;

 private:
  std::vector<at::Tensor> call_home(const std::vector<at::Tensor>& arguments) const;

  ts_host_function function_;
};

void set_host(const ts_host& host);
// Where the host's code is, "" off the home thread.
std::string host_place();

// Runs work that may call host functions, computes gradients, or needs `bytes` of stack. It may be stopped. On the home
// thread if all of it can stay there, else beside it, while the home thread serves the calls and asks the host now and
// then whether to go on.
void run_served(size_t bytes, const std::function<void()>& body);
// The engine that computes gradients, with the stack that the programs of this session need.
void run_engine(const std::function<void()>& body);
// Whether a thread of LibTorch's engine waits for the host's function that runs here. What may compute gradients goes
// through run_served() then.
bool engine_waits();

// Asks the host to free what it holds, from whichever thread runs short of memory; false if nobody can be asked.
bool collect_host();
// In a forked child, which has none of its parent's threads.
void forget_workers();

}  // namespace shim
