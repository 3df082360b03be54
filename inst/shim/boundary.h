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

void set_last_error(std::string message, std::string trace);
int status_of_current_exception() noexcept;

template <class Body>
int guarded(Body&& body) noexcept {
  try {
    body();
    return TS_OK;
  } catch (...) {
    return status_of_current_exception();
  }
}

}  // namespace shim
