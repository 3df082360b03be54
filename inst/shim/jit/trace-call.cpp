// Calls of operators and functions while a trace runs.
#include "jit/trace.h"

#include "jit/interpret.h"
#include "jit/tracing.h"

#include <torch/csrc/jit/frontend/schema_matching.h>
#include <torch/csrc/jit/ir/ir.h>

#include <algorithm>

namespace shim {
namespace {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Stack;
using torch::jit::Value;
namespace prim = c10::prim;
namespace tracer = torch::jit::tracer;

// Puts sizes into the tracer's stash for one call. LibTorch's kernels for traces take their arguments from there.
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
  // The stash is private to LibTorch. A node that is thrown away takes what no kernel has taken.
  ~StashedSizes() {
    if (numbers_.empty() && lists_.empty()) return;
    Node* sink = tracer::getTracingState()->graph->create(prim::ListConstruct, 0);
    for (const auto& name : numbers_) tracer::addInputs(sink, name.c_str(), int64_t{0});
    for (const auto& [name, length] : lists_)
      tracer::addInputs(sink, name.c_str(), c10::IntArrayRef(std::vector<int64_t>(length)));
    sink->destroy();
  }

 private:
  static at::Tensor traced(const ts_value& size) { return borrow(size.as.size.traced); }
  std::vector<std::string> numbers_;
  std::vector<std::pair<std::string, int64_t>> lists_;
};

// Whether the tracer can know a value: tensors, and lists, tuples and dicts of tensors.
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

// Inserts a call of a TorchScript function or method into the graph. The operators of its optimised plan can't be
// recorded, as only the executor knows some of them. False if the trace does not know the object whose method it is.
bool insert_call(const ts_callable& callable, Stack& stack) {
  const auto& state = tracer::getTracingState();
  if (callable.self && !state->hasValue(*callable.self)) return false;
  Graph& graph = *state->graph;
  std::vector<torch::jit::NamedValue> inputs;
  for (const auto& value : stack) inputs.emplace_back(tracer::getValueTrace(value));
  const torch::jit::SourceRange range = running_trace && running_trace->place ? *running_trace->place : torch::jit::SourceRange();
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

// Replaces logicals by numbers where an operator takes a number: a graph has no logical there. A whole number gives the
// same result unless all else is logical. Then the result is logical too, and the overload that takes a tensor in place
// of the number makes it one. Returns the overload to run.
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
      // The tensor has one dimension: without any it would become a number again when the program is optimised.
      stack[i] = at::full({1}, value, at::kBool);
      return *other;
    }
    stack[i] = static_cast<int64_t>(value);
    // Functions that make tensors take their dtype from `fill_value`.
    const auto dtype = op.schema().argumentIndexWithName("dtype");
    if (arguments[i].name() == "fill_value" && dtype && stack[*dtype].isNone() && arguments[0].type()->kind() != c10::TypeKind::TensorType)
      stack[*dtype] = static_cast<int64_t>(at::kBool);
  }
  return op;
}

// The overload to record for fill() and zero(): of those that are not in place the tracer makes broken nodes.
c10::OperatorHandle traceable(c10::OperatorHandle op, Stack& stack) {
  const auto& name = op.schema().name();
  if ((name != "aten::fill" && name != "aten::zero") || op.schema().overload_name() == "out") return op;
  const auto in_place = c10::Dispatcher::singleton().findSchema({name + "_", op.schema().overload_name()});
  if (!in_place || op.schema().arguments().size() != in_place->schema().arguments().size()) return op;
  stack[0] = stack[0].toTensor().clone();
  return *in_place;
}

}  // namespace

void keep_result(const c10::IValue& result) {
  if (!result.isTensor() || !result.toTensor().defined() || !tracer::getTracingState()->hasValue(result)) return;
  at::tracer::impl::NoTracerDispatchMode unseen;
  running_trace->results.emplace_back(tracer::getValueTrace(result), result.toTensor().detach().clone());
}

void run_traced(const ts_callable& callable, const ts_value* arguments, size_t n, Stack& stack) {
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
    // Each operator of the function is a step: if one fails, those before it stay recorded.
    if (!done) interpret(torch::jit::toGraphFunction(*callable.function).graph(), stack);
  }
  if (running_trace && running_trace->keeps_results) std::for_each(stack.begin(), stack.end(), keep_result);
}

void record_copy(at::Tensor& to, const at::Tensor& from) {
  if (tracer::isTracing())
    record_step([&] { to.copy_(from); });
  else
    to.copy_(from);
}

void note_result(const at::Tensor& result) {
  if (running_trace && running_trace->keeps_results && tracer::isTracing()) keep_result(result);
}

}  // namespace shim
