// R's collector does not know how much memory a tensor holds. After each call the glue looks at what was allocated since
// the last collection and asks R for one when it is due.
#pragma once
#include "shim.h"

#include "r.h"

void collect_if_due(const Shim& it);
// Everything that can be freed, also what is kept for reuse: after an allocation failed.
void collect_now(const Shim& it);

// A double vector whose memory comes from LibTorch's store: for large results, which R would fetch from the system page
// by page each time.
SEXP new_large_doubles(R_xlen_t n);
