// `x[...]` and `x[...] <- value`: what stands between the brackets becomes entries of an index, which the shim applies.
#include <climits>
#include <cmath>
#include <cstring>

#include "convert.h"
#include "memory.h"
#include "operate.h"
#include "trace.h"
#include "value.h"
#include "values.h"

#if R_VERSION >= R_Version(4, 5, 0) && R_VERSION < R_Version(4, 6, 0)
SEXP dots_environment(SEXP frame, int position) {
  SEXP environment = call_package("dots_environment", frame, PROTECT(Rf_ScalarInteger(position)));
  UNPROTECT(1);
  return environment;
}
#endif

namespace {

constexpr int kMaxIndices = 64;
constexpr double kFarthest = 9007199254740992.0;  // 2^53: no tensor is longer
constexpr int64_t kEllipsis = -1;                 // stands for the dimensions of `..` until their number is known

ts_index simple(ts_index_kind kind, int64_t start, int64_t ndim) { return {kind, start, 0, 0, nullptr, ndim}; }
const ts_index whole = simple(TS_INDEX_WHOLE, 0, 1);
const ts_index ellipsis = simple(TS_INDEX_WHOLE, 0, kEllipsis);
const ts_index new_axis = simple(TS_INDEX_NEW, 0, 0);
ts_index number_at(int64_t position) { return simple(TS_INDEX_NUMBER, position, 1); }

bool is_tensor_entry(const ts_index& entry) { return entry.kind == TS_INDEX_POSITIONS || entry.kind == TS_INDEX_MASK; }

// Symbols: names with a meaning between the brackets, and formals.
struct Words {
  SEXP colon, last, new_axis, ellipsis, x, drop, value;
};
const Words& words() {
  static const Words it = {Rf_install(":"), Rf_install("N"),    Rf_install("newaxis"), Rf_install(".."),
                           Rf_install("x"), Rf_install("drop"), Rf_install("value")};
  return it;
}

bool is_slice_call(SEXP x) { return TYPEOF(x) == LANGSXP && CAR(x) == words().colon; }
bool is_number(SEXP x) { return TYPEOF(x) != LGLSXP && is_number_vector(x); }
// Whether `x` is a slice. A user may have put that class on anything.
bool is_slice(SEXP x) { return TYPEOF(x) == VECSXP && XLENGTH(x) == 3 && has_class(x, "slice"); }

// One element as a double, NA if it is no number.
double number_in(SEXP x, R_xlen_t i) {
  if (!is_integer64(x)) return TYPEOF(x) == REALSXP ? REAL(x)[i] : INTEGER(x)[i] == NA_INTEGER ? NA_REAL : INTEGER(x)[i];
  int64_t whole;
  return whole_at(x, i, &whole) ? static_cast<double>(whole) : NA_REAL;
}

int64_t bound(SEXP value) {
  const double v = is_number(value) && XLENGTH(value) == 1 ? number_in(value, 0) : NA_REAL;
  if (std::isnan(v)) fail("value_error", "The ends of a slice must be numbers, not %s.", friendly(value));
  if (v == 0) fail("value_error", "Indexing in R is 1-based and found a 0.");
  if (std::isinf(v)) return v > 0 ? -1 : 1;
  if (v != std::trunc(v)) fail("value_error", "The ends of a slice must be whole numbers, not %g.", v);
  if (std::fabs(v) > kFarthest) return v > 0 ? INT64_MAX / 2 : INT64_MIN / 2;
  return static_cast<int64_t>(v);
}

ts_index slice_of(int64_t from, int64_t to, int64_t step) {
  if (step < 1) fail("value_error", "The step of a slice must be positive, not %lld.", static_cast<long long>(step));
  return {TS_INDEX_SLICE, from > 0 ? from - 1 : from, to > 0 ? to : to == -1 ? INT64_MAX : to + 1, step, nullptr, 1};
}

// Fails for a slice that counts down in a dimension of that size, such as 3:1: R reverses there, LibTorch would select
// nothing. What goes from a position to one that is counted from the end is what lies between, which may be nothing.
void check_direction(const ts_index& slice, int64_t size) {
  const int64_t from = slice.start < 0 ? slice.start : slice.start + 1;
  const int64_t to = slice.end == INT64_MAX ? -1 : slice.end > 0 ? slice.end : slice.end - 1;
  if (from > 0 && to < 0) return;
  if ((from < 0 && to > 0 ? from + size + 1 : from) <= to) return;
  fail("value_error",
       "The slice %lld:%lld counts down: `torch_flip()` or a vector of positions reverses, `%lld:N` is all from there on.",
       static_cast<long long>(from), static_cast<long long>(to), static_cast<long long>(from));
}

bool mentions_last(SEXP expression) {
  if (expression == words().last) return true;
  if (TYPEOF(expression) != LANGSXP) return false;
  for (SEXP part = CDR(expression); part != R_NilValue; part = CDR(part))
    if (mentions_last(CAR(part))) return true;
  return false;
}

// Warns once a session if the caller has a variable N of his own that is another number than the last position, `size`.
void tell_last(SEXP environment, int64_t size) {
  for (SEXP at = environment; TYPEOF(at) == ENVSXP && at != R_EmptyEnv && at != R_BaseEnv; at = enclosing_environment(at)) {
    if (!has_variable(at, words().last)) continue;
    SEXP number = PROTECT(Rf_ScalarReal(static_cast<double>(size)));
    call_package("tell_last", at, number);
    UNPROTECT(1);
    return;
  }
}

// The value of an end or of the step of a slice. In the expression N is the last position.
int64_t part(SEXP expression, SEXP environment, int64_t size) {
  if (is_number(expression)) return bound(expression);
  if (mentions_last(expression)) tell_last(environment, size);
  SEXP with_last = PROTECT(R_NewEnv(environment, FALSE, 1));
  Rf_defineVar(words().last, PROTECT(Rf_ScalarInteger(-1)), with_last);
  const int64_t it = bound(PROTECT(Rf_eval(expression, with_last)));
  UNPROTECT(3);
  return it;
}

ts_index read_slice(SEXP call, SEXP environment, int64_t size) {
  int64_t step = 1;
  SEXP range = call;
  if (is_slice_call(CADR(call))) {  // (a:b):s
    step = part(CADDR(call), environment, size);
    range = CADR(call);
  }
  const int64_t from = part(CADR(range), environment, size);
  return slice_of(from, part(CADDR(range), environment, size), step);
}

ts_index tensor_index(SEXP x, Keeper& keeper) {
  ts_tensor_info info;
  ts_tensor* tensor = tensor_of(x, "index");
  check(shim().ts_tensor_describe(tensor, &info));
  if (info.dtype == TS_BOOLEAN) return {TS_INDEX_MASK, 0, 0, 0, tensor, info.ndim > 0 ? info.ndim : 1};
  if (info.dtype != TS_INT64)
    fail("type_error", "Only long and boolean tensors can be an index, not %s.", shim().ts_dtype_name(info.dtype));
  SEXP cell = keeper.keep(new_cell(Kind::tensor));
  ts_tensor* positions;
  check(shim().ts_positions_from_one(tensor, &positions));
  set_handle(cell, positions);
  if (info.ndim == 0) {
    ts_value item;
    check(shim().ts_tensor_item(positions, &item));
    return number_at(item.as.i);
  }
  return {TS_INDEX_POSITIONS, 0, 0, 0, positions, 1};
}

ts_index mask_index(SEXP x, Keeper& keeper) {
  for (R_xlen_t i = 0; i < XLENGTH(x); ++i)
    if (LOGICAL(x)[i] == NA_LOGICAL) fail("value_error", "A mask must hold TRUE and FALSE without NA.");
  SEXP cell = keeper.keep(new_cell(Kind::tensor));
  set_handle(cell, tensor_from_vector(x, TS_BOOLEAN, nullptr, false, false));
  return tensor_index(cell, keeper);
}

int64_t position_of(double v) {
  if (!(v == std::trunc(v)) || std::fabs(v) > kFarthest) fail("value_error", "An index must hold whole numbers without NA.");
  if (v == 0) fail("value_error", "Indexing in R is 1-based and found a 0.");
  return static_cast<int64_t>(v > 0 ? v - 1 : v);
}

ts_index positions_index(SEXP x, Keeper& keeper) {
  const R_xlen_t n = XLENGTH(x);
  SEXP dim = Rf_getAttrib(x, R_DimSymbol);
  const size_t ndim = dim == R_NilValue ? 1 : static_cast<size_t>(XLENGTH(dim));
  auto* sizes = reinterpret_cast<int64_t*>(R_alloc(ndim + n, sizeof(int64_t)));
  auto* positions = sizes + ndim;
  sizes[0] = n;
  for (size_t i = 0; dim != R_NilValue && i < ndim; ++i) sizes[i] = INTEGER(dim)[i];
  for (R_xlen_t i = 0; i < n; ++i)
    positions[i] = position_of(number_in(x, i));
  SEXP cell = keeper.keep(new_cell(Kind::tensor));
  ts_tensor* tensor;
  check(shim().ts_tensor_from_data(positions, TS_INT64, sizes, ndim, TS_INT64, nullptr, 0, 0, &tensor));
  set_handle(cell, tensor);
  return {TS_INDEX_POSITIONS, 0, 0, 0, tensor, 1};
}

// Whether an index reads or assigns. A single NA reads the whole dimension. R assigns nothing there or fails, so in an
// assignment it is an error.
enum class Use { read, assign };

ts_index value_index(SEXP x, Keeper& keeper, Use use) {
  if (x == R_NilValue) return new_axis;
  if (is_tensor(x)) return tensor_index(x, keeper);
  if (is_slice(x))
    return slice_of(bound(VECTOR_ELT(x, 0)), bound(VECTOR_ELT(x, 1)), bound(VECTOR_ELT(x, 2)));
  const bool number = is_number(x);
  if (!number && TYPEOF(x) != LGLSXP)
    fail("type_error", "Unsupported index: it must be a number, a logical, a slice or a tensor, not %s.", friendly(x));
  const bool plain = Rf_getAttrib(x, R_DimSymbol) == R_NilValue;
  if (plain && XLENGTH(x) == 1 && TYPEOF(x) == LGLSXP && LOGICAL(x)[0] == NA_LOGICAL) {
    if (use == Use::assign) fail("value_error", "An index must not be NA in an assignment.");
    return whole;
  }
  if (plain && XLENGTH(x) == 1 && number) {
    const double v = number_in(x, 0);
    if (std::isnan(v) || v != std::trunc(v) || std::fabs(v) > kFarthest)
      fail("value_error", "An index must be a whole number, not %s.", friendly(x));
    if (v == 0) fail("value_error", "Indexing in R is 1-based and found a 0.");
    return number_at(static_cast<int64_t>(v > 0 ? v - 1 : v));
  }
  // logical() selects nothing, as in R; it is not a mask of the dimension.
  return number || XLENGTH(x) == 0 ? positions_index(x, keeper) : mask_index(x, keeper);
}

// Reads one argument between the brackets. `:` makes a slice only where it is written there. `size` is that of the
// dimension; -1: not known yet.
ts_index read_index(const Dots& argument, Keeper& keeper, int64_t size, Use use) {
  if (argument.is_missing()) return whole;
  if (!argument.is_promise()) return value_index(argument.value(), keeper, use);
  SEXP expression = keeper.keep(argument.expression());
  if (is_number(expression)) return value_index(expression, keeper, use);
  if (TYPEOF(expression) == SYMSXP) {
    if (expression == R_MissingArg) return whole;
    if (expression == words().ellipsis) return ellipsis;
    if (expression == words().new_axis) return new_axis;
    if (expression == words().last) {
      tell_last(argument.environment(), size);
      return number_at(-1);
    }
  } else if (is_slice_call(expression)) {
    SEXP environment = argument.environment();
    if (TYPEOF(environment) == ENVSXP) return read_slice(expression, environment, size);
  }
  return value_index(keeper.keep(argument.value()), keeper, use);
}

int read_indices(SEXP frame, const ts_tensor_info& info, ts_index* entries, Keeper& keeper, Use use) {
  const int64_t ndim = info.ndim;
  int n = 0;
  int64_t taken = 0;
  ts_index* open = nullptr;
  for (Dots dots(frame); dots.more(); dots.next()) {
    if (dots.is_named(words().drop)) fail("value_error", "`drop` has no meaning in an assignment.");
    if (n == kMaxIndices) fail("value_error", "Too many indices.");
    const int64_t size = open || taken >= ndim ? -1 : info.sizes[taken];
    ts_index& entry = entries[n++] = read_index(dots, keeper, size, use);
    if (entry.ndim != kEllipsis) {
      taken += entry.ndim;
    } else {
      if (open) fail("value_error", "Only one `..` is allowed in an index.");
      open = &entry;
    }
  }
  // `x[]` has one index, which is missing.
  if (n == 1 && entries[0].kind == TS_INDEX_WHOLE && ndim == 0) return 0;
  // A single number takes a single logical, as it takes none.
  if (n == 1 && entries[0].kind == TS_INDEX_MASK && ndim == 0 && entries[0].tensor) {
    ts_tensor_info mask;
    check(shim().ts_tensor_describe(entries[0].tensor, &mask));
    if (mask.ndim == 0) taken = entries[0].ndim = 0;
  }
  if (taken > ndim)
    fail("value_error", "Too many indices: %lld for a tensor of %lld dimensions.", static_cast<long long>(taken),
         static_cast<long long>(ndim));
  if (open) open->ndim = ndim - taken;
  int64_t dim = 0;
  for (int i = 0; i < n; dim += entries[i++].ndim)
    if (entries[i].kind == TS_INDEX_SLICE) check_direction(entries[i], info.sizes[dim]);
  return n;
}

}  // namespace

// .External2(C_index): the body of `[.torch_tensor`(x, ..., drop = TRUE).
SEXP index_external(SEXP, SEXP, SEXP, SEXP frame) {
  const void* memory = vmaxget();
  SEXP x = argument_of(frame, words().x), drop = argument_of(frame, words().drop);
  ts_tensor_info info;
  check(shim().ts_tensor_describe(tensor_of(x, "x"), &info));
  Keeper keeper;
  ts_index entries[kMaxIndices];
  const int n = read_indices(frame, info, entries, keeper, Use::read);
  SEXP out = asked<ts_tensor>(
      Kind::tensor,
      [&](ts_tensor** part) { return shim().ts_tensor_index(tensor_of(x), entries, n, Rf_asLogical(drop) != FALSE, part); },
      frame);
  keeper.release();
  vmaxset(memory);
  return tensor_of(out) == tensor_of(x) ? x : out;
}

// .External2(C_assign): the body of `[<-.torch_tensor`(x, ..., value), which changes `x` in place.
SEXP assign_external(SEXP, SEXP, SEXP, SEXP frame) {
  const void* memory = vmaxget();
  SEXP x = argument_of(frame, words().x), value = argument_of(frame, words().value);
  ts_tensor_info info;
  check(shim().ts_tensor_describe(tensor_of(x, "x"), &info));
  Keeper keeper;
  ts_index entries[kMaxIndices];
  const int n = read_indices(frame, info, entries, keeper, Use::assign);
  int vectors = 0;
  for (int i = 0; i < n; ++i) vectors += is_tensor_entry(entries[i]);

  static const ts_type tensor_type = {TS_KIND_TENSOR, 0, 0, nullptr, nullptr, "Tensor"};
  static const ts_type number_type = {TS_KIND_NUMBER, 0, 0, nullptr, nullptr, "number"};
  const bool number = !is_tensor(value) && vectors == 0 && cost(value, number_type) >= 0;
  if (number && !is_size(value)) check_numbers(value, info.dtype, "value");
  ts_value given;
  if (number || is_tensor(value) || cost(value, tensor_type) < 0) {
    given = to_value(value, number ? number_type : tensor_type, kPlain, "value", keeper);
  } else {
    // R's values are converted at once to the dtype of the tensor that they go into, so that they lose no precision
    // before.
    SEXP cell = keeper.keep(new_cell(Kind::tensor));
    ts_tensor* tensor = tensor_from_vector(value, info.dtype, info.device, false, false, "value");
    set_handle(cell, tensor);
    given = handle_value(TS_TENSOR, tensor);
  }
  operate([&] { return shim().ts_tensor_index_put(tensor_of(x), entries, n, &given); });
  keeper.release();
  vmaxset(memory);
  return x;
}
