// TorchScript: tracing, functions, units, modules, files.
#include <cstring>

#include "convert.h"
#include "jump.h"
#include "memory.h"
#include "op.h"
#include "resolve.h"

namespace {

ts_callable* callable_of(SEXP x, const char* what = "f") {
  return static_cast<ts_callable*>(handle_of(x, Kind::callable, what));
}
ts_module* module_of(SEXP x, const char* what = "module") {
  return static_cast<ts_module*>(handle_of(x, Kind::module, what));
}

// A result of the shim as an R value; the arena is gone afterwards.
SEXP finish(ts_value* value, ts_arena* arena) {
  SEXP out = PROTECT(to_sexp(*value));
  shim().ts_arena_release(arena);
  UNPROTECT(1);
  return out;
}

const char* optional_text(SEXP x) { return x == R_NilValue ? nullptr : CHAR(STRING_ELT(x, 0)); }

struct Traced {
  SEXP function;
  const ts_value* arguments;
  size_t n;
  ts_value* result;
  Keeper* keeper;
  SEXP* values;
};

SEXP run_traced(void* data) {
  auto* it = static_cast<Traced*>(data);
  SEXP list = PROTECT(Rf_allocVector(VECSXP, static_cast<R_xlen_t>(it->n)));
  for (size_t i = 0; i < it->n; ++i)
    SET_VECTOR_ELT(list, static_cast<R_xlen_t>(i), to_sexp(const_cast<ts_value&>(it->arguments[i])));
  SEXP call = PROTECT(Rf_lang2(it->function, list));
  SEXP value = PROTECT(Rf_eval(call, R_GlobalEnv));
  // The result must outlive this frame: it is kept in the list of values of the tracing call.
  SET_VECTOR_ELT(*it->values, 0, value);
  *it->result = to_natural_value(value, "result", *it->keeper);
  it->keeper->release();
  UNPROTECT(3);
  return R_NilValue;
}

// Called by LibTorch's tracer, on R's main thread.
int call_traced(void* context, const ts_value* arguments, size_t n, ts_value* result) {
  Traced it = *static_cast<Traced*>(context);
  it.arguments = arguments;
  it.n = n;
  it.result = result;
  SEXP ignored;
  return run_catching(run_traced, &it, &ignored) ? TS_OK : TS_HOST_JUMP;
}

}  // namespace

// func: takes one list of arguments. module: a handle or NULL. Gives a callable handle.
// [[Rcpp::export(rng = false)]]
SEXP cpp_trace(SEXP func, SEXP inputs, SEXP names, SEXP module, SEXP method, SEXP strict) {
  const void* memory = vmaxget();
  const R_xlen_t n = Rf_xlength(inputs);
  if (Rf_xlength(names) != n) fail("value_error", "`names` must have as many elements as `inputs`.");
  Keeper keeper;
  auto* values = reinterpret_cast<ts_value*>(R_alloc(n + 1, sizeof(ts_value)));
  auto** argument_names = reinterpret_cast<const char**>(R_alloc(n + 1, sizeof(char*)));
  for (R_xlen_t i = 0; i < n; ++i) {
    argument_names[i] = CHAR(STRING_ELT(names, i));
    values[i] = to_natural_value(VECTOR_ELT(inputs, i), argument_names[i], keeper);
  }
  SEXP kept = PROTECT(Rf_allocVector(VECSXP, 1));
  SEXP cell = PROTECT(new_cell(Kind::callable));
  Keeper results;
  Traced context{func, nullptr, 0, nullptr, &results, &kept};
  ts_callable* out;
  check(shim().ts_trace(call_traced, &context, values, argument_names, static_cast<size_t>(n),
                        module == R_NilValue ? nullptr : module_of(module), CHAR(STRING_ELT(method, 0)),
                        Rf_asLogical(strict) == TRUE, &out));
  set_handle(cell, out);
  UNPROTECT(2);
  keeper.release();
  vmaxset(memory);
  return cell;
}

// .External2(C_call, handle, ...): a TorchScript function or method. Arguments by position, or by name.
SEXP callable_external(SEXP, SEXP, SEXP args, SEXP) {
  const void* memory = vmaxget();
  args = CDR(args);
  ts_callable* callable = callable_of(CAR(args));
  const ts_schema& schema = *shim().ts_callable_schema(callable);
  const size_t n = schema.n_arguments;
  auto* arguments = reinterpret_cast<ts_value*>(R_alloc(n + 1, sizeof(ts_value)));
  auto* sources = reinterpret_cast<SEXP*>(R_alloc(n + 1, sizeof(SEXP)));
  if (!bind_arguments(schema, CDR(args), sources))
    fail("type_error", "The arguments do not match the function's: %s.", schema.text);

  Keeper keeper;
  for (size_t i = 0; i < n; ++i) {
    const ts_argument& argument = schema.arguments[i];
    if (sources[i]) {
      if (argument.type->kind == TS_KIND_TENSOR && !is_tensor(sources[i]))
        fail("type_error", "`%s` must be a tensor, not %s. Use `torch_tensor()` to make one. The function is %s.",
             argument.name, friendly(sources[i]), schema.text);
      if (cost(sources[i], *argument.type) < 0)
        fail("type_error", "`%s` must be %s, not %s. The function is %s.", argument.name, argument.type->text,
             friendly(sources[i]), schema.text);
      arguments[i] = to_value(sources[i], *argument.type, kPlain, argument.name, keeper);
    } else if (argument.has_default) {
      arguments[i].tag = TS_DEFAULT;
    } else {
      fail("type_error", "Argument `%s` is missing. The function is %s.", argument.name, schema.text);
    }
  }
  const bool makes_tensor = schema.n_returns == 1 && schema.returns[0].type->kind == TS_KIND_TENSOR;
  SEXP result = PROTECT(run_callable(callable, arguments, n, sources, 0, makes_tensor));
  UNPROTECT(1);
  keeper.release();
  vmaxset(memory);
  return result;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_callable_schema(SEXP callable) {
  return Rf_mkString(shim().ts_callable_schema(callable_of(callable))->text);
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_callable_argument_names(SEXP callable) {
  const ts_schema& schema = *shim().ts_callable_schema(callable_of(callable));
  SEXP out = PROTECT(Rf_allocVector(STRSXP, static_cast<R_xlen_t>(schema.n_arguments)));
  for (size_t i = 0; i < schema.n_arguments; ++i)
    SET_STRING_ELT(out, static_cast<R_xlen_t>(i), Rf_mkChar(schema.arguments[i].name));
  UNPROTECT(1);
  return out;
}

// The first return type and argument types as TorchScript writes them; the return first.
// [[Rcpp::export(rng = false)]]
SEXP cpp_callable_types(SEXP callable) {
  const ts_schema& schema = *shim().ts_callable_schema(callable_of(callable));
  SEXP out = PROTECT(Rf_allocVector(STRSXP, static_cast<R_xlen_t>(schema.n_arguments) + 1));
  SET_STRING_ELT(out, 0, Rf_mkChar(schema.n_returns ? schema.returns[0].type->text : "NoneType"));
  for (size_t i = 0; i < schema.n_arguments; ++i)
    SET_STRING_ELT(out, static_cast<R_xlen_t>(i) + 1, Rf_mkChar(schema.arguments[i].type->text));
  UNPROTECT(1);
  return out;
}

// which: 0 the graph, 1 inlined, 2 the plan that ran last, 3 code.
// [[Rcpp::export(rng = false)]]
SEXP cpp_callable_text(SEXP callable, SEXP which) {
  ts_value out;
  ts_arena* arena = nullptr;
  check(shim().ts_callable_text(callable_of(callable), Rf_asInteger(which), &out, &arena));
  return finish(&out, arena);
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_profiled_runs() {
  int n;
  check(shim().ts_profiled_runs(&n));
  return Rf_ScalarInteger(n);
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_unit_compile(SEXP source) {
  SEXP cell = PROTECT(new_cell(Kind::unit));
  ts_unit* unit;
  check(shim().ts_unit_compile(Rf_translateCharUTF8(STRING_ELT(source, 0)), &unit));
  set_handle(cell, unit);
  UNPROTECT(1);
  return cell;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_unit_functions(SEXP unit) {
  ts_value out;
  ts_arena* arena = nullptr;
  check(shim().ts_unit_functions(static_cast<ts_unit*>(handle_of(unit, Kind::unit, "unit")), &out, &arena));
  return finish(&out, arena);
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_unit_function(SEXP unit, SEXP name) {
  SEXP cell = PROTECT(new_cell(Kind::callable));
  ts_callable* callable;
  check(shim().ts_unit_function(static_cast<ts_unit*>(handle_of(unit, Kind::unit, "unit")), CHAR(STRING_ELT(name, 0)),
                                &callable));
  set_handle(cell, callable);
  UNPROTECT(1);
  return cell;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_new(SEXP name, SEXP unit_of) {
  SEXP cell = PROTECT(new_cell(Kind::module));
  ts_module* module;
  check(shim().ts_module_new(CHAR(STRING_ELT(name, 0)), unit_of == R_NilValue ? nullptr : module_of(unit_of), &module));
  set_handle(cell, module);
  UNPROTECT(1);
  return cell;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_register(SEXP module, SEXP name, SEXP tensor, SEXP is_buffer) {
  check(shim().ts_module_register(module_of(module), CHAR(STRING_ELT(name, 0)),
                                  tensor == R_NilValue ? nullptr : tensor_of(tensor, "tensor"),
                                  Rf_asLogical(is_buffer) == TRUE));
  return R_NilValue;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_add_child(SEXP module, SEXP name, SEXP child) {
  check(shim().ts_module_add_child(module_of(module), CHAR(STRING_ELT(name, 0)), module_of(child, "child")));
  return R_NilValue;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_set_attribute(SEXP module, SEXP name, SEXP value) {
  const void* memory = vmaxget();
  Keeper keeper;
  const ts_value attribute = to_natural_value(value, CHAR(STRING_ELT(name, 0)), keeper);
  check(shim().ts_module_set_attribute(module_of(module), CHAR(STRING_ELT(name, 0)), &attribute));
  keeper.release();
  vmaxset(memory);
  return R_NilValue;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_attribute(SEXP module, SEXP name) {
  ts_value out;
  ts_arena* arena = nullptr;
  check(shim().ts_module_attribute(module_of(module), CHAR(STRING_ELT(name, 0)), &out, &arena));
  return finish(&out, arena);
}

// what: 0 parameters, 1 buffers, 2 children, 3 methods, 4 other attributes.
// [[Rcpp::export(rng = false)]]
SEXP cpp_module_list(SEXP module, SEXP what, SEXP recursive) {
  ts_value out;
  ts_arena* arena = nullptr;
  check(shim().ts_module_list(module_of(module), Rf_asInteger(what), Rf_asLogical(recursive) == TRUE, &out, &arena));
  return finish(&out, arena);
}

// NULL if there is none of that name.
// [[Rcpp::export(rng = false)]]
SEXP cpp_module_method(SEXP module, SEXP name) {
  SEXP cell = PROTECT(new_cell(Kind::callable));
  ts_callable* callable;
  check(shim().ts_module_method(module_of(module), CHAR(STRING_ELT(name, 0)), &callable));
  set_handle(cell, callable);
  UNPROTECT(1);
  return callable ? cell : R_NilValue;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_define(SEXP module, SEXP source) {
  check(shim().ts_module_define(module_of(module), Rf_translateCharUTF8(STRING_ELT(source, 0))));
  return R_NilValue;
}

// set: TRUE, FALSE, or NULL to ask only. Gives what it was.
// [[Rcpp::export(rng = false)]]
SEXP cpp_module_train(SEXP module, SEXP set) {
  int was;
  check(shim().ts_module_train(module_of(module), set == R_NilValue ? -1 : Rf_asLogical(set) == TRUE, &was));
  return Rf_ScalarLogical(was);
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_type_name(SEXP module) {
  ts_value out;
  ts_arena* arena = nullptr;
  check(shim().ts_module_type_name(module_of(module), &out, &arena));
  return finish(&out, arena);
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_from_function(SEXP callable) {
  SEXP cell = PROTECT(new_cell(Kind::module));
  ts_module* module;
  check(shim().ts_module_from_function(callable_of(callable), &module));
  set_handle(cell, module);
  UNPROTECT(1);
  return cell;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_save(SEXP module, SEXP path, SEXP mobile) {
  check(shim().ts_module_save(module_of(module), Rf_translateCharUTF8(STRING_ELT(path, 0)), Rf_asLogical(mobile) == TRUE));
  return R_NilValue;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_load(SEXP path, SEXP device) {
  SEXP cell = PROTECT(new_cell(Kind::module));
  ts_module* module;
  check(shim().ts_module_load(Rf_translateCharUTF8(STRING_ELT(path, 0)), optional_text(device), &module));
  set_handle(cell, module);
  UNPROTECT(1);
  return cell;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_serialize(SEXP module) {
  ts_value out;
  ts_arena* arena = nullptr;
  check(shim().ts_module_serialize(module_of(module), &out, &arena));
  SEXP bytes = PROTECT(Rf_allocVector(RAWSXP, out.len));
  std::memcpy(RAW(bytes), out.as.s, static_cast<size_t>(out.len));
  shim().ts_arena_release(arena);
  UNPROTECT(1);
  return bytes;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_unserialize(SEXP bytes, SEXP device) {
  SEXP cell = PROTECT(new_cell(Kind::module));
  ts_module* module;
  check(shim().ts_module_unserialize(RAW(bytes), static_cast<size_t>(XLENGTH(bytes)), optional_text(device), &module));
  set_handle(cell, module);
  UNPROTECT(1);
  return cell;
}
