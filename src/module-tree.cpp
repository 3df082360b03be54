// What modules hold: members of one, and trees of them (R/nn-module-tree.R). R code would need C's stack for each level
// of a tree, and that ends.
#include <algorithm>
#include <cstring>
#include <unordered_set>
#include <vector>

#include "depth.h"
#include "r.h"

namespace {

struct Words {
  SEXP module, enclosing, private_, registered, hook_lists, active;
};
const Words& words() {
  static const Words it = {Rf_install("module"),      Rf_install(".__enclos_env__"), Rf_install("private"),
                           Rf_install(".registered"), Rf_install(".hook_lists"),     Rf_install(".__active__")};
  return it;
}

// See cpp_own_members(). `counts` gets how many there are of each kind.
SEXP own_members(SEXP self, SEXP registered, SEXP kinds, R_xlen_t* counts) {
  SEXP all = PROTECT(R_lsInternal3(self, TRUE, FALSE));
  const R_xlen_t n_first = Rf_xlength(registered), n_all = XLENGTH(all), n_kinds = XLENGTH(kinds);
  std::vector<std::vector<SEXP>> found(n_kinds);  // symbols
  std::vector<size_t> first(n_kinds);
  // Symbols and not their names: a symbol's name need not be the same string as an equal name in `registered`, when its
  // encoding is not marked (the parser's are not).
  std::unordered_set<SEXP> seen;
  auto look = [&](SEXP symbol) {
    if (R_BindingIsActive(symbol, self)) return;
    SEXP value = argument_of(self, symbol);
    if (!Rf_isObject(value) || Rf_inherits(value, "nn_module_generator")) return;
    for (R_xlen_t k = 0; k < n_kinds; ++k)
      if (Rf_inherits(value, CHAR(STRING_ELT(kinds, k)))) return found[k].push_back(symbol);
  };
  for (R_xlen_t i = 0; i < n_first; ++i) {
    SEXP symbol = Rf_installChar(STRING_ELT(registered, i));
    // It may have been removed since.
    if (has_variable(self, symbol)) look(symbol);
    seen.insert(symbol);
  }
  R_xlen_t n = 0;
  for (R_xlen_t k = 0; k < n_kinds; ++k) first[k] = found[k].size();
  for (R_xlen_t i = 0; i < n_all; ++i) {
    SEXP symbol = Rf_installChar(STRING_ELT(all, i));
    if (!seen.count(symbol)) look(symbol);
  }
  for (R_xlen_t k = 0; k < n_kinds; ++k) {
    counts[k] = static_cast<R_xlen_t>(found[k].size());
    std::sort(found[k].begin() + first[k], found[k].end(),
              [](SEXP a, SEXP b) { return std::strcmp(CHAR(PRINTNAME(a)), CHAR(PRINTNAME(b))) < 0; });
    n += counts[k];
  }
  SEXP values = PROTECT(Rf_allocVector(VECSXP, n)), names = PROTECT(Rf_allocVector(STRSXP, n));
  R_xlen_t at = 0;
  for (const auto& symbols : found)
    for (SEXP symbol : symbols) {
      SET_VECTOR_ELT(values, at, argument_of(self, symbol));
      SET_STRING_ELT(names, at++, PRINTNAME(symbol));
    }
  Rf_setAttrib(values, R_NamesSymbol, names);
  UNPROTECT(3);
  return values;
}

// A variable of an environment that may be none; NULL if it is not of this type.
SEXP variable(SEXP environment, SEXP symbol, SEXPTYPE type) {
  SEXP value = TYPEOF(environment) == ENVSXP ? argument_of(environment, symbol) : R_NilValue;
  return TYPEOF(value) == type ? value : R_NilValue;
}

SEXP element(SEXP list, const char* name) {
  SEXP names = Rf_getAttrib(list, R_NamesSymbol);
  for (R_xlen_t i = 0; i < Rf_xlength(names); ++i)
    if (std::strcmp(CHAR(STRING_ELT(names, i)), name) == 0) return VECTOR_ELT(list, i);
  return R_NilValue;
}

SEXP frame_of(SEXP self) { return variable(self, words().enclosing, ENVSXP); }
SEXP private_of(SEXP self) { return variable(frame_of(self), words().private_, ENVSXP); }

// Whether the class of `self` has a method, or an active binding, of its own in the place of the base class's.
bool replaces(SEXP self, SEXP method) {
  // An active binding that is read calls its function.
  SEXP active = element(variable(frame_of(self), words().active, VECSXP), CHAR(method));
  SEXP f = active != R_NilValue ? active : variable(self, Rf_installChar(method), CLOSXP);
  return TYPEOF(f) != CLOSXP || enclosing_environment(closure_environment(f)) != package_namespace();
}

bool is_apart(SEXP self, SEXP method, SEXP marks) {
  SEXP hidden = private_of(self);
  if (hidden == R_NilValue || (method != R_NilValue && replaces(self, STRING_ELT(method, 0)))) return true;
  SEXP hooks = variable(hidden, words().hook_lists, VECSXP);
  for (R_xlen_t i = 0; i < Rf_xlength(marks); ++i) {
    SEXP mark = STRING_ELT(marks, i);
    if (element(hooks, CHAR(mark)) != R_NilValue || has_variable(hidden, Rf_installChar(mark)) ||
        has_variable(self, Rf_installChar(mark)))
      return true;
  }
  return false;
}

SEXP joined(SEXP path, SEXP name) {
  if (LENGTH(path) == 0) return name;
  const int n = LENGTH(path), m = LENGTH(name);
  const void* top = vmaxget();
  char* text = R_alloc(n + m + 1, 1);
  std::memcpy(text, CHAR(path), n);
  text[n] = '.';
  std::memcpy(text + n + 1, CHAR(name), m);
  const cetype_t encoding = Rf_getCharCE(Rf_getCharCE(name) == CE_NATIVE ? path : name);
  SEXP out = Rf_mkCharLenCE(text, n + m + 1, encoding);
  vmaxset(top);
  return out;
}

// Elements `from` and later of a named list.
SEXP rest_of(SEXP list, R_xlen_t from) {
  const R_xlen_t n = XLENGTH(list) - from;
  SEXP all = Rf_getAttrib(list, R_NamesSymbol);
  SEXP out = PROTECT(Rf_allocVector(VECSXP, n)), names = PROTECT(Rf_allocVector(STRSXP, n));
  for (R_xlen_t i = 0; i < n; ++i) {
    SET_VECTOR_ELT(out, i, VECTOR_ELT(list, from + i));
    SET_STRING_ELT(names, i, STRING_ELT(all, from + i));
  }
  Rf_setAttrib(out, R_NamesSymbol, names);
  UNPROTECT(2);
  return out;
}

// A vector that grows. It stays protected until its owner unprotects it.
class Column {
 public:
  explicit Column(SEXPTYPE type) { PROTECT_WITH_INDEX(it_ = Rf_allocVector(type, 16), &at_); }
  void reserve(R_xlen_t n) {
    if (n > XLENGTH(it_)) REPROTECT(it_ = Rf_xlengthgets(it_, 2 * XLENGTH(it_)), at_);
  }
  SEXP first(R_xlen_t n) { return REPROTECT(it_ = Rf_xlengthgets(it_, n), at_), it_; }
  operator SEXP() const { return it_; }

 private:
  SEXP it_;
  PROTECT_INDEX at_;
};

}  // namespace

// The members that a module binds itself and that have one of the classes `kinds`, as a named list, one kind after the
// other. Within a kind the names in `registered` come first, in their order, and then others in the order of their bytes.
// Computed members are not evaluated. Generators of modules are not modules.
// [[Rcpp::export(rng = false)]]
SEXP cpp_own_members(SEXP self, SEXP registered, SEXP kinds) {
  return own_members(self, registered, kinds, reinterpret_cast<R_xlen_t*>(R_alloc(XLENGTH(kinds), sizeof(R_xlen_t))));
}

// The module `self` and those below it, parents before their children, as columns: `module`, `path` (empty for `self`),
// `parent` (its place), `apart`, and `members`, those of the classes `kinds`; and `children_first`, the places in that
// order. A module that is apart stands for all below it, and is the function that users hold, not an R6 object: it is none
// of R's, or its class has a `method` of its own, or it has a member or hooks of a name among `marks`.
// [[Rcpp::export(rng = false)]]
SEXP cpp_module_tree(SEXP self, SEXP method, SEXP marks, SEXP kinds) {
  const Words& it = words();
  const R_xlen_t n_kinds = Rf_xlength(kinds);
  SEXP wanted = PROTECT(Rf_allocVector(STRSXP, n_kinds + 1));
  SET_STRING_ELT(wanted, 0, Rf_mkChar("nn_module"));
  for (R_xlen_t k = 0; k < n_kinds; ++k) SET_STRING_ELT(wanted, k + 1, STRING_ELT(kinds, k));
  R_xlen_t* counts = reinterpret_cast<R_xlen_t*>(R_alloc(n_kinds + 1, sizeof(R_xlen_t)));
  Column module(VECSXP), path(STRSXP), parent(INTSXP), apart(LGLSXP), members(VECSXP), finished(INTSXP);
  Column n_children(INTSXP), seen(INTSXP);
  R_xlen_t n = 0, n_finished = 0;
  auto add = [&](SEXP object, SEXP where, bool is_whole, R_xlen_t above) {
    for (Column* one : {&module, &path, &parent, &apart, &members, &finished, &n_children, &seen}) one->reserve(n + 1);
    SET_VECTOR_ELT(module, n, object);
    SET_STRING_ELT(path, n, where);
    INTEGER(parent)[n] = static_cast<int>(above + 1);
    LOGICAL(apart)[n] = is_whole;
    INTEGER(n_children)[n] = INTEGER(seen)[n] = 0;
    if (!is_whole) {
      SEXP registered = variable(private_of(object), it.registered, STRSXP);
      SET_VECTOR_ELT(members, n, own_members(object, registered, wanted, counts));
      INTEGER(n_children)[n] = static_cast<int>(counts[0]);
    }
    ++n;
  };
  add(self, R_BlankString, false, -1);
  int depth = 0;
  for (R_xlen_t at = 0; at >= 0;) {
    const int child = INTEGER(seen)[at]++;
    SEXP own = VECTOR_ELT(members, at);
    if (child < INTEGER(n_children)[at]) {
      SEXP closure = VECTOR_ELT(own, child), object = Rf_getAttrib(closure, it.module);
      SEXP where = PROTECT(joined(STRING_ELT(path, at), STRING_ELT(Rf_getAttrib(own, R_NamesSymbol), child)));
      const bool stays_whole = TYPEOF(object) != ENVSXP || is_apart(object, method, marks);
      add(stays_whole ? closure : object, where, stays_whole, at);
      UNPROTECT(1);
      at = n - 1;
      R_CheckUserInterrupt();
      // Modules that hold themselves have no end of levels.
      if (++depth > kDeepest) fail("value_error", "Modules can't be nested more than %d deep.", kDeepest);
    } else {
      if (child > 0) SET_VECTOR_ELT(members, at, rest_of(own, child));
      INTEGER(finished)[n_finished++] = static_cast<int>(at + 1);
      at = INTEGER(parent)[at] - 1;
      --depth;
    }
  }
  const char* titles[] = {"module", "path", "parent", "apart", "members", "children_first", ""};
  SEXP out = PROTECT(Rf_mkNamed(VECSXP, titles));
  int column = 0;
  for (Column* one : {&module, &path, &parent, &apart, &members, &finished}) SET_VECTOR_ELT(out, column++, one->first(n));
  UNPROTECT(10);
  return out;
}
