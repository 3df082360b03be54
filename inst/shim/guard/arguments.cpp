#include "guard/arguments.h"

#include <unordered_map>
#include <unordered_set>

#include "guard/codes.h"
#include "guard/operators.h"

namespace shim {
namespace {

using c10::IValue;

// --- what single operators trust ---------------------------------------------------------------------------------------

// Of the arguments that a row of the table below names.
using Values = std::vector<const IValue*>;

// A norm for each slice of `v`; dimension -1 stands for all of it.
void look_at_weight_norm(const Values& it) {
  const at::Tensor v = it[0]->toTensor(), g = it[1]->toTensor();
  const int64_t dim = it[2]->toInt();
  TORCH_CHECK(v.numel() > 0, "`v` holds no values");
  if (dim == -1) return;
  TORCH_CHECK(dim >= 0 && dim < v.dim(), "`dim` is ", dim, ", but `v` has ", v.dim(), " dimensions");
  TORCH_CHECK(g.numel() == v.size(dim), "`g` must hold a number for each of the ", v.size(dim), " slices of `v`, not ",
              g.numel());
}

// The hidden and the cell state, of as many layers.
void look_at_states(const Values& it) {
  const auto states = it[0]->toTensorVector();
  TORCH_CHECK(states.size() == 2, "`hx` must hold two tensors, not ", states.size());
  TORCH_CHECK(states[0].dim() == states[1].dim() && (states[0].dim() == 0 || states[0].size(0) == states[1].size(0)),
              "the two tensors of `hx` must have the same number of layers");
}

void look_at_axes(const Values& it) {
  const auto size = static_cast<int64_t>(it[0]->toIntVector().size());
  for (const int64_t axis : it[1]->toIntVector())
    TORCH_CHECK(axis >= -size && axis < size, "there is no dimension ", axis, " among ", size);
}

struct Row {
  std::vector<const char*> arguments;
  void (*look)(const Values&);
};

const std::unordered_map<std::string, Row>& rows() {
  static const auto& all = *new std::unordered_map<std::string, Row>{
      {"aten::_weight_norm", {{"v", "g", "dim"}, look_at_weight_norm}},
      {"aten::_weight_norm_interface", {{"v", "g", "dim"}, look_at_weight_norm}},
      {"aten::quantized_lstm", {{"hx"}, look_at_states}},
      {"aten::quantized_lstm_cell", {{"hx"}, look_at_states}},
      {"quantized::quantized_lstm_cell_dynamic", {{"hx"}, look_at_states}},
      {"prim::ReductionSizes", {{"size", "red_axes"}, look_at_axes}},
  };
  return all;
}

}  // namespace

// --- all operators -----------------------------------------------------------------------------------------------------

Look look_of(const c10::FunctionSchema& schema) {
  Codes codes(schema);
  const size_t n = schema.arguments().size();
  std::vector<size_t> places;
  const auto row = rows().find(schema.name());
  if (row != rows().end()) {
    for (const char* name : row->second.arguments)
      if (const auto place = schema.argumentIndexWithName(name)) places.push_back(static_cast<size_t>(*place));
    if (places.size() < row->second.arguments.size()) places.clear();
  }
  if (codes.empty() && places.empty()) return nullptr;
  const auto look = places.empty() ? nullptr : row->second.look;
  return [codes = std::move(codes), n, places = std::move(places), look](const torch::jit::Stack& stack) {
    codes.check(stack);
    if (!look) return;
    Values values;
    for (const size_t place : places) values.push_back(&stack[stack.size() - n + place]);
    look(values);
  };
}

void guard_arguments() {
  std::unordered_set<c10::Symbol> names;
  for (const auto& op : torch::jit::getAllOperators())
    if (op->hasOperation() && look_of(op->schema())) names.insert(c10::Symbol::fromQualString(op->schema().name()));
  for (const auto name : names) {
    replace_operator(name, [](const torch::jit::Operator& op) -> torch::jit::Operation {
      auto look = op.hasOperation() ? look_of(op.schema()) : nullptr;
      if (!look) return nullptr;
      return [look = std::move(look), run = op.getOperation()](torch::jit::Stack& stack) mutable {
        look(stack);
        run(stack);
      };
    });
  }
}

}  // namespace shim
