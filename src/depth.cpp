// Looks how deep lists are nested, with a stack of its own: R's serialize() uses C's, and may end the session.
#include "depth.h"

#include "r.h"

namespace {

bool is_deep(SEXP x) {
  struct Level {
    SEXP list;
    R_xlen_t next;
  };
  const auto room = [](SEXP x) { return TYPEOF(x) == VECSXP && XLENGTH(x) > 0; };
  if (!room(x)) return false;
  auto* levels = reinterpret_cast<Level*>(R_alloc(kDeepest + 1, sizeof(Level)));
  int depth = 0;
  levels[0] = {x, 0};
  while (depth >= 0) {
    Level& level = levels[depth];
    if (level.next == XLENGTH(level.list)) {
      --depth;
      continue;
    }
    SEXP element = VECTOR_ELT(level.list, level.next++);
    if (!room(element)) continue;
    if (depth == kDeepest) return true;
    levels[++depth] = {element, 0};
  }
  return false;
}

}  // namespace

// Whether lists are nested in `x` deeper than a file may hold them.
// [[Rcpp::export(rng = false)]]
SEXP cpp_is_deep_list(SEXP x) {
  const void* memory = vmaxget();
  const bool deep = is_deep(x);
  vmaxset(memory);
  return Rf_ScalarLogical(deep);
}
