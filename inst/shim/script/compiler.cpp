#include "script/compiler.h"

#include <torch/csrc/jit/frontend/resolver.h>

#include <algorithm>
#include <optional>

#include "core/callable.h"
#include "jit/builtins.h"
#include "jit/names.h"
#include "script/builtins.h"

namespace shim::script {
namespace {

using namespace torch::jit;

// How many attempts a function gets. Each finds the type of one variable at least.
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

// The value of a name "R:...": LibTorch's compiler calls it, and the call is compiled by its kind.
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

Compiler::Compiler(const ts_program& program, std::shared_ptr<CompilationUnit> unit)
    : program_(program), unit_(std::move(unit)) {}

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

size_t Compiler::number_of(const c10::IValue& constant) {
  constants_.push_back(constant);
  return constants_.size() - 1;
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
  return instance.written->known(name);
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

TypePtr Compiler::joined_types(const TypePtr& one, const TypePtr& other) {
  if (const auto both = joined(one, other)) return both;
  const auto inside = [](const TypePtr& type) {
    const auto optional = type->cast<c10::OptionalType>();
    return optional ? optional->getElementType() : type;
  };
  if (one->kind() == c10::TypeKind::OptionalType || other->kind() == c10::TypeKind::OptionalType) {
    const auto both = joined_types(inside(one), inside(other));
    return both ? c10::OptionalType::create(both) : nullptr;
  }
  if (one->kind() == c10::TypeKind::ListType && other->kind() == c10::TypeKind::ListType) {
    const auto both = joined_types(one->containedType(0), other->containedType(0));
    return both ? c10::ListType::create(both) : nullptr;
  }
  // A list with names can be a dictionary.
  if (other->kind() == c10::TypeKind::DictType) return joined_types(other, one);
  if (const auto dict = one->cast<c10::DictType>()) {
    const auto list = other->cast<c10::TupleType>();
    if (!list || !list->schema() || is_function(other) || dict->getKeyType()->kind() != c10::TypeKind::StringType) return nullptr;
    TypePtr type = dict->getValueType();
    for (const auto& element : list->elements()) type = type ? joined_types(type, element) : nullptr;
    return type ? c10::DictType::create(dict->getKeyType(), type) : nullptr;
  }
  const auto first = one->cast<c10::TupleType>(), second = other->cast<c10::TupleType>();
  const bool are_lists = first && second && !is_function(one) && !is_function(other);
  const auto names = are_lists ? names_in(*first) : std::vector<std::string>();
  if (!are_lists || first->elements().size() != second->elements().size() || names != names_in(*second)) return nullptr;
  std::vector<TypePtr> types;
  for (size_t i = 0; i < first->elements().size(); ++i) {
    types.push_back(joined_types(first->elements()[i], second->elements()[i]));
    if (!types.back()) return nullptr;
  }
  return names.empty() ? c10::TupleType::create(types) : named_tuple(names, types);
}

void Compiler::declare(const Call& call, const std::string& variable, const TypePtr& type) {
  auto& declared = call.instance.declared;
  const auto found = declared.find(variable);
  if (found != declared.end() && *found->second.type == *type) return;
  declared[variable] = {type, call.place};
  throw Again{};
}

std::string Call::words_of(const Value* value) const {
  const std::string type = words(value->type());
  if (value->node()->kind() != c10::prim::Load) return type;
  const std::string variable = r_variable(value->node()->s(c10::attr::name));
  const auto seen = instance.seen.find(variable);
  if (seen == instance.seen.end()) return type;
  for (auto it = seen->second.rbegin(); it != seen->second.rend(); ++it) {
    if (!(*it->type == *value->type())) continue;
    const std::string code = cited(it->place);
    return type + " from " + (code.empty() ? "the argument `" + variable + "`" : code);
  }
  return type;
}

void fail_of_types(const std::string& variable, const Typed& here, const Typed& elsewhere) {
  const std::string code = cited(elsewhere.place);
  const std::string types = words(here.type) + " here, and " + words(elsewhere.type) +
                            (code.empty() ? " as an argument" : " in " + code);
  if (variable == "return")
    throw ErrorReport(here.place) << "the function gives " << types << ": what a program gives is of one type";
  // What an `if` gives is kept in a variable that the user has not named.
  if (variable.rfind("R.", 0) == 0)
    throw ErrorReport(here.place) << "the value is " << types << ": in a program a value is of one type";
  // Lists whose elements are known.
  const auto is_known_list = [](const TypePtr& type) { return type->kind() == c10::TypeKind::TupleType && !is_function(type); };
  if (is_known_list(here.type) && is_known_list(elsewhere.type))
    throw ErrorReport(here.place) << "`" << variable << "` is " << types
                                  << ": in loops and branches a list keeps its elements. Make it with all of them, NULL "
                                     "where there is no value yet";
  throw ErrorReport(here.place) << "`" << variable << "` is " << types
                                << ": in a program a variable is of one type. Give one of them another name";
}

namespace {

// The type of all values that a variable was given. Fails if there is none: it is the last value that does not fit.
TypePtr joined_of(Compiler& compiler, const std::string& variable, const std::vector<Typed>& seen) {
  TypePtr type = seen.front().type;
  for (const auto& one : seen)
    if (type) type = compiler.joined_types(type, one.type);
  if (type) return type;
  const auto& last = seen.back();
  for (auto other = seen.rbegin(); other != seen.rend(); ++other)
    if (!compiler.joined_types(other->type, last.type)) fail_of_types(variable, last, *other);
  fail_of_types(variable, last, seen.front());
}

}  // namespace

namespace {

// What a variable of this type holds before it has a value. Numbers stay numbers: a loop that holds nothing else can be
// machine code.
c10::IValue nothing_of(const TypePtr& type) {
  switch (type->kind()) {
    case c10::TypeKind::IntType:
      return int64_t{0};
    case c10::TypeKind::FloatType:
      return 0.0;
    case c10::TypeKind::BoolType:
      return false;
    default:
      return {};
  }
}

// The word that stands between two parts of a message. "" if there is none.
std::string word_between(const std::string& message, const std::string& before, const std::string& after) {
  const auto start = message.find(before);
  if (start == std::string::npos) return "";
  const auto from = start + before.size();
  const auto end = message.find(after, from);
  if (end == std::string::npos) return "";
  const std::string word = message.substr(from, end - from);
  return word.find_first_of(" \n") == std::string::npos ? word : "";
}

// The word that stands before a part of a message. "" if there is none.
std::string word_before(const std::string& message, const std::string& part) {
  const auto end = message.find(part);
  if (end == std::string::npos || end == 0) return "";
  const auto start = message.find_last_of(" \n", end - 1);
  return message.substr(start == std::string::npos ? 0 : start + 1, end - (start == std::string::npos ? 0 : start + 1));
}

}  // namespace

// Learns from an error of LibTorch's compiler. It names a variable that has two types, or may have no value; the types
// of all its values were noted. Whether there is something that the next attempt can declare.
bool Compiler::refine(Instance& instance, const std::string& message) {
  const std::string text = message.substr(0, 2000);
  std::string missing = word_between(text, "undefined value ", ":");
  if (missing.empty()) missing = word_before(text, " is not defined in the ");
  missing = r_variable(missing);
  if (!missing.empty()) {
    const auto seen = instance.seen.find(missing);
    if (seen == instance.seen.end() && instance.written->locals.count(missing) && instance.unknown.first == missing)
      throw ErrorReport(instance.unknown.second) << no_value(missing);
    // The only code that gives it one is never run.
    if (seen == instance.seen.end() && missing.rfind("R.v", 0) == 0) return instance.signature.never.insert(missing).second;
    if (seen == instance.seen.end() || instance.open.count(missing)) return false;
    TypePtr type = joined_of(*this, missing, seen->second);
    const auto nothing = nothing_of(type);
    if (nothing.isNone()) type = joined(nothing.type(), type);
    if (!type) return false;
    instance.open[missing] = nothing;
    instance.declared[missing] = {type, seen->second.front().place};
    return true;
  }
  std::string variable = word_between(text, "Variable '", "' previously had type");
  if (variable.empty()) variable = word_between(text, "Type mismatch: ", " is set to type");
  if (text.find("Previous return statement returned") != std::string::npos) variable = "return";
  const auto seen = instance.seen.find(r_variable(variable));
  if (seen == instance.seen.end()) return false;
  if (seen->second.empty()) return false;
  const TypePtr type = joined_of(*this, seen->first, seen->second);
  const auto known = instance.declared.find(seen->first);
  if (known != instance.declared.end() && *known->second.type == *type) return false;
  // The value that asks for the wider type.
  const auto asks = std::find_if(seen->second.rbegin(), seen->second.rend(),
                                 [&](const Typed& one) { return !(*one.type == *seen->second.front().type); });
  instance.declared[seen->first] = {type, (asks == seen->second.rend() ? seen->second.back() : *asks).place};
  return true;
}

// An attempt may end before the code is reached that tells what a variable holds that is NULL first. Whether the next attempt
// can declare one as what the code says of it.
bool Compiler::take_hints(Instance& instance) {
  bool any = false;
  for (const auto& [variable, seen] : instance.seen) {
    const bool is_null = !seen.empty() && std::all_of(seen.begin(), seen.end(), [](const Typed& one) {
      return one.type->kind() == c10::TypeKind::NoneType;
    });
    if (!is_null || variable == "return" || instance.declared.count(variable)) continue;
    const auto hint = hint_of(*instance.written, variable);
    if (!hint.element) continue;
    const TypePtr whole = hint.by_name ? TypePtr(c10::DictType::create(c10::StringType::get(), hint.element))
                                       : TypePtr(c10::ListType::create(hint.element));
    instance.declared[variable] = {c10::OptionalType::create(whole), seen.front().place};
    any = true;
  }
  return any;
}

// In files arguments have names that Python takes. The host knows R's.
static void name_arguments(torch::jit::Function& function, bool is_method) {
  const auto& schema = function.getSchema();
  std::vector<std::string> names;
  for (const auto& argument : schema.arguments()) {
    const std::string& name = argument.name();
    names.push_back(r_variable(name.rfind(kGiven, 0) == 0 ? name.substr(kGiven.size()) : name));
  }
  if (is_method) names.erase(names.begin());
  auto words = identifiers(names);
  if (is_method) words.insert(words.begin(), "self");
  std::vector<c10::Argument> arguments;
  for (size_t i = 0; i < words.size(); ++i) {
    const auto& it = schema.arguments()[i];
    arguments.emplace_back(words[i], it.type(), it.N(), it.default_value(), it.kwarg_only());
  }
  function.setSchema(c10::FunctionSchema(schema.name(), schema.overload_name(), std::move(arguments), schema.returns()));
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
    instance.begun.clear();
    instance.held.clear();
    instance.signature.declared.clear();
    instance.signature.open = instance.open;
    for (auto& parameter : instance.signature.parameters) {
      if (instance.written->early.count(parameter.name)) continue;
      const auto wider = instance.declared.find(parameter.name);
      const auto given = type_of(parameter.type);
      // The host gives a number where it said so, whatever the function makes of it.
      const bool becomes_tensor = parameter.is_asked && wider != instance.declared.end() && instance.is_root && is_single(given) &&
                                  wider->second.type->kind() == c10::TypeKind::TensorType;
      parameter.is_given = becomes_tensor;
      if (wider != instance.declared.end() && !becomes_tensor) {
        parameter.type = key_of(wider->second.type);
        parameter.default_value = default_as(parameter.default_value, wider->second.type);
      }
      instance.seen[parameter.name] = {{type_of(parameter.type), SourceRange()}};
    }
    if (instance.self)
      instance.signature.setting = [&](const std::string& field) { return setting(instance.self, field); };
    for (const auto& it : instance.declared) instance.signature.declared[it.first] = key_of(it.second.type);
    try {
      const auto def = lower(*instance.written, instance.signature, *this);
      const ResolverPtr names = std::make_shared<Names>(*this, instance);
      std::optional<SimpleSelf> self;
      if (instance.self) self.emplace(instance.self);
      const auto made = unit_->define(home, {}, {}, {def}, {names}, self ? &*self : nullptr);
      instance.compiled = made.front();
      held_.insert(instance.held.begin(), instance.held.end());
      name_arguments(*instance.compiled, instance.self != nullptr);
      return;
    } catch (const Again&) {
      forget();
      TORCH_CHECK(attempt < kAttempts, "the types of the variables of `", instance.written->name, "` do not settle");
    } catch (const ErrorReport& error) {
      forget();
      if (attempt >= kAttempts || !(refine(instance, error.what()) || take_hints(instance))) throw;
    }
  }
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

SugaredValuePtr Compiler::meaning(const std::string& name, Instance& instance, GraphFunction& function,
                                  const SourceRange& place) {
  if (name.rfind("R:", 0) != 0) {
    instance.unknown = {name, place};
    return nullptr;
  }
  const auto colon = name.find(':', 2);
  const std::string kind = name.substr(2, colon == std::string::npos ? std::string::npos : colon - 2);
  const std::string payload = colon == std::string::npos ? "" : name.substr(colon + 1);
  if (kind == "fork") return SpecialFormValue::create(c10::prim::fork);
  if (kind == "constant")
    return std::make_shared<SimpleValue>(function.graph()->insertConstant(constants_.at(std::stoul(payload)), place));
  if (kind == "inner" && (payload == "no_grad" || payload == "enable_grad"))
    return builtin_name("torch", function, place)->attr(place, function, payload);
  if (kind == "var") {
    const auto* it = known(instance, payload);
    if (!it)
      throw ErrorReport(place) << "there is no variable `" << payload << "`, neither here nor outside of the function";
    if (it->refused) throw ErrorReport(place) << "`" << payload << "` " << it->refused;
    if (it->is_function) {
      const Call here{*this, instance, function, place, payload, {}, {}};
      return here.give(function_value(here, {nullptr, it, payload, {}, {}}, {}));
    }
    try {
      auto* value = function.graph()->insertConstant(to_natural_ivalue(it->value), place);
      instance.held.insert(payload);
      // LibTorch gives a constant the type of tensors of its sizes, which other tensors do not have.
      return std::make_shared<SimpleValue>(value->setType(c10::unshapedType(value->type())));
    } catch (const std::exception&) {
      // Tensors that require a gradient are refused by an error of its own kind.
      throw ErrorReport(place) << "`" << payload << "` is no value that a program can hold as a constant";
    }
  }
  return std::make_shared<Meaning>(*this, instance, kind, payload);
}

}  // namespace shim::script
