// Script modules.
#include <cstdio>

#include "jit.h"
#include "resolve.h"

namespace {

// The UTF-8 text of a string. It lies in R_alloc() memory if it had to be translated.
const char* utf8(SEXP string) { return Rf_translateCharUTF8(STRING_ELT(string, 0)); }

// The texts of a character vector that is in UTF-8.
const char** texts(SEXP strings) {
  const R_xlen_t n = Rf_xlength(strings);
  auto** out = reinterpret_cast<const char**>(R_alloc(static_cast<size_t>(n) + 1, sizeof(char*)));
  for (R_xlen_t i = 0; i < n; ++i) out[i] = CHAR(STRING_ELT(strings, i));
  return out;
}

}  // namespace

// `names` must be in UTF-8.
// [[Rcpp::export(rng = false)]]
SEXP cpp_identifiers(SEXP names) {
  const void* memory = vmaxget();
  const char** given = texts(names);
  SEXP out = answered([&](ts_value* value, ts_arena** arena) {
    return shim().ts_identifiers(given, static_cast<size_t>(Rf_xlength(names)), value, arena);
  });
  vmaxset(memory);
  return out;
}

// `names` must be in UTF-8.
// [[Rcpp::export(rng = false)]]
SEXP cpp_module_set_arguments(SEXP module, SEXP method, SEXP names) {
  const void* memory = vmaxget();
  const char** given = texts(names);
  const char* of = utf8(method);
  operate([&] {
    return shim().ts_module_set_arguments(module_of(module), of, given, static_cast<size_t>(Rf_xlength(names)));
  });
  vmaxset(memory);
  return R_NilValue;
}

// `names` must be in UTF-8.
// [[Rcpp::export(rng = false)]]
SEXP cpp_module_set_constants(SEXP module, SEXP names) {
  const void* memory = vmaxget();
  const char** given = texts(names);
  operate([&] {
    return shim().ts_module_set_constants(module_of(module), given, static_cast<size_t>(Rf_xlength(names)));
  });
  vmaxset(memory);
  return R_NilValue;
}

// The names of the arguments of a method in R; NULL if they are those of its schema.
// [[Rcpp::export(rng = false)]]
SEXP cpp_module_arguments(SEXP module, SEXP method) {
  const char* of = utf8(method);
  return answered([&](ts_value* out, ts_arena** arena) {
    return shim().ts_module_arguments(module_of(module), of, out, arena);
  });
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_refer(SEXP module, SEXP path, SEXP tensor) {
  const char* name = utf8(path);
  ts_tensor* handle = tensor_of(tensor, "tensor");
  operate([&] { return shim().ts_module_refer(module_of(module), name, handle); });
  return R_NilValue;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_new(SEXP name, SEXP unit_of) {
  return asked<ts_module>(Kind::module, [&](ts_module** out) {
    return shim().ts_module_new(utf8(name), unit_of == R_NilValue ? nullptr : module_of(unit_of), out);
  });
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_register(SEXP module, SEXP name, SEXP tensor, SEXP is_buffer) {
  operate([&] { return shim().ts_module_register(module_of(module), utf8(name), tensor == R_NilValue ? nullptr : tensor_of(tensor, "tensor"), Rf_asLogical(is_buffer) == TRUE); });
  return R_NilValue;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_add_child(SEXP module, SEXP name, SEXP child) {
  operate([&] { return shim().ts_module_add_child(module_of(module), utf8(name), module_of(child, "child")); });
  return R_NilValue;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_set_attribute(SEXP module, SEXP name, SEXP value) {
  const void* memory = vmaxget();
  Keeper keeper;
  const ts_value attribute = to_natural_value(value, utf8(name), keeper);
  operate([&] { return shim().ts_module_set_attribute(module_of(module), utf8(name), &attribute); });
  keeper.release();
  vmaxset(memory);
  return R_NilValue;
}

// The attribute or constant of that name; NULL if there is none.
// [[Rcpp::export(rng = false)]]
SEXP cpp_module_get(SEXP module, SEXP name) {
  return answered(
      [&](ts_value* out, ts_arena** arena) {
        return shim().ts_module_get(module_of(module), utf8(name), out, arena);
      });
}

// `part` is one of `module_parts`.
// [[Rcpp::export(rng = false)]]
SEXP cpp_module_list(SEXP module, SEXP part, SEXP recursive) {
  return answered(
      [&](ts_value* out, ts_arena** arena) {
        return shim().ts_module_list(module_of(module), Rf_asInteger(part), Rf_asLogical(recursive) == TRUE, out, arena);
      });
}

// The method of that name; NULL if there is none.
// [[Rcpp::export(rng = false)]]
SEXP cpp_module_method(SEXP module, SEXP name) {
  return asked<ts_callable>(Kind::callable, [&](ts_callable** out) {
    return shim().ts_module_method(module_of(module), utf8(name), out);
  });
}

// `file` and `line` tell where the source begins, for messages.
// [[Rcpp::export(rng = false)]]
SEXP cpp_module_define(SEXP module, SEXP source, SEXP file = R_NilValue, int line = 1) {
  operate([&] { return shim().ts_module_define(module_of(module), Rf_translateCharUTF8(STRING_ELT(source, 0)), file == R_NilValue ? "<source>" : Rf_translateCharUTF8(STRING_ELT(file, 0)), line); });
  return R_NilValue;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_add_choice(SEXP module, SEXP name, SEXP when_training, SEXP otherwise) {
  operate([&] { return shim().ts_module_add_choice(module_of(module), utf8(name), utf8(when_training), utf8(otherwise)); });
  return R_NilValue;
}

// `set` is TRUE, FALSE, or NULL to ask only. Returns what the mode was.
// [[Rcpp::export(rng = false)]]
SEXP cpp_module_train(SEXP module, SEXP set) {
  int was;
  operate([&] { return shim().ts_module_train(module_of(module), set == R_NilValue ? -1 : Rf_asLogical(set) == TRUE, &was); });
  return Rf_ScalarLogical(was);
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_identity(SEXP module) {
  char text[32];
  std::snprintf(text, sizeof text, "%p", shim().ts_module_identity(module_of(module)));
  return Rf_mkString(text);
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_clone(SEXP module) {
  return asked<ts_module>(Kind::module, [&](ts_module** out) { return shim().ts_module_clone(module_of(module), out); });
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_module_type_name(SEXP module) {
  return answered(
      [&](ts_value* out, ts_arena** arena) {
        return shim().ts_module_type_name(module_of(module), out, arena);
      });
}

// The number of the method (of a list of callables) that the arguments fit best, counted from 1; 0 if they fit none.
// [[Rcpp::export(rng = false)]]
SEXP cpp_choose_method(SEXP methods, SEXP arguments) {
  const void* memory = vmaxget();
  SEXP given = PROTECT(Rf_VectorToPairList(arguments));
  int best = 0, least = 0;
  for (R_xlen_t i = 0; i < XLENGTH(methods); ++i) {
    const ts_schema& schema = *shim().ts_callable_schema(callable_of(VECTOR_ELT(methods, i)));
    auto* values = reinterpret_cast<SEXP*>(R_alloc(schema.n_arguments + 1, sizeof(SEXP)));
    SEXP wrong;
    bool fits = bind_arguments(schema, given, values, &wrong);
    int total = 0;
    for (size_t k = 0; k < schema.n_arguments && fits; ++k) {
      const ts_argument& argument = schema.arguments[k];
      const int one = values[k] ? cost(values[k], *argument.type, kStrict) : argument.has_default ? 0 : -1;
      fits = one >= 0;
      total += one;
    }
    if (fits && (best == 0 || total < least)) {
      best = static_cast<int>(i) + 1;
      least = total;
    }
  }
  UNPROTECT(1);
  vmaxset(memory);
  return Rf_ScalarInteger(best);
}
