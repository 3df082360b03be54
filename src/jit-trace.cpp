// Tracing: LibTorch records while an R function runs on its values.
#include "trace.h"

#include "host.h"
#include "jit.h"
#include "jump.h"

int tracing = 0;
bool warnings_wait = false;

namespace {

struct Traced {
  SEXP function;
  SEXP kept;  // a list that keeps the value of the function alive
};

// The shim calls this on R's main thread while LibTorch's tracer runs.
int call_traced(void* context, const ts_value* arguments, size_t n, ts_value* result) {
  const auto* it = static_cast<Traced*>(context);
  SEXP value;
  ++tracing;
  const int status = call_function(it->function, arguments, n, result, &value);
  --tracing;
  if (status == TS_OK) SET_VECTOR_ELT(it->kept, 0, value);
  return status;
}

// The inputs of a trace for the shim, in R_alloc() memory.
struct Inputs {
  Inputs(SEXP inputs, SEXP names, Keeper& keeper) : n(Rf_xlength(inputs)) {
    values = reinterpret_cast<ts_value*>(R_alloc(n + 1, sizeof(ts_value)));
    identifiers = reinterpret_cast<const char**>(R_alloc(n + 1, sizeof(char*)));
    for (R_xlen_t i = 0; i < n; ++i) {
      identifiers[i] = CHAR(STRING_ELT(names, i));
      values[i] = to_natural_value(VECTOR_ELT(inputs, i), identifiers[i], keeper);
    }
  }
  R_xlen_t n;
  ts_value* values;
  const char** identifiers;
};

ts_module* optional_module(SEXP module) { return module == R_NilValue ? nullptr : module_of(module); }

ts_state* state_of(SEXP x) { return static_cast<ts_state*>(handle_of(x, Kind::state, "state")); }

}  // namespace

void mark_place(SEXP frame) {
  if (tracing == 0 || (frame && !warnings_wait && mark_known_place(frame))) return;
  warnings_wait = false;
  call_package("trace_place", R_NilValue);
}

void leaves_trace(SEXP tensor) {
  if (tracing > 0 && shim().ts_trace_knows(tensor_of(tensor))) call_package("trace_leaves", R_NilValue);
}

// `func` takes one list of arguments. `module` is a handle or NULL. Returns a callable and the value of `func`.
// [[Rcpp::export(rng = false)]]
SEXP cpp_trace(SEXP func, SEXP inputs, SEXP names, SEXP module, SEXP method) {
  const void* memory = vmaxget();
  Keeper keeper;
  const Inputs it(inputs, names, keeper);
  SEXP out = PROTECT(Rf_allocVector(VECSXP, 2)), kept = PROTECT(Rf_allocVector(VECSXP, 1));
  Traced context{func, kept};
  SET_VECTOR_ELT(out, 0, asked<ts_callable>(Kind::callable, [&](ts_callable** callable) {
    return shim().ts_trace(call_traced, &context, it.values, it.identifiers, static_cast<size_t>(it.n),
                           optional_module(module), Rf_translateCharUTF8(STRING_ELT(method, 0)), callable);
  }));
  SET_VECTOR_ELT(out, 1, VECTOR_ELT(kept, 0));
  UNPROTECT(2);
  keeper.release();
  vmaxset(memory);
  return out;
}

// The first node in which another trace differs from `callable`: its operator, place and text; NULL if there is none.
// [[Rcpp::export(rng = false)]]
SEXP cpp_trace_difference(SEXP callable, SEXP func, SEXP inputs, SEXP names, SEXP module, SEXP state, SEXP tolerance) {
  const void* memory = vmaxget();
  Keeper keeper;
  const Inputs it(inputs, names, keeper);
  SEXP kept = PROTECT(Rf_allocVector(VECSXP, 1));
  Traced context{func, kept};
  SEXP difference = answered([&](ts_value* out, ts_arena** arena) {
    return shim().ts_trace_difference(callable_of(callable), call_traced, &context, it.values, it.identifiers,
                                      static_cast<size_t>(it.n), optional_module(module), state_of(state),
                                      REAL(tolerance)[0], REAL(tolerance)[1], out, arena);
  });
  UNPROTECT(1);
  keeper.release();
  vmaxset(memory);
  return difference;
}

// The warnings of LibTorch's own tracer.
// [[Rcpp::export(rng = false)]]
SEXP cpp_trace_warnings() {
  return answered([&](ts_value* out, ts_arena** arena) { return shim().ts_trace_warnings(out, arena); });
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_trace_source(SEXP name, SEXP text, SEXP first_line) {
  int source;
  check(shim().ts_trace_source(Rf_translateCharUTF8(STRING_ELT(name, 0)), Rf_translateCharUTF8(STRING_ELT(text, 0)),
                               Rf_asInteger(first_line), &source));
  return Rf_ScalarInteger(source);
}

// Sets the running trace aside. Returns what cpp_trace_resume() needs to go on with it.
// [[Rcpp::export(rng = false)]]
SEXP cpp_trace_suspend() {
  SEXP depth = PROTECT(Rf_ScalarInteger(tracing));
  check(shim().ts_trace_suspend(1));
  tracing = 0;
  UNPROTECT(1);
  return depth;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_trace_resume(SEXP depth) {
  tracing = INTEGER(depth)[0];
  check(shim().ts_trace_suspend(0));
  return R_NilValue;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_is_tracing() { return Rf_ScalarLogical(tracing > 0); }

// Runs a traced program on example inputs by the interpreter alone, without the executor.
// [[Rcpp::export(rng = false)]]
SEXP cpp_callable_interpret(SEXP callable, SEXP inputs, SEXP names) {
  const void* memory = vmaxget();
  Keeper keeper;
  const Inputs it(inputs, names, keeper);
  SEXP result = answered([&](ts_value* out, ts_arena** arena) {
    return shim().ts_callable_interpret(callable_of(callable), it.values, static_cast<size_t>(it.n), out, arena);
  });
  keeper.release();
  vmaxset(memory);
  return result;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_callable_is_random(SEXP callable) {
  int random;
  check(shim().ts_callable_is_random(callable_of(callable), &random));
  return Rf_ScalarLogical(random);
}

// Keeps the values and gradients of the tensors in a list, and torch's random states.
// [[Rcpp::export(rng = false)]]
SEXP cpp_state_save(SEXP tensors) {
  const void* memory = vmaxget();
  size_t n;
  ts_tensor** handles = tensors_of(tensors, "tensors", &n);
  SEXP state = asked<ts_state>(Kind::state, [&](ts_state** out) { return shim().ts_state_save(handles, n, out); });
  vmaxset(memory);
  return state;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_state_restore(SEXP state) {
  operate([&] { return shim().ts_state_restore(state_of(state)); });
  return R_NilValue;
}
