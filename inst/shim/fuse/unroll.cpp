// Unrolls loops of a few operators on whole tensors, so that several turns are one group: its kernel reads and writes
// memory once for all of them.
#include "fuse/build.h"
#include "fuse/formulas.h"
#include "fuse/loop.h"

namespace shim::fuse {
namespace {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

// How many turns become one at most, and how many operators such a turn has at most.
constexpr size_t kMostTurns = 8, kMostUnrolled = 32;

bool is_true(const Value* value) {
  const auto known = torch::jit::toIValue(value);
  return known && known->isBool() && known->toBool();
}

// How many turns of a loop become one. 1 unless the loop has nothing but operators that compute element by element, and a
// number of turns that is known before.
size_t turns_of(const Node& loop, bool exact) {
  const Block& body = *loop.blocks()[0];
  if (!is_true(loop.input(1)) || !is_true(body.outputs()[0]) || loop.outputs().empty()) return 1;
  for (const Value* result : loop.outputs())
    if (result->type()->kind() != c10::TypeKind::TensorType) return 1;
  size_t operators = 0;
  for (const Node* node : body.nodes()) {
    if (node->kind() == c10::prim::Constant) continue;
    if (arguments_of(node->kind()) == 0 || node->isNondeterministic() || !is_fusable(const_cast<Node*>(node), exact))
      return 1;
    ++operators;
  }
  return operators == 0 ? 1 : std::min(kMostTurns, kMostUnrolled / operators);
}

Value* whole(Graph& graph, const char* op, Value* a, Value* b) {
  Node* node = graph.insertNode(graph.create(c10::Symbol::aten(op), {a, b}));
  node->output()->setType(c10::IntType::get());
  return node->output();
}

// Puts a loop before `loop` that takes `n` turns at a time; `loop` takes the turns that are left.
void unroll(Node* loop, int64_t n) {
  Graph& graph = *loop->owningGraph();
  Block& body = *loop->blocks()[0];
  const torch::jit::WithInsertPoint before(loop);
  Value* const turns = graph.insertConstant(n);
  Value* const rounds = whole(graph, "__round_to_zero_floordiv", loop->input(0), turns);
  Value* const done = whole(graph, "mul", rounds, turns);
  std::vector<Value*> inputs = loop->inputs().vec();
  inputs[0] = rounds;
  Node* const fast = graph.insertNode(graph.create(c10::prim::Loop, inputs, loop->outputs().size()));
  fast->setSourceRange(loop->sourceRange());
  Block* const block = fast->addBlock();
  std::unordered_map<const Value*, Value*> now;  // what the values of the body are in this turn
  const auto of = [&](Value* value) {
    const auto found = now.find(value);
    return found == now.end() ? value : found->second;
  };
  Value* const round = block->addInput()->setType(c10::IntType::get());
  for (Value* state : body.inputs().slice(1)) now[state] = block->addInput()->copyMetadata(state);
  const torch::jit::WithInsertPoint inside(block);
  const bool counts = body.inputs()[0]->hasUses();
  Value* const first = counts ? whole(graph, "mul", round, turns) : nullptr;
  for (int64_t turn = 0; turn < n; ++turn) {
    if (counts) now[body.inputs()[0]] = whole(graph, "add", first, graph.insertConstant(turn));
    for (Node* node : body.nodes()) {
      Node* copy = graph.insertNode(graph.createClone(node, of));
      for (size_t i = 0; i < node->outputs().size(); ++i) now[node->outputs()[i]] = copy->outputs()[i];
    }
    std::vector<Value*> next;
    for (Value* result : body.outputs().slice(1)) next.push_back(of(result));
    for (size_t i = 1; i < body.inputs().size(); ++i) now[body.inputs()[i]] = next[i - 1];
  }
  block->registerOutput(loop->input(1));
  for (size_t i = 1; i < body.inputs().size(); ++i) block->registerOutput(now[body.inputs()[i]]);
  for (size_t i = 0; i < loop->outputs().size(); ++i) {
    fast->output(i)->setType(loop->output(i)->type());
    loop->replaceInput(2 + i, fast->output(i));
  }
  if (counts) {
    const torch::jit::WithInsertPoint start(*body.nodes().begin());
    Value* const index = whole(graph, "add", body.inputs()[0], done);
    body.inputs()[0]->replaceAllUsesWith(index);
    index->node()->replaceInput(0, body.inputs()[0]);
  }
  const torch::jit::WithInsertPoint between(loop);
  loop->replaceInput(0, whole(graph, "sub", loop->input(0), done));
}

void look_at(Block* block, bool exact) {
  for (auto it = block->nodes().begin(); it != block->nodes().end();) {
    Node* node = *it++;
    const size_t turns = node->kind() == c10::prim::Loop ? turns_of(*node, exact) : 1;
    if (turns > 1) unroll(node, static_cast<int64_t>(turns));
    for (Block* inner : node->blocks()) look_at(inner, exact);
  }
}

}  // namespace

void unroll_loops(torch::jit::Graph& graph, bool exact) { look_at(graph.block(), exact); }

}  // namespace shim::fuse
