// Tracing: the host runs its function on LibTorch's values, LibTorch records the operators.
#include "call.h"

namespace {

using torch::jit::Stack;
namespace tracer = torch::jit::tracer;

std::shared_ptr<torch::jit::Graph> record(ts_host_fn fn, void* context, const ts_value* inputs,
                                          const char* const* names, size_t n, ts_module* self, bool strict) {
  Stack stack;
  for (size_t i = 0; i < n; ++i) stack.push_back(shim::to_natural_ivalue(inputs[i]));
  std::vector<std::string> argument_names(names, names + n);
  auto run = [&](Stack arguments) -> Stack {
    shim::Arena arena;
    std::vector<ts_value> values(arguments.size());
    for (size_t i = 0; i < arguments.size(); ++i) shim::from_ivalue(std::move(arguments[i]), values[i], arena);
    // The host takes the handles that it wraps; those it does not are released with the list that owns them.
    ts_value* owned = arena.get().new_items(values.size());
    std::copy(values.begin(), values.end(), owned);
    std::unique_ptr<ts_arena> keep(arena.release());
    ts_value result{};
    if (fn(context, owned, arguments.size(), &result) != TS_OK) throw shim::HostJump();
    c10::IValue output = shim::to_natural_ivalue(result);
    // A tensor that does not come from the inputs is a constant of the graph.
    output.visit([](const c10::IValue& part) {
      if (part.isTensor() && part.toTensor().defined()) tracer::getValueTrace(part);
      return false;
    });
    return {output};
  };
  auto no_names = [](const at::Tensor&) { return std::string(); };
  auto traced = tracer::trace(std::move(stack), run, no_names, strict, /*force_outplace=*/false,
                              self ? &self->module : nullptr, argument_names);
  return traced.first->graph;
}

}  // namespace

int ts_is_tracing(void) { return tracer::isTracing(); }

int ts_trace(ts_host_fn fn, void* context, const ts_value* inputs, const char* const* names, size_t n, ts_module* self,
             const char* method, int strict, ts_callable** out) {
  return shim::guarded([&] {
    auto graph = record(fn, context, inputs, names, n, self, strict != 0);
    if (self) {
      auto type = self->module.type();
      const auto name = c10::QualifiedName(*type->name(), method);
      auto* function = self->module._ivalue()->compilation_unit()->create_function(name, graph);
      type->addMethod(function);
      *out = new ts_callable(self->module.get_method(method));
    } else {
      auto unit = std::make_shared<torch::jit::CompilationUnit>();
      auto* function = unit->create_function(c10::QualifiedName(method), graph);
      *out = new ts_callable(function, unit);
    }
  });
}
