// The host's wish to stop what LibTorch does. LibTorch's code looks for it at each allocation of CPU memory and at each
// turn of a TorchScript loop.
#pragma once
#include <atomic>
#include <cstdint>
#include <exception>

namespace shim {

// Thrown through LibTorch's frames when the host wants to stop. LibTorch's engine passes on only exceptions that derive
// from std::exception.
struct HostStop : std::exception {
  const char* what() const noexcept override { return "the host asked to stop"; }
};

// While an object of this class lives, what runs on its thread may be stopped.
class Stoppable {
 public:
  Stoppable() noexcept { ++depth_; }
  ~Stoppable() { --depth_; }
  Stoppable(const Stoppable&) = delete;
  Stoppable& operator=(const Stoppable&) = delete;

  static bool here() noexcept { return depth_ > 0; }

  // While one of these lives, the thread is not stopped: the host's own code runs, which looks for interrupts itself.
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

// How many times the host has stopped something.
inline std::atomic<int64_t> host_stops{0};

void stop_if_asked();
// Throws HostStop if the host wants to stop. Only the home thread asks the host, ten times a second; other threads see
// what it was told.
inline void look_for_stop() {
  if (Stoppable::here()) stop_if_asked();
}

}  // namespace shim
