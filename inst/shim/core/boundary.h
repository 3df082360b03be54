// The one way out of the shim: run a body, turn every exception into a status and the thread's message.
// Nothing here knows the host; a HostJump only carries its wish to unwind through LibTorch's frames. Where LibTorch would
// hold that exception up, host_jumped tells: whatever failed then, the host's jump goes on.
#pragma once
#include "torch_shim.h"

#include <c10/util/Exception.h>

#include <atomic>
#include <string>

namespace shim {

struct HostJump {};
extern std::atomic<bool> host_jumped;

// A forked child has none of the threads of its parent's pools and would wait for them for ever.
extern bool is_forked;
void work_alone();

// After a failure: a trace that runs on this thread goes on.
void go_on_tracing() noexcept;

void set_last_error(std::string message, std::string trace);
int status_of_current_exception() noexcept;
bool is_out_of_memory(const char* message) noexcept;

// LibTorch's warnings on this thread wait until the host asks for them. Only R's thread, and one that it waits for.
void keep_warnings();

template <class Body>
int guarded(Body&& body) noexcept {
  try {
    if (is_forked) [[unlikely]]
      work_alone();
    body();
    return TS_OK;
  } catch (...) {
    return status_of_current_exception();
  }
}

// Frees one of the tensors that wait for it (ts_tensor_release_later).
void free_one_waiting();

}  // namespace shim
