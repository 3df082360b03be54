// R code called from inside the shim: an R jump (error, interrupt, return) must not cross LibTorch's frames. It is caught
// at the border, LibTorch unwinds by status, and the jump goes on when the glue has control again.
#pragma once
#include "r.h"

// Runs body(data) with R's jumps caught. false: a jump waits, to be continued by continue_jump().
bool run_catching(SEXP (*body)(void*), void* data, SEXP* result);
[[noreturn]] void continue_jump();
// Forgets it.
void drop_jump();
