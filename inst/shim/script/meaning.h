// What is compiled for a name that lower.h has made: a handler for each kind of name, and for R's functions whose
// meaning is more than a table can say. meaning.cpp has the lists of them.
#pragma once
#include "script/compiler.h"

namespace shim::script {

using Handler = SugaredValuePtr (*)(Call&);

// variables.cpp
SugaredValuePtr assign(Call& call);
SugaredValuePtr assign_inside(Call& call);
SugaredValuePtr reassign(Call& call);
SugaredValuePtr begin(Call& call);
SugaredValuePtr may_begin(Call& call);
SugaredValuePtr defined(Call& call);
SugaredValuePtr give_back(Call& call);
SugaredValuePtr written(Call& call);
Value* copy_of(const Call& call, Value* value);
// Whether the value is `list()` or `jit_dict(character(0), list())`, which do not say what they hold.
bool is_made_empty(const Value* value);
// A list or dictionary of this type that holds nothing. NULL for all other types.
Value* empty_of(const Call& call, const TypePtr& type);
// The variable that is read, if all that is known of it is that it holds nothing. "" for all other values.
std::string unknown_variable(const Call& call, const Value* value);
// Whether a value may be, or be a part of, what is changed in place.
bool is_part_of_changed(const Instance& instance, const Value* value, int depth = 0);
// Whether a value is, or is a part of, a variable that owns its parts: they may be changed in place.
bool owner_holds(const Instance& instance, const Value* value);
SugaredValuePtr detach(Call& call);
SugaredValuePtr forked(Call& call);

// Elements of a list and their names, or "".
using Parts = std::vector<std::pair<std::string, Value*>>;

// lists.cpp
SugaredValuePtr make_list(Call& call);
SugaredValuePtr make_dict(Call& call);
SugaredValuePtr combine(Call& call);
SugaredValuePtr append(Call& call);
SugaredValuePtr make_vector(Call& call);
SugaredValuePtr range(Call& call);
SugaredValuePtr seq_len(Call& call);
SugaredValuePtr seq_along(Call& call);
SugaredValuePtr items(Call& call);
SugaredValuePtr elements(Call& call);
SugaredValuePtr same_length(Call& call);
SugaredValuePtr push(Call& call);
SugaredValuePtr as_list(Call& call);
SugaredValuePtr length_of(Call& call);
SugaredValuePtr positions_along(Call& call);
SugaredValuePtr names_of(Call& call);
SugaredValuePtr set_names(Call& call);
SugaredValuePtr named_like(Call& call);
SugaredValuePtr reversed(Call& call);
SugaredValuePtr one_kind(Call& call);
// A list whose elements are known, as a list or vector of the type that holds all of them. NULL for all other values, and if
// there is no such type.
Value* as_one_kind(const Call& call, Value* value);
// The same if all elements are single values: it is a vector with names.
Value* as_vector(const Call& call, Value* value);
SugaredValuePtr part_of_range(Call& call);
SugaredValuePtr each_like(Call& call);
SugaredValuePtr none_like(Call& call);
// The value that a list is made as, if its elements are known: nothing is put into it afterwards. NULL if they are not.
const Value* elements_known(const Value* list);
// The elements of a list with their names, or "". Fails if how many there are is not known.
Parts parts_with_names(const Call& call, Value* list);
// The strings of a vector that are known now. Nothing if one is not.
std::optional<std::vector<std::string>> known_strings(const Value* value);
// A list of these elements: all have names, or none.
Value* list_of_parts(const Call& call, const Parts& parts);
// `places_of()` makes a list of `n` NULLs, which may hold elements of the type. `count_of_places()` gives the n of such
// a list, and NULL for all other values.
Value* places_of(const Call& call, const TypePtr& element, Value* n);
Value* count_of_places(const Value* list);
Value* list_of(const Call& call, const TypePtr& element, const std::vector<Value*>& values);
Value* tuple_of(const Call& call, const std::vector<Value*>& values, const c10::TupleTypePtr& type = nullptr);

// messages.cpp
SugaredValuePtr paste(Call& call);
SugaredValuePtr letters(Call& call);
SugaredValuePtr error(Call& call);
SugaredValuePtr warn(Call& call);
SugaredValuePtr show(Call& call);
// The string that a value must be, which is known before the program runs.
std::string word(Call& call, Value* value, const std::string& what);

// formats.cpp
SugaredValuePtr format_text(Call& call);

// calls.cpp
SugaredValuePtr of_size(Call& call);
SugaredValuePtr is_kind(Call& call);
SugaredValuePtr class_of(Call& call);
SugaredValuePtr inherits(Call& call);
SugaredValuePtr call_function(Call& call);
SugaredValuePtr call_local(Call& call);
SugaredValuePtr call_super(Call& call);
SugaredValuePtr function_value(Call& call);
SugaredValuePtr spread(Call& call);
SugaredValuePtr invoke(Call& call);
SugaredValuePtr invoke_element(Call& call);

// members.cpp
SugaredValuePtr field(Call& call);
SugaredValuePtr field_or_null(Call& call);
SugaredValuePtr method(Call& call);
SugaredValuePtr put_field(Call& call);

// modules.cpp: the identifiers of a module's children, in their order.
std::vector<std::string> children_of(const c10::Type& module);

// meaning.cpp: the handler of one of R's functions, NULL if it has none.
Handler handler_of(const std::string& name);

}  // namespace shim::script
