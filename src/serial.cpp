// Tensors in R's own serialization: saveRDS(), workspaces, what packages send to other processes. With an external
// pointer R writes the object that it protects, and if that is a vector of an ALTREP class, R asks the class what to
// write. So a cell protects its owner through such a vector. Asked by R, the vector gives the bytes of the tensor;
// restored by R, it holds these until the cell is first used.
#include "handle.h"

#include <R_ext/Altrep.h>

#include <cstring>

namespace {

// In a vector that R did not restore, data1 is the owner of the handle and data2 the tag of the cell. In a restored one
// data1 is NULL and data2 the state.
R_altrep_class_t serial_class;

bool is_serial(SEXP x) { return TYPEOF(x) == INTSXP && ALTREP(x) && R_altrep_inherits(x, serial_class); }
bool was_read(SEXP x) { return is_serial(x) && R_altrep_data1(x) == R_NilValue; }

R_xlen_t length(SEXP) { return 0; }
void* data(SEXP, Rboolean) {
  static int nothing = 0;
  return &nothing;
}
int element(SEXP, R_xlen_t) { return NA_INTEGER; }

// The state to write. With NULL R writes the vector as it is, an empty one.
SEXP state_of(SEXP x) {
  if (was_read(x)) return R_altrep_data2(x);
  void* handle;
  std::memcpy(&handle, RAW(R_altrep_data1(x)), sizeof handle);
  if (!handle) return nullptr;
  // A temporary cell that does not own the handle: the vector keeps that alive meanwhile.
  SEXP cell = PROTECT(R_MakeExternalPtr(handle, R_altrep_data2(x), x));
  set_class(cell);
  SEXP state = call_package("state_of_handle", cell);
  R_ClearExternalPtr(cell);
  UNPROTECT(1);
  return state == R_NilValue ? nullptr : state;
}

SEXP with_state(SEXP, SEXP state) { return R_new_altrep(serial_class, R_NilValue, state); }

}  // namespace

void register_serial_class(DllInfo* dll) {
  serial_class = R_make_altinteger_class("torch_serial", "torch", dll);
  R_set_altrep_Length_method(serial_class, length);
  R_set_altrep_Serialized_state_method(serial_class, state_of);
  R_set_altrep_Unserialize_method(serial_class, with_state);
  R_set_altvec_Dataptr_method(serial_class, data);
  R_set_altinteger_Elt_method(serial_class, element);
}

SEXP new_serial(SEXP owner, SEXP tag) { return R_new_altrep(serial_class, owner, tag); }

SEXP owner_of(SEXP cell) {
  SEXP owner = R_ExternalPtrProtected(cell);
  return is_serial(owner) ? R_altrep_data1(owner) : owner;
}

bool can_revive(SEXP cell) {
  return TYPEOF(cell) == EXTPTRSXP && !R_ExternalPtrAddr(cell) && was_read(R_ExternalPtrProtected(cell));
}

void revive(SEXP cell) {
  SEXP made = PROTECT(call_package("revive_handle", R_altrep_data2(R_ExternalPtrProtected(cell))));
  if (TYPEOF(made) == EXTPTRSXP && R_ExternalPtrTag(made) == R_ExternalPtrTag(cell)) {
    R_SetExternalPtrProtected(cell, R_ExternalPtrProtected(made));
    R_SetExternalPtrAddr(cell, R_ExternalPtrAddr(made));
  }
  UNPROTECT(1);
}
