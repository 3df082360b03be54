// R errors made from the shim's statuses and by the glue's own checks. R's main thread only.
#pragma once
#include "torch_shim.h"

// Raises an R error of `class_`, a subclass of torch_error, for the R function that called the glue.
[[noreturn]] void fail(const char* class_, const char* format, ...);
// Raises an error about something that this LibTorch lacks, with the version that has it.
[[noreturn]] void fail_lacking(const char* name, const char* since);
// Raises the shim's last failure as an R error, or continues an R jump that a callback held back.
[[noreturn]] void fail_shim(int status);
// Gives LibTorch's waiting warnings as R warnings. It may jump, as options can turn warnings into errors.
void pass_warnings();
inline void check(int status) {
  if (status != TS_OK) fail_shim(status);
}
