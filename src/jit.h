// What the files of TorchScript's glue share.
#pragma once
#include "convert.h"
#include "operate.h"

inline ts_callable* callable_of(SEXP x, const char* what = "f") {
  return static_cast<ts_callable*>(handle_of(x, Kind::callable, what));
}
inline ts_module* module_of(SEXP x, const char* what = "module") {
  return static_cast<ts_module*>(handle_of(x, Kind::module, what));
}

// What TorchScript's `print` wrote on other threads, which may not call R, appears in R's output. R's main thread only.
void show_printed();
// Where LibTorch is told to print, once it is loaded.
int print_text(const char* text, size_t n);
