// The shim as the glue sees it: one pointer for each function of torch_shim.h, filled when LibTorch is first used.
// This header is the only door; no file of src/ includes a LibTorch header.
#pragma once
#include "torch_shim.h"

struct Shim {
#define TS_FUNCTION(result, name, arguments) result(*name) arguments;
#include "torch_shim_functions.h"
#undef TS_FUNCTION
};

// Loads LibTorch at the first call; an R error if there is none. R's main thread only.
const Shim& shim();
// The same table, but NULL before LibTorch is loaded: the hooks that release handles must not load it.
const Shim* shim_if_loaded();
