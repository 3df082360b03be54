// TorchScript text: compilation units.
#include "call.h"

struct ts_unit {
  std::shared_ptr<torch::jit::CompilationUnit> unit;
};

using shim::Arena;
using shim::guarded;
using shim::guarded_result;

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
