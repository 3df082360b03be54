#include "fuse/group.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/functions/utils.h>
#include <torch/csrc/autograd/saved_variable.h>
#include <torch/csrc/jit/frontend/tracer.h>
#include <torch/csrc/jit/runtime/interpreter.h>

#include "core/nodes.h"
#include "tensor/autograd.h"

namespace shim::fuse {

using torch::autograd::SavedVariable;
using torch::jit::Stack;

namespace {

// How many kinds of arguments are remembered. Beyond that all are forgotten; what was compiled is found again.
constexpr size_t kMostEntries = 256;

bool is_supported(at::ScalarType type) {
  switch (type) {
    case at::kFloat: case at::kDouble: case at::kLong: case at::kInt: case at::kShort: case at::kChar: case at::kByte:
    case at::kBool: case at::kBFloat16: case at::kHalf:
      return true;
    default:
      return false;
  }
}

void add_place(const at::Tensor& tensor, std::vector<int64_t>& key) {
  key.push_back(static_cast<int64_t>(tensor.scalar_type()) * 16 + tensor.dim());
  for (const int64_t size : tensor.sizes()) key.push_back(size);
  for (const int64_t stride : tensor.strides()) key.push_back(stride);
}

Place place_of(const at::Tensor& tensor) { return {tensor.scalar_type(), tensor.sizes().vec(), tensor.strides().vec()}; }

// Whether a kernel reads an argument of a program.
bool is_read(const Program& program, size_t argument) {
  const int slot = program.arguments[argument];
  for (const Kernel& kernel : program.kernels)
    if (std::count(kernel.arguments.begin(), kernel.arguments.end(), slot)) return true;
  return false;
}

// The sizes of a probe: small primes, so that a product tells its factors.
constexpr int64_t kProbe[] = {2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37};

// What runs where kernels do not: operators may still be in groups without products.
std::shared_ptr<torch::jit::Graph> for_interpreter(const std::shared_ptr<torch::jit::Graph>& graph, const std::string& function) {
  if (!any_node(*graph->block(), is_step)) return graph;
  auto copy = graph->copy();
  form_groups(copy, function, Products::split);
  return copy;
}

}  // namespace

bool is_plain_thread() {
  const auto local = c10::impl::tls_local_dispatch_key_set();
  const auto usual = c10::DispatchKeySet({c10::DispatchKey::BackendSelect, c10::DispatchKey::ADInplaceOrView});
  return usual.has_all(local.included_) && local.excluded_.has(c10::DispatchKey::AutocastCPU) &&
         !torch::jit::tracer::isTracing();
}

const char* why_not_plain(const at::Tensor& tensor) {
  static const c10::DispatchKeySet usual(
      {c10::DispatchKey::CPU, c10::DispatchKey::ADInplaceOrView, c10::DispatchKey::AutogradCPU,
       c10::DispatchKey::AutocastCPU});
  if (!tensor.defined()) return "a tensor is not there";
  if (!tensor.device().is_cpu()) return "a tensor is not on the CPU";
  if (!is_supported(tensor.scalar_type())) return "a tensor has a dtype that kernels do not compute in";
  if (!usual.has_all(tensor.key_set())) return "a tensor is sparse, a conjugate or the like";
  if (tensor.numel() == 0) return "a tensor has no elements";
  if (tensor.dim() > 8) return "a tensor has more than 8 dimensions";
  const bool is_dual = torch::autograd::impl::get_autograd_meta(tensor) && torch::autograd::isFwGradDefined(tensor);
  return is_dual ? "a tensor carries a forward derivative" : nullptr;
}

size_t Group::KeyHash::operator()(const Key& key) const {
  size_t hash = key.size();
  for (const int64_t part : key) hash = hash * 0x9e3779b97f4a7c15 + static_cast<size_t>(part) + (hash >> 29);
  return hash;
}

Group::Group(std::shared_ptr<torch::jit::Graph> graph, std::string name, const std::string& function, bool exact)
    : Fused(std::move(graph), std::move(name)), exact_(exact), code_(for_interpreter(graph_, function), function) {
  for (const auto* node : graph_->nodes()) {
    asks_for_sizes_ = asks_for_sizes_ || asks_for_sizes(*node);
    reshapes_ = reshapes_ || reshapes(*node);
  }
}

void Group::run_plainly(Stack& stack) const {
  torch::jit::InterpreterState(code_).run(stack);
}

const char* Group::why_not(const Stack& stack, size_t first, Key& key, bool& wants_gradient, uint64_t& wanted) const {
  const size_t n = graph_->inputs().size();
  const bool grads = at::GradMode::is_enabled();
  for (size_t i = 0; i < n; ++i) {
    const c10::IValue& value = stack[first + i];
    if (value.isTensor()) {
      const at::Tensor& tensor = value.toTensor();
      if (const char* why = why_not_plain(tensor)) return why;
      add_place(tensor, key);
      if (grads && tensor.requires_grad()) {
        if (i >= 64) return "more than 64 arguments, and one requires a gradient";
        wants_gradient = true;
        wanted |= uint64_t{1} << i;
      }
    } else if (value.isDouble() || value.isInt() || value.isBool()) {
      key.push_back(-1 - (value.isDouble() ? 0 : value.isInt() ? 1 : 2));
    } else {
      return "an argument is neither a tensor nor a number";
    }
  }
  return nullptr;
}

std::vector<Place> Group::Entry::made_places() const {
  std::vector<Place> out;
  for (size_t i = 0; i < forward->program().results.size(); ++i) out.push_back(forward->result_place(i));
  for (size_t i = 0; i < forward->program().products.size(); ++i) out.push_back(forward->product_place(i));
  return out;
}

std::shared_ptr<Group::Entry> Group::entry(const Key& key, const Stack& stack, size_t first) {
  const auto known = entries_.find(key);
  if (known != entries_.end()) return known->second;
  if (entries_.size() >= kMostEntries) {
    entries_.clear();
    programs_.clear();
  }
  const auto made = std::make_shared<Entry>();
  Entry& it = *made;
  try {
    std::map<int64_t, int64_t> probe_of{{1, 1}};
    for (size_t i = 0; i < graph_->inputs().size(); ++i) {
      const c10::IValue& value = stack[first + i];
      Argument argument;
      if (value.isTensor()) {
        const at::Tensor& tensor = value.toTensor();
        argument.is_tensor = true;
        argument.dtype = tensor.scalar_type();
        for (const int64_t size : tensor.sizes()) {
          if (reshapes_) {
            argument.shape.push_back(size);
            continue;
          }
          if (!probe_of.count(size)) {
            if (probe_of.size() > std::size(kProbe)) throw Unfusable{"it has too many sizes"};
            const int64_t next = kProbe[probe_of.size() - 1];
            probe_of[size] = next;
            it.real[next] = size;
          }
          argument.shape.push_back(probe_of[size]);
        }
        it.places.push_back(place_of(tensor));
      } else {
        argument.number = value;
      }
      it.probe.push_back(std::move(argument));
    }
    Key pattern;
    for (const Argument& argument : it.probe) {
      pattern.push_back(argument.is_tensor ? static_cast<int64_t>(argument.dtype)
                                           : -1 - (argument.number.isDouble() ? 0 : argument.number.isInt() ? 1 : 2));
      pattern.push_back(static_cast<int64_t>(argument.shape.size()));
      pattern.insert(pattern.end(), argument.shape.begin(), argument.shape.end());
    }
    if (asks_for_sizes_)
      for (const auto& [probe, real] : it.real) pattern.push_back(real);
    auto& program = programs_[pattern];
    if (!program) program = std::make_shared<Program>(forward_program(*graph_, it.probe, it.real, exact_));
    it.forward = std::make_shared<Plan>(program, it.places, it.real);
  } catch (const Unfusable& problem) {
    it.why = problem.why;
  }
  return entries_[key] = made;
}

Group::Entry::Backward& Group::backward(Entry& entry, uint64_t wanted, uint64_t missing) {
  const auto found = entry.backward.find({wanted, missing});
  if (found != entry.backward.end()) return found->second;
  Entry::Backward& made = entry.backward[{wanted, missing}];
  try {
    std::vector<bool> given, wants;
    for (const int slot : entry.forward->program().results)
      given.push_back(c10::isFloatingType(entry.forward->program().slots[slot].dtype) && !(given.size() < 64 && missing >> given.size() & 1));
    for (size_t i = 0; i < graph_->inputs().size(); ++i) wants.push_back(i < 64 && (wanted >> i & 1));
    made.program = std::make_shared<Program>(backward_program(*graph_, entry.probe, entry.real, given, wants));
  } catch (const Unfusable& problem) {
    made.why = problem.why;
  }
  return made;
}

std::shared_ptr<Plan> Group::backward_plan(Entry& entry, Entry::Backward& backward, const std::vector<Place>& more) {
  Key key;
  for (const Place& place : more) {
    key.push_back(static_cast<int64_t>(place.dtype) * 16 + static_cast<int64_t>(place.sizes.size()));
    key.insert(key.end(), place.strides.begin(), place.strides.end());
  }
  auto& plan = backward.plans[key];
  if (!plan) {
    std::vector<Place> places = entry.places;
    places.insert(places.end(), more.begin(), more.end());
    try {
      plan = std::make_shared<Plan>(backward.program, places, entry.real);
    } catch (const Unfusable& problem) {
      backward.why = problem.why;
      backward.program = nullptr;
    }
  }
  return plan;
}

// --- gradients --------------------------------------------------------------------------------------------------------

// The autograd node of a call. Its kernels compute again what they need. If derivatives of the gradient are wanted too, it runs
// the group once more by LibTorch's operators.
struct Gradient : torch::autograd::Node {
  std::shared_ptr<Group> group;
  std::shared_ptr<Group::Entry> entry;
  uint64_t wanted = 0;
  std::vector<c10::IValue> numbers;  // the arguments that are no tensors, at their places
  std::vector<SavedVariable> arguments, results, products;
  std::vector<Place> result_places;
  std::vector<size_t> outputs;  // the results that have a gradient
  bool released = false;

  std::string name() const override { return "FusedBackward"; }

  void release_variables() override {
    released = true;
    for (auto* all : {&arguments, &results, &products})
      for (SavedVariable& each : *all) each.reset_data();
  }

  torch::autograd::variable_list apply(torch::autograd::variable_list&& grads) override {
    TORCH_CHECK(!released, torch::autograd::ERR_BACKWARD_TWICE);
    if (std::none_of(grads.begin(), grads.end(), [](const at::Tensor& g) { return g.defined(); }))
      return torch::autograd::variable_list(num_outputs());
    if (at::GradMode::is_enabled()) return again(grads, true);
    std::shared_ptr<Plan> plan;
    std::vector<Place> more = result_places;
    for (size_t i = 0; i < products.size(); ++i) more.push_back(entry->forward->product_place(i));
    std::vector<at::Tensor> full(result_places.size());
    // What only leads to results without a gradient gets none, as from operators: zeros would be something to an optimizer.
    uint64_t missing = 0;
    for (size_t k = 0; k < outputs.size(); ++k) {
      if (!grads[k].defined()) {
        if (outputs[k] >= 64) return again(grads, false);
        missing |= uint64_t{1} << outputs[k];
        continue;
      }
      at::Tensor& g = full[outputs[k]];
      const Place& place = result_places[outputs[k]];
      g = grads[k];
      if (g.scalar_type() != place.dtype || !g.device().is_cpu() || g.layout() != at::kStrided || g.is_neg())
        g = g.to(place.dtype).resolve_neg().contiguous();
    }
    for (size_t i = 0; i < full.size(); ++i)
      more.push_back(full[i].defined() ? Place{full[i].scalar_type(), full[i].sizes().vec(), full[i].strides().vec()} : result_places[i]);
    {
      const std::lock_guard<std::mutex> hold(group->lock_);
      auto& backward = group->backward(*entry, wanted, missing);
      if (backward.program) plan = group->backward_plan(*entry, backward, more);
    }
    if (plan && is_at_once()) wait_for_kernels();
    if (!plan || plan->state() != Plan::State::ready) return again(grads, false);
    const Program& program = plan->program();
    std::vector<at::Tensor> given;
    const auto add = [&](const auto& get) {
      given.push_back(is_read(program, given.size()) ? get() : at::Tensor());
    };
    const NodePtr self = pointer_to(*this);
    for (size_t i = 0; i < numbers.size(); ++i)
      if (numbers[i].isNone()) add([&] { return arguments[i].unpack(); });
    for (const SavedVariable& result : results) add([&] { return result.unpack(self); });
    for (const SavedVariable& product : products) add([&] { return product.unpack(); });
    for (const at::Tensor& g : full) add([&] { return g; });
    const auto made = plan->run(std::move(given), numbers);
    torch::autograd::variable_list out;
    for (size_t i = 0; i < numbers.size(); ++i) {
      if (!(wanted >> i & 1)) continue;
      out.push_back(made[i]);
    }
    return out;
  }

 private:
  torch::autograd::variable_list again(const torch::autograd::variable_list& grads, bool create_graph) {
    const at::AutoGradMode with(true);
    Stack stack;
    torch::autograd::variable_list into, from, arrived;
    for (size_t i = 0; i < numbers.size(); ++i) {
      if (!numbers[i].isNone()) {
        stack.push_back(numbers[i]);
        continue;
      }
      at::Tensor argument = arguments[i].unpack();
      if (!create_graph) argument = argument.detach().requires_grad_((wanted >> i & 1) != 0);
      if (wanted >> i & 1) into.push_back(argument);
      stack.push_back(argument);
    }
    group->run_plainly(stack);
    const size_t first = stack.size() - group->graph()->outputs().size();
    for (size_t k = 0; k < outputs.size(); ++k) {
      const at::Tensor result = stack[first + outputs[k]].toTensor();
      if (!grads[k].defined() || !result.requires_grad()) continue;
      from.push_back(result);
      arrived.push_back(grads[k]);
    }
    if (from.empty()) return torch::autograd::variable_list(into.size());
    return torch::autograd::grad(from, into, arrived, create_graph, create_graph, true);
  }
};

void Group::run(Stack& stack, const std::vector<at::Tensor>* into) {
  const size_t n = graph_->inputs().size(), first = stack.size() - n;
  thread_local Key key;
  key.clear();
  bool wants_gradient = false;
  uint64_t wanted = 0;
  const char* why = mode() == Mode::off ? "the fuser is off"
                    : !is_plain_thread() ? "autocast or the like is on"
                    : why_not(stack, first, key, wants_gradient, wanted);
  if (!why && exact_ && wants_gradient) why = "gradients of kernels are rounded in their own way";
  if (!why && !exact_ && mode() == Mode::exact) why = "kernels are to be exact";
  if (why) {
    {
      const std::lock_guard<std::mutex> hold(lock_);
      report_ = {why, "", 0};
    }
    return run_plainly(stack);
  }
  std::shared_ptr<Plan> plan;
  std::shared_ptr<Entry> it;
  bool plainly = false;
  {
    const std::lock_guard<std::mutex> hold(lock_);
    it = entry(key, stack, first);
    plan = it->forward;
    if (!plan) {
      plainly = true;
      report_ = {it->why, "", 0};
    } else if (wants_gradient) {
      // Both ways are ready, or none is taken: a backward that computes all anew costs more than operators.
      auto& back = backward(*it, wanted);
      std::shared_ptr<Plan> way;
      if (back.program) {
        std::vector<Place> more = it->made_places();
        for (size_t r = 0; r < plan->program().results.size(); ++r) more.push_back(plan->result_place(r));
        way = backward_plan(*it, back, more);
      }
      if (!way || way->state() == Plan::State::failed) plainly = true;
      else if (way->state() == Plan::State::waiting) plainly = !is_at_once();
      if (plainly)
        report_ = {!way                                  ? "its gradient: " + back.why
                   : way->state() == Plan::State::failed ? "the compiler refused its gradient"
                                                         : "its gradient is being compiled",
                   way ? way->sources() : "", 0};
    }
  }
  if (!plainly && is_at_once()) wait_for_kernels();
  if (!plainly && plan->state() != Plan::State::ready) {
    plainly = true;
    const std::lock_guard<std::mutex> hold(lock_);
    report_ = {plan->state() == Plan::State::waiting ? "it is being compiled" : "the compiler refused it",
               plan->sources(), 0};
  }
  if (!plainly && !plan->can_choose(stack, first)) {
    plainly = true;
    const std::lock_guard<std::mutex> hold(lock_);
    report_ = {"a target is no class", "", 0};
  }
  if (plainly) return run_plainly(stack);
  Stack inputs(std::make_move_iterator(stack.begin() + static_cast<std::ptrdiff_t>(first)), std::make_move_iterator(stack.end()));
  stack.resize(first);
  RECORD_FUNCTION(name_.c_str(), c10::ArrayRef<const c10::IValue>(inputs.data(), inputs.size()));
  std::vector<at::Tensor> given;
  for (const c10::IValue& value : inputs)
    if (value.isTensor()) given.push_back(value.toTensor());
  std::vector<at::Tensor> products;
  auto results = plan->run(std::move(given), inputs, into, wants_gradient ? &products : nullptr);
  if (wants_gradient) {
    const auto node = new_node<Gradient>();
    node->group = shared_from_this();
    node->entry = it;
    node->wanted = wanted;
    torch::autograd::edge_list edges;
    for (size_t i = 0; i < n; ++i) {
      const bool is_tensor = inputs[i].isTensor();
      node->numbers.push_back(is_tensor ? c10::IValue() : inputs[i]);
      node->arguments.push_back(is_tensor ? SavedVariable(inputs[i].toTensor(), false) : SavedVariable());
      if (wanted >> i & 1) edges.push_back(torch::autograd::impl::gradient_edge(inputs[i].toTensor()));
    }
    node->set_next_edges(std::move(edges));
    std::vector<bool> needed, reached;
    {
      const std::lock_guard<std::mutex> hold(lock_);
      const auto& back = *backward(*it, wanted).program;
      reached = back.reached;
      for (size_t r = 0; r < results.size() + products.size(); ++r) needed.push_back(is_read(back, it->places.size() + r));
    }
    for (size_t r = 0; r < results.size(); ++r) {
      node->result_places.push_back(place_of(results[r]));
      if (!reached[r]) continue;
      node->outputs.push_back(r);
      torch::autograd::set_history(results[r], node);
    }
    for (size_t r = 0; r < results.size(); ++r)
      node->results.push_back(needed[r] ? SavedVariable(results[r], true) : SavedVariable());
    for (size_t p = 0; p < products.size(); ++p)
      node->products.push_back(needed[results.size() + p] ? SavedVariable(products[p], false) : SavedVariable());
  }
  for (at::Tensor& result : results) stack.emplace_back(std::move(result));
  if (guard.needsOutputs()) guard.setOutputs(std::vector<c10::IValue>(stack.begin() + static_cast<std::ptrdiff_t>(first), stack.end()));
  const std::lock_guard<std::mutex> hold(lock_);
  if (!report_.why.empty() || report_.kernels == 0 || it != told_) {
    told_ = it;
    report_ = {"", plan->sources(), plan->program().kernels.size(), plan->operations()};
  }
}

}  // namespace shim::fuse
