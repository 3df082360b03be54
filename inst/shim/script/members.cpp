// `x$name`, `x$name(...)` and `x$name <- value`: fields and methods of tensors, lists, dictionaries and modules.
#include <algorithm>
#include <set>

#include "script/builtins.h"
#include "script/meaning.h"

namespace shim::script {

using namespace torch::jit;
using c10::TypeKind;

namespace {

// A field of a list, a dictionary or an instance; NULL if the value is none of these.
SugaredValuePtr field_of(Call& call, Value* value, const std::string& name) {
  if (value->type()->kind() == TypeKind::DictType)
    return call.give(call.builtin("inner:get2", {value, call.constant(name)}));
  if (const auto tuple = value->type()->cast<c10::TupleType>()) {
    if (!tuple->schema()) call.fail("this list has no names");
    const auto& fields = tuple->schema()->arguments();
    for (size_t i = 0; i < fields.size(); ++i) {
      if (fields[i].name() != name) continue;
      auto* node = call.graph().insertNode(
          call.graph().createTupleIndex(value, call.constant(static_cast<int64_t>(i)), fields[i].type()));
      return call.give(node->output());
    }
    call.fail("this list has no element `" + name + "`");
  }
  if (const auto type = value->type()->cast<c10::ClassType>()) {
    // A loop over a module goes through its children anyway.
    if (type->is_module() && name == "children" && !type->hasAttribute(name)) return call.give(value);
    if (const auto setting = call.compiler.setting(type, name)) return call.give(call.constant(*setting));
    const std::string identifier = call.compiler.identifier_of(type, name);
    if (!type->hasAttribute(identifier)) {
      if (auto* held = call.compiler.method_value(call, type, name)) return call.give(held);
      if (const auto* it = call.compiler.refused_field(type, name)) call.fail("`" + name + "` " + it->refused);
      // A field that is not there is NULL, as in R.
      if (type->is_module() && !type->findMethod(identifier) && !type->findConstant(identifier))
        return call.give(call.constant(c10::IValue()));
    }
    return SimpleValue(value).attr(call.place, call.function, identifier);
  }
  return nullptr;
}

// Whether the tensor is what a comparison, or a question, gives: a program knows no dtypes beyond that.
bool holds_logicals(const Value* tensor) {
  static const std::set<c10::Symbol> kinds = {c10::aten::eq,          c10::aten::ne,         c10::aten::lt,
                                              c10::aten::le,          c10::aten::gt,         c10::aten::ge,
                                              c10::aten::isnan,       c10::aten::isinf,      c10::aten::isfinite,
                                              c10::aten::logical_not, c10::aten::logical_or, c10::aten::logical_and,
                                              c10::aten::logical_xor, c10::aten::any,        c10::aten::all};
  return kinds.count(tensor->node()->kind()) > 0;
}

}  // namespace

// In `is.null(x$name)` an element that a list does not have is NULL.
SugaredValuePtr field_or_null(Call& call) {
  const auto* value = call.inputs[0] = call.or_empty(call.inputs.at(0));
  const auto tuple = value->type()->cast<c10::TupleType>();
  if (value->type()->kind() == TypeKind::DictType || is_list(value)) {
    Call inner = call.with("v", {call.inputs[0], call.constant(call.payload)});
    return call.give(get_element_or_null(inner));
  }
  if (!tuple || !tuple->schema()) return field(call);
  for (const auto& part : tuple->schema()->arguments())
    if (part.name() == call.payload) return field(call);
  return call.give(call.constant(c10::IValue()));
}

SugaredValuePtr field(Call& call) {
  auto* value = call.inputs.at(0);
  // A value that may be NULL is checked where a part of it is asked for.
  const auto optional = value->type()->cast<c10::OptionalType>();
  if (optional && optional->getElementType()->kind() != TypeKind::TensorType)
    value = call.as(value, optional->getElementType());
  if (auto found = field_of(call, value, call.payload)) return found;
  if (cost(value, c10::TensorType::get()) == 9) value = call.as(value, c10::TensorType::get());
  Call inner = call.with("$" + call.payload, {value});
  if (value->type()->kind() == TypeKind::DeviceObjType)
    if (auto* made = call_builtin(inner)) return call.give(made);
  if (!is_tensor(value)) call.fail(call.words_of(value) + " has no `$" + call.payload + "`");
  if (auto* made = call_builtin(inner)) return call.give(made);
  call.fail("`" + call.payload + "` is no field of a tensor that a program knows");
}

SugaredValuePtr method(Call& call) {
  auto* self = call.inputs.at(0);
  const std::string name = call.payload;
  if (const auto type = self->type()->cast<c10::ClassType>()) {
    // `self$layer(x)` calls the layer.
    const std::string identifier = call.compiler.identifier_of(type, name);
    const auto slot = type->findAttributeSlot(identifier);
    if (slot && type->getAttribute(*slot)->is_module()) {
      call.inputs[0] =
          SimpleValue(self).attr(call.place, call.function, identifier)->asValue(call.place, call.function);
      if (auto* value = call.compiler.call_method(call, "forward")) return call.give(value);
      call.fail("`" + name + "` has no `forward`");
    }
    if (auto* value = call.compiler.call_method(call, name)) return call.give(value);
    if (type->is_module()) call.fail("`" + name + "` is neither a method nor a child of the module");
    std::vector<NamedValue> inputs(call.inputs.begin() + 1, call.inputs.end()), named;
    for (const auto& it : call.named) named.emplace_back(it.first, it.second);
    return SimpleValue(self).attr(call.place, call.function, name)->call(call.place, call.function, inputs, named, 1);
  }
  // `parts$f(x)`: a function in a list.
  if (self->type()->kind() == TypeKind::TupleType) {
    call.inputs[0] = field_of(call, self, name)->asValue(call.place, call.function);
    call.payload.clear();
    return invoke(call);
  }
  if (cost(self, c10::TensorType::get()) == 9) call.inputs[0] = self = call.as(self, c10::TensorType::get());
  if (!is_tensor(self)) call.fail(call.words_of(self) + " has no method `$" + name + "()`");
  call.payload = "$" + name;
  if (name == "item" && holds_logicals(self)) call.payload = "as.logical";
  std::string why;
  if (has_builtin(call.payload))
    if (auto* made = call_builtin(call, &why)) return call.give(made);
  if (const auto* member = call.compiler.member(call.payload)) {
    if (member->operator_at >= 0)
      if (auto value = call_operator(call, call.compiler.operator_at(member->operator_at), &why)) return value;
  }
  if (!why.empty()) call.fail(why);
  call.fail("`" + name + "` is no method of a tensor that a program knows");
}

// Whether two values are one place: the same variable, or the same part of one.
static bool is_same_place(const Value& one, const Value& other) {
  const Node &a = *one.node(), &b = *other.node();
  if (&one == &other) return true;
  if (a.kind() != b.kind()) return false;
  if (a.kind() == c10::prim::Load) return a.s(c10::attr::name) == b.s(c10::attr::name);
  return a.kind() == c10::prim::TupleIndex && known_value(a.input(1))->toInt() == known_value(b.input(1))->toInt() &&
         is_same_place(*a.input(0), *b.input(0));
}

// Whether the value is what stands in the whole by this name, where it may have been changed in place.
static bool is_part_named(const Value& value, const Value& whole, const std::string& name) {
  const auto type = whole.type()->cast<c10::TupleType>();
  if (!type || !type->schema() || value.node()->kind() != c10::prim::TupleIndex) return false;
  const auto index = known_value(value.node()->input(1));
  const auto& fields = type->schema()->arguments();
  const auto at = index ? static_cast<size_t>(index->toInt()) : fields.size();
  return at < fields.size() && fields[at].name() == name && is_same_place(*value.node()->input(0), whole);
}

// Of a list with names that stands in the whole by this name, and of which a part has been given a value: the parts
// that were there before are owned already.
static Value* own_new_parts(const Call& call, Value* value, const Value& whole, const std::string& name) {
  if (value->node()->kind() != c10::prim::TupleConstruct) return own_parts(call, value);
  std::vector<Value*> parts = value->node()->inputs().vec();
  for (size_t i = 0; i < parts.size(); ++i) {
    const Node& maker = *parts[i]->node();
    const bool was_there = maker.kind() == c10::prim::TupleUnpack && parts[i]->offset() == i &&
                           is_part_named(*maker.input(0), whole, name);
    if (!was_there) parts[i] = own_parts(call, parts[i]);
  }
  return tuple_of(call, parts, value->type()->expect<c10::TupleType>());
}

// The list that was made empty just before, or NULL: its first element makes it a list with names.
static bool is_blank(const Value* value) {
  const auto* made = elements_known(value);
  return value->type()->kind() == TypeKind::NoneType || (made && made->node()->inputs().empty());
}

Value* put_named(Call& call, Value* whole, const std::string& name, Value* value, const std::string& variable) {
  const bool is_null = value->type()->kind() == TypeKind::NoneType;
  const auto tuple = whole->type()->cast<c10::TupleType>();
  Parts parts;
  if (tuple && tuple->schema() && !is_function(tuple)) {
    parts = parts_with_names(call, whole);
  } else if (is_list(whole) && !is_blank(whole) && !variable.empty()) {
    // An empty list that gets elements by their names somewhere else is a dictionary.
    if (!is_null) call.compiler.declare(call, variable, c10::DictType::create(c10::StringType::get(), value->type()));
    guess_dict(call, whole);
  }
  if (parts.empty() && !is_blank(whole)) call.fail(call.words_of(whole) + " has no parts with names");
  // In a loop or branch the next turn finds other elements.
  const bool is_here = whole->node()->kind() != c10::prim::Load || stored_value(whole->node());
  if (is_blank(whole) && !is_here && !variable.empty() && !is_null)
    call.compiler.declare(call, variable, c10::OptionalType::create(c10::DictType::create(c10::StringType::get(), value->type())));
  const auto found = std::find_if(parts.begin(), parts.end(), [&](const auto& part) { return part.first == name; });
  const bool may_be_null = found != parts.end() && found->second->type()->kind() == TypeKind::OptionalType;
  if (found != parts.end() && (!is_null || (may_be_null && !is_here))) {
    // An element keeps its type where that holds the value as it is.
    const auto type = found->second->type();
    const auto both = joined(type, value->type());
    const bool is_known = cost(value, type) >= 0 && is_known_number(value);
    found->second = is_known || (both && *both == *type) ? call.as(value, type) : value;
  } else if (!is_here && !variable.empty() && !(is_null && found == parts.end())) {
    // In a loop or branch the list can't become another one, but a dictionary can hold more or fewer elements.
    auto type = is_null ? parts.front().second->type() : value->type();
    for (const auto& part : parts) type = type ? joined(type, part.second->type()) : nullptr;
    if (!type)
      call.fail("in a loop or branch a list keeps its elements: make it with all of them, NULL where there is no value yet");
    call.compiler.declare(call, variable, c10::DictType::create(c10::StringType::get(), type));
  } else if (is_null) {
    if (found != parts.end()) parts.erase(found);
  } else {
    parts.emplace_back(name, value);
  }
  return list_of_parts(call, parts);
}

// `x$name <- value`. The payload is the name and, behind a colon, the variable that x is, if it is one.
SugaredValuePtr put_field(Call& call) {
  const auto colon = call.payload.rfind(':');
  const std::string name = call.payload.substr(0, colon), variable = call.payload.substr(colon + 1);
  auto* whole = call.inputs.at(0);
  whole = call.or_empty(whole);
  if (whole->type()->kind() == TypeKind::OptionalType) whole = call.as(whole, whole->type()->containedType(0));
  // A variable of which parts of parts are assigned owns what it holds.
  const bool owns = owner_holds(call.instance, whole);
  auto* value = call.inputs.at(1);
  if (!is_part_named(*value, *whole, name))
    value = owns ? own_new_parts(call, value, *whole, name) : detached(call, value);
  if (const auto dict = whole->type()->cast<c10::DictType>()) {
    if (value->type()->kind() == TypeKind::NoneType) return call.give(take_away(call, whole, call.constant(name), variable));
    if (variable.empty() && !owns) whole = own(call, whole);
    return call.give(
        call.builtin("inner:put2", {whole, call.constant(name), fitting_in(call, whole, value, variable)}));
  }
  if (whole->type()->kind() == TypeKind::ClassType) {
    const auto type = whole->type()->expect<c10::ClassType>();
    const std::string identifier = call.compiler.identifier_of(type, name);
    const auto slot = type->findAttributeSlot(identifier);
    if (!slot) call.fail("`" + name + "` is no attribute: give it a value in `initialize`");
    if (cost(value, type->getAttribute(*slot)) < 0)
      call.fail("`" + name + "` is " + words(type->getAttribute(*slot)) + ", not " + call.words_of(value));
    SimpleValue(whole).setAttr(call.place, call.function, identifier, call.as(value, type->getAttribute(*slot)));
    return call.give(whole);
  }
  return call.give(put_named(call, whole, name, value, variable));
}

}  // namespace shim::script
