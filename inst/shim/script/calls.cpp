// Which function a call calls.
#include "script/meaning.h"

#include "script/builtins.h"

#include "core/callable.h"
#include "jit/builtins.h"

namespace shim::script {

using namespace torch::jit;
using c10::TypeKind;

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
  if (name == "is.list") is = (list && !plain) || (kind == TypeKind::TupleType && !is_function(type)) || kind == TypeKind::DictType;
  if (name == "is.function") is = is_function(type) || kind == TypeKind::ClassType;
  if (name == "is_torch_tensor") is = !list && is_tensor(value);
  return call.give(call.constant(is));
}

namespace {

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

}  // namespace

namespace {

// Members of enums are compared with each other and with names, as in R. NULL where nothing is a member of one.
Value* compare_members(Call& call) {
  const bool equal = call.payload == "==";
  if ((!equal && call.payload != "!=") || call.inputs.size() != 2) return nullptr;
  std::vector<Value*> sides(call.inputs.begin(), call.inputs.end());
  const auto is_member = [](const Value* value) { return value->type()->kind() == TypeKind::EnumType; };
  if (!is_member(sides[0]) && !is_member(sides[1])) return nullptr;
  if (*sides[0]->type() != *sides[1]->type())
    for (Value*& side : sides)
      if (is_member(side)) side = call.graph().insertNode(call.graph().createEnumName(side))->output();
  return call.graph().insert(equal ? c10::aten::eq : c10::aten::ne, {sides[0], sides[1]});
}

// `known`: what the name means where it is written, or NULL.
SugaredValuePtr call_known(Call& call, const ts_known* known) {
  const std::string name = call.payload;
  if (known && !known->is_function && !has_builtin(name) && !handler_of(name)) call.fail("`" + name + "` is no function");
  if (known && known->callable) {
    std::vector<NamedValue> inputs(call.inputs.begin(), call.inputs.end()), named;
    for (const auto& it : call.named) named.emplace_back(it.first, it.second);
    if (known->callable->makes)
      return ClassValue(known->callable->makes).call(call.place, call.function, inputs, named, 1);
    return FunctionValue(known->callable->function).call(call.place, call.function, inputs, named, 1);
  }
  // What the user has defined under the name of a builtin is the user's.
  const bool is_builtin = !known || !known->is_function || known->builtin;
  if (is_builtin) {
    if (auto* same = compare_members(call)) return call.give(same);
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

// What is called is the first input.
SugaredValuePtr call_value(Call& call, const Callee& callee) {
  const auto parts = createTupleUnpack(call.inputs.at(0));
  call.inputs.erase(call.inputs.begin());
  for (size_t i = 0; i < callee.captured.size(); ++i) call.named.emplace_back(callee.captured[i], parts[i + 1]);
  for (const auto& it : callee.constants) call.named.emplace_back(it.first, call.constant(it.second));
  if (callee.local) return call.give(call.compiler.call(call, *callee.local));
  call.payload = callee.name;
  return call_known(call, callee.known);
}

}  // namespace

SugaredValuePtr call_function(Call& call) { return call_known(call, call.compiler.known(call.instance, call.payload)); }

SugaredValuePtr call_local(Call& call) {
  return call.give(call.compiler.call(call, call.compiler.local(std::stoul(call.payload))));
}

SugaredValuePtr call_super(Call& call) { return call.give(call.compiler.call_super(call, call.payload)); }

SugaredValuePtr function_value(Call& call) {
  auto& local = call.compiler.local(std::stoul(call.payload));
  return call.give(call.compiler.function_value(call, {&local, nullptr, local.name, {}, {}}, call.named));
}

// `do.call(f, arguments)`: the list of arguments is the last input, the kind of call in the payload.
SugaredValuePtr spread(Call& call) {
  auto* list = call.inputs.back();
  call.inputs.pop_back();
  for (const auto& part : parts_with_names(call, list)) {
    if (part.first.empty()) {
      call.inputs.push_back(part.second);
    } else {
      call.named.push_back(part);
    }
  }
  const auto colon = call.payload.find(':');
  const std::string kind = call.payload.substr(0, colon);
  call.payload = call.payload.substr(colon + 1);
  return emit(kind, call);
}

// A call of a variable: it may be a module or a function, else R looks further for a function of that name.
SugaredValuePtr invoke(Call& call) {
  if (const auto* callee = call.compiler.callee_of(call.inputs.at(0)->type())) return call_value(call, *callee);
  if (call.inputs.at(0)->type()->kind() == TypeKind::ClassType) {
    if (auto* value = call.compiler.call_method(call, "forward")) return call.give(value);
    call.fail("`" + call.payload + "` has no `forward`");
  }
  if (call.inputs[0]->type()->kind() == TypeKind::TupleType)
    call.fail("which function this is must be known before the program runs: call each where it is chosen");
  if (call.payload.empty()) call.fail("what is called here is no function: it is " + words(call.inputs[0]->type()));
  call.inputs.erase(call.inputs.begin());
  return call_function(call);
}

}  // namespace shim::script
