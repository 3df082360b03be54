// R code called from inside the shim: an R jump (error, interrupt, return) must not cross LibTorch's frames. It is caught
// at the border, LibTorch unwinds by status, and the jump goes on when the glue has control again.
#pragma once
#define R_NO_REMAP
#include <Rinternals.h>

// Runs body(data) with R's jumps caught. false: a jump waits, to be taken and continued.
bool run_catching(SEXP (*body)(void*), void* data, SEXP* result);
// The jump that waits, unprotected; then none waits.
SEXP take_jump();
[[noreturn]] void continue_jump(SEXP jump);
// Forgets it.
void drop_jump();
