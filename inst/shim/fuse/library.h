// Turns C into machine code: the host's compiler works on a thread of its own, and the libraries are kept on disk.
#pragma once
#include <atomic>
#include <cstdint>
#include <string>

namespace shim::fuse {

union KernelNumber {
  double d;
  int64_t i;
};
// What machine code is called with: of each operand a pointer to its first element, and the bytes to the next row and to the next
// element of a row.
using KernelFunction = void (*)(char** operands, const int64_t* outer, const int64_t* inner, const KernelNumber* numbers,
                                int64_t rows, int64_t n, char* scratch);

struct Compiled {
  std::atomic<KernelFunction> function{nullptr};
  std::atomic<bool> failed{false};
  std::string key;
  std::string source;
};

// The kernel of a source. It is ready if some session made it before, else the compiler is set to work. Never freed. May be
// called by any thread.
Compiled* compiled(const std::string& source);
// Waits until the compiler has nothing more to do, or an interrupt comes.
void wait_for_kernels();
// Whether calls on this thread wait for their kernels.
bool is_at_once();
void set_at_once(bool value);

// How much is fused: nothing, which is all that there is without a compiler; everything; or only what gives exactly the numbers
// of single operators.
enum class Mode { off, on, exact };
Mode mode();
void set_mode(Mode value);

}  // namespace shim::fuse
