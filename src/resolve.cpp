#include "resolve.h"

#include "kinds.h"
#include "misfit.h"
#include "values.h"

#include <algorithm>
#include <cstdio>
#include <cstring>

namespace {

bool before(const Candidate& a, const Candidate& b) {
  const size_t n = std::min(a.schema->n_arguments, b.schema->n_arguments);
  for (size_t i = 0; i < n; ++i) {
    const int wa = weight(*a.schema->arguments[i].type), wb = weight(*b.schema->arguments[i].type);
    if (wa != wb) return wa < wb;
  }
  if (a.schema->n_arguments != b.schema->n_arguments) return a.schema->n_arguments < b.schema->n_arguments;
  return std::strcmp(a.schema->overload, b.schema->overload) < 0;
}

// The sum of the arguments' costs; -1 if the candidate can't take the values.
int cost_of_call(const Op& op, const Candidate& candidate, SEXP* values) {
  uint64_t used = 0;
  int total = 0;
  for (size_t i = 0; i < candidate.schema->n_arguments; ++i) {
    const ts_argument& argument = candidate.schema->arguments[i];
    int price;
    const int slot = slot_of(candidate, i, values, used, &price);
    SEXP value = slot < 0 ? nullptr : values[slot];
    if (slot >= 0) used |= uint64_t{1} << slot;
    if (!value) {
      if (argument.has_default) continue;
      if (slot < 0 || !op.slots[slot].default_value) return -1;
      value = op.slots[slot].default_value;
    }
    const int one = cost(value, *argument.type);
    if (one < 0) return -1;
    total += one + price;
  }
  for (int slot = 0; slot < op.n_slots; ++slot)
    if (values[slot] && !(used >> slot & 1)) return -1;
  return total;
}

// If a single argument keeps a candidate from taking the values: its slot, and in `wanted` the type that it should
// have. Otherwise -1.
int only_misfit(const Op& op, const Candidate& candidate, SEXP* values, const ts_type** wanted) {
  uint64_t used = 0;
  int found = -1;
  for (size_t i = 0; i < candidate.schema->n_arguments; ++i) {
    const ts_argument& argument = candidate.schema->arguments[i];
    int price;
    const int slot = slot_of(candidate, i, values, used, &price);
    if (slot < 0) {
      if (!argument.has_default) return -1;
      continue;
    }
    used |= uint64_t{1} << slot;
    SEXP value = values[slot] ? values[slot] : argument.has_default ? nullptr : op.slots[slot].default_value;
    if (value ? cost(value, *argument.type) >= 0 : argument.has_default) continue;
    if (found >= 0) return -1;
    found = slot;
    *wanted = argument.type;
  }
  for (int slot = 0; slot < op.n_slots; ++slot)
    if (values[slot] && !(used >> slot & 1)) return -1;
  return found;
}

// Raises "`dim` must be a whole number, not NA." if it is always the same argument that keeps a candidate from taking
// the values.
void tell_misfit(const Op& op, SEXP* values) {
  int slot = -1;
  constexpr size_t size = 1000;
  char* words = R_alloc(size, 1);
  char* one = R_alloc(size, 1);
  Text all(words, size);
  const ts_type* last = nullptr;
  for (int i = 0; i < op.n_candidates; ++i) {
    const ts_type* wanted = nullptr;
    const int found = only_misfit(op, op.candidates[i], values, &wanted);
    if (found < 0) continue;
    if (slot >= 0 && found != slot) return;
    slot = found;
    last = wanted;
    Text text(one, size);
    const bool optional = wanted->kind == TS_KIND_OPTIONAL;
    // Later types are described without "NULL or".
    describe(optional && *words ? *wanted->items[0] : *wanted, text);
    if (!std::strstr(words, one)) all << (*words ? " or " : "") << one;
  }
  if (slot < 0) return;
  const char* name = op.slots[slot].name;
  if (!values[slot]) fail("type_error", "`%s` is missing: it must be %s.", name, words);
  fail("type_error", "`%s` must be %s, not %s.%s", name, words, friendly(values[slot]), misfit_hint(values[slot], *last));
}

}  // namespace

int slot_of(const Candidate& candidate, size_t i, SEXP const* values, uint64_t used, int* price) {
  *price = 0;
  const int own = candidate.slot[i];
  if ((own >= 0 && values[own]) || !(candidate.for_tensor[i] | candidate.elsewhere[i])) return own;
  const uint64_t open = (candidate.for_tensor[i] | candidate.elsewhere[i]) & ~used;
  for (int slot = 0; slot < kMaxArguments; ++slot) {
    if (!(open >> slot & 1) || !values[slot]) continue;
    *price = candidate.for_tensor[i] >> slot & 1 ? kForTensor : kElsewhere;
    return slot;
  }
  return own;
}

void rank(Candidate* candidates, int n) { std::sort(candidates, candidates + n, before); }

const Candidate& resolve(const Op& op, SEXP* values) {
  const Candidate* best = nullptr;
  int lowest = 0;
  for (int i = 0; i < op.n_candidates; ++i) {
    const int total = cost_of_call(op, op.candidates[i], values);
    if (total < 0 || (best && total >= lowest)) continue;
    best = &op.candidates[i];
    lowest = total;
    if (total == 0) break;
  }
  if (best) return *best;

  tell_misfit(op, values);
  SEXP given = PROTECT(Rf_allocVector(VECSXP, op.n_slots));
  SEXP names = PROTECT(Rf_allocVector(STRSXP, op.n_slots));
  for (int slot = 0; slot < op.n_slots; ++slot) {
    SET_STRING_ELT(names, slot, values[slot] ? Rf_mkChar(op.slots[slot].name) : R_BlankString);
    SET_VECTOR_ELT(given, slot, values[slot] ? values[slot] : R_NilValue);
  }
  Rf_setAttrib(given, R_NamesSymbol, names);
  SEXP candidates = PROTECT(Rf_allocVector(STRSXP, op.n_candidates));
  for (int i = 0; i < op.n_candidates; ++i)
    SET_STRING_ELT(candidates, i, Rf_mkChar(op.candidates[i].schema->text));
  SEXP key = PROTECT(Rf_mkString(op.name));
  Rf_setAttrib(candidates, Rf_install("key"), key);
  SEXP message = PROTECT(call_package("no_overload_message", given, candidates));
  fail("type_error", "%s", CHAR(STRING_ELT(message, 0)));
}

const Candidate& resolve_call(const Op& op, SEXP given, SEXP* values) {
  const Candidate* best = nullptr;
  int lowest = 0;
  for (int c = 0; c < op.n_candidates; ++c) {
    const ts_schema& schema = *op.candidates[c].schema;
    SEXP bound[kMaxArguments], wrong;
    if (schema.n_arguments > kMaxArguments || !bind_arguments(schema, given, bound, &wrong)) continue;
    int total = 0;
    for (size_t i = 0; i < schema.n_arguments && total >= 0; ++i) {
      if (!bound[i]) {
        if (!schema.arguments[i].has_default) total = -1;
        continue;
      }
      const int one = cost(bound[i], *schema.arguments[i].type, kStrict);
      total = one < 0 ? -1 : total + one;
    }
    if (total < 0 || (best && total >= lowest)) continue;
    best = &op.candidates[c];
    lowest = total;
    std::memcpy(values, bound, sizeof bound);
  }
  if (best) return *best;

  const int n = Rf_length(given);
  SEXP list = PROTECT(Rf_allocVector(VECSXP, n));
  SEXP names = PROTECT(Rf_allocVector(STRSXP, n));
  int i = 0;
  for (SEXP cell = given; cell != R_NilValue; cell = CDR(cell), ++i) {
    SET_VECTOR_ELT(list, i, CAR(cell));
    char position[24];
    std::snprintf(position, sizeof position, "argument %d", i + 1);
    SET_STRING_ELT(names, i, TAG(cell) == R_NilValue ? Rf_mkChar(position) : PRINTNAME(TAG(cell)));
  }
  Rf_setAttrib(list, R_NamesSymbol, names);
  SEXP name = PROTECT(Rf_mkString(op.name));
  SEXP message = PROTECT(call_package("no_jit_overload_message", name, list));
  fail("type_error", "%s", CHAR(STRING_ELT(message, 0)));
}

bool bind_arguments(const ts_schema& schema, SEXP given, SEXP* values, SEXP* wrong, SEXP spellings) {
  const size_t n = schema.n_arguments;
  for (size_t i = 0; i < n; ++i) values[i] = nullptr;
  bool all_by_position = true;
  for (SEXP cell = given; cell != R_NilValue; cell = CDR(cell)) {
    if (TAG(cell) == R_NilValue) continue;
    all_by_position = false;
    const char* name = CHAR(PRINTNAME(TAG(cell)));
    size_t i = 0;
    while (i < n && std::strcmp(schema.arguments[i].name, name) != 0) ++i;
    if (i == n && spellings != R_NilValue)
      for (i = 0; i < n && std::strcmp(CHAR(STRING_ELT(spellings, i)), name) != 0;) ++i;
    if (i == n || values[i]) {
      *wrong = cell;
      return false;
    }
    values[i] = CAR(cell);
  }
  size_t next = 0;
  for (SEXP cell = given; cell != R_NilValue; cell = CDR(cell)) {
    if (!all_by_position && TAG(cell) != R_NilValue) continue;
    while (next < n && values[next]) ++next;
    if (next == n) {
      *wrong = cell;
      return false;
    }
    values[next] = CAR(cell);
  }
  return true;
}
