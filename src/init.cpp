// Entries that Rcpp can't register. .External2() hands a function its frame, and takes calls of any length without a
// list. All others are registered in RcppExports.cpp, also the C_ entries, which R code calls without a wrapper.
#include "r.h"

SEXP op_external(SEXP call, SEXP op, SEXP args, SEXP frame);
SEXP method_external(SEXP call, SEXP op, SEXP args, SEXP frame);
SEXP create_external(SEXP call, SEXP op, SEXP args, SEXP frame);
SEXP reduce_external(SEXP call, SEXP op, SEXP args, SEXP frame);
SEXP index_external(SEXP call, SEXP op, SEXP args, SEXP frame);
SEXP assign_external(SEXP call, SEXP op, SEXP args, SEXP frame);
SEXP callable_external(SEXP call, SEXP op, SEXP args, SEXP frame);
SEXP watched_external(SEXP call, SEXP op, SEXP args, SEXP frame);
void register_size_class(DllInfo* dll);
void register_serial_class(DllInfo* dll);
SEXP call_op_external(SEXP call, SEXP op, SEXP args, SEXP frame);

namespace {
DL_FUNC entry(SEXP (*function)(SEXP, SEXP, SEXP, SEXP)) { return reinterpret_cast<DL_FUNC>(function); }
}  // namespace

// [[Rcpp::init]]
void register_externals(DllInfo* dll) {
  static const R_ExternalMethodDef externals[] = {{"C_op", entry(op_external), -1},
                                                  {"C_method", entry(method_external), -1},
                                                  {"C_create", entry(create_external), -1},
                                                  {"C_reduce", entry(reduce_external), -1},
                                                  {"C_index", entry(index_external), -1},
                                                  {"C_assign", entry(assign_external), -1},
                                                  {"C_call", entry(callable_external), -1},
                                                  {"C_call_watched", entry(watched_external), -1},
                                                  {"C_call_op", entry(call_op_external), -1},
                                                  {nullptr, nullptr, 0}};
  register_size_class(dll);
  register_serial_class(dll);
  R_registerRoutines(dll, nullptr, nullptr, nullptr, externals);
  R_useDynamicSymbols(dll, FALSE);
}
