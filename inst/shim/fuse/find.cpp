// Finds the operators of a graph that run together, and puts them into groups.
#include <torch/csrc/jit/ir/alias_analysis.h>
#include <torch/csrc/jit/passes/dead_code_elimination.h>
#include <torch/csrc/jit/passes/utils/subgraph_utils.h>
#include <torch/version.h>

#include "core/nodes.h"
#include "fuse/group.h"
#include "fuse/loop.h"

namespace shim::fuse {
namespace {

using torch::jit::AliasDb;
using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

// The time that a compiler takes grows with the square of a kernel's length, so that longer groups are divided.
constexpr size_t kMostInGroup = 150;

// Forms the groups of a block, from its end. Control flow separates them.
class Finder {
 public:
  Finder(const std::shared_ptr<Graph>& graph, const std::string& function, bool exact, Products products)
      : graph_(graph), function_(function), exact_(exact), products_(products), aliases_(graph) {}

  void look_at(Block* block) {
    for (auto it = block->nodes().rbegin(); it != block->nodes().rend();) {
      Node* node = *it;
      for (Block* inner : node->blocks()) look_at(inner);
      if (shows_memory(*node) || !may_join(node)) {
        ++it;
        continue;
      }
      Node* group = torch::jit::SubgraphUtils::createSingletonSubgraphAndUpdateAliasing(node, fused(), aliases_);
      take_lists(group);
      size_t operators = 1;
      while (operators < kMostInGroup && grow(group, block)) ++operators;
      groups_.push_back(group);
      it = group->reverseIterator();
      ++it;
    }
  }

  void settle() {
    for (Node* group : groups_) {
      size_t operators = 0;
      bool worth = false;
      for (const Node* node : group->g(c10::attr::Subgraph)->nodes()) {
        operators += node->kind().is_aten();
        worth = worth || is_worth_a_kernel(*node);
      }
      bool has_list = false;
      for (const Value* input : group->inputs()) has_list = has_list || input->type()->kind() == c10::TypeKind::ListType;
      if ((operators < 2 && !worth) || has_list) {
        torch::jit::SubgraphUtils::unmergeSubgraph(group);
        continue;
      }
      shim::fuse::settle(group, graph_, [&](std::string name) {
        return std::make_shared<Group>(group->g(c10::attr::Subgraph), std::move(name), function_, exact_);
      });
    }
  }

 private:
  // Its results may share memory with others: they must not leave a group.
  static bool shows_memory(const Node& node) { return node.kind() == c10::prim::ListUnpack || stays_inside(node); }

  // What picks elements of rows for a group is made outside of it: it is looked through before kernels may run.
  static bool is_choice(const Value& value) {
    return std::any_of(value.uses().begin(), value.uses().end(), [](const auto& use) {
      if (use.user->kind() == fused()) return is_choice(*use.user->g(c10::attr::Subgraph)->inputs()[use.offset]);
      return use.offset == 1 && chooses(*use.user);
    });
  }

  static bool is_for_one(const Value& value) { return value.uses().size() == 1; }

  // A list that is made for an operator goes where it goes.
  bool may_join(Node* node) {
    if (node->kind() == c10::prim::ListUnpack) return !exact_ && is_for_one(*node->input()) && gives_parts(*node->input()->node());
    return is_fusable(node, exact_) && (products_ == Products::join || !is_step(*node)) &&
           (!gathers(*node) || aliases_.moveBeforeTopologicallyValid(node->input(0)->node(), node));
  }

  bool take(Node* maker, Node* group) {
    if (!aliases_.moveBeforeTopologicallyValid(maker, group)) return false;
    torch::jit::SubgraphUtils::mergeNodeIntoSubgraphAndUpdateAliasing(maker, group, aliases_);
    return true;
  }

  // Lists must not lead into a group. A group into which one does in the end is dissolved.
  void take_lists(Node* group) {
    for (size_t i = 0; i < group->inputs().size();) {
      Value& input = *group->input(i);
      Node* maker = input.node();
      const bool joins = maker->owningBlock() == group->owningBlock() && is_for_one(input) &&
                         (maker->kind() == c10::prim::ListConstruct || gives_parts(*maker));
      i = joins && input.type()->kind() == c10::TypeKind::ListType && take(maker, group) ? 0 : i + 1;
    }
  }

  bool grow(Node* group, Block* block) {
    std::vector<Node*> makers;
    for (Value* input : group->inputs()) {
      Node* maker = input->node();
      if (maker->owningBlock() == block && may_join(maker) && !is_choice(*input)) makers.push_back(maker);
    }
    std::sort(makers.begin(), makers.end(), [](Node* a, Node* b) { return a->isAfter(b); });
    for (Node* maker : makers) {
      if (shows_memory(*maker)) {
        bool inside = true;
        for (const Value* output : maker->outputs())
          for (const auto& use : output->uses()) inside = inside && use.user == group;
        if (!inside) continue;
      }
      if (!take(maker, group)) continue;
      take_lists(group);
      return true;
    }
    return false;
  }

  std::shared_ptr<Graph> graph_;
  const std::string& function_;
  bool exact_;
  Products products_;
  AliasDb aliases_;
  std::vector<Node*> groups_;
};

// Adds an operator before `node`.
Value* insert_before(Node* node, const char* op, std::initializer_list<Value*> arguments) {
  Graph& graph = *node->owningGraph();
  const torch::jit::WithInsertPoint here(node);
  Node* const made = graph.insertNode(graph.create(c10::Symbol::aten(op), arguments));
  made->setSourceRange(node->sourceRange());
  return made->output();
}

void replace(Node* node, Value* by) {
  by->setType(node->output()->type());
  node->output()->replaceAllUsesWith(by);
  node->destroy();
}

// LibTorch copies the bias of a linear layer into the result before it multiplies. Where a kernel reads the result, it adds it.
void put_bias_into_kernel(Node* node) {
  const auto& uses = node->output()->uses();
  if (node->input(2)->type()->kind() != c10::TypeKind::TensorType || uses.size() != 1 ||
      uses[0].user->owningBlock() != node->owningBlock() || !is_fusable(uses[0].user, false) ||
      stays_inside(*uses[0].user) || is_step(*uses[0].user))
    return;
  Graph& graph = *node->owningGraph();
  const torch::jit::WithInsertPoint here(node);
  Value* const none = graph.insertConstant(c10::IValue());
  Value* const one = graph.insertConstant(1);
  Value* const product = insert_before(node, "linear", {node->input(0), node->input(1), none});
  product->setType(node->output()->type());
  replace(node, insert_before(node, "add", {product, node->input(2), one}));
}

// Dropout that drops nothing goes. Another one becomes what it is made of: random numbers, which stay LibTorch's, and a
// product that may be part of a group.
void simplify_dropout(Node* node) {
  const auto p = torch::jit::toIValue(node->input(1)), train = torch::jit::toIValue(node->input(2));
  if (!train || !train->isBool()) return;
  Value* result = node->input(0);
  if (train->toBool()) {
    // Before version 2 the operator draws in another order where a tensor is not contiguous.
    if (TORCH_VERSION_MAJOR < 2) return;
    if (!p || !p->isDouble() || p->toDouble() <= 0 || p->toDouble() >= 1) return;
    Graph& graph = *node->owningGraph();
    const torch::jit::WithInsertPoint here(node);
    Value* const none = graph.insertConstant(c10::IValue());
    Value* const keep = graph.insertConstant(1 - p->toDouble());
    Value* const memory = insert_before(node, "empty_like", {result, none, none, none, none, none});
    Value* const kept = insert_before(node, "bernoulli_", {memory, keep, none});
    result = insert_before(node, "mul", {result, insert_before(node, "div", {kept, keep})});
  }
  replace(node, result);
}

// Lists of constant numbers become constants where operators read them; dropout and, if `splits`, linear layers become plainer
// operators.
void simplify(Block* block, bool splits) {
  for (auto it = block->nodes().begin(); it != block->nodes().end();) {
    Node* node = *it++;
    for (Block* inner : node->blocks()) simplify(inner, splits);
    if (node->kind() == c10::aten::dropout) {
      simplify_dropout(node);
      continue;
    }
    if (node->kind() == c10::aten::linear && splits) {
      put_bias_into_kernel(node);
      continue;
    }
    if (!may_be_fusable(*node)) continue;
    for (size_t i = 0; i < node->inputs().size(); ++i) {
      const Node* maker = node->input(i)->node();
      if (maker->kind() != c10::prim::ListConstruct || !maker->output()->type()->isSubtypeOf(*c10::ListType::ofInts()))
        continue;
      c10::List<int64_t> list;
      bool constant = true;
      for (const Value* item : maker->inputs()) {
        const auto value = torch::jit::toIValue(item);
        constant = constant && value && value->isInt();
        if (constant) list.push_back(value->toInt());
      }
      // A list that somebody else holds may be changed.
      if (!constant || maker->output()->uses().size() != 1) continue;
      torch::jit::WithInsertPoint here(node);
      node->replaceInput(i, node->owningGraph()->insertConstant(list));
    }
  }
}

}  // namespace

bool may_fuse(const torch::jit::Stack& arguments) {
  if (mode() == Mode::off) return false;
  if (!at::hasCUDA()) return true;
  for (const c10::IValue& value : arguments) {
    if (value.isTensor() && value.toTensor().defined() && !value.toTensor().is_cpu()) return false;
    if (!value.isModule()) continue;
    for (const at::Tensor& tensor : value.toModule().parameters())
      if (!tensor.is_cpu()) return false;
  }
  return true;
}

void form_groups_and_loops(const std::shared_ptr<Graph>& graph, const std::string& function) {
  form_loops(graph, function);
  unroll_loops(*graph, mode() == Mode::exact);
  form_groups(graph, function, Products::join);
}

void form_groups(const std::shared_ptr<Graph>& graph, const std::string& function, Products products) {
  // Autocast casts the bias of a linear layer too, so that it is not split. There is a graph for each state of autocast.
  const bool casts = !c10::impl::tls_is_dispatch_key_excluded(c10::DispatchKey::AutocastCPU);
  if (casts || mode() == Mode::exact) products = Products::stay;
  simplify(graph->block(), products == Products::split);
  const auto is_work = [](const Node& node) { return is_fusable(const_cast<Node*>(&node), false); };
  if (!any_node(*graph->block(), is_work)) return;
  Finder finder(graph, function, mode() == Mode::exact, products);
  finder.look_at(graph->block());
  finder.settle();
  torch::jit::EliminateDeadCode(graph);
}

}  // namespace shim::fuse
