// R's collector does not know how much memory a tensor holds: after each call the glue compares what was allocated since
// the last collection with a threshold that grows with what is alive.
#pragma once
#include "shim.h"

#include "r.h"

void collect_if_due(const Shim& it);
void collect_now(const Shim& it);
