// The only way out of the shim. guarded() runs a body and turns every exception into a status and a message that
// belongs to the thread. Nothing in this file knows the host. A HostJump says that the host wants to unwind through
// LibTorch's frames. Some of LibTorch's code catches exceptions and throws others instead, so host_jumped notes the
// wish as well: while it is set, every failure counts as the host's jump.
#pragma once
#include "torch_shim.h"

#include <c10/util/Exception.h>

#include <atomic>
#include <string>

namespace shim {

struct HostJump {};  // thrown where the host has caught a jump of its own
extern std::atomic<bool> host_jumped;

// True in a forked child until its first call. The threads of the parent's pools do not exist there, and the child
// would wait for them for ever; work_alone() makes LibTorch do without them.
extern bool is_forked;
void work_alone();

// Puts a trace that runs on this thread into order after an operator has failed, so that it goes on recording.
void go_on_tracing() noexcept;

void set_last_error(std::string message, std::string trace);
int status_of_current_exception() noexcept;
bool is_out_of_memory(const char* message) noexcept;

// Queues the warnings that LibTorch gives on the calling thread until the host asks for them. It is called on R's main
// thread and on the threads that the shim starts for R's work. Warnings of LibTorch's own threads still go to stderr.
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

// Frees one of the tensors that ts_tensor_release_later() has put aside.
void free_one_waiting();

}  // namespace shim
