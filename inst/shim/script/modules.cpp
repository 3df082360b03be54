// What members of a module are in the program: their identifiers, and which fields never change, so that they are
// constants.
#include "core/value.h"
#include "jit/names.h"
#include "script/compiler.h"
#include "script/meaning.h"

namespace shim::script {

using namespace torch::jit;

std::vector<std::string> children_of(const c10::Type& module) {
  std::vector<std::string> identifiers;
  const auto& type = module.expectRef<c10::ClassType>();
  for (size_t i = 0; i < type.numAttributes(); ++i)
    if (type.getAttribute(i)->is_module()) identifiers.push_back(type.getAttributeName(i));
  return identifiers;
}

const ts_scripted* Compiler::module_of(const c10::ClassTypePtr& type) const {
  for (size_t i = 0; i < program_.n_modules; ++i)
    if (program_.modules[i].module->module.type() == type) return &program_.modules[i];
  return nullptr;
}

std::string Compiler::identifier_of(const c10::ClassTypePtr& type, const std::string& name) const {
  const auto* scripted = module_of(type);
  return scripted ? Names(scripted->module->module).identifier_of(name) : name;
}

std::string Compiler::name_of(const c10::ClassTypePtr& type, const std::string& identifier) const {
  const auto* scripted = module_of(type);
  return scripted ? Names(scripted->module->module).name_of(identifier) : identifier;
}

const ts_known* Compiler::refused_field(const c10::ClassTypePtr& type, const std::string& name) const {
  const auto* scripted = module_of(type);
  return scripted ? member(std::to_string(scripted - program_.modules + 1) + "$" + name) : nullptr;
}

std::optional<c10::IValue> Compiler::setting(const c10::ClassTypePtr& type, const std::string& name) {
  const auto* scripted = module_of(type);
  const auto slot = type->findAttributeSlot(identifier_of(type, name));
  if (!scripted || !slot || name == "training") return std::nullopt;
  const auto* end = scripted->constants + scripted->n_constants;
  if (std::find(scripted->constants, end, name) == end) return std::nullopt;
  return scripted->module->module._ivalue()->getSlot(*slot);
}

}  // namespace shim::script
