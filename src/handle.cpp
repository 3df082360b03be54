#include "handle.h"

#include <R_ext/Rallocators.h>

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <mutex>
#include <vector>

namespace {

struct KindFacts {
  const char* name;   // becomes the tag of the pointer
  const char* words;  // how messages call it
  const char* class_[3];
  SEXP tag, model;  // made at first use; `model` is a pointer that has the class
};

KindFacts facts[] = {{"torch_tensor", "tensor", {"torch_tensor", "R7", nullptr}, nullptr, nullptr},
                     {"torch_callable", "script function", {"torch_callable", nullptr, nullptr}, nullptr, nullptr},
                     {"torch_script_module_handle", "script module", {"torch_script_module_handle", nullptr, nullptr}, nullptr, nullptr},
                     {"torch_unit_handle", "compilation unit", {"torch_unit_handle", nullptr, nullptr}, nullptr, nullptr},
                     {"torch_generator", "generator", {"torch_generator", "R7", nullptr}, nullptr, nullptr},
                     {"torch_script_object", "script object", {"torch_script_object", nullptr, nullptr}, nullptr, nullptr},
                     {"torch_arena", "value", {nullptr, nullptr, nullptr}, nullptr, nullptr},
                     {"torch_state", "state", {nullptr, nullptr, nullptr}, nullptr, nullptr},
                     {"torch_graph_handle", "graph", {"torch_graph_handle", nullptr, nullptr}, nullptr, nullptr},
                     {"torch_node", "node", {"autograd_node", "R7", nullptr}, nullptr, nullptr},
                     {"torch_tape", "tape", {"torch_tape", nullptr, nullptr}, nullptr, nullptr}};

KindFacts& facts_of(Kind kind) {
  KindFacts& it = facts[static_cast<int>(kind)];
  if (!it.tag) {
    it.tag = Rf_install(it.name);
    int n = 0;
    while (it.class_[n]) ++n;
    it.model = R_MakeExternalPtr(nullptr, it.tag, R_NilValue);
    R_PreserveObject(it.model);
    SEXP classes = PROTECT(Rf_allocVector(STRSXP, n));
    for (int i = 0; i < n; ++i) SET_STRING_ELT(classes, i, Rf_mkChar(it.class_[i]));
    MARK_NOT_MUTABLE(classes);
    if (n > 0) Rf_setAttrib(it.model, R_ClassSymbol, classes);
    UNPROTECT(1);
  }
  return it;
}

// The distance from the block that an allocator gave to the data of the vector in it. It is the same for all vectors,
// and is measured with the first one.
ptrdiff_t data_offset = 0;
void* last_block = nullptr;

// Blocks of cells that were freed. Cells come and go by the thousand and all have one size, so their blocks are used
// again. Only R's main thread allocates and frees them.
struct FreeBlock {
  FreeBlock* next;
};
FreeBlock* free_blocks = nullptr;
size_t block_size = 0;

void* take_block(R_allocator_t*, size_t size) {
  void* block = free_blocks;
  if (block && size == block_size) {
    free_blocks = free_blocks->next;
    // The next block is not in the cache any more.
#if defined(__GNUC__)
    __builtin_prefetch(free_blocks, 1);
#endif
  } else {
    block = std::malloc(size);
  }
  block_size = size;
  last_block = block;
  return block;
}

template <class Handle, void (*Shim::*release)(Handle*)>
void release_block(R_allocator_t*, void* block) {
  void* handle;
  std::memcpy(&handle, static_cast<char*>(block) + data_offset, sizeof handle);
  const Shim* it = shim_if_loaded();
  if (handle && it) (it->*release)(static_cast<Handle*>(handle));
  auto* free = static_cast<FreeBlock*>(block);
  free->next = free_blocks;
  free_blocks = free;
}

R_allocator_t allocator_of(Kind kind) {
  switch (kind) {
    case Kind::tensor: return {take_block, release_block<ts_tensor, &Shim::ts_tensor_release_later>, nullptr, nullptr};
    case Kind::callable: return {take_block, release_block<ts_callable, &Shim::ts_callable_release>, nullptr, nullptr};
    case Kind::module: return {take_block, release_block<ts_module, &Shim::ts_module_release>, nullptr, nullptr};
    case Kind::unit: return {take_block, release_block<ts_unit, &Shim::ts_unit_release>, nullptr, nullptr};
    case Kind::generator: return {take_block, release_block<ts_generator, &Shim::ts_generator_release>, nullptr, nullptr};
    case Kind::graph: return {take_block, release_block<ts_graph, &Shim::ts_graph_release>, nullptr, nullptr};
    case Kind::arena: return {take_block, release_block<ts_arena, &Shim::ts_arena_release>, nullptr, nullptr};
    case Kind::node: return {take_block, release_block<ts_node, &Shim::ts_node_release>, nullptr, nullptr};
    case Kind::tape: return {take_block, release_block<ts_tape, &Shim::ts_tape_release>, nullptr, nullptr};
    case Kind::state: return {take_block, release_block<ts_state, &Shim::ts_state_release>, nullptr, nullptr};
    default: return {take_block, release_block<ts_object, &Shim::ts_object_release>, nullptr, nullptr};
  }
}

// The kept objects form a chain. Each cell holds the cell before it, the next cell, and the object as its tag, so that
// it can be taken out at once. R's own list of preserved objects would have to be searched.
SEXP kept = nullptr;

// Kept objects that wait to be released: R must not be called while its collector sweeps. Any thread may add to them.
std::mutex released_lock;
std::vector<SEXP>* released = nullptr;

// Pairs of an object and a function that run at the next draining, as an R list.
SEXP to_run = nullptr;

}  // namespace

SEXP keep_object(SEXP object) {
  PROTECT(object);
  if (!kept) R_PreserveObject(kept = Rf_cons(R_NilValue, R_NilValue));
  SEXP cell = Rf_cons(R_NilValue, R_NilValue);
  SET_TAG(cell, object);
  // The chain is read after the allocation, in which finalizers may have run and changed it.
  SETCAR(cell, kept);
  SETCDR(cell, CDR(kept));
  if (CDR(kept) != R_NilValue) SETCAR(CDR(kept), cell);
  SETCDR(kept, cell);
  UNPROTECT(1);
  return cell;
}

SEXP kept_object(SEXP cell) { return TAG(cell); }

std::atomic<bool> has_released_objects{false};

void queue_released_object(SEXP cell) {
  const std::lock_guard<std::mutex> hold(released_lock);
  if (!released) released = new std::vector<SEXP>();
  released->push_back(cell);
  has_released_objects = true;
}

void drain_released_objects() {
  has_released_objects = false;
  {
    const std::lock_guard<std::mutex> hold(released_lock);
    if (released) {
      for (SEXP cell : *released) {
        SETCDR(CAR(cell), CDR(cell));
        if (CDR(cell) != R_NilValue) SETCAR(CDR(cell), CAR(cell));
      }
      released->clear();
    }
  }
  while (to_run && CDR(to_run) != R_NilValue) {
    SEXP one = PROTECT(CADR(to_run));
    SETCDR(to_run, CDDR(to_run));
    reinterpret_cast<void (*)(SEXP)>(R_ExternalPtrAddrFn(CDR(one)))(CAR(one));
    UNPROTECT(1);
  }
}

void run_when_drained(SEXP object, void (*run)(SEXP)) {
  if (!to_run) R_PreserveObject(to_run = Rf_cons(R_NilValue, R_NilValue));
  SEXP function = PROTECT(R_MakeExternalPtrFn(reinterpret_cast<DL_FUNC>(run), R_NilValue, R_NilValue));
  SEXP one = PROTECT(Rf_cons(object, function));
  SETCDR(to_run, Rf_cons(one, CDR(to_run)));
  has_released_objects = true;
  UNPROTECT(2);
}

SEXP new_cell(Kind kind) {
  const KindFacts& it = facts_of(kind);
  R_allocator_t allocator = allocator_of(kind);
  SEXP owner = PROTECT(Rf_allocVector3(RAWSXP, sizeof(void*), &allocator));
  data_offset = reinterpret_cast<char*>(RAW(owner)) - static_cast<char*>(last_block);
  std::memset(RAW(owner), 0, sizeof(void*));
  const bool is_kept = kind == Kind::tensor || kind == Kind::generator;
  if (is_kept) owner = new_serial(owner, it.tag);
  PROTECT(owner);
  SEXP cell = PROTECT(R_MakeExternalPtr(nullptr, it.tag, owner));
  SHALLOW_DUPLICATE_ATTRIB(cell, it.model);
  UNPROTECT(3);
  return cell;
}

void set_class(SEXP cell) {
  for (KindFacts& it : facts)
    if (it.tag == R_ExternalPtrTag(cell)) SHALLOW_DUPLICATE_ATTRIB(cell, it.model);
}

void set_handle(SEXP cell, void* handle) {
  R_SetExternalPtrAddr(cell, handle);
  std::memcpy(RAW(owner_of(cell)), &handle, sizeof handle);
}

SEXP wrap(Kind kind, void* handle) {
  SEXP cell = new_cell(kind);
  set_handle(cell, handle);
  return cell;
}

bool is_kind(SEXP x, Kind kind) {
  return TYPEOF(x) == EXTPTRSXP && R_ExternalPtrTag(x) == facts_of(kind).tag;
}

void* handle_of(SEXP x, Kind kind, const char* what) {
  if (!is_kind(x, kind)) {
    const char* words = facts_of(kind).words;
    if (x == R_MissingArg) fail("type_error", "`%s` is missing: it must be a %s.", what, words);
    fail("type_error", "`%s` must be a %s, not %s.", what, words, CHAR(STRING_ELT(call_package("friendly_type", x), 0)));
  }
  void* handle = R_ExternalPtrAddr(x);
  if (!handle && can_revive(x)) {
    revive(x);
    handle = R_ExternalPtrAddr(x);
  }
  if (!handle)
    fail("value_error",
         "`%s` is a dead %s: it was saved and read back by R (`saveRDS()`, a saved workspace) without its memory. Use "
         "`torch_save()`%s.",
         what, facts_of(kind).words,
         kind == Kind::tensor ? ", or `options(torch.serialize_in_rds = TRUE)` where it is saved" : "");
  return handle;
}

ts_tensor** tensors_of(SEXP list, const char* what, size_t* n, Nulls nulls) {
  if (is_tensor(list)) {
    auto** one = reinterpret_cast<ts_tensor**>(R_alloc(1, sizeof(ts_tensor*)));
    one[0] = tensor_of(list, what);
    *n = 1;
    return one;
  }
  if (TYPEOF(list) != VECSXP && list != R_NilValue)
    fail("type_error", "`%s` must be a tensor or a list of tensors, not %s.", what,
         CHAR(STRING_ELT(call_package("friendly_type", list), 0)));
  *n = static_cast<size_t>(Rf_xlength(list));
  auto** all = reinterpret_cast<ts_tensor**>(R_alloc(*n + 1, sizeof(ts_tensor*)));
  for (size_t i = 0; i < *n; ++i) {
    SEXP item = VECTOR_ELT(list, i);
    if (item == R_NilValue && nulls == Nulls::refused)
      fail("type_error", "`%s` must hold tensors only, and element %zu is NULL.", what, i + 1);
    all[i] = item == R_NilValue ? nullptr : tensor_of(item, what);
  }
  return all;
}

// Whether an object is a handle that R's serialization restored without its contents.
// [[Rcpp::export(rng = false)]]
SEXP cpp_is_dead(SEXP x) { return Rf_ScalarLogical(TYPEOF(x) == EXTPTRSXP && !R_ExternalPtrAddr(x) && !can_revive(x)); }
