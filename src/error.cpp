// From the shim's status and the glue's own checks to one R condition. The text is an R string before anything jumps.
#include "shim.h"

#include "r.h"

#include <cstdarg>
#include <cstdio>

#include "jump.h"

SEXP package_namespace() {
  static SEXP ns = nullptr;
  if (!ns) {
    SEXP name = PROTECT(Rf_mkString("torch"));
    ns = R_FindNamespace(name);
    R_PreserveObject(ns);
    UNPROTECT(1);
  }
  return ns;
}

// The arguments go by name: names and calls are data here, and rlang's traces must not look into a dead tensor.
SEXP call_package(const char* name, SEXP a, SEXP b) {
  SEXP symbols[] = {Rf_install("a"), Rf_install("b")};
  SEXP environment = PROTECT(R_NewEnv(package_namespace(), FALSE, 2));
  Rf_defineVar(symbols[0], a, environment);
  if (b) Rf_defineVar(symbols[1], b, environment);
  SEXP function = Rf_install(name);
  SEXP call = PROTECT(b ? Rf_lang3(function, symbols[0], symbols[1]) : Rf_lang2(function, symbols[0]));
  SEXP value = Rf_eval(call, environment);
  UNPROTECT(2);
  return value;
}

SEXP call_package(const char* name, SEXP a) { return call_package(name, a, nullptr); }

namespace {
[[noreturn]] void raise(const char* class_, SEXP message, SEXP trace) {
  PROTECT(message);
  PROTECT(trace);
  SEXP type = PROTECT(Rf_mkString(class_));
  SEXP call = PROTECT(Rf_lang4(Rf_install("abort_from_glue"), message, type, trace));
  Rf_eval(call, package_namespace());
  UNPROTECT(4);
  Rf_error("%s", CHAR(STRING_ELT(message, 0)));
}
}  // namespace

void fail(const char* class_, const char* format, ...) {
  char text[8192];
  va_list arguments;
  va_start(arguments, format);
  std::vsnprintf(text, sizeof text, format, arguments);
  va_end(arguments);
  raise(class_, Rf_mkString(text), R_NilValue);
}

void pass_warnings() {
  const char* text = shim().ts_take_warning();
  if (!text) return;
  R_xlen_t n = 0;
  SEXP messages = PROTECT(Rf_allocVector(STRSXP, 16));
  for (; text; text = shim().ts_take_warning())
    if (n < 16) SET_STRING_ELT(messages, n++, Rf_mkCharCE(text, CE_UTF8));
  for (R_xlen_t i = 0; i < n; ++i) {
    SEXP one = PROTECT(Rf_ScalarString(STRING_ELT(messages, i)));
    call_package("warn_from_glue", one);
    UNPROTECT(1);
  }
  UNPROTECT(1);
}

void fail_shim(int status) {
  if (status == TS_HOST_JUMP) continue_jump();
  SEXP message = PROTECT(Rf_mkString(shim().ts_last_error()));
  SEXP trace = PROTECT(Rf_mkString(shim().ts_last_error_trace()));
  // What was warned of on the way to the error comes before it.
  pass_warnings();
  raise(status == TS_OUT_OF_MEMORY ? "torch_memory_error" : "torch_runtime_error", message, trace);
}
