#include "train/tape.h"

#include "core/callable.h"
#include "train/plan.h"

#include <cmath>
#include <sstream>

namespace shim {

Plainly::Plainly()
    : no_cast_(c10::autocast_dispatch_keyset), unrecorded_(c10::DispatchKey::TESTING_ONLY_GenericMode) {}

namespace {

double computed(const ts_number& it, const std::vector<double>& values) {
  const auto of = [&](int i) { return values[static_cast<size_t>(it.of[i])]; };
  switch (it.op) {
    case TS_NUMBER_CONSTANT: return it.value;
    case TS_NUMBER_ADD: return of(0) + of(1);
    case TS_NUMBER_SUBTRACT: return of(0) - of(1);
    case TS_NUMBER_MULTIPLY: return of(0) * of(1);
    case TS_NUMBER_DIVIDE: return of(0) / of(1);
    case TS_NUMBER_POWER: return of(0) == 1 || of(1) == 0 ? 1 : std::pow(of(0), of(1));
    case TS_NUMBER_LARGER: return std::fmax(of(0), of(1));
    case TS_NUMBER_SMALLER: return std::fmin(of(0), of(1));
    case TS_NUMBER_NEGATIVE: return -of(0);
    case TS_NUMBER_SQRT: return std::sqrt(of(0));
    case TS_NUMBER_EXP: return std::exp(of(0));
    case TS_NUMBER_LOG: return std::log(of(0));
    case TS_NUMBER_ABS: return std::fabs(of(0));
    case TS_NUMBER_COS: return std::cos(of(0));
    case TS_NUMBER_SIN: return std::sin(of(0));
    case TS_NUMBER_IS_LESS: return of(0) < of(1);
    case TS_NUMBER_IS_LESS_OR_EQUAL: return of(0) <= of(1);
    case TS_NUMBER_CHOOSE: return of(0) != 0 ? of(1) : of(2);
    default: TORCH_CHECK(false, "a number of kind ", it.op, " is unknown");
  }
}

std::vector<double> compute_numbers(const ts_tape& tape, const double* given) {
  std::vector<double> values(tape.numbers.size());
  for (size_t i = 0; i < values.size(); ++i)
    values[i] = i < tape.n_given ? given[i] : computed(tape.numbers[i], values);
  return values;
}

}  // namespace

// A kernel reads the list only while it runs, so the same list serves all runs.
c10::IValue argument_now(const Argument& it, const std::vector<at::Tensor>& registers, const std::vector<double>& numbers) {
  switch (it.kind) {
    case Argument::tensor: return registers[static_cast<size_t>(it.from[0])];
    case Argument::number: return numbers[static_cast<size_t>(it.from[0])];
    case Argument::wrapped_number: it.value.toTensor().fill_(numbers[static_cast<size_t>(it.from[0])]); break;
    case Argument::tensors:
    case Argument::numbers: {
      auto list = it.value.toList();
      for (size_t i = 0; i < it.from.size(); ++i) {
        if (it.from[i] < 0) continue;
        const auto at = static_cast<size_t>(it.from[i]);
        list.set(i, it.kind == Argument::tensors ? c10::IValue(registers[at]) : c10::IValue(numbers[at]));
      }
      break;
    }
    case Argument::constant: break;
  }
  return it.value;
}

void take_results(const std::vector<int>& to, torch::jit::Stack& stack, std::vector<at::Tensor>& registers) {
  size_t n = 0;
  const auto take = [&](at::Tensor tensor) {
    const int place = n < to.size() ? to[n] : -1;
    ++n;
    if (place >= 0) registers[static_cast<size_t>(place)] = std::move(tensor);
  };
  for (auto& value : stack) {
    if (value.isTensor()) {
      take(std::move(value).toTensor());
    } else if (value.isTensorList()) {
      for (at::Tensor tensor : value.toTensorList()) take(std::move(tensor));
    }
  }
}

}  // namespace shim

ts_tape::ts_tape() = default;
ts_tape::~ts_tape() = default;

void ts_tape::run_code(const std::vector<at::Tensor>& inputs, const std::vector<double>& computed,
                       std::vector<at::Tensor>& registers) const {
  std::copy(inputs.begin(), inputs.end(), registers.begin());
  shim::StackFrame frame;
  auto& stack = frame.stack();
  for (const auto& it : code) {
    stack.clear();
    for (const auto& argument : it.arguments) stack.push_back(shim::argument_now(argument, registers, computed));
    const at::AutoGradMode as_recorded(it.grad_mode);
    it.op.callBoxed(&stack);
    shim::take_results(it.results, stack, registers);
    for (const int gone : it.last) registers[static_cast<size_t>(gone)] = at::Tensor();
  }
}

std::vector<at::Tensor> ts_tape::run(const std::vector<at::Tensor>& inputs, double* given) const {
  TORCH_CHECK(inputs.size() == n_inputs, "the tape takes ", n_inputs, " tensors, not ", inputs.size());
  const auto computed = shim::compute_numbers(*this, given);
  std::vector<at::Tensor> own;
  const bool planned = plan && plan->holds();
  if (planned) {
    plan->run(inputs, computed);
  } else {
    own.resize(n_registers);
    run_code(inputs, computed, own);
  }
  const auto& registers = planned ? plan->registers() : own;
  std::vector<at::Tensor> out;
  out.reserve(results.size());
  for (size_t i = 0; i < results.size(); ++i) {
    out.push_back(results[i].kind == shim::Argument::tensor ? registers[static_cast<size_t>(results[i].from[0])]
                                                            : results[i].value.toTensor());
    if (targets[i].defined()) at::Tensor(targets[i]).copy_(out.back());
  }
  if (planned) plan->forget();
  for (size_t i = 0; i < n_given; ++i)
    if (next[i] >= 0) given[i] = computed[static_cast<size_t>(next[i])];
  return out;
}

namespace shim {
namespace {

bool same_tensors(const at::Tensor& a, const at::Tensor& b) {
  if (a.is_same(b) || (!a.defined() && !b.defined())) return true;
  return a.defined() && b.defined() && a.sizes() == b.sizes() && a.scalar_type() == b.scalar_type() &&
         a.device() == b.device() && a.equal(b);
}

bool same_values(const c10::IValue& a, const c10::IValue& b) {
  if (a.isTensor() && b.isTensor()) return same_tensors(a.toTensor(), b.toTensor());
  if (a.isList() && b.isList()) {
    const auto one = a.toListRef(), other = b.toListRef();
    if (one.size() != other.size()) return false;
    for (size_t i = 0; i < one.size(); ++i)
      if (!same_values(one[i], other[i])) return false;
    return true;
  }
  if (a.isDouble() && b.isDouble()) return a.toDouble() == b.toDouble() || (std::isnan(a.toDouble()) && std::isnan(b.toDouble()));
  if (a.tagKind() != b.tagKind()) return false;
  return a.isGenerator() || a.isDevice() || a.isNone() || a == b;
}

bool same_arguments(const Argument& a, const Argument& b) {
  if (a.kind != b.kind || a.from != b.from) return false;
  switch (a.kind) {
    case Argument::constant: return same_values(a.value, b.value);
    case Argument::tensors:
    case Argument::numbers: {
      const auto one = a.value.toListRef(), other = b.value.toListRef();
      for (size_t i = 0; i < a.from.size(); ++i)
        if (a.from[i] < 0 && !same_values(one[i], other[i])) return false;
      return true;
    }
    default: return true;
  }
}

void write(std::ostream& out, const Argument& it) {
  const char* mark = it.kind == Argument::number || it.kind == Argument::numbers ? "n" : "%";
  switch (it.kind) {
    case Argument::constant:
      if (it.value.isTensor())
        out << (it.value.toTensor().defined() ? "tensor" : "none");
      else
        out << it.value;
      return;
    case Argument::tensors:
    case Argument::numbers: {
      out << "[";
      for (size_t i = 0; i < it.from.size(); ++i) {
        if (i) out << ", ";
        if (it.from[i] < 0) out << "tensor";
        else out << mark << it.from[i];
      }
      out << "]";
      return;
    }
    case Argument::wrapped_number: out << "n" << it.from[0]; return;
    default: out << mark << it.from[0];
  }
}

}  // namespace

std::string difference(const ts_tape& one, const ts_tape& other) {
  std::ostringstream out;
  const size_t n = std::min(one.code.size(), other.code.size());
  for (size_t i = 0; i < n; ++i) {
    const auto &a = one.code[i], &b = other.code[i];
    const auto& schema = a.op.schema();
    if (schema != b.op.schema()) {
      out << "`" << schema.name() << "` is called where it was `" << b.op.schema().name() << "`";
      return out.str();
    }
    for (size_t k = 0; k < a.arguments.size(); ++k) {
      if (same_arguments(a.arguments[k], b.arguments[k])) continue;
      out << "the argument `" << schema.arguments()[k].name() << "` of `" << schema.name() << "` changes";
      return out.str();
    }
  }
  if (one.code.size() != other.code.size()) return "the number of operators changes";
  if (one.next != other.next) return "a number that is kept changes";
  if (one.results.size() != other.results.size()) return "what is kept changes";
  for (size_t i = 0; i < one.results.size(); ++i)
    if (!same_arguments(one.results[i], other.results[i])) return "a tensor that is kept changes";
  return "";
}

std::string text_of(const ts_tape& tape) {
  std::ostringstream out;
  for (const auto& it : tape.code) {
    for (size_t i = 0; i < it.results.size(); ++i)
      if (it.results[i] >= 0) out << "%" << it.results[i] << " ";
    out << "= " << it.op.schema().name();
    if (!it.op.schema().overload_name().empty()) out << "." << it.op.schema().overload_name();
    out << "(";
    for (size_t i = 0; i < it.arguments.size(); ++i) {
      if (i) out << ", ";
      write(out, it.arguments[i]);
    }
    out << ")\n";
  }
  return out.str();
}

}  // namespace shim
