#include "train/plan.h"

#include "core/callable.h"

#include <unordered_set>

namespace shim {
namespace {

// The most bytes that all registers of a plan may hold.
constexpr size_t kMostBytes = size_t{256} << 20;

const void* data_of(const at::Tensor& tensor) {
  return tensor.defined() && tensor.has_storage() ? tensor.storage().unsafeGetStorageImpl() : nullptr;
}

template <class Visit>
void each_tensor(const c10::IValue& value, Visit&& visit) {
  if (value.isTensor()) {
    if (value.toTensor().defined()) visit(value.toTensor());
  } else if (value.isTensorList() || value.isOptionalTensorList()) {
    for (const auto& item : value.toListRef())
      if (item.isTensor() && item.toTensor().defined()) visit(item.toTensor());
  }
}

// Whether the results of the operator are views of an argument and nothing is changed.
bool is_view(const c10::FunctionSchema& schema) {
  bool any = false;
  for (const auto& it : schema.arguments()) {
    if (!it.alias_info()) continue;
    if (it.alias_info()->isWrite()) return false;
    any = true;
  }
  return any;
}

bool changes_something(const c10::FunctionSchema& schema) {
  for (const auto& it : schema.arguments())
    if (it.alias_info() && it.alias_info()->isWrite()) return true;
  return false;
}

// Whether the operator gives the same values at each call for the same arguments, or memory whose values do not matter.
bool is_constant(const c10::FunctionSchema& schema) {
  static const std::unordered_set<std::string> names{
      "aten::ones_like", "aten::zeros_like", "aten::full_like",  "aten::ones",         "aten::zeros",
      "aten::full",      "aten::arange",     "aten::empty_like", "aten::scalar_tensor"};
  return names.count(schema.name()) > 0;
}
bool is_empty(const c10::FunctionSchema& schema) {
  return schema.name() == "aten::empty_like" || schema.name() == "aten::empty" || schema.name() == "aten::empty_strided";
}

// Operators whose kernels write the result straight into a tensor that they are given. The kernels of losses, for one,
// use that tensor for what they have before they sum it up.
bool writes_straight(const c10::FunctionSchema& schema) {
  static const std::unordered_set<std::string> names{
      "aten::mm", "aten::addmm", "aten::bmm", "aten::baddbmm", "aten::sum", "aten::mean", "aten::add", "aten::sub",
      "aten::mul", "aten::div", "aten::neg", "aten::abs", "aten::exp", "aten::log", "aten::sqrt", "aten::rsqrt",
      "aten::reciprocal", "aten::pow", "aten::tanh", "aten::tanh_backward", "aten::sigmoid", "aten::sigmoid_backward",
      "aten::gelu", "aten::gelu_backward", "aten::silu", "aten::silu_backward", "aten::threshold_backward",
      "aten::leaky_relu", "aten::leaky_relu_backward", "aten::elu", "aten::elu_backward", "aten::softplus",
      "aten::softplus_backward", "aten::clamp_min", "aten::maximum", "aten::minimum", "aten::_softmax",
      "aten::_softmax_backward_data", "aten::_log_softmax", "aten::_log_softmax_backward_data", "aten::index_select",
      "aten::mse_loss_backward", "aten::cat"};
  return names.count(schema.name()) > 0;
}

// The overload that writes into tensors, which are its last arguments, if the device has a kernel of its own for it.
std::optional<c10::OperatorHandle> writing_form(const c10::OperatorHandle& op, const at::Tensor& like) {
  const auto& schema = op.schema();
  if (!writes_straight(schema)) return std::nullopt;
  const auto key = like.is_cpu() ? c10::DispatchKey::CPU : c10::DispatchKey::CUDA;
  if (!like.is_cpu() && !like.is_cuda()) return std::nullopt;
  const auto& arguments = schema.arguments();
  for (const auto& other : torch::jit::getAllOperatorsFor(c10::Symbol::fromQualString(schema.name()))) {
    const auto& form = other->schema();
    if (form.arguments().size() != arguments.size() + schema.returns().size()) continue;
    bool fits = true;
    for (size_t i = 0; i < form.arguments().size() && fits; ++i) {
      const auto& it = form.arguments()[i];
      if (i < arguments.size())
        fits = !it.is_out() && it.name() == arguments[i].name() && *it.type() == *arguments[i].type();
      else
        fits = it.is_out() && it.type()->kind() == c10::TypeKind::TensorType;
    }
    if (!fits) continue;
    const auto found = c10::Dispatcher::singleton().findSchema(c10::OperatorName(form.name(), form.overload_name()));
    // A generated overload only computes the result as usual and copies it.
    if (found && found->hasKernelForDispatchKey(key) && !found->hasTag(at::Tag::generated)) return *found;
  }
  return std::nullopt;
}

}  // namespace

std::unique_ptr<Plan> Plan::of(const ts_tape& tape, const std::vector<at::Tensor>& recorded) {
  size_t bytes = 0;
  for (size_t i = tape.n_inputs; i < recorded.size(); ++i) bytes += recorded[i].nbytes();
  if (bytes > kMostBytes) return nullptr;
  auto plan = std::make_unique<Plan>();
  plan->registers_.resize(tape.n_registers);
  plan->stays_.assign(tape.n_registers, false);
  // Memory that is written into after it was made.
  std::unordered_set<const void*> written;
  for (const auto& it : tape.code) {
    const auto& schema = it.op.schema();
    for (size_t i = 0; i < it.arguments.size(); ++i) {
      const auto* alias = schema.arguments()[i].alias_info();
      if (!alias || !alias->isWrite()) continue;
      each_tensor(it.arguments[i].value, [&](const at::Tensor& tensor) { written.insert(data_of(tensor)); });
      if (it.arguments[i].kind == Argument::tensor || it.arguments[i].kind == Argument::tensors)
        for (const int from : it.arguments[i].from)
          if (from >= 0) written.insert(data_of(recorded[static_cast<size_t>(from)]));
    }
  }
  const auto keep = [&](int to) {
    if (to < 0) return;
    plan->registers_[static_cast<size_t>(to)] = recorded[static_cast<size_t>(to)].detach();
    plan->stays_[static_cast<size_t>(to)] = true;
  };
  const auto stays = [&](const Argument& it) {
    if (it.kind == Argument::constant) return true;
    if (it.kind != Argument::tensor && it.kind != Argument::tensors) return false;
    return std::all_of(it.from.begin(), it.from.end(),
                       [&](int from) { return from < 0 || plan->stays_[static_cast<size_t>(from)]; });
  };
  // Arguments that stay are put on the stack of the step once and for all.
  const auto take_arguments = [&](const std::vector<Argument>& arguments, Step& step) {
    for (size_t i = 0; i < arguments.size(); ++i) {
      if (stays(arguments[i])) {
        step.stack.push_back(argument_now(arguments[i], plan->registers_, {}));
        if (arguments[i].kind == Argument::tensors) step.stack.back() = step.stack.back().toList().copy();
      } else {
        step.stack.emplace_back();
        step.arguments.emplace_back(i, arguments[i]);
      }
    }
  };
  for (const Work& work : work_of(tape, recorded)) {
    if (work.group) {
      Step step{std::nullopt, work.group, {}, {}, {}, {}, {}, false};
      take_arguments(work.arguments, step);
      for (const int to : work.results) {
        keep(to);
        step.into.push_back(plan->registers_[static_cast<size_t>(to)]);
      }
      plan->steps_.push_back(std::move(step));
      continue;
    }
    const Instruction& it = *work.instruction;
    const auto& schema = it.op.schema();
    const bool all_stay = std::all_of(it.arguments.begin(), it.arguments.end(), stays);
    const bool any_result = std::any_of(it.results.begin(), it.results.end(), [](int to) { return to >= 0; });
    const bool fresh = std::none_of(it.results.begin(), it.results.end(), [&](int to) {
      return to >= 0 && written.count(data_of(recorded[static_cast<size_t>(to)]));
    });
    const bool is_free = !any_result && !changes_something(schema) && is_view(schema);
    if (is_free) continue;
    if ((all_stay && is_view(schema)) || is_empty(schema) || (all_stay && is_constant(schema) && fresh)) {
      for (const int to : it.results) keep(to);
      // Views of a tensor from outside are right as long as that tensor keeps its memory: holds() checks this.
      for (const auto& argument : it.arguments)
        each_tensor(argument.value, [&](const at::Tensor& tensor) {
          plan->outside_.emplace_back(tensor, data_of(tensor));
        });
      continue;
    }
    Step step{it.op, nullptr, {}, {}, {}, it.results, {}, it.grad_mode};
    take_arguments(it.arguments, step);
    std::unordered_set<const void*> read;
    for (const auto& argument : it.arguments) {
      each_tensor(argument.value, [&](const at::Tensor& tensor) { read.insert(data_of(tensor)); });
      if (argument.kind == Argument::tensor || argument.kind == Argument::tensors)
        for (const int from : argument.from)
          if (from >= 0) read.insert(data_of(recorded[static_cast<size_t>(from)]));
    }
    const bool all_new = std::all_of(it.results.begin(), it.results.end(), [&](int to) {
      return to >= 0 && !read.count(data_of(recorded[static_cast<size_t>(to)]));
    });
    if (!changes_something(schema) && !is_view(schema) && all_new && it.results.size() == schema.returns().size() &&
        !it.results.empty()) {
      if (const auto form = writing_form(it.op, recorded[static_cast<size_t>(it.results[0])])) {
        step.op = *form;
        step.results.clear();
        for (const int to : it.results) {
          keep(to);
          step.stack.emplace_back(plan->registers_[static_cast<size_t>(to)]);
        }
      }
    }
    plan->steps_.push_back(std::move(step));
  }
  plan->let_go_early(tape);
  return plan;
}

// Finds the last step that reads a register, which lets go of it.
void Plan::let_go_early(const ts_tape& tape) {
  std::vector<bool> read = stays_;
  for (const Argument& result : tape.results)
    if (result.kind == Argument::tensor) read[static_cast<size_t>(result.from[0])] = true;
  for (auto step = steps_.rbegin(); step != steps_.rend(); ++step)
    for (const auto& [at, argument] : step->arguments) {
      if (argument.kind != Argument::tensor && argument.kind != Argument::tensors) continue;
      for (const int from : argument.from) {
        if (from < 0 || read[static_cast<size_t>(from)]) continue;
        read[static_cast<size_t>(from)] = true;
        step->last.push_back(from);
      }
    }
}

bool Plan::holds() const {
  return std::all_of(outside_.begin(), outside_.end(), [](const auto& it) { return data_of(it.first) == it.second; });
}

void Plan::run(const std::vector<at::Tensor>& inputs, const std::vector<double>& numbers) {
  std::copy(inputs.begin(), inputs.end(), registers_.begin());
  StackFrame frame;
  auto& stack = frame.stack();
  for (const auto& step : steps_) {
    stack.assign(step.stack.begin(), step.stack.end());
    for (const auto& [at, argument] : step.arguments) stack[at] = argument_now(argument, registers_, numbers);
    const at::AutoGradMode as_recorded(step.grad_mode);
    if (step.group) run_group(step, stack);
    else step.op->callBoxed(&stack);
    if (!step.results.empty()) take_results(step.results, stack, registers_);
    for (const int gone : step.last) registers_[static_cast<size_t>(gone)] = at::Tensor();
  }
}

// Kernels write into the memory that stays. Where LibTorch's operators ran in their place, the results are copied into
// it.
void Plan::run_group(const Step& step, torch::jit::Stack& stack) {
  step.group->run(stack, &step.into);
  for (size_t i = 0; i < step.into.size(); ++i) {
    const at::Tensor& made = stack[i].toTensor();
    if (!made.is_same(step.into[i])) at::Tensor(step.into[i]).copy_(made);
  }
}

void Plan::forget() {
  for (size_t i = 0; i < registers_.size(); ++i)
    if (!stays_[i]) registers_[i] = at::Tensor();
}

}  // namespace shim
