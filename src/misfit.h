// What fits a type, in R's words.
#pragma once
#include "text.h"
#include "to-value.h"

void describe(const ts_type& type, Text& out);
// What makes such a value one of the type, a sentence with a space before it, or nothing.
const char* misfit_hint(SEXP x, const ts_type& type);

// Of the kinds whose words the type itself has a part in.
void describe_optional(const ts_type& type, Text& out);
void describe_list(const ts_type& type, Text& out);
void describe_tuple(const ts_type& type, Text& out);
void describe_dict(const ts_type& type, Text& out);
void describe_enum(const ts_type& type, Text& out);
void describe_future(const ts_type& type, Text& out);
void describe_union(const ts_type& type, Text& out);
void describe_object(const ts_type& type, Text& out);
void describe_by_name(const ts_type& type, Text& out);
