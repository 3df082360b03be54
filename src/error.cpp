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

SEXP call_package(const char* name, SEXP a, SEXP b) {
  SEXP call = PROTECT(Rf_lang3(Rf_install(name), a, b));
  SEXP value = Rf_eval(call, package_namespace());
  UNPROTECT(1);
  return value;
}

SEXP call_package(const char* name, SEXP a) {
  SEXP call = PROTECT(Rf_lang2(Rf_install(name), a));
  SEXP value = Rf_eval(call, package_namespace());
  UNPROTECT(1);
  return value;
}

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

void fail_shim(int status) {
  if (status == TS_HOST_JUMP) continue_jump();
  SEXP message = PROTECT(Rf_mkString(shim().ts_last_error()));
  SEXP trace = PROTECT(Rf_mkString(shim().ts_last_error_trace()));
  raise(status == TS_OUT_OF_MEMORY ? "torch_memory_error" : "torch_runtime_error", message, trace);
}
