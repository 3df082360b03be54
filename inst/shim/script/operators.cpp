// Calls of operators. Arguments have the names that R users know and count from 1: the host's table of operators says
// so.
#include "core/callable.h"
#include "script/builtins.h"
#include "script/compiler.h"

namespace shim::script {

using namespace torch::jit;
using c10::TypeKind;

namespace {

// Finds the value of each formal, NULL where none is given. False if the arguments do not fit the formals.
bool bind_values(const Call& call, const ts_operator& op, std::vector<Value*>& values) {
  values.assign(op.n_slots, nullptr);
  for (const auto& given : call.named) {
    size_t at = 0;
    while (at < op.n_slots && given.first != op.slots[at]) ++at;
    if (at == op.n_slots || values[at]) return false;
    values[at] = given.second;
  }
  size_t next = 0;
  for (auto* value : call.inputs) {
    while (next < op.n_slots && values[next]) ++next;
    if (next == op.n_slots) return false;
    values[next] = value;
  }
  return true;
}

bool is_dtype(const ts_type& type) {
  return type.kind == TS_KIND_DTYPE || (type.kind == TS_KIND_OPTIONAL && is_dtype(*type.items[0]));
}

// What it costs to read the values as this overload's arguments; -1: they do not fit.
int price_of(const Call& call, const ts_operator& op, const ts_form& form, const std::vector<Value*>& values) {
  const auto& callable = *form.callable;
  const auto& schema = *callable.schema.view();
  int total = 0;
  std::vector<bool> taken(values.size(), false);
  for (size_t i = 0; i < schema.n_arguments; ++i) {
    const int16_t slot = form.slots[i];
    auto* value = slot >= 0 ? values[slot] : nullptr;
    if (!value) {
      const bool known = schema.arguments[i].has_default || (slot >= 0 && op.defaults[slot].tag != TS_DEFAULT);
      if (!known) return -1;
      continue;
    }
    if (schema.arguments[i].is_out) return -1;
    taken[slot] = true;
    if (is_dtype(*schema.arguments[i].type)) value = dtype_value(call, value);
    int price = cost(value, callable.types[i]);
    // An argument that is NULL counts as not given where there is a default.
    if (price < 0 && value->type()->kind() == TypeKind::NoneType && schema.arguments[i].has_default) price = 1;
    if (price < 0) return -1;
    total += price;
  }
  for (size_t slot = 0; slot < values.size(); ++slot)
    if (values[slot] && !taken[slot]) return -1;
  return total;
}

// `tensor`: one that is beside the argument, or NULL.
Value* argument_of(const Call& call, Value* value, const TypePtr& type, uint8_t flags, const ts_type& kind,
                   Value* tensor = nullptr) {
  if (is_dtype(kind)) value = dtype_value(call, value);
  if (value->type()->kind() == TypeKind::NoneType) return value;
  TypePtr wanted = type;
  if (const auto optional = type->cast<c10::OptionalType>()) wanted = optional->getElementType();
  const bool whole_list = wanted->kind() == TypeKind::ListType &&
                          wanted->expectRef<c10::ListType>().getElementType()->kind() == TypeKind::IntType;
  // `kernel_size = 2` of `int[3]` stands for three.
  const ts_type& inner = kind.kind == TS_KIND_OPTIONAL ? *kind.items[0] : kind;
  const bool single = !is_list(value) && value->type()->kind() != TypeKind::TupleType;
  if (inner.kind == TS_KIND_LIST && inner.length > 1 && single && !(flags & TS_FLAG_POSITION)) {
    const auto element = wanted->expectRef<c10::ListType>().getElementType();
    const std::vector<Value*> items(inner.length, call.as(value, element));
    return call.graph().insertNode(call.graph().createList(element, items))->output();
  }
  if ((flags & TS_FLAG_POSITION) && wanted->kind() == TypeKind::IntType) return call.position(value);
  if ((flags & TS_FLAG_POSITION) && whole_list) {
    if (!is_list(value)) {
      auto* node = call.graph().insertNode(call.graph().createList(c10::IntType::get(), {call.position(value)}));
      return node->output();
    }
    auto* made = value->node();
    if (made->kind() == c10::prim::ListConstruct) {
      std::vector<Value*> items;
      for (auto* item : made->inputs()) items.push_back(call.position(item));
      return call.graph().insertNode(call.graph().createList(c10::IntType::get(), items))->output();
    }
    return call.builtin("inner:all_positions", {call.as(value, wanted)});
  }
  if ((flags & TS_FLAG_INDEX_TENSOR) && is_tensor(value)) return call.builtin("inner:positions", {value});
  return flags & TS_FLAG_PROMOTE ? call.as_beside(value, type, tensor) : call.as(value, type);
}

}  // namespace

SugaredValuePtr call_operator(Call& call, const ts_operator& op, std::string* why) {
  std::vector<Value*> values;
  const ts_form* best = nullptr;
  int least = 0;
  if (bind_values(call, op, values)) {
    for (size_t i = 0; i < op.n_forms; ++i) {
      if (!op.forms[i].callable->dispatched && !op.forms[i].callable->jit_operator) continue;
      const int price = price_of(call, op, op.forms[i], values);
      if (price < 0 || (best && price >= least)) continue;
      best = &op.forms[i];
      least = price;
    }
  }
  if (!best) {
    if (why) *why = call.misfit(op.name);
    return nullptr;
  }
  const auto& callable = *best->callable;
  const auto& schema = *callable.schema.view();
  auto& graph = call.graph();
  std::vector<Value*> inputs;
  auto* tensor = first_tensor(values);
  for (size_t i = 0; i < schema.n_arguments; ++i) {
    const int16_t slot = best->slots[i];
    auto* value = slot >= 0 ? values[slot] : nullptr;
    const bool none = value && value->type()->kind() == TypeKind::NoneType && cost(value, callable.types[i]) < 0;
    if (!value && !schema.arguments[i].has_default) {
      auto* given = call.constant(to_natural_ivalue(op.defaults[slot]));
      inputs.push_back(argument_of(call, given, callable.types[i], best->flags[i], *schema.arguments[i].type));
    } else if (!value || none) {
      inputs.push_back(call.constant(callable.defaults[i] ? *callable.defaults[i] : c10::IValue()));
    } else {
      inputs.push_back(argument_of(call, value, callable.types[i], best->flags[i], *schema.arguments[i].type, tensor));
    }
  }
  auto* node = graph.insertNode(graph.create(c10::Symbol::fromQualString(schema.name), inputs, 0));
  node->setSourceRange(call.place);
  for (size_t i = 0; i < schema.n_returns; ++i) {
    const auto& type = callable.results[i];
    node->addOutput()->setType(type ? type : TypePtr(c10::TensorType::get()));
  }
  std::vector<Value*> outputs(node->outputs().begin(), node->outputs().end());
  for (size_t i = 0; i < outputs.size() && i < 32; ++i)
    if ((best->position_results >> i & 1) && is_tensor(outputs[i]))
      outputs[i] = call.builtin("inner:from_one", {outputs[i]});
  if (outputs.empty()) return call.give(call.constant(c10::IValue()));
  if (outputs.size() == 1) return call.give(outputs[0]);
  c10::TupleTypePtr type;
  if (op.n_results == outputs.size()) {
    std::vector<TypePtr> types;
    for (auto* output : outputs) types.push_back(output->type());
    type = call.compiler.named_tuple({op.results, op.results + op.n_results}, types);
  }
  return call.give(graph.insertNode(graph.createTuple(outputs, type))->output());
}

}  // namespace shim::script
