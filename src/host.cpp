#include "host.h"

#include <cstring>
#include <vector>

#include "jump.h"
#include "trace.h"

namespace {

struct Call {
  SEXP function;
  const ts_value* arguments;
  size_t n;
  ts_value* result;
  SEXP hook;  // NULL, or what is noted
};

// The hooks that run, kept, by the backwards that run: one inside the other.
std::vector<SEXP>* hooks_run = nullptr;

SEXP run_call(void* data) {
  auto* it = static_cast<Call*>(data);
  if (it->hook && hooks_run) hooks_run->push_back(keep_object(it->hook));
  SEXP list = PROTECT(Rf_allocVector(VECSXP, static_cast<R_xlen_t>(it->n)));
  for (size_t i = 0; i < it->n; ++i)
    SET_VECTOR_ELT(list, static_cast<R_xlen_t>(i), to_sexp(const_cast<ts_value&>(it->arguments[i])));
  SEXP call = PROTECT(Rf_lang2(it->function, list));
  SEXP value = PROTECT(Rf_eval(call, R_GlobalEnv));
  mark_place();
  Keeper keeper;
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
  Call it{kept_object(static_cast<SEXP>(context)), arguments, n, result, nullptr};
  return run(it, nullptr);
}

// A hook that may be let go is kept as a list: a weak reference from the tensor to the function, and the function.
int call_hook(void* context, const ts_value* arguments, size_t n, ts_value* result) {
  SEXP pair = kept_object(static_cast<SEXP>(context));
  SEXP function = R_WeakRefValue(VECTOR_ELT(pair, 0));
  *result = ts_value{};
  if (function == R_NilValue) return TS_OK;
  Call it{function, arguments, n, result, pair};
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
  Call it{function, arguments, n, result, nullptr};
  return run(it, value);
}

ts_host_function host_function(SEXP function) { return {call_kept, keep_object(function), give_back}; }

ts_host_function hook_function(SEXP function, SEXP tensor) {
  ts_tensor_info info;
  check(shim().ts_tensor_describe(tensor_of(tensor), &info));
  if (info.is_leaf) return host_function(function);
  SEXP pair = PROTECT(Rf_allocVector(VECSXP, 2));
  SET_VECTOR_ELT(pair, 0, R_MakeWeakRef(tensor, function, R_NilValue, FALSE));
  SET_VECTOR_ELT(pair, 1, function);
  const ts_host_function out = {call_hook, keep_object(pair), give_back};
  UNPROTECT(1);
  return out;
}

size_t begin_backward() {
  if (!hooks_run) hooks_run = new std::vector<SEXP>();
  return hooks_run->size();
}

void end_backward(size_t begin, bool used_up) {
  for (size_t i = begin; i < hooks_run->size(); ++i) {
    SEXP kept = (*hooks_run)[i];
    if (used_up) SET_VECTOR_ELT(kept_object(kept), 1, R_NilValue);
    queue_released_object(kept);
  }
  hooks_run->resize(begin);
}

const ts_host r_host = {poll, place};
