// Sizes of traced tensors: R integers that remember where they come from. They are vectors of an ALTREP class: whoever
// reads the numbers asks the class, and so the trace learns that a size has become a constant.
#include "trace.h"

#include <R_ext/Altrep.h>

#include "jump.h"

namespace {

R_altrep_class_t size_class;

SEXP numbers_of(SEXP x) { return R_altrep_data1(x); }
SEXP tensors_of_size(SEXP x) { return R_altrep_data2(x); }

SEXP note_read(void*) {
  // In compiled code R returns a symbol in place of a reference.
  SEXP reference = R_GetCurrentSrcref(0);
  PROTECT(reference = TYPEOF(reference) == INTSXP ? reference : R_NilValue);
  SEXP out = call_package("trace_note_read", reference);
  UNPROTECT(1);
  return out;
}

// Notes that the numbers were read. A warning could jump out of this ALTREP method, so it waits for the next operator.
void was_read() {
  if (tracing == 0) return;
  warnings_wait = true;
  SEXP ignored;
  if (!run_catching(note_read, nullptr, &ignored)) drop_jump();
}

R_xlen_t length(SEXP x) { return XLENGTH(numbers_of(x)); }
int element(SEXP x, R_xlen_t i) {
  was_read();
  return INTEGER(numbers_of(x))[i];
}
void* data(SEXP x, Rboolean writable) {
  was_read();
  if (writable) {
    // Copies share their numbers, so a writer gets a vector of its own.
    SEXP own = PROTECT(Rf_duplicate(numbers_of(x)));
    R_set_altrep_data1(x, own);
    UNPROTECT(1);
  }
  return INTEGER(numbers_of(x));
}
SEXP duplicate(SEXP x, Rboolean) { return R_new_altrep(size_class, numbers_of(x), tensors_of_size(x)); }

bool is_known(SEXP tensor) { return tensor != R_NilValue && shim().ts_trace_knows(tensor_of(tensor)); }

ts_value one_size(SEXP x, R_xlen_t i) {
  SEXP tensor = VECTOR_ELT(tensors_of_size(x), i);
  ts_value value{};
  value.tag = is_known(tensor) ? TS_SIZE : TS_INT;
  value.as.size.i = INTEGER(numbers_of(x))[i];
  if (value.tag == TS_SIZE) value.as.size.traced = tensor_of(tensor);
  return value;
}

}  // namespace

void register_size_class(DllInfo* dll) {
  size_class = R_make_altinteger_class("torch_size", "torch", dll);
  R_set_altrep_Length_method(size_class, length);
  R_set_altrep_Duplicate_method(size_class, duplicate);
  R_set_altvec_Dataptr_method(size_class, data);
  R_set_altinteger_Elt_method(size_class, element);
}

SEXP new_size(SEXP numbers, SEXP tensors) {
  static SEXP classes = nullptr;
  if (!classes) {
    SEXP package = PROTECT(Rf_mkString("torch"));
    classes = Rf_mkString("torch_size");
    R_PreserveObject(classes);
    Rf_setAttrib(classes, Rf_install("package"), package);
    UNPROTECT(1);
  }
  MARK_NOT_MUTABLE(numbers);
  SEXP out = PROTECT(R_new_altrep(size_class, numbers, tensors));
  Rf_setAttrib(out, R_ClassSymbol, classes);
  out = Rf_asS4(out, TRUE, 0);
  UNPROTECT(1);
  return out;
}

bool is_size(SEXP x) { return TYPEOF(x) == INTSXP && ALTREP(x) && R_altrep_inherits(x, size_class); }
SEXP size_numbers(SEXP x) { return numbers_of(x); }

SEXP traced_sizes(SEXP tensor, const ts_tensor_info& info, bool numel) {
  ts_tensor* it = tensor_of(tensor);
  if (!shim().ts_trace_knows(it)) return R_NilValue;
  const R_xlen_t n = numel ? 1 : static_cast<R_xlen_t>(info.ndim);
  SEXP numbers = PROTECT(Rf_allocVector(INTSXP, n)), tensors = PROTECT(Rf_allocVector(VECSXP, n));
  mark_place();
  for (R_xlen_t i = 0; i < n; ++i) {
    const int64_t size = numel ? info.numel : info.sizes[i];
    if (size > INT_MAX) {
      UNPROTECT(2);
      return R_NilValue;
    }
    SEXP cell = new_cell(Kind::tensor);
    SET_VECTOR_ELT(tensors, i, cell);
    ts_tensor* traced;
    check(shim().ts_trace_size(it, numel ? -1 : i, &traced));
    set_handle(cell, traced);
    INTEGER(numbers)[i] = static_cast<int>(size);
  }
  SEXP out = new_size(numbers, tensors);
  UNPROTECT(2);
  return out;
}

bool size_value(SEXP x, const ts_type& type, uint8_t flags, ts_value* out) {
  if (flags & kPosition) return false;
  const R_xlen_t n = length(x);
  switch (type.kind) {
    case TS_KIND_OPTIONAL:
      return size_value(x, *type.items[0], flags, out);
    case TS_KIND_INT:
    case TS_KIND_NUMBER:
      if (n != 1) return false;
      *out = one_size(x, 0);
      return true;
    case TS_KIND_TENSOR:
      if (n != 1) return false;
      *out = one_size(x, 0);
      return out->tag == TS_SIZE;
    case TS_KIND_LIST: {
      const ts_type& item = type.items[0]->kind == TS_KIND_OPTIONAL ? *type.items[0]->items[0] : *type.items[0];
      if (item.kind != TS_KIND_INT && item.kind != TS_KIND_NUMBER) return false;
      // For `int[2]` one number stands for both.
      const R_xlen_t wanted = n == 1 && type.length > 1 ? type.length : n;
      *out = ts_value{};
      out->tag = TS_LIST;
      out->len = wanted;
      out->as.items = reinterpret_cast<ts_value*>(R_alloc(wanted + 1, sizeof(ts_value)));
      for (R_xlen_t i = 0; i < wanted; ++i) out->as.items[i] = one_size(x, n == 1 ? 0 : i);
      return true;
    }
    default:
      return false;
  }
}

// Returns list(numbers, tensors) of a size, or NULL for anything else.
// [[Rcpp::export(rng = false)]]
SEXP cpp_size_parts(SEXP x) {
  if (!is_size(x)) return R_NilValue;
  SEXP out = PROTECT(Rf_allocVector(VECSXP, 2));
  SET_VECTOR_ELT(out, 0, numbers_of(x));
  SET_VECTOR_ELT(out, 1, tensors_of_size(x));
  UNPROTECT(1);
  return out;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_new_size(SEXP numbers, SEXP tensors) { return new_size(numbers, tensors); }
