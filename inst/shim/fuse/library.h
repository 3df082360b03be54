// Kernels as machine code: compiled by the host's compiler on a thread of their own, kept on disk.
#pragma once
#include <atomic>
#include <cstdint>
#include <string>

namespace shim::fuse {

union KernelNumber {
  double d;
  int64_t i;
};
// Of each operand a pointer to its first element and the bytes to the next row and to the next element of a row.
using KernelFunction = void (*)(char** operands, const int64_t* outer, const int64_t* inner, const KernelNumber* numbers,
                                int64_t rows, int64_t n, char* scratch);

struct Compiled {
  std::atomic<KernelFunction> function{nullptr};
  std::atomic<bool> failed{false};
  std::string key;
  std::string source;
};

// The kernel of a source: ready if it was made before, in this session or another one, else being made. Never freed.
// Any thread.
Compiled* compiled(const std::string& source);
// Until nothing is being made; looks for an interrupt.
void wait_for_kernels();
// Whether calls on this thread wait for their kernels.
bool is_at_once();
void set_at_once(bool value);

// What the fuser does: nothing, without a compiler never more; all; or only what gives exactly what single operators give.
enum class Mode { off, on, exact };
Mode mode();
void set_mode(Mode value);

}  // namespace shim::fuse
