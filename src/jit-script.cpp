// Translates R code for the shim: the tree of a function with the places of its parts, and what its names mean outside
// of it.
#include <cmath>
#include <cstring>
#include <utility>
#include <vector>

#include "jit.h"
#include "op.h"
#include "values.h"

namespace {

template <class T>
T* allocate(size_t n) {
  return reinterpret_cast<T*>(R_alloc(n + 1, sizeof(T)));
}

const char* text_in(SEXP list, const char* name) {
  SEXP x = element_of(list, name);
  return x == R_NilValue ? nullptr : Rf_translateCharUTF8(STRING_ELT(x, 0));
}

// The places of expressions in a text, as R's parser notes them: rows in the order of the text, each with the number of
// the row of the expression around it.
class Places {
 public:
  Places(const char* text, SEXP rows) : text_(text) {
    begin_ = element_of(rows, "begin");
    end_ = element_of(rows, "end");
    SEXP parent = element_of(rows, "parent");
    n_ = Rf_xlength(parent);
    first_ = allocate<int>(n_ + 1);
    next_ = allocate<int>(n_ + 1);
    for (int i = 0; i <= n_; ++i) first_[i] = next_[i] = -1;
    // From the last row to the first, so that each row is linked before those that follow it.
    for (int i = n_ - 1; i >= 0; --i) {
      const int of = INTEGER(parent)[i];
      next_[i] = first_[of];
      first_[of] = i;
    }
  }
  // The row of the whole text; -1 if the parser kept no notes.
  int root() const { return n_ ? first_[n_] : -1; }
  int first(int row) const { return row < 0 ? -1 : first_[row]; }
  int next(int row) const { return next_[row]; }
  int count(int row) const {
    int n = 0;
    for (int at = first(row); at >= 0; at = next_[at]) ++n;
    return n;
  }
  void set(int row, ts_code* code) const {
    code->begin = row < 0 ? 0 : static_cast<size_t>(INTEGER(begin_)[row]);
    code->end = row < 0 ? std::strlen(text_) : static_cast<size_t>(INTEGER(end_)[row]);
  }

 private:
  const char* text_;
  SEXP begin_, end_;
  int n_;
  int *first_, *next_;
};

const char* what_is(SEXP x) {
  switch (TYPEOF(x)) {
    case CPLXSXP: return "a complex number";
    case STRSXP: return "a vector that was put into the code";
    case CLOSXP:
    case SPECIALSXP:
    case BUILTINSXP: return "a function that was put into the code";
    default: return "an R object that was put into the code";
  }
}

void read_code(SEXP x, int row, const Places& places, ts_code* code);

// Reads the parts of a call with their rows. `x + y` has no row for `+`, but `f(x)` has one for `f`.
void read_call(SEXP x, int row, const Places& places, ts_code* code) {
  static SEXP function_symbol = Rf_install("function"), for_symbol = Rf_install("for"), dollar = Rf_install("$"),
              at_symbol = Rf_install("@");
  SEXP head = CAR(x);
  if (head == function_symbol) {
    SEXP formals = CADR(x);
    const R_xlen_t n = Rf_xlength(formals);
    auto* items = allocate<ts_code>(n + 1);
    auto** names = allocate<const char*>(n + 1);
    int at = places.first(row);
    R_xlen_t i = 0;
    for (SEXP formal = formals; formal != R_NilValue; formal = CDR(formal), ++i) {
      names[i] = Rf_translateCharUTF8(PRINTNAME(TAG(formal)));
      const bool given = CAR(formal) != R_MissingArg;
      read_code(CAR(formal), given && at >= 0 ? at : row, places, items + i);
      if (given && at >= 0) at = places.next(at);
    }
    names[n] = nullptr;
    read_code(CADDR(x), at >= 0 ? at : row, places, items + n);
    code->kind = TS_CODE_FUNCTION;
    code->n = static_cast<size_t>(n) + 1;
    code->items = items;
    code->names = names;
    return;
  }
  const R_xlen_t n = Rf_xlength(x);
  auto* items = allocate<ts_code>(n);
  auto** names = allocate<const char*>(n);
  const auto is_seen = [&](SEXP part, R_xlen_t i) {
    if (part == R_MissingArg) return false;
    if (head == for_symbol && i == 1) return false;
    return !((head == dollar || head == at_symbol) && i == 2);
  };
  R_xlen_t seen = 0, i = 0;
  for (SEXP part = x; part != R_NilValue; part = CDR(part), ++i) seen += i > 0 && is_seen(CAR(part), i);
  const int rows = places.count(row);
  int at = rows == seen || rows == seen + 1 ? places.first(row) : -1;
  const bool has_head = rows == seen + 1;
  i = 0;
  for (SEXP part = x; part != R_NilValue; part = CDR(part), ++i) {
    names[i] = i > 0 && TAG(part) != R_NilValue ? Rf_translateCharUTF8(PRINTNAME(TAG(part))) : nullptr;
    const bool own = at >= 0 && (i == 0 ? has_head : is_seen(CAR(part), i));
    read_code(CAR(part), own ? at : row, places, items + i);
    if (own) at = places.next(at);
  }
  code->kind = TS_CODE_CALL;
  code->n = static_cast<size_t>(n);
  code->items = items;
  code->names = names;
}

void read_code(SEXP x, int row, const Places& places, ts_code* code) {
  *code = ts_code{};
  places.set(row, code);
  R_CheckStack();
  const auto constant = [&](ts_code_kind kind, double value) {
    code->kind = kind;
    code->number = value;
  };
  if (x == R_MissingArg) {
    code->kind = TS_CODE_MISSING;
    return;
  }
  const bool plain = !Rf_isObject(x) && Rf_isVectorAtomic(x) && XLENGTH(x) == 1;
  switch (TYPEOF(x)) {
    case NILSXP: code->kind = TS_CODE_NULL; return;
    case SYMSXP:
      code->kind = TS_CODE_NAME;
      code->text = Rf_translateCharUTF8(PRINTNAME(x));
      return;
    case LANGSXP: read_call(x, row, places, code); return;
    case LGLSXP:
      if (plain) return constant(TS_CODE_LOGICAL, Rf_asReal(x));
      break;
    case INTSXP:
      if (plain) return constant(TS_CODE_INTEGER, Rf_asReal(x));
      break;
    case REALSXP:
      if (plain) return constant(TS_CODE_DOUBLE, REAL(x)[0]);
      break;
    case STRSXP:
      if (!plain) break;
      if (STRING_ELT(x, 0) == NA_STRING) {
        code->kind = TS_CODE_NA_STRING;
        code->text = "a string that is NA";
      } else {
        code->kind = TS_CODE_STRING;
        code->text = Rf_translateCharUTF8(STRING_ELT(x, 0));
      }
      return;
    default: break;
  }
  code->kind = TS_CODE_OTHER;
  code->text = what_is(x);
}

int64_t index_in(SEXP list, const char* name) {
  SEXP x = element_of(list, name);
  return x == R_NilValue ? -1 : Rf_asInteger(x) - 1;
}

void read_known(SEXP x, ts_known* known, Keeper& keeper) {
  *known = ts_known{};
  known->name = text_in(x, "name");
  known->builtin = text_in(x, "builtin");
  known->refused = text_in(x, "refused");
  known->operator_at = index_in(x, "operator");
  known->closure_at = index_in(x, "closure");
  SEXP handle = element_of(x, "handle"), is_function = element_of(x, "is_function");
  known->callable = handle == R_NilValue ? nullptr : callable_of(handle);
  known->is_function = Rf_asLogical(is_function) == TRUE;
  if (!known->is_function && !known->refused)
    known->value = to_natural_value(element_of(x, "value"), known->name, keeper);
}

const ts_known* read_all_known(SEXP list, Keeper& keeper) {
  auto* known = allocate<ts_known>(Rf_xlength(list));
  for (R_xlen_t i = 0; i < Rf_xlength(list); ++i) read_known(VECTOR_ELT(list, i), known + i, keeper);
  return known;
}

void read_code_of(SEXP x, ts_closure* closure) {
  closure->name = text_in(x, "name");
  closure->file = text_in(x, "file");
  closure->text = text_in(x, "text");
  closure->line = Rf_asInteger(element_of(x, "line"));
  const Places places(closure->text, element_of(x, "places"));
  auto* code = allocate<ts_code>(1);
  read_code(element_of(x, "code"), places.root(), places, code);
  closure->code = code;
}

void read_closure(SEXP x, ts_closure* closure, Keeper& keeper) {
  read_code_of(x, closure);
  SEXP known = element_of(x, "known");
  closure->n_known = static_cast<size_t>(Rf_xlength(known));
  closure->known = read_all_known(known, keeper);
}

// Reads an operator: its overloads as the glue itself calls them.
void read_operator(SEXP key, ts_operator* op, Keeper& keeper) {
  const Op& record = op_record(key);
  op->name = record.name;
  op->n_slots = static_cast<size_t>(record.n_slots);
  auto** slots = allocate<const char*>(op->n_slots);
  auto* defaults = allocate<ts_value>(op->n_slots);
  for (int i = 0; i < record.n_slots; ++i) {
    slots[i] = record.slots[i].name;
    SEXP value = record.slots[i].default_value;
    defaults[i] = ts_value{};
    defaults[i].tag = TS_DEFAULT;
    if (value && (value == R_NilValue || (Rf_isVectorAtomic(value) && XLENGTH(value) == 1)))
      defaults[i] = to_natural_value(value, slots[i], keeper);
  }
  op->slots = slots;
  op->defaults = defaults;
  op->n_forms = static_cast<size_t>(record.n_candidates);
  auto* forms = allocate<ts_form>(op->n_forms);
  for (int i = 0; i < record.n_candidates; ++i) {
    const Candidate& it = record.candidates[i];
    forms[i] = {it.callable, it.slot, it.flags, it.position_results};
  }
  op->forms = forms;
  op->n_results = record.result_names ? static_cast<size_t>(Rf_xlength(record.result_names)) : 0;
  auto** results = allocate<const char*>(op->n_results);
  for (size_t i = 0; i < op->n_results; ++i) results[i] = CHAR(STRING_ELT(record.result_names, i));
  op->results = results;
}

// Reads a program, a list of closures, operators (keys), members and modules, into R_alloc() memory.
ts_program read_program(SEXP program, Keeper& keeper) {
  SEXP closures = element_of(program, "closures"), operators = element_of(program, "operators"),
       members = element_of(program, "members"), modules = element_of(program, "modules");
  ts_program it{};
  it.n_closures = static_cast<size_t>(Rf_xlength(closures));
  auto* all = allocate<ts_closure>(it.n_closures);
  for (size_t i = 0; i < it.n_closures; ++i) read_closure(VECTOR_ELT(closures, i), all + i, keeper);
  it.closures = all;
  it.n_operators = static_cast<size_t>(Rf_xlength(operators));
  auto* ops = allocate<ts_operator>(it.n_operators);
  for (size_t i = 0; i < it.n_operators; ++i) read_operator(STRING_ELT(operators, i), ops + i, keeper);
  it.operators = ops;
  it.n_members = static_cast<size_t>(Rf_xlength(members));
  it.members = read_all_known(members, keeper);
  it.n_modules = static_cast<size_t>(Rf_xlength(modules));
  auto* scripted = allocate<ts_scripted>(it.n_modules);
  for (size_t i = 0; i < it.n_modules; ++i) {
    SEXP module = VECTOR_ELT(modules, i), methods = element_of(module, "methods"), at = element_of(module, "closures");
    const size_t n = static_cast<size_t>(Rf_xlength(methods));
    auto** names = allocate<const char*>(n);
    auto* numbers = allocate<int64_t>(n);
    for (size_t k = 0; k < n; ++k) {
      names[k] = Rf_translateCharUTF8(STRING_ELT(methods, k));
      numbers[k] = INTEGER(at)[k] - 1;  // operators come as negative numbers: -2 is the first one
    }
    SEXP held = element_of(module, "constants");
    const size_t n_constants = static_cast<size_t>(Rf_xlength(held));
    auto** constants = allocate<const char*>(n_constants);
    for (size_t k = 0; k < n_constants; ++k) constants[k] = Rf_translateCharUTF8(STRING_ELT(held, k));
    scripted[i] = {module_of(element_of(module, "handle")), n, names, numbers, n_constants, constants};
  }
  it.modules = scripted;
  return it;
}

// The types and the examples of the arguments, NULL where there is none.
struct Asked {
  Asked(SEXP types, SEXP examples, Keeper& keeper) : n(static_cast<size_t>(Rf_xlength(types))) {
    texts = allocate<const char*>(n);
    values = allocate<ts_value>(n);
    SEXP names = Rf_getAttrib(types, R_NamesSymbol);
    for (size_t i = 0; i < n; ++i) {
      SEXP type = VECTOR_ELT(types, i), example = VECTOR_ELT(examples, i);
      texts[i] = type == R_NilValue ? nullptr : Rf_translateCharUTF8(STRING_ELT(type, 0));
      values[i] = ts_value{};
      values[i].tag = TS_DEFAULT;
      if (example != R_NilValue) values[i] = to_natural_value(VECTOR_ELT(example, 0), CHAR(STRING_ELT(names, i)), keeper);
    }
  }
  size_t n;
  const char** texts;
  ts_value* values;
};

}  // namespace

// The program, and the names of the values found outside that it holds.
// [[Rcpp::export(rng = false)]]
SEXP cpp_script_compile(SEXP program, SEXP types, SEXP examples) {
  const void* memory = vmaxget();
  Keeper keeper;
  const ts_program it = read_program(program, keeper);
  const Asked asked_for(types, examples, keeper);
  ts_value held{};
  ts_arena* arena = nullptr;
  SEXP callable = PROTECT(asked<ts_callable>(Kind::callable, [&](ts_callable** out) {
    return shim().ts_script_compile(&it, asked_for.texts, asked_for.values, asked_for.n, out, &held, &arena);
  }));
  keeper.release();
  vmaxset(memory);
  SEXP names = PROTECT(finish(&held, arena, Int64::exact));
  SEXP both = PROTECT(Rf_allocVector(VECSXP, 2));
  SET_VECTOR_ELT(both, 0, callable);
  SET_VECTOR_ELT(both, 1, names);
  UNPROTECT(3);
  return both;
}

// Compiles a method of the program's first module, and gives such names.
// [[Rcpp::export(rng = false)]]
SEXP cpp_script_define(SEXP program, SEXP method, SEXP types, SEXP examples) {
  const void* memory = vmaxget();
  Keeper keeper;
  const ts_program it = read_program(program, keeper);
  const Asked asked_for(types, examples, keeper);
  SEXP names = answered([&](ts_value* out, ts_arena** arena) {
    return shim().ts_script_define(&it, Rf_translateCharUTF8(STRING_ELT(method, 0)), asked_for.texts, asked_for.values,
                                   asked_for.n, out, arena);
  });
  keeper.release();
  vmaxset(memory);
  return names;
}

// The names that the code of a closure may look for outside of it.
// [[Rcpp::export(rng = false)]]
SEXP cpp_script_outside(SEXP closure) {
  const void* memory = vmaxget();
  ts_closure it{};
  read_code_of(closure, &it);
  SEXP names = answered([&](ts_value* out, ts_arena** arena) { return shim().ts_script_outside(&it, out, arena); });
  vmaxset(memory);
  return names;
}

// [[Rcpp::export(rng = false)]]
SEXP cpp_script_builtins() {
  return answered([](ts_value* out, ts_arena** arena) { return shim().ts_script_builtins(out, arena); });
}

// Whether two trees of code are the same but for what the parser notes of places: attributes of calls, and the fourth part
// of `function`. Code may be nested deeper than C++ functions may call themselves, so that what is open is kept in a list.
// `as_text`: the first is read from the text of the other, which may have fewer digits, and calls where there is a vector or a
// negative number.
// [[Rcpp::export(rng = false)]]
SEXP cpp_same_code(SEXP one, SEXP other, bool as_text) {
  const auto is_text_of = [&](SEXP x, SEXP y) {
    if (!as_text || Rf_isObject(y) || !Rf_isVectorAtomic(y)) return false;
    if (TYPEOF(x) == LANGSXP) return true;
    return TYPEOF(x) == REALSXP && TYPEOF(y) == REALSXP && XLENGTH(x) == 1 && XLENGTH(y) == 1 &&
           std::fabs(REAL(x)[0] - REAL(y)[0]) <= 1e-14 * std::fabs(REAL(y)[0]);
  };
  std::vector<std::pair<SEXP, SEXP>> open = {{one, other}};
  while (!open.empty()) {
    auto [x, y] = open.back();
    open.pop_back();
    if (x == y) continue;
    if (is_text_of(x, y)) continue;
    if (TYPEOF(x) != TYPEOF(y)) return Rf_ScalarLogical(FALSE);
    if (TYPEOF(x) != LANGSXP && TYPEOF(x) != LISTSXP) {
      if (!R_compute_identical(x, y, 16)) return Rf_ScalarLogical(FALSE);
      continue;
    }
    const bool is_function = TYPEOF(x) == LANGSXP && CAR(x) == Rf_install("function");
    int i = 0;
    for (; x != R_NilValue && y != R_NilValue && !(is_function && i == 3); x = CDR(x), y = CDR(y), ++i) {
      if (TAG(x) != TAG(y)) return Rf_ScalarLogical(FALSE);
      open.emplace_back(CAR(x), CAR(y));
    }
    if (x != y && !(is_function && i == 3)) return Rf_ScalarLogical(FALSE);
  }
  return Rf_ScalarLogical(TRUE);
}

// What of the outside of a program may be another value now than when it was compiled: the positions of such entries of
// `watched` (R/jit-script-known.R), NULL if there is none. `attached` is what stood behind the workspace then.
RcppExport SEXP C_script_suspects(SEXP watched, SEXP attached) {
  const R_xlen_t n = XLENGTH(watched);
  const bool is_search_new = enclosing_environment(R_GlobalEnv) != attached;
  SEXP found = R_NilValue;
  R_xlen_t n_found = 0;
  for (R_xlen_t i = 0; i < n; ++i) {
    SEXP it = VECTOR_ELT(watched, i), symbol = VECTOR_ELT(it, 0), open = VECTOR_ELT(it, 1), home = VECTOR_ELT(it, 3);
    bool is_suspect = (is_search_new && LOGICAL(VECTOR_ELT(it, 2))[0]) || LOGICAL(VECTOR_ELT(it, 5))[0];
    for (R_xlen_t k = 0; k < XLENGTH(open) && !is_suspect; ++k) is_suspect = has_variable(VECTOR_ELT(open, k), symbol);
    if (!is_suspect && home != R_NilValue)
      is_suspect = !has_variable(home, symbol) || R_BindingIsActive(symbol, home) ||
                   argument_of(home, symbol) != VECTOR_ELT(it, 4);
    if (!is_suspect) continue;
    if (found == R_NilValue) found = PROTECT(Rf_allocVector(INTSXP, n));
    INTEGER(found)[n_found++] = static_cast<int>(i) + 1;
  }
  if (found == R_NilValue) return found;
  found = Rf_lengthgets(found, n_found);
  UNPROTECT(1);
  return found;
}
