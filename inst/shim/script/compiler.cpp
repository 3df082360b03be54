#include "script/compiler.h"

#include "core/callable.h"
#include "core/stack.h"
#include "jit/builtins.h"
#include "jit/names.h"
#include "jit/parse.h"
#include "script/builtins.h"

#include <torch/csrc/jit/frontend/resolver.h>

#include <cmath>
#include <optional>

namespace shim::script {
namespace {

using namespace torch::jit;

// Attempts until the types of all variables are known: each tells at least one of them.
constexpr int kAttempts = 40;

struct Names : Resolver {
  Names(Compiler& compiler, Instance& instance) : compiler(compiler), instance(instance) {}
  SugaredValuePtr resolveValue(const std::string& name, GraphFunction& function, const SourceRange& place) override {
    return compiler.meaning(name, instance, function, place);
  }
  TypePtr resolveType(const std::string& name, const SourceRange&) override { return compiler.type_of(name); }
  Compiler& compiler;
  Instance& instance;
};

// A constant that decides about branches, where it is written.
std::optional<c10::IValue> literal(const ts_code& code) {
  if (code.kind == TS_CODE_NULL) return c10::IValue();
  // Whose call it was is for messages.
  if (is_call(code, "caller_env") || is_call(code, "parent.frame") || is_call(code, "sys.call")) return c10::IValue();
  if (code.kind == TS_CODE_LOGICAL && code.number == code.number) return c10::IValue(code.number != 0);
  if (code.kind == TS_CODE_STRING) return c10::IValue(std::string(code.text));
  return std::nullopt;
}

// A default that is written as a value.
std::optional<c10::IValue> default_value(const ts_code& code) {
  switch (code.kind) {
    case TS_CODE_DOUBLE: return c10::IValue(code.number);
    case TS_CODE_INTEGER: return c10::IValue(static_cast<int64_t>(code.number));
    case TS_CODE_LOGICAL: return c10::IValue(code.number != 0);
    case TS_CODE_STRING: return c10::IValue(std::string(code.text));
    case TS_CODE_NULL: return c10::IValue();
    case TS_CODE_NAME: return is_name(code, "Inf") ? std::optional<c10::IValue>(INFINITY) : std::nullopt;
    default: break;
  }
  if (!is_call(code, "-") || code.n != 2) return std::nullopt;
  const auto positive = default_value(code.items[1]);
  if (positive && positive->isInt()) return c10::IValue(-positive->toInt());
  if (positive && positive->isDouble()) return c10::IValue(-positive->toDouble());
  return std::nullopt;
}

// Names of `self$name <- value`.
void note_given(const ts_code& code, std::set<std::string>& names) {
  if (is_assignment(code) && code.items[1].kind == TS_CODE_CALL) {
    const ts_code* at = &code.items[1];
    while (at->kind == TS_CODE_CALL && at->n > 1 && at->items[1].kind == TS_CODE_CALL) at = &at->items[1];
    if (is_call(*at, "$") && at->n == 3 && at->items[2].text) names.insert(at->items[2].text);
  }
  for (size_t i = 0; i < code.n; ++i) note_given(code.items[i], names);
}

// What stands where something is called.
struct Meaning : SugaredValue {
  Meaning(Compiler& compiler, Instance& instance, std::string kind, std::string payload)
      : compiler(compiler), instance(instance), kind_(std::move(kind)), payload(std::move(payload)) {}
  std::string kind() const override { return "function"; }
  SugaredValuePtr call(const SourceRange& place, GraphFunction& function, at::ArrayRef<NamedValue> arguments,
                       at::ArrayRef<NamedValue> named, size_t) override {
    Call it{compiler, instance, function, place, payload, {}, {}};
    for (const auto& one : arguments) it.inputs.push_back(one.value(*function.graph()));
    for (const auto& one : named) it.named.emplace_back(one.name(), one.value(*function.graph()));
    return emit(kind_, it);
  }
  Compiler& compiler;
  Instance& instance;
  std::string kind_, payload;
};

}  // namespace

Compiler::Compiler(const ts_program& program, std::shared_ptr<CompilationUnit> unit) : program_(program), unit_(std::move(unit)) {}

TypePtr Compiler::type_of(const std::string& key) const {
  if (key.empty() || key[0] != '%') return nullptr;
  return types_.at(std::stoul(key.substr(1)));
}

std::string Compiler::key_of(const TypePtr& type) {
  for (size_t i = 0; i < types_.size(); ++i)
    if (*types_[i] == *type) return "%" + std::to_string(i);
  types_.push_back(type);
  return "%" + std::to_string(types_.size() - 1);
}

size_t Compiler::number_of(Function& function) {
  for (size_t i = 0; i < locals_.size(); ++i)
    if (locals_[i] == &function) return i;
  locals_.push_back(&function);
  return locals_.size() - 1;
}

Function& Compiler::closure(int64_t at, bool is_method) {
  auto& made = closures_[{at, is_method}];
  if (!made) {
    const auto& it = program_.closures[at];
    made = std::make_unique<Function>(it, *it.code, nullptr, it.name, is_method);
  }
  return *made;
}

std::string Compiler::free_name(const std::string& wanted) {
  std::string name = class_identifier(wanted);
  std::string tried = name;
  for (int i = 1; !names_.insert(tried).second; ++i) tried = name + "_" + std::to_string(i);
  return tried;
}

const ts_known* Compiler::known(const Instance& instance, const std::string& name) const {
  const auto& home = instance.written->home;
  for (size_t i = 0; i < home.n_known; ++i)
    if (name == home.known[i].name) return &home.known[i];
  return nullptr;
}

const ts_known* Compiler::member(const std::string& name) const {
  for (size_t i = 0; i < program_.n_members; ++i)
    if (name == program_.members[i].name) return &program_.members[i];
  return nullptr;
}

c10::TupleTypePtr Compiler::named_tuple(const std::vector<std::string>& names, const std::vector<TypePtr>& types) {
  std::string key;
  for (size_t i = 0; i < names.size(); ++i) key += names[i] + ":" + types[i]->annotation_str() + ";";
  auto& made = tuples_[key];
  if (!made) {
    const c10::QualifiedName name(qualified(free_name("List")));
    made = c10::TupleType::createNamed(name, names, types);
    unit_->register_type(made);
  }
  return made;
}

Value* Compiler::function_value(const Call& call, Callee callee, const std::vector<std::pair<std::string, Value*>>& captured) {
  std::string key = callee.local ? "local" + std::to_string(number_of(*callee.local))
                                 : std::to_string(reinterpret_cast<uintptr_t>(callee.known));
  // Types of other names are other types, which also the names of their parts must tell.
  std::vector<Value*> values = {call.constant(int64_t{0})};
  std::vector<TypePtr> types = {c10::IntType::get()};
  for (const auto& it : captured) {
    const auto known = known_value(it.second);
    if (known && (known->isBool() || known->isString() || known->isNone())) {
      callee.constants.emplace_back(it.first, *known);
      key += "," + it.first + "=" + (known->isNone() ? "None" : known->isBool() ? (known->toBool() ? "T" : "F") : known->toStringRef());
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

void Compiler::declare(Instance& instance, const std::string& variable, const TypePtr& type) {
  const auto found = instance.declared.find(variable);
  if (found != instance.declared.end() && *found->second == *type) return;
  instance.declared[variable] = type;
  throw Again{};
}

namespace {

// The word between two parts of a message, "" if they are not there.
std::string word_between(const std::string& message, const std::string& before, const std::string& after) {
  const auto start = message.find(before);
  if (start == std::string::npos) return "";
  const auto from = start + before.size();
  const auto end = message.find(after, from);
  if (end == std::string::npos) return "";
  const std::string word = message.substr(from, end - from);
  return word.find_first_of(" \n") == std::string::npos ? word : "";
}

// The word before a part of a message.
std::string word_before(const std::string& message, const std::string& part) {
  const auto end = message.find(part);
  if (end == std::string::npos || end == 0) return "";
  const auto start = message.find_last_of(" \n", end - 1);
  return message.substr(start == std::string::npos ? 0 : start + 1, end - (start == std::string::npos ? 0 : start + 1));
}

// Where a name of Python's is a variable, it stands behind ours.
std::string own_name(const Instance& instance, const std::string& variable) {
  return variable.rfind("R.", 0) == 0 && !instance.seen.count(variable) ? variable.substr(2) : variable;
}

}  // namespace

// LibTorch's compiler tells which variable has two types, or none; what these were is known here.
bool Compiler::refine(Instance& instance, const std::string& message) {
  const std::string text = message.substr(0, 2000);
  std::string missing = word_between(text, "undefined value ", ":");
  if (missing.empty()) missing = word_before(text, " is not defined in the ");
  missing = own_name(instance, missing);
  if (!missing.empty()) {
    const auto seen = instance.seen.find(missing);
    if (seen == instance.seen.end() || !instance.open.insert(missing).second) return false;
    TypePtr type = c10::NoneType::get();
    for (const auto& other : seen->second)
      if (!(type = joined(type, other))) return false;
    instance.declared[missing] = type;
    return true;
  }
  std::string variable = word_between(text, "Variable '", "' previously had type");
  if (variable.empty()) variable = word_between(text, "Type mismatch: ", " is set to type");
  if (text.find("Previous return statement returned") != std::string::npos) variable = "return";
  const auto seen = instance.seen.find(own_name(instance, variable));
  if (seen == instance.seen.end()) return false;
  TypePtr type = seen->second.front();
  for (const auto& other : seen->second) {
    type = joined(type, other);
    if (!type) return false;
  }
  const auto known = instance.declared.find(seen->first);
  if (known != instance.declared.end() && *known->second == *type) return false;
  instance.declared[seen->first] = type;
  return true;
}

void Compiler::compile(Instance& instance) {
  const auto home = instance.self ? *instance.self->name() : c10::QualifiedName("__torch__");
  const c10::QualifiedName name(home, instance.signature.name);
  // LibTorch registers a function before it compiles it. Left there, it would stand in the way of the next attempt.
  const auto forget = [&] {
    if (instance.self && instance.self->findMethod(name.name())) instance.self->unsafeRemoveMethod(name.name());
    if (unit_->find_function(name)) unit_->unsafeRemoveMethod(name);
  };
  for (int attempt = 0;; ++attempt) {
    instance.seen.clear();
    instance.signature.declared.clear();
    instance.signature.open = instance.open;
    for (auto& parameter : instance.signature.parameters) {
      const auto wider = instance.declared.find(parameter.name);
      if (wider != instance.declared.end()) parameter.type = key_of(wider->second);
      instance.seen[parameter.name] = {type_of(parameter.type)};
    }
    if (instance.self)
      instance.signature.setting = [&](const std::string& field) { return setting(instance.self, field); };
    for (const auto& it : instance.declared) instance.signature.declared[it.first] = key_of(it.second);
    try {
      const auto def = lower(*instance.written, instance.signature, *this);
      const ResolverPtr names = std::make_shared<Names>(*this, instance);
      std::optional<SimpleSelf> self;
      if (instance.self) self.emplace(instance.self);
      const auto made = unit_->define(home, {}, {}, {def}, {names}, self ? &*self : nullptr);
      instance.compiled = made.front();
      return;
    } catch (const Again&) {
      forget();
      TORCH_CHECK(attempt < kAttempts, "the types of the variables of `", instance.written->name, "` do not settle");
    } catch (const ErrorReport& error) {
      forget();
      if (attempt >= kAttempts || !refine(instance, error.what())) throw;
    }
  }
}

// Parameters with the types that were asked for, or else those of their defaults.
Signature Compiler::signature_of(Function& function, std::vector<TypePtr> types) {
  Signature signature;
  const auto dots = std::find(function.formals.begin(), function.formals.end(), "...");
  const bool has_dots = dots != function.formals.end();
  const size_t n = function.formals.size() - has_dots;
  TORCH_CHECK(has_dots ? types.size() >= n : types.size() == n, "there must be a type for each argument");
  // Those of `...` stand last; here they have its place.
  const size_t n_dots = types.size() - n, first = dots - function.formals.begin();
  if (has_dots) std::rotate(types.begin() + first, types.begin() + n, types.end());
  for (size_t at = 0; at < types.size(); ++at) {
    if (has_dots && at >= first && at < first + n_dots) {
      const std::string name = "dots_" + std::to_string(at - first + 1);
      signature.dots.emplace_back("", name);
      signature.parameters.push_back({name, key_of(types[at] ? types[at] : TypePtr(c10::TensorType::get())), std::nullopt});
      continue;
    }
    const size_t i = !has_dots || at < first ? at : at - n_dots + 1;
    const auto& value = function.default_of(i);
    auto given = default_value(value);
    TypePtr type = types[at];
    // What is computed of other arguments, or otherwise, is no argument where nobody says its type.
    if (!type && !given && value.kind != TS_CODE_MISSING) {
      signature.defaults.push_back(i);
      signature.missing.insert(function.formals[i]);
      continue;
    }
    // Of an argument that is NULL, nobody having said what else it may be, the program knows that it is.
    if (!type && given && given->isNone() && !function.assigned.count(function.formals[i])) {
      signature.constants[function.formals[i]] = *given;
      signature.missing.insert(function.formals[i]);
      continue;
    }
    if (!type) type = given && !given->isNone() ? given->type() : TypePtr(c10::TensorType::get());
    if (given && given->isNone() && type->kind() != c10::TypeKind::OptionalType) type = c10::OptionalType::create(type);
    // The default is of the type that was asked for.
    if (given && type->kind() == c10::TypeKind::FloatType && given->isInt()) given = static_cast<double>(given->toInt());
    if (given && type->kind() == c10::TypeKind::IntType && given->isDouble()) given = static_cast<int64_t>(given->toDouble());
    if (given && !given->isNone() && !given->type()->isSubtypeOf(*type)) given.reset();
    signature.parameters.push_back({function.formals[i], key_of(type), given});
  }
  return signature;
}

torch::jit::Function* Compiler::compile(std::vector<TypePtr> types) {
  Function& function = closure(0);
  auto& instance = instances_["root"];
  instance = std::make_unique<Instance>();
  instance->written = &function;
  instance->is_root = true;
  instance->signature = signature_of(function, std::move(types));
  instance->signature.name = free_name(function.name);
  compile(*instance);
  return instance->compiled;
}

const ts_scripted* Compiler::module_of(const c10::ClassTypePtr& type) const {
  for (size_t i = 0; i < program_.n_modules; ++i)
    if (program_.modules[i].module->module.type() == type) return &program_.modules[i];
  return nullptr;
}

std::optional<c10::IValue> Compiler::setting(const c10::ClassTypePtr& type, const std::string& name) {
  const auto* scripted = module_of(type);
  const auto slot = type->findAttributeSlot(name);
  if (!scripted || !slot || name == "training") return std::nullopt;
  const auto value = scripted->module->module._ivalue()->getSlot(*slot);
  if (value.isTensor() || value.isModule() || type->is_parameter(*slot) || type->is_buffer(*slot)) return std::nullopt;
  auto found = given_.find(scripted);
  if (found == given_.end()) {
    found = given_.emplace(scripted, std::set<std::string>()).first;
    std::set<int64_t> methods(scripted->closures, scripted->closures + scripted->n_methods);
    // And the ones that these call of classes above.
    std::vector<int64_t> open(methods.begin(), methods.end());
    while (!open.empty()) {
      const int64_t at = open.back();
      open.pop_back();
      if (at < 0) continue;
      const auto& method = program_.closures[at];
      note_given(*method.code, found->second);
      for (size_t k = 0; k < method.n_known; ++k)
        if (std::string(method.known[k].name).rfind("super$", 0) == 0 && methods.insert(method.known[k].closure_at).second)
          open.push_back(method.known[k].closure_at);
    }
  }
  if (found->second.count(name)) return std::nullopt;
  return value;
}

void Compiler::define(const std::string& method, std::vector<TypePtr> types) {
  const auto& scripted = program_.modules[0];
  for (size_t i = 0; i < scripted.n_methods; ++i) {
    if (method != scripted.methods[i]) continue;
    Function& function = closure(scripted.closures[i], /*is_method=*/true);
    auto& instance = instances_["root"];
    instance = std::make_unique<Instance>();
    instance->written = &function;
    instance->self = scripted.module->module.type();
    instance->is_root = true;
    instance->signature = signature_of(function, std::move(types));
    instance->signature.name = method;
    instance->signature.is_method = true;
    compile(*instance);
    return;
  }
  TORCH_CHECK(false, "the module has no method `", method, "`");
}

Signature Compiler::bind(const Call& call, Function& function, std::vector<Value*>* arguments, std::string* key) {
  // R binds names before positions.
  const size_t n = function.formals.size();
  std::vector<Value*> values(n, nullptr);
  std::vector<std::pair<std::string, Value*>> captured, dots;
  const size_t dots_at = std::find(function.formals.begin(), function.formals.end(), "...") - function.formals.begin();
  for (const auto& given : call.named) {
    const auto found = std::find(function.formals.begin(), function.formals.end(), given.first);
    if (found != function.formals.end() && !values[found - function.formals.begin()]) {
      values[found - function.formals.begin()] = given.second;
    } else if (std::find(function.captured.begin(), function.captured.end(), given.first) != function.captured.end()) {
      captured.push_back(given);
    } else if (dots_at < n) {
      dots.push_back(given);
    } else {
      call.fail("`" + function.name + "()` has no argument `" + given.first + "`");
    }
  }
  size_t next = 0;
  for (auto* value : call.inputs) {
    while (next < n && next != dots_at && values[next]) ++next;
    if (next == dots_at && next < n) {
      dots.emplace_back("", value);
      continue;
    }
    if (next == n) call.fail("`" + function.name + "()` takes " + std::to_string(n) + " arguments at most");
    values[next] = value;
  }
  Signature signature;
  *key = std::to_string(reinterpret_cast<uintptr_t>(&function));
  const auto add = [&](const std::string& name, Value* value) {
    // What is known now decides about branches of the function, as settings of layers do.
    const auto known = known_value(value);
    if (known && (known->isBool() || known->isString() || known->isNone()) && !function.assigned.count(name)) {
      signature.constants[name] = *known;
      *key += "," + name + "=" + (known->isNone() ? "None" : known->isBool() ? (known->toBool() ? "T" : "F") : known->toStringRef());
      return;
    }
    signature.parameters.push_back({name, key_of(value->type()), std::nullopt});
    arguments->push_back(value);
    *key += "," + name + ":" + signature.parameters.back().type;
  };
  for (size_t i = 0; i < n; ++i) {
    if (i == dots_at) {
      for (const auto& it : dots) {
        signature.dots.emplace_back(it.first, "R.dots" + std::to_string(signature.dots.size()));
        *key += "," + it.first + "=...";
        add(signature.dots.back().second, it.second);
      }
    } else if (values[i]) {
      add(function.formals[i], values[i]);
    } else if (function.default_of(i).kind == TS_CODE_MISSING && function.called.count("missing")) {
      signature.missing.insert(function.formals[i]);
    } else if (function.default_of(i).kind == TS_CODE_MISSING) {
      call.fail("`" + function.name + "()` needs its argument `" + function.formals[i] + "`");
    } else if (const auto known = literal(function.default_of(i)); known && !function.assigned.count(function.formals[i])) {
      signature.constants[function.formals[i]] = *known;
      signature.missing.insert(function.formals[i]);
    } else {
      signature.defaults.push_back(i);
      signature.missing.insert(function.formals[i]);
    }
  }
  for (const auto& it : captured) add(it.first, it.second);
  return signature;
}

// Compiles an instance when it is first called.
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
std::vector<NamedValue> Compiler::fitting(const Call& call, const Instance& instance, const std::vector<Value*>& values) {
  std::vector<NamedValue> given;
  for (size_t i = 0; i < values.size(); ++i) given.emplace_back(call.as(values[i], type_of(instance.signature.parameters[i].type)));
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
    // Of a module that was traced or loaded.
    if (!type->findMethod(method)) return nullptr;
    std::vector<NamedValue> inputs(call.inputs.begin() + 1, call.inputs.end()), named;
    for (const auto& it : call.named) named.emplace_back(it.first, it.second);
    return MethodValue(self, method).call(call.place, call.function, inputs, named, 1)->asValue(call.place, call.function);
  }
  return call_on(call, at, method);
}

Value* Compiler::call_super(Call& call, const std::string& method) {
  const auto* it = known(call.instance, "super$" + method);
  if (!it || it->closure_at < 0) call.fail("no class above this one has a method `" + method + "` that a program can call");
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
    // Called with other types, it is another method.
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

SugaredValuePtr Compiler::meaning(const std::string& name, Instance& instance, GraphFunction& function,
                                  const SourceRange& place) {
  if (name.rfind("R:", 0) != 0) return nullptr;
  const auto colon = name.find(':', 2);
  const std::string kind = name.substr(2, colon == std::string::npos ? std::string::npos : colon - 2);
  const std::string payload = colon == std::string::npos ? "" : name.substr(colon + 1);
  if (kind == "fork") return SpecialFormValue::create(c10::prim::fork);
  if (kind == "inner" && payload == "with_no_grad")
    return builtin_name("torch", function, place)->attr(place, function, "no_grad");
  if (kind == "var") {
    const auto* it = known(instance, payload);
    if (!it) throw ErrorReport(place) << "there is no variable `" << payload << "`, neither here nor outside of the function";
    if (it->refused) throw ErrorReport(place) << "`" << payload << "` " << it->refused;
    if (it->is_function) {
      const Call here{*this, instance, function, place, payload, {}, {}};
      return here.give(function_value(here, {nullptr, it, payload, {}, {}}, {}));
    }
    try {
      return std::make_shared<SimpleValue>(function.graph()->insertConstant(to_natural_ivalue(it->value), place));
    } catch (const c10::Error&) {
      throw ErrorReport(place) << "`" << payload << "` is no value that a program can hold as a constant";
    }
  }
  return std::make_shared<Meaning>(*this, instance, kind, payload);
}

}  // namespace shim::script

using shim::guarded;
using shim::guarded_result;

namespace {

// R nests as deep as it likes; every level takes stack here and in LibTorch's compiler. As for text, there is an end.
constexpr size_t kDepth = 1000, kStackOfLevel = size_t{32} << 10;

size_t depth_of(const ts_code& code, size_t level = 1) {
  size_t deepest = level;
  for (size_t i = 0; i < code.n && deepest <= kDepth; ++i) deepest = std::max(deepest, depth_of(code.items[i], level + 1));
  return deepest;
}

// Functions are compiled inside of those that call them.
size_t stack_of(const ts_program& program) {
  size_t levels = 16;
  for (size_t i = 0; i < program.n_closures; ++i) {
    const size_t depth = depth_of(*program.closures[i].code);
    TORCH_CHECK(depth <= kDepth, "the code of `", program.closures[i].name, "` is nested more than ", kDepth, " levels deep");
    levels += depth;
  }
  return levels * kStackOfLevel;
}

// NULL where nothing is asked for.
std::vector<c10::TypePtr> asked_types(const char* const* types, const ts_value* examples, size_t n) {
  std::vector<c10::TypePtr> asked(n);
  for (size_t i = 0; i < n; ++i) {
    if (types && types[i]) {
      asked[i] = torch::jit::ScriptTypeParser().parseType(types[i]);
    } else if (examples && examples[i].tag != TS_DEFAULT) {
      asked[i] = shim::to_natural_ivalue(examples[i]).type();
      if (asked[i]->isSubtypeOf(*c10::TensorType::get())) asked[i] = c10::TensorType::get();
    }
  }
  return asked;
}

}  // namespace

int ts_script_define(const ts_program* program, const char* method, const char* const* types, const ts_value* examples,
                     size_t n) {
  return guarded([&] {
    const auto unit = program->modules[0].module->module._ivalue()->compilation_unit();
    auto asked = asked_types(types, examples, n);
    shim::with_stack(stack_of(*program), [&] {
      shim::script::Compiler(*program, unit).define(method, std::move(asked));
      shim::check_text(*unit);
    });
  });
}

int ts_script_compile(const ts_program* program, const char* const* types, const ts_value* examples, size_t n,
                      ts_callable** out) {
  return guarded([&] {
    auto unit = std::make_shared<shim::Unit>();
    for (size_t i = 0; i < program->n_closures; ++i)
      for (size_t k = 0; k < program->closures[i].n_known; ++k)
        if (const auto* callable = program->closures[i].known[k].callable)
          if (callable->unit) unit->uses.push_back(callable->unit);
    auto asked = asked_types(types, examples, n);
    torch::jit::Function* function = nullptr;
    shim::with_stack(stack_of(*program), [&] {
      function = shim::script::Compiler(*program, unit).compile(std::move(asked));
      shim::check_text(*unit);
    });
    *out = new ts_callable(function, unit);
  });
}

int ts_script_builtins(ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, shim::Arena& own) {
    auto names = shim::script::builtin_names();
    for (auto& name : shim::script::special_names()) names.push_back(std::move(name));
    value = shim::string_list(names, own);
  });
}
