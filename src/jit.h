// Shared by the files jit-*.cpp.
#pragma once
#include <cstring>

#include "convert.h"
#include "operate.h"

inline ts_callable* callable_of(SEXP x, const char* what = "f") {
  return static_cast<ts_callable*>(handle_of(x, Kind::callable, what));
}
inline ts_module* module_of(SEXP x, const char* what = "module") {
  return static_cast<ts_module*>(handle_of(x, Kind::module, what));
}

// The element of a list with a name; NULL if there is none.
inline SEXP element_of(SEXP list, const char* name) {
  SEXP names = Rf_getAttrib(list, R_NamesSymbol);
  for (R_xlen_t i = 0; i < Rf_xlength(names); ++i)
    if (std::strcmp(CHAR(STRING_ELT(names, i)), name) == 0) return VECTOR_ELT(list, i);
  return R_NilValue;
}

// The entries of `watched` that may be another value now; NULL if there is none.
RcppExport SEXP C_script_suspects(SEXP watched, SEXP attached);

// Shows in R what TorchScript's `print` wrote on other threads, which may not call R. R's main thread only.
void show_printed();
// The function that LibTorch prints with. May be called on any thread.
int print_text(const char* text, size_t n);
