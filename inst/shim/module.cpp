// Modules.
#include "call.h"

using shim::Arena;
using shim::guarded;
using shim::guarded_result;

namespace {

// A dict in the order given, keyed by name.
template <class Pairs, class Fill>
void named(const Pairs& pairs, ts_value& out, Arena& own, Fill&& fill) {
  out.tag = TS_DICT;
  size_t n = 0;
  for (const auto& pair : pairs) (void)pair, ++n;
  out.len = static_cast<int64_t>(n);
  out.as.items = own.get().new_items(2 * n);
  size_t i = 0;
  for (const auto& pair : pairs) {
    out.as.items[i++] = shim::string_value(pair.name, own);
    fill(pair.value, out.as.items[i++]);
  }
}

std::vector<std::string> other_attributes(const torch::jit::Module& module) {
  std::vector<std::string> names;
  const auto type = module.type();
  for (size_t i = 0; i < type->numAttributes(); ++i)
    if (!type->is_parameter(i) && !type->is_buffer(i) && !type->getAttribute(i)->is_module())
      names.push_back(type->getAttributeName(i));
  return names;
}

}  // namespace

int ts_module_new(const char* name, ts_module* unit_of, ts_module** out) {
  return guarded([&] {
    auto unit = unit_of ? unit_of->module._ivalue()->compilation_unit()
                        : std::make_shared<torch::jit::CompilationUnit>();
    *out = new ts_module{torch::jit::Module(c10::QualifiedName(name), unit, /*shouldMangle=*/true)};
  });
}

void ts_module_release(ts_module* module) { delete module; }

int ts_module_register(ts_module* module, const char* name, ts_tensor* handle, int is_buffer) {
  return guarded([&] {
    const at::Tensor tensor = handle ? shim::borrow(handle) : at::Tensor();
    if (module->module.hasattr(name))
      module->module.setattr(name, tensor);
    else
      module->module.register_parameter(name, tensor, is_buffer != 0);
  });
}

int ts_module_add_child(ts_module* module, const char* name, ts_module* child) {
  return guarded([&] {
    if (module->module.hasattr(name))
      module->module.setattr(name, child->module._ivalue());
    else
      module->module.register_module(name, child->module);
  });
}

int ts_module_set_attribute(ts_module* module, const char* name, const ts_value* value) {
  return guarded([&] {
    const c10::IValue attribute = shim::to_natural_ivalue(*value);
    if (module->module.hasattr(name))
      module->module.setattr(name, attribute);
    else
      module->module.register_attribute(name, attribute.type(), attribute);
  });
}

int ts_module_attribute(ts_module* module, const char* name, ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena,
                        [&](ts_value& value, Arena& own) { shim::from_ivalue(module->module.attr(name), value, own); });
}

int ts_module_list(ts_module* module, int what, int recursive, ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, Arena& own) {
    const auto tensor = [&](const at::Tensor& item, ts_value& target) { shim::from_ivalue(item, target, own); };
    switch (what) {
      case 0:
        return named(module->module.named_parameters(recursive != 0), value, own, tensor);
      case 1:
        return named(module->module.named_buffers(recursive != 0), value, own, tensor);
      case 2:
        return named(module->module.named_children(), value, own,
                     [&](const torch::jit::Module& item, ts_value& target) {
                       shim::from_ivalue(item._ivalue(), target, own);
                     });
      case 3: {
        std::vector<std::string> names;
        for (const auto& method : module->module.get_methods()) names.push_back(method.name());
        value = shim::string_list(names, own);
        return;
      }
      default:
        value = shim::string_list(other_attributes(module->module), own);
    }
  });
}

int ts_module_method(ts_module* module, const char* name, ts_callable** out) {
  return guarded([&] {
    const auto method = module->module.find_method(name);
    *out = method ? new ts_callable(*method) : nullptr;
  });
}

int ts_module_train(ts_module* module, int set, int* was) {
  return guarded([&] {
    *was = module->module.hasattr("training") ? module->module.is_training() : 1;
    if (set < 0) return;
    for (auto item : module->module.modules())
      if (item.hasattr("training")) item.setattr("training", set != 0);
  });
}

int ts_module_type_name(ts_module* module, ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, Arena& own) {
    value = shim::string_value(module->module.type()->name()->name(), own);
  });
}
