#include "fuse/loop.h"

#include "core/pch.h"

#include <ATen/record_function.h>

#include <chrono>
#include <cstring>
#include <ATen/Functions.h>

#include "fuse/group.h"
#include "fuse/loop-emit.h"
#include "jit/poll.h"

namespace shim::fuse {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Stack;
using torch::jit::Value;

// The C in loop-formulas.cpp declares the same.
struct LoopList {
  char* data;
  int64_t n;
};
struct LoopTensor {
  char* data;
  int64_t sizes[8], strides[8];  // strides in bytes
};

namespace {

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

// Interprets the loop where machine code can't run. Its operators on tensors may still be in groups.
std::shared_ptr<Graph> for_interpreter(const Graph& graph, const std::string& function) {
  auto copy = const_cast<Graph&>(graph).copy();
  form_groups(copy, function, Products::join);
  add_polls(copy->block());
  return copy;
}

// Makes a graph of some turns of the loop. Its inputs are the arguments, the number of the first turn, how many turns to make, and
// the values that they start from. It gives the values that the next turn starts from, and whether there is one.
std::shared_ptr<Graph> turns_of(const Graph& graph) {
  const auto made = std::make_shared<Graph>();
  std::unordered_map<Value*, Value*> known;
  for (Value* input : const_cast<Graph&>(graph).inputs()) known[input] = made->addInput()->setType(input->type());
  Value* from = made->addInput()->setType(c10::IntType::get());
  std::vector<Value*> inputs{made->addInput()->setType(c10::IntType::get()), made->insertConstant(true)};
  Node* loop = nullptr;
  for (Node* node : const_cast<Graph&>(graph).nodes())
    if (node->kind() == c10::prim::Loop) loop = node;
  for (const Value* output : loop->outputs()) inputs.push_back(made->addInput()->setType(output->type()));
  inputs.push_back(inputs[1]);
  Node* copy = made->create(c10::prim::Loop, inputs, loop->outputs().size() + 1);
  Block* body = copy->addBlock();
  body->cloneFrom(loop->blocks()[0], [&](Value* value) {
    Value*& it = known[value];
    if (it) return it;
    if (const auto constant = torch::jit::toIValue(value)) return it = made->insertConstant(*constant);
    return it = made->insertNode(made->createUninitialized(value->type()))->output();
  });
  body->addInput()->setType(c10::BoolType::get());
  body->registerOutput(body->outputs()[0]);
  Node* index = made->create(c10::aten::add, {body->inputs()[0], from}, 1);
  index->output()->setType(c10::IntType::get());
  body->inputs()[0]->replaceAllUsesWith(index->output());
  index->replaceInput(0, body->inputs()[0]);
  body->prependNode(index);
  made->insertNode(copy);
  for (size_t i = 0; i < copy->outputs().size(); ++i) {
    copy->output(i)->setType(i < loop->outputs().size() ? loop->output(i)->type() : c10::TypePtr(c10::BoolType::get()));
    made->registerOutput(copy->output(i));
  }
  return made;
}

KernelNumber number_of(const c10::IValue& value) {
  KernelNumber it;
  it.i = 0;
  if (value.isTensor() && value.toTensor().defined()) {
    const at::Tensor& tensor = value.toTensor();
    return number_of(tensor.is_floating_point() ? c10::IValue(tensor.item().toDouble()) : c10::IValue(tensor.item().toLong()));
  }
  if (value.isDouble()) it.d = value.toDouble();
  else if (value.isInt()) it.i = value.toInt();
  else if (value.isBool()) it.i = value.toBool();
  return it;  // nobody reads the fields that were not set
}

c10::IValue value_of(KernelNumber number, char kind, at::ScalarType dtype) {
  if (kind == 'T') return at::scalar_tensor(c10::isFloatingType(dtype) ? c10::Scalar(number.d) : c10::Scalar(number.i), dtype);
  if (kind == 'd') return number.d;
  if (kind == 'i') return number.i;
  return number.i != 0;
}

}  // namespace

// The function that machine code calls at a site.
struct Loop::Host {
  int (*call)(Host*, int64_t site, KernelNumber* numbers);
  int (*poll)(Host*);
  const std::string& kinds;
  Entry& entry;
  const c10::IValue* arguments;
  c10::SmallVector<LoopList, 8> lists = {};
  Stack stack = {};
  std::exception_ptr error = nullptr;

  // This is done after each call too, since a list that grows may move.
  void find_lists() {
    lists.clear();
    const auto add = [&](const c10::IValue& value) {
      const auto items = value.toListRef();
      lists.push_back({reinterpret_cast<char*>(const_cast<c10::IValue*>(items.data())), static_cast<int64_t>(items.size())});
    };
    for (size_t i = 0; i < kinds.size(); ++i)
      if (is_list(kinds[i])) add(arguments[i]);
    for (const c10::IValue& constant : entry.source.lists) add(constant);
  }

  void push_inputs(const Site& site, const KernelNumber* numbers) {
    stack.clear();
    for (const Site::Input& input : site.inputs)
      stack.push_back(input.argument >= 0 ? arguments[input.argument] : value_of(*numbers++, input.kind, input.dtype));
  }

  void run_site(size_t i, KernelNumber* numbers) {
    const Site& site = entry.source.sites[i];
    SiteCode& it = entry.sites[i];
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
        // The interpreter adds the place to the message.
        push_inputs(site, numbers);
      }
    }
    if (!done) torch::jit::InterpreterState(it.code).run(stack);
    // A site has no results that nobody uses.
    for (size_t k = 0; k < site.outputs.size(); ++k) numbers[k] = number_of(stack[k]);
    if (site.changes_lists) find_lists();
  }
};

Loop::Loop(std::shared_ptr<Graph> graph, std::string name, const std::string& function, bool exact)
    : Fused(std::move(graph), std::move(name)), function_(function), exact_(exact), code_(for_interpreter(*graph_, function), function) {
  for (const auto* input : graph_->inputs()) kinds_ += kind_of(*input) ? kind_of(*input) : ' ';
  for (const auto* output : graph_->outputs()) results_ += kind_of(*output);
  // A loop without tensors is compiled before its first run.
  if (kinds_.find('T') == std::string::npos) entry({});
}

std::shared_ptr<Loop::Entry> Loop::entry(const std::vector<TensorKind>& tensors) {
  std::string key;
  for (const TensorKind& tensor : tensors) key += {static_cast<char>(tensor.dtype), static_cast<char>(tensor.dim)};
  auto& it = entries_[key];
  if (it) return it;
  it = std::make_shared<Entry>();
  try {
    it->source = loop_source(*graph_, tensors, exact_);
  } catch (const Unfusable& problem) {
    it->why = problem.why;
    return it;
  }
  for (const Site& site : it->source.sites) {
    it->sites.push_back({torch::jit::Code(site.graph, function_), nullptr, {}});
    std::vector<const Node*> nodes;
    for (const Node* node : site.graph->nodes())
      if (node->kind() != c10::prim::Constant) nodes.push_back(node);
    if (nodes.size() != 1 || !nodes[0]->kind().is_aten()) continue;
    it->sites.back().operation = nodes[0]->getOperation();
    for (const Value* value : nodes[0]->inputs()) {
      const auto constant = torch::jit::toIValue(value);
      it->sites.back().arguments.emplace_back(constant ? -1 : static_cast<int>(value->offset()), constant ? *constant : c10::IValue());
    }
  }
  it->compiled = compiled(it->source.text);
  return it;
}

void Loop::run_plainly(Stack& stack) const { torch::jit::InterpreterState(code_).run(stack); }

bool Loop::run_until(const Compiled& compiled, const c10::IValue* arguments, Progress& progress) {
  constexpr auto kPatience = std::chrono::milliseconds(5);
  const Node* loop = nullptr;
  for (const Node* node : graph_->nodes())
    if (node->kind() == c10::prim::Loop) loop = node;
  const auto value_of = [&](const Value* value) {
    const auto constant = torch::jit::toIValue(value);
    return constant ? *constant : value->node()->kind() == c10::prim::Param ? arguments[value->offset()] : c10::IValue::uninitialized();
  };
  for (size_t i = 2; i < loop->inputs().size(); ++i) progress.values.push_back(value_of(loop->input(i)));
  const int64_t most = value_of(loop->input(0)).toInt();
  bool goes = value_of(loop->input(1)).toBool();
  {
    const std::lock_guard<std::mutex> hold(lock_);
    if (!some_turns_) some_turns_.emplace(for_interpreter(*turns_of(*graph_), function_), function_);
  }
  for (int64_t some = 16; goes && progress.turns < most && !compiled.function; ) {
    some = std::min(some, most - progress.turns);
    Stack stack(arguments, arguments + kinds_.size());
    stack.emplace_back(progress.turns);
    stack.emplace_back(some);
    stack.insert(stack.end(), progress.values.begin(), progress.values.end());
    progress.values.clear();
    const auto start = std::chrono::steady_clock::now();
    torch::jit::InterpreterState(*some_turns_).run(stack);
    goes = torch::jit::pop(stack).toBool();
    progress.values.assign(std::make_move_iterator(stack.begin()), std::make_move_iterator(stack.end()));
    progress.turns += some;
    if (std::chrono::steady_clock::now() - start < kPatience || compiled.failed) some *= 2;
  }
  return goes && progress.turns < most;
}

void Loop::run(Stack& stack, const std::vector<at::Tensor>*) {
  const size_t n = kinds_.size();
  const c10::IValue* arguments = stack.data() + (stack.size() - n);
  std::vector<TensorKind> kinds;
  c10::SmallVector<LoopTensor, 4> tensors;
  c10::SmallVector<const void*, 4> storages;
  const char* why = mode() == Mode::off ? "the fuser is off" : is_known_layout() ? nullptr : "lists are not as machine code knows them";
  const bool has_tensors = kinds_.find('T') != std::string::npos;
  if (!why && has_tensors && !is_plain_thread()) why = "autocast or the like is on";
  for (size_t i = 0; i < n && !why; ++i) {
    if (kinds_[i] != 'T') continue;
    const at::Tensor& tensor = arguments[i].toTensor();
    why = why_not_plain(tensor);
    if (!why && at::GradMode::is_enabled() && tensor.requires_grad()) why = "gradients go the way of single operators";
    if (why) break;
    kinds.push_back({tensor.scalar_type(), tensor.dim()});
    storages.push_back(tensor.storage().unsafeGetStorageImpl());
    tensors.emplace_back();
    LoopTensor& it = tensors.back();
    it.data = static_cast<char*>(tensor.data_ptr());
    for (int64_t d = 0; d < tensor.dim(); ++d) {
      it.sizes[d] = tensor.size(d);
      it.strides[d] = tensor.stride(d) * static_cast<int64_t>(tensor.element_size());
    }
  }
  std::shared_ptr<Entry> entry;
  KernelFunction function = nullptr;
  bool shares = false;
  if (!why) {
    {
      const std::lock_guard<std::mutex> hold(lock_);
      entry = this->entry(kinds);
    }
    for (const size_t kept : entry->source.kept)
      for (const size_t written : entry->source.written)
        shares = shares || storages[kept] == storages[written];
    if (entry->compiled && is_at_once()) wait_for_kernels();
    why = !entry->compiled                          ? entry->why.c_str()
          : shares                                  ? "it starts from an element that it writes"
          : (function = entry->compiled->function) ? nullptr
          : entry->compiled->failed                 ? "the compiler refused it"
                                                    : "it is being compiled";
  }
  {
    const std::lock_guard<std::mutex> hold(lock_);
    if (why) report_ = {why, entry ? entry->source.text : "", 0};
    else if (report_.kernels == 0) report_ = {"", entry->source.text, 1};
  }
  Progress progress;
  if (why && entry && entry->compiled && !entry->compiled->failed && !shares) {
    const bool goes_on = run_until(*entry->compiled, arguments, progress);
    if (!goes_on) {
      torch::jit::drop(stack, n);
      stack.insert(stack.end(), progress.values.begin(), progress.values.end());
      return;
    }
    function = entry->compiled->function;
  } else if (why) {
    return run_plainly(stack);
  }
  c10::SmallVector<KernelNumber, 16> in(n), out(results_.size()), from(progress.values.size() + 1);
  from[0].i = progress.turns;
  for (size_t i = 0; i < progress.values.size(); ++i) from[i + 1] = number_of(progress.values[i]);
  for (size_t i = 0; i < n; ++i)
    if (kinds_[i] >= 'a') in[i] = number_of(arguments[i]);
  RECORD_FUNCTION(name_.c_str(), c10::ArrayRef<const c10::IValue>(arguments, n));
  const auto call = [](Host* it, int64_t site, KernelNumber* numbers) {
    try {
      it->run_site(static_cast<size_t>(site), numbers);
      return 0;
    } catch (...) {
      it->error = std::current_exception();
      return 1;
    }
  };
  const auto poll = [](Host* it) {
    try {
      look_in_program();
      return 0;
    } catch (...) {
      it->error = std::current_exception();
      return 1;
    }
  };
  Host host{call, poll, kinds_, *entry, arguments};
  host.find_lists();
  for (size_t i = 0, k = 0; i < n; ++i) {
    if (kinds_[i] != 'T') continue;
    const at::Tensor& tensor = arguments[i].toTensor();
    const auto& written = entry->source.written;
    if (std::count(written.begin(), written.end(), k++) && !tensor.is_inference()) tensor.unsafeGetTensorImpl()->bump_version();
  }
  using LoopFunction = int (*)(const KernelNumber*, KernelNumber*, const LoopList*, const LoopTensor*, const KernelNumber*, Host*);
  if (reinterpret_cast<LoopFunction>(function)(in.data(), out.data(), host.lists.data(), tensors.data(),
                                               progress.turns > 0 ? from.data() : nullptr, &host) != 0) {
    TORCH_CHECK(host.error, "an error in a loop was none");
    std::rethrow_exception(host.error);
  }
  torch::jit::drop(stack, n);
  for (size_t i = 0, k = 0; i < results_.size(); ++i)
    stack.push_back(value_of(out[i], results_[i], results_[i] == 'T' ? entry->source.results[k++] : at::kDouble));
}

}  // namespace shim::fuse
