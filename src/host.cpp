#include "host.h"

#include <cstring>

#include "jump.h"
#include "memory.h"
#include "trace.h"

namespace {

struct Call {
  SEXP function;
  const ts_value* arguments;
  size_t n;
  ts_value* result;
};

SEXP run_call(void* data) {
  auto* it = static_cast<Call*>(data);
  SEXP list = PROTECT(Rf_allocVector(VECSXP, static_cast<R_xlen_t>(it->n)));
  for (size_t i = 0; i < it->n; ++i)
    SET_VECTOR_ELT(list, static_cast<R_xlen_t>(i), to_sexp(const_cast<ts_value&>(it->arguments[i])));
  SEXP call = PROTECT(Rf_lang2(it->function, list));
  SEXP value = PROTECT(Rf_eval(call, R_GlobalEnv));
  mark_place();
  // The shim reads the result after this function returns, so no part of the result may lie in the Keeper itself.
  Keeper keeper;
  keeper.used = sizeof keeper.few / sizeof *keeper.few;
  *it->result = to_natural_value(value, "result", keeper);
  keeper.release();
  UNPROTECT(3);
  return value;
}

int run(Call& it, SEXP* value) {
  const void* memory = vmaxget();
  SEXP made;
  if (!run_catching(run_call, &it, &made)) return TS_HOST_JUMP;
  vmaxset(memory);
  if (value) *value = made;
  return TS_OK;
}

int call_kept(void* context, const ts_value* arguments, size_t n, ts_value* result) {
  Call it{kept_object(static_cast<SEXP>(context)), arguments, n, result};
  return run(it, nullptr);
}

int call_hook(void* context, const ts_value* arguments, size_t n, ts_value* result) {
  Call it{static_cast<SEXP>(context), arguments, n, result};
  return run(it, nullptr);
}

void give_back(void* kept) { queue_released_object(static_cast<SEXP>(kept)); }

SEXP check_interrupt(void*) {
  R_CheckUserInterrupt();
  return R_NilValue;
}

int poll() {
  SEXP ignored;
  return run_catching(check_interrupt, nullptr, &ignored) ? TS_OK : TS_HOST_JUMP;
}

SEXP collect_garbage(void*) {
  collect_now(shim());
  return R_NilValue;
}

// The shim calls this when memory runs out in the middle of LibTorch's work. An R error from a finalizer must not leave
// it, and is dropped.
void collect() {
  SEXP ignored;
  if (!run_catching(collect_garbage, nullptr, &ignored)) drop_jump();
}

struct Text {
  char* text;
  size_t n;
};

SEXP write_place(void* data) {
  auto* it = static_cast<Text*>(data);
  SEXP place = PROTECT(call_package("anomaly_place", R_NilValue));
  std::strncpy(it->text, Rf_translateCharUTF8(STRING_ELT(place, 0)), it->n - 1);
  it->text[it->n - 1] = '\0';
  UNPROTECT(1);
  return R_NilValue;
}

void place(char* text, size_t n) {
  Text it{text, n};
  SEXP ignored;
  if (!run_catching(write_place, &it, &ignored)) drop_jump();
}

}  // namespace

int call_function(SEXP function, const ts_value* arguments, size_t n, ts_value* result, SEXP* value) {
  Call it{function, arguments, n, result};
  return run(it, value);
}

ts_host_function host_function(SEXP function) { return {call_kept, keep_object(function), give_back}; }

namespace {

void watch(SEXP tensor);

SEXP hooks_symbol() {
  static SEXP it = Rf_install("hooks");
  return it;
}

// A finalizer, which R calls when it finds the tensor unreachable. If LibTorch still holds the tensor, the tensor lives
// until a later collection asks again. watch() is not called here, since R loses a finalizer that another finalizer
// registers.
void let_go(SEXP tensor) {
  int shared = 0;
  if (!R_ExternalPtrAddr(tensor) || shim().ts_tensor_is_shared(tensor_of(tensor), &shared) != TS_OK || !shared) return;
  run_when_drained(tensor, watch);
}

void watch(SEXP tensor) { R_RegisterCFinalizerEx(tensor, let_go, FALSE); }

}  // namespace

ts_host_function hook_function(SEXP function, SEXP tensor) {
  SEXP owner = owner_of(tensor), hooks = Rf_getAttrib(owner, hooks_symbol());
  if (hooks == R_NilValue) watch(tensor);
  SEXP longer = PROTECT(Rf_cons(function, hooks));
  Rf_setAttrib(owner, hooks_symbol(), longer);
  UNPROTECT(1);
  return {call_hook, function, [](void*) {}};
}

const ts_host r_host = {poll, place, collect};
