// Asks R to collect. R's collector does not know how much memory a tensor holds, so before each call the glue looks at
// how much is alive. It looks before the call, since what is in use during a collection counts as old. R's main thread
// only.
#pragma once
#include <atomic>

#include "shim.h"

#include "r.h"

// Bytes of memory that another process made (src/worker.cpp), which count as those of LibTorch's allocator do.
extern std::atomic<int64_t> mapped_bytes;

void collect_if_due(const Shim& it);
// Frees everything that can be freed, also what is kept for reuse. Called after an allocation has failed.
void collect_now(const Shim& it);

// A double vector in memory of LibTorch's store, for large results: R would get memory from the system page by page
// each time. R does not count this memory.
SEXP new_large_doubles(R_xlen_t n);
