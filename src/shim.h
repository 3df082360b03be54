// The shim as the glue sees it: a table with a pointer to each function of torch_shim.h, filled when LibTorch is first
// used. It is the glue's only way to LibTorch; no file of src/ includes a LibTorch header.
#pragma once
#include "torch_shim.h"

struct Shim {
#define TS_FUNCTION(result, name, arguments) result(*name) arguments;
#include "torch_shim_functions.h"
#undef TS_FUNCTION
};

// The table. Loads LibTorch at the first call; an R error if there is none. R's main thread only.
const Shim& shim();
// The table, or NULL before LibTorch is loaded: functions that release handles must not load it.
const Shim* shim_if_loaded();
