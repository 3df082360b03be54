// Functions of the host that LibTorch keeps and calls when it likes: hooks, derivatives. They run on the home thread only,
// the one that called ts_initialise. A call from another thread waits until the home thread takes it, which it does
// while it waits in run_engine().
#pragma once
#include "core/boundary.h"
#include "core/pch.h"

#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace shim {

// What leaves a host's function that asked to unwind: LibTorch's engine keeps an exception only if it is one of these.
struct HostStop : std::exception {
  const char* what() const noexcept override { return "the host asked to stop"; }
};

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

// Runs what may call host functions. On the home thread if all of it stays there, else beside it, while the home thread
// serves the calls and asks the host now and then whether to go on.
void run_engine(const std::function<void()>& body);
// The same of anything else that needs so much stack.
void run_served(size_t bytes, const std::function<void()>& body);
// In a forked child, which has none of its parent's threads.
void forget_workers();

}  // namespace shim
