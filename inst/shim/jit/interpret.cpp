#include "jit/interpret.h"

#include "core/nodes.h"

#include "core/callable.h"
#include "core/stack.h"
#include "jit/plan.h"

#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/runtime/interpreter.h>

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Stack;

void shim::interpret(const std::shared_ptr<Graph>& graph, Stack& stack) {
  const auto run = [&] { torch::jit::InterpreterState(torch::jit::Code(graph, "")).run(stack); };
  // A running trace belongs to this thread, so the work must stay on it.
  if (torch::jit::tracer::isTracing())
    run();
  else
    with_stack(plan_stack(*graph), run);
}

namespace {

bool is_random(const torch::jit::Block& block) {
  return shim::any_node(block, [](const Node& node) {
    if (node.isNondeterministic()) return true;
    auto* callee = shim::called(node);
    const auto* with_graph = callee ? torch::jit::tryToGraphFunction(*callee) : nullptr;
    return with_graph && is_random(*with_graph->graph()->block());
  });
}

}  // namespace

int ts_callable_interpret(const ts_callable* callable, const ts_value* arguments, size_t n, ts_value* out,
                          ts_arena** arena) {
  return shim::guarded_result(out, arena, [&](ts_value& value, shim::Arena& own) {
    Stack stack;
    shim::push_arguments(*callable, arguments, n, stack);
    shim::interpret(torch::jit::toGraphFunction(*callable->function).graph(), stack);
    shim::from_ivalue(std::move(stack.at(0)), value, own);
  });
}

int ts_callable_is_random(const ts_callable* callable, int* out) {
  return shim::guarded([&] {
    *out = callable->function && is_random(*torch::jit::toGraphFunction(*callable->function).graph()->block());
  });
}
