// Calls of functions that are compiled themselves, of methods of modules, and functions that are values.
#include "jit/names.h"
#include "script/meaning.h"

namespace shim::script {

using namespace torch::jit;

// Compiles an instance unless it has been.
void Compiler::need(const Call& call, Instance& instance) {
  if (instance.compiled) return;
  if (instance.compiling)
    call.fail("`" + instance.written->name + "()` calls itself: recursion is not compiled; write a loop");
  instance.compiling = true;
  try {
    compile(instance);
  } catch (...) {
    instance.compiling = false;
    throw;
  }
  instance.compiling = false;
}

// Parameters that the function gives other values may have a wider type than what it is called with.
std::vector<NamedValue> Compiler::fitting(const Call& call, const Instance& instance,
                                          const std::vector<Value*>& values) {
  std::vector<NamedValue> given;
  for (size_t i = 0; i < values.size(); ++i) {
    const auto type = type_of(instance.signature.parameters[i].type);
    const auto unknown = unknown_variable(call, values[i]);
    if (!unknown.empty() && !(*type == *values[i]->type())) declare(call, unknown, type);
    given.emplace_back(call.as(values[i], type));
  }
  return given;
}

Value* Compiler::call(Call& call, Function& function) {
  std::vector<Value*> arguments;
  std::string key;
  Signature signature = bind(call, function, &arguments, &key);
  auto& instance = instances_[key];
  if (!instance) {
    instance = std::make_unique<Instance>();
    instance->written = &function;
    instance->signature = std::move(signature);
    instance->signature.name = free_name(function.name);
  }
  need(call, *instance);
  const std::vector<NamedValue> given = fitting(call, *instance, arguments);
  return FunctionValue(instance->compiled)
      .call(call.place, call.function, given, {}, 1)
      ->asValue(call.place, call.function);
}

Value* Compiler::call_method(Call& call, const std::string& method) {
  auto* self = call.inputs.at(0);
  const auto type = self->type()->expect<c10::ClassType>();
  const auto* scripted = module_of(type);
  int64_t at = -1;
  for (size_t i = 0; scripted && i < scripted->n_methods; ++i)
    if (method == scripted->methods[i]) at = scripted->closures[i];
  if (at < -1) {
    Call without = call;
    without.inputs.erase(without.inputs.begin());
    std::string why;
    auto value = call_operator(without, operator_at(-2 - at), &why);
    if (!value) call.fail(why);
    return value->asValue(call.place, call.function);
  }
  if (at < 0) {
    // A module that was traced or loaded has compiled methods of its own.
    if (!type->findMethod(method)) return nullptr;
    std::vector<NamedValue> inputs(call.inputs.begin() + 1, call.inputs.end()), named;
    for (const auto& it : call.named) named.emplace_back(it.first, it.second);
    return MethodValue(self, method)
        .call(call.place, call.function, inputs, named, 1)
        ->asValue(call.place, call.function);
  }
  return call_on(call, at, method);
}

Value* Compiler::call_super(Call& call, const std::string& method) {
  const auto* it = known(call.instance, "super$" + method);
  if (!it || it->closure_at < 0)
    call.fail("no class above this one has a method `" + method + "` that a program can call");
  return call_on(call, it->closure_at, method);
}

Value* Compiler::call_on(Call& call, int64_t at, const std::string& method) {
  auto* self = call.inputs.at(0);
  const auto type = self->type()->expect<c10::ClassType>();
  Function& function = closure(at, /*is_method=*/true);
  Call without = call;
  without.inputs.erase(without.inputs.begin());
  std::vector<Value*> arguments;
  std::string key;
  Signature signature = bind(without, function, &arguments, &key);
  key += "@" + type->name()->qualifiedName();
  auto& instance = instances_[key];
  if (!instance) {
    instance = std::make_unique<Instance>();
    instance->written = &function;
    instance->self = type;
    instance->signature = std::move(signature);
    instance->signature.is_method = true;
    // For each combination of types that it is called with, the method is compiled under another name.
    const std::string wanted = class_identifier(method);
    std::string name = wanted;
    for (int i = 1; type->findMethod(name); ++i) name = wanted + "_" + std::to_string(i);
    instance->signature.name = name;
  }
  need(call, *instance);
  const std::vector<NamedValue> given = fitting(call, *instance, arguments);
  return MethodValue(self, instance->signature.name)
      .call(call.place, call.function, given, {}, 1)
      ->asValue(call.place, call.function);
}

Value* Compiler::function_value(const Call& call, Callee callee,
                                const std::vector<std::pair<std::string, Value*>>& captured) {
  std::string key = callee.local ? "local" + std::to_string(number_of(*callee.local))
                                 : std::to_string(reinterpret_cast<uintptr_t>(callee.known));
  // LibTorch compares types by their parts. So the names of the parts tell one function's type from another's.
  std::vector<Value*> values = {call.constant(int64_t{0})};
  std::vector<TypePtr> types = {c10::IntType::get()};
  for (const auto& it : captured) {
    const auto known = known_value(it.second);
    if (known && (known->isBool() || known->isString() || known->isNone())) {
      callee.constants.emplace_back(it.first, *known);
      key += "," + it.first + "=" +
             (known->isNone()   ? "None"
              : known->isBool() ? (known->toBool() ? "T" : "F")
                                : known->toStringRef());
      continue;
    }
    callee.captured.push_back(it.first);
    values.push_back(it.second);
    types.push_back(it.second->type());
    key += "," + it.first + ":" + key_of(it.second->type());
  }
  auto& type = function_types_[key];
  if (!type) {
    const std::string name = free_name("Function");
    std::vector<std::string> names;
    for (size_t i = 0; i < types.size(); ++i) names.push_back(name + "_" + std::to_string(i));
    type = c10::TupleType::createNamed(c10::QualifiedName(qualified(name)), names, types);
    unit_->register_type(type);
    callees_[type->name()->qualifiedName()] = std::move(callee);
  }
  auto* node = call.graph().insertNode(call.graph().createTuple(values, type));
  node->setSourceRange(call.place);
  return node->output();
}

const Callee* Compiler::callee_of(const TypePtr& type) const {
  const auto tuple = type->cast<c10::TupleType>();
  if (!tuple || !tuple->name()) return nullptr;
  const auto found = callees_.find(tuple->name()->qualifiedName());
  return found == callees_.end() ? nullptr : &found->second;
}

Value* Compiler::method_value(const Call& call, const c10::ClassTypePtr& type, const std::string& name) {
  const auto* scripted = module_of(type);
  for (size_t i = 0; scripted && i < scripted->n_methods; ++i) {
    if (name != scripted->methods[i]) continue;
    const int64_t at = scripted->closures[i];
    auto& known = fields_[at];
    known = ts_known{};
    known.name = scripted->methods[i];
    known.is_function = true;
    known.operator_at = at < -1 ? -2 - at : -1;
    known.closure_at = at < -1 ? -1 : at;
    return function_value(call, {nullptr, &known, name, {}, {}}, {});
  }
  return nullptr;
}

}  // namespace shim::script
