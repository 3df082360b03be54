// Graphs of functions, and the plans that the executor makes of them.
#include "core/callable.h"
#include "jit/inline.h"
#include "jit/poll.h"

#include <torch/csrc/jit/runtime/graph_executor.h>

#include <optional>
#include <sstream>

using shim::Arena;
using shim::guarded;
using shim::guarded_result;
using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

// A graph with the owner of its function: constants of a plan point into the function's executor, which lives as long
// as the function.
struct ts_graph {
  std::shared_ptr<Graph> graph;
  std::shared_ptr<torch::jit::CompilationUnit> unit;
  std::optional<c10::IValue> self;
};

namespace {

void find_nodes(Block* block, torch::jit::NodeKind kind, std::vector<Node*>& found) {
  for (auto* node : block->nodes()) {
    if (node->kind() == kind) found.push_back(node);
    for (auto* inner : node->blocks()) find_nodes(inner, kind, found);
  }
}

// A copy of the plan that the executor made last. Differentiable parts have executors of their own: in their places
// stand their own plans.
std::shared_ptr<Graph> plan_of(torch::jit::GraphFunction& function) {
  auto& executor = function.get_executor();
  if (!executor.isOptimized()) {
    const auto last = torch::jit::lastExecutedOptimizedGraph();
    TORCH_CHECK(last, "no function has run yet");
    return last->copy();
  }
  auto state = executor.getDebugState();
  auto& plan = state.execution_plans.begin()->second;
  auto graph = plan.graph->copy();
  std::vector<Node*> parts;
  find_nodes(graph->block(), c10::prim::DifferentiableGraph, parts);
  const auto& executors = plan.code.diff_graph_op_executors();
  for (size_t i = 0; i < parts.size() && parts.size() == executors.size(); ++i) {
    if (!executors[i]->isOptimized()) continue;
    auto part = executors[i]->getDebugState();
    parts[i]->g_(c10::attr::Subgraph, part.execution_plans.begin()->second.graph->copy());
  }
  return graph;
}

template <class T>
std::string text_of(const T& it) {
  std::ostringstream text;
  text << it;
  return text.str();
}

c10::IValue attribute(const Node& node, c10::Symbol name) {
  using torch::jit::AttributeKind;
  switch (node.kindOf(name)) {
    case AttributeKind::f: return node.f(name);
    case AttributeKind::fs: return node.fs(name);
    case AttributeKind::c: return node.c(name);
    case AttributeKind::i: return node.i(name);
    case AttributeKind::is: return node.is(name);
    case AttributeKind::s: return node.s(name);
    case AttributeKind::ss: return node.ss(name);
    case AttributeKind::t: return node.t(name);
    case AttributeKind::ts: return node.ts(name);
    case AttributeKind::ival: return node.ival(name);
    case AttributeKind::ty: return text_of(*node.ty(name));
    case AttributeKind::tys: {
      std::vector<std::string> types;
      for (const auto& type : node.tys(name)) types.push_back(text_of(*type));
      return types;
    }
    default: return std::string(torch::jit::toString(node.kindOf(name)));
  }
}

// A table of nodes, stored by column.
class NodeTable {
 public:
  explicit NodeTable(Arena& own) : own_(own) {}

  void add_block(const Block* block, int64_t parent, int64_t index) {
    add(*block->param_node(), parent, index);
    for (const auto* node : block->nodes()) {
      if (shim::is_poll(*node)) continue;
      const int64_t row = add(*node, parent, index);
      int64_t inner = 0;
      for (const auto* held : node->blocks()) add_block(held, row, ++inner);
      if (node->hasAttribute(c10::attr::Subgraph)) add_block(node->g(c10::attr::Subgraph)->block(), row, ++inner);
    }
    add(*block->return_node(), parent, index);
  }

  ts_value table() {
    ts_value out{};
    out.tag = TS_DICT;
    out.len = n_columns;
    out.as.items = own_.get().new_items(2 * n_columns);
    for (int i = 0; i < n_columns; ++i) {
      out.as.items[2 * i] = shim::string_value(names[i], own_);
      out.as.items[2 * i + 1] = list(columns_[i]);
    }
    return out;
  }

 private:
  static constexpr int n_columns = 11;
  static constexpr const char* names[n_columns] = {"kind", "inputs", "outputs", "types",  "attributes", "file",
                                                   "line", "source", "scope",   "parent", "block"};

  int64_t add(const Node& node, int64_t parent, int64_t index) {
    std::vector<ts_value> inputs, outputs, types;
    for (const auto* value : node.inputs()) inputs.push_back(text(value->debugName()));
    for (const auto* value : node.outputs()) {
      outputs.push_back(text(value->debugName()));
      types.push_back(text(text_of(*value->type())));
    }
    ts_value attributes{};
    const auto named = node.attributeNames();
    attributes.tag = TS_DICT;
    attributes.len = static_cast<int64_t>(named.size());
    attributes.as.items = own_.get().new_items(2 * named.size());
    for (size_t i = 0; i < named.size(); ++i) {
      attributes.as.items[2 * i] = text(named[i].toUnqualString());
      shim::from_ivalue(attribute(node, named[i]), attributes.as.items[2 * i + 1], own_);
    }
    auto range = node.sourceRange();
    // A loaded program has two places for a node: where its author wrote it, and where it stands in the file's code.
    // Users are told the former.
    if (const auto original = range.findSourceRangeThatGenerated()) range = *original;
    const auto place = range.file_line_col();
    const ts_value row[n_columns] = {
        text(node.kind().toQualString()),
        list(inputs),
        list(outputs),
        list(types),
        attributes,
        text(place ? std::get<0>(*place) : ""),
        number(place ? static_cast<int64_t>(std::get<1>(*place)) : 0),
        text(range.source() ? range.text().str() : ""),
        text(node.scopeName()),
        number(parent),
        number(index)};
    for (int i = 0; i < n_columns; ++i) columns_[i].push_back(row[i]);
    return static_cast<int64_t>(columns_[0].size());
  }

  ts_value text(std::string it) { return shim::string_value(std::move(it), own_); }
  static ts_value number(int64_t it) {
    ts_value value{};
    value.tag = TS_INT;
    value.as.i = it;
    return value;
  }
  ts_value list(const std::vector<ts_value>& items) {
    ts_value value{};
    value.tag = TS_LIST;
    value.len = static_cast<int64_t>(items.size());
    value.as.items = own_.get().new_items(items.size());
    std::copy(items.begin(), items.end(), value.as.items);
    return value;
  }

  Arena& own_;
  std::vector<ts_value> columns_[n_columns];
};

torch::jit::GraphFunction& graph_function(const ts_callable* callable) {
  TORCH_CHECK(callable->function, "an operator has no graph");
  return torch::jit::toGraphFunction(*callable->function);
}

}  // namespace

int ts_callable_graph(const ts_callable* callable, int stage, ts_graph** out) {
  return guarded([&] {
    auto& function = graph_function(callable);
    auto graph = stage == TS_GRAPH_PLAN ? plan_of(function) : function.graph();
    if (stage == TS_GRAPH_INLINED) {
      graph = graph->copy();
      shim::inline_calls(*graph);
    }
    *out = new ts_graph{std::move(graph), callable->unit, callable->self};
  });
}

void ts_graph_release(ts_graph* graph) { delete graph; }

int ts_graph_text(const ts_graph* graph, ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena,
                        [&](ts_value& value, Arena& own) { value = shim::string_value(shim::text_without_polls(*graph->graph), own); });
}

int ts_graph_nodes(const ts_graph* graph, ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, Arena& own) {
    NodeTable nodes(own);
    nodes.add_block(graph->graph->block(), 0, 1);
    value = nodes.table();
  });
}

int ts_callable_code(const ts_callable* callable, ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, Arena& own) {
    auto& function = graph_function(callable);
    std::vector<at::IValue> constants;
    torch::jit::PrintDepsTable classes;
    torch::jit::PythonPrint printer(constants, classes);
    callable->self || callable->makes ? printer.printMethod(function) : printer.printFunction(function);
    value = shim::string_value(printer.str(), own);
  });
}
