#include "op.h"

#include <cstring>

#include "memory.h"
#include "resolve.h"
#include "trace.h"

namespace {

ts_tensor* shifted(ts_tensor* positions, SEXP cell) {
  set_handle(cell, positions);
  ts_tensor* out;
  check(shim().ts_positions_to_one(positions, &out));
  shim().ts_tensor_release(positions);
  set_handle(cell, out);
  return out;
}

// Checks that a number which becomes an element fits the dtype: the one that is asked for, otherwise that of the first
// tensor. LibTorch would store TRUE for NA.
void check_stored(const Candidate& candidate, const ts_value* arguments, SEXP value, ts_tensor* like, const char* name) {
  if (is_tensor(value) || is_size(value)) return;
  for (size_t i = 0; i < candidate.schema->n_arguments; ++i) {
    const ts_type& type = *candidate.schema->arguments[i].type;
    const ts_kind kind = type.kind == TS_KIND_OPTIONAL ? type.items[0]->kind : type.kind;
    if (kind == TS_KIND_DTYPE && arguments[i].tag == TS_INT)
      return check_numbers(value, static_cast<int>(arguments[i].as.i), name);
  }
  ts_tensor_info info;
  if (like && shim().ts_tensor_describe(like, &info) == TS_OK && info.defined) check_numbers(value, info.dtype, name);
}

// The R object among the arguments that is this tensor; NULL if there is none.
SEXP source_of(ts_tensor* tensor, const ts_value* arguments, size_t n, SEXP const* sources) {
  for (size_t i = 0; sources && i < n; ++i)
    if (arguments[i].tag == TS_TENSOR && arguments[i].as.handle == tensor && sources[i] && is_tensor(sources[i]) &&
        R_ExternalPtrAddr(sources[i]) == tensor)
      return sources[i];
  return nullptr;
}

// A result that is not a single tensor, as an R value.
SEXP several_sexp(ts_value* out, ts_arena* arena, uint32_t position_results, Int64 ints) {
  SEXP result = PROTECT(finish(out, arena, ints));
  if (position_results && TYPEOF(result) == VECSXP) {
    for (R_xlen_t i = 0; i < Rf_xlength(result); ++i) {
      SEXP item = VECTOR_ELT(result, i);
      if (position_results >> (i & 31) & 1 && is_tensor(item)) shifted(tensor_of(item), item);
    }
  }
  UNPROTECT(1);
  return result;
}

// The first tensor in an argument; NULL if there is none.
ts_tensor* first_tensor(SEXP value, const char* name) {
  if (is_tensor(value)) return tensor_of(value, name);
  for (R_xlen_t i = 0; TYPEOF(value) == VECSXP && i < XLENGTH(value); ++i)
    if (is_tensor(VECTOR_ELT(value, i))) return tensor_of(VECTOR_ELT(value, i), name);
  return nullptr;
}

// An R function that is called after each operator which R calls, with the operator's name, a named list of its
// arguments as R values, and its result. NULL: none.
SEXP observer = nullptr;

void tell_observer(const ts_schema& schema, SEXP const* sources, SEXP result) {
  PROTECT(result);
  SEXP arguments = PROTECT(Rf_allocVector(VECSXP, schema.n_arguments)), names = PROTECT(Rf_allocVector(STRSXP, schema.n_arguments));
  for (size_t i = 0; i < schema.n_arguments; ++i) {
    if (sources[i]) SET_VECTOR_ELT(arguments, i, sources[i]);
    SET_STRING_ELT(names, i, Rf_mkChar(schema.arguments[i].name));
  }
  Rf_setAttrib(arguments, R_NamesSymbol, names);
  SEXP name = PROTECT(Rf_mkString(schema.name));
  SEXP call = PROTECT(Rf_lang4(observer, name, arguments, result));
  // The function may call operators itself: these are not reported.
  SEXP told = observer;
  observer = nullptr;
  Rf_eval(call, R_GlobalEnv);
  observer = told;
  UNPROTECT(5);
}

// Calls the method for sizes of a traced tensor, for which R has chosen the method for tensors.
SEXP arithmetic_of_sizes(const Op& op, SEXP* values) {
  SEXP key = PROTECT(Rf_mkString(op.name));
  SEXP operands = PROTECT(Rf_allocVector(VECSXP, values[1] ? 2 : 1));
  for (R_xlen_t i = 0; i < XLENGTH(operands); ++i) SET_VECTOR_ELT(operands, i, values[i]);
  SEXP out = call_package("size_arithmetic", key, operands);
  UNPROTECT(2);
  return out;
}

}  // namespace

SEXP run_callable(const ts_callable* callable, const ts_value* arguments, size_t n, SEXP const* sources,
                  uint32_t position_results, bool makes_tensor, Repeat may_repeat, Int64 ints, SEXP frame) {
  Cell cell;
  ts_value out;
  ts_arena* arena = nullptr;
  SEXP result = operate(
      [&] {
        if (makes_tensor) cell.make(Kind::tensor);
        return shim().ts_call(callable, arguments, n, &out, &arena);
      },
      [&] {
        if (arena || out.tag != TS_TENSOR) return several_sexp(&out, arena, position_results, ints);
        auto* tensor = static_cast<ts_tensor*>(out.as.handle);
        if (SEXP source = source_of(tensor, arguments, n, sources)) {
          shim().ts_tensor_release(tensor);
          return source;
        }
        SEXP made = cell.make(Kind::tensor);
        if (position_results & 1)
          shifted(tensor, made);
        else
          set_handle(made, tensor);
        return made;
      },
      may_repeat, frame);
  cell.release();
  return result;
}

SEXP invoke(const Op& op, SEXP* values, SEXP frame) {
  const void* memory = vmaxget();
  const Candidate& candidate = resolve(op, values);
  const size_t n = candidate.schema->n_arguments;
  ts_value arguments[kMaxArguments];
  SEXP sources[kMaxArguments];
  int slots[kMaxArguments];
  uint64_t used = 0;
  Keeper keeper;
  for (size_t i = 0; i < n; ++i) {
    int price;
    const int slot = slots[i] = slot_of(candidate, i, values, used, &price);
    if (slot >= 0) used |= uint64_t{1} << slot;
    SEXP value = slot < 0 ? nullptr : values[slot];
    if (!value && !candidate.schema->arguments[i].has_default) value = op.slots[slot].default_value;
    sources[i] = value;
    if (value && !keeper.like) keeper.like = first_tensor(value, op.slots[slot].name);
  }
  for (size_t i = 0; i < n; ++i) {
    if (sources[i])
      arguments[i] = to_value(sources[i], *candidate.schema->arguments[i].type, candidate.flags[i],
                              op.slots[slots[i]].name, keeper);
    else
      arguments[i].tag = TS_DEFAULT;
  }
  for (size_t i = 0; i < n; ++i)
    if (candidate.flags[i] & kStored && sources[i])
      check_stored(candidate, arguments, sources[i], keeper.like, op.slots[slots[i]].name);
  SEXP result = PROTECT(
      run_callable(candidate.callable, arguments, n, sources, candidate.position_results, candidate.makes_tensor,
                   candidate.writes ? Repeat::no : Repeat::yes, Int64::exact, frame));
  // The shim returns dtypes and the like as numbers.
  const int kind = candidate.schema->n_returns == 1 ? candidate.schema->returns[0].type->kind : TS_KIND_NONE;
  if (kind == TS_KIND_DTYPE || kind == TS_KIND_QSCHEME || kind == TS_KIND_LAYOUT) {
    SEXP code = PROTECT(Rf_ScalarInteger(Rf_asInteger(result)));
    result = call_package(kind == TS_KIND_DTYPE ? "new_dtype" : kind == TS_KIND_QSCHEME ? "new_qscheme" : "new_layout", code);
    UNPROTECT(1);
  }
  if (op.result_names && TYPEOF(result) == VECSXP && XLENGTH(result) == XLENGTH(op.result_names))
    Rf_setAttrib(result, R_NamesSymbol, op.result_names);
  if (observer) tell_observer(*candidate.schema, sources, result);
  UNPROTECT(1);
  keeper.release();
  vmaxset(memory);
  return result;
}

// .External2(C_op, key): the body of every operator's R function. It reads the variables of the function's frame.
SEXP op_external(SEXP, SEXP, SEXP args, SEXP frame) {
  const Op& op = op_record(STRING_ELT(CADR(args), 0));
  SEXP values[kMaxArguments];
  for (int slot = 0; slot < op.n_slots; ++slot) values[slot] = given(op.slots[slot], frame);
  if (op.is_r_operator && values[0] && !is_tensor(values[0]) && !(values[1] && is_tensor(values[1])))
    return arithmetic_of_sizes(op, values);
  return invoke(op, values, frame);
}

// .External2(C_method, key): the same for a method, whose `self` is in the environment around the frame.
SEXP method_external(SEXP, SEXP, SEXP args, SEXP frame) {
  const Op& op = op_record(STRING_ELT(CADR(args), 0));
  SEXP values[kMaxArguments];
  static SEXP self = Rf_install("self");
  values[0] = argument_of(enclosing_environment(frame), self);
  for (int slot = 1; slot < op.n_slots; ++slot) values[slot] = given(op.slots[slot], frame);
  return invoke(op, values, frame);
}

// .External2(C_reduce, key, combine): the body of sum() and the like. Base R's Summary functions take several
// arguments: each is reduced, and the results are combined two by two.
SEXP reduce_external(SEXP, SEXP, SEXP args, SEXP frame) {
  static SEXP na_rm = Rf_install("na.rm");
  const Op& op = op_record(STRING_ELT(CADR(args), 0));
  SEXP skip = argument_of(frame, na_rm);
  if (TYPEOF(skip) != LGLSXP || XLENGTH(skip) != 1 || LOGICAL(skip)[0] != FALSE)
    fail("value_error", "`na.rm` must be FALSE: tensors have NaN, but no NA.");
  SEXP values[kMaxArguments];
  for (int slot = 1; slot < op.n_slots; ++slot) values[slot] = given(op.slots[slot], frame);
  SEXP total = nullptr;
  PROTECT_INDEX at;
  PROTECT_WITH_INDEX(R_NilValue, &at);
  for (Dots dots(frame); dots.more(); dots.next()) {
    if (dots.is_missing()) fail("value_error", "An argument of `...` is empty.");
    values[0] = dots.value();
    // A number has no say in the dtype of the result.
    const bool is_number = total && TYPEOF(values[0]) == REALSXP && XLENGTH(values[0]) == 1 && ATTRIB(values[0]) == R_NilValue;
    SEXP one = PROTECT(is_number ? values[0] : invoke(op, values));
    if (total) {
      const Op& combine = op_record(STRING_ELT(CADDR(args), 0));
      SEXP both[kMaxArguments] = {total, one};
      one = invoke(combine, both);
    }
    UNPROTECT(1);
    REPROTECT(total = one, at);
  }
  UNPROTECT(1);
  return total ? total : R_NilValue;
}

// .External2(C_call_op, key, ...): calls an operator of jit_ops with arguments by position or name, as each overload
// has them.
SEXP call_op_external(SEXP, SEXP, SEXP args, SEXP) {
  args = CDR(args);
  const Op& op = op_record(STRING_ELT(CAR(args), 0));
  SEXP values[kMaxArguments];
  const Candidate& best = resolve_call(op, CDR(args), values);
  const void* memory = vmaxget();
  ts_value arguments[kMaxArguments];
  Keeper keeper;
  for (size_t i = 0; i < best.schema->n_arguments; ++i) {
    const ts_argument& argument = best.schema->arguments[i];
    if (values[i])
      arguments[i] = to_value(values[i], *argument.type, kStrict, argument.name, keeper);
    else
      arguments[i].tag = TS_DEFAULT;
  }
  SEXP result = PROTECT(run_callable(best.callable, arguments, best.schema->n_arguments, values, 0, best.makes_tensor,
                                     best.writes ? Repeat::no : Repeat::yes, Int64::ask));
  UNPROTECT(1);
  keeper.release();
  vmaxset(memory);
  return result;
}

// Sets the function that is told of operators, or none by NULL. Returns the one before.
// [[Rcpp::export(rng = false)]]
SEXP cpp_observe_operators(SEXP f) {
  SEXP before = observer ? observer : R_NilValue;
  if (f != R_NilValue) R_PreserveObject(f);
  observer = f == R_NilValue ? nullptr : f;
  if (before != R_NilValue) R_ReleaseObject(before);
  return before;
}
