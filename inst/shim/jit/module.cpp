// Modules: their members, and how they are made and copied.
#include "jit/module.h"

#include <algorithm>
#include <unordered_set>

#include "core/callable.h"
#include "jit/names.h"

using shim::Arena;
using shim::guarded;
using shim::guarded_result;

namespace {

// Makes one module have all attributes of its type; see complete_tree().
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

// The attributes of a module under the names that the host gave them.
std::vector<Slot> slots(const torch::jit::Module& module) {
  complete(module);
  const auto type = module.type();
  const shim::Names names(module);
  std::vector<Slot> out;
  for (size_t i = 0; i < type->numAttributes(); ++i)
    out.push_back({names.name_of(type->getAttributeName(i)), module._ivalue()->getSlot(i), type->is_parameter(i),
                   type->is_buffer(i)});
  return out;
}

// Replaces the parameter or buffer at a path such as "layer.weight". False if there is none.
bool refer(torch::jit::Module module, const std::string& path, const at::Tensor& tensor) {
  for (const Slot& slot : slots(module)) {
    if (slot.name == path && (slot.is_parameter || slot.is_buffer)) {
      module.setattr(shim::Names(module).identifier_of(path), tensor);
      return true;
    }
    const bool is_prefix = path.compare(0, slot.name.size() + 1, slot.name + ".") == 0;
    if (is_prefix && slot.value.isModule() && refer(slot.value.toModule(), path.substr(slot.name.size() + 1), tensor))
      return true;
  }
  return false;
}

bool is_tensor(const Slot& slot) { return slot.value.isTensor() && slot.value.toTensor().defined(); }

struct NamedItem {
  std::string name;
  c10::IValue value;
};

enum class Order { children_first, own_first };

// Collects the wanted tensors of a module and its descendants, with `prefix` before their names. `way` holds the
// modules above this one: a module that holds itself is not entered again.
template <class Wanted>
void add_tensors(const torch::jit::Module& module, const std::string& prefix, Order order, Wanted&& wanted,
                 std::vector<const c10::ivalue::Object*>& way, std::vector<NamedItem>& out) {
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

// Keeps the first of the names of each tensor.
void drop_repeats(std::vector<NamedItem>& tensors) {
  std::unordered_set<const at::TensorImpl*> seen;
  tensors.erase(
      std::remove_if(tensors.begin(), tensors.end(),
                     [&](const NamedItem& it) { return !seen.insert(it.value.toTensor().unsafeGetTensorImpl()).second; }),
      tensors.end());
}

// Collects the module and its descendants, each once, parents first.
void add_modules(const torch::jit::Module& module, std::unordered_set<const c10::ivalue::Object*>& seen,
                 std::vector<torch::jit::Module>& out) {
  if (!seen.insert(module._ivalue().get()).second) return;
  out.push_back(module);
  for (const Slot& slot : slots(module))
    if (slot.value.isModule()) add_modules(slot.value.toModule(), seen, out);
}

std::vector<torch::jit::Module> all_modules(const torch::jit::Module& module) {
  std::unordered_set<const c10::ivalue::Object*> seen;
  std::vector<torch::jit::Module> out;
  add_modules(module, seen, out);
  return out;
}

void give_named(const std::vector<NamedItem>& items, ts_value& out, Arena& own) {
  out.tag = TS_DICT;
  out.len = static_cast<int64_t>(items.size());
  out.as.items = own.get().new_items(2 * items.size());
  size_t i = 0;
  for (const NamedItem& item : items) {
    out.as.items[i++] = shim::string_value(item.name, own);
    shim::from_ivalue(item.value, out.as.items[i++], own);
  }
}

// The names of the constants, and of the attributes that are not parameters, buffers or modules.
std::vector<std::string> other_attributes(const torch::jit::Module& module) {
  std::vector<std::string> out;
  const auto type = module.type();
  const shim::Names names(module);
  for (size_t i = 0; i < type->numAttributes(); ++i) {
    const std::string& attribute = type->getAttributeName(i);
    if (!type->is_parameter(i) && !type->is_buffer(i) && !type->getAttribute(i)->is_module() &&
        attribute != shim::Names::kAttribute)
      out.push_back(names.name_of(attribute));
  }
  for (size_t i = 0; i < type->numConstants(); ++i) out.push_back(names.name_of(type->getConstantName(i)));
  return out;
}

}  // namespace

void shim::complete_tree(const torch::jit::Module& module) {
  for (const auto& item : all_modules(module)) complete(item);
}

torch::jit::Module shim::copy_module(const torch::jit::Module& module) {
  complete_tree(module);
  const at::NoGradGuard no_history;
  auto copy = module.deepcopy();
  // deepcopy() copies values and not whether they require gradients.
  const auto flags = [](const torch::jit::Module& tree) {
    std::vector<NamedItem> all;
    std::vector<const c10::ivalue::Object*> way;
    add_tensors(
        tree, "", Order::own_first, [](const Slot& slot) { return slot.is_parameter || slot.is_buffer; }, way, all);
    return all;
  };
  const auto from = flags(module), to = flags(copy);
  for (size_t i = 0; i < from.size(); ++i) {
    to[i].value.toTensor().requires_grad_(from[i].value.toTensor().requires_grad());
  }
  return copy;
}

int ts_module_new(const char* name, ts_module* unit_of, ts_module** out) {
  return guarded([&] {
    auto unit =
        unit_of ? unit_of->module._ivalue()->compilation_unit() : std::make_shared<torch::jit::CompilationUnit>();
    *out = new ts_module{torch::jit::Module(c10::QualifiedName(shim::class_identifier(name)), unit, /*shouldMangle=*/true)};
  });
}

void ts_module_release(ts_module* module) { delete module; }

int ts_module_register(ts_module* module, const char* name, ts_tensor* handle, int is_buffer) {
  return guarded([&] {
    const at::Tensor tensor = handle ? shim::borrow(handle) : at::Tensor();
    const std::string member = shim::member_to_set(module->module, name);
    if (module->module.hasattr(member))
      module->module.setattr(member, tensor);
    else
      module->module.register_parameter(member, tensor, is_buffer != 0);
  });
}

int ts_module_add_child(ts_module* module, const char* name, ts_module* child) {
  return guarded([&] {
    const std::string member = shim::member_to_set(module->module, name);
    if (module->module.hasattr(member))
      module->module.setattr(member, child->module._ivalue());
    else
      module->module.register_module(member, child->module);
  });
}

int ts_module_set_attribute(ts_module* module, const char* name, const ts_value* value) {
  return guarded([&] {
    const c10::IValue attribute = shim::to_natural_ivalue(*value);
    const std::string member = shim::member_to_set(module->module, name);
    TORCH_CHECK(!shim::Names(module->module).is_constant(member), "`", name,
                "` is a constant of the program: give the module of R code another value, and compile it again");
    if (module->module.hasattr(member))
      module->module.setattr(member, attribute);
    else
      module->module.register_attribute(
          member, attribute.isTensor() ? c10::TypePtr(c10::TensorType::get()) : attribute.type(), attribute);
  });
}

int ts_module_get(ts_module* module, const char* name, ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, Arena& own) {
    value.tag = TS_NONE;
    const auto type = module->module.type();
    const auto member = shim::find_member(module->module, name);
    if (!member) return;
    if (const auto slot = type->findAttributeSlot(*member)) {
      const c10::IValue found = complete(module->module)._ivalue()->getSlot(*slot);
      if (!found.isTensor() || found.toTensor().defined()) shim::from_ivalue(found, value, own);
    } else if (const auto constant = type->findConstant(*member)) {
      shim::from_ivalue(*constant, value, own);
    }
  });
}

int ts_module_refer(ts_module* module, const char* path, ts_tensor* tensor) {
  return guarded([&] {
    TORCH_CHECK(refer(module->module, path, shim::borrow(tensor)), "the module has no tensor `", path, "`");
  });
}

int ts_module_list(ts_module* module, int part, int recursive, ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, Arena& own) {
    const torch::jit::Module& self = module->module;
    std::vector<NamedItem> items;
    std::vector<const c10::ivalue::Object*> way;
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
        const shim::Names names(self);
        std::vector<std::string> methods;
        for (const auto& method : self.get_methods()) methods.push_back(names.name_of(method.name()));
        value = shim::string_list(methods, own);
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
  return guarded([&] { *out = new ts_module{shim::copy_module(module->module)}; });
}

int ts_module_method(ts_module* module, const char* name, ts_callable** out) {
  return guarded([&] {
    const auto member = shim::find_method(module->module, name);
    // The tree is completed only for a name that is a method.
    if (member) shim::complete_tree(module->module);
    *out = member ? new ts_callable(module->module.get_method(*member)) : nullptr;
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

int ts_module_add_choice(ts_module* module, const char* name, const char* when_training, const char* otherwise) {
  return guarded([&] {
    auto type = module->module.type();
    const char* const methods[] = {when_training, otherwise};
    const auto& schema = type->getMethod(when_training).getSchema();
    const c10::TypePtr result = schema.returns().at(0).type();
    TORCH_CHECK(*result == *type->getMethod(otherwise).getSchema().returns().at(0).type(),
                "the two methods have different types");
    auto graph = std::make_shared<torch::jit::Graph>();
    std::vector<torch::jit::Value*> inputs;
    for (const auto& argument : schema.arguments())
      inputs.push_back(graph->addInput(argument.name())->setType(argument.type()));
    auto* training = graph->insertGetAttr(inputs[0], "training");
    auto* choice = graph->insertNode(graph->create(c10::prim::If, {training}, 1));
    for (const char* method : methods) {
      torch::jit::Block* block = choice->addBlock();
      torch::jit::WithInsertPoint inside(block);
      auto* call = graph->insertNode(graph->create(c10::prim::CallMethod, inputs, 1));
      call->s_(c10::attr::name, method);
      call->output()->setType(result);
      block->registerOutput(call->output());
    }
    choice->output()->setType(result);
    graph->registerOutput(choice->output());
    const auto qualified = c10::QualifiedName(*type->name(), name);
    type->addMethod(module->module._ivalue()->compilation_unit()->create_function(qualified, graph));
  });
}
