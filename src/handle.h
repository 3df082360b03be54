// R objects that hold a handle of the shim: an external pointer, a tag that tells the kind, a class. A pointer that came
// out of saveRDS() is NULL: that of a tensor or a generator gets its handle back when it is first used, from what
// src/serial.cpp wrote; any other is dead and refused with an error.
//
// The handle is given back when R's collector frees the object. That is no finalizer: R walks all its weak references at
// every collection, which costs more than most operators. Instead each cell keeps a raw vector of 8 bytes with an
// allocator of its own; R calls that allocator when it sweeps the vector, and there the handle is released. Nothing on
// this way may call R: what must (releasing an R object that a tensor's memory belonged to) is queued.
#pragma once
#include <atomic>

#include "shim.h"

#include "r.h"

enum class Kind { tensor, callable, module, unit, generator, object, arena, state, graph, node, tape };

// R objects that something of LibTorch's holds. What is kept is found, and given back, by the cell; the giving back may
// happen in any thread and while R's collector sweeps, so it is queued, and done before each operator.
SEXP keep_object(SEXP object);
SEXP kept_object(SEXP cell);
void queue_released_object(SEXP cell);
extern std::atomic<bool> has_released_objects;
void drain_released_objects();
// Keeps the object until the next draining, at which `run` gets it. R's main thread only.
void run_when_drained(SEXP object, void (*run)(SEXP));

// The one way to put a handle into a cell; what it held before is the caller's.
void set_handle(SEXP cell, void* handle);

// A cell without a handle: made before the shim is called, so that nothing is lost if R cannot allocate.
SEXP new_cell(Kind kind);
SEXP wrap(Kind kind, void* handle);
bool is_kind(SEXP x, Kind kind);
// The handle of x; an R error if x is of another kind or dead. `what` names the argument.
void* handle_of(SEXP x, Kind kind, const char* what);

// Gives a cell the class of its kind.
void set_class(SEXP cell);
// The vector by which a cell owns its handle.
SEXP owner_of(SEXP cell);
// What stands between a cell and its owner, for kinds that R's serialization keeps.
SEXP new_serial(SEXP owner, SEXP tag);
// Whether a cell without a handle holds what one is made of; makes it.
bool can_revive(SEXP cell);
void revive(SEXP cell);

inline SEXP wrap_tensor(ts_tensor* tensor) { return wrap(Kind::tensor, tensor); }
inline bool is_tensor(SEXP x) { return is_kind(x, Kind::tensor); }
inline ts_tensor* tensor_of(SEXP x, const char* what = "self") {
  return static_cast<ts_tensor*>(handle_of(x, Kind::tensor, what));
}
// Tensors of an R list (or one tensor) as handles in R_alloc memory. An element NULL is an error, or a NULL handle.
enum class Nulls { refused, allowed };
ts_tensor** tensors_of(SEXP list, const char* what, size_t* n, Nulls nulls = Nulls::refused);
