// The one way out of the shim: run a body, turn every exception into a status and the thread's message.
// Nothing here knows the host; a HostJump only carries its wish to unwind through LibTorch's frames.
#pragma once
#include "torch_shim.h"

#include <c10/util/Exception.h>

#include <string>

namespace shim {

struct HostJump {};

// A forked child has none of the threads of its parent's pools and would wait for them for ever.
extern bool is_forked;
void work_alone();

void set_last_error(std::string message, std::string trace);
int status_of_current_exception() noexcept;

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

}  // namespace shim
