// R objects that hold a handle of the shim. Such an object, called a cell, is an external pointer with a tag that tells
// its kind, and a class. A pointer that R restored from saveRDS() is NULL. A tensor or a generator then gets its handle
// when it is first used, from what src/serial.cpp wrote; any other object is dead, and using it is an error.
//
// The handle is released when R's collector frees the object, but not by a finalizer: R walks through all finalizers at
// every collection, which costs more than most operators. Instead each cell keeps a raw vector of 8 bytes with an
// allocator of its own. R calls that allocator when it sweeps the vector, and the allocator releases the handle. R must
// not be called on this way. Work that needs R is queued, such as releasing an R vector whose memory a tensor used.
#pragma once
#include <atomic>

#include "shim.h"

#include "r.h"

enum class Kind { tensor, callable, module, unit, generator, object, arena, state, graph, node, tape };

// R objects that LibTorch holds, such as hooks. keep_object() returns a cell by which the object is found and released.
// The release may be asked for on any thread and while R's collector sweeps, so it is queued; the queue is drained
// before each operator, on R's main thread.
SEXP keep_object(SEXP object);
SEXP kept_object(SEXP cell);
void queue_released_object(SEXP cell);
extern std::atomic<bool> has_released_objects;
void drain_released_objects();
// Keeps the object until the next draining, and then calls `run` with it. R's main thread only.
void run_when_drained(SEXP object, void (*run)(SEXP));

// Puts a handle into a cell. It does not release the handle that the cell held before. Nothing else may change a cell.
void set_handle(SEXP cell, void* handle);

// Makes a cell without a handle. Cells are made before the shim is called: if R can't allocate, no handle is lost.
SEXP new_cell(Kind kind);
SEXP wrap(Kind kind, void* handle);
bool is_kind(SEXP x, Kind kind);
// The handle of `x`. An R error if `x` is of another kind or dead; `what` names the argument in the message.
void* handle_of(SEXP x, Kind kind, const char* what);

// Gives a cell the class of its kind.
void set_class(SEXP cell);
// The vector by which a cell owns its handle.
SEXP owner_of(SEXP cell);
// The vector between a cell and its owner, for kinds that R's serialization saves (src/serial.cpp).
SEXP new_serial(SEXP owner, SEXP tag);
// Whether R restored the cell with what its handle can be made of. revive() makes the handle.
bool can_revive(SEXP cell);
void revive(SEXP cell);

inline SEXP wrap_tensor(ts_tensor* tensor) { return wrap(Kind::tensor, tensor); }
inline bool is_tensor(SEXP x) { return is_kind(x, Kind::tensor); }
inline ts_tensor* tensor_of(SEXP x, const char* what = "self") {
  return static_cast<ts_tensor*>(handle_of(x, Kind::tensor, what));
}
// The handles of the tensors in an R list, or of one tensor, in R_alloc() memory. `nulls` says what an element NULL is: an
// error, or a null handle.
enum class Nulls { refused, allowed };
ts_tensor** tensors_of(SEXP list, const char* what, size_t* n, Nulls nulls = Nulls::refused);
