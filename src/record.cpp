// Records of operators: what R knows of an operator, found in LibTorch's registry at its first call. Also reads the
// formals of a call.
#include "op.h"

#include <cstdio>
#include <cstdlib>
#include <cstring>

#include "resolve.h"
#include "text.h"

namespace {

// A table of records by the address of the key, a CHARSXP that R preserves together with the record.
struct Entry {
  SEXP key;
  Op* op;
};
Entry* entries = nullptr;
size_t n_entries = 0, capacity = 0;

size_t place(SEXP key, const Entry* table, size_t size) {
  size_t i = (reinterpret_cast<uintptr_t>(key) >> 4) * 0x9E3779B97F4A7C15ull >> 20 & (size - 1);
  while (table[i].key && table[i].key != key) i = (i + 1) & (size - 1);
  return i;
}

void remember(SEXP key, Op* op) {
  if (2 * (n_entries + 1) > capacity) {
    const size_t size = capacity ? 2 * capacity : 1024;
    auto* table = static_cast<Entry*>(std::calloc(size, sizeof(Entry)));
    for (size_t i = 0; i < capacity; ++i)
      if (entries[i].key) table[place(entries[i].key, table, size)] = entries[i];
    std::free(entries);
    entries = table;
    capacity = size;
  }
  R_PreserveObject(key);
  entries[place(key, entries, capacity)] = {key, op};
  ++n_entries;
}

SEXP element(SEXP list, const char* name) {
  SEXP names = Rf_getAttrib(list, R_NamesSymbol);
  for (R_xlen_t i = 0; i < Rf_xlength(list); ++i)
    if (std::strcmp(CHAR(STRING_ELT(names, i)), name) == 0) return VECTOR_ELT(list, i);
  return R_NilValue;
}

bool contains(SEXP strings, const char* text) {
  for (R_xlen_t i = 0; i < Rf_xlength(strings); ++i)
    if (std::strcmp(CHAR(STRING_ELT(strings, i)), text) == 0) return true;
  return false;
}

// The name of the formal for an argument of a schema: the facts may rename it.
const char* formal_of(SEXP rename, const char* argument) {
  SEXP names = Rf_getAttrib(rename, R_NamesSymbol);
  for (R_xlen_t i = 0; i < Rf_xlength(rename); ++i)
    if (std::strcmp(CHAR(STRING_ELT(names, i)), argument) == 0) return CHAR(STRING_ELT(rename, i));
  return argument;
}

bool has_out(const ts_schema& schema) {
  for (size_t i = 0; i < schema.n_arguments; ++i)
    if (schema.arguments[i].is_out) return true;
  return false;
}

// Whether an overload takes names of dimensions, which tensors in R do not have. LibTorch would take any string for
// one.
bool has_dimnames(const ts_schema& schema) {
  for (size_t i = 0; i < schema.n_arguments; ++i) {
    const ts_type* type = schema.arguments[i].type;
    while (type->kind == TS_KIND_OPTIONAL || type->kind == TS_KIND_LIST) type = type->items[0];
    const char* name = schema.arguments[i].name;
    const bool names_it = std::strstr(name, "dim") || std::strcmp(name, "names") == 0;
    if (type->kind == TS_KIND_STRING && names_it) return true;
  }
  return false;
}

int tensors_in(const ts_schema& schema) {
  int n = 0;
  for (size_t i = 0; i < schema.n_arguments; ++i) n += schema.arguments[i].type->kind == TS_KIND_TENSOR;
  return n;
}

bool holds_integers(const ts_type& type) {
  if (type.kind == TS_KIND_OPTIONAL || type.kind == TS_KIND_LIST) return holds_integers(*type.items[0]);
  return type.kind == TS_KIND_INT;
}

Candidate& add_candidate(Op* op, const ts_callable* callable, SEXP facts) {
  Candidate& it = op->candidates[op->n_candidates];
  it = Candidate{};
  it.callable = callable;
  it.schema = shim().ts_callable_schema(callable);
  SEXP rename = element(facts, "rename"), positions = element(facts, "positions"), index = element(facts, "index"),
       whole = element(facts, "whole");
  const bool promote = tensors_in(*it.schema) > 1;
  for (size_t i = 0; i < it.schema->n_arguments; ++i) {
    const ts_argument& argument = it.schema->arguments[i];
    const char* formal = formal_of(rename, argument.name);
    it.slot[i] = -1;
    for (int slot = 0; slot < op->n_slots; ++slot)
      if (std::strcmp(op->slots[slot].name, formal) == 0) it.slot[i] = static_cast<int16_t>(slot);
    // Positions may be integers or a tensor: the type in this overload tells which.
    if (contains(positions, argument.name) && holds_integers(*argument.type)) it.flags[i] |= kPosition;
    if (contains(index, argument.name) && !holds_integers(*argument.type)) it.flags[i] |= kIndexTensor;
    if (promote) it.flags[i] |= kPromote;
    if (contains(whole, argument.name)) it.flags[i] |= kWhole;
    const bool stored = std::strcmp(argument.name, "value") == 0 || std::strcmp(argument.name, "fill_value") == 0;
    if (stored && argument.type->kind == TS_KIND_NUMBER) it.flags[i] |= kStored;
  }
  SEXP results = element(facts, "results");
  for (R_xlen_t i = 0; i < Rf_xlength(results); ++i) {
    const int result = INTEGER(results)[i] - 1;
    if (result < static_cast<int>(it.schema->n_returns)) it.position_results |= uint32_t{1} << result;
  }
  // A list counts as one result, but each of its tensors holds positions.
  if (it.position_results && it.schema->returns[0].type->kind == TS_KIND_LIST) it.position_results = UINT32_MAX;
  it.makes_tensor = it.schema->n_returns == 1 && it.schema->returns[0].type->kind == TS_KIND_TENSOR &&
                    !it.schema->returns[0].is_write;
  for (size_t i = 0; i < it.schema->n_arguments; ++i) it.writes = it.writes || it.schema->arguments[i].is_write;
  ++op->n_candidates;
  return it;
}

// Whether `results` of the facts holds for an overload: it may be limited to a number of results or to names of
// overloads.
bool results_apply(const ts_schema& schema, SEXP facts) {
  SEXP wanted = element(facts, "results_of");
  if (Rf_xlength(wanted) == 0) return true;
  char number[24];
  std::snprintf(number, sizeof number, "%zu", schema.n_returns);
  return contains(wanted, number) || contains(wanted, schema.overload);
}

bool is_or_holds(const ts_type& type, ts_kind kind) {
  return type.kind == kind || (type.kind == TS_KIND_LIST && type.items[0]->kind == kind);
}

// Finds further names for the arguments of `it`: those that other overloads have in the same places.
void find_siblings(const Op& op, Candidate& it) {
  uint64_t own = 0;
  for (size_t i = 0; i < it.schema->n_arguments; ++i)
    if (it.slot[i] >= 0) own |= uint64_t{1} << it.slot[i];
  for (int c = 0; c < op.n_candidates; ++c) {
    const Candidate& other = op.candidates[c];
    for (size_t i = 0; i < it.schema->n_arguments && i < other.schema->n_arguments; ++i) {
      const ts_argument &here = it.schema->arguments[i], &there = other.schema->arguments[i];
      const int slot = other.slot[i];
      if (slot < 0 || own >> slot & 1 || here.keyword_only || there.keyword_only || there.has_default) continue;
      const bool number = is_or_holds(*here.type, TS_KIND_NUMBER) || here.type->kind == TS_KIND_FLOAT;
      (number && is_or_holds(*there.type, TS_KIND_TENSOR) ? it.for_tensor : it.elsewhere)[i] |= uint64_t{1} << slot;
    }
  }
}

// Attaches the words that stand for numbers to the formals that take integers.
void find_words(const Op& op, SEXP words) {
  for (int c = 0; c < op.n_candidates; ++c)
    for (size_t i = 0; i < op.candidates[c].schema->n_arguments; ++i) {
      const int slot = op.candidates[c].slot[i];
      if (slot < 0) continue;
      SEXP known = element(words, op.slots[slot].name);
      if (known != R_NilValue && holds_integers(*op.candidates[c].schema->arguments[i].type)) op.slots[slot].words = known;
    }
}

Op* new_op(SEXP key) {
  SEXP name = PROTECT(Rf_ScalarString(key));
  SEXP facts = PROTECT(call_package("op_facts", name));
  R_PreserveObject(facts);
  SEXP formals = element(facts, "formals"), operators = element(facts, "operators");

  auto* op = static_cast<Op*>(std::calloc(1, sizeof(Op)));
  op->name = CHAR(key);
  op->is_r_operator = Rf_asLogical(element(facts, "is_r_operator")) == TRUE;
  op->n_slots = static_cast<int>(Rf_xlength(formals));
  if (op->n_slots > kMaxArguments) fail("torch_runtime_error", "`%s` has too many arguments.", op->name);
  op->slots = static_cast<Slot*>(std::calloc(op->n_slots + 1, sizeof(Slot)));
  SEXP names = Rf_getAttrib(formals, R_NamesSymbol);
  for (int slot = 0; slot < op->n_slots; ++slot) {
    SEXP value = VECTOR_ELT(formals, slot);
    op->slots[slot].name = CHAR(STRING_ELT(names, slot));
    op->slots[slot].symbol = Rf_installChar(STRING_ELT(names, slot));
    const bool none = value == R_MissingArg || TYPEOF(value) == LANGSXP || TYPEOF(value) == SYMSXP;
    op->slots[slot].default_value = none ? nullptr : value;
  }
  SEXP result_names = element(facts, "names");
  op->result_names = Rf_xlength(result_names) > 0 ? result_names : nullptr;

  const bool all = Rf_asLogical(element(facts, "all_overloads")) == TRUE;
  const auto find = all ? shim().ts_operator_find_all : shim().ts_operator_find;
  size_t total = 0;
  for (R_xlen_t i = 0; i < Rf_xlength(operators); ++i) {
    const ts_callable* const* overloads;
    size_t n = 0;
    check(find(CHAR(STRING_ELT(operators, i)), &overloads, &n));
    total += n;
  }
  op->candidates = static_cast<Candidate*>(std::calloc(total + 1, sizeof(Candidate)));
  // Overloads with `out` are used only if there are no others, or if all overloads are asked for.
  for (int pass = 0; pass < 2 && op->n_candidates == 0; ++pass)
    for (R_xlen_t i = 0; i < Rf_xlength(operators); ++i) {
      const ts_callable* const* overloads;
      size_t n = 0;
      check(find(CHAR(STRING_ELT(operators, i)), &overloads, &n));
      for (size_t j = 0; j < n; ++j) {
        const ts_schema& schema = *shim().ts_callable_schema(overloads[j]);
        if (!all && (has_dimnames(schema) || (pass == 0 && has_out(schema)))) continue;
        if (schema.n_arguments > kMaxArguments) continue;
        Candidate& it = add_candidate(op, overloads[j], facts);
        if (!results_apply(schema, facts)) it.position_results = 0;
      }
    }
  if (op->n_candidates == 0) {
    SEXP since = element(facts, "since");
    if (Rf_xlength(since) == 1 && STRING_ELT(since, 0) != NA_STRING)
      fail_lacking(op->name, CHAR(STRING_ELT(since, 0)));
    fail("not_implemented_error", "`%s` is not in LibTorch %s.", op->name, shim().ts_built_for());
  }
  rank(op->candidates, op->n_candidates);
  for (int c = 0; c < op->n_candidates; ++c) find_siblings(*op, op->candidates[c]);
  find_words(*op, element(facts, "words"));
  UNPROTECT(2);
  return op;
}

// Whether a value equals the default of the formal, which counts as not given.
bool is_default(SEXP value, SEXP default_value) {
  if (value == default_value) return true;
  if (!default_value || TYPEOF(value) != TYPEOF(default_value) || Rf_isObject(value)) return false;
  if (TYPEOF(value) == NILSXP) return true;
  if (!Rf_isVectorAtomic(value)) return false;
  const R_xlen_t n = XLENGTH(value);
  if (n != XLENGTH(default_value)) return false;
  switch (TYPEOF(value)) {
    case LGLSXP:
    case INTSXP: return std::memcmp(INTEGER(value), INTEGER(default_value), n * sizeof(int)) == 0;
    case REALSXP: return std::memcmp(REAL(value), REAL(default_value), n * sizeof(double)) == 0;
    case STRSXP: return n == 1 && STRING_ELT(value, 0) == STRING_ELT(default_value, 0);
    default: return false;
  }
}

// The number that a word stands for, or an R error.
SEXP number_of(SEXP word, const Slot& slot) {
  if (STRING_ELT(word, 0) != NA_STRING)
    if (SEXP number = element(slot.words, CHAR(STRING_ELT(word, 0))); number != R_NilValue) return number;
  char known[400];
  Text list(known, sizeof known);
  SEXP names = Rf_getAttrib(slot.words, R_NamesSymbol);
  for (R_xlen_t i = 0; i < XLENGTH(names); ++i) list << (i ? ", \"" : "\"") << CHAR(STRING_ELT(names, i)) << "\"";
  fail("value_error", "`%s` must be one of %s, not %s.", slot.name, known, friendly(word));
}

}  // namespace

SEXP given(const Slot& slot, SEXP frame) {
  if (slot.symbol == R_DotsSymbol) {
    if (Dots(frame).more()) fail("type_error", "`...` must be empty: the arguments after it go by name.");
    return nullptr;
  }
  SEXP value = argument_of(frame, slot.symbol);
  if (value == R_MissingArg || value == R_UnboundValue || is_default(value, slot.default_value)) return nullptr;
  if (slot.words && TYPEOF(value) == STRSXP && XLENGTH(value) == 1) return number_of(value, slot);
  return value;
}

const Op& op_record(SEXP key) {
  if (capacity) {
    const Entry& entry = entries[place(key, entries, capacity)];
    if (entry.key) return *entry.op;
  }
  Op* op = new_op(key);
  remember(key, op);
  return *op;
}

// The schemas of a function's overloads, in the order of their rank.
// [[Rcpp::export(rng = false)]]
SEXP cpp_op_ranking(SEXP key) {
  const Op& op = op_record(STRING_ELT(key, 0));
  SEXP out = PROTECT(Rf_allocVector(STRSXP, op.n_candidates));
  for (int i = 0; i < op.n_candidates; ++i) SET_STRING_ELT(out, i, Rf_mkChar(op.candidates[i].schema->text));
  UNPROTECT(1);
  return out;
}

// For an operator "ns::op", by the overload that LibTorch lists first: the kinds of its arguments by name, and the
// kinds of its results.
// [[Rcpp::export(rng = false)]]
SEXP cpp_op_kinds(SEXP name) {
  return answered([&](ts_value* out, ts_arena** arena) {
    return shim().ts_operator_kinds(CHAR(STRING_ELT(name, 0)), out, arena);
  });
}

// All schemas in one of `registries`.
// [[Rcpp::export(rng = false)]]
SEXP cpp_operator_schemas(SEXP registry) {
  return answered(
      [&](ts_value* out, ts_arena** arena) { return shim().ts_operator_schemas(Rf_asInteger(registry), out, arena); });
}

// Whether LibTorch has an operator of this name, such as "aten::add".
// [[Rcpp::export(rng = false)]]
SEXP cpp_has_operator(SEXP name) {
  const ts_callable* const* overloads;
  size_t n = 0;
  check(shim().ts_operator_find_all(CHAR(STRING_ELT(name, 0)), &overloads, &n));
  return Rf_ScalarLogical(n > 0);
}
