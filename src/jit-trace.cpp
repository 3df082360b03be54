// Tracing: R functions run on LibTorch's values while LibTorch records.
#include "jit.h"
#include "jump.h"

namespace {

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
