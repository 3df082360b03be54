#include "fuse/build.h"

#include "fuse/translator.h"

namespace shim::fuse {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

namespace {

bool is_number_type(const c10::TypePtr& type) {
  return type->kind() == c10::TypeKind::FloatType || type->kind() == c10::TypeKind::IntType ||
         type->kind() == c10::TypeKind::BoolType;
}

// The overloads of `to` that change the dtype; their other arguments do not matter on the CPU.
bool changes_dtype_only(const Node& node) {
  const auto inputs = node.inputs();
  const auto is_none = [&](size_t i) {
    const auto value = torch::jit::toIValue(inputs[i]);
    return value && value->isNone();
  };
  const auto dtype = inputs.size() > 1 ? torch::jit::toIValue(inputs[1]) : c10::nullopt;
  if (!dtype || !dtype->isInt()) return false;
  return inputs.size() == 5 || (inputs.size() == 8 && is_none(2) && is_none(3) && is_none(4));
}

// Whether a list of tensors is made for this node alone.
bool is_list_for(const Value& list, const Node& node) {
  const Node& maker = *list.node();
  return maker.kind() == c10::prim::ListConstruct && list.uses().size() == 1 && maker.owningBlock() == node.owningBlock() &&
         list.type()->isSubtypeOf(*c10::ListType::ofTensors());
}

}  // namespace

bool gives_parts(c10::Symbol op) {
  static const auto& all = *new std::set<std::string>{
      "chunk", "unsafe_chunk", "split", "unsafe_split", "split_with_sizes", "unsafe_split_with_sizes", "tensor_split", "unbind"};
  return op.is_aten() && all.count(op.toUnqualString());
}

bool gives_parts(const Node& node) {
  if (!gives_parts(node.kind())) return false;
  for (size_t i = 1; i < node.inputs().size(); ++i)
    if (!torch::jit::toIValue(node.input(i))) return false;
  return true;
}

bool has_kernel(c10::Symbol op) { return arguments_of(op) > 0 || composite_of(op); }

bool may_be_fusable(const Node& node) {
  return node.kind().is_aten() && node.outputs().size() == 1 &&
         node.output()->type()->kind() == c10::TypeKind::TensorType &&
         has_kernel(node.kind());
}

bool is_fusable(Node* node, bool exact) {
  if (!may_be_fusable(*node)) return false;
  const std::string name = node->kind().toUnqualString();
  const size_t n = arguments_of(node->kind());
  if (name == "to" && !changes_dtype_only(*node)) return false;
  for (size_t i = 0; i < node->inputs().size(); ++i) {
    const Value* input = node->inputs()[i];
    if (input->type()->kind() == c10::TypeKind::TensorType) continue;
    if (torch::jit::toIValue(input)) continue;
    if (i == 0 && gathers(*node) && is_list_for(*input, *node)) continue;
    // The number is known only when the program runs.
    if (n == 0 || i >= n || !is_number_type(input->type())) return false;
    if (name == "pow") return false;
  }
  if (n == 0) return !exact && composite_of(node->kind())->fits(*node);
  std::vector<std::optional<c10::IValue>> constants;
  for (const Value* input : node->inputs()) {
    const auto value = torch::jit::toIValue(input);
    constants.push_back(value ? std::optional<c10::IValue>(*value) : std::nullopt);
  }
  return formula_of(node->kind(), constants) && (!exact || is_exact(node->kind(), constants));
}

bool is_worth_a_kernel(const Node& node) {
  const Composite* composite = composite_of(node.kind());
  // Activations: LibTorch's gradient of a program takes them apart into comparisons and products.
  static const auto& alone = *new std::set<std::string>{"gelu", "mish", "relu", "leaky_relu", "silu", "hardswish"};
  return composite ? composite->is(worth) : node.kind().is_aten() && alone.count(node.kind().toUnqualString());
}

bool stays_inside(const Node& node) {
  const Composite* composite = composite_of(node.kind());
  return node.kind() == c10::aten::to || (composite && composite->is(inside));
}

bool is_step(const Node& node) {
  const Composite* composite = composite_of(node.kind());
  return composite && (composite->is(multiplied) || sums_columns(node));
}

bool asks_for_sizes(const Node& node) {
  const Composite* composite = composite_of(node.kind());
  return composite && composite->sizes > 0;
}

bool gathers(const Node& node) {
  const Composite* composite = composite_of(node.kind());
  return composite && composite->is(gathered);
}

bool chooses(const Node& node) {
  const Composite* composite = composite_of(node.kind());
  return composite && composite->is(choosing);
}

bool reshapes(const Node& node) {
  if (gives_parts(node)) return true;
  const Composite* composite = composite_of(node.kind());
  return composite && composite->is(reshaped);
}

Program forward_program(Graph& graph, const std::vector<Argument>& arguments, const Real& real, bool exact) {
  Builder builder;
  builder.program.exact = exact;
  const Translator translator(builder, graph, arguments, real);
  for (const Value* output : graph.outputs()) {
    const Id id = translator.of(output);
    const Expr& e = builder.at(id);
    const Id made_by = e.kind == Expr::tensor ? builder.program.slots[e.slot].made_by : -1;
    if (made_by >= 0 && builder.at(made_by).kind == Expr::view) throw Unfusable{"a view is a result"};
    if (made_by >= 0) {
      builder.program.results.push_back(e.slot);
      continue;
    }
    if (e.kind != Expr::formula && e.kind != Expr::reduce) throw Unfusable{"an argument is a result"};
    builder.program.results.push_back(builder.slot_for(id, translator.probed(output).sizes().vec()));
  }
  builder.program.products = builder.products();
  builder.schedule();
  return std::move(builder.program);
}

}  // namespace shim::fuse
