#include "guard/arguments.h"

#include <unordered_map>
#include <unordered_set>

#include "guard/codes.h"
#include "guard/operators.h"

namespace shim {
namespace {

using c10::IValue;

// --- what single operators trust ---------------------------------------------------------------------------------------

// The arguments that a row of the table below names, in its order.
using Values = std::vector<const IValue*>;

// `g` must hold a norm for each slice of `v` along `dim`; with `dim` -1, one norm for all of it.
void look_at_weight_norm(const Values& it) {
  const at::Tensor v = it[0]->toTensor(), g = it[1]->toTensor();
  const int64_t dim = it[2]->toInt();
  TORCH_CHECK(v.numel() > 0, "`v` holds no values");
  if (dim == -1) return;
  TORCH_CHECK(dim >= 0 && dim < v.dim(), "`dim` is ", dim, ", but `v` has ", v.dim(), " dimensions");
  TORCH_CHECK(g.numel() == v.size(dim), "`g` must hold a number for each of the ", v.size(dim), " slices of `v`, not ",
              g.numel());
}

// The hidden state and the cell state must have the same number of layers.
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

// `batch_sizes` tells how many sequences there are at each step.
void look_at_batches(const Values& it) {
  const at::Tensor sizes = it[0]->toTensor();
  TORCH_CHECK(sizes.dim() == 1 && sizes.numel() > 0, "`batch_sizes` must hold a size for each step");
}

// The weights must have the shapes that belong to these sizes of inputs and hidden states: oneDNN reads as much of them
// as the sizes tell.
void look_at_lstm_weights(at::TensorList weights, int64_t inputs, int64_t hidden, int64_t layer) {
  const auto expect = [&](const at::Tensor& weight, std::vector<int64_t> shape, const char* name) {
    TORCH_CHECK(weight.sizes() == at::IntArrayRef(shape), "The ", name, " of layer ", layer, " must have the shape ",
                at::IntArrayRef(shape), ", not ", weight.sizes());
  };
  expect(weights[0], {4 * hidden, inputs}, "input weight");
  expect(weights[1], {4 * hidden, hidden}, "hidden weight");
  for (const at::Tensor& bias : weights.slice(2)) expect(bias, {4 * hidden}, "bias");
}

// Gets `input` or `data`, `hx`, `params`, `has_biases`, `num_layers` and `bidirectional`.
void look_at_lstm(const Values& it) {
  const at::Tensor input = it[0]->toTensor();
  const auto states = it[1]->toTensorVector(), params = it[2]->toTensorVector();
  // LibTorch checks states of other shapes itself, and an LSTM with a projection does not use oneDNN.
  if (states.size() != 2 || input.dim() < 1 || states[0].dim() != 3 || states[1].dim() != 3 || states[0].size(2) != states[1].size(2))
    return;
  const int64_t directions = it[5]->toBool() ? 2 : 1, hidden = states[0].size(2);
  const size_t each = it[3]->toBool() ? 4 : 2;
  if (static_cast<int64_t>(params.size()) != it[4]->toInt() * directions * static_cast<int64_t>(each)) return;
  for (size_t i = 0; i < params.size(); i += each) {
    const int64_t layer = static_cast<int64_t>(i / each) / directions;
    look_at_lstm_weights(at::TensorList(params).slice(i, each), layer == 0 ? input.size(-1) : hidden * directions, hidden, layer + 1);
  }
}

// LibTorch keeps the index of a device in one signed byte, and does not look whether it fits.
void look_at_device(const Values& it) {
  const int64_t index = it[0]->toInt();
  TORCH_CHECK(index >= 0 && index < 128, "there is no device with the number ", index);
}

struct Row {
  std::vector<const char*> arguments;
  void (*look)(const Values&);
};

// A row holds for the overloads that have all of its arguments.
const std::unordered_multimap<std::string, Row>& rows() {
  static const auto& all = *new std::unordered_multimap<std::string, Row>{
      {"aten::_weight_norm", {{"v", "g", "dim"}, look_at_weight_norm}},
      {"aten::_weight_norm_interface", {{"v", "g", "dim"}, look_at_weight_norm}},
      {"aten::quantized_gru", {{"batch_sizes"}, look_at_batches}},
      {"aten::quantized_lstm", {{"batch_sizes"}, look_at_batches}},
      {"aten::quantized_lstm", {{"hx"}, look_at_states}},
      {"aten::quantized_lstm_cell", {{"hx"}, look_at_states}},
      {"quantized::quantized_lstm_cell_dynamic", {{"hx"}, look_at_states}},
      {"aten::lstm", {{"input", "hx", "params", "has_biases", "num_layers", "bidirectional"}, look_at_lstm}},
      {"aten::lstm", {{"data", "hx", "params", "has_biases", "num_layers", "bidirectional"}, look_at_lstm}},
      {"aten::device", {{"index"}, look_at_device}},
      {"prim::ReductionSizes", {{"size", "red_axes"}, look_at_axes}},
  };
  return all;
}

struct Placed {
  std::vector<size_t> places;
  void (*look)(const Values&);
};

std::vector<Placed> placed(const c10::FunctionSchema& schema) {
  std::vector<Placed> all;
  const auto found = rows().equal_range(schema.name());
  for (auto row = found.first; row != found.second; ++row) {
    Placed one{{}, row->second.look};
    for (const char* name : row->second.arguments)
      if (const auto place = schema.argumentIndexWithName(name)) one.places.push_back(static_cast<size_t>(*place));
    if (one.places.size() == row->second.arguments.size()) all.push_back(std::move(one));
  }
  return all;
}

}  // namespace

// --- all operators -----------------------------------------------------------------------------------------------------

Look look_of(const c10::FunctionSchema& schema) {
  Codes codes(schema);
  auto looks = placed(schema);
  if (codes.empty() && looks.empty()) return nullptr;
  return [codes = std::move(codes), looks = std::move(looks),
          n = schema.arguments().size()](const torch::jit::Stack& stack) {
    codes.check(stack);
    for (const auto& it : looks) {
      Values values;
      for (const size_t place : it.places) values.push_back(&stack[stack.size() - n + place]);
      it.look(values);
    }
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
