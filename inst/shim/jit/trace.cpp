// Tracing: the host runs its function on LibTorch's values, LibTorch records the operators.
#include "jit/trace.h"

#include "core/stack.h"
#include "jit/inline.h"
#include "jit/names.h"
#include "jit/plan.h"

#include <ATen/autocast_mode.h>
#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/frontend/schema_matching.h>
#include <torch/csrc/jit/runtime/interpreter.h>

#include <optional>
#include <unordered_set>

namespace {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Stack;
using torch::jit::Value;
namespace aten = c10::aten;
namespace prim = c10::prim;
namespace tracer = torch::jit::tracer;

// The trace that runs on this thread; they nest.
struct Trace {
  Trace* outer;
  // LibTorch's part of it, while the host's function runs.
  std::shared_ptr<tracer::TracingState> state;
  // The last node that LibTorch made, while it was not in the graph yet.
  Node* made;
  std::vector<std::shared_ptr<torch::jit::Source>> sources;
  std::optional<torch::jit::SourceRange> place;
  // While the first wrong node is searched for, what each call gave.
  bool keeps_results;
  std::vector<std::pair<Value*, at::Tensor>> results;
};
thread_local Trace* running = nullptr;
// What LibTorch's tracer warned of in the last trace.
thread_local std::vector<std::string> warnings;

void place_node(Node* node) {
  if (!running) return;
  if (running->place) node->setSourceRange(*running->place);
  if (!node->next()) running->made = node;
}

// An autocast region keeps its casts of weights, which a graph would hold as constants: not while a trace runs.
class Fresh {
 public:
  explicit Fresh(bool keeps_results = false)
      : trace_{running, nullptr, nullptr, {}, {}, keeps_results, {}}, cache_(at::autocast::is_autocast_cache_enabled()) {
    running = &trace_;
    tracer::setRecordSourceLocation(place_node);
    tracer::setWarn([](const std::string& message) { warnings.push_back(message); });
    warnings.clear();
    at::autocast::set_autocast_cache_enabled(false);
  }
  ~Fresh() {
    running = trace_.outer;
    at::autocast::set_autocast_cache_enabled(cache_);
  }
  Fresh(const Fresh&) = delete;
  Fresh& operator=(const Fresh&) = delete;
  Trace& trace() { return trace_; }

 private:
  Trace trace_;
  bool cache_;
};

// The node that the next one is put behind.
Node* last_node(Graph& graph) { return graph.insertPoint()->prev(); }

// LibTorch's kernels for traces make a node, give it its inputs, put it into the graph, take the trace out of the
// thread's hands and run the operator. One that throws leaves it like that: a node outside of the graph, or one in it
// without results and a trace that records nothing any more.
void go_on() {
  if (!running || !running->state) return;
  Node* made = std::exchange(running->made, nullptr);
  if (made && !made->next()) made->destroy();
  if (tracer::isTracing()) return;
  Node* last = last_node(*running->state->graph);
  if (last->outputs().empty()) last->destroy();
  tracer::setTracingState(running->state);
}

// Lets LibTorch's operators run unseen by the running trace.
class Paused {
 public:
  Paused() : trace_(running), state_(tracer::getTracingState()) {
    if (trace_) trace_->state.reset();
    tracer::setTracingState(nullptr);
  }
  ~Paused() {
    if (trace_) trace_->state = state_;
    tracer::setTracingState(state_);
  }
  Paused(const Paused&) = delete;
  Paused& operator=(const Paused&) = delete;

 private:
  Trace* trace_;
  std::shared_ptr<tracer::TracingState> state_;
};

// Runs what the trace records as one step: what it adds to the graph is taken out again where it fails. Constants stay,
// since the trace knows from then on which tensors they are.
void record_step(const std::function<void()>& work) {
  Graph& graph = *tracer::getTracingState()->graph;
  const Node* before = last_node(graph);
  try {
    work();
  } catch (...) {
    go_on();
    for (Node* node = last_node(graph); node != before;) {
      Node* added = node;
      node = node->prev();
      if (added->kind() != prim::Constant && added->kind() != prim::GetAttr && !added->hasUses()) added->destroy();
    }
    throw;
  }
}

// LibTorch gives some nodes a range in a source without a name.
bool has_place(const Node* node) {
  const auto source = node->sourceRange().source();
  return source && source->filename();
}

// Sizes that were read and not used, and attributes that were not.
bool is_dead(const Node* node) {
  if (node->hasUses() || node->hasSideEffects()) return false;
  // Older LibTorch has no constant for this one.
  static const auto numel = c10::Symbol::fromQualString("aten::numel");
  if (node->kind() == numel) return true;
  switch (node->kind()) {
    case aten::size:
    case aten::Int:
    case prim::NumToTensor:
    case prim::ListConstruct:
    case prim::Constant:
    case prim::GetAttr:
      return true;
    default:
      return false;
  }
}

void tidy(Graph& graph) {
  // From the end, so that what uses a node has been seen before it.
  torch::jit::SourceRange next;
  for (auto it = graph.nodes().rbegin(); it != graph.nodes().rend();) {
    Node* node = *it++;
    if (node->kind() == aten::Int && node->input()->node()->kind() == prim::NumToTensor)
      node->output()->replaceAllUsesWith(node->input()->node()->input());
    if (is_dead(node)) {
      node->destroy();
      continue;
    }
    // What LibTorch leaves without a place takes that of the node that uses it.
    if (!has_place(node)) {
      torch::jit::SourceRange range = next;
      for (const Value* output : node->outputs())
        for (const auto& use : output->uses())
          if (has_place(use.user)) range = use.user->sourceRange();
      if (range.source()) node->setSourceRange(range);
    }
    if (has_place(node)) next = node->sourceRange();
  }
  torch::jit::SourceRange last;
  for (Node* node : graph.nodes()) {
    if (has_place(node))
      last = node->sourceRange();
    else if (last.source())
      node->setSourceRange(last);
  }
}

// The tracer makes plain tuples of named ones.
void restore_names(Value* value, const c10::IValue& output) {
  Node* node = value->node();
  if (output.isTuple() && node->kind() == prim::TupleConstruct) {
    const auto tuple = output.toTuple();
    std::vector<c10::TypePtr> types;
    for (size_t i = 0; i < node->inputs().size(); ++i) {
      restore_names(node->input(i), tuple->elements()[i]);
      types.push_back(c10::unshapedType(node->input(i)->type()));
    }
    const auto type = tuple->type();
    std::vector<std::string> fields;
    if (type->schema())
      for (const auto& field : type->schema()->arguments()) fields.push_back(field.name());
    value->setType(type->schema() ? c10::TupleType::createNamed(type->name(), fields, types)
                                  : c10::TupleType::create(types));
  } else if (output.isList() && node->kind() == prim::ListConstruct && !node->inputs().empty()) {
    const auto list = output.toList();
    for (size_t i = 0; i < node->inputs().size(); ++i) restore_names(node->input(i), list.get(i));
    value->setType(c10::ListType::create(c10::unshapedType(node->input(0)->type())));
  }
}

std::shared_ptr<Graph> record(Fresh&, ts_host_fn fn, void* context, const ts_value* inputs, const char* const* names,
                              size_t n, ts_module* self) {
  Stack stack;
  for (size_t i = 0; i < n; ++i) stack.push_back(shim::to_natural_ivalue(inputs[i]));
  std::vector<std::string> argument_names(names, names + n);
  c10::IValue output;
  auto run = [&](Stack arguments) -> Stack {
    running->state = tracer::getTracingState();
    shim::Arena arena;
    std::vector<ts_value> values(arguments.size());
    for (size_t i = 0; i < arguments.size(); ++i) shim::from_ivalue(std::move(arguments[i]), values[i], arena);
    // The host takes the handles that it wraps; those it does not are released with the list that owns them.
    ts_value* owned = arena.get().new_items(values.size());
    std::copy(values.begin(), values.end(), owned);
    std::unique_ptr<ts_arena> keep(arena.release());
    ts_value result{};
    if (fn(context, owned, arguments.size(), &result) != TS_OK) throw shim::HostJump();
    TORCH_CHECK(tracer::isTracing(), "the trace was left suspended");
    output = shim::to_natural_ivalue(result);
    // A tensor that does not come from the inputs is a constant of the graph.
    output.visit([](const c10::IValue& part) {
      if (part.isTensor() && part.toTensor().defined()) tracer::getValueTrace(part);
      return false;
    });
    return {output};
  };
  auto no_names = [](const at::Tensor&) { return std::string(); };
  // Not strict: the host tells its users about lists and dicts itself.
  auto traced = tracer::trace(std::move(stack), run, no_names, /*strict=*/false, /*force_outplace=*/false,
                              self ? &self->module : nullptr, argument_names);
  const auto& graph = traced.first->graph;
  if (graph->outputs().size() == 1) restore_names(graph->outputs()[0], output);
  return graph;
}

// A graph as it stands, without the executor: nothing is profiled or optimised.
void interpret(const std::shared_ptr<Graph>& graph, Stack& stack) {
  const auto run = [&] { torch::jit::InterpreterState(torch::jit::Code(graph, "")).run(stack); };
  // A running trace is this thread's.
  if (tracer::isTracing())
    run();
  else
    shim::with_stack(shim::plan_stack(*graph), run);
}

bool is_random(const Graph& graph);
bool is_random(torch::jit::Block* block) {
  for (Node* node : block->nodes()) {
    if (node->isNondeterministic()) return true;
    for (auto* inner : node->blocks())
      if (is_random(inner)) return true;
    if (node->kind() == prim::CallFunction) {
      const auto type = node->input(0)->type()->cast<c10::FunctionType>();
      if (type && is_random(*torch::jit::toGraphFunction(*type->function()).graph())) return true;
    } else if (node->kind() == prim::CallMethod) {
      const auto type = node->input(0)->type()->cast<c10::ClassType>();
      auto* method = type ? type->findMethod(node->s(c10::attr::name)) : nullptr;
      if (method && is_random(*torch::jit::toGraphFunction(*method).graph())) return true;
    }
  }
  return false;
}
bool is_random(const Graph& graph) { return is_random(const_cast<Graph&>(graph).block()); }

bool differ(const at::Tensor& a, const at::Tensor& b, double rtol, double atol) {
  return a.sizes() != b.sizes() || a.scalar_type() != b.scalar_type() ||
         !(a.is_floating_point() || a.is_complex() ? at::allclose(a, b, rtol, atol, /*equal_nan=*/true) : a.equal(b));
}

bool same_constant(const Value* a, const Value* b) {
  const auto x = torch::jit::toIValue(a), y = torch::jit::toIValue(b);
  if (!x || !y) return !x && !y;
  if (x->isTensor() && y->isTensor()) return !differ(x->toTensor(), y->toTensor(), 0, 0);
  if (x->tagKind() != y->tagKind()) return false;
  return x->isTensor() || *x == *y;
}

// The first node of `b` that `a` does not have at its place: another operator, constant or operand. NULL: they are alike.
const Node* first_other(const Graph& a, const Graph& b) {
  std::unordered_map<const Value*, const Value*> counterpart;
  for (size_t i = 0; i < b.inputs().size() && i < a.inputs().size(); ++i) counterpart[b.inputs()[i]] = a.inputs()[i];
  auto other = a.nodes().begin();
  for (const Node* node : b.nodes()) {
    if (other == a.nodes().end()) return node;
    const Node* twin = *other;
    ++other;
    if (node->kind() != twin->kind() || node->inputs().size() != twin->inputs().size() ||
        node->outputs().size() != twin->outputs().size())
      return node;
    for (size_t i = 0; i < node->inputs().size(); ++i)
      if (counterpart[node->inputs()[i]] != twin->inputs()[i]) return node;
    if (node->kind() == prim::Constant && !same_constant(node->output(), twin->output())) return node;
    if (node->kind() == prim::GetAttr && node->s(c10::attr::name) != twin->s(c10::attr::name)) return node;
    for (size_t i = 0; i < node->outputs().size(); ++i) counterpart[node->outputs()[i]] = twin->outputs()[i];
  }
  return nullptr;
}

void describe(const Node* node, ts_value& out, shim::Arena& own) {
  std::string place;
  if (const auto where = node->sourceRange().file_line_col())
    place = std::get<0>(*where) + ":" + std::to_string(std::get<1>(*where));
  out = shim::string_list({node->kind().toQualString(), place, node->sourceRange().text().str()}, own);
}

// Sizes in the tracer's stash for the time of one call; what no kernel took is dropped again.
class StashedSizes {
 public:
  void add(const char* argument, const ts_value& value) {
    if (value.tag == TS_SIZE) {
      tracer::ArgumentStash::stashValue(argument, 1, traced(value), c10::IntType::get());
      numbers_.push_back(argument);
    } else if (value.tag == TS_LIST) {
      for (int64_t i = 0; i < value.len; ++i) {
        if (value.as.items[i].tag != TS_SIZE) continue;
        tracer::ArgumentStash::stashIntArrayRefElem(argument, value.len, i, traced(value.as.items[i]));
        if (lists_.empty() || lists_.back().first != argument) lists_.emplace_back(argument, value.len);
      }
    }
  }
  // The stash itself is LibTorch's own: what is left there is taken by a node that is thrown away.
  ~StashedSizes() {
    if (numbers_.empty() && lists_.empty()) return;
    Node* sink = tracer::getTracingState()->graph->create(prim::ListConstruct, 0);
    for (const auto& name : numbers_) tracer::addInputs(sink, name.c_str(), int64_t{0});
    for (const auto& [name, length] : lists_)
      tracer::addInputs(sink, name.c_str(), c10::IntArrayRef(std::vector<int64_t>(length)));
    sink->destroy();
  }

 private:
  static at::Tensor traced(const ts_value& size) { return shim::borrow(size.as.size.traced); }
  std::vector<std::string> numbers_;
  std::vector<std::pair<std::string, int64_t>> lists_;
};

void keep_result(const c10::IValue& result) {
  if (!result.isTensor() || !result.toTensor().defined() || !tracer::getTracingState()->hasValue(result)) return;
  at::tracer::impl::NoTracerDispatchMode unseen;
  running->results.emplace_back(tracer::getValueTrace(result), result.toTensor().detach().clone());
}

// Whether the tracer can know a value: a tensor, or lists, tuples and dicts of such.
bool is_traceable(const c10::IValue& value) {
  if (value.isTensor()) return true;
  if (value.isTuple()) {
    const auto elements = value.toTuple()->elements();
    return std::all_of(elements.begin(), elements.end(), is_traceable);
  }
  if (value.isList()) {
    const auto list = value.toList();
    for (size_t i = 0; i < list.size(); ++i)
      if (!is_traceable(list.get(i))) return false;
    return true;
  }
  if (!value.isGenericDict()) return false;
  for (const auto& entry : value.toGenericDict())
    if (!is_traceable(entry.value())) return false;
  return true;
}

// A TorchScript function or method becomes a call in the graph: its own plan may hold operators that only the executor
// knows. `false`: the trace does not know the object whose method it is.
bool insert_call(const ts_callable& callable, Stack& stack) {
  const auto& state = tracer::getTracingState();
  if (callable.self && !state->hasValue(*callable.self)) return false;
  Graph& graph = *state->graph;
  std::vector<torch::jit::NamedValue> inputs;
  for (const auto& value : stack) inputs.emplace_back(tracer::getValueTrace(value));
  const torch::jit::SourceRange range = running && running->place ? *running->place : torch::jit::SourceRange();
  const auto matched = torch::jit::matchSchema(callable.function->getSchema(), range, graph, inputs, {});
  Value* output = callable.self ? graph.insertMethodCall(callable.function->name(), matched)
                                : graph.insertFunctionCall(callable.function, matched);
  {
    const Paused unseen;
    callable.run(stack);
  }
  if (!stack.empty() && is_traceable(stack.back())) tracer::setValueTrace(stack.back(), output);
  return true;
}

// A logical in a number's place is none in a graph. A whole number gives the same, but where all else is logical: there
// the result is a logical too, and the form of the operator that takes a tensor for the number makes it one. Gives the
// operator to run.
c10::OperatorHandle with_numbers(c10::OperatorHandle op, Stack& stack) {
  bool all_logical = true;
  for (const auto& value : stack)
    if (value.isTensor() && value.toTensor().scalar_type() != at::kBool) all_logical = false;
  const auto arguments = op.schema().arguments();
  for (size_t i = 0; i < arguments.size(); ++i) {
    const auto type = arguments[i].type()->cast<c10::OptionalType>();
    if ((type ? type->getElementType() : arguments[i].type())->kind() != c10::TypeKind::NumberType || !stack[i].isBool()) continue;
    const bool value = stack[i].toBool();
    const auto other = c10::Dispatcher::singleton().findSchema({op.schema().name(), "Tensor"});
    if (all_logical && arguments[i].name() == "other" && stack[0].isTensor() && stack[0].toTensor().dim() > 0 && other && other->schema().arguments().size() == arguments.size() &&
        other->schema().arguments()[i].type()->kind() == c10::TypeKind::TensorType) {
      const Paused unseen;
      // One without dimensions is made a number again when the program is optimised.
      stack[i] = at::full({1}, value, at::kBool);
      return *other;
    }
    stack[i] = static_cast<int64_t>(value);
    // What makes tensors takes their dtype from it.
    const auto dtype = op.schema().argumentIndexWithName("dtype");
    if (arguments[i].name() == "fill_value" && dtype && stack[*dtype].isNone() && arguments[0].type()->kind() != c10::TypeKind::TensorType)
      stack[*dtype] = static_cast<int64_t>(at::kBool);
  }
  return op;
}

// The tracer makes broken nodes of the forms of these two that are not in place.
c10::OperatorHandle traceable(c10::OperatorHandle op, Stack& stack) {
  const auto& name = op.schema().name();
  if ((name != "aten::fill" && name != "aten::zero") || op.schema().overload_name() == "out") return op;
  const auto in_place = c10::Dispatcher::singleton().findSchema({name + "_", op.schema().overload_name()});
  if (!in_place || op.schema().arguments().size() != in_place->schema().arguments().size()) return op;
  stack[0] = stack[0].toTensor().clone();
  return *in_place;
}

}  // namespace

void shim::run_traced(const ts_callable& callable, const ts_value* arguments, size_t n, Stack& stack) {
  {
    StashedSizes sizes;
    for (size_t i = 0; i < n; ++i) sizes.add(callable.schema.view()->arguments[i].name, arguments[i]);
    bool done = true;
    record_step([&] {
      if (callable.function && !callable.makes)
        done = insert_call(callable, stack);
      else if (callable.dispatched)
        with_numbers(traceable(*callable.dispatched, stack), stack).callBoxed(&stack);
      else
        callable.run(stack);
    });
    // A step for each of its operators: what they did is done when one of them fails.
    if (!done) interpret(torch::jit::toGraphFunction(*callable.function).graph(), stack);
  }
  if (running && running->keeps_results) std::for_each(stack.begin(), stack.end(), keep_result);
}

void shim::record_copy(at::Tensor& to, const at::Tensor& from) {
  if (tracer::isTracing())
    record_step([&] { to.copy_(from); });
  else
    to.copy_(from);
}

void shim::go_on_tracing() noexcept {
  try {
    go_on();
  } catch (...) {
    tracer::setTracingState(running->state);
  }
}

void shim::note_result(const at::Tensor& result) {
  if (running && running->keeps_results && tracer::isTracing()) keep_result(result);
}

int ts_is_tracing(void) { return tracer::isTracing(); }

int ts_trace_suspend(int suspend) {
  return shim::guarded([&] {
    static thread_local std::vector<std::pair<Trace*, std::shared_ptr<tracer::TracingState>>> suspended;
    if (suspend) {
      suspended.emplace_back(running, tracer::getTracingState());
      running = nullptr;
      tracer::setTracingState(nullptr);
    } else {
      TORCH_CHECK(!suspended.empty(), "no trace is suspended");
      running = suspended.back().first;
      tracer::setTracingState(suspended.back().second);
      suspended.pop_back();
    }
  });
}

int ts_trace_knows(ts_tensor* tensor) {
  if (!tracer::isTracing()) return 0;
  const at::Tensor it = shim::borrow(tensor);
  return it.defined() && tracer::getTracingState()->hasValue(it);
}

int ts_trace(ts_host_fn fn, void* context, const ts_value* inputs, const char* const* names, size_t n, ts_module* self,
             const char* method, ts_callable** out) {
  return shim::guarded([&] {
    std::shared_ptr<Graph> graph;
    {
      Fresh fresh;
      graph = record(fresh, fn, context, inputs, names, n, self);
    }
    // What is called may be gone before the graph is.
    shim::inline_calls(*graph);
    tidy(*graph);
    if (self) {
      auto type = self->module.type();
      const std::string member = shim::method_to_set(self->module, method);
      const auto name = c10::QualifiedName(*type->name(), member);
      auto* function = self->module._ivalue()->compilation_unit()->create_function(name, graph);
      type->addMethod(function);
      *out = new ts_callable(self->module.get_method(member));
    } else {
      auto unit = std::make_shared<torch::jit::CompilationUnit>();
      auto* function = unit->create_function(c10::QualifiedName(method), graph);
      *out = new ts_callable(function, unit);
    }
  });
}

int ts_trace_source(const char* name, const char* text, int first_line, int* id) {
  return shim::guarded([&] {
    TORCH_CHECK(running, "no trace is running");
    *id = static_cast<int>(running->sources.size());
    running->sources.push_back(std::make_shared<torch::jit::Source>(std::string(text), std::string(name), first_line));
  });
}

int ts_trace_place(int source, size_t begin, size_t end) {
  return shim::guarded([&] {
    if (!running) return;
    if (source < 0)
      running->place.reset();
    else
      running->place = torch::jit::SourceRange(running->sources.at(source), begin, end);
  });
}

int ts_trace_size(ts_tensor* tensor, int64_t dim, ts_tensor** out) {
  return shim::guarded([&] {
    const at::Tensor it = shim::borrow(tensor);
    *out = !ts_trace_knows(tensor) ? nullptr : shim::give(dim < 0 ? tracer::getNumelOf(it) : tracer::getSizeOf(it, dim));
  });
}

int ts_callable_interpret(const ts_callable* callable, const ts_value* arguments, size_t n, ts_value* out,
                          ts_arena** arena) {
  return shim::guarded_result(out, arena, [&](ts_value& value, shim::Arena& own) {
    Stack stack;
    shim::push_arguments(*callable, arguments, n, stack);
    interpret(torch::jit::toGraphFunction(*callable->function).graph(), stack);
    shim::from_ivalue(std::move(stack.at(0)), value, own);
  });
}

int ts_callable_is_random(const ts_callable* callable, int* out) {
  return shim::guarded([&] {
    *out = callable->function && is_random(*torch::jit::toGraphFunction(*callable->function).graph());
  });
}

int ts_trace_difference(const ts_callable* callable, ts_host_fn fn, void* context, const ts_value* inputs,
                        const char* const* names, size_t n, ts_module* self, ts_state* state, double rtol, double atol,
                        ts_value* out, ts_arena** arena) {
  return shim::guarded_result(out, arena, [&](ts_value& value, shim::Arena& own) {
    Stack stack;
    if (self) stack.push_back(self->module._ivalue());
    {
      // As they are before the function runs, whatever holds them.
      const at::NoGradGuard no_history;
      for (size_t i = 0; i < n; ++i) stack.push_back(shim::to_natural_ivalue(inputs[i]).deepcopy());
    }
    Fresh fresh(/*keeps_results=*/true);
    const auto graph = record(fresh, fn, context, inputs, names, n, self);
    tracer::setTracingState(nullptr);
    shim::inline_calls(*graph);
    tidy(*graph);
    if (const Node* other = first_other(*torch::jit::toGraphFunction(*callable->function).graph(), *graph))
      return describe(other, value, own);
    // The same operators: what do they give? Each result is copied as it is made, since later ones may change it in place.
    // A result that no output needs has no node in the graph any more.
    std::unordered_set<const Value*> alive;
    for (const Node* node : graph->nodes()) alive.insert(node->outputs().begin(), node->outputs().end());
    auto& kept = fresh.trace().results;
    kept.erase(std::remove_if(kept.begin(), kept.end(), [&](const auto& it) { return alive.count(it.first) == 0; }),
               kept.end());
    while (!graph->outputs().empty()) graph->eraseOutput(0);
    for (const auto& [result, ignored] : kept) {
      torch::jit::WithInsertPoint after(result->node()->next());
      graph->registerOutput(graph->insert(aten::clone, {result}));
    }
    if (state) TORCH_CHECK(ts_state_restore(state) == TS_OK, ts_last_error());
    interpret(graph, stack);
    for (size_t i = 0; i < kept.size(); ++i)
      if (differ(kept[i].second, stack.at(i).toTensor(), rtol, atol)) return describe(kept[i].first->node(), value, own);
  });
}

int ts_trace_warnings(ts_value* out, ts_arena** arena) {
  return shim::guarded_result(out, arena,
                              [](ts_value& value, shim::Arena& own) { value = shim::string_list(warnings, own); });
}

int ts_module_add_choice(ts_module* module, const char* name, const char* when_training, const char* otherwise) {
  return shim::guarded([&] {
    auto type = module->module.type();
    const char* const methods[] = {when_training, otherwise};
    const auto& schema = type->getMethod(when_training).getSchema();
    const c10::TypePtr result = schema.returns().at(0).type();
    TORCH_CHECK(*result == *type->getMethod(otherwise).getSchema().returns().at(0).type(),
                "the two methods have different types");
    auto graph = std::make_shared<Graph>();
    std::vector<Value*> inputs;
    for (const auto& argument : schema.arguments())
      inputs.push_back(graph->addInput(argument.name())->setType(argument.type()));
    Value* training = graph->insertGetAttr(inputs[0], "training");
    Node* choice = graph->insertNode(graph->create(prim::If, {training}, 1));
    for (const char* method : methods) {
      torch::jit::Block* block = choice->addBlock();
      torch::jit::WithInsertPoint inside(block);
      Node* call = graph->insertNode(graph->create(prim::CallMethod, inputs, 1));
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
