// How messages describe a type, in words for R users.
#pragma once
#include "text.h"
#include "to-value.h"

void describe(const ts_type& type, Text& out);
// A hint how to make a value of the type from such a value: a sentence with a space before it, or "".
const char* misfit_hint(SEXP x, const ts_type& type);

// Descriptions of kinds that depend on more than the kind.
void describe_optional(const ts_type& type, Text& out);
void describe_list(const ts_type& type, Text& out);
void describe_tuple(const ts_type& type, Text& out);
void describe_dict(const ts_type& type, Text& out);
void describe_enum(const ts_type& type, Text& out);
void describe_future(const ts_type& type, Text& out);
void describe_union(const ts_type& type, Text& out);
void describe_object(const ts_type& type, Text& out);
void describe_by_name(const ts_type& type, Text& out);
