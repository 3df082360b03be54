// Assignments: which type a variable has, and when a value is copied so that a change of a part is seen by one variable
// alone.
#include <algorithm>

#include "script/meaning.h"

namespace shim::script {

using namespace torch::jit;
using c10::TypeKind;

namespace {

bool is_mutable(const TypePtr& type) {
  const auto kind = type->kind();
  return kind == TypeKind::ListType || kind == TypeKind::DictType || type->isSubtypeOf(*c10::TensorType::get());
}

// Whether a result of a node may share memory with one of its inputs, or be one of them.
bool may_alias(const Node* node, const Value* value) {
  const auto* schema = node->maybeSchema();
  if (!schema || node->kind().is_prim())
    return node->kind() != c10::prim::ListConstruct && node->kind() != c10::prim::DictConstruct;
  if (value->offset() >= schema->returns().size()) return true;
  return schema->returns()[value->offset()].alias_info() != nullptr;
}

bool is_tuple(const Value* value) { return value->type()->kind() == TypeKind::TupleType; }

}  // namespace

bool is_part_of_changed(const Instance& instance, const Value* value, int depth) {
  const auto optional = value->type()->cast<c10::OptionalType>();
  const auto& type = optional ? optional->getElementType() : value->type();
  if (!is_mutable(type) && type->kind() != TypeKind::TupleType) return false;
  const Node* node = value->node();
  if (depth > 50) return true;
  if (node->kind() == c10::prim::Load) {
    // A list with names is made anew where a part of it is assigned. Its parts are changed in place only where parts of
    // parts are assigned.
    const auto& changed = type->kind() == TypeKind::TupleType ? instance.written->deep : instance.written->changed;
    const std::string name = node->s(c10::attr::name);
    return changed.count(r_variable(name)) > 0 || (name.rfind("R.v", 0) == 0 && !changed.empty());
  }
  if (!may_alias(node, value)) return false;
  for (const auto* input : node->inputs())
    if (is_part_of_changed(instance, input, depth + 1)) return true;
  return !node->blocks().empty() && !instance.written->changed.empty();
}

bool owner_holds(const Instance& instance, const Value* value) {
  if (value->type()->kind() == TypeKind::OptionalType) return false;
  while (value->node()->kind() == c10::prim::TupleIndex) value = value->node()->input(0);
  if (value->node()->kind() != c10::prim::Load) return false;
  const std::string variable = r_variable(value->node()->s(c10::attr::name));
  const auto seen = instance.seen.find(variable);
  if (!instance.written->deep.count(variable) || seen == instance.seen.end()) return false;
  // What may be NULL is not taken apart when it is assigned.
  for (const auto& it : seen->second)
    if (it.type->kind() != TypeKind::TupleType) return false;
  const auto declared = instance.declared.find(variable);
  return declared == instance.declared.end() || declared->second.type->kind() == TypeKind::TupleType;
}

bool is_made_empty(const Value* value) {
  const bool is_put_into = std::any_of(value->uses().begin(), value->uses().end(),
                                       [](const auto& use) { return use.user->kind() == c10::aten::_set_item; });
  const bool is_dict =
      value->node()->kind() == c10::prim::DictConstruct && value->node()->inputs().empty() && !is_put_into;
  const auto* made = elements_known(value);
  return is_dict || (made == value && made->node()->inputs().empty());
}

Value* empty_of(const Call& call, const TypePtr& type) {
  if (const auto list = type->cast<c10::ListType>()) return list_of(call, list->getElementType(), {});
  const auto dict = type->cast<c10::DictType>();
  if (!dict) return nullptr;
  return call.graph().insertNode(call.graph().createDict(dict->getKeyType(), dict->getValueType(), {}, {}))->output();
}

std::string unknown_variable(const Call& call, const Value* value) {
  const auto dict = value->type()->cast<c10::DictType>();
  if ((!is_list(value) && !dict) || value->node()->kind() != c10::prim::Load) return "";
  // What was made empty counts as holding tensors.
  if (!(dict ? dict->getValueType() : element_type(value))->isSubtypeOf(*c10::TensorType::get())) return "";
  const std::string variable = r_variable(value->node()->s(c10::attr::name));
  const auto seen = call.instance.seen.find(variable);
  const bool is_known = call.instance.declared.count(variable) || (seen != call.instance.seen.end() && !seen->second.empty());
  return is_known ? "" : variable;
}

Value* copy_of(const Call& call, Value* value) { return call.builtin("inner:own", {value}); }

namespace {

Value* note_list(Call& call, const std::string& variable, Value* list) {
  const auto& declared = call.instance.declared.at(variable).type;
  if (*list->type() == *declared) return list;
  // The variable was declared as a list without NULLs.
  call.compiler.declare(call, variable, list->type());
  return list;
}

Value* note(Call& call, const std::string& variable, Value* value) {
  auto& instance = call.instance;
  const auto declared = instance.declared.find(variable);
  if (is_made_empty(value)) {
    auto* empty = declared == instance.declared.end() ? nullptr : empty_of(call, declared->second.type);
    return empty ? empty : value;
  }
  if (auto* n = count_of_places(value)) {
    const auto list = declared == instance.declared.end() ? nullptr : declared->second.type->cast<c10::ListType>();
    if (list) return note_list(call, variable, places_of(call, list->getElementType(), n));
    if (declared == instance.declared.end()) return value;
  }
  const auto begun = instance.begun.find(variable);
  if (begun != instance.begun.end()) {
    const auto& first = begun->second.type;
    const bool is_null = first->kind() == TypeKind::NoneType && value->type()->kind() != TypeKind::NoneType;
    if (!call.compiler.joined_types(first, value->type()) || (is_null && begun->second.by_chance)) {
      instance.signature.without.insert(variable);
      throw Again{};
    }
  }
  const Typed here = {value->type(), call.place};
  instance.seen[variable].push_back(here);
  if (declared == instance.declared.end()) return value;
  if (cost(value, declared->second.type) < 0) {
    const auto wider = call.compiler.joined_types(declared->second.type, value->type());
    if (wider) call.compiler.declare(call, variable, wider);
    fail_of_types(variable, here, declared->second);
  }
  return call.as(value, declared->second.type);
}

}  // namespace

SugaredValuePtr assign(Call& call) {
  auto* value = note(call, call.payload, call.inputs.at(0));
  if (call.instance.written->deep.count(call.payload) && is_tuple(value)) return call.give(own_parts(call, value));
  if (call.instance.written->changed.count(call.payload) && !is_tuple(value)) return call.give(own(call, value));
  if (!call.instance.written->changed.empty()) value = detached(call, value);
  return call.give(value);
}

// An assignment in a loop or branch to a variable from outside of it. If the types differ, the variable is declared
// here: LibTorch's compiler would convert a tensor to a number without a word.
SugaredValuePtr assign_inside(Call& call) {
  auto& instance = call.instance;
  const auto& seen = instance.seen[call.payload];
  if (!seen.empty() && !instance.declared.count(call.payload) && !is_made_empty(call.inputs.at(0))) {
    const Typed here = {call.inputs.at(0)->type(), call.place};
    const auto type = call.compiler.joined_types(seen.back().type, here.type);
    if (type && !(*type == *seen.back().type)) call.compiler.declare(call, call.payload, type);
  }
  return assign(call);
}

// What R finds around the function for a variable that is read before it is assigned: the input, or what the host gave.
SugaredValuePtr begin(Call& call) {
  if (!call.inputs.empty()) return call.give(call.inputs[0]);
  try {
    return call.compiler.meaning("R:var:" + call.payload, call.instance, call.function, call.place);
  } catch (const ErrorReport&) {
    // The first read tells of it, if it is compiled.
    call.instance.signature.without.insert(call.payload);
    throw Again{};
  }
}

// The same where another assignment may come first. Beside that of a type that does not fit it is left out: the workspace may
// hold a variable of this name by chance.
SugaredValuePtr may_begin(Call& call) {
  const bool by_chance = call.inputs.empty();
  const auto value = begin(call);
  call.instance.begun[call.payload] = {value->asValue(call.place, call.function)->type(), by_chance};
  return value;
}

SugaredValuePtr reassign(Call& call) { return call.give(note(call, call.payload, call.inputs.at(0))); }

// A read of a variable that may have no value yet, and what is said then.
SugaredValuePtr defined(Call& call) {
  auto* value = call.inputs.at(0);
  const auto optional = value->type()->cast<c10::OptionalType>();
  if (!optional) return call.give(value);
  return call.give(call.builtin("inner:defined", {value, call.inputs.at(1)}));
}

SugaredValuePtr give_back(Call& call) {
  const auto& given = call.instance.seen["return"];
  const auto& type = call.inputs.at(0)->type();
  if (!given.empty() && !is_made_empty(call.inputs[0]) && !call.compiler.joined_types(given.front().type, type))
    fail_of_types("return", {type, call.place}, given.front());
  if (call.instance.is_root && is_function(call.inputs.at(0)->type())) call.fail("a program can't give a function");
  return call.give(note(call, "return", call.inputs.at(0)));
}

Value* own(const Call& call, Value* value) {
  const auto optional = value->type()->cast<c10::OptionalType>();
  if (optional && is_mutable(optional->getElementType())) return copy_of(call, value);
  if (!is_mutable(value->type())) return value;
  const auto kind = value->node()->kind();
  const bool fresh = value->node()->blocks().empty() && !may_alias(value->node(), value) && kind != c10::prim::Load &&
                     kind != c10::prim::Param && kind != c10::prim::Constant;
  return fresh ? value : copy_of(call, value);
}

Value* own_parts(const Call& call, Value* value) {
  if (!is_tuple(value)) return own(call, value);
  if (call.compiler.callee_of(value->type())) return value;
  const bool is_made_here = value->node()->kind() == c10::prim::TupleConstruct;
  std::vector<Value*> parts = is_made_here ? value->node()->inputs().vec() : createTupleUnpack(value).vec();
  for (auto& part : parts) part = own_parts(call, part);
  return tuple_of(call, parts, value->type()->expect<c10::TupleType>());
}

Value* detached(const Call& call, Value* value) {
  return is_part_of_changed(call.instance, value) ? own_parts(call, value) : value;
}

SugaredValuePtr detach(Call& call) { return call.give(detached(call, call.inputs.at(0))); }

// An argument of a task, which runs beside what comes next.
SugaredValuePtr forked(Call& call) {
  auto* value = call.inputs.at(0);
  return call.give(call.instance.written->written.empty() ? detached(call, value) : own_parts(call, value));
}

// Adds an operator that changes a value by nothing. LibTorch's analysis of aliases forgets that the next turn of a loop
// goes on with what this one leaves. A value that a variable gets in one turn and that is changed in the next one it
// would take for a constant, or join with an equal one. So the value is marked as changed where it is made.
SugaredValuePtr written(Call& call) {
  auto* value = call.inputs.at(0);
  switch (value->type()->kind()) {
    case TypeKind::ListType: {
      auto* none = call.constant(int64_t{0});
      call.op("aten::extend", {value, call.op("aten::slice", {value, none, none})});
      break;
    }
    case TypeKind::DictType: {
      const auto& type = value->type()->expectRef<c10::DictType>();
      auto* node = call.graph().createDict(type.getKeyType(), type.getValueType(), {}, {});
      call.op("aten::update", {value, call.graph().insertNode(node)->output()});
      break;
    }
    case TypeKind::TensorType:
      call.op("aten::requires_grad_", {value, call.op("prim::requires_grad", {value})});
      break;
    case TypeKind::TupleType:
      if (call.instance.written->deep.empty() || call.compiler.callee_of(value->type())) break;
      for (auto* part : createTupleUnpack(value)) {
        Call inner = call.with(call.payload, {part});
        written(inner);
      }
      break;
    case TypeKind::OptionalType:
      if (is_mutable(value->type()->expectRef<c10::OptionalType>().getElementType())) call.builtin("inner:written", {value});
      break;
    default:
      break;
  }
  return call.give(call.constant(c10::IValue()));
}

}  // namespace shim::script
