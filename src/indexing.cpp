// `x[...]` and `x[...] <- value`: the expressions inside the brackets become select, slice, unsqueeze and index operators,
// one after the other. Each step goes through the dispatcher, so a trace records it.
#include <climits>
#include <cmath>
#include <cstring>

#include "convert.h"
#include "memory.h"
#include "trace.h"
#include "value.h"

namespace {

enum class IndexKind { whole, ellipsis, newaxis, number, slice, positions, mask };

struct Index {
  IndexKind kind;
  int64_t start, end, step;  // from 0, end exclusive; number: start
  ts_tensor* tensor;         // positions from 0, or mask
  int64_t ndim;              // dimensions that it takes
};

constexpr int kMaxIndices = 64;
constexpr double kFarthest = 9007199254740992.0;  // 2^53: no tensor is longer

const ts_callable* overload(const char* name, const char* which) {
  const ts_callable* const* all;
  size_t n = 0;
  check(shim().ts_operator_find(name, &all, &n));
  for (size_t i = 0; i < n; ++i)
    if (std::strcmp(shim().ts_callable_schema(all[i])->overload, which) == 0) return all[i];
  fail("not_implemented_error", "`%s` is not in LibTorch %s.", name, shim().ts_built_for());
}

ts_value tensor_value(ts_tensor* tensor) { return handle_value(TS_TENSOR, tensor); }

// The tensor under the operators: it replaces what it holds, so that nothing in between is lost or kept.
struct Cursor {
  SEXP cell;
  ts_tensor* tensor;
  void step(const ts_callable* op, ts_value* arguments, size_t n) {
    arguments[0] = tensor_value(tensor);
    ts_value out;
    ts_arena* arena = nullptr;
    if (tracing) mark_place();
    check(shim().ts_call(op, arguments, n, &out, &arena));
    ts_tensor* old = static_cast<ts_tensor*>(R_ExternalPtrAddr(cell));
    set_handle(cell, out.as.handle);
    if (old) shim().ts_tensor_release(old);
    tensor = static_cast<ts_tensor*>(out.as.handle);
  }
};

SEXP with_words(SEXP frame) {
  SEXP environment = R_NewEnv(frame, FALSE, 2);
  PROTECT(environment);
  Rf_defineVar(Rf_install("N"), PROTECT(Rf_ScalarInteger(-1)), environment);
  UNPROTECT(2);
  return environment;
}

bool is_call_to(SEXP x, const char* name) {
  return TYPEOF(x) == LANGSXP && TYPEOF(CAR(x)) == SYMSXP && std::strcmp(CHAR(PRINTNAME(CAR(x))), name) == 0;
}

int64_t bound(SEXP value) {
  double v = NA_REAL;
  if (Rf_length(value) == 1 && (TYPEOF(value) == INTSXP || TYPEOF(value) == REALSXP)) v = Rf_asReal(value);
  if (std::isnan(v)) fail("value_error", "The ends of a slice must be numbers, not %s.", friendly(value));
  if (v == 0) fail("value_error", "Indexing in R is 1-based and found a 0.");
  if (std::isinf(v)) return v > 0 ? -1 : 1;
  if (v != std::trunc(v)) fail("value_error", "The ends of a slice must be whole numbers, not %g.", v);
  if (std::fabs(v) > kFarthest) return v > 0 ? INT64_MAX / 2 : INT64_MIN / 2;
  return static_cast<int64_t>(v);
}

Index slice_of(int64_t from, int64_t to, int64_t step) {
  if (step < 1) fail("value_error", "The step of a slice must be positive, not %lld.", static_cast<long long>(step));
  Index it{IndexKind::slice, from > 0 ? from - 1 : from, to > 0 ? to : to == -1 ? INT64_MAX : to + 1, step, nullptr, 1};
  return it;
}

Index read_slice(SEXP call, SEXP environment) {
  int64_t step = 1;
  SEXP range = call;
  if (is_call_to(CADR(call), ":")) {  // (a:b):s
    step = bound(Rf_eval(CADDR(call), environment));
    range = CADR(call);
  }
  const int64_t from = bound(PROTECT(Rf_eval(CADR(range), environment)));
  const int64_t to = bound(PROTECT(Rf_eval(CADDR(range), environment)));
  UNPROTECT(2);
  return slice_of(from, to, step);
}

Index tensor_index(SEXP x, Keeper& keeper) {
  ts_tensor_info info;
  ts_tensor* tensor = tensor_of(x, "index");
  check(shim().ts_tensor_describe(tensor, &info));
  const char* dtype = shim().ts_dtype_name(info.dtype);
  if (std::strcmp(dtype, "Bool") == 0)
    return {IndexKind::mask, 0, 0, 0, tensor, info.ndim > 0 ? info.ndim : 1};
  if (std::strcmp(dtype, "Long") != 0)
    fail("type_error", "Only long and boolean tensors can be an index, not %s.", dtype);
  SEXP cell = keeper.keep(new_cell(Kind::tensor));
  ts_tensor* positions;
  check(shim().ts_positions_from_one(tensor, &positions));
  set_handle(cell, positions);
  if (info.ndim == 0) {
    ts_value item;
    check(shim().ts_tensor_item(positions, &item));
    return {IndexKind::number, item.as.i, 0, 0, nullptr, 1};
  }
  return {IndexKind::positions, 0, 0, 0, positions, 1};
}

Index vector_index(SEXP x, Keeper& keeper) {
  SEXP cell = keeper.keep(new_cell(Kind::tensor));
  if (TYPEOF(x) == REALSXP) {
    for (R_xlen_t i = 0; i < XLENGTH(x); ++i)
      if (!(REAL(x)[i] == std::trunc(REAL(x)[i])))
        fail("value_error", "An index must hold whole numbers without NA.");
  } else if (TYPEOF(x) == INTSXP) {
    for (R_xlen_t i = 0; i < XLENGTH(x); ++i)
      if (INTEGER(x)[i] == NA_INTEGER) fail("value_error", "An index must hold whole numbers without NA.");
  } else {
    for (R_xlen_t i = 0; i < XLENGTH(x); ++i)
      if (LOGICAL(x)[i] == NA_LOGICAL) fail("value_error", "A mask must hold TRUE and FALSE without NA.");
  }
  constexpr int kInt64 = 4, kBool = 11;
  set_handle(cell, tensor_from_vector(x, TYPEOF(x) == LGLSXP ? kBool : kInt64, nullptr, false, false));
  return tensor_index(cell, keeper);
}

Index value_index(SEXP x, Keeper& keeper) {
  if (x == R_NilValue) return {IndexKind::newaxis, 0, 0, 0, nullptr, 0};
  if (is_tensor(x)) return tensor_index(x, keeper);
  if (Rf_inherits(x, "slice"))
    return slice_of(bound(VECTOR_ELT(x, 0)), bound(VECTOR_ELT(x, 1)), bound(VECTOR_ELT(x, 2)));
  const bool number = TYPEOF(x) == REALSXP || TYPEOF(x) == INTSXP;
  if ((!number && TYPEOF(x) != LGLSXP) || XLENGTH(x) == 0 || Rf_isFactor(x))
    fail("type_error", "Unsupported index: it must be a number, a logical, a slice or a tensor, not %s.", friendly(x));
  const bool plain = Rf_getAttrib(x, R_DimSymbol) == R_NilValue;
  if (plain && XLENGTH(x) == 1 && TYPEOF(x) == LGLSXP && LOGICAL(x)[0] == NA_LOGICAL)
    return {IndexKind::whole, 0, 0, 0, nullptr, 1};
  if (plain && XLENGTH(x) == 1 && number) {
    const double v = Rf_asReal(x);
    if (std::isnan(v) || v != std::trunc(v) || std::fabs(v) > kFarthest)
      fail("value_error", "An index must be a whole number, not %s.", friendly(x));
    if (v == 0) fail("value_error", "Indexing in R is 1-based and found a 0.");
    return {IndexKind::number, static_cast<int64_t>(v > 0 ? v - 1 : v), 0, 0, nullptr, 1};
  }
  return vector_index(x, keeper);
}

// One argument inside the brackets. `:` is a slice only where it is written there.
Index read_index(SEXP argument, Keeper& keeper) {
  if (argument == R_MissingArg) return {IndexKind::whole, 0, 0, 0, nullptr, 1};
  if (TYPEOF(argument) != PROMSXP) return value_index(argument, keeper);
  SEXP expression = promise_expression(argument), environment = promise_environment(argument);
  if (TYPEOF(expression) == SYMSXP) {
    const char* name = CHAR(PRINTNAME(expression));
    if (expression == R_MissingArg) return {IndexKind::whole, 0, 0, 0, nullptr, 1};
    if (std::strcmp(name, "..") == 0) return {IndexKind::ellipsis, 0, 0, 0, nullptr, 0};
    if (std::strcmp(name, "newaxis") == 0) return {IndexKind::newaxis, 0, 0, 0, nullptr, 0};
    if (std::strcmp(name, "N") == 0) return {IndexKind::number, -1, 0, 0, nullptr, 1};
  } else if (TYPEOF(expression) == LANGSXP && TYPEOF(environment) == ENVSXP) {
    if (is_call_to(expression, ":")) {
      SEXP words = PROTECT(with_words(environment));
      const Index it = read_slice(expression, words);
      UNPROTECT(1);
      return it;
    }
  }
  return value_index(keeper.keep(Rf_eval(argument, R_EmptyEnv)), keeper);
}

int read_indices(SEXP frame, int64_t ndim, Index* indices, Keeper& keeper) {
  int n = 0;
  int64_t taken = 0;
  bool has_ellipsis = false;
  SEXP dots = frame_variable(frame, R_DotsSymbol);
  for (; TYPEOF(dots) == DOTSXP || TYPEOF(dots) == LISTSXP; dots = CDR(dots)) {
    if (TAG(dots) == Rf_install("drop")) fail("value_error", "`drop` has no meaning in an assignment.");
    if (n == kMaxIndices) fail("value_error", "Too many indices.");
    indices[n] = read_index(CAR(dots), keeper);
    if (has_ellipsis && indices[n].kind == IndexKind::ellipsis) fail("value_error", "Only one `..` is allowed in an index.");
    has_ellipsis = has_ellipsis || indices[n].kind == IndexKind::ellipsis;
    taken += indices[n].ndim;
    ++n;
  }
  // `x[]` is one missing index.
  if (n == 1 && indices[0].kind == IndexKind::whole && ndim == 0) return 0;
  if (taken > ndim)
    fail("value_error", "Too many indices: %lld for a tensor of %lld dimensions.", static_cast<long long>(taken),
         static_cast<long long>(ndim));
  for (int i = 0; i < n; ++i)
    if (indices[i].kind == IndexKind::ellipsis) indices[i].ndim = ndim - taken;
  return n;
}

bool is_vector_like(const Index& index) {
  return index.kind == IndexKind::positions || index.kind == IndexKind::mask;
}

// Applies the indices; stops before the vector-like ones if `put` is given, which then receives that one and its place.
void apply(Cursor& cursor, const Index* indices, int n, bool drop, const Index** put, int64_t* put_dim) {
  static const ts_callable* const select = overload("aten::select", "int");
  static const ts_callable* const slice = overload("aten::slice", "Tensor");
  static const ts_callable* const unsqueeze = overload("aten::unsqueeze", "");
  static const ts_callable* const gather = overload("aten::index", "Tensor");
  ts_value arguments[5];
  int64_t dim = 0;
  for (int i = 0; i < n; ++i) {
    const Index& it = indices[i];
    switch (it.kind) {
      case IndexKind::whole:
        ++dim;
        break;
      case IndexKind::ellipsis:
        dim += it.ndim;
        break;
      case IndexKind::newaxis:
        arguments[1] = int_value(dim++);
        cursor.step(unsqueeze, arguments, 2);
        break;
      case IndexKind::number:
        arguments[1] = int_value(dim);
        arguments[2] = int_value(it.start);
        cursor.step(select, arguments, 3);
        if (!drop) {
          arguments[1] = int_value(dim++);
          cursor.step(unsqueeze, arguments, 2);
        }
        break;
      case IndexKind::slice:
        arguments[1] = int_value(dim++);
        arguments[2] = int_value(it.start);
        arguments[3] = int_value(it.end);
        arguments[4] = int_value(it.step);
        cursor.step(slice, arguments, 5);
        break;
      case IndexKind::positions:
      case IndexKind::mask: {
        if (put) {
          *put = &it;
          *put_dim = dim;
          dim += it.ndim;
          break;
        }
        ts_value items[kMaxIndices + 1];
        for (int64_t d = 0; d < dim; ++d) items[d] = tagged(TS_NONE);
        items[dim] = tensor_value(it.tensor);
        arguments[1] = tagged(TS_LIST);
        arguments[1].len = dim + 1;
        arguments[1].as.items = items;
        cursor.step(gather, arguments, 2);
        // A mask of several dimensions leaves one; a tensor of positions of several dimensions leaves as many.
        ts_tensor_info info;
        check(shim().ts_tensor_describe(it.tensor, &info));
        dim += it.kind == IndexKind::mask ? 1 : info.ndim;
        break;
      }
    }
  }
}

Cursor cursor_on(SEXP x) { return {PROTECT(new_cell(Kind::tensor)), tensor_of(x, "x")}; }

bool is_single_na(SEXP x) {
  return (TYPEOF(x) == LGLSXP && XLENGTH(x) == 1 && LOGICAL(x)[0] == NA_LOGICAL) ||
         (TYPEOF(x) == INTSXP && XLENGTH(x) == 1 && INTEGER(x)[0] == NA_INTEGER);
}

SEXP tensor_argument(SEXP frame) {
  SEXP x = frame_variable(frame, Rf_install("x"));
  return TYPEOF(x) == PROMSXP ? Rf_eval(x, frame) : x;
}

}  // namespace

// .External2(C_index): body of `[.torch_tensor`(x, ..., drop = TRUE).
SEXP index_external(SEXP, SEXP, SEXP, SEXP frame) {
  const void* memory = vmaxget();
  static SEXP drop_symbol = Rf_install("drop");
  SEXP x = tensor_argument(frame);
  SEXP drop = frame_variable(frame, drop_symbol);
  if (TYPEOF(drop) == PROMSXP) drop = Rf_eval(drop, frame);
  ts_tensor_info info;
  check(shim().ts_tensor_describe(tensor_of(x, "x"), &info));
  Keeper keeper;
  Index indices[kMaxIndices];
  const int n = read_indices(frame, info.ndim, indices, keeper);
  Cursor cursor = cursor_on(x);
  apply(cursor, indices, n, Rf_asLogical(drop) != FALSE, nullptr, nullptr);
  UNPROTECT(1);
  keeper.release();
  vmaxset(memory);
  if (cursor.tensor == tensor_of(x)) return x;
  PROTECT(cursor.cell);
  collect_if_due(shim());
  UNPROTECT(1);
  return cursor.cell;
}

// .External2(C_assign): body of `[<-.torch_tensor`(x, ..., value). In place.
SEXP assign_external(SEXP, SEXP, SEXP, SEXP frame) {
  const void* memory = vmaxget();
  static const ts_callable* const copy = overload("aten::copy_", "");
  static const ts_callable* const put = overload("aten::index_put_", "");
  static const ts_callable* const fill = overload("aten::fill_", "Scalar");
  static const ts_callable* const like = overload("aten::to", "other");
  static SEXP value_symbol = Rf_install("value");
  SEXP x = tensor_argument(frame);
  SEXP value = frame_variable(frame, value_symbol);
  if (TYPEOF(value) == PROMSXP) value = Rf_eval(value, frame);
  ts_tensor_info info;
  check(shim().ts_tensor_describe(tensor_of(x, "x"), &info));
  Keeper keeper;
  Index indices[kMaxIndices];
  const int n = read_indices(frame, info.ndim, indices, keeper);
  int vectors = 0;
  for (int i = 0; i < n; ++i) vectors += is_vector_like(indices[i]);
  if (vectors > 1) fail("value_error", "Only one tensor is allowed in the index of an assignment.");

  static const ts_type tensor_type = {TS_KIND_TENSOR, 0, 0, nullptr, nullptr, "Tensor"};
  static const ts_type number_type = {TS_KIND_NUMBER, 0, 0, nullptr, nullptr, "number"};
  // NA is what R users write for a number that is not there.
  if (info.is_floating_point && is_single_na(value)) value = keeper.keep(Rf_ScalarReal(R_NaN));
  const bool number = !is_tensor(value) && vectors == 0 && cost(value, number_type) >= 0;
  ts_value given;
  if (number || is_tensor(value) || cost(value, tensor_type) < 0) {
    given = to_value(value, number ? number_type : tensor_type, kPlain, "value", keeper);
  } else {
    // R's values keep their precision: they become at once what they are put into.
    SEXP cell = keeper.keep(new_cell(Kind::tensor));
    ts_tensor* tensor = tensor_from_vector(value, info.dtype, info.device, false, false);
    set_handle(cell, tensor);
    given = tensor_value(tensor);
  }
  Cursor cursor = cursor_on(x);
  const Index* where = nullptr;
  int64_t dim = 0;
  apply(cursor, indices, n, true, &where, &dim);
  ts_value arguments[5], out;
  ts_arena* arena = nullptr;
  arguments[0] = tensor_value(cursor.tensor);
  ts_value items[kMaxIndices + 1];
  const ts_callable* op = number ? fill : copy;
  size_t count = 2;
  if (where) {
    // copy_ converts, index_put_ does not.
    Cursor source{keeper.keep(new_cell(Kind::tensor)), static_cast<ts_tensor*>(given.as.handle)};
    arguments[1] = tensor_value(cursor.tensor);
    arguments[2] = arguments[3] = arguments[4] = tagged(TS_DEFAULT);
    source.step(like, arguments, 5);
    given = tensor_value(source.tensor);
    arguments[0] = tensor_value(cursor.tensor);
    for (int64_t d = 0; d < dim; ++d) items[d] = tagged(TS_NONE);
    items[dim] = tensor_value(where->tensor);
    arguments[1] = tagged(TS_LIST);
    arguments[1].len = dim + 1;
    arguments[1].as.items = items;
    arguments[2] = given;
    arguments[3] = tagged(TS_DEFAULT);
    op = put;
    count = 4;
  } else {
    arguments[1] = given;
    if (!number) {
      arguments[2] = tagged(TS_DEFAULT);
      count = 3;
    }
  }
  if (tracing) mark_place();
  check(shim().ts_call(op, arguments, count, &out, &arena));
  shim().ts_tensor_release(static_cast<ts_tensor*>(out.as.handle));
  UNPROTECT(1);
  keeper.release();
  vmaxset(memory);
  return x;
}
