// Script functions and methods: the call, and what their schema says.
#include "jit.h"
#include "memory.h"
#include "op.h"
#include "resolve.h"

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
  show_printed();
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
