#include "package.h"

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

// The arguments are variables of a new environment: names and calls are data here, and rlang's traces must not look
// into a dead tensor.
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
