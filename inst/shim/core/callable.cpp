#include "core/callable.h"

#include <torch/csrc/jit/runtime/graph_executor.h>

#include "core/host.h"
#include "core/stack.h"
#include "guard/arguments.h"
#include "jit/complex.h"
#include "jit/plan.h"
#include "train/recorder.h"

ts_callable::ts_callable(c10::OperatorHandle op)
    : dispatched(op),
      small(shim::small_kernel_of(op.schema().name(), op.schema().overload_name())),
      look(shim::look_of(op.schema())) {
  read_schema(op.schema(), 0);
}

ts_callable::ts_callable(std::shared_ptr<torch::jit::Operator> op) : jit_operator(std::move(op)) {
  read_schema(jit_operator->schema(), 0);
}

ts_callable::ts_callable(torch::jit::Function* fn, std::shared_ptr<torch::jit::CompilationUnit> cu)
    : function(fn), unit(std::move(cu)) {
  read_schema(function->getSchema(), 0);
}

ts_callable::ts_callable(const torch::jit::Method& method)
    : function(&method.function()), unit(method.owner()._ivalue()->compilation_unit()), self(method.owner()._ivalue()) {
  read_schema(function->getSchema(), 1);
}

ts_callable::ts_callable(torch::jit::Function* fn, c10::intrusive_ptr<c10::ivalue::Object> object)
    : function(fn), unit(object->compilation_unit()), self(c10::IValue(std::move(object))) {
  read_schema(function->getSchema(), 1);
}

ts_callable::ts_callable(const c10::FunctionSchema& from, std::function<void(torch::jit::Stack&)> does)
    : body(std::move(does)) {
  read_schema(from, 0);
}

ts_callable::ts_callable(c10::ClassTypePtr type, std::shared_ptr<torch::jit::CompilationUnit> cu)
    : function(&type->getMethod("__init__")), unit(std::move(cu)), makes(std::move(type)) {
  read_schema(constructor_schema(), 0);
}

c10::FunctionSchema ts_callable::constructor_schema() const {
  const auto& arguments = function->getSchema().arguments();
  return c10::FunctionSchema(makes->name()->name(), "", {arguments.begin() + 1, arguments.end()},
                             {c10::Argument("", makes)});
}

void ts_callable::read_schema(const c10::FunctionSchema& from, size_t skip) {
  schema.build(from, skip);
  for (size_t i = skip; i < from.arguments().size(); ++i) {
    types.push_back(from.arguments()[i].type());
    generic = generic || types.back()->hasFreeVariables();
    const auto& value = from.arguments()[i].default_value();
    defaults.push_back(value ? std::optional<c10::IValue>(*value) : std::nullopt);
  }
  for (const auto& result : from.returns())
    results.push_back(result.type()->hasFreeVariables() ? nullptr : result.real_type());
}

void ts_callable::run(torch::jit::Stack& stack) const {
  if (dispatched) {
    dispatched->callBoxed(&stack);
  } else if (jit_operator) {
    jit_operator->getOperation()(stack);
  } else if (makes) {
    c10::IValue made = stack.front();
    run_function(stack);
    stack.back() = std::move(made);
  } else if (function) {
    run_function(stack);
  } else {
    body(stack);
  }
}

// The interpreter plans a function by recursion, and a trace of a long loop has more nodes in a line than an ordinary
// stack can hold: such a function runs on a thread with more stack. LibTorch differentiates whole programs by formulas
// for real numbers. Where complex numbers may occur, the graph optimizer is switched off, so that each operator uses
// its own derivative.
void ts_callable::run_function(torch::jit::Stack& stack) const {
  if (!plan_stack_) {
    plan_stack_ = shim::plan_stack(*function);
    makes_complex_ = shim::makes_complex(*function);
  }
  const bool is_complex = at::GradMode::is_enabled() &&
                          (makes_complex_ || std::any_of(stack.begin(), stack.end(), shim::holds_complex));
  const auto run = [&] {
    if (!polls_.none) shim::add_polls(*function, polls_, stack);
    std::optional<shim::Tasks> tasks;
    if (polls_.tasks) tasks.emplace();
    // A recording notes single operators, so they must not be fused: the optimizer is off for it too.
    if (!is_complex && !shim::is_recording()) return function->run(stack);
    const torch::jit::GraphOptimizerEnabledGuard plainly(false);
    function->run(stack);
  };
  if (!shim::is_ordinary_stack(*plan_stack_) || shim::engine_waits()) return shim::run_served(*plan_stack_, run);
  const shim::Stoppable here;
  run();
}

namespace shim {
namespace {

thread_local std::deque<torch::jit::Stack> stacks;
thread_local size_t depth = 0;

}  // namespace

StackFrame::StackFrame() {
  if (stacks.size() == depth) stacks.emplace_back();
  stack_ = &stacks[depth++];
}

StackFrame::~StackFrame() {
  stack_->clear();
  --depth;
}

namespace {

// Operators whose schema holds type variables trust the compiler to have matched these. An operator that is called from
// R was not compiled, so they are matched here.
void match_variables(const ts_callable& callable, const torch::jit::Stack& stack) {
  c10::TypeEnv variables;
  const size_t first = stack.size() - callable.types.size();
  for (size_t i = 0; i < callable.types.size(); ++i) {
    if (!callable.types[i]->hasFreeVariables()) continue;
    const auto match = c10::matchTypeVariables(callable.types[i], stack[first + i].type(), variables);
    TORCH_CHECK(match.success(), "the types of the arguments do not go together: ", match.reason());
  }
}

}  // namespace

void push_arguments(const ts_callable& callable, const ts_value* arguments, size_t n, torch::jit::Stack& stack) {
  TORCH_CHECK(n == callable.types.size(), "expected ", callable.types.size(), " arguments, got ", n);
  if (callable.self) stack.push_back(*callable.self);
  if (callable.makes)
    stack.push_back(c10::ivalue::Object::create(c10::StrongTypePtr(callable.unit, callable.makes),
                                                callable.makes->numAttributes()));
  for (size_t i = 0; i < n; ++i) {
    if (arguments[i].tag == TS_DEFAULT) {
      TORCH_CHECK(callable.defaults[i], "argument ", i + 1, " has no default");
      stack.push_back(*callable.defaults[i]);
    } else {
      stack.push_back(to_ivalue(arguments[i], *callable.types[i]));
    }
  }
  if (callable.generic) match_variables(callable, stack);
  if (callable.look) callable.look(stack);
}

}  // namespace shim

const ts_schema* ts_callable_schema(const ts_callable* callable) { return callable->schema.view(); }

int ts_callable_default(const ts_callable* callable, size_t i, ts_value* out, ts_arena** arena) {
  return shim::guarded_result(out, arena, [&](ts_value& value, shim::Arena& own) {
    TORCH_CHECK(i < callable->defaults.size() && callable->defaults[i], "argument ", i + 1, " has no default");
    shim::from_ivalue(*callable->defaults[i], callable->types[i].get(), value, own);
  });
}

void ts_callable_release(ts_callable* callable) { delete callable; }
