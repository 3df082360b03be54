// Where the user's code is: found before each operator of a trace, so it must cost little beside LibTorch's recording.
#include <climits>
#include <cstring>
#include <unordered_map>

#include "trace.h"

namespace {

// --- whose a frame is ------------------------------------------------------------------------------------------------

// R6 only calls on, as base R does.
enum class Home { package, base, user };

Home home_of(SEXP frame) {
  static SEXP record = Rf_install(".record");
  SEXP env = enclosing_environment(frame);
  // What autograd_function() made is the package's too.
  if (argument_of(env, record) != R_UnboundValue) return Home::package;
  for (; env != R_EmptyEnv; env = enclosing_environment(env)) {
    if (env == package_namespace()) return Home::package;
    if (env == R_BaseEnv || env == R_BaseNamespace) return Home::base;
    if (env == R_GlobalEnv) break;
    if (!R_IsNamespaceEnv(env)) continue;
    return std::strcmp(CHAR(STRING_ELT(R_NamespaceEnvSpec(env), 0)), "R6") == 0 ? Home::base : Home::user;
  }
  return Home::user;
}

SEXP nth(SEXP frames, int n) { return CAR(Rf_nthcdr(frames, n - 1)); }

// Whether a call is of what a generator put in the place of itself.
bool is_written(SEXP call) {
  static SEXP written = Rf_install("written");
  return TYPEOF(call) == LANGSXP && TYPEOF(CAR(call)) == CLOSXP && Rf_getAttrib(CAR(call), written) != R_NilValue;
}

// Callers, not what lies below on the stack: there the user's own arguments are evaluated too.
int entry_of(SEXP calls, SEXP frames, SEXP parents, int n) {
  for (int caller = n;;) {
    // R names a frame that C++ called as its own caller: that is the one below it.
    const int named = caller > 0 ? INTEGER(parents)[caller - 1] : 0;
    caller = named < caller - 1 ? named : caller - 1;
    if (caller <= 0) return n;
    const Home home = is_written(nth(calls, caller)) ? Home::package : home_of(nth(frames, caller));
    if (home == Home::user) return n;
    if (home == Home::package) n = caller;
  }
}

// The module (its `self`) whose method a frame is, or NULL.
SEXP self_of(SEXP frame) {
  static SEXP self = Rf_install("self"), classes = Rf_install(".classes");
  SEXP env = enclosing_environment(frame);
  if (env == R_GlobalEnv || env == R_EmptyEnv || env == R_BaseEnv || R_IsNamespaceEnv(env)) return R_NilValue;
  SEXP value = argument_of(env, self);
  if (TYPEOF(value) != ENVSXP || argument_of(enclosing_environment(env), classes) == R_UnboundValue) return R_NilValue;
  return value;
}

// Of the innermost module that runs above frame `floor` and not above frame `top`.
SEXP running_self(SEXP frames, int floor, int top = INT_MAX) {
  SEXP found = R_NilValue;
  int i = 1;
  for (SEXP frame = frames; frame != R_NilValue && i <= top; frame = CDR(frame), ++i) {
    if (i <= floor) continue;
    SEXP self = self_of(CAR(frame));
    if (self != R_NilValue) found = self;
  }
  return found;
}

// --- places that the shim knows --------------------------------------------------------------------------------------

struct Place {
  int source;
  size_t begin, end;
};
std::unordered_map<uint64_t, Place>* places = nullptr;
// Keeps the references to sources, so that none gets the address of another. Its tag keeps what `base` holds.
SEXP references = nullptr;

// What R's stack was like below the last call that was looked for frame by frame: the frame of the user's code, how deep
// the frame of what it called is, and the module that runs there. An operator that is reached from the same frame at the
// same depth has the same below it.
struct Base {
  SEXP caller, self;
  int depth;
  bool has_references;  // some call below has a reference to the source, which stands for those that have none
};
Base base{};

uint64_t mix(uint64_t hash, uint64_t with) {
  hash ^= with + 0x9E3779B97F4A7C15ull + (hash << 6) + (hash >> 2);
  return hash * 0xBF58476D1CE4E5B9ull;
}
uint64_t mix(uint64_t hash, const void* address) { return mix(hash, reinterpret_cast<uintptr_t>(address)); }

// Equal calls have equal hashes, whoever made the objects. Sizes of a trace notice when they are read: these stand for
// themselves, as all that is not written in code does.
uint64_t hash_of(uint64_t hash, SEXP x) {
  hash = mix(hash, static_cast<uint64_t>(TYPEOF(x)));
  switch (TYPEOF(x)) {
    case LANGSXP:
    case LISTSXP:
      for (; x != R_NilValue; x = CDR(x)) hash = mix(hash_of(hash, CAR(x)), TAG(x));
      return hash;
    case REALSXP:
    case INTSXP:
    case LGLSXP:
    case STRSXP:
      if (ALTREP(x) || XLENGTH(x) != 1) return mix(hash, x);
      if (TYPEOF(x) == STRSXP) return mix(hash, STRING_ELT(x, 0));
      if (TYPEOF(x) != REALSXP) return mix(hash, static_cast<uint64_t>(INTEGER(x)[0]));
      uint64_t bits;
      std::memcpy(&bits, REAL(x), sizeof bits);
      return mix(hash, bits);
    default:
      return mix(hash, x);
  }
}

SEXP reference_of(SEXP call) {
  static SEXP srcref = Rf_install("srcref");
  return Rf_getAttrib(call, srcref);
}

// R copies a reference each time that it gives the call: a place in a file is the same by what it says.
uint64_t hash_of_reference(SEXP reference) {
  static SEXP srcfile = Rf_install("srcfile");
  uint64_t hash = mix(1, Rf_getAttrib(reference, srcfile));
  if (TYPEOF(reference) != INTSXP) return mix(hash, reference);
  for (R_xlen_t i = 0; i < XLENGTH(reference); ++i) hash = mix(hash, static_cast<uint64_t>(INTEGER(reference)[i]));
  return hash;
}

uint64_t key_of(SEXP reference, SEXP self, SEXP call) {
  return reference == R_NilValue ? hash_of(mix(0, self), call) : hash_of_reference(reference);
}

// The reference of the call, or of one that evaluates it later, as a pipe does.
SEXP reference_of(SEXP calls, int n, int floor) {
  SEXP found = R_NilValue;
  int i = 1;
  for (SEXP call = calls; call != R_NilValue && i <= n; call = CDR(call), ++i) {
    if (i <= floor) continue;
    SEXP reference = reference_of(CAR(call));
    if (reference != R_NilValue) found = reference;
  }
  return found;
}

// A call of one of R's functions that tell of the frame in which they are called.
SEXP call_of(const char* function) {
  SEXP call = Rf_lang1(Rf_findFun(Rf_install(function), R_BaseEnv));
  R_PreserveObject(call);
  return call;
}

// Remembers what is below frame `entry`.
void note_base(SEXP calls, SEXP frames, SEXP parents, int entry, int bottom, SEXP reference) {
  base = {};
  const int caller = entry > 0 ? INTEGER(parents)[entry - 1] : 0;
  if (caller < bottom || caller >= entry) return;
  base.has_references = reference != R_NilValue;
  base.caller = nth(frames, caller);
  base.self = running_self(frames, bottom, entry - 1);
  base.depth = entry;
  SET_TAG(references, Rf_cons(base.caller, base.self));
}

void tell_place(const Place& it) { check(shim().ts_trace_place(it.source, it.begin, it.end)); }

}  // namespace

bool mark_known_place(SEXP frame) {
  // So many functions of the package call each other at most.
  constexpr int kMost = 8;
  static SEXP caller = call_of("parent.frame"), depth = call_of("sys.nframe"), own_call = call_of("sys.call");
  if (!base.caller) return false;
  SEXP entry = frame, self = R_NilValue;
  for (int i = 0; i < kMost; ++i) {
    if (self == R_NilValue) self = self_of(frame);
    frame = Rf_eval(caller, frame);
    if (frame == base.caller) break;
    if (frame == R_GlobalEnv) return false;
    const Home home = home_of(frame);
    if (home == Home::user) return false;
    if (home == Home::package) entry = frame;
  }
  if (frame != base.caller || Rf_asInteger(Rf_eval(depth, entry)) != base.depth) return false;
  SEXP call = PROTECT(Rf_eval(own_call, entry));
  SEXP reference = reference_of(call);
  const bool is_told = reference != R_NilValue || !base.has_references;
  const auto found = is_told ? places->find(key_of(reference, self == R_NilValue ? base.self : self, call)) : places->end();
  UNPROTECT(1);
  if (found == places->end()) return false;
  tell_place(found->second);
  return true;
}

// The frame of the outermost of the package's functions that called each other down to frame `n`, also through functions
// of base R and R6.
// [[Rcpp::export(rng = false)]]
SEXP cpp_entry_frame(SEXP calls, SEXP frames, SEXP parents, SEXP n) {
  return Rf_ScalarInteger(entry_of(calls, frames, parents, Rf_asInteger(n)));
}

// `self` of the innermost module that runs above frame `floor`, or NULL.
// [[Rcpp::export(rng = false)]]
SEXP cpp_running_self(SEXP frames, SEXP floor) { return running_self(frames, Rf_asInteger(floor)); }

// Tells the shim the place of what frame `n` does. What calls and frames there are is R's to say; `floor`: the frames up
// to it are the tracer's.
// [[Rcpp::export(rng = false)]]
SEXP cpp_set_place(SEXP calls, SEXP frames, SEXP parents, SEXP n, SEXP floor) {
  const int bottom = Rf_asInteger(floor);
  const int entry = entry_of(calls, frames, parents, Rf_asInteger(n));
  SEXP reference = reference_of(calls, entry, bottom);
  SEXP self = reference == R_NilValue ? running_self(frames, bottom) : R_NilValue;
  const uint64_t key = key_of(reference, self, entry > 0 ? nth(calls, entry) : R_NilValue);
  if (!references) R_PreserveObject(references = Rf_cons(R_NilValue, R_NilValue));
  note_base(calls, frames, parents, entry, bottom, reference);
  if (!places) places = new std::unordered_map<uint64_t, Place>();
  auto found = places->find(key);
  if (found == places->end()) {
    SEXP at = PROTECT(Rf_ScalarInteger(entry));
    SEXP made = PROTECT(call_package("new_place", at, self));
    SETCDR(references, Rf_cons(reference, CDR(references)));
    const int* it = INTEGER(made);
    found = places->emplace(key, Place{it[0], static_cast<size_t>(it[1]), static_cast<size_t>(it[2])}).first;
    UNPROTECT(2);
  }
  tell_place(found->second);
  return R_NilValue;
}

// When a trace begins and when it ends: the numbers of sources are those of one trace.
// [[Rcpp::export(rng = false)]]
SEXP cpp_forget_places() {
  if (places) places->clear();
  base = {};
  if (references) {
    SETCDR(references, R_NilValue);
    SET_TAG(references, R_NilValue);
  }
  return R_NilValue;
}
