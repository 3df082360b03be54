// Script functions and methods: calling them, and what their schemas say.
#include "jit.h"
#include "memory.h"
#include "op.h"
#include "resolve.h"

#include <cstdio>
#include <cstring>

namespace {

// The names of the arguments in R, where some are no identifiers of Python; NULL: they are those of the schema.
SEXP names_in_r(SEXP callable, size_t n) {
  static SEXP r_names = Rf_install("r_names");
  SEXP names = Rf_getAttrib(callable, r_names);
  const bool fits = TYPEOF(names) == STRSXP && static_cast<size_t>(XLENGTH(names)) == n;
  return fits ? names : R_NilValue;
}

// Fails with a message that ends with the function as R writes it.
[[noreturn]] void fail_call(SEXP callable, const char* problem) {
  SEXP signature = PROTECT(call_package("signature_in_message", callable));
  fail("type_error", "%s\nThe function is %s.", problem, CHAR(STRING_ELT(signature, 0)));
}

[[noreturn]] void fail_binding(SEXP callable, const ts_schema& schema, SEXP given, SEXP wrong) {
  char problem[300];
  if (TAG(wrong) == R_NilValue) {
    std::snprintf(problem, sizeof problem, "The function takes %zu argument%s, not %d.", schema.n_arguments,
                  schema.n_arguments == 1 ? "" : "s", Rf_length(given));
  } else {
    const char* name = CHAR(PRINTNAME(TAG(wrong)));
    bool known = false;
    for (size_t i = 0; i < schema.n_arguments; ++i) known = known || std::strcmp(schema.arguments[i].name, name) == 0;
    std::snprintf(problem, sizeof problem, known ? "`%s` is given twice." : "`%s` is no argument of the function.", name);
  }
  fail_call(callable, problem);
}

SEXP call_with(SEXP handle, SEXP given) {
  const void* memory = vmaxget();
  ts_callable* callable = callable_of(handle);
  const ts_schema& schema = *shim().ts_callable_schema(callable);
  const size_t n = schema.n_arguments;
  auto* arguments = reinterpret_cast<ts_value*>(R_alloc(n + 1, sizeof(ts_value) + sizeof(SEXP)));
  auto* sources = reinterpret_cast<SEXP*>(arguments + n + 1);
  SEXP wrong;
  if (!bind_arguments(schema, given, sources, &wrong, names_in_r(handle, n))) fail_binding(handle, schema, given, wrong);

  Keeper keeper;
  Misfit why;
  for (size_t i = 0; i < n; ++i) {
    const ts_argument& argument = schema.arguments[i];
    if (sources[i]) {
      if (!read_value(sources[i], *argument.type, kStrict, argument.name, keeper, &arguments[i], &why))
        fail_call(handle, misfit_message(why, argument.name));
    } else if (argument.has_default) {
      arguments[i].tag = TS_DEFAULT;
    } else {
      char problem[300];
      std::snprintf(problem, sizeof problem, "Argument `%s` is missing.", argument.name);
      fail_call(handle, problem);
    }
  }
  const bool makes_tensor = schema.n_returns == 1 && schema.returns[0].type->kind == TS_KIND_TENSOR;
  SEXP result = PROTECT(run_callable(callable, arguments, n, sources, 0, makes_tensor, Repeat::no, Int64::ask));
  show_printed();
  UNPROTECT(1);
  keeper.release();
  vmaxset(memory);
  return result;
}

}  // namespace

// .External2(C_call, handle, ...): calls a TorchScript function or method with arguments by position or by name.
SEXP callable_external(SEXP, SEXP, SEXP args, SEXP) { return call_with(CADR(args), CDDR(args)); }

// .External2(C_call_watched, handle, watched, attached, tell, ...): the same, after a look at what the program found outside
// of itself. `tell` is called with what may be another value now.
SEXP watched_external(SEXP, SEXP, SEXP args, SEXP) {
  SEXP handle = CADR(args), watched = CADDR(args), attached = CADDDR(args);
  args = CDR(CDDDR(args));
  SEXP suspects = C_script_suspects(watched, attached);
  if (suspects != R_NilValue) {
    SEXP call = PROTECT(Rf_lang2(CAR(args), PROTECT(suspects)));
    Rf_eval(call, R_BaseEnv);
    UNPROTECT(2);
  }
  return call_with(handle, CDR(args));
}

namespace {

// Returns list(name =, overload =, arguments =, types =, defaults =, keyword_only =, returns =). A default is a list of
// one value, or NULL if there is none.
SEXP signature_sexp(const ts_callable* callable) {
  const ts_schema& schema = *shim().ts_callable_schema(callable);
  const char* fields[] = {"name", "overload", "arguments", "types", "defaults", "keyword_only", "returns", ""};
  const auto n = static_cast<R_xlen_t>(schema.n_arguments);
  SEXP out = PROTECT(Rf_mkNamed(VECSXP, fields));
  SET_VECTOR_ELT(out, 0, Rf_mkString(schema.name));
  SET_VECTOR_ELT(out, 1, Rf_mkString(schema.overload));
  SEXP names = SET_VECTOR_ELT(out, 2, Rf_allocVector(STRSXP, n));
  SEXP types = SET_VECTOR_ELT(out, 3, Rf_allocVector(STRSXP, n));
  SEXP defaults = SET_VECTOR_ELT(out, 4, Rf_allocVector(VECSXP, n));
  SEXP keyword_only = SET_VECTOR_ELT(out, 5, Rf_allocVector(LGLSXP, n));
  for (R_xlen_t i = 0; i < n; ++i) {
    const ts_argument& argument = schema.arguments[i];
    SET_STRING_ELT(names, i, Rf_mkCharCE(argument.name, CE_UTF8));
    SET_STRING_ELT(types, i, Rf_mkCharCE(type_text(*argument.type), CE_UTF8));
    LOGICAL(keyword_only)[i] = argument.keyword_only;
    if (!argument.has_default) continue;
    SEXP one = SET_VECTOR_ELT(defaults, i, Rf_allocVector(VECSXP, 1));
    SET_VECTOR_ELT(one, 0, answered([&](ts_value* value, ts_arena** arena) {
      return shim().ts_callable_default(callable, static_cast<size_t>(i), value, arena);
    }));
  }
  SEXP returns = SET_VECTOR_ELT(out, 6, Rf_allocVector(STRSXP, static_cast<R_xlen_t>(schema.n_returns)));
  for (size_t i = 0; i < schema.n_returns; ++i)
    SET_STRING_ELT(returns, static_cast<R_xlen_t>(i), Rf_mkCharCE(type_text(*schema.returns[i].type), CE_UTF8));
  UNPROTECT(1);
  return out;
}

}  // namespace

// [[Rcpp::export(rng = false)]]
SEXP cpp_callable_signature(SEXP callable) {
  const void* memory = vmaxget();
  SEXP out = signature_sexp(callable_of(callable));
  vmaxset(memory);
  return out;
}

// The signatures of all overloads of an operator "ns::op", in the order of their rank.
// [[Rcpp::export(rng = false)]]
SEXP cpp_op_signatures(SEXP key) {
  const void* memory = vmaxget();
  const Op& op = op_record(STRING_ELT(key, 0));
  SEXP out = PROTECT(Rf_allocVector(VECSXP, op.n_candidates));
  for (int i = 0; i < op.n_candidates; ++i) SET_VECTOR_ELT(out, i, signature_sexp(op.candidates[i].callable));
  UNPROTECT(1);
  vmaxset(memory);
  return out;
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

// The types of the first result and of the arguments, as TorchScript writes them.
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
