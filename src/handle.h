// R objects that hold a handle of the shim: an external pointer, a tag that tells the kind, a class. The finalizer gives
// the handle back. A pointer that came out of saveRDS() is dead (NULL) and is refused with an error.
#pragma once
#include "shim.h"

#include "r.h"

enum class Kind { tensor, callable, module, unit, generator, object };

// A cell without a handle: made before the shim is called, so that nothing is lost if R cannot allocate.
SEXP new_cell(Kind kind);
SEXP wrap(Kind kind, void* handle);
bool is_kind(SEXP x, Kind kind);
// The handle of x; an R error if x is of another kind or dead. `what` names the argument.
void* handle_of(SEXP x, Kind kind, const char* what);

inline SEXP wrap_tensor(ts_tensor* tensor) { return wrap(Kind::tensor, tensor); }
inline bool is_tensor(SEXP x) { return is_kind(x, Kind::tensor); }
inline ts_tensor* tensor_of(SEXP x, const char* what = "self") {
  return static_cast<ts_tensor*>(handle_of(x, Kind::tensor, what));
}
// Tensors of an R list (or one tensor) as handles in R_alloc memory; NULL elements become NULL handles.
ts_tensor** tensors_of(SEXP list, const char* what, size_t* n);
