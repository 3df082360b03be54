// Compares a trace with another one of the same function.
#include "core/callable.h"
#include "jit/interpret.h"
#include "jit/tracing.h"

#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;
namespace aten = c10::aten;
namespace prim = c10::prim;
namespace tracer = torch::jit::tracer;

// Whether two results differ by more than the tolerances.
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

// The first node of `b` that differs from the one in its place in `a`: in its operator, constant or operands. NULL: none.
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

}  // namespace

int ts_trace_difference(const ts_callable* callable, ts_host_fn fn, void* context, const ts_value* inputs,
                        const char* const* names, size_t n, ts_module* self, ts_state* state, double rtol, double atol,
                        ts_value* out, ts_arena** arena) {
  return shim::guarded_result(out, arena, [&](ts_value& value, shim::Arena& own) {
    torch::jit::Stack stack;
    if (self) stack.push_back(self->module._ivalue());
    {
      // Copies of the inputs as they are before the function runs, which may change them.
      const at::NoGradGuard no_history;
      for (size_t i = 0; i < n; ++i) stack.push_back(shim::to_natural_ivalue(inputs[i]).deepcopy());
    }
    shim::Fresh fresh(/*keeps_results=*/true);
    const auto graph = shim::record(fresh, {fn, context, inputs, names, n, self});
    tracer::setTracingState(nullptr);
    if (const Node* other = first_other(*torch::jit::toGraphFunction(*callable->function).graph(), *graph))
      return describe(other, value, own);
    // The operators are the same, so their results are compared. The graph gives a copy of each, since a later operator
    // may change a result in place. A result that no output needs has no node in the graph any more.
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
    shim::interpret(graph, stack);
    for (size_t i = 0; i < kept.size(); ++i)
      if (differ(kept[i].second, stack.at(i).toTensor(), rtol, atol)) return describe(kept[i].first->node(), value, own);
  });
}
