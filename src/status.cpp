// Raises R errors and warnings. The text of an error becomes an R string before anything jumps.
#include "status.h"

#include <cstdarg>
#include <cstdio>

#include "jump.h"
#include "r.h"
#include "shim.h"

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

void fail_lacking(const char* name, const char* since) {
  fail("not_implemented_error", "`%s` needs LibTorch %s or later; this is LibTorch %s.", name, since, shim().ts_built_for());
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
  // If the R code ends invisibly, the operator's own result would be invisible too. A pair of parentheses makes it
  // visible.
  SEXP shown = PROTECT(Rf_lang2(Rf_install("("), R_NilValue));
  Rf_eval(shown, R_BaseEnv);
  UNPROTECT(2);
}

void fail_shim(int status) {
  if (status == TS_HOST_JUMP) {
    SEXP jump = PROTECT(take_jump());
    // Warnings that came before the jump are given first.
    pass_warnings();
    UNPROTECT(1);
    continue_jump(jump);
  }
  SEXP message = PROTECT(Rf_mkString(shim().ts_last_error()));
  SEXP trace = PROTECT(Rf_mkString(shim().ts_last_error_trace()));
  // Warnings that came before the error are given first.
  pass_warnings();
  raise(status == TS_OUT_OF_MEMORY ? "torch_memory_error" : "torch_runtime_error", message, trace);
}
