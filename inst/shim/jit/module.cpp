// Modules.
#include "jit/module.h"

#include <algorithm>
#include <unordered_set>

#include "core/callable.h"

using shim::Arena;
using shim::guarded;
using shim::guarded_result;

namespace {

using Object = c10::ivalue::Object;

// See complete_tree().
const torch::jit::Module& complete(const torch::jit::Module& module) {
  const auto object = module._ivalue();
  const size_t n = module.type()->numAttributes();
  if (object->slots().size() < n) object->setSlot(n - 1, c10::IValue());
  return module;
}

struct Slot {
  std::string name;
  c10::IValue value;
  bool is_parameter, is_buffer;
};

std::vector<Slot> slots(const torch::jit::Module& module) {
  complete(module);
  const auto type = module.type();
  std::vector<Slot> out;
  for (size_t i = 0; i < type->numAttributes(); ++i)
    out.push_back({type->getAttributeName(i), module._ivalue()->getSlot(i), type->is_parameter(i), type->is_buffer(i)});
  return out;
}

bool is_tensor(const Slot& slot) { return slot.value.isTensor() && slot.value.toTensor().defined(); }

struct Named {
  std::string name;
  c10::IValue value;
};

enum class Order { children_first, own_first };

// Tensors of a tree of modules, whose names begin with `prefix`. A module that holds itself ends where it does.
template <class Wanted>
void add_tensors(const torch::jit::Module& module, const std::string& prefix, Order order, Wanted&& wanted,
                 std::vector<const Object*>& way, std::vector<Named>& out) {
  const auto* self = module._ivalue().get();
  if (std::find(way.begin(), way.end(), self) != way.end()) return;
  way.push_back(self);
  const auto all = slots(module);
  const auto add_own = [&] {
    for (const Slot& slot : all)
      if (is_tensor(slot) && wanted(slot)) out.push_back({prefix + slot.name, slot.value});
  };
  if (order == Order::own_first) add_own();
  for (const Slot& slot : all)
    if (slot.value.isModule()) add_tensors(slot.value.toModule(), prefix + slot.name + ".", order, wanted, way, out);
  if (order == Order::children_first) add_own();
  way.pop_back();
}

// Each tensor once.
void drop_repeats(std::vector<Named>& tensors) {
  std::unordered_set<const at::TensorImpl*> seen;
  tensors.erase(
      std::remove_if(tensors.begin(), tensors.end(),
                     [&](const Named& it) { return !seen.insert(it.value.toTensor().unsafeGetTensorImpl()).second; }),
      tensors.end());
}

// The module and all below it, each once, parents first.
void add_modules(const torch::jit::Module& module, std::unordered_set<const Object*>& seen,
                 std::vector<torch::jit::Module>& out) {
  if (!seen.insert(module._ivalue().get()).second) return;
  out.push_back(module);
  for (const Slot& slot : slots(module))
    if (slot.value.isModule()) add_modules(slot.value.toModule(), seen, out);
}

std::vector<torch::jit::Module> all_modules(const torch::jit::Module& module) {
  std::unordered_set<const Object*> seen;
  std::vector<torch::jit::Module> out;
  add_modules(module, seen, out);
  return out;
}

void give_named(const std::vector<Named>& items, ts_value& out, Arena& own) {
  out.tag = TS_DICT;
  out.len = static_cast<int64_t>(items.size());
  out.as.items = own.get().new_items(2 * items.size());
  size_t i = 0;
  for (const Named& item : items) {
    out.as.items[i++] = shim::string_value(item.name, own);
    shim::from_ivalue(item.value, out.as.items[i++], own);
  }
}

// Names of the attributes that are no parameters, buffers or modules, and of the constants.
std::vector<std::string> other_attributes(const torch::jit::Module& module) {
  std::vector<std::string> names;
  const auto type = module.type();
  for (size_t i = 0; i < type->numAttributes(); ++i)
    if (!type->is_parameter(i) && !type->is_buffer(i) && !type->getAttribute(i)->is_module())
      names.push_back(type->getAttributeName(i));
  for (size_t i = 0; i < type->numConstants(); ++i) names.push_back(type->getConstantName(i));
  return names;
}

}  // namespace

void shim::complete_tree(const torch::jit::Module& module) {
  for (const auto& item : all_modules(module)) complete(item);
}

int ts_module_new(const char* name, ts_module* unit_of, ts_module** out) {
  return guarded([&] {
    auto unit =
        unit_of ? unit_of->module._ivalue()->compilation_unit() : std::make_shared<torch::jit::CompilationUnit>();
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
  return guarded_result(out, arena, [&](ts_value& value, Arena& own) {
    shim::from_ivalue(complete(module->module).attr(name), value, own);
  });
}

int ts_module_get(ts_module* module, const char* name, ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, Arena& own) {
    value.tag = TS_NONE;
    const auto type = module->module.type();
    if (const auto slot = type->findAttributeSlot(name)) {
      const c10::IValue found = complete(module->module)._ivalue()->getSlot(*slot);
      if (!found.isTensor() || found.toTensor().defined()) shim::from_ivalue(found, value, own);
    } else if (const auto constant = type->findConstant(name)) {
      shim::from_ivalue(*constant, value, own);
    }
  });
}

int ts_module_list(ts_module* module, int part, int recursive, ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, Arena& own) {
    const torch::jit::Module& self = module->module;
    std::vector<Named> items;
    std::vector<const Object*> way;
    switch (part) {
      case TS_MODULE_PARAMETERS:
      case TS_MODULE_BUFFERS: {
        const auto wanted = [&](const Slot& slot) { return part == TS_MODULE_PARAMETERS ? slot.is_parameter : slot.is_buffer; };
        if (recursive) {
          add_tensors(self, "", Order::children_first, wanted, way, items);
        } else {
          for (const Slot& slot : slots(self))
            if (is_tensor(slot) && wanted(slot)) items.push_back({slot.name, slot.value});
        }
        drop_repeats(items);
        return give_named(items, value, own);
      }
      case TS_MODULE_CHILDREN:
        for (const Slot& slot : slots(self))
          if (slot.value.isModule()) items.push_back({slot.name, slot.value});
        return give_named(items, value, own);
      case TS_MODULE_METHODS: {
        std::vector<std::string> names;
        for (const auto& method : self.get_methods()) names.push_back(method.name());
        value = shim::string_list(names, own);
        return;
      }
      case TS_MODULE_ATTRIBUTES:
        value = shim::string_list(other_attributes(self), own);
        return;
      case TS_MODULE_MODULES:
        for (const auto& item : all_modules(self)) items.push_back({"", item._ivalue()});
        return give_named(items, value, own);
      default:
        add_tensors(
            self, "", Order::own_first, [](const Slot& slot) { return slot.is_parameter || slot.is_buffer; }, way,
            items);
        give_named(items, value, own);
    }
  });
}

const void* ts_module_identity(ts_module* module) { return module->module._ivalue().get(); }

int ts_module_clone(ts_module* module, ts_module** out) {
  return guarded([&] {
    shim::complete_tree(module->module);
    const at::NoGradGuard no_history;
    auto copy = module->module.deepcopy();
    // It copies the values only.
    const auto flags = [](const torch::jit::Module& tree) {
      std::vector<Named> all;
      std::vector<const Object*> way;
      add_tensors(
          tree, "", Order::own_first, [](const Slot& slot) { return slot.is_parameter || slot.is_buffer; }, way, all);
      return all;
    };
    const auto from = flags(module->module), to = flags(copy);
    for (size_t i = 0; i < from.size(); ++i) {
      to[i].value.toTensor().requires_grad_(from[i].value.toTensor().requires_grad());
    }
    *out = new ts_module{std::move(copy)};
  });
}

int ts_module_method(ts_module* module, const char* name, ts_callable** out) {
  return guarded([&] {
    const auto method = module->module.find_method(name);
    // A name that is no method costs no walk.
    if (method) shim::complete_tree(module->module);
    *out = method ? new ts_callable(*method) : nullptr;
  });
}

int ts_module_train(ts_module* module, int set, int* was) {
  return guarded([&] {
    *was = module->module.hasattr("training") ? complete(module->module).is_training() : 1;
    if (set < 0) return;
    for (auto item : all_modules(module->module))
      if (item.hasattr("training")) item.setattr("training", set != 0);
  });
}

int ts_module_type_name(ts_module* module, ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, Arena& own) {
    value = shim::string_value(module->module.type()->name()->name(), own);
  });
}
