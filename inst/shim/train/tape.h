// A tape: recorded operators as a flat list that can be run again without autograd. Registers hold the tensors of a
// run. Numbers that change from run to run are computed from those that are given.
#pragma once
#include "core/pch.h"
#include "torch_shim.h"

#include <memory>
#include <vector>

namespace shim {

struct Argument {
  enum Kind {
    constant,
    tensor,   // from a register
    tensors,  // a list; some elements are from registers
    number,
    numbers,      // a list; some elements are changing numbers
    wrapped_number  // a tensor of one element that holds a changing number
  } kind = constant;
  c10::IValue value;      // a constant, or a list with the elements that are constants
  std::vector<int> from;  // numbers of registers or changing numbers; -1: a constant
};

struct Instruction {
  c10::OperatorHandle op;
  std::vector<Argument> arguments;
  std::vector<int> results;  // a register for each tensor that it returns; -1: none needs it
  std::vector<int> last;     // registers that no later instruction reads
  bool grad_mode;            // whether gradients were on: some kernels do more for a backward pass
};

}  // namespace shim

namespace shim {
class Plan;
}

struct ts_tape {
  ts_tape();
  ~ts_tape();
  // `given` holds the values of the given numbers, and afterwards those for the next run. The results are valid until
  // the next run.
  std::vector<at::Tensor> run(const std::vector<at::Tensor>& inputs, double* given) const;

  size_t n_inputs = 0;
  size_t n_registers = 0;
  std::vector<shim::Instruction> code;
  std::vector<shim::Argument> results;  // constants or registers
  std::vector<at::Tensor> targets;      // tensors that take the results; undefined: none
  std::vector<ts_number> numbers;
  size_t n_given = 0;
  std::vector<int> next;
  std::unique_ptr<shim::Plan> plan;  // NULL: the code runs as it is

 private:
  void run_code(const std::vector<at::Tensor>& inputs, const std::vector<double>& numbers,
                std::vector<at::Tensor>& registers) const;
};

namespace shim {

// The value of an argument in a run, given the registers and numbers of that run.
c10::IValue argument_now(const Argument& argument, const std::vector<at::Tensor>& registers, const std::vector<double>& numbers);
// Moves the results of an operator from the stack into registers.
void take_results(const std::vector<int>& to, torch::jit::Stack& stack, std::vector<at::Tensor>& registers);

// Describes where two tapes of the same code differ in constants; "" if they do not.
std::string difference(const ts_tape& one, const ts_tape& other);
std::string text_of(const ts_tape& tape);

// While an object of this class lives, operators bypass autograd, autocast and a recording.
class Plainly {
  at::NoGradGuard no_grad_;
  at::AutoDispatchBelowADInplaceOrView below_autograd_;
  c10::impl::ExcludeDispatchKeyGuard no_cast_;
  c10::impl::ExcludeDispatchKeyGuard unrecorded_;

 public:
  Plainly();
};

}  // namespace shim
