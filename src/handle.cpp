#include "handle.h"

namespace {

struct KindFacts {
  const char* name;   // the tag, and what messages call it
  const char* class_[3];
  SEXP tag, classes;  // made at first use
};

KindFacts facts[] = {{"torch_tensor", {"torch_tensor", "R7", nullptr}, nullptr, nullptr},
                     {"torch_callable", {"torch_callable", nullptr, nullptr}, nullptr, nullptr},
                     {"torch_script_module_handle", {"torch_script_module_handle", nullptr, nullptr}, nullptr, nullptr},
                     {"torch_unit_handle", {"torch_unit_handle", nullptr, nullptr}, nullptr, nullptr},
                     {"torch_generator", {"torch_generator", "R7", nullptr}, nullptr, nullptr},
                     {"torch_script_object", {"torch_script_object", nullptr, nullptr}, nullptr, nullptr}};

KindFacts& facts_of(Kind kind) {
  KindFacts& it = facts[static_cast<int>(kind)];
  if (!it.tag) {
    it.tag = Rf_install(it.name);
    int n = 0;
    while (it.class_[n]) ++n;
    it.classes = Rf_allocVector(STRSXP, n);
    R_PreserveObject(it.classes);
    for (int i = 0; i < n; ++i) SET_STRING_ELT(it.classes, i, Rf_mkChar(it.class_[i]));
    MARK_NOT_MUTABLE(it.classes);
  }
  return it;
}

template <class Handle, void (*Shim::*release)(Handle*)>
void finalize(SEXP x) {
  auto* handle = static_cast<Handle*>(R_ExternalPtrAddr(x));
  const Shim* it = shim_if_loaded();
  if (!handle || !it) return;
  R_ClearExternalPtr(x);
  (it->*release)(handle);
}

R_CFinalizer_t finalizer_of(Kind kind) {
  switch (kind) {
    case Kind::tensor: return finalize<ts_tensor, &Shim::ts_tensor_release>;
    case Kind::callable: return finalize<ts_callable, &Shim::ts_callable_release>;
    case Kind::module: return finalize<ts_module, &Shim::ts_module_release>;
    case Kind::unit: return finalize<ts_unit, &Shim::ts_unit_release>;
    case Kind::generator: return finalize<ts_generator, &Shim::ts_generator_release>;
    default: return finalize<ts_object, &Shim::ts_object_release>;
  }
}

}  // namespace

SEXP new_cell(Kind kind) {
  const KindFacts& it = facts_of(kind);
  SEXP cell = PROTECT(R_MakeExternalPtr(nullptr, it.tag, R_NilValue));
  R_RegisterCFinalizerEx(cell, finalizer_of(kind), FALSE);
  Rf_setAttrib(cell, R_ClassSymbol, it.classes);
  UNPROTECT(1);
  return cell;
}

SEXP wrap(Kind kind, void* handle) {
  SEXP cell = new_cell(kind);
  R_SetExternalPtrAddr(cell, handle);
  return cell;
}

bool is_kind(SEXP x, Kind kind) {
  return TYPEOF(x) == EXTPTRSXP && R_ExternalPtrTag(x) == facts_of(kind).tag;
}

void* handle_of(SEXP x, Kind kind, const char* what) {
  if (!is_kind(x, kind))
    fail("type_error", "`%s` must be a %s, not %s.", what, facts_of(kind).name,
         CHAR(STRING_ELT(call_package("friendly_type", x), 0)));
  void* handle = R_ExternalPtrAddr(x);
  if (!handle)
    fail("value_error",
         "`%s` is a dead %s: it was saved and read back by R (`saveRDS()`, a saved workspace), which keeps no tensor memory. "
         "Use `torch_save()` or `jit_save()`.",
         what, facts_of(kind).name);
  return handle;
}

ts_tensor** tensors_of(SEXP list, const char* what, size_t* n) {
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
    all[i] = item == R_NilValue ? nullptr : tensor_of(item, what);
  }
  return all;
}

// Whether a handle came out of R's serialization and holds nothing.
// [[Rcpp::export(rng = false)]]
SEXP cpp_is_dead(SEXP x) { return Rf_ScalarLogical(TYPEOF(x) == EXTPTRSXP && !R_ExternalPtrAddr(x)); }
