// Finds the loops of a graph that can be machine code, and puts them into nodes.
#include "fuse/loop.h"

#include "core/nodes.h"
#include "core/pch.h"

namespace shim::fuse {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

namespace {

// The time that a compiler takes grows more than in proportion to a function's length, so that there is a limit.
constexpr size_t kMostNodes = 1500;

size_t count(const Block& block) {
  size_t n = 0;
  for (const Node* node : block.nodes()) {
    ++n;
    for (const Block* inner : node->blocks()) n += count(*inner);
  }
  return n;
}

// Whether a loop computes with whole tensors: such a loop is left to LibTorch.
bool uses_tensors(const Node& node) {
  const auto is_tensor = [](const Value* value) { return kind_of(*value) == 'T'; };
  if (std::any_of(node.outputs().begin(), node.outputs().end(), is_tensor)) return true;
  for (const Block* block : node.blocks())
    for (const Node* inner : block->nodes())
      if (std::any_of(inner->inputs().begin(), inner->inputs().end(), is_tensor) || uses_tensors(*inner)) return true;
  return false;
}

bool selects(const Block& block) {
  return any_node(block, [](const Node& node) { return node.kind() == c10::aten::select; });
}

// The values from outside that a node uses. LibTorch's own function does not see those that a block only hands out.
Node* put_aside(Node* node, c10::Symbol kind) {
  const auto inside = std::make_shared<Graph>();
  std::vector<Value*> arguments;
  std::unordered_map<Value*, Value*> known;
  Node* copy = inside->createClone(node, [&](Value* value) {
    Value*& it = known[value];
    if (it) return it;
    if (const auto constant = torch::jit::toIValue(value)) return it = inside->insertConstant(*constant);
    if (value->node()->kind() == c10::prim::Uninitialized)
      return it = inside->insertNode(inside->createUninitialized(value->type()))->output();
    arguments.push_back(value);
    return it = inside->addInput()->setType(value->type());
  });
  inside->insertNode(copy);
  Node* made = node->owningGraph()->create(kind, arguments, node->outputs().size());
  made->g_(c10::attr::Subgraph, inside);
  made->insertBefore(node);
  made->setSourceRange(node->sourceRange());
  for (size_t i = 0; i < node->outputs().size(); ++i) {
    inside->registerOutput(copy->output(i));
    made->output(i)->copyMetadata(node->output(i));
  }
  node->replaceAllUsesWith(made);
  node->destroy();
  return made;
}

void look_at(Block* block, const std::shared_ptr<Graph>& graph, const std::string& function) {
  for (auto it = block->nodes().begin(); it != block->nodes().end();) {
    Node* node = *it++;
    const Abilities it_has = node->kind() == c10::prim::Loop ? abilities_of(*node) : Abilities();
    if (!it_has.computes || (uses_tensors(*node) && !selects(*node->blocks()[0])) || count(*node->blocks()[0]) > kMostNodes) {
      for (Block* inner : node->blocks()) look_at(inner, graph, function);
      continue;
    }
    Node* made = put_aside(node, it_has.has_effects ? fused_with_effects() : fused());
    settle(made, graph, [&](std::string name) {
      return std::make_shared<Loop>(made->g(c10::attr::Subgraph), std::move(name), function, mode() == Mode::exact);
    });
  }
}

}  // namespace

void form_loops(const std::shared_ptr<Graph>& graph, const std::string& function) {
  look_at(graph->block(), graph, function);
}

}  // namespace shim::fuse
