// R code that runs inside of the shim. An R jump (an error, an interrupt, a return) must not cross LibTorch's frames.
// So it is caught here, LibTorch unwinds by a status, and the jump continues when the glue has control again. R's main
// thread only.
#pragma once
#define R_NO_REMAP
#include <Rinternals.h>

// Runs body(data) and catches R's jumps. Returns false if a jump waits now: take it and continue it.
bool run_catching(SEXP (*body)(void*), void* data, SEXP* result);
// Takes the waiting jump, which is not protected from then on.
SEXP take_jump();
[[noreturn]] void continue_jump(SEXP jump);
// Forgets the waiting jump.
void drop_jump();
