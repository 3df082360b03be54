// What the names of lower.h mean, by the types of their arguments.
#include "script/builtins.h"
#include "script/compiler.h"

#include "core/callable.h"
#include "jit/builtins.h"

#include <unordered_map>

namespace shim::script {

using namespace torch::jit;
using c10::TypeKind;

namespace {

bool is_mutable(const TypePtr& type) {
  const auto kind = type->kind();
  return kind == TypeKind::ListType || kind == TypeKind::DictType || type->isSubtypeOf(*c10::TensorType::get());
}

// Whether what a node gives may be, or be a part of, what it was given.
bool may_alias(const Node* node, const Value* value) {
  const auto* schema = node->maybeSchema();
  if (!schema) return node->kind() != c10::prim::ListConstruct && node->kind() != c10::prim::DictConstruct;
  if (value->offset() >= schema->returns().size()) return true;
  return schema->returns()[value->offset()].alias_info() != nullptr;
}

bool is_part_of_changed(const Instance& instance, const Value* value, int depth = 0) {
  if (!is_mutable(value->type()) && value->type()->kind() != TypeKind::TupleType) return false;
  const Node* node = value->node();
  if (depth > 50) return true;
  if (node->kind() == c10::prim::Load) {
    const std::string name = node->s(c10::attr::name);
    return instance.written->changed.count(name.rfind("R.", 0) == 0 ? name.substr(2) : name) > 0 || name.rfind("R.v", 0) == 0;
  }
  if (!may_alias(node, value)) return false;
  for (const auto* input : node->inputs())
    if (is_part_of_changed(instance, input, depth + 1)) return true;
  return !node->blocks().empty();
}

Value* copy_of(const Call& call, Value* value) { return call.builtin("inner:own", {value}); }

Value* list_of(const Call& call, const TypePtr& element, const std::vector<Value*>& values) {
  auto* node = call.graph().insertNode(call.graph().createList(element, values));
  node->setSourceRange(call.place);
  return node->output();
}

Value* tuple_of(const Call& call, const std::vector<Value*>& values, const c10::TupleTypePtr& type = nullptr) {
  auto* node = call.graph().insertNode(call.graph().createTuple(values, type));
  node->setSourceRange(call.place);
  return node->output();
}

// --- variables -----------------------------------------------------------------------------------------------------------

// `list()`: what it holds is not known by itself.
bool is_empty_list(const Value* value) {
  return value->node()->kind() == c10::prim::ListConstruct && value->node()->inputs().empty();
}

Value* empty_of(Call& call, const TypePtr& type) {
  if (const auto list = type->cast<c10::ListType>()) return list_of(call, list->getElementType(), {});
  const auto dict = type->cast<c10::DictType>();
  if (!dict) return nullptr;
  return call.graph().insertNode(call.graph().createDict(dict->getKeyType(), dict->getValueType(), {}, {}))->output();
}

Value* note(Call& call, const std::string& variable, Value* value) {
  auto& instance = call.instance;
  const auto declared = instance.declared.find(variable);
  if (is_empty_list(value)) {
    auto* empty = declared == instance.declared.end() ? nullptr : empty_of(call, declared->second);
    return empty ? empty : value;
  }
  instance.seen[variable].push_back(value->type());
  if (declared == instance.declared.end()) return value;
  if (cost(value, declared->second) < 0) {
    const auto wider = joined(declared->second, value->type());
    if (wider) call.compiler.declare(instance, variable, wider);
    call.fail("`" + variable + "` is " + words(value->type()) + " here, and " + words(declared->second) + " elsewhere");
  }
  return call.as(value, declared->second);
}

SugaredValuePtr assign(Call& call) {
  auto* value = note(call, call.payload, call.inputs.at(0));
  if (call.instance.written->changed.count(call.payload)) return call.give(own(call, value));
  if (!call.instance.written->changed.empty()) value = detached(call, value);
  return call.give(value);
}

// In a loop or branch. LibTorch's compiler would make a number of a tensor without a word.
SugaredValuePtr assign_inside(Call& call) {
  auto& instance = call.instance;
  const auto& seen = instance.seen[call.payload];
  if (!seen.empty() && !instance.declared.count(call.payload) && !is_empty_list(call.inputs.at(0))) {
    const auto type = joined(seen.front(), call.inputs.at(0)->type());
    if (type && !(*type == *seen.front())) call.compiler.declare(instance, call.payload, type);
  }
  return assign(call);
}

SugaredValuePtr reassign(Call& call) { return call.give(note(call, call.payload, call.inputs.at(0))); }

// A variable that may have no value yet.
SugaredValuePtr defined(Call& call) {
  auto* value = call.inputs.at(0);
  const auto optional = value->type()->cast<c10::OptionalType>();
  if (!optional) return call.give(value);
  return call.give(call.builtin("inner:defined", {value, call.constant(call.payload)}));
}

SugaredValuePtr give_back(Call& call) { return call.give(note(call, "return", call.inputs.at(0))); }

// --- lists ---------------------------------------------------------------------------------------------------------------

SugaredValuePtr make_list(Call& call) {
  std::vector<Value*> values;
  std::vector<std::string> names;
  for (auto* value : call.inputs) values.push_back(detached(call, value));
  for (const auto& it : call.named) {
    names.push_back(it.first);
    values.push_back(detached(call, it.second));
  }
  std::vector<TypePtr> types;
  for (auto* value : values) types.push_back(value->type());
  if (!names.empty()) {
    if (!call.inputs.empty()) call.fail("all elements of this list need a name, or none");
    return call.give(tuple_of(call, values, call.compiler.named_tuple(names, types)));
  }
  // What it holds is told by what is put into it.
  if (values.empty()) return call.give(list_of(call, c10::TensorType::get(), {}));
  for (const auto& type : types)
    if (!(*type == *types.front())) return call.give(tuple_of(call, values));
  return call.give(list_of(call, types.front(), values));
}

// Elements of one type: `c()`.
SugaredValuePtr combine(Call& call) {
  if (!call.named.empty()) call.fail("`c()` has no names in a program; use `list()` or `jit_dict()`");
  if (call.inputs.empty()) return call.give(call.constant(c10::IValue()));
  TypePtr element;
  for (auto* value : call.inputs) {
    const auto type = is_list(value) ? element_type(value) : value->type();
    const auto wider = element ? joined(element, type) : type;
    if (!wider) call.fail("`c()` can't hold both " + words(element) + " and " + words(type));
    element = wider;
  }
  // R makes a list of tensors; values that are no vectors stay what they are.
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

// `vector("list", n)` has no elements before they are given: a list that grows.
SugaredValuePtr make_vector(Call& call) {
  auto values = call.inputs;
  for (const auto& it : call.named) values.push_back(it.second);
  const auto mode = values.empty() ? std::nullopt : known_value(values[0]);
  if (!mode || !mode->isString()) call.fail("the mode of `vector()` must be written as a string in a program");
  const std::string text = mode->toStringRef();
  if (text == "list") return call.give(list_of(call, c10::TensorType::get(), {}));
  values.erase(values.begin());
  return call.give(call.builtin(text, values));
}

// --- loops ---------------------------------------------------------------------------------------------------------------

SugaredValuePtr range(Call& call) {
  auto* from = call.whole(call.inputs.at(0), "the beginning of a range");
  auto* to = call.whole(call.inputs.at(1), "the end of a range");
  auto* step = call.builtin("inner:step", {from, to});
  return std::make_shared<RangeValue>(call.place, call.function,
                                      std::vector<Value*>{from, call.op("aten::add", {to, step}), step});
}

SugaredValuePtr count(Call& call, Value* n) {
  auto* one = call.constant(int64_t{1});
  return std::make_shared<RangeValue>(call.place, call.function,
                                      std::vector<Value*>{one, call.op("aten::add", {n, one}), one});
}

SugaredValuePtr seq_len(Call& call) {
  return count(call, call.builtin("inner:count", {call.whole(call.inputs.at(0), "`seq_len()`")}));
}

SugaredValuePtr seq_along(Call& call) { return count(call, call.builtin("length", {call.inputs.at(0)})); }

// What `for` goes through: R goes through what it was before the loop.
SugaredValuePtr items(Call& call) {
  auto* value = call.inputs.at(0);
  const auto kind = value->type()->kind();
  if (kind == TypeKind::DictType) return call.give(call.op("aten::values", {value}));
  // Words that are known, as the names of parameters are, each have a turn of their own.
  const auto known = known_value(value);
  if (known && known->isList() && kind == TypeKind::ListType && element_type(value)->kind() == TypeKind::StringType) {
    std::vector<SugaredValuePtr> parts;
    for (const auto& part : known->toListRef()) parts.push_back(std::make_shared<SimpleValue>(call.constant(part)));
    return std::make_shared<SugaredTupleValue>(std::move(parts));
  }
  if (kind == TypeKind::ListType || is_tensor(value))
    return call.give(is_part_of_changed(call.instance, value) ? copy_of(call, value) : value);
  if (kind == TypeKind::TupleType) {
    std::vector<SugaredValuePtr> parts;
    for (auto* part : createTupleUnpack(value)) parts.push_back(std::make_shared<SimpleValue>(part));
    return std::make_shared<SugaredTupleValue>(std::move(parts));
  }
  if (const auto type = value->type()->cast<c10::ClassType>(); type && type->is_module()) {
    std::vector<SugaredValuePtr> children;
    for (size_t i = 0; i < type->numAttributes(); ++i)
      if (type->getAttribute(i)->is_module())
        children.push_back(SimpleValue(value).attr(call.place, call.function, type->getAttributeName(i)));
    return std::make_shared<SugaredTupleValue>(std::move(children));
  }
  if (kind == TypeKind::OptionalType || kind == TypeKind::NoneType)
    call.fail("a loop can't go through " + words(value->type()) + ": ask `is.null()` before");
  return call.give(list_of(call, value->type(), {value}));
}

// --- messages ------------------------------------------------------------------------------------------------------------

Value* text_of(Call& call, Value* value) {
  if (value->type()->kind() == TypeKind::StringType) return value;
  return call.builtin("as.character", {value});
}

Value* pasted(Call& call, const std::vector<Value*>& values, const std::string& between) {
  if (values.empty()) return call.constant(std::string());
  Value* text = nullptr;
  for (auto* value : values) {
    auto* next = text_of(call, value);
    if (text && !between.empty()) text = call.op("aten::add", {text, call.constant(between)});
    text = text ? call.op("aten::add", {text, next}) : next;
  }
  return text;
}

Value* take_named(Call& call, const std::string& name) {
  for (auto it = call.named.begin(); it != call.named.end(); ++it) {
    if (it->first != name) continue;
    auto* value = it->second;
    call.named.erase(it);
    return value;
  }
  return nullptr;
}

std::string word(Call& call, Value* value, const std::string& what) {
  const auto it = known_value(value);
  if (!it || !it->isString()) call.fail("`" + what + "` must be written as a string in a program");
  return it->toStringRef();
}

SugaredValuePtr paste(Call& call) {
  std::string between = call.payload == "paste0" ? "" : " ";
  if (auto* given = take_named(call, "sep")) between = word(call, given, "sep");
  if (auto* given = take_named(call, "collapse")) {
    const auto joint = word(call, given, "collapse");
    if (call.inputs.size() != 1 || !is_list(call.inputs[0]) || element_type(call.inputs[0])->kind() != TypeKind::StringType)
      call.fail("`collapse` is for one vector of strings in a program");
    return call.give(call.op("aten::join", {call.constant(joint), call.inputs[0]}));
  }
  for (auto* value : call.inputs)
    if (is_list(value)) call.fail("`" + call.payload + "()` takes single values in a program; `collapse` joins strings");
  return call.give(pasted(call, call.inputs, between));
}

SugaredValuePtr error(Call& call) {
  take_named(call, "call.");
  return std::make_shared<ExceptionMessageValue>(pasted(call, call.inputs, ""));
}

SugaredValuePtr warn(Call& call) {
  take_named(call, "call.");
  call.op("aten::warn", {pasted(call, call.inputs, ""), call.constant(int64_t{2})});
  return call.give(call.constant(c10::IValue()));
}

SugaredValuePtr show(Call& call) {
  std::vector<Value*> values;
  std::string between = call.payload == "cat" ? " " : "";
  if (auto* given = take_named(call, "sep")) between = word(call, given, "sep");
  for (auto* value : call.inputs) {
    const auto text = known_value(value);
    // What is printed ends its line anyway.
    if (call.payload == "cat" && text && text->isString() && text->toStringRef() == "\n") continue;
    values.push_back(value);
  }
  auto* node = call.graph().insertNode(call.graph().create(c10::prim::Print, {pasted(call, values, between)}, 0));
  node->setSourceRange(call.place);
  return call.give(call.constant(c10::IValue()));
}

SugaredValuePtr format_text(Call& call) {
  return call.give(call.op("aten::percentFormat", std::vector<NamedValue>(call.inputs.begin(), call.inputs.end())));
}

SugaredValuePtr push(Call& call) {
  call.op("aten::append", {call.inputs.at(0), detached(call, call.inputs.at(1))});
  return call.give(call.constant(c10::IValue()));
}

SugaredValuePtr never(Call& call) { return call.give(call.constant(false)); }

SugaredValuePtr unchecked(Call& call) { return call.give(call.constant(c10::IValue())); }

// Of a module its children, of a tensor its rows.
SugaredValuePtr as_list(Call& call) {
  auto* value = call.inputs.at(0);
  return call.give(is_tensor(value) ? call.op("aten::unbind", {value}) : value);
}

SugaredValuePtr wait(Call& call) { return call.give(call.op("aten::wait", {call.inputs.at(0)})); }

// Creation functions: sizes as numbers, or one vector.
SugaredValuePtr of_size(Call& call) {
  std::vector<Value*> sizes;
  sizes.swap(call.inputs);
  if (!sizes.empty()) {
    if (sizes.size() == 1 && is_list(sizes[0])) {
      call.named.emplace_back("size", sizes[0]);
    } else {
      for (auto*& size : sizes) size = call.whole(size, "a size");
      call.named.emplace_back("size", list_of(call, c10::IntType::get(), sizes));
    }
  }
  std::string why;
  auto* value = call_builtin(call, &why);
  if (!value) call.fail(why);
  return call.give(value);
}

// --- calls ---------------------------------------------------------------------------------------------------------------

// What a value is, which is known when the program is compiled.
SugaredValuePtr is_kind(Call& call) {
  if (call.inputs.size() != 1) call.fail("`" + call.payload + "()` takes one value");
  const auto* value = call.inputs[0];
  TypePtr type = value->type();
  if (type->kind() == TypeKind::OptionalType) call.fail("what this is depends on whether it is NULL: ask `is.null()` before");
  const bool list = type->kind() == TypeKind::ListType;
  const auto kind = list ? element_type(value)->kind() : type->kind();
  const bool number = kind == TypeKind::IntType || kind == TypeKind::FloatType || kind == TypeKind::NumberType;
  const bool plain = number || kind == TypeKind::BoolType || kind == TypeKind::StringType;
  bool is = false;
  const auto& name = call.payload;
  if (name == "is.numeric") is = number;
  if (name == "is.integer") is = kind == TypeKind::IntType;
  if (name == "is.double") is = kind == TypeKind::FloatType;
  if (name == "is.logical") is = kind == TypeKind::BoolType;
  if (name == "is.character") is = kind == TypeKind::StringType;
  if (name == "is.atomic" || name == "is.vector") is = plain;
  if (name == "is.list") is = (list && !plain) || kind == TypeKind::TupleType || kind == TypeKind::DictType;
  if (name == "is_torch_tensor") is = !list && is_tensor(value);
  return call.give(call.constant(is));
}

using Handler = SugaredValuePtr (*)(Call&);

const std::unordered_map<std::string, Handler>& handlers() {
  static const std::unordered_map<std::string, Handler> all = {
      {"list", make_list},      {"c", combine},           {"vector", make_vector},
      {"paste", paste},         {"paste0", paste},        {"stop", error},           {"warning", warn},
      {"cat", show},            {"print", show},          {"message", show},         {"sprintf", format_text},
      {"jit_wait", wait},       {"torch_zeros", of_size}, {"torch_ones", of_size},   {"torch_rand", of_size},
      {"torch_randn", of_size}, {"torch_empty", of_size}, {"jit_tuple", make_list}, {"unchecked", unchecked}, {"is.numeric", is_kind},
      {"is.integer", is_kind},  {"is.double", is_kind},   {"is.logical", is_kind},   {"is.character", is_kind},
      {"is.atomic", is_kind},   {"is.vector", is_kind},   {"is.list", is_kind},      {"is_torch_tensor", is_kind},
      {"is_packed_sequence", never}, {"as.list", as_list}};
  return all;
}

Handler handler_of(const std::string& name) {
  const auto found = handlers().find(name);
  return found == handlers().end() ? nullptr : found->second;
}

Handler inner_handler_of(const std::string& name) {
  static const std::unordered_map<std::string, Handler> handlers = {
      {"range", range}, {"seq_len", seq_len}, {"seq_along", seq_along}, {"items", items}, {"error", error}, {"push", push}};
  const auto found = handlers.find(name);
  return found == handlers.end() ? nullptr : found->second;
}

bool has_tensor(const Call& call) {
  const auto optional = c10::OptionalType::create(c10::TensorType::get());
  for (auto* value : call.inputs)
    if (value->type()->isSubtypeOf(*optional) || (is_list(value) && element_type(value)->isSubtypeOf(*c10::TensorType::get()))) return true;
  for (const auto& it : call.named)
    if (it.second->type()->isSubtypeOf(*optional)) return true;
  return false;
}

// torch_float() and the like.
Value* dtype_made(Call& call) {
  if (call.payload.rfind("torch_", 0) != 0 || !call.inputs.empty() || !call.named.empty()) return nullptr;
  const auto named = builtin_name("torch", call.function, call.place);
  try {
    auto* value = named->attr(call.place, call.function, call.payload.substr(6))->asValue(call.place, call.function);
    return value->type()->kind() == TypeKind::IntType ? value : nullptr;
  } catch (const ErrorReport&) {
    return nullptr;
  }
}

SugaredValuePtr call_function(Call& call) {
  const std::string name = call.payload;
  const auto* known = call.compiler.known(call.instance, name);
  if (known && !known->is_function && !has_builtin(name) && !handler_of(name)) call.fail("`" + name + "` is no function");
  if (known && known->callable) {
    std::vector<NamedValue> inputs(call.inputs.begin(), call.inputs.end()), named;
    for (const auto& it : call.named) named.emplace_back(it.first, it.second);
    return FunctionValue(known->callable->function).call(call.place, call.function, inputs, named, 1);
  }
  // What the user has defined under the name of a builtin is the user's.
  const bool is_builtin = !known || !known->is_function || known->builtin;
  if (is_builtin) {
    if (known && known->builtin) call.payload = known->builtin;
    const auto colons = call.payload.rfind("::");
    if (colons != std::string::npos && colons + 2 < call.payload.size()) call.payload = call.payload.substr(colons + 2);
    if (const auto handler = handler_of(call.payload)) return handler(call);
  }
  std::string why;
  if (known && known->operator_at >= 0 && has_tensor(call)) {
    if (auto value = call_operator(call, call.compiler.operator_at(known->operator_at), &why)) return value;
  }
  if (is_builtin) {
    std::string other;
    if (auto* value = call_builtin(call, &other)) return call.give(value);
    if (why.empty()) why = other;
    if (auto* value = dtype_made(call)) return call.give(value);
  }
  if (known && known->closure_at >= 0)
    return call.give(call.compiler.call(call, call.compiler.closure(known->closure_at)));
  if (known && known->operator_at >= 0 && why.empty()) {
    if (auto value = call_operator(call, call.compiler.operator_at(known->operator_at), &why)) return value;
  }
  if (!why.empty()) call.fail(why);
  if (known && known->refused) call.fail("`" + name + "()` " + known->refused);
  call.fail("there is no function `" + name + "` that a program can call");
}

SugaredValuePtr call_local(Call& call) {
  return call.give(call.compiler.call(call, call.compiler.local(std::stoul(call.payload))));
}

// A call of a variable: it may be a module, else R looks further for a function of that name.
SugaredValuePtr invoke(Call& call) {
  if (call.inputs.at(0)->type()->kind() == TypeKind::ClassType) {
    if (auto* value = call.compiler.call_method(call, "forward")) return call.give(value);
    call.fail("`" + call.payload + "` has no `forward`");
  }
  if (call.payload.empty()) call.fail("what is called here is no function: it is " + words(call.inputs[0]->type()));
  call.inputs.erase(call.inputs.begin());
  return call_function(call);
}

// --- members -------------------------------------------------------------------------------------------------------------

// A field of a list, a dictionary or an instance; NULL if the value is none of these.
SugaredValuePtr field_of(Call& call, Value* value, const std::string& name) {
  if (value->type()->kind() == TypeKind::DictType) return call.give(call.builtin("inner:get2", {value, call.constant(name)}));
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
    // Who goes through a module goes through its children.
    if (type->is_module() && name == "children" && !type->hasAttribute(name)) return call.give(value);
    if (const auto setting = call.compiler.setting(type, name)) return call.give(call.constant(*setting));
    // As R has it, what is not there is NULL.
    if (type->is_module() && !type->hasAttribute(name) && !type->findMethod(name) && !type->findConstant(name))
      return call.give(call.constant(c10::IValue()));
    return SimpleValue(value).attr(call.place, call.function, name);
  }
  return nullptr;
}

SugaredValuePtr field(Call& call) {
  auto* value = call.inputs.at(0);
  if (auto found = field_of(call, value, call.payload)) return found;
  if (cost(value, c10::TensorType::get()) == 9) value = call.as(value, c10::TensorType::get());
  if (!is_tensor(value)) call.fail(words(value->type()) + " has no `$" + call.payload + "`");
  Call inner = call.with("$" + call.payload, {value});
  if (auto* made = call_builtin(inner)) return call.give(made);
  call.fail("`" + call.payload + "` is no field of a tensor that a program knows");
}

SugaredValuePtr method(Call& call) {
  auto* self = call.inputs.at(0);
  const std::string name = call.payload;
  if (const auto type = self->type()->cast<c10::ClassType>()) {
    // `self$layer(x)` calls the layer.
    const auto slot = type->findAttributeSlot(name);
    if (slot && type->getAttribute(*slot)->is_module()) {
      call.inputs[0] = SimpleValue(self).attr(call.place, call.function, name)->asValue(call.place, call.function);
      if (auto* value = call.compiler.call_method(call, "forward")) return call.give(value);
      call.fail("`" + name + "` has no `forward`");
    }
    if (auto* value = call.compiler.call_method(call, name)) return call.give(value);
    if (type->is_module()) call.fail("`" + name + "` is neither a method nor a child of the module");
    std::vector<NamedValue> inputs(call.inputs.begin() + 1, call.inputs.end()), named;
    for (const auto& it : call.named) named.emplace_back(it.first, it.second);
    return SimpleValue(self).attr(call.place, call.function, name)->call(call.place, call.function, inputs, named, 1);
  }
  if (cost(self, c10::TensorType::get()) == 9) call.inputs[0] = self = call.as(self, c10::TensorType::get());
  if (!is_tensor(self)) call.fail(words(self->type()) + " has no method `$" + name + "()`");
  call.payload = "$" + name;
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

SugaredValuePtr get(Call& call) { return call.give(get_part(call, false)); }
SugaredValuePtr keep(Call& call) { return call.give(get_part(call, true)); }
SugaredValuePtr get2(Call& call) { return call.give(get_element(call)); }
SugaredValuePtr put(Call& call) { return call.give(put_part(call)); }
SugaredValuePtr put2(Call& call) { return call.give(put_element(call)); }

// `x$name <- value`: the payload is the name and the variable.
SugaredValuePtr put_field(Call& call) {
  const auto colon = call.payload.rfind(':');
  const std::string name = call.payload.substr(0, colon), variable = call.payload.substr(colon + 1);
  auto* whole = call.inputs.at(0);
  auto* value = detached(call, call.inputs.at(1));
  if (const auto dict = whole->type()->cast<c10::DictType>()) {
    if (variable.empty()) whole = own(call, whole);
    if (cost(value, dict->getValueType()) < 0 && !variable.empty())
      call.compiler.declare(call.instance, variable, c10::DictType::create(c10::StringType::get(), value->type()));
    return call.give(call.builtin("inner:put2", {whole, call.constant(name), call.as(value, dict->getValueType())}));
  }
  if (whole->type()->kind() == TypeKind::ClassType) {
    const auto type = whole->type()->expect<c10::ClassType>();
    const auto slot = type->findAttributeSlot(name);
    if (!slot) call.fail("`" + name + "` is no attribute: give it a value in `initialize`");
    if (cost(value, type->getAttribute(*slot)) < 0)
      call.fail("`" + name + "` is " + words(type->getAttribute(*slot)) + ", not " + words(value->type()));
    SimpleValue(whole).setAttr(call.place, call.function, name, call.as(value, type->getAttribute(*slot)));
    return call.give(whole);
  }
  const auto tuple = whole->type()->cast<c10::TupleType>();
  if (!tuple || !tuple->schema()) call.fail(words(whole->type()) + " has no parts with names");
  const auto parts = createTupleUnpack(whole);
  std::vector<Value*> values(parts.begin(), parts.end());
  const auto& fields = tuple->schema()->arguments();
  for (size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].name() != name) continue;
    if (cost(value, fields[i].type()) < 0)
      call.fail("`" + name + "` is " + words(fields[i].type()) + ", not " + words(value->type()));
    values[i] = call.as(value, fields[i].type());
    return call.give(tuple_of(call, values, tuple));
  }
  call.fail("this list has no element `" + name + "`: name all elements where the list is made");
}

SugaredValuePtr inner(Call& call) {
  if (const auto handler = inner_handler_of(call.payload)) return handler(call);
  if (call.payload == "whole") return call.give(call.inputs.at(0));
  if (call.payload == "condition") {
    auto* value = call.inputs.at(0);
    if (value->type()->kind() == TypeKind::BoolType) return call.give(value);
    call.payload = "inner:condition";
    if (auto* made = call_builtin(call)) return call.give(made);
    call.fail("a condition must be TRUE or FALSE, not " + words(value->type()));
  }
  call.payload = "inner:" + call.payload;
  std::string why;
  auto* made = call_builtin(call, &why);
  if (!made) call.fail(why);
  return call.give(made);
}

}  // namespace

std::vector<std::string> special_names() {
  std::vector<std::string> names;
  for (const auto& it : handlers()) names.push_back(it.first);
  return names;
}

Value* own(const Call& call, Value* value) {
  if (!is_mutable(value->type())) return value;
  const auto kind = value->node()->kind();
  const bool fresh = value->node()->blocks().empty() && !may_alias(value->node(), value) && kind != c10::prim::Load &&
                     kind != c10::prim::Param && kind != c10::prim::Constant;
  return fresh ? value : copy_of(call, value);
}

Value* detached(const Call& call, Value* value) {
  if (!is_mutable(value->type())) return value;
  return is_part_of_changed(call.instance, value) ? copy_of(call, value) : value;
}

SugaredValuePtr emit(const std::string& kind, Call& call) {
  static const std::unordered_map<std::string, Handler> kinds = {
      {"assign", assign}, {"assign_inside", assign_inside}, {"reassign", reassign}, {"defined", defined}, {"return", give_back}, {"call", call_function}, {"local", call_local}, {"invoke", invoke}, {"field", field},
      {"method", method}, {"get", get},          {"keep", keep},          {"get2", get2},        {"put", put},
      {"put2", put2},     {"putfield", put_field}, {"inner", inner}};
  const auto found = kinds.find(kind);
  TORCH_INTERNAL_ASSERT(found != kinds.end(), "no meaning of kind ", kind);
  return found->second(call);
}

}  // namespace shim::script
