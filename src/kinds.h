// The kinds of TorchScript values. A row of the table holds all that the glue knows of a kind.
#pragma once
#include "reader.h"

struct ValueKind {
  ts_kind kind;
  // Its rank when overloads are sorted: tensors before numbers, numbers before lists, names last.
  int weight;
  // The cost of reading `x` as the type; -1: it does not fit.
  int (*cost)(SEXP x, const ts_type& type, uint8_t flags);
  // The cost of reading a vector as a list of such values; NULL: no vector is such a list.
  int (*vector_cost)(SEXP x, const ts_type& element);
  bool (*read)(Reader& reader, SEXP x, const ts_type& type, ts_value* out);
  // Makes a key of a dict from a name in an R list; NULL: a name can be no such key.
  bool (*key)(SEXP name, ts_value* out);
  // How messages call a value that fits, and a list of such values. NULL: describe() makes the words from the type.
  const char* words;
  const char* list_words;
  void (*describe)(const ts_type& type, Text& out);
};

const ValueKind& kind_of(const ts_type& type);

// The rank of a type when overloads are sorted.
int weight(const ts_type& type);
// The cost of reading a vector as a list of such elements; -1: it does not fit.
int cost_of_vector_list(SEXP x, const ts_type& element);
