#include "fuse/loop.h"

#include "core/pch.h"

#include <ATen/record_function.h>

#include <cstring>

#include "fuse/program.h"
#include "jit/poll.h"

namespace shim::fuse {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Stack;
using torch::jit::Value;

namespace {

// A compiler's time grows with the length of a function, more than in proportion.
constexpr size_t kMostNodes = 1500;

struct List {
  char* data;
  int64_t n;
};

// Machine code reads and writes the elements of a list where LibTorch has them: a number, then what tells its type.
bool is_known_layout() {
  static const bool known = [] {
    const auto holds = [](const c10::IValue& value, const auto& payload) {
      return std::memcmp(static_cast<const void*>(&value), &payload, sizeof payload) == 0;
    };
    return holds(c10::IValue(1.5), 1.5) && holds(c10::IValue(int64_t{-7}), int64_t{-7}) && holds(c10::IValue(true), true) &&
           sizeof(bool) == 1;
  }();
  return known;
}

std::shared_ptr<Graph> with_polls(const Graph& graph) {
  auto copy = const_cast<Graph&>(graph).copy();
  add_polls(copy->block());
  return copy;
}

KernelNumber number_of(const c10::IValue& value) {
  KernelNumber it;
  it.i = 0;
  if (value.isDouble()) it.d = value.toDouble();
  else if (value.isInt()) it.i = value.toInt();
  else if (value.isBool()) it.i = value.toBool();
  return it;  // what was not initialised is read by nobody
}

c10::IValue value_of(KernelNumber number, char kind) {
  if (kind == 'd') return number.d;
  if (kind == 'i') return number.i;
  return number.i != 0;
}

size_t count(const Block& block) {
  size_t n = 0;
  for (const Node* node : block.nodes()) {
    ++n;
    for (const Block* inner : node->blocks()) n += count(*inner);
  }
  return n;
}

// LibTorch's own function for this does not see values that a block only hands out.
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
    if (!it_has.computes || count(*node->blocks()[0]) > kMostNodes) {
      for (Block* inner : node->blocks()) look_at(inner, graph, function);
      continue;
    }
    Node* made = put_aside(node, it_has.has_effects ? fused_with_effects() : fused());
    settle(made, graph, [&](std::string name) {
      return std::make_shared<Loop>(made->g(c10::attr::Subgraph), std::move(name), function);
    });
  }
}

}  // namespace

// What the machine code calls.
struct Loop::Host {
  int (*call)(Host*, int64_t site, KernelNumber* numbers);
  int (*poll)(Host*);
  Loop* loop;
  const c10::IValue* arguments;
  c10::SmallVector<List, 8> lists;
  Stack stack;
  std::exception_ptr error;

  // Also after each call: a list that grows may be elsewhere.
  void find_lists() {
    lists.clear();
    const auto add = [&](const c10::IValue& value) {
      const auto items = value.toListRef();
      lists.push_back({reinterpret_cast<char*>(const_cast<c10::IValue*>(items.data())), static_cast<int64_t>(items.size())});
    };
    for (size_t i = 0; i < loop->kinds_.size(); ++i)
      if (loop->kinds_[i] >= 'A' && loop->kinds_[i] <= 'Z') add(arguments[i]);
    for (const c10::IValue& constant : loop->source_.lists) add(constant);
  }

  void push_inputs(const Site& site, const KernelNumber* numbers) {
    stack.clear();
    for (const Site::Input& input : site.inputs)
      stack.push_back(input.argument >= 0 ? arguments[input.argument] : value_of(*numbers++, input.kind));
  }

  void run_site(size_t i, KernelNumber* numbers) {
    const Site& site = loop->source_.sites[i];
    SiteCode& it = loop->sites_[i];
    push_inputs(site, numbers);
    bool done = false;
    if (!it.arguments.empty()) {
      const size_t n = stack.size();
      for (const auto& [input, constant] : it.arguments) stack.push_back(input < 0 ? constant : stack[static_cast<size_t>(input)]);
      try {
        it.operation(stack);
        stack.erase(stack.begin(), stack.begin() + static_cast<std::ptrdiff_t>(n));
        done = true;
      } catch (...) {
        // The interpreter says where.
        push_inputs(site, numbers);
      }
    }
    if (!done) torch::jit::InterpreterState(it.code).run(stack);
    // Results that nobody uses are none of the site's.
    for (size_t k = 0; k < site.outputs.size(); ++k) numbers[k] = number_of(stack[k]);
    if (site.changes_lists) find_lists();
  }
};

Loop::Loop(std::shared_ptr<Graph> graph, std::string name, const std::string& function)
    : Fused(std::move(graph), std::move(name)), code_(with_polls(*graph_), function) {
  for (const auto* input : graph_->inputs()) kinds_ += kind_of(*input) ? kind_of(*input) : ' ';
  for (const auto* output : graph_->outputs()) results_ += kind_of(*output);
  try {
    source_ = loop_source(*graph_);
    for (const Site& site : source_.sites) {
      sites_.push_back({torch::jit::Code(site.graph, function), nullptr, {}});
      const Node* only = nullptr;
      for (const Node* node : site.graph->nodes()) {
        if (node->kind() == c10::prim::Constant) continue;
        if (only || !node->kind().is_aten()) only = *site.graph->nodes().end();
        else only = node;
      }
      if (!only || only->kind() == c10::prim::Return) continue;
      sites_.back().operation = only->getOperation();
      for (const Value* value : only->inputs()) {
        const auto constant = torch::jit::toIValue(value);
        sites_.back().arguments.emplace_back(constant ? -1 : static_cast<int>(value->offset()), constant ? *constant : c10::IValue());
      }
    }
    compiled_ = compiled(source_.text);
  } catch (const Unfusable& problem) {
    why_ = problem.why;
  }
}

void Loop::run_plainly(Stack& stack) const { torch::jit::InterpreterState(code_).run(stack); }

void Loop::run(Stack& stack, const std::vector<at::Tensor>*) {
  if (compiled_ && is_at_once() && mode() != Mode::off) wait_for_kernels();
  KernelFunction function = nullptr;
  const char* why = mode() == Mode::off ? "the fuser is off"
                    : !compiled_        ? why_.c_str()
                    : !is_known_layout() ? "lists are not as machine code knows them"
                    : (function = compiled_->function) ? nullptr
                    : compiled_->failed                ? "the compiler refused it"
                                                       : "it is being compiled";
  {
    const std::lock_guard<std::mutex> hold(lock_);
    if (why) report_ = {why, source_.text, 0};
    else if (report_.kernels == 0) report_ = {"", source_.text, 1};
  }
  if (why) return run_plainly(stack);
  const size_t n = kinds_.size();
  const c10::IValue* arguments = stack.data() + (stack.size() - n);
  c10::SmallVector<KernelNumber, 16> in(n), out(results_.size());
  for (size_t i = 0; i < n; ++i)
    if (kinds_[i] >= 'a') in[i] = number_of(arguments[i]);
  RECORD_FUNCTION(name_.c_str(), c10::ArrayRef<const c10::IValue>(arguments, n));
  Host host;
  host.loop = this;
  host.arguments = arguments;
  host.find_lists();
  host.call = [](Host* it, int64_t site, KernelNumber* numbers) {
    try {
      it->run_site(static_cast<size_t>(site), numbers);
      return 0;
    } catch (...) {
      it->error = std::current_exception();
      return 1;
    }
  };
  host.poll = [](Host* it) {
    try {
      look_in_program();
      return 0;
    } catch (...) {
      it->error = std::current_exception();
      return 1;
    }
  };
  using LoopFunction = int (*)(const KernelNumber*, KernelNumber*, const List*, Host*);
  if (reinterpret_cast<LoopFunction>(function)(in.data(), out.data(), host.lists.data(), &host) != 0) {
    TORCH_CHECK(host.error, "an error in a loop was none");
    std::rethrow_exception(host.error);
  }
  torch::jit::drop(stack, n);
  for (size_t i = 0; i < results_.size(); ++i) stack.push_back(value_of(out[i], results_[i]));
}

void form_loops(const std::shared_ptr<Graph>& graph, const std::string& function) {
  look_at(graph->block(), graph, function);
}

}  // namespace shim::fuse
