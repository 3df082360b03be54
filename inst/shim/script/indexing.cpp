// `x[...]` and `x[[...]]` of tensors, lists and dictionaries, and assignments to them. The payload of a call is the
// pattern that lower-indices.cpp describes. That of an assignment also has the name of the variable, "" if a part of
// one is assigned to.
#include <algorithm>

#include "script/builtins.h"
#include "script/meaning.h"

namespace shim::script {

using namespace torch::jit;
using c10::TypeKind;

namespace {

struct Entry {
  char kind;
  std::vector<Value*> values;
};

std::vector<Entry> entries_of(const Call& call, const std::string& pattern, size_t from) {
  std::vector<Entry> entries;
  size_t at = from;
  for (const char kind : pattern) {
    Entry entry{kind, {}};
    for (int n = kind == 's' ? 3 : kind == 'v' || kind == 'p' ? 1 : 0; n > 0; --n)
      entry.values.push_back(call.inputs.at(at++));
    entries.push_back(entry);
  }
  return entries;
}

bool is_vector(const Value* value) { return is_tensor(value) || is_list(value); }

Value* slice(const Call& call, Value* value, int64_t dim, const Entry& entry) {
  auto* start = call.position(entry.values[0]);
  auto* end = call.builtin("inner:end", {value, call.constant(dim), call.whole(entry.values[0], "the start of a slice"),
                                         call.whole(entry.values[1], "the end of a slice")});
  auto* step = call.whole(entry.values[2], "the step of a slice");
  return call.op("aten::slice", {value, call.constant(dim), start, end, step});
}

// Makes a tensor of positions from 0 of positions from 1. A mask stays a mask.
Value* positions(const Call& call, Value* value) { return call.builtin("inner:positions", {value}); }

// Applies one entry along a dimension. `kept`: whether the result still has that dimension, so that the next entry
// finds its own.
Value* apply(const Call& call, Value* value, int64_t dim, const Entry& entry, bool keep_dims, bool* kept) {
  *kept = true;
  switch (entry.kind) {
    case 'm':
      return value;
    case 'a':
      return call.op("aten::unsqueeze", {value, call.constant(dim)});
    case 's':
      return slice(call, value, dim, entry);
    default:
      break;
  }
  auto* at = entry.values[0];
  if (!is_vector(at)) {
    value = call.op("aten::select", {value, call.constant(dim), call.position(at, entry.kind == 'p')});
    *kept = keep_dims;
    return keep_dims ? call.op("aten::unsqueeze", {value, call.constant(dim)}) : value;
  }
  return call.builtin("inner:along", {value, call.constant(dim), positions(call, at)});
}

// The entry that is `..`; behind the last one if there is none.
size_t open_entry(const Call& call, const std::vector<Entry>& entries) {
  size_t open = entries.size();
  for (size_t i = 0; i < entries.size(); ++i) {
    if (entries[i].kind != 'e') continue;
    if (open != entries.size()) call.fail("Only one `..` is allowed in an index");
    open = i;
  }
  return open;
}

Value* part_of_tensor(Call& call, Value* value, const std::vector<Entry>& entries, bool keep_dims) {
  const size_t open = open_entry(call, entries);
  int64_t dim = 0;
  for (size_t i = 0; i < open; ++i) {
    bool kept;
    // A mask may have several dimensions, but then it is the only entry.
    value = apply(call, value, dim, entries[i], keep_dims, &kept);
    dim += kept;
  }
  // Entries behind `..` belong to the last dimensions.
  dim = -1;
  for (size_t i = entries.size(); i > open + 1; --i) {
    bool kept;
    value = apply(call, value, dim, entries[i - 1], keep_dims, &kept);
    dim -= kept;
  }
  return value;
}

// A negative position that is written as such leaves the element out.
bool is_left_out(Value* at) {
  const auto constant = known_value(at);
  return at->node()->kind() == c10::aten::neg || (constant && constant->isInt() && constant->toInt() < 0) ||
         (constant && constant->isDouble() && constant->toDouble() < 0);
}

// The only entry of an index of a list or vector. Positions that are numbers become whole numbers.
Entry entry_of_list(const Call& call, const std::vector<Entry>& entries) {
  if (entries.size() != 1) call.fail("a list or vector has one dimension");
  Entry entry = entries[0];
  if (entry.kind == 'p') entry.kind = 'v';
  if (entry.kind != 'm' && entry.kind != 's' && entry.kind != 'v') call.fail("this index is for tensors");
  if (entry.kind == 'v' && is_list(entry.values[0]) && element_type(entry.values[0])->kind() == TypeKind::FloatType)
    entry.values[0] = call.as(entry.values[0], c10::ListType::create(c10::IntType::get()));
  return entry;
}

Value* part_of_list(Call& call, Value* value, const std::vector<Entry>& entries) {
  const auto entry = entry_of_list(call, entries);
  if (entry.kind == 'm') return value;
  if (entry.kind == 's')
    return call.builtin("inner:get_slice",
                        {value, call.whole(entry.values[0], "a position"), call.whole(entry.values[1], "a position"),
                         call.whole(entry.values[2], "a step")});
  auto* at = entry.values[0];
  if (is_list(at)) return call.builtin("inner:get_many", {value, at});
  // A mask of one is recycled.
  if (at->type()->kind() == TypeKind::BoolType) return call.builtin("inner:all_or_none", {value, at});
  const bool minus = is_left_out(at);
  auto* position = call.whole(at, "a position");
  // `x[0]` is empty.
  const auto whole = known_value(position);
  if (whole && whole->isInt() && whole->toInt() == 0) return call.builtin("inner:empty_like", {value});
  if (minus) return call.builtin("inner:without", {value, call.op("aten::neg", {position})});
  auto* element = call.builtin("inner:get_vector", {value, position});
  const auto kind = element->type()->kind();
  // A part of a vector is a single value, a part of any other list is a list.
  const bool plain = kind == TypeKind::IntType || kind == TypeKind::FloatType || kind == TypeKind::BoolType ||
                     kind == TypeKind::StringType;
  if (plain) return element;
  return call.graph().insertNode(call.graph().createList(element->type(), {element}))->output();
}

// Takes the variable from the payload of an assignment; the pattern is left.
std::string variable_of(std::string& payload) {
  const auto colon = payload.find(':');
  const std::string variable = payload.substr(colon + 1);
  payload = payload.substr(0, colon);
  return variable;
}

// The value as an element of the list; `many`: a list of values as elements of it. The first value that is put into a
// list that was made empty tells what it holds: the variable is declared, and NULL given.
Value* fitting(Call& call, Value* whole, Value* value, const std::string& variable, bool many = false) {
  const auto element = element_type(whole);
  const auto given = many ? element_type(value) : value->type();
  const auto wanted = many ? TypePtr(c10::ListType::create(element)) : element;
  const auto both = joined(element, given);
  // R makes numbers of whole numbers where a number is put among them.
  const bool is_number = !many && !variable.empty() && element->kind() == TypeKind::IntType &&
                         given->kind() == TypeKind::FloatType && !is_known_number(value);
  if (many ? both && *both == *element : cost(value, wanted) >= 0 && !is_number) {
    // A list that was made empty counts as one of tensors until something is put into it.
    const bool guessed = element->isSubtypeOf(*c10::OptionalType::create(c10::TensorType::get())) &&
                         !given->isSubtypeOf(*c10::TensorType::get());
    if (!guessed || variable.empty()) return call.as(value, wanted);
  }
  // The same holds for places that were made by `vector("list", n)`.
  const auto place = element->cast<c10::OptionalType>();
  const bool open = element->isSubtypeOf(*c10::TensorType::get()) ||
                    (place && place->getElementType()->isSubtypeOf(*c10::TensorType::get()));
  TypePtr wider = both;
  if (!wider || open) wider = place ? TypePtr(c10::OptionalType::create(given)) : given;
  if (variable.empty()) call.fail("this list holds " + words(element) + ", not " + words(given));
  const auto& declared = call.instance.declared;
  const auto known = declared.find(variable);
  if (known != declared.end()) {
    const auto optional = known->second.type->cast<c10::OptionalType>();
    const auto list = (optional ? optional->getElementType() : known->second.type)->cast<c10::ListType>();
    wider = list ? joined(list->getElementType(), given) : nullptr;
    // It holds tensors indeed.
    if (wider && *wider == *element && cost(value, wanted) >= 0) return call.as(value, wanted);
    if (!wider) call.fail("`" + variable + "` holds " + words(element) + ", not " + words(given));
  }
  call.compiler.declare(call, variable, kept_optional(call, variable, c10::ListType::create(wider)));
  return nullptr;
}

// The positions that an entry stands for, if it may stand for several: NULL for a single one.
Value* many_positions(Call& call, Value* whole, const Entry& entry) {
  if (entry.kind == 'm') return call.builtin("seq_len", {call.builtin("length", {whole})});
  if (entry.kind == 's') {
    // `a:b:step` counts from `a` on in steps.
    const auto step = known_value(entry.values[2]);
    if (!step || !step->isInt() || step->toInt() != 1)
      return call.builtin("seq", {entry.values[0], entry.values[1], entry.values[2]});
    return call.builtin(":", {call.whole(entry.values[0], "a position"), call.whole(entry.values[1], "a position")});
  }
  auto* at = entry.values[0];
  if (is_list(at)) return at;
  return is_left_out(at) ? list_of(call, c10::IntType::get(), {call.whole(at, "a position")}) : nullptr;
}

Value* put_into_list(Call& call, Value* whole, const std::vector<Entry>& entries, Value* value,
                     const std::string& variable) {
  const auto entry = entry_of_list(call, entries);
  auto* places = many_positions(call, whole, entry);
  // `x[i] <- list(y)` puts y there.
  const bool is_null = value->type()->kind() == TypeKind::NoneType;
  const bool several = is_list(value) && cost(value, element_type(whole)) < 0;
  if (!places && several) places = list_of(call, c10::IntType::get(), {call.whole(entry.values[0], "a position")});
  if (is_null)
    return places ? call.builtin("inner:without_many", {whole, places}) : take_away(call, whole, entry.values[0], variable);
  const bool many = places && is_list(value);
  auto* fit = fitting(call, whole, detached(call, value), variable, many);
  if (!places) {
    auto* position = call.whole(entry.values[0], "a position");
    // There is nothing at 0.
    if (const auto known = known_value(position); known && known->isInt() && known->toInt() == 0) return whole;
    return call.builtin("inner:put2", {whole, position, fit});
  }
  return call.builtin("inner:put_many", {whole, places, many ? fit : list_of(call, element_type(whole), {fit})});
}

// `x[i] <- value` of a vector with names, which a list is of which all elements are single values. NULL for all others.
Value* put_into_names(Call& call, Value* list, const std::vector<Entry>& entries, Value* value) {
  const auto tuple = list->type()->cast<c10::TupleType>();
  if (!tuple || !tuple->schema() || is_function(tuple)) return nullptr;
  TypePtr type = is_list(value) ? element_type(value) : value->type();
  for (const auto& other : tuple->elements()) type = type && is_single(other) ? joined(type, other) : nullptr;
  if (!type || !is_single(type)) return nullptr;
  auto* made = put_into_list(call, call.as(list, c10::ListType::create(type)), entries, value, "");
  call.builtin("inner:as_many", {made, call.constant(static_cast<int64_t>(tuple->elements().size()))});
  Parts parts;
  for (const auto& name : names_in(*tuple))
    parts.emplace_back(name, call.op("aten::__getitem__", {made, call.constant(static_cast<int64_t>(parts.size()))}));
  return list_of_parts(call, parts);
}

// `x[[2]] <- value` of a list whose elements are known.
Value* put_at_position(Call& call, Value* list, Value* at, Value* value) {
  const auto known = known_value(at);
  if (!known || !(known->isInt() || known->isDouble()))
    call.fail("the elements of this list are of several types: the position must be written as a number");
  const auto position = static_cast<size_t>(known->isInt() ? known->toInt() : static_cast<int64_t>(known->toDouble()));
  auto parts = parts_with_names(call, list);
  const bool has_names = !parts.front().first.empty(), is_null = value->type()->kind() == TypeKind::NoneType;
  if (position < 1 || position > parts.size() + !has_names)
    call.fail("subscript out of bounds: position " + std::to_string(position) + " of " + std::to_string(parts.size()));
  if (position > parts.size()) parts.emplace_back("", nullptr);
  parts[position - 1].second = detached(call, value);
  if (is_null) parts.erase(parts.begin() + static_cast<int64_t>(position) - 1);
  return list_of_parts(call, parts);
}

// `x[-1]` of a list whose elements are known. NULL if the position is not negative.
Value* without_element(Call& call, Value* value, const Value* at) {
  const auto known = known_value(at);
  const double position = known && known->isInt()      ? static_cast<double>(known->toInt())
                          : known && known->isDouble() ? known->toDouble()
                                                       : 0;
  if (position >= 0) return nullptr;
  Parts rest;
  int64_t i = 0;
  for (const auto& part : parts_with_names(call, value))
    if (--i != static_cast<int64_t>(position)) rest.emplace_back(part.first, detached(call, part.second));
  return list_of_parts(call, rest);
}

// A value that may be NULL is checked where a part of it is asked for.
Value* present(const Call& call, Value* value) {
  const auto optional = value->type()->cast<c10::OptionalType>();
  return optional ? call.as(value, optional->getElementType()) : value;
}

// The list, of which each element has a name and all are of one type, as a dictionary. NULL if it is none.
Value* as_dict(const Call& call, Value* list, const Value* at) {
  const auto& types = list->type()->expectRef<c10::TupleType>().elements();
  if (at->type()->kind() != TypeKind::StringType || types.empty()) return nullptr;
  const auto type = c10::DictType::create(c10::StringType::get(), types[0]);
  return cost(list, type) < 0 ? nullptr : call.as(list, type);
}

// An element at a computed position of a list whose elements are known. NULL if these are of several types.
Value* computed_element(const Call& call, Value* list, Value* at) {
  const auto& type = list->type()->expectRef<c10::TupleType>();
  const auto& types = type.elements();
  if (types.empty() || is_function(types[0])) return nullptr;
  for (const auto& other : types)
    if (!(*other == *types[0])) return nullptr;
  const auto parts = createTupleUnpack(list);
  const std::vector<Value*> values(parts.begin(), parts.end());
  if (at->type()->kind() != TypeKind::StringType)
    return call.builtin("inner:get2", {list_of(call, types[0], values), call.whole(at, "a position")});
  auto* dict = as_dict(call, list, at);
  return dict ? call.builtin("inner:get2", {dict, at}) : nullptr;
}

}  // namespace

Value* get_part(Call& call, bool keep_dims) {
  auto* value = call.inputs[0] = present(call, call.inputs.at(0));
  const auto entries = entries_of(call, call.payload, 1);
  if (is_tensor(value)) return part_of_tensor(call, value, entries, keep_dims);
  if (is_list(value)) return part_of_list(call, value, entries);
  if (entries.size() == 1 && (entries[0].kind == 'v' || entries[0].kind == 'p')) {
    if (value->type()->kind() == TypeKind::TupleType) {
      if (auto* rest = without_element(call, value, entries[0].values[0])) return rest;
      if (is_list(entries[0].values[0]))
        if (auto* vector = as_vector(call, value)) return part_of_list(call, vector, entries);
    }
    if (value->type()->kind() == TypeKind::DictType || value->type()->kind() == TypeKind::TupleType)
      return get_element(call);
    // R's numbers are vectors of one.
    return part_of_list(call, call.graph().insertNode(call.graph().createList(value->type(), {value}))->output(),
                        entries);
  }
  call.fail(call.words_of(value) + " has no parts");
}

void guess_dict(const Call& call, const Value* list) {
  const std::string variable = unknown_variable(call, list);
  if (variable.empty()) return;
  const auto hint = hint_of(*call.instance.written, variable);
  if (!hint.element) call.instance.guessed.insert(variable);
  const auto element = hint.element ? hint.element : TypePtr(c10::TensorType::get());
  call.compiler.declare(call, variable, c10::DictType::create(c10::StringType::get(), element));
}

// A part of `a:b` or `seq_len(n)`. One number of it is computed without the others. The payload is the function, and the pattern.
SugaredValuePtr part_of_range(Call& call) {
  const auto colon = call.payload.rfind(':');
  const std::string of = call.payload.substr(0, colon);
  const bool is_element = of.rfind("[[", 0) == 0;
  const std::string maker = of.substr(is_element ? 2 : 1);
  call.payload = call.payload.substr(colon + 1);
  std::vector<Value*> ends;
  for (size_t n = maker == ":" ? 2 : 1; n > 0; --n) {
    ends.push_back(call.whole(call.inputs.at(0), "an end of a range"));
    call.inputs.erase(call.inputs.begin());
  }
  const bool one = call.payload == "v" || call.payload == "p";
  const auto kind = one ? call.inputs[0]->type()->kind() : TypeKind::AnyType;
  const auto known = one ? known_value(call.inputs[0]) : std::nullopt;
  const bool is_number = kind == TypeKind::IntType || kind == TypeKind::FloatType;
  // `x[0]` is empty.
  const bool is_nothing = known && (known->isInt() ? known->toInt() == 0 : known->isDouble() && known->toDouble() == 0);
  if (is_number && !is_nothing && !is_left_out(call.inputs[0])) {
    auto* position = call.whole(call.inputs[0], "a position");
    if (maker == ":") return call.give(call.builtin("inner:range_at", {ends[0], ends[1], position}));
    return call.give(call.builtin("inner:within", {position, call.builtin("inner:count", ends)}));
  }
  call.inputs.insert(call.inputs.begin(), call.builtin(maker, ends));
  return call.give(is_element ? get_element(call) : get_part(call, false));
}

Value* begun_of(const Call& call, Value* whole, const TypePtr& empty) {
  return whole->type()->kind() == TypeKind::NoneType ? empty_of(call, empty) : call.or_empty(whole);
}

TypePtr kept_optional(const Call& call, const std::string& variable, const TypePtr& type) {
  const auto declared = call.instance.declared.find(variable);
  const bool may_be_null =
      declared != call.instance.declared.end() && declared->second.type->kind() == TypeKind::OptionalType;
  return may_be_null ? TypePtr(c10::OptionalType::create(type)) : type;
}

Value* take_away(Call& call, Value* whole, Value* at, const std::string& variable) {
  const bool is_dict = whole->type()->kind() == TypeKind::DictType;
  if (!is_dict && at->type()->kind() == TypeKind::StringType) {
    guess_dict(call, whole);
    call.fail("this list has no names");
  }
  if (!is_dict) at = call.whole(at, "a position");
  if (variable.empty() && !owner_holds(call.instance, whole)) whole = own(call, whole);
  return call.builtin("inner:take_away", {whole, at});
}

Value* get_element_or_null(Call& call) {
  auto* value = call.inputs.at(0);
  const auto optional = value->type()->cast<c10::OptionalType>();
  const auto& type = optional ? optional->getElementType() : value->type();
  const auto at = known_value(call.inputs.at(1));
  if (type->kind() == TypeKind::NoneType) return call.constant(c10::IValue());
  if (type->kind() == TypeKind::TupleType && at && at->isString()) {
    Call inner = call.with(at->toStringRef(), {value});
    return emit("field_or_null", inner)->asValue(call.place, call.function);
  }
  if (type->kind() == TypeKind::ListType && call.inputs[1]->type()->kind() == TypeKind::StringType) {
    guess_dict(call, value);
    return call.constant(c10::IValue());
  }
  if (type->kind() == TypeKind::DictType) return call.builtin("inner:get_or_null", {call.or_empty(value), call.inputs[1]});
  if (type->kind() == TypeKind::TupleType)
    if (auto* dict = as_dict(call, present(call, value), call.inputs[1])) return call.builtin("inner:get_or_null", {dict, call.inputs[1]});
  return get_element(call);
}

Value* get_element(Call& call) {
  auto* value = call.inputs[0] = present(call, call.inputs.at(0));
  auto* at = call.inputs.at(1);
  if (is_tensor(value)) {
    Call inner = call.with("v", {value, at});
    return get_part(inner, false);
  }
  if (is_list(value) && at->type()->kind() == TypeKind::StringType) guess_dict(call, value);
  if (const auto tuple = value->type()->cast<c10::TupleType>()) {
    const auto known = known_value(at);
    if (known && known->isString()) {
      Call inner = call.with(known->toStringRef(), {value});
      return emit("field", inner)->asValue(call.place, call.function);
    }
    if (!known || !(known->isInt() || known->isDouble())) {
      if (auto* found = computed_element(call, value, at)) return found;
      call.fail("the elements of this list are of several types: its position must be written as a number or name");
    }
    const int64_t position = known->isInt() ? known->toInt() : static_cast<int64_t>(known->toDouble());
    const auto& types = tuple->elements();
    if (position < 1 || position > static_cast<int64_t>(types.size()))
      call.fail("subscript out of bounds: position " + std::to_string(position) + " of " +
                std::to_string(types.size()));
    return call.graph()
        .insertNode(call.graph().createTupleIndex(value, call.constant(position - 1), types[position - 1]))
        ->output();
  }
  if (const auto type = value->type()->cast<c10::ClassType>(); type && type->is_module()) {
    const auto known = known_value(at);
    if (known && known->isString()) {
      Call inner = call.with(known->toStringRef(), {value});
      return emit("field", inner)->asValue(call.place, call.function);
    }
    if (!known || !(known->isInt() || known->isDouble()))
      call.fail("the position of a module must be written as a number");
    const int64_t position = known->isInt() ? known->toInt() : static_cast<int64_t>(known->toDouble());
    const auto children = children_of(*type);
    if (position < 1 || position > static_cast<int64_t>(children.size()))
      call.fail("there is no module at this position");
    return SimpleValue(value)
        .attr(call.place, call.function, children[static_cast<size_t>(position - 1)])
        ->asValue(call.place, call.function);
  }
  if (value->type()->kind() == TypeKind::DictType) return call.builtin("inner:get2", {value, at});
  if (is_list(value)) {
    auto* position = call.whole(at, "a position");
    // Of a list that is made right here the element itself is known, and so is what is computed of it.
    const auto known = known_value(position);
    const auto* made = elements_known(value) == value ? value->node() : nullptr;
    if (made && known && known->toInt() >= 1 && known->toInt() <= static_cast<int64_t>(made->inputs().size()))
      return const_cast<Value*>(made->inputs()[static_cast<size_t>(known->toInt() - 1)]);
    return call.builtin("inner:get2", {value, position});
  }
  const auto kind = value->type()->kind();
  if (kind == TypeKind::OptionalType || kind == TypeKind::NoneType)
    call.fail(call.words_of(value) + " has no elements: ask `is.null()` before");
  auto* list = call.graph().insertNode(call.graph().createList(value->type(), {value}))->output();
  return call.builtin("inner:get2", {list, call.whole(at, "a position")});
}

Value* fitting_in(Call& call, const Value* dict, Value* value, const std::string& variable) {
  const auto& type = dict->type()->expectRef<c10::DictType>();
  const auto& holds = type.getValueType();
  // An argument may have been made empty as well.
  const auto& formals = call.instance.written->formals;
  const bool is_argument = std::find(formals.begin(), formals.end(), variable) != formals.end();
  const bool may_be_empty = is_argument && !call.instance.declared.count(variable) &&
                            holds->isSubtypeOf(*c10::TensorType::get()) &&
                            !value->type()->isSubtypeOf(*c10::TensorType::get());
  const bool is_guessed = call.instance.guessed.count(variable) > 0;
  if (is_guessed && value->type()->isSubtypeOf(*c10::TensorType::get())) return value;
  if (is_guessed) call.instance.guessed.erase(variable);
  const bool is_unknown = is_guessed || may_be_empty || !unknown_variable(call, dict).empty();
  const auto wider = is_unknown ? value->type() : joined(holds, value->type());
  if (wider && *wider == *holds) return call.as(value, holds);
  if (!wider || variable.empty())
    call.fail((variable.empty() ? "this" : "`" + variable + "`") + " is " + words(dict->type()) + ": it can't hold " +
              call.words_of(value));
  call.compiler.declare(call, variable, kept_optional(call, variable, c10::DictType::create(type.getKeyType(), wider)));
  return call.as(value, holds);
}

Value* put_part(Call& call) {
  const std::string variable = variable_of(call.payload);
  auto* whole = call.inputs.at(0);
  auto* value = call.inputs.back();
  const auto entries = entries_of(call, call.payload, 1);
  const bool one_entry = entries.size() == 1 && (entries[0].kind == 'v' || entries[0].kind == 'p');
  if (one_entry && entries[0].values[0]->type()->kind() == TypeKind::StringType && !is_list(value)) {
    Call inner = call.with("v:" + variable, call.inputs);
    return put_element(inner);
  }
  if (one_entry && value->type()->kind() != TypeKind::NoneType)
    whole = begun_of(call, whole, is_list(value) ? value->type() : TypePtr(c10::ListType::create(value->type())));
  whole = present(call, call.or_empty(whole));
  const bool is_owned = owner_holds(call.instance, whole);
  if (variable.empty() && !is_owned) whole = own(call, whole);
  if (is_list(whole)) {
    auto* made = put_into_list(call, whole, entries, value, variable);
    return is_owned && made && value->type()->kind() != TypeKind::NoneType ? whole : made;
  }
  if (auto* made = put_into_names(call, whole, entries, value)) return made;
  if (!is_tensor(whole)) call.fail("parts of " + call.words_of(whole) + " can't be given values by `[`");
  bool vectors = false;
  for (const auto& entry : entries)
    vectors = vectors || ((entry.kind == 'v' || entry.kind == 'p') && is_vector(entry.values[0]));
  if (!vectors) {
    auto* part = part_of_tensor(call, whole, entries, false);
    call.builtin("inner:put_number", {part, value});
    return whole;
  }
  // Single positions and slices give a part that shares the tensor's memory. What is left are dimensions of that.
  Value* part = whole;
  std::vector<Value*> dims, places;
  const auto take = [&](const Entry& entry, int64_t dim) {
    if ((entry.kind == 'v' || entry.kind == 'p') && is_vector(entry.values[0])) {
      dims.push_back(call.constant(dim));
      places.push_back(positions(call, entry.values[0]));
      return true;
    }
    bool kept;
    part = apply(call, part, dim, entry, false, &kept);
    return kept;
  };
  const size_t open = open_entry(call, entries);
  int64_t dim = 0;
  for (size_t i = 0; i < open; ++i) dim += take(entries[i], dim);
  dim = -1;
  for (size_t i = entries.size(); i > open + 1; --i) dim -= take(entries[i - 1], dim);
  if (dims.size() == 1 && open == entries.size()) {
    std::vector<Value*> at(static_cast<size_t>(known_value(dims[0])->toInt()), call.constant(c10::IValue()));
    at.push_back(places[0]);
    auto* list = list_of(call, c10::OptionalType::create(c10::TensorType::get()), at);
    call.builtin("inner:put_tensor", {part, list, value});
    return whole;
  }
  call.builtin("inner:put_at", {part, list_of(call, c10::IntType::get(), dims), list_of(call, c10::TensorType::get(), places), value});
  return whole;
}

Value* put_element(Call& call) {
  const std::string variable = variable_of(call.payload);
  auto* whole = call.inputs.at(0);
  auto* value = call.inputs.back();
  auto* at = call.inputs.at(1);
  const auto known = known_value(at);
  if (whole->type()->kind() == TypeKind::TupleType && known && known->isString()) {
    Call inner = call.with(known->toStringRef() + ":" + variable, {whole, value});
    return emit("putfield", inner)->asValue(call.place, call.function);
  }
  if (is_tensor(whole)) {
    call.payload = "v:" + variable;
    return put_part(call);
  }
  const bool is_name = at->type()->kind() == TypeKind::StringType, is_null = value->type()->kind() == TypeKind::NoneType;
  if (is_null && whole->type()->kind() == TypeKind::NoneType) return whole;
  if (is_name)
    whole = begun_of(call, whole, c10::DictType::create(c10::StringType::get(), value->type()));
  else
    whole = begun_of(call, whole, c10::ListType::create(value->type()));
  if (const auto tuple = whole->type()->cast<c10::TupleType>(); tuple && !is_function(tuple)) {
    // A list that gets elements by names that are computed is a dictionary.
    if (is_name && tuple->schema() && !variable.empty()) {
      auto type = value->type();
      for (const auto& other : tuple->elements()) type = type ? joined(type, other) : nullptr;
      if (!type) call.fail("the elements of this list are of several types: its names must be written as strings");
      call.compiler.declare(call, variable, c10::DictType::create(c10::StringType::get(), type));
    }
    return put_at_position(call, whole, at, value);
  }
  // A list that gets elements by their names is a dictionary.
  if (is_list(whole) && is_name && !variable.empty() && !is_null)
    call.compiler.declare(call, variable, c10::DictType::create(c10::StringType::get(), value->type()));
  if (is_null && (is_list(whole) || whole->type()->kind() == TypeKind::DictType)) return take_away(call, whole, at, variable);
  const bool is_owned = owner_holds(call.instance, whole);
  if (variable.empty() && !is_owned) whole = own(call, present(call, whole));
  if (const auto dict = whole->type()->cast<c10::DictType>()) {
    auto* made = call.builtin("inner:put2", {whole, at, fitting_in(call, whole, detached(call, value), variable)});
    return is_owned ? whole : made;
  }
  if (!is_list(whole)) call.fail("the elements of " + call.words_of(whole) + " can't be given values");
  auto* fit = fitting(call, whole, detached(call, value), variable);
  auto* made = call.builtin("inner:put2", {whole, call.whole(at, "a position"), fit});
  return is_owned ? whole : made;
}

}  // namespace shim::script
