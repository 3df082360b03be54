// The registry of operators and the one call.
#include "depth.h"
#include "host.h"
#include "trace.h"

#include <mutex>
#include <sstream>
#include <unordered_map>

ts_callable::ts_callable(c10::OperatorHandle op) : dispatched(op) { read_schema(op.schema(), 0); }

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

// A trace of a long loop is a line of so many nodes that an ordinary stack can't hold the making of its plan.
void ts_callable::run_function(torch::jit::Stack& stack) const {
  if (!plan_stack_) plan_stack_ = shim::plan_stack(*function);
  if (shim::is_ordinary_stack(*plan_stack_))
    function->run(stack);
  else
    shim::run_served(*plan_stack_, [&] { function->run(stack); });
}

namespace shim {
namespace {

thread_local std::deque<torch::jit::Stack> stacks;
thread_local size_t depth = 0;

using Overloads = std::vector<const ts_callable*>;

// Overload names by operator name; read anew when a name is unknown, since a library loaded later may have brought it.
std::vector<std::string> overload_names(const std::string& name) {
  static std::unordered_map<std::string, std::vector<std::string>> index;
  auto found = index.find(name);
  if (found == index.end()) {
    index.clear();
    for (auto& op : c10::Dispatcher::singleton().getAllOpNames())
      if (c10::Dispatcher::singleton().findSchema(op)) index[op.name].push_back(op.overload_name);
    for (auto& entry : index) std::sort(entry.second.begin(), entry.second.end());
    found = index.find(name);
  }
  return found == index.end() ? std::vector<std::string>() : found->second;
}

// What the JIT has besides the dispatcher: only what can be called without a node of a graph and has a fixed schema.
void add_jit_overloads(const std::string& name, Overloads& found) {
  if (name.find("::") == std::string::npos) return;
  for (const auto& op : torch::jit::getAllOperatorsFor(c10::Symbol::fromQualString(name)))
    if (op->hasOperation() && !op->schema().is_vararg() &&
        !c10::Dispatcher::singleton().findSchema({name, op->schema().overload_name()}))
      found.push_back(new ts_callable(op));
}

Overloads find_overloads(const std::string& name, bool all) {
  Overloads found;
  for (const auto& overload : overload_names(name))
    found.push_back(new ts_callable(*c10::Dispatcher::singleton().findSchema({name, overload})));
  if (all || found.empty()) add_jit_overloads(name, found);
  return found;
}

int find(const char* name, bool all, const ts_callable* const** overloads, size_t* n) {
  return guarded([&] {
    // Never freed: the host keeps what it was given for the whole session.
    static auto* known = new std::unordered_map<std::string, Overloads>[2];
    static std::mutex lock;
    const std::lock_guard<std::mutex> hold(lock);
    auto& of_kind = known[all];
    auto found = of_kind.find(name);
    if (found == of_kind.end()) {
      auto overloads_of_name = find_overloads(name, all);
      if (overloads_of_name.empty()) {
        *n = 0;
        return;
      }
      found = of_kind.emplace(name, std::move(overloads_of_name)).first;
    }
    *overloads = found->second.data();
    *n = found->second.size();
  });
}

std::string text_of(const c10::FunctionSchema& schema) {
  std::ostringstream text;
  text << schema;
  return text.str();
}

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

// Operators over type variables trust that these were matched when the graph was made.
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
}

}  // namespace shim

int ts_operator_find(const char* name, const ts_callable* const** overloads, size_t* n) {
  return shim::find(name, false, overloads, n);
}

int ts_operator_find_all(const char* name, const ts_callable* const** overloads, size_t* n) {
  return shim::find(name, true, overloads, n);
}

int ts_operator_kinds(const char* name, ts_value* out, ts_arena** arena) {
  return shim::guarded_result(out, arena, [&](ts_value& value, shim::Arena& own) {
    const auto all = torch::jit::getAllOperatorsFor(c10::Symbol::fromQualString(name));
    TORCH_CHECK(!all.empty(), "there is no operator ", name);
    const auto kind = [](const c10::Argument& argument) { return c10::typeKindToString(argument.type()->kind()); };
    const auto& schema = all[0]->schema();
    value.tag = TS_TUPLE;
    value.len = 2;
    value.as.items = own.get().new_items(2);
    ts_value& arguments = value.as.items[0];
    arguments.tag = TS_DICT;
    arguments.len = static_cast<int64_t>(schema.arguments().size());
    arguments.as.items = own.get().new_items(2 * schema.arguments().size());
    for (size_t i = 0; i < schema.arguments().size(); ++i) {
      arguments.as.items[2 * i] = shim::string_value(schema.arguments()[i].name(), own);
      arguments.as.items[2 * i + 1] = shim::string_value(kind(schema.arguments()[i]), own);
    }
    std::vector<std::string> results;
    for (const auto& result : schema.returns()) results.push_back(kind(result));
    value.as.items[1] = shim::string_list(results, own);
  });
}

int ts_operator_schemas(int which, ts_value* out, ts_arena** arena) {
  return shim::guarded_result(out, arena, [&](ts_value& value, shim::Arena& own) {
    std::vector<std::string> texts;
    auto& dispatcher = c10::Dispatcher::singleton();
    if (which == 0) {
      for (const auto& name : dispatcher.getAllOpNames())
        if (const auto op = dispatcher.findSchema(name))
          texts.push_back(shim::text_of(op->schema()));
    } else {
      for (const auto& op : torch::jit::getAllOperators())
        if (!dispatcher.findSchema({op->schema().name(), op->schema().overload_name()}))
          texts.push_back(shim::text_of(op->schema()));
    }
    std::sort(texts.begin(), texts.end());
    value = shim::string_list(texts, own);
  });
}

const ts_schema* ts_callable_schema(const ts_callable* callable) { return callable->schema.view(); }

int ts_callable_default(const ts_callable* callable, size_t i, ts_value* out, ts_arena** arena) {
  return shim::guarded_result(out, arena, [&](ts_value& value, shim::Arena& own) {
    TORCH_CHECK(i < callable->defaults.size() && callable->defaults[i], "argument ", i + 1, " has no default");
    shim::from_ivalue(*callable->defaults[i], callable->types[i].get(), value, own);
  });
}

void ts_callable_release(ts_callable* callable) { delete callable; }

int ts_call(const ts_callable* callable, const ts_value* arguments, size_t n, ts_value* out, ts_arena** arena) {
  return shim::guarded_result(out, arena, [&](ts_value& value, shim::Arena& own) {
    shim::free_one_waiting();
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
