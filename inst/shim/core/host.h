// Functions of the host that LibTorch keeps and calls when it likes: hooks and derivatives. They run on the home thread
// only, which is the thread that called ts_initialise(). Another thread that calls one waits until the home thread
// takes the call, which it does while it waits in run_served().
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

  // May be called on any thread. An undefined tensor in the result means that there is none. Throws HostStop.
  std::vector<at::Tensor> call(const std::vector<at::Tensor>& arguments) const;

 private:
  std::vector<at::Tensor> call_home(const std::vector<at::Tensor>& arguments) const;

  ts_host_function function_;
};

void set_host(const ts_host& host);
// The place of the host's code, for messages; "" on any other thread than the home thread.
std::string host_place();

// Runs work that may call the host's functions, computes gradients, or needs `bytes` of stack. The host may stop it.
// The work runs on the calling thread if all of it can stay there. Otherwise it runs on another thread while the home
// thread serves calls and asks the host now and then whether to go on.
void run_served(size_t bytes, const std::function<void()>& body);
// The same for LibTorch's engine, with as much stack as the programs of this session may need for their gradients.
void run_engine(const std::function<void()>& body);
// Whether a thread of LibTorch's engine waits for the host's function that runs on this thread. Work that may compute
// gradients must then go through run_served().
bool engine_waits();

// Asks the host to free what it holds and does not need. May be called on any thread; false if no thread of the host
// listens.
bool collect_host();
// Forgets the idle workers in a forked child, where their threads do not exist.
void forget_workers();

}  // namespace shim
