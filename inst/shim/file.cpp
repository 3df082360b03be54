// Programs in files and in memory.
#include "call.h"

#include <torch/csrc/jit/passes/inliner.h>

#include <sstream>

using shim::Arena;
using shim::guarded;
using shim::guarded_result;

namespace {

// `source` is a file name or a stream. No device: as saved.
template <class Source>
torch::jit::Module load_module(Source&& source, const char* device) {
  return device ? torch::jit::load(source, c10::Device(device)) : torch::jit::load(source);
}

}  // namespace

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
