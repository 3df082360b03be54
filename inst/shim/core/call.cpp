// The call of everything that has a schema: operators, TorchScript functions and methods.
#include "core/callable.h"
#include "jit/trace.h"

int ts_call(const ts_callable* callable, const ts_value* arguments, size_t n, ts_value* out, ts_arena** arena) {
  return shim::guarded_result(out, arena, [&](ts_value& value, shim::Arena& own) {
    shim::free_one_waiting();
    if (callable->small) {
      if (ts_tensor* result = shim::run_small(*callable->small, arguments, n)) {
        value.tag = TS_TENSOR;
        value.as.handle = result;
        return;
      }
    }
    shim::StackFrame frame;
    auto& stack = frame.stack();
    shim::push_arguments(*callable, arguments, n, stack);
    if (torch::jit::tracer::isTracing())
      shim::run_traced(*callable, arguments, n, stack);
    else
      callable->run(stack);
    const auto type = [&](size_t i) { return i < callable->results.size() ? callable->results[i].get() : nullptr; };
    if (stack.size() == 1) {
      shim::from_ivalue(std::move(stack[0]), type(0), value, own);
    } else if (!stack.empty()) {
      value.tag = TS_TUPLE;
      value.len = static_cast<int64_t>(stack.size());
      value.as.items = own.get().new_items(stack.size());
      for (size_t i = 0; i < stack.size(); ++i) shim::from_ivalue(std::move(stack[i]), type(i), value.as.items[i], own);
    }
  });
}
