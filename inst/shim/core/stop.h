// The host's wish to stop what LibTorch does, looked for at each allocation of CPU memory and at each turn of a TorchScript
// loop.
#pragma once
#include <atomic>
#include <cstdint>
#include <exception>

namespace shim {

// What leaves LibTorch's code where the host asked to stop. LibTorch's engine keeps an exception only if it is one of
// these.
struct HostStop : std::exception {
  const char* what() const noexcept override { return "the host asked to stop"; }
};

// While one lives, what runs on this thread may be stopped.
class Stoppable {
 public:
  Stoppable() noexcept { ++depth_; }
  ~Stoppable() { --depth_; }
  Stoppable(const Stoppable&) = delete;
  Stoppable& operator=(const Stoppable&) = delete;

  static bool here() noexcept { return depth_ > 0; }

  // Not while one of these lives: the host's own code looks for interrupts itself.
  class Suspended {
   public:
    Suspended() noexcept : was_(depth_) { depth_ = 0; }
    ~Suspended() { depth_ = was_; }

   private:
    int was_;
  };

 private:
  static inline thread_local int depth_ = 0;
};

// How often the host stopped what ran.
inline std::atomic<int64_t> host_stops{0};

void stop_if_asked();
// Throws HostStop if the host wants to stop; on the home thread it is asked ten times a second.
inline void look_for_stop() {
  if (Stoppable::here()) stop_if_asked();
}

}  // namespace shim
