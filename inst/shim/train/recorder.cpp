#include "train/recorder.h"

#include "core/value.h"
#include "train/plan.h"

#include <cmath>
#include <cstring>
#include <map>
#include <torch/library.h>
#include <unordered_map>
#include <unordered_set>

namespace shim {
namespace {

constexpr auto kMode = c10::DispatchKey::TESTING_ONLY_GenericMode;

// A key for the memory that a tensor shows. LibTorch hands out what it saved for gradients as another tensor object,
// which is recognised by this.
using Memory = std::vector<int64_t>;

Memory memory_of(const at::Tensor& it) {
  if (!it.has_storage() || it.layout() != at::kStrided || it.is_quantized()) return {};
  Memory out{reinterpret_cast<int64_t>(it.storage().unsafeGetStorageImpl()), it.storage_offset(),
             static_cast<int64_t>(it.scalar_type()), it.is_conj(), it.is_neg(), it.dim()};
  out.insert(out.end(), it.sizes().begin(), it.sizes().end());
  out.insert(out.end(), it.strides().begin(), it.strides().end());
  return out;
}

class Recorder {
 public:
  explicit Recorder(const std::vector<at::Tensor>& inputs) : tape_(std::make_unique<ts_tape>()) {
    tape_->n_inputs = inputs.size();
    for (const auto& input : inputs) name(input);
  }

  void see(const c10::OperatorHandle& op, c10::DispatchKeySet keys, torch::jit::Stack& stack);
  void refuse(std::string why) {
    if (refused_.empty()) refused_ = std::move(why);
  }
  // Gives tensors from outside the values back that they had before the recording.
  void undo();
  std::unique_ptr<ts_tape> finish(const ts_recorded& wanted);
  const std::string& refused() const { return refused_; }

 private:
  int name(const at::Tensor& tensor);
  int find(const at::Tensor& tensor) const;
  // The register that holds a tensor. -1: the tensor is from outside, and becomes a constant that the tape keeps.
  int use(const at::Tensor& tensor);
  Argument read(const c10::IValue& value);
  void keep(const c10::IValue& value);
  void give(const at::Tensor& tensor, Instruction& to);
  void look_at(const c10::FunctionSchema& schema, const c10::OperatorHandle& op);
  void follow_numbers(Argument& argument, const std::unordered_map<uint64_t, int>& known);

  std::unique_ptr<ts_tape> tape_;
  std::unordered_map<const c10::TensorImpl*, int> registers_;
  std::map<Memory, int> by_memory_;
  std::unordered_set<const c10::TensorImpl*> outside_;
  std::vector<at::Tensor> held_;  // keeps all tensors alive, so that no memory is used twice
  std::vector<at::Tensor> named_;  // what the registers held
  std::vector<std::pair<at::Tensor, at::Tensor>> written_;
  std::string refused_;
};

std::unique_ptr<Recorder> recorder;

int Recorder::name(const at::Tensor& tensor) {
  const int at = static_cast<int>(tape_->n_registers++);
  registers_[tensor.unsafeGetTensorImpl()] = at;
  auto memory = memory_of(tensor);
  if (!memory.empty()) by_memory_[std::move(memory)] = at;
  named_.push_back(tensor);
  return at;
}

int Recorder::find(const at::Tensor& tensor) const {
  const auto found = registers_.find(tensor.unsafeGetTensorImpl());
  if (found != registers_.end()) return found->second;
  const auto memory = memory_of(tensor);
  if (memory.empty()) return -1;
  const auto place = by_memory_.find(memory);
  return place == by_memory_.end() ? -1 : place->second;
}

int Recorder::use(const at::Tensor& tensor) {
  if (!tensor.defined()) return -1;
  if (tensor.layout() != at::kStrided) refuse("a tensor is not dense");
  const int at = outside_.count(tensor.unsafeGetTensorImpl()) ? -1 : find(tensor);
  if (at < 0 && outside_.insert(tensor.unsafeGetTensorImpl()).second) held_.push_back(tensor);
  return at;
}

Argument Recorder::read(const c10::IValue& value) {
  Argument out;
  out.value = value;
  if (value.isTensor()) {
    const int at = use(value.toTensor());
    if (at < 0) return out;
    out.kind = Argument::tensor;
    out.from = {at};
    out.value = c10::IValue();
  } else if (value.isTensorList() || value.isOptionalTensorList()) {
    bool any = false;
    for (const auto& item : value.toListRef()) {
      out.from.push_back(item.isTensor() ? use(item.toTensor()) : -1);
      any = any || out.from.back() >= 0;
    }
    if (!any) {
      out.from.clear();
      out.value = value.toList().copy();
      return out;
    }
    out.kind = Argument::tensors;
    auto list = value.toList().copy();
    // The value keeps only the elements that are constants.
    for (size_t i = 0; i < out.from.size(); ++i)
      if (out.from[i] >= 0) list.set(i, c10::IValue(at::Tensor()));
    out.value = list;
  }
  return out;
}

void Recorder::keep(const c10::IValue& value) {
  const auto keep_one = [&](const at::Tensor& tensor) {
    if (!tensor.defined() || use(tensor) >= 0) return;
    for (const auto& known : written_)
      if (known.first.is_same(tensor)) return;
    written_.emplace_back(tensor, tensor.detach().clone());
  };
  const Unseen unseen;
  if (value.isTensor()) {
    keep_one(value.toTensor());
  } else if (value.isTensorList()) {
    for (const auto& item : value.toListRef()) keep_one(item.toTensor());
  }
}

void Recorder::give(const at::Tensor& tensor, Instruction& to) {
  if (!tensor.defined()) {
    to.results.push_back(-1);
    return;
  }
  if (tensor.layout() != at::kStrided) refuse("`" + to.op.schema().name() + "` gives a tensor that is not dense");
  const auto* it = tensor.unsafeGetTensorImpl();
  if (outside_.count(it)) {
    to.results.push_back(-1);
    return;
  }
  const auto found = registers_.find(it);
  to.results.push_back(found == registers_.end() ? name(tensor) : found->second);
}

void Recorder::look_at(const c10::FunctionSchema& schema, const c10::OperatorHandle& op) {
  if (op.hasTag(at::Tag::data_dependent_output))
    refuse("`" + schema.name() + "` reads values of a tensor, on which the further course may depend");
  else if (op.hasTag(at::Tag::dynamic_output_shape))
    refuse("the sizes of what `" + schema.name() + "` gives depend on values");
}

void Recorder::see(const c10::OperatorHandle& op, c10::DispatchKeySet keys, torch::jit::Stack& stack) {
  const auto& schema = op.schema();
  look_at(schema, op);
  const size_t n = schema.arguments().size(), first = stack.size() - n;
  Instruction it{op, {}, {}, {}, at::GradMode::is_enabled()};
  for (size_t i = 0; i < n; ++i) {
    it.arguments.push_back(read(stack[first + i]));
    const auto* alias = schema.arguments()[i].alias_info();
    if (alias && alias->isWrite()) keep(stack[first + i]);
  }
  {
    const Unseen unseen;
    op.redispatchBoxed(keys, &stack);
  }
  for (size_t i = first; i < stack.size(); ++i) {
    const auto& value = stack[i];
    if (value.isTensor()) {
      give(value.toTensor(), it);
    } else if (value.isTensorList()) {
      for (const auto& item : value.toListRef()) give(item.toTensor(), it);
    }
  }
  tape_->code.push_back(std::move(it));
}

void Recorder::undo() {
  const Plainly plainly;
  for (auto& [tensor, before] : written_) tensor.copy_(before);
}

uint64_t bits_of(double value) {
  uint64_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return bits;
}

void Recorder::follow_numbers(Argument& argument, const std::unordered_map<uint64_t, int>& known) {
  if (argument.kind != Argument::constant) return;
  const auto find = [&](double value) {
    const auto found = known.find(bits_of(value));
    return found == known.end() ? -1 : found->second;
  };
  auto& value = argument.value;
  if (value.isDouble()) {
    const int at = find(value.toDouble());
    if (at < 0) return;
    argument.kind = Argument::number;
    argument.from = {at};
  } else if (value.isList() && !value.isTensorList()) {
    std::vector<int> from;
    bool any = false;
    for (const auto& item : value.toListRef()) {
      from.push_back(item.isDouble() ? find(item.toDouble()) : -1);
      any = any || from.back() >= 0;
    }
    if (!any) return;
    argument.kind = Argument::numbers;
    argument.from = std::move(from);
    argument.value = value.toList().copy();
  } else if (value.isTensor() && value.toTensor().defined()) {
    const at::Tensor& it = value.toTensor();
    if (it.dim() != 0 || !it.is_cpu() || !it.is_floating_point()) return;
    int at = find(it.item<double>());
    // Looks for a number that was rounded to float32 on its way.
    if (at < 0 && it.scalar_type() == at::kFloat) {
      for (size_t i = 0; i < tape_->numbers.size() && at < 0; ++i)
        if (known.count(bits_of(tape_->numbers[i].value)) &&
            static_cast<float>(tape_->numbers[i].value) == it.item<float>())
          at = known.at(bits_of(tape_->numbers[i].value));
    }
    if (at < 0) return;
    argument.kind = Argument::wrapped_number;
    argument.from = {at};
    at::Tensor own = it.detach().clone();
    own.unsafeGetTensorImpl()->set_wrapped_number(it.unsafeGetTensorImpl()->is_wrapped_number());
    value = own;
  }
}

bool exchanges(const Instruction& it) { return it.op.schema().name() == "aten::t"; }

// A matrix whose dimensions are exchanged twice is itself: so autograd makes the gradient of each weight.
void undo_exchanges(ts_tape& tape) {
  std::unordered_map<int, int> exchanged, same;  // by register, the register of the other
  const auto rename = [&](Argument& argument) {
    if (argument.kind != Argument::tensor && argument.kind != Argument::tensors) return;
    for (int& at : argument.from)
      if (const auto known = same.find(at); known != same.end()) at = known->second;
  };
  for (Instruction& it : tape.code) {
    for (Argument& argument : it.arguments) rename(argument);
    if (!exchanges(it) || it.arguments[0].kind != Argument::tensor) continue;
    const int from = it.arguments[0].from[0], to = it.results[0];
    const auto known = exchanged.find(from);
    if (known == exchanged.end()) exchanged.emplace(to, from);
    else same.emplace(to, known->second);
  }
  for (Argument& result : tape.results) rename(result);
}

// The gradient of a bias: autograd sums with dimensions of one, which it takes away by a view.
void join_sum_and_view(ts_tape& tape, const std::vector<at::Tensor>& recorded) {
  std::vector<int> readers(tape.n_registers, 0);
  const auto note = [&](const Argument& argument) {
    if (argument.kind == Argument::tensor || argument.kind == Argument::tensors)
      for (const int at : argument.from)
        if (at >= 0) ++readers[static_cast<size_t>(at)];
  };
  for (const Instruction& it : tape.code)
    for (const Argument& argument : it.arguments) note(argument);
  for (const Argument& result : tape.results) note(result);
  for (size_t i = 1; i < tape.code.size(); ++i) {
    Instruction &sum = tape.code[i - 1], &view = tape.code[i];
    const auto is_constant = [](const Argument& argument) { return argument.kind == Argument::constant; };
    if (sum.op.operator_name() != c10::OperatorName{"aten::sum", "dim_IntList"} || view.op.schema().name() != "aten::view" ||
        view.arguments.size() != 2 || view.arguments[0].kind != Argument::tensor || !is_constant(view.arguments[1]) ||
        view.arguments[0].from[0] != sum.results[0] || !is_constant(sum.arguments[1]) || !is_constant(sum.arguments[2]))
      continue;
    const auto sums = static_cast<size_t>(sum.results[0]);
    const auto shape = recorded[sums].sizes();
    if (readers[sums] != 1 || !sum.arguments[1].value.isIntList() || !sum.arguments[2].value.toBool() || shape.size() < 2 ||
        sum.arguments[1].value.toIntVector().size() + 1 != shape.size() || recorded[sums].numel() != shape.back() ||
        view.arguments[1].value.toIntVector().size() != 1)
      continue;
    sum.arguments[2].value = false;
    sum.results = view.results;
    tape.code.erase(tape.code.begin() + static_cast<std::ptrdiff_t>(i));
  }
}

// Marks where registers are let go of: after the last instruction that reads them. Results that nothing reads get no
// register, and an exchange of dimensions that nothing reads goes.
void tidy(ts_tape& tape) {
  std::vector<bool> read(tape.n_registers, false);
  const auto mark = [&](const Argument& argument) {
    if (argument.kind == Argument::tensor || argument.kind == Argument::tensors)
      for (const int at : argument.from)
        if (at >= 0) read[static_cast<size_t>(at)] = true;
  };
  for (const auto& it : tape.results) mark(it);
  const std::vector<bool> results = read;
  for (size_t i = tape.code.size(); i-- > 0;) {
    auto& it = tape.code[i];
    for (int& to : it.results)
      if (to >= 0 && !read[static_cast<size_t>(to)]) to = -1;
    if (exchanges(it) && it.results[0] < 0) {
      tape.code.erase(tape.code.begin() + static_cast<std::ptrdiff_t>(i));
      continue;
    }
    std::unordered_set<int> gone;
    for (const auto& argument : it.arguments) {
      if (argument.kind != Argument::tensor && argument.kind != Argument::tensors) continue;
      for (const int at : argument.from)
        if (at >= 0 && !read[static_cast<size_t>(at)]) gone.insert(at);
    }
    it.last.assign(gone.begin(), gone.end());
    for (const auto& argument : it.arguments) mark(argument);
  }
}

std::unique_ptr<ts_tape> Recorder::finish(const ts_recorded& wanted) {
  const Plainly plainly;
  for (size_t i = 0; i < wanted.n_results; ++i) {
    const at::Tensor result = borrow(wanted.results[i]);
    tape_->results.push_back(read(result));
    tape_->targets.push_back(wanted.targets && wanted.targets[i] ? borrow(wanted.targets[i]) : at::Tensor());
  }
  tape_->numbers.assign(wanted.numbers, wanted.numbers + wanted.n_numbers);
  tape_->n_given = wanted.n_given;
  tape_->next.assign(wanted.next, wanted.next + wanted.n_given);
  std::unordered_map<uint64_t, int> known;
  std::vector<bool> varies(wanted.n_numbers, false);
  for (size_t i = 0; i < wanted.n_numbers; ++i) {
    const auto& it = tape_->numbers[i];
    bool does = i < wanted.n_given;
    if (!does && it.op != TS_NUMBER_CONSTANT)
      for (const int32_t of : it.of) does = does || (of >= 0 && varies[static_cast<size_t>(of)]);
    varies[i] = does;
    if (does) known.emplace(bits_of(it.value), static_cast<int>(i));
  }
  if (!known.empty())
    for (auto& it : tape_->code)
      for (auto& argument : it.arguments) follow_numbers(argument, known);
  undo_exchanges(*tape_);
  join_sum_and_view(*tape_, named_);
  tidy(*tape_);
  tape_->plan = Plan::of(*tape_, named_);
  return std::move(tape_);
}

// Whether to let the operator run instead of recording it: it is made of other operators, which are recorded, or it
// casts its arguments and is then called again.
bool opens(const c10::OperatorHandle& op, c10::DispatchKeySet keys) {
  if (!(keys & c10::autocast_dispatch_keyset).empty()) return true;
  return op.hasKernelForDispatchKey(c10::DispatchKey::CompositeImplicitAutograd) &&
         !op.hasKernelForDispatchKey(c10::DispatchKey::CPU) && !op.hasKernelForDispatchKey(c10::DispatchKey::CUDA) &&
         !op.hasKernelForDispatchKey(c10::DispatchKey::Autograd);
}

void on_call(const c10::OperatorHandle& op, c10::DispatchKeySet keys, torch::jit::Stack* stack) {
  const auto below = keys & c10::DispatchKeySet(c10::DispatchKeySet::FULL_AFTER, kMode);
  if (!recorder) {
    const Unseen unseen;
    return op.redispatchBoxed(below, stack);
  }
  if (opens(op, below)) return op.redispatchBoxed(below, stack);
  recorder->see(op, below, *stack);
}

TORCH_LIBRARY_IMPL(_, TESTING_ONLY_GenericMode, m) {
  m.fallback(torch::CppFunction::makeFromBoxedFunction<&on_call>());
}

}  // namespace

bool is_recording() noexcept { return recorder != nullptr; }

void note_read(const char* how) noexcept {
  if (recorder && !c10::impl::tls_is_dispatch_key_excluded(kMode)) recorder->refuse(how);
}

}  // namespace shim

int ts_record_begin(ts_tensor* const* inputs, size_t n) {
  return shim::guarded([&] {
    TORCH_CHECK(!shim::recorder, "a recording runs already");
    shim::recorder = std::make_unique<shim::Recorder>(shim::borrow_all(inputs, n));
    c10::impl::tls_set_dispatch_key_included(shim::kMode, true);
  });
}

int ts_record_end(const ts_recorded* wanted, ts_tape** out) {
  return shim::guarded([&] {
    TORCH_CHECK(shim::recorder, "no recording runs");
    c10::impl::tls_set_dispatch_key_included(shim::kMode, false);
    const auto mine = std::move(shim::recorder);
    shim::recorder = nullptr;
    std::unique_ptr<ts_tape> tape;
    if (wanted && mine->refused().empty()) tape = mine->finish(*wanted);
    if (!wanted || wanted->undo) mine->undo();
    TORCH_CHECK(!wanted || mine->refused().empty(), mine->refused());
    *out = tape.release();
  });
}
