// The kinds of TorchScript values: all that the glue knows of one stands in its row of the table.
#pragma once
#include "reader.h"

struct ValueKind {
  ts_kind kind;
  // Where it stands among the overloads of an operator: tensors before numbers, numbers before lists, names last.
  int weight;
  // What reading `x` as the type costs; -1 if it does not fit.
  int (*cost)(SEXP x, const ts_type& type, uint8_t flags);
  // The same of a vector that stands for a list of them; NULL if none does.
  int (*vector_cost)(SEXP x, const ts_type& element);
  bool (*read)(Reader& reader, SEXP x, const ts_type& type, ts_value* out);
  // The value that a name in an R list stands for, as a key of a dict; NULL if names are no such keys.
  bool (*key)(SEXP name, ts_value* out);
  // What fits, in R's words, and what fits a list of them; NULL where the type itself must be asked.
  const char* words;
  const char* list_words;
  void (*describe)(const ts_type& type, Text& out);
};

const ValueKind& kind_of(const ts_type& type);

// The rank of a type among the overloads of an operator.
int weight(const ts_type& type);
// What a vector costs that stands for a list of such elements; -1 if it does not fit.
int cost_of_vector_list(SEXP x, const ts_type& element);
