// Modules, compilation units, graphs, files.
#include "call.h"

#include <torch/csrc/jit/passes/inliner.h>
#include <torch/csrc/jit/runtime/graph_executor.h>
#include <torch/csrc/jit/runtime/profiling_graph_executor_impl.h>

#include <sstream>

struct ts_unit {
  std::shared_ptr<torch::jit::CompilationUnit> unit;
};

using shim::Arena;
using shim::guarded;
using shim::guarded_result;

namespace {

// `source` is a file name or a stream. No device: as saved.
template <class Source>
torch::jit::Module load_module(Source&& source, const char* device) {
  return device ? torch::jit::load(source, c10::Device(device)) : torch::jit::load(source);
}

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

bool is_tensor_type(const c10::TypePtr& type) { return type->isSubtypeOf(*c10::TensorType::get()); }

std::vector<std::string> other_attributes(const torch::jit::Module& module) {
  std::vector<std::string> names;
  const auto type = module.type();
  for (size_t i = 0; i < type->numAttributes(); ++i)
    if (!type->is_parameter(i) && !type->is_buffer(i) && !type->getAttribute(i)->is_module())
      names.push_back(type->getAttributeName(i));
  return names;
}

}  // namespace

int ts_unit_compile(const char* source, ts_unit** out) {
  return guarded([&] {
    auto unit = std::make_shared<torch::jit::CompilationUnit>();
    unit->define({}, source, torch::jit::nativeResolver(), nullptr);
    *out = new ts_unit{unit};
  });
}

int ts_unit_functions(ts_unit* unit, ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, Arena& own) {
    std::vector<std::string> names;
    for (auto* function : unit->unit->get_functions()) names.push_back(function->name());
    value = shim::string_list(names, own);
  });
}

int ts_unit_function(ts_unit* unit, const char* name, ts_callable** out) {
  return guarded([&] {
    auto* function = unit->unit->find_function(c10::QualifiedName(name));
    TORCH_CHECK(function, "there is no function `", name, "` in this unit");
    *out = new ts_callable(function, unit->unit);
  });
}

void ts_unit_release(ts_unit* unit) { delete unit; }

int ts_callable_text(const ts_callable* callable, int which, ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, Arena& own) {
    TORCH_CHECK(callable->function, "an operator has no graph");
    auto& function = torch::jit::toGraphFunction(*callable->function);
    std::shared_ptr<torch::jit::Graph> graph = function.graph();
    if (which == 1) {
      graph = graph->copy();
      torch::jit::Inline(*graph);
    } else if (which == 2) {
      // What the executor's inner plans ran last; a wrapper's own plan only calls them.
      graph = torch::jit::lastExecutedOptimizedGraph();
    }
    if (which == 3) {
      std::vector<at::IValue> constants;
      torch::jit::PrintDepsTable classes;
      torch::jit::PythonPrint printer(constants, classes);
      callable->self ? printer.printMethod(function) : printer.printFunction(function);
      value = shim::string_value(printer.str(), own);
    } else {
      value = shim::string_value(graph->toString(), own);
    }
  });
}

int ts_profiled_runs(int* out) {
  return guarded([&] { *out = static_cast<int>(torch::jit::getNumProfiledRuns().load()); });
}

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

int ts_module_define(ts_module* module, const char* source) {
  return guarded([&] { module->module.define(source); });
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

int ts_module_from_function(const ts_callable* callable, ts_module** out) {
  return guarded([&] {
    TORCH_CHECK(callable->function && !callable->self, "only a script function becomes a module");
    torch::jit::Module module("PlaceholderModule");
    module.register_attribute("training", c10::BoolType::get(), true);
    auto graph = torch::jit::toGraphFunction(*callable->function).graph()->copy();
    // Other functions of its unit are not in the module.
    torch::jit::Inline(*graph);
    graph->insertInput(0, "self")->setType(module._ivalue()->type());
    const auto name = c10::QualifiedName(*module.type()->name(), "forward");
    auto* forward = module._ivalue()->compilation_unit()->create_function(name, graph);
    module.type()->addMethod(forward);
    *out = new ts_module{module};
  });
}

int ts_module_save(ts_module* module, const char* path, int mobile) {
  return guarded([&] { mobile ? module->module._save_for_mobile(path) : module->module.save(path); });
}

int ts_module_load(const char* path, const char* device, ts_module** out) {
  return guarded([&] { *out = new ts_module{load_module(std::string(path), device)}; });
}

int ts_module_serialize(ts_module* module, ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, Arena& own) {
    std::ostringstream bytes;
    module->module.save(bytes);
    value = shim::string_value(bytes.str(), own);
  });
}

int ts_module_unserialize(const void* data, size_t n, const char* device, ts_module** out) {
  return guarded([&] {
    std::istringstream bytes(std::string(static_cast<const char*>(data), n));
    *out = new ts_module{load_module(bytes, device)};
  });
}
