// Tracing: the host runs its function on LibTorch's values, and LibTorch records the operators.
#include "jit/trace.h"

#include "jit/inline.h"
#include "jit/names.h"
#include "jit/tracing.h"

#include <ATen/autocast_mode.h>
#include <torch/csrc/jit/ir/ir.h>

#include <utility>

namespace shim {

thread_local Trace* running_trace = nullptr;

namespace {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Stack;
using torch::jit::Value;
namespace aten = c10::aten;
namespace prim = c10::prim;
namespace tracer = torch::jit::tracer;

// The warnings of LibTorch's tracer in the last trace of this thread.
thread_local std::vector<std::string> warnings;

// LibTorch calls this for each node that it makes.
void place_node(Node* node) {
  if (!running_trace) return;
  if (running_trace->place) node->setSourceRange(*running_trace->place);
  if (!node->next()) running_trace->made = node;
}

// The node after which the next one is put.
Node* last_node(Graph& graph) { return graph.insertPoint()->prev(); }

// Puts the running trace into order after an operator has failed. LibTorch's kernels for traces make a node, give it its
// inputs, put it into the graph, switch tracing off on this thread and run the operator. A failure leaves either a node
// outside of the graph, or a node without results in it and a trace that records nothing any more.
void go_on() {
  if (!running_trace || !running_trace->state) return;
  Node* made = std::exchange(running_trace->made, nullptr);
  if (made && !made->next()) made->destroy();
  if (tracer::isTracing()) return;
  Node* last = last_node(*running_trace->state->graph);
  if (last->outputs().empty()) last->destroy();
  tracer::setTracingState(running_trace->state);
}

// Whether a node has a place. LibTorch gives some nodes a place in a source without a name.
bool has_place(const Node* node) {
  const auto source = node->sourceRange().source();
  return source && source->filename();
}

// Whether a node only reads a size or an attribute and nothing uses that.
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

// Removes dead nodes, and gives a place to each node without one.
void tidy(Graph& graph) {
  // The loop begins at the end, so that the users of a node are seen before it.
  torch::jit::SourceRange next;
  for (auto it = graph.nodes().rbegin(); it != graph.nodes().rend();) {
    Node* node = *it++;
    if (node->kind() == aten::Int && node->input()->node()->kind() == prim::NumToTensor)
      node->output()->replaceAllUsesWith(node->input()->node()->input());
    if (is_dead(node)) {
      node->destroy();
      continue;
    }
    // A node that LibTorch has left without a place takes that of a node that uses it.
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

// Gives tuples of the result the names of their fields, which the tracer drops.
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

}  // namespace

// An autocast region keeps its casts of weights, and a graph would hold those as constants. So nothing is kept while a
// trace runs.
Fresh::Fresh(bool keeps_results)
    : trace_{running_trace, nullptr, nullptr, {}, {}, keeps_results, {}}, cache_(at::autocast::is_autocast_cache_enabled()) {
  running_trace = &trace_;
  tracer::setRecordSourceLocation(place_node);
  tracer::setWarn([](const std::string& message) { warnings.push_back(message); });
  warnings.clear();
  at::autocast::set_autocast_cache_enabled(false);
}

Fresh::~Fresh() {
  running_trace = trace_.outer;
  at::autocast::set_autocast_cache_enabled(cache_);
}

Paused::Paused() : trace_(running_trace), state_(tracer::getTracingState()) {
  if (trace_) trace_->state.reset();
  tracer::setTracingState(nullptr);
}

Paused::~Paused() {
  if (trace_) trace_->state = state_;
  tracer::setTracingState(state_);
}

// Constants stay in the graph after a failure: the trace has noted which tensors they are.
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

std::shared_ptr<Graph> record(Fresh&, const Traced& traced) {
  Stack stack;
  for (size_t i = 0; i < traced.n; ++i) stack.push_back(to_natural_ivalue(traced.inputs[i]));
  std::vector<std::string> argument_names(traced.names, traced.names + traced.n);
  c10::IValue output;
  auto run = [&](Stack arguments) -> Stack {
    running_trace->state = tracer::getTracingState();
    Arena arena;
    std::vector<ts_value> values(arguments.size());
    for (size_t i = 0; i < arguments.size(); ++i) from_ivalue(std::move(arguments[i]), values[i], arena);
    // The host takes over the handles that it wraps. The others are released with the list, which owns them.
    ts_value* owned = arena.get().new_items(values.size());
    std::copy(values.begin(), values.end(), owned);
    std::unique_ptr<ts_arena> keep(arena.release());
    ts_value result{};
    if (traced.fn(traced.context, owned, arguments.size(), &result) != TS_OK) throw HostJump();
    TORCH_CHECK(tracer::isTracing(), "the trace was left suspended");
    output = to_natural_ivalue(result);
    // A tensor that does not come from the inputs is a constant of the graph.
    output.visit([](const c10::IValue& part) {
      if (part.isTensor() && part.toTensor().defined()) tracer::getValueTrace(part);
      return false;
    });
    return {output};
  };
  auto no_names = [](const at::Tensor&) { return std::string(); };
  // Not strict: LibTorch would warn about lists and dicts that are returned.
  const auto made = tracer::trace(std::move(stack), run, no_names, /*strict=*/false, /*force_outplace=*/false,
                              traced.self ? &traced.self->module : nullptr, argument_names);
  const auto& graph = made.first->graph;
  if (graph->outputs().size() == 1) restore_names(graph->outputs()[0], output);
  // The functions that it calls may be gone before the graph is.
  inline_calls(*graph);
  tidy(*graph);
  return graph;
}

void go_on_tracing() noexcept {
  try {
    go_on();
  } catch (...) {
    tracer::setTracingState(running_trace->state);
  }
}

}  // namespace shim

namespace tracer = torch::jit::tracer;
using shim::running_trace;

int ts_is_tracing(void) { return tracer::isTracing(); }

int ts_trace_suspend(int suspend) {
  return shim::guarded([&] {
    static thread_local std::vector<std::pair<shim::Trace*, std::shared_ptr<tracer::TracingState>>> suspended;
    if (suspend) {
      suspended.emplace_back(running_trace, tracer::getTracingState());
      running_trace = nullptr;
      tracer::setTracingState(nullptr);
    } else {
      TORCH_CHECK(!suspended.empty(), "no trace is suspended");
      running_trace = suspended.back().first;
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
    std::shared_ptr<torch::jit::Graph> graph;
    {
      shim::Fresh fresh;
      graph = shim::record(fresh, {fn, context, inputs, names, n, self});
    }
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
    TORCH_CHECK(running_trace, "no trace is running");
    *id = static_cast<int>(running_trace->sources.size());
    running_trace->sources.push_back(std::make_shared<torch::jit::Source>(std::string(text), std::string(name), first_line));
  });
}

int ts_trace_place(int source, size_t begin, size_t end) {
  return shim::guarded([&] {
    if (!running_trace) return;
    if (source < 0)
      running_trace->place.reset();
    else
      running_trace->place = torch::jit::SourceRange(running_trace->sources.at(source), begin, end);
  });
}

int ts_trace_size(ts_tensor* tensor, int64_t dim, ts_tensor** out) {
  return shim::guarded([&] {
    const at::Tensor it = shim::borrow(tensor);
    *out = !ts_trace_knows(tensor) ? nullptr : shim::give(dim < 0 ? tracer::getNumelOf(it) : tracer::getSizeOf(it, dim));
  });
}

int ts_trace_warnings(ts_value* out, ts_arena** arena) {
  return shim::guarded_result(out, arena,
                              [](ts_value& value, shim::Arena& own) { value = shim::string_list(shim::warnings, own); });
}
