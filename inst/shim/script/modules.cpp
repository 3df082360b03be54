// Which fields of a module never change, so that they are constants of the program.
#include "core/value.h"
#include "script/compiler.h"

namespace shim::script {

using namespace torch::jit;

namespace {

// Names of `self$name <- value`.
void note_given(const ts_code& code, std::set<std::string>& names) {
  if (is_assignment(code) && code.items[1].kind == TS_CODE_CALL) {
    const ts_code* at = &code.items[1];
    while (at->kind == TS_CODE_CALL && at->n > 1 && at->items[1].kind == TS_CODE_CALL) at = &at->items[1];
    if (is_call(*at, "$") && at->n == 3 && at->items[2].text) names.insert(at->items[2].text);
  }
  for (size_t i = 0; i < code.n; ++i) note_given(code.items[i], names);
}

}  // namespace

const ts_scripted* Compiler::module_of(const c10::ClassTypePtr& type) const {
  for (size_t i = 0; i < program_.n_modules; ++i)
    if (program_.modules[i].module->module.type() == type) return &program_.modules[i];
  return nullptr;
}

const ts_known* Compiler::refused_field(const c10::ClassTypePtr& type, const std::string& name) const {
  const auto* scripted = module_of(type);
  return scripted ? member(std::to_string(scripted - program_.modules + 1) + "$" + name) : nullptr;
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
        if (std::string(method.known[k].name).rfind("super$", 0) == 0 &&
            methods.insert(method.known[k].closure_at).second)
          open.push_back(method.known[k].closure_at);
    }
  }
  if (found->second.count(name)) return std::nullopt;
  return value;
}

}  // namespace shim::script
