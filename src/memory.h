// R's collector does not know how much memory a tensor holds. Before each call the glue looks at how much is alive and
// asks R to collect when that is due: before, since what is in use during a collection is taken for old.
#pragma once
#include <atomic>

#include "shim.h"

#include "r.h"

// Bytes of tensors whose memory another process made (src/worker.cpp): they count as those of LibTorch's allocator do.
extern std::atomic<int64_t> mapped_bytes;

void collect_if_due(const Shim& it);
// Everything that can be freed, also what is kept for reuse: after an allocation failed.
void collect_now(const Shim& it);

// A double vector whose memory comes from LibTorch's store: for large results, which R would fetch from the system page
// by page each time. R does not count it.
SEXP new_large_doubles(R_xlen_t n);
