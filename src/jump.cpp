#include "jump.h"

#include <csetjmp>

namespace {
// The jump that waits; NULL: none. There is never more than one, as it continues before anything else runs.
SEXP waiting = nullptr;

void leave(void* point, Rboolean jumping) {
  if (jumping) std::longjmp(*static_cast<std::jmp_buf*>(point), 1);
}
}  // namespace

bool run_catching(SEXP (*body)(void*), void* data, SEXP* result) {
  SEXP token = PROTECT(R_MakeUnwindCont());
  std::jmp_buf point;
  if (setjmp(point)) {
    waiting = token;
    R_PreserveObject(waiting);
    UNPROTECT(1);
    return false;
  }
  *result = R_UnwindProtect(body, data, leave, &point, token);
  UNPROTECT(1);
  return true;
}

void drop_jump() {
  R_ReleaseObject(waiting);
  waiting = nullptr;
}

SEXP take_jump() {
  SEXP token = PROTECT(waiting);
  drop_jump();
  UNPROTECT(1);
  return token;
}

void continue_jump(SEXP token) {
  R_ContinueUnwind(token);
  Rf_error("an R jump could not be continued");
}
