// How lists and vectors are made and combined, and what loops go through.
#include <algorithm>
#include <set>

#include "script/builtins.h"
#include "script/meaning.h"

namespace shim::script {

using namespace torch::jit;
using c10::TypeKind;

Value* list_of(const Call& call, const TypePtr& element, const std::vector<Value*>& values) {
  auto* node = call.graph().insertNode(call.graph().createList(element, values));
  node->setSourceRange(call.place);
  return node->output();
}

Value* tuple_of(const Call& call, const std::vector<Value*>& values, const c10::TupleTypePtr& type) {
  auto* node = call.graph().insertNode(call.graph().createTuple(values, type && type->schema() ? type : nullptr));
  node->setSourceRange(call.place);
  return node->output();
}

const Value* elements_known(const Value* list) {
  const auto* made = list->node()->kind() == c10::prim::Load ? stored_value(list->node()) : list;
  if (!is_list(list) || !made || made->node()->kind() != c10::prim::ListConstruct) return nullptr;
  // `lapply()` and its like begin with an empty list and append to it.
  for (const auto& use : made->uses())
    if (use.user->kind() == c10::aten::append) return nullptr;
  return made;
}

Parts parts_with_names(const Call& call, Value* list) {
  Parts parts;
  const auto tuple = list->type()->cast<c10::TupleType>();
  if (tuple && !call.compiler.callee_of(tuple)) {
    const auto values = createTupleUnpack(list);
    for (size_t i = 0; i < values.size(); ++i)
      parts.emplace_back(tuple->schema() ? tuple->schema()->arguments()[i].name() : "", values[i]);
    return parts;
  }
  const auto* made = elements_known(list);
  if (!made) call.fail("how many elements " + call.words_of(list) + " has is not known before the program runs");
  for (auto* value : made->node()->inputs()) parts.emplace_back("", const_cast<Value*>(value));
  return parts;
}

Value* list_of_parts(const Call& call, const Parts& parts) {
  std::vector<Value*> values;
  std::vector<std::string> names;
  std::vector<TypePtr> types;
  for (const auto& part : parts) {
    values.push_back(part.second);
    types.push_back(part.second->type());
    if (!part.first.empty()) names.push_back(part.first);
  }
  // What is put into an empty list later tells what it holds.
  if (values.empty()) return list_of(call, c10::TensorType::get(), {});
  if (!names.empty()) {
    if (names.size() < values.size()) call.fail("all elements of this list need a name, or none");
    return tuple_of(call, values, call.compiler.named_tuple(names, types));
  }
  for (const auto& type : types)
    if (!(*type == *types.front())) return tuple_of(call, values);
  // NULLs alone stand where tensors will be.
  if (types.front()->kind() == TypeKind::NoneType) types.front() = c10::OptionalType::create(c10::TensorType::get());
  return list_of(call, types.front(), values);
}

SugaredValuePtr make_list(Call& call) {
  Parts parts;
  for (auto* value : call.inputs) parts.emplace_back("", detached(call, value));
  for (const auto& it : call.named) parts.emplace_back(it.first, detached(call, it.second));
  return call.give(list_of_parts(call, parts));
}

// `jit_dict(keys, values)`.
SugaredValuePtr make_dict(Call& call) {
  Value *keys = nullptr, *values = nullptr;
  for (const auto& it : call.named) (it.first == "keys" ? keys : values) = it.second;
  for (auto* value : call.inputs) (keys ? values : keys) = value;
  if (!keys && !values) return call.give(empty_of(call, c10::DictType::create(c10::StringType::get(), c10::TensorType::get())));
  if (!keys || !values || call.inputs.size() + call.named.size() != 2 || !is_list(keys) || !is_made_empty(values)) {
    std::string why;
    if (auto* made = call_builtin(call, &why)) return call.give(made);
    call.fail(why);
  }
  call.builtin("inner:no_keys", {keys});
  return call.give(empty_of(call, c10::DictType::create(element_type(keys), c10::TensorType::get())));
}

// `c()` of lists whose elements are known: the result's elements are known as well.
static SugaredValuePtr combine_lists(const Call& call) {
  Parts all;
  for (auto* value : call.inputs) {
    const bool is_list_value =
        is_list(value) || (value->type()->kind() == TypeKind::TupleType && !call.compiler.callee_of(value->type()));
    if (!is_list_value) {
      all.emplace_back("", value);
      continue;
    }
    for (auto& part : parts_with_names(call, value)) all.push_back(std::move(part));
  }
  for (const auto& it : call.named) all.push_back(it);
  for (auto& part : all) part.second = detached(call, part.second);
  return call.give(list_of_parts(call, all));
}

namespace {

// A list that was made empty, and of which nothing is known yet, learns from what is combined with it.
void learn(Call& call, const Value* list) {
  const auto variable = is_list(list) ? unknown_variable(call, list) : "";
  if (variable.empty()) return;
  for (const auto* other : call.inputs) {
    const auto type = is_list(other) ? element_type(other) : other->type();
    const bool says_nothing = type->isSubtypeOf(*c10::TensorType::get()) || type->kind() == TypeKind::NoneType;
    if (!says_nothing) call.compiler.declare(call, variable, c10::ListType::create(type));
  }
}

bool is_empty(const Value* value) {
  const auto* made = elements_known(value);
  return made && made->node()->inputs().empty();
}

}  // namespace

// `c()`: the elements of all arguments, as one vector or list.
SugaredValuePtr combine(Call& call) {
  if (call.inputs.size() > 1) {
    for (const auto* value : call.inputs) learn(call, value);
    if (!std::all_of(call.inputs.begin(), call.inputs.end(), is_empty)) std::erase_if(call.inputs, is_empty);
  }
  // Beside elements without names a vector loses its own.
  const auto has_names = [](const Value* value) {
    const auto tuple = value->type()->cast<c10::TupleType>();
    return tuple && tuple->schema();
  };
  if (!std::all_of(call.inputs.begin(), call.inputs.end(), has_names) && call.named.empty())
    for (auto*& value : call.inputs)
      if (auto* vector = as_vector(call, value)) value = vector;
  bool mixed = false;
  for (auto* value : call.inputs) mixed = mixed || value->type()->kind() == TypeKind::TupleType;
  for (const auto& it : call.named) mixed = mixed || it.second->type()->kind() == TypeKind::TupleType;
  if (mixed) return combine_lists(call);
  // A program has no vectors with names: it is a list with names.
  if (!call.named.empty()) return make_list(call);
  if (call.inputs.empty()) return call.give(call.constant(c10::IValue()));
  const auto type_in = [](const Value* value) { return is_list(value) ? element_type(value) : value->type(); };
  TypePtr element;
  // A single value that may be NULL adds one element or none. In a list, NULL is an element like others.
  for (auto*& value : call.inputs) {
    const auto optional = value->type()->cast<c10::OptionalType>();
    if (optional && is_single(optional->getElementType())) value = call.builtin("inner:one_or_none", {value});
  }
  // NULL adds nothing.
  std::vector<Value*> given;
  for (auto* value : call.inputs) {
    if (value->type()->kind() != TypeKind::NoneType) given.push_back(call.or_empty(value));
  }
  call.inputs = given;
  if (call.inputs.empty()) return call.give(call.constant(c10::IValue()));
  for (auto* value : call.inputs) {
    const auto wider = element ? joined(element, type_in(value)) : type_in(value);
    if (!wider) {
      const auto* other = *std::find_if(call.inputs.begin(), call.inputs.end(), [&](const Value* one) {
        return one == value || !joined(type_in(one), type_in(value));
      });
      call.fail("`" + call.payload + "()` can't hold both " + call.words_of(other) + " and " + call.words_of(value) +
                ": in a program elements are of one type. Convert one of them, or make a `list()` of both");
    }
    element = wider;
  }
  // Single values that follow each other become one list.
  Value* all = nullptr;
  std::vector<Value*> open;
  const auto close = [&] {
    if (open.empty()) return;
    auto* part = list_of(call, element, open);
    all = all ? call.op("aten::add", {all, part}) : part;
    open.clear();
  };
  for (auto* value : call.inputs) {
    if (!is_list(value)) {
      open.push_back(call.as(detached(call, value), element));
      continue;
    }
    close();
    auto* part = call.as(value, c10::ListType::create(element));
    all = all ? call.op("aten::add", {all, part}) : call.op("aten::add", {part, list_of(call, element, {})});
  }
  close();
  return call.give(all);
}

Value* places_of(const Call& call, const TypePtr& element, Value* n) {
  const auto optional =
      element->kind() == TypeKind::OptionalType ? element : TypePtr(c10::OptionalType::create(element));
  return call.op("aten::mul", {list_of(call, optional, {call.constant(c10::IValue())}), n});
}

Value* count_of_places(const Value* list) {
  const auto* node = list->node();
  if (!is_list(list) || node->kind() != c10::aten::mul) return nullptr;
  const auto* one = node->input(0)->node();
  const bool is_null = one->kind() == c10::prim::ListConstruct && one->inputs().size() == 1 &&
                       one->input(0)->type()->kind() == TypeKind::NoneType;
  return is_null ? const_cast<Value*>(node->input(1)) : nullptr;
}

// `append(x, values)` is `c(x, values)` where nothing is said of a place.
SugaredValuePtr append(Call& call) {
  const std::vector<std::string> formals = {"x", "values", "after"};
  std::vector<Value*> values(formals.size(), nullptr);
  for (const auto& given : call.named) {
    const auto at = std::find(formals.begin(), formals.end(), given.first) - formals.begin();
    if (at == 3 || values[at]) call.fail("`append()` has no argument `" + given.first + "`");
    values[at] = given.second;
  }
  size_t next = 0;
  for (auto* value : call.inputs) {
    while (next < values.size() && values[next]) ++next;
    if (next == values.size()) call.fail("`append()` takes three arguments at most");
    values[next] = value;
  }
  if (!values[0] || !values[1]) call.fail("`append()` needs what is appended, and to what");
  if (values[2]) {
    Call both = call.with("append", {values[0], values[1]});
    for (const auto* value : both.inputs) learn(both, value);
    if (is_empty(values[0]) || values[0]->type()->kind() == TypeKind::NoneType) return combine(both);
    values[0] = call.or_empty(values[0]);
    return call.give(call.builtin("inner:inserted", {values[0], values[1], call.whole(values[2], "`after`")}));
  }
  Call all = call.with("append", {values[0], values[1]});
  return combine(all);
}

// `vector("list", n)` holds NULL in all places, and learns from what is put there what else it may hold.
SugaredValuePtr make_vector(Call& call) {
  auto values = call.inputs;
  for (const auto& it : call.named) values.push_back(it.second);
  const auto mode = values.empty() ? std::nullopt : known_value(values[0]);
  if (!mode || !mode->isString()) call.fail("the mode of `vector()` must be written as a string in a program");
  const std::string text = mode->toStringRef();
  values.erase(values.begin());
  if (text == "list") {
    if (values.empty()) return call.give(list_of(call, c10::TensorType::get(), {}));
    return call.give(places_of(call, c10::TensorType::get(), call.whole(values[0], "the length of a list")));
  }
  return call.give(call.builtin(text, values));
}

SugaredValuePtr range(Call& call) {
  auto* from = call.whole(call.inputs.at(0), "the beginning of a range");
  auto* to = call.whole(call.inputs.at(1), "the end of a range");
  auto* step = call.builtin("inner:step", {from, to});
  return std::make_shared<RangeValue>(call.place, call.function,
                                      std::vector<Value*>{from, call.op("aten::add", {to, step}), step});
}

namespace {

// How long what `seq_along()` is called for is.
Value* length_along(Call& call) {
  const bool by_name = call.inputs.empty() && call.named.size() == 1;
  Call length = call.with("length", by_name ? std::vector<Value*>{call.named[0].second} : call.inputs);
  return length_of(length)->asValue(call.place, call.function);
}

SugaredValuePtr count(Call& call, Value* n) {
  auto* one = call.constant(int64_t{1});
  return std::make_shared<RangeValue>(call.place, call.function,
                                      std::vector<Value*>{one, call.op("aten::add", {n, one}), one});
}

}  // namespace

SugaredValuePtr seq_len(Call& call) {
  return count(call, call.builtin("inner:count", {call.whole(call.inputs.at(0), "`seq_len()`")}));
}

SugaredValuePtr seq_along(Call& call) { return count(call, length_along(call)); }

// What `for` goes through. The loop may change the variable, but R goes through the value that it had before.
SugaredValuePtr items(Call& call) {
  auto* value = call.or_empty(call.inputs.at(0));
  const auto kind = value->type()->kind();
  if (kind == TypeKind::DictType) return call.give(call.op("aten::values", {value}));
  // A loop over strings that are known is unrolled: they may be names of parameters.
  const auto known = known_value(value);
  if (known && known->isList() && kind == TypeKind::ListType && element_type(value)->kind() == TypeKind::StringType) {
    std::vector<SugaredValuePtr> parts;
    for (const auto& part : known->toListRef()) parts.push_back(std::make_shared<SimpleValue>(call.constant(part)));
    return std::make_shared<SugaredTupleValue>(std::move(parts));
  }
  if (kind == TypeKind::ListType || is_tensor(value)) return call.give(detached(call, value));
  if (kind == TypeKind::TupleType) {
    std::vector<SugaredValuePtr> parts;
    for (auto* part : createTupleUnpack(detached(call, value))) parts.push_back(std::make_shared<SimpleValue>(part));
    return std::make_shared<SugaredTupleValue>(std::move(parts));
  }
  if (const auto type = value->type()->cast<c10::ClassType>(); type && type->is_module()) {
    std::vector<SugaredValuePtr> children;
    for (const auto& child : children_of(*type))
      children.push_back(SimpleValue(value).attr(call.place, call.function, child));
    return std::make_shared<SugaredTupleValue>(std::move(children));
  }
  if (kind == TypeKind::OptionalType || kind == TypeKind::NoneType)
    call.fail("a loop can't go through " + call.words_of(value) + ": ask `is.null()` before");
  return call.give(list_of(call, value->type(), {value}));
}

SugaredValuePtr push(Call& call) {
  call.op("aten::append", {call.inputs.at(0), detached(call, call.inputs.at(1))});
  return call.give(call.constant(c10::IValue()));
}

// The elements that `lapply()` and its like go through. Behind the value stand all that `Map()` goes through: a single
// one is recycled beside lists.
SugaredValuePtr elements(Call& call) {
  auto* value = call.inputs.at(0);
  // Beside lists whose lengths show when the program runs, one with known elements is such a list too.
  if (const auto tuple = value->type()->cast<c10::TupleType>(); tuple && std::any_of(call.inputs.begin(), call.inputs.end(), is_list)) {
    const auto type = tuple->elements().empty() ? nullptr : c10::ListType::create(tuple->elements()[0]);
    if (type && cost(value, type) >= 0) value = call.inputs[0] = call.as(value, type);
  }
  if (is_tensor(value))
    call.fail(
        "R goes through all numbers of a tensor here, one by one: `as.vector(x)` gives them, `torch_unbind(x)` "
        "the parts along the first dimension");
  const auto kind = value->type()->kind();
  const bool single = kind == TypeKind::IntType || kind == TypeKind::FloatType || kind == TypeKind::BoolType ||
                      kind == TypeKind::StringType;
  const auto list = std::find_if(call.inputs.begin(), call.inputs.end(), is_list);
  if (!single || list == call.inputs.end()) return items(call);
  return call.give(call.op("aten::mul", {list_of(call, value->type(), {value}), call.builtin("length", {*list})}));
}

// `as.list()` of a module gives its children.
SugaredValuePtr as_list(Call& call) {
  return is_tensor(call.inputs.at(0)) ? elements(call) : call.give(call.inputs[0]);
}

std::optional<std::vector<std::string>> known_strings(const Value* value) {
  std::vector<std::string> strings;
  const auto known = known_value(value);
  const auto* made = is_list(value) ? elements_known(value) : nullptr;
  if (known && known->isString()) return std::vector<std::string>{known->toStringRef()};
  if (!made && !(known && known->isList())) return std::nullopt;
  if (!made)
    for (const auto& one : known->toListRef()) {
      if (!one.isString()) return std::nullopt;
      strings.push_back(one.toStringRef());
    }
  for (size_t i = 0; made && i < made->node()->inputs().size(); ++i) {
    const auto one = known_value(made->node()->input(i));
    if (!one || !one->isString()) return std::nullopt;
    strings.push_back(one->toStringRef());
  }
  return strings;
}

// What `lapply()` and its like give: the inputs are all values, and what they were made of, of which they have the names.
// The payload "named_by" says that strings are names as well.
SugaredValuePtr named_like(Call& call) {
  auto *all = call.inputs.at(0), *from = call.inputs.at(1);
  std::vector<std::string> names;
  if (const auto tuple = from->type()->cast<c10::TupleType>(); tuple && !is_function(tuple)) names = names_in(*tuple);
  const bool are_strings = is_list(from) && element_type(from)->kind() == TypeKind::StringType;
  if (call.payload == "named_by" && are_strings)
    if (const auto known = known_strings(from)) names = *known;
  if (names.empty() || std::set<std::string>(names.begin(), names.end()).size() < names.size()) return call.give(all);
  Parts parts;
  for (size_t i = 0; i < names.size(); ++i)
    parts.emplace_back(names[i], call.op("aten::__getitem__", {all, call.constant(static_cast<int64_t>(i))}));
  return call.give(list_of_parts(call, parts));
}

// `names(x) <- names`, `setNames(x, names)`.
SugaredValuePtr set_names(Call& call) {
  for (const char* formal : {"object", "nm"})
    for (const auto& it : call.named)
      if (it.first == formal) call.inputs.insert(formal[0] == 'o' ? call.inputs.begin() : call.inputs.end(), it.second);
  if (call.inputs.size() != 2) call.fail("`setNames()` takes a list or vector, and its names");
  auto *value = call.inputs[0], *given = call.inputs[1];
  const bool are_none = given->type()->kind() == TypeKind::NoneType;
  const auto names = are_none ? std::nullopt : known_strings(given);
  if (are_none && (is_list(value) || is_single(value->type()))) return call.give(value);
  const auto known = known_value(value);
  const bool is_constant = known && known->isList();
  const bool has_elements = is_constant || is_single(value->type()) || (is_list(value) && elements_known(value)) ||
                            (value->type()->kind() == TypeKind::TupleType && !is_function(value->type()));
  if (!has_elements || !(names || are_none))
    call.fail("a program has names of lists and vectors whose elements and names are written: say `list(a = )` or `c(a = )`, or use a "
              "`jit_dict()`");
  std::vector<Value*> values;
  if (is_constant)
    for (const auto& one : known->toListRef()) values.push_back(call.constant(one));
  else if (is_single(value->type()))
    values.push_back(value);
  else
    for (const auto& part : parts_with_names(call, value)) values.push_back(part.second);
  if (names && names->size() != values.size())
    call.fail(std::to_string(names->size()) + " names for " + std::to_string(values.size()) + " elements");
  Parts parts;
  for (size_t i = 0; i < values.size(); ++i) parts.emplace_back(names ? (*names)[i] : "", detached(call, values[i]));
  return call.give(list_of_parts(call, parts));
}

Value* as_one_kind(const Call& call, Value* value) {
  const auto tuple = value->type()->cast<c10::TupleType>();
  if (!tuple || is_function(tuple) || tuple->elements().empty()) return nullptr;
  TypePtr type = tuple->elements()[0];
  for (const auto& other : tuple->elements()) type = type ? call.compiler.joined_types(type, other) : nullptr;
  if (!type || is_function(type)) return nullptr;
  std::vector<Value*> values;
  for (const auto& part : parts_with_names(call, detached(call, value))) values.push_back(call.as(part.second, type));
  return list_of(call, type, values);
}

Value* as_vector(const Call& call, Value* value) {
  const auto tuple = value->type()->cast<c10::TupleType>();
  if (!tuple || !tuple->schema() || is_function(tuple)) return nullptr;
  for (const auto& type : tuple->elements())
    if (!is_single(type)) return nullptr;
  return as_one_kind(call, value);
}

// A list whose elements are known, as one of which all are of one type. All other values stay.
SugaredValuePtr one_kind(Call& call) {
  auto* value = call.inputs.at(0);
  if (auto* list = as_one_kind(call, value)) return call.give(list);
  if (value->type()->kind() == TypeKind::TupleType && !is_function(value->type()))
    call.fail("the elements of this list are of several types: " + call.words_of(value));
  return call.give(value);
}

// `rev()` of a list whose elements are known.
SugaredValuePtr reversed(Call& call) {
  const auto tuple = call.inputs.size() == 1 ? call.inputs[0]->type()->cast<c10::TupleType>() : nullptr;
  if (!tuple || is_function(tuple)) {
    std::string why;
    if (auto* made = call_builtin(call, &why)) return call.give(made);
    call.fail(why);
  }
  auto parts = parts_with_names(call, call.inputs[0]);
  std::reverse(parts.begin(), parts.end());
  for (auto& part : parts) part.second = detached(call, part.second);
  return call.give(list_of_parts(call, parts));
}

SugaredValuePtr same_length(Call& call) {
  Value* first = nullptr;
  for (auto* value : call.inputs) {
    if (!is_list(value)) continue;
    if (first) call.builtin("inner:same_length", {first, value});
    if (!first) first = value;
  }
  return call.give(call.constant(true));
}

// `length()` is a constant if the elements are known.
SugaredValuePtr length_of(Call& call) {
  const auto tuple = call.inputs.size() == 1 ? call.inputs[0]->type()->cast<c10::TupleType>() : nullptr;
  if (tuple && !call.compiler.callee_of(tuple))
    return call.give(call.constant(static_cast<int64_t>(tuple->elements().size())));
  const auto kind = call.inputs.size() == 1 ? call.inputs[0]->type()->kind() : TypeKind::AnyType;
  if (kind == TypeKind::NoneType) return call.give(call.constant(int64_t{0}));
  if (kind == TypeKind::ClassType && call.inputs[0]->type()->is_module())
    return call.give(call.constant(static_cast<int64_t>(children_of(*call.inputs[0]->type()).size())));
  if (call.inputs.size() == 1 && is_single(call.inputs[0]->type())) return call.give(call.constant(int64_t{1}));
  return call.give(call.builtin("length", call.inputs));
}

SugaredValuePtr positions_along(Call& call) { return call.give(call.builtin("seq_len", {length_along(call)})); }

namespace {

TypePtr type_like(const Value* like) { return is_list(like) ? element_type(like) : like->type(); }

}  // namespace

// `vapply(NULL, f, like)`.
SugaredValuePtr none_like(Call& call) { return call.give(list_of(call, type_like(call.inputs.at(0)), {})); }

// What `vapply()` gives: the inputs are all values, and what each is to be like.
SugaredValuePtr each_like(Call& call) {
  auto *all = call.inputs.at(0), *like = call.inputs.at(1);
  const auto wanted = type_like(like), given = element_type(all);
  const bool are_vectors = given->kind() == TypeKind::ListType;
  const auto one = are_vectors ? given->expectRef<c10::ListType>().getElementType() : given;
  const auto both = is_single(wanted) && is_single(one) ? joined(wanted, one) : nullptr;
  if (!both || !(*both == *wanted))
    call.fail("`FUN.VALUE` wants " + words(wanted) + ", and the function gives " + words(given) +
              (given->isSubtypeOf(*c10::TensorType::get()) ? ": take its number, by `as.numeric()`" : ""));
  if (is_list(like) || are_vectors) {
    auto* n = is_list(like) ? call.builtin("length", {like}) : call.constant(int64_t{1});
    call.builtin("inner:all_of_length", {all, n});
  }
  return call.give(are_vectors ? all : call.as(all, c10::ListType::create(wanted)));
}

SugaredValuePtr names_of(Call& call) {
  const auto tuple = call.inputs.size() == 1 ? call.inputs[0]->type()->cast<c10::TupleType>() : nullptr;
  if (call.inputs.size() == 1 && call.inputs[0]->type()->is_module()) {
    const auto type = call.inputs[0]->type()->expect<c10::ClassType>();
    c10::List<std::string> names;
    for (const auto& child : children_of(*type)) names.push_back(call.compiler.name_of(type, child));
    // Children of a module list go by their positions.
    const bool has_none = !names.empty() && names[0] == std::string("0");
    return call.give(has_none ? call.constant(c10::IValue()) : call.constant(names));
  }
  if (!tuple || !tuple->schema() || call.compiler.callee_of(tuple)) {
    const auto* value = call.inputs.size() == 1 ? call.inputs[0] : nullptr;
    const bool has_none = value && (is_single(value->type()) || value->type()->kind() == TypeKind::NoneType || tuple ||
                                    elements_known(value) == value);
    if (has_none) return call.give(call.constant(c10::IValue()));
    if (value && is_list(value)) guess_dict(call, value);
    if (value && is_list(value))
      call.fail(
          "a vector, or a list that is made while the program runs, has no names in a program: name its elements "
          "where it is made, by `list(a = )`, or use a `jit_dict()`");
    std::string why;
    if (auto* names = call_builtin(call, &why)) return call.give(names);
    call.fail(why);
  }
  c10::List<std::string> names;
  for (const auto& field : tuple->schema()->arguments()) names.push_back(field.name());
  return call.give(call.constant(names));
}

}  // namespace shim::script
