// The one way out of the shim: run a body, turn every exception into a status and the thread's message.
// Nothing here knows the host; a HostJump only carries its wish to unwind through LibTorch's frames.
#pragma once
#include "torch_shim.h"

#include <c10/util/Exception.h>

#include <string>

namespace shim {

struct HostJump {};

void set_last_error(std::string message, std::string trace);
int status_of_current_exception() noexcept;

// LibTorch's warnings on this thread wait until the host asks for them. Only R's thread, and one that it waits for.
void keep_warnings();

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
