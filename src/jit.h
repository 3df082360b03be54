// What the files of TorchScript's glue share.
#pragma once
#include "convert.h"

inline ts_callable* callable_of(SEXP x, const char* what = "f") {
  return static_cast<ts_callable*>(handle_of(x, Kind::callable, what));
}
inline ts_module* module_of(SEXP x, const char* what = "module") {
  return static_cast<ts_module*>(handle_of(x, Kind::module, what));
}

// A result of the shim as an R value; the arena is gone afterwards, also after an error.
inline SEXP finish(ts_value* value, ts_arena* arena, Int64 ints = Int64::exact) {
  SEXP guard = PROTECT(new_cell(Kind::arena));
  set_handle(guard, arena);
  SEXP out = PROTECT(to_sexp(*value, ints));
  set_handle(guard, nullptr);
  shim().ts_arena_release(arena);
  UNPROTECT(2);
  return out;
}

// What TorchScript's `print` wrote on other threads, which may not call R, appears in R's output. R's main thread only.
void show_printed();
// Where LibTorch is told to print, once it is loaded.
int print_text(const char* text, size_t n);
