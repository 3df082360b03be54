// Finds where the user's code is, before each operator of a trace. It must cost little beside LibTorch's recording.
#include <algorithm>
#include <climits>
#include <cstring>
#include <unordered_map>
#include <vector>

#include "trace.h"

namespace {

// --- whose code a frame runs ------------------------------------------------------------------------------------------------

// Packages whose functions only call what the user gave them, as those of base R do.
constexpr const char* kCallers[] = {"R6", "magrittr", "methods", "purrr", "stats", "utils"};
enum class Home { package, base, user };

bool is_namespace(SEXP env, const char* name) {
  return R_IsNamespaceEnv(env) && std::strcmp(CHAR(STRING_ELT(R_NamespaceEnvSpec(env), 0)), name) == 0;
}

Home home_of_function(SEXP env) {
  static SEXP record = Rf_install(".record");
  // A function of autograd_function() counts as the package's.
  if (argument_of(env, record) != R_UnboundValue) return Home::package;
  for (; env != R_EmptyEnv; env = enclosing_environment(env)) {
    if (env == package_namespace()) return Home::package;
    if (env == R_BaseEnv || env == R_BaseNamespace) return Home::base;
    if (env == R_GlobalEnv) break;
    if (!R_IsNamespaceEnv(env)) continue;
    for (const char* name : kCallers) {
      if (is_namespace(env, name)) return Home::base;
    }
    return Home::user;
  }
  return Home::user;
}

Home home_of(SEXP frame) { return home_of_function(enclosing_environment(frame)); }

bool is_pipe(SEXP frame) {
  SEXP env = enclosing_environment(frame);
  if (is_namespace(env, "magrittr")) return true;
  // A function that `. %>% f()` makes has an environment of its own.
  return env != R_EmptyEnv && is_namespace(enclosing_environment(env), "magrittr");
}

SEXP nth(SEXP frames, int n) { return CAR(Rf_nthcdr(frames, n - 1)); }

// Whether a call is one of a function that a generator put in place of itself.
bool is_written(SEXP call) {
  static SEXP written = Rf_install("written");
  return TYPEOF(call) == LANGSXP && TYPEOF(CAR(call)) == CLOSXP && Rf_getAttrib(CAR(call), written) != R_NilValue;
}

// --- hashes of calls --------------------------------------------------------------------------------------------------

uint64_t mix(uint64_t hash, uint64_t with) {
  hash ^= with + 0x9E3779B97F4A7C15ull + (hash << 6) + (hash >> 2);
  return hash * 0xBF58476D1CE4E5B9ull;
}
uint64_t mix(uint64_t hash, const void* address) { return mix(hash, reinterpret_cast<uintptr_t>(address)); }

// Equal calls have equal hashes, also if their objects differ. Sizes of a trace notice when they are read: they, and
// all other values that can't be written in code, are hashed by their address.
uint64_t hash_of(uint64_t hash, SEXP x) {
  static SEXP as_double = Rf_install("as.double"), as_numeric = Rf_install("as.numeric");
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
      // R shows a call of as.numeric() as one of as.double().
      return mix(hash, x == as_double ? as_numeric : x);
  }
}

SEXP reference_of(SEXP call) {
  static SEXP srcref = Rf_install("srcref");
  return Rf_getAttrib(call, srcref);
}

// R copies a reference to the source whenever it hands out the call, so references are compared by what they say.
uint64_t hash_of_reference(SEXP reference) {
  static SEXP srcfile = Rf_install("srcfile");
  uint64_t hash = mix(1, Rf_getAttrib(reference, srcfile));
  if (TYPEOF(reference) != INTSXP) return mix(hash, reference);
  for (R_xlen_t i = 0; i < XLENGTH(reference); ++i) hash = mix(hash, static_cast<uint64_t>(INTEGER(reference)[i]));
  return hash;
}

// --- who called ------------------------------------------------------------------------------------------------------

// R's stack as sys.calls(), sys.frames() and sys.parents() show it. Frames are numbered from 1.
struct Stack {
  SEXP calls, frames, parents;
  SEXP call(int n) const { return nth(calls, n); }
  SEXP frame(int n) const { return nth(frames, n); }
  int parent(int n) const { return INTEGER(parents)[n - 1]; }
};

uint64_t hash_of_call(SEXP head, SEXP arguments) {
  uint64_t hash = mix(hash_of(mix(0, static_cast<uint64_t>(LANGSXP)), head), R_NilValue);
  for (; arguments != R_NilValue; arguments = CDR(arguments)) hash = mix(hash_of(hash, CAR(arguments)), TAG(arguments));
  return hash;
}

bool holds(SEXP expression, uint64_t call, uint64_t without_dot) {
  if (TYPEOF(expression) != LANGSXP) return false;
  const uint64_t own = hash_of(0, expression);
  if (own == call || own == without_dot) return true;
  for (; expression != R_NilValue; expression = CDR(expression)) {
    if (holds(CAR(expression), call, without_dot)) return true;
  }
  return false;
}

// Whether the call of a frame is part of an expression. magrittr puts `.` before the arguments of a step that has none.
bool holds(SEXP expression, const Stack& stack, int n) {
  static SEXP dot = Rf_install("."), generic = Rf_install(".Generic");
  SEXP call = stack.call(n);
  if (TYPEOF(call) != LANGSXP) return false;
  // In the call of a method R replaces the generic's name by the method's.
  SEXP head = argument_of(stack.frame(n), generic), arguments = CDR(call);
  head = TYPEOF(head) == STRSXP && XLENGTH(head) == 1 ? Rf_installTrChar(STRING_ELT(head, 0)) : CAR(call);
  const bool has_dot = CAR(arguments) == dot && TAG(arguments) == R_NilValue;
  return holds(expression, hash_of_call(head, arguments), hash_of_call(head, has_dot ? CDR(arguments) : arguments));
}

// The last frame of magrittr's below frame `n` and above frame `floor`, or 0.
int pipe_below(const Stack& stack, int n, int floor) {
  while (--n > floor) {
    if (is_pipe(stack.frame(n))) return n;
  }
  return 0;
}

// Whether a frame belongs to a function that magrittr made of one step, and that its freduce() calls.
bool is_step(const Stack& stack, int n) {
  const int parent = stack.parent(n);
  return parent > 0 && parent < n && TYPEOF(CAR(stack.call(n))) == LANGSXP && is_pipe(stack.frame(parent));
}

// The frame that made the call of frame `n`. For a step of a pipe it is the frame that wrote the pipe.
int caller_of(const Stack& stack, int n) {
  const int parent = stack.parent(n);
  if (parent < n) return parent;
  // R names a frame as its own caller in two cases. The call was evaluated in an environment that no frame has, as
  // magrittr does it. Or C++ made the call, from the frame below.
  const int pipe = pipe_below(stack, n, 0);
  return pipe > 0 && holds(stack.call(pipe), stack, n) ? caller_of(stack, pipe) : n - 1;
}

// The way by which R came from the user's code to a frame.
struct Way {
  int entry;   // the outermost of the package's functions that called each other down to the frame
  int called;  // what the user's code called: the entry, or what called that for the user, such as lapply()
  int caller;  // the frame of the user's code, or 0
};

// Follows the callers of frames. It does not go down the stack frame by frame, since the user's own arguments are
// evaluated there too.
Way way_to(const Stack& stack, int n, int floor) {
  Way way{n, n, 0};
  bool piped = false;
  while (true) {
    const int last = way.caller > 0 ? way.caller : n;
    way.caller = last > 0 ? caller_of(stack, last) : 0;
    if (way.caller <= floor) {
      way.caller = 0;
      return way;
    }
    SEXP frame = stack.frame(way.caller);
    if (is_pipe(frame) || is_step(stack, way.caller)) {
      piped = true;
      continue;
    }
    const Home home = is_written(stack.call(way.caller)) ? Home::package : home_of(frame);
    if (home == Home::user) return way;
    if (home == Home::package) way.entry = way.caller;
    if (home == Home::package || !piped) way.called = way.caller;
  }
}

// The frame whose call has the reference to the statement that R is at in the user's code, or 0.
int statement_of(const Stack& stack, const Way& way, int floor) {
  // What the code itself called has a reference of its own. An argument that is evaluated later has the reference of
  // the function that needs it.
  for (int i = way.caller + 1; way.caller > 0 && i <= way.called; ++i) {
    if (stack.parent(i) == way.caller && reference_of(stack.call(i)) != R_NilValue) return i;
  }
  for (int i = way.called; i > floor; --i) {
    if (reference_of(stack.call(i)) != R_NilValue) return i;
  }
  return 0;
}

// Of the steps of a pipe that are equal calls, the number of those that wait for this one.
int waiting_steps(const Stack& stack, int pipe, int n) {
  if (pipe == 0) return 0;
  const uint64_t own = hash_of(0, stack.call(n));
  int waiting = 0;
  for (int i = pipe + 1; i < n; ++i) waiting += hash_of(0, stack.call(i)) == own;
  return waiting;
}

// A hash of the names of a function and its callers, by which functions without a file are told apart.
uint64_t hash_of_callers(const Stack& stack, int caller, int floor) {
  uint64_t hash = 0;
  for (int level = 0; level < 3 && caller > floor; ++level, caller = caller_of(stack, caller)) {
    hash = mix(hash, CAR(stack.call(caller)));
  }
  return hash;
}

// --- modules ---------------------------------------------------------------------------------------------------------

// The `self` of the module whose method a frame runs, or NULL.
SEXP self_of(SEXP frame) {
  static SEXP self = Rf_install("self"), classes = Rf_install(".classes");
  SEXP env = enclosing_environment(frame);
  if (env == R_GlobalEnv || env == R_EmptyEnv || env == R_BaseEnv || R_IsNamespaceEnv(env)) return R_NilValue;
  SEXP value = argument_of(env, self);
  if (TYPEOF(value) != ENVSXP || argument_of(enclosing_environment(env), classes) == R_UnboundValue) return R_NilValue;
  return value;
}

// The `self` of the innermost module that runs above frame `floor` and not above frame `top`, or NULL.
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
// Keeps references to sources alive, so that another object can't get the address of one. Its tag keeps what `base`
// holds.
SEXP references = nullptr;

// What R's stack was like below the last call for which it was searched frame by frame. An operator that is reached
// from the same frame at the same depth has the same stack below it.
struct Base {
  SEXP caller;       // the frame of the user's code
  SEXP self;         // the module that runs there
  int depth;         // number of the frame that the user's code called
  int statement;     // number of the frame with the reference to the user's statement, or 0
  uint64_t callers;  // hash of the names of the user's function and its callers
};
Base base{};

// A key for one of the calls in a statement.
uint64_t key_of_part(SEXP statement, SEXP call, int waiting) {
  return mix(hash_of(hash_of_reference(statement), call), static_cast<uint64_t>(waiting) + 1);
}
uint64_t key_of_call(SEXP self, uint64_t callers, SEXP call) { return hash_of(mix(mix(0, self), callers), call); }

// A call of an R function that tells about the frame in which it is called, such as sys.call().
SEXP call_of(const char* function) {
  SEXP call = Rf_lang1(Rf_findFun(Rf_install(function), R_BaseEnv));
  R_PreserveObject(call);
  return call;
}

// Remembers the stack below the function that the user's code called.
void note_base(const Stack& stack, const Way& way, int statement, int floor) {
  base = {};
  // The quick way asks R for the callers, and R does not know the caller of a step of a pipe.
  if (way.caller == 0 || stack.parent(way.called) != way.caller) return;
  SEXP caller = stack.frame(way.caller), self = running_self(stack.frames, floor, way.called - 1);
  base = {caller, self, way.called, statement, hash_of_callers(stack, way.caller, floor)};
  SET_TAG(references, Rf_cons(caller, self));
}

void tell_place(const Place& it) { check(shim().ts_trace_place(it.source, it.begin, it.end)); }

}  // namespace

bool mark_known_place(SEXP frame) {
  // At most so many functions of the package call each other.
  constexpr int kMost = 8;
  static SEXP parent = call_of("parent.frame"), depth = call_of("sys.nframe"), own_call = call_of("sys.call");
  static SEXP call_at = nullptr;
  if (!call_at) {
    R_PreserveObject(call_at = Rf_lang2(CAR(own_call), Rf_ScalarInteger(0)));
  }
  if (!base.caller) return false;
  SEXP called = frame, self = R_NilValue;
  for (int i = 0; i < kMost; ++i) {
    if (self == R_NilValue) self = self_of(frame);
    frame = Rf_eval(parent, frame);
    if (frame == base.caller) break;
    if (frame == R_GlobalEnv || home_of(frame) == Home::user) return false;
    called = frame;
  }
  if (frame != base.caller || Rf_asInteger(Rf_eval(depth, called)) != base.depth) return false;
  SEXP call = PROTECT(Rf_eval(own_call, called)), statement = R_NilValue;
  if (base.statement == base.depth) {
    statement = reference_of(call);
  } else if (base.statement > 0) {
    INTEGER(CADR(call_at))[0] = base.statement;
    statement = reference_of(Rf_eval(call_at, called));
  }
  PROTECT(statement);
  // If another call has the reference than before, the stack must be searched frame by frame.
  const bool is_told = base.statement == 0 || statement != R_NilValue;
  const uint64_t key = base.statement == 0           ? key_of_call(self == R_NilValue ? base.self : self, base.callers, call)
                       : base.statement == base.depth ? hash_of_reference(statement)
                                                      : key_of_part(statement, call, 0);
  const auto found = is_told ? places->find(key) : places->end();
  UNPROTECT(2);
  if (found == places->end()) return false;
  tell_place(found->second);
  return true;
}

// The outermost frame of the package's functions that called each other down to frame `n`, also through functions that
// only call what they are given.
// [[Rcpp::export(rng = false)]]
SEXP cpp_entry_frame(SEXP calls, SEXP frames, SEXP parents, SEXP n) {
  return Rf_ScalarInteger(way_to({calls, frames, parents}, Rf_asInteger(n), 0).entry);
}

// Whether a function with this environment only calls what it is given.
// [[Rcpp::export(rng = false)]]
SEXP cpp_calls_on(SEXP env) { return Rf_ScalarLogical(home_of_function(env) == Home::base); }

// The `self` of the innermost module that runs above frame `floor`, or NULL.
// [[Rcpp::export(rng = false)]]
SEXP cpp_running_self(SEXP frames, SEXP floor) { return running_self(frames, Rf_asInteger(floor)); }

// The way from the user's code to frame `n`, as a vector of numbers: the frame that the user's code called, the frame
// that has the reference to the statement, the pipe whose step this is, how many equal steps wait for this one; then
// the frame of the user's code and its callers, the innermost first.
// [[Rcpp::export(rng = false)]]
SEXP cpp_way(SEXP calls, SEXP frames, SEXP parents, SEXP n, SEXP floor) {
  const Stack stack{calls, frames, parents};
  const int bottom = Rf_asInteger(floor);
  const Way way = way_to(stack, Rf_asInteger(n), bottom);
  const int pipe = pipe_below(stack, way.called, way.caller);
  std::vector<int> way_down{way.called, statement_of(stack, way, bottom), pipe, waiting_steps(stack, pipe, way.called)};
  for (int caller = way.caller; caller > bottom; caller = caller_of(stack, caller)) way_down.push_back(caller);
  SEXP out = Rf_allocVector(INTSXP, static_cast<R_xlen_t>(way_down.size()));
  std::copy(way_down.begin(), way_down.end(), INTEGER(out));
  return out;
}

// Tells the shim where frame `n` is. Frames up to `floor` belong to the tracer. The caller passes the calls and frames,
// since they would be others inside of this function.
// [[Rcpp::export(rng = false)]]
SEXP cpp_set_place(SEXP calls, SEXP frames, SEXP parents, SEXP n, SEXP floor) {
  const Stack stack{calls, frames, parents};
  const int bottom = Rf_asInteger(floor);
  const Way way = way_to(stack, Rf_asInteger(n), bottom);
  const int statement = statement_of(stack, way, bottom);
  SEXP call = way.called > 0 ? stack.call(way.called) : R_NilValue;
  SEXP reference = PROTECT(statement > 0 ? reference_of(stack.call(statement)) : R_NilValue);
  SEXP self = statement == 0 ? running_self(frames, bottom) : R_NilValue;
  const int waiting = waiting_steps(stack, pipe_below(stack, way.called, way.caller), way.called);
  const uint64_t key = statement == 0            ? key_of_call(self, hash_of_callers(stack, way.caller, bottom), call)
                       : statement == way.called ? hash_of_reference(reference)
                                                 : key_of_part(reference, call, waiting);
  if (!references) R_PreserveObject(references = Rf_cons(R_NilValue, R_NilValue));
  note_base(stack, way, statement, bottom);
  if (!places) places = new std::unordered_map<uint64_t, Place>();
  auto found = places->find(key);
  if (found == places->end()) {
    SEXP at = PROTECT(Rf_duplicate(n));
    SEXP made = PROTECT(call_package("new_place", at, self));
    SETCDR(references, Rf_cons(reference, CDR(references)));
    const int* it = INTEGER(made);
    found = places->emplace(key, Place{it[0], static_cast<size_t>(it[1]), static_cast<size_t>(it[2])}).first;
    UNPROTECT(2);
  }
  tell_place(found->second);
  UNPROTECT(1);
  return R_NilValue;
}

// Called when a trace begins and when it ends: numbers of sources belong to one trace.
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
