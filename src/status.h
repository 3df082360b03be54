// From the shim's status, and the glue's own checks, to one R condition.
#pragma once
#include "torch_shim.h"

// Raises the R error of `class_` (a subclass of torch_error) for the R function that called the glue. Never returns.
[[noreturn]] void fail(const char* class_, const char* format, ...);
// What the LibTorch in use lacks, and the version from which on it is there.
[[noreturn]] void fail_lacking(const char* name, const char* since);
// The same as fail() with the message of the shim's last failed call; continues an R jump that a callback held back.
[[noreturn]] void fail_shim(int status);
// LibTorch's warnings that wait, as R warnings. May jump, where warnings are errors.
void pass_warnings();
inline void check(int status) {
  if (status != TS_OK) fail_shim(status);
}
