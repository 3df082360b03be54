// Makes objects of R6 classes from a plan (R/class-generator.R), with the environments and bindings that R6's `new()`
// makes. R6 itself would merge the members of all base classes anew for each object.
#include "r.h"

namespace {

struct Words {
  SEXP self, private_, super, enclosing, active, hooks;
};
const Words& words() {
  static const Words it = {Rf_install("self"), Rf_install("private"), Rf_install("super"), Rf_install(".__enclos_env__"),
                           Rf_install(".__active__"), Rf_install(".hooks")};
  return it;
}

// Without a hash table it is made in less time, and with a few variables as fast to search.
SEXP new_frame(SEXP parent) { return R_NewEnv(parent, FALSE, 0); }

SEXP names_of(SEXP list) { return Rf_getAttrib(list, R_NamesSymbol); }

void bind_all(SEXP values, SEXP environment) {
  SEXP names = names_of(values);
  for (R_xlen_t i = 0; i < XLENGTH(values); ++i)
    Rf_defineVar(Rf_installChar(STRING_ELT(names, i)), VECTOR_ELT(values, i), environment);
}

void lock_all(SEXP values, SEXP environment) {
  SEXP names = names_of(values);
  for (R_xlen_t i = 0; i < XLENGTH(values); ++i) R_LockBinding(Rf_installChar(STRING_ELT(names, i)), environment);
}

void make_active(SEXP functions, SEXP environment) {
  SEXP names = names_of(functions);
  for (R_xlen_t i = 0; i < XLENGTH(functions); ++i)
    R_MakeActiveBinding(Rf_installChar(STRING_ELT(names, i)), VECTOR_ELT(functions, i), environment);
}

// Copies of the functions whose environment is `environment`.
SEXP functions_in(SEXP functions, SEXP environment) {
  SEXP out = PROTECT(Rf_allocVector(VECSXP, XLENGTH(functions)));
  Rf_setAttrib(out, R_NamesSymbol, names_of(functions));
  for (R_xlen_t i = 0; i < XLENGTH(functions); ++i) {
    SEXP copy = PROTECT(closure_in(VECTOR_ELT(functions, i), environment));
    SHALLOW_DUPLICATE_ATTRIB(copy, VECTOR_ELT(functions, i));
    SET_VECTOR_ELT(out, i, copy);
    UNPROTECT(1);
  }
  UNPROTECT(1);
  return out;
}

// The members of one kind of the first `levels` levels, in one list.
SEXP merged(SEXP made, int kind, R_xlen_t levels) {
  R_xlen_t n = 0;
  for (R_xlen_t i = kind; i < 3 * levels; i += 3) n += XLENGTH(VECTOR_ELT(made, i));
  SEXP out = PROTECT(Rf_allocVector(VECSXP, n)), names = PROTECT(Rf_allocVector(STRSXP, n));
  R_xlen_t at = 0;
  for (R_xlen_t i = kind; i < 3 * levels; i += 3) {
    SEXP one = VECTOR_ELT(made, i), one_names = names_of(one);
    for (R_xlen_t j = 0; j < XLENGTH(one); ++j, ++at) {
      SET_VECTOR_ELT(out, at, VECTOR_ELT(one, j));
      SET_STRING_ELT(names, at, STRING_ELT(one_names, j));
    }
  }
  Rf_setAttrib(out, R_NamesSymbol, names);
  UNPROTECT(2);
  return out;
}

}  // namespace

// The object as it is before `initialize`. `levels` holds list(parent_env, public, private, active) for each class, the
// base class first; the last three are the class's own named lists of functions. `frames` is NULL or the empty
// environments that become the object: itself, its private environment, that of each class, and `super` of each class
// but the first.
// [[Rcpp::export(rng = false)]]
SEXP cpp_new_instance(SEXP levels, SEXP public_fields, SEXP private_fields, SEXP frames) {
  const Words& it = words();
  const R_xlen_t n = XLENGTH(levels);
  auto frame = [&](R_xlen_t i, SEXP parent) { return frames == R_NilValue ? new_frame(parent) : VECTOR_ELT(frames, i); };
  // The object itself may get thousands of children.
  SEXP self = PROTECT(frames == R_NilValue ? R_NewEnv(R_EmptyEnv, TRUE, 59) : VECTOR_ELT(frames, 0)), hidden = PROTECT(frame(1, R_EmptyEnv));
  // Members that are bound so far: public, private and active ones of each level.
  SEXP made = PROTECT(Rf_allocVector(VECSXP, 3 * n));
  SEXP super = R_NilValue;
  PROTECT_INDEX at;
  PROTECT_WITH_INDEX(super, &at);
  for (R_xlen_t level = 0; level < n; ++level) {
    SEXP members = VECTOR_ELT(levels, level);
    SEXP enclosing = PROTECT(frame(2 + level, VECTOR_ELT(members, 0)));
    Rf_defineVar(it.self, self, enclosing);
    Rf_defineVar(it.private_, hidden, enclosing);
    Rf_defineVar(it.hooks, R_NilValue, enclosing);
    if (super != R_NilValue) Rf_defineVar(it.super, super, enclosing);
    for (int kind = 0; kind < 3; ++kind)
      SET_VECTOR_ELT(made, 3 * level + kind, functions_in(VECTOR_ELT(members, 1 + kind), enclosing));
    if (level + 1 < n) {
      REPROTECT(super = frame(2 + n + level, R_EmptyEnv), at);
      for (R_xlen_t below = 0; below <= level; ++below) {
        bind_all(VECTOR_ELT(made, 3 * below), super);
        bind_all(VECTOR_ELT(made, 3 * below + 1), super);
        make_active(VECTOR_ELT(made, 3 * below + 2), super);
      }
      Rf_defineVar(it.enclosing, enclosing, super);
    } else {
      Rf_defineVar(it.enclosing, enclosing, self);
    }
    // R6's clone() needs this list to make the active bindings of a copy. Those that are not in it, it reads.
    Rf_defineVar(it.active, PROTECT(merged(made, 2, level + 1)), enclosing);
    UNPROTECT(2);
  }
  for (R_xlen_t level = 0; level < n; ++level) {
    bind_all(VECTOR_ELT(made, 3 * level), self);
    bind_all(VECTOR_ELT(made, 3 * level + 1), hidden);
  }
  bind_all(public_fields, self);
  bind_all(private_fields, hidden);
  for (R_xlen_t level = 0; level < n; ++level) {
    make_active(VECTOR_ELT(made, 3 * level + 2), self);
    lock_all(VECTOR_ELT(made, 3 * level), self);
    lock_all(VECTOR_ELT(made, 3 * level + 1), hidden);
  }
  UNPROTECT(4);
  return self;
}
