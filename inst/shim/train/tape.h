// A tape: what operators did, as a flat list without autograd that can be run again. Registers hold the tensors of a run;
// numbers that change from run to run are computed of those that are given.
#pragma once
#include "core/pch.h"
#include "torch_shim.h"

#include <memory>
#include <vector>

namespace shim {

struct Argument {
  enum Kind {
    constant,
    tensor,   // of a register
    tensors,  // a list, some elements of which are of registers
    number,
    numbers,      // a list, some elements of which are numbers
    wrapped_number  // a tensor of one element that holds a number
  } kind = constant;
  c10::IValue value;      // of a constant; of a list its form, with the elements that are constants
  std::vector<int> from;  // registers or numbers; -1: the element is a constant
};

struct Instruction {
  c10::OperatorHandle op;
  std::vector<Argument> arguments;
  std::vector<int> results;  // a register for each tensor that it gives, -1: not needed
  std::vector<int> last;     // registers that nothing reads later
  bool grad_mode;            // as it was: some kernels leave out what only a backward pass needs
};

}  // namespace shim

namespace shim {
class Plan;
}

struct ts_tape {
  ts_tape();
  ~ts_tape();
  // `given`: values of the given numbers; they become those of the next run. What it gives is valid until the next run.
  std::vector<at::Tensor> run(const std::vector<at::Tensor>& inputs, double* given) const;

  size_t n_inputs = 0;
  size_t n_registers = 0;
  std::vector<shim::Instruction> code;
  std::vector<shim::Argument> results;  // constants or registers
  std::vector<at::Tensor> targets;      // undefined: none
  std::vector<ts_number> numbers;
  size_t n_given = 0;
  std::vector<int> next;
  std::unique_ptr<shim::Plan> plan;  // NULL: the code runs as it is

 private:
  void run_code(const std::vector<at::Tensor>& inputs, const std::vector<double>& numbers,
                std::vector<at::Tensor>& registers) const;
};

namespace shim {

// The argument of a run, with what the run has in its registers.
c10::IValue argument_now(const Argument& argument, const std::vector<at::Tensor>& registers, const std::vector<double>& numbers);
// What an operator left on the stack goes into registers.
void take_results(const std::vector<int>& to, torch::jit::Stack& stack, std::vector<at::Tensor>& registers);

// Where two tapes of the same code differ in what is constant, "" if nowhere.
std::string difference(const ts_tape& one, const ts_tape& other);
std::string text_of(const ts_tape& tape);

// What runs while one lives goes past autograd, autocast and a recording.
class Plainly {
  at::NoGradGuard no_grad_;
  at::AutoDispatchBelowADInplaceOrView below_autograd_;
  c10::impl::ExcludeDispatchKeyGuard no_cast_;
  c10::impl::ExcludeDispatchKeyGuard unrecorded_;

 public:
  Plainly();
};

}  // namespace shim
