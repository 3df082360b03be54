// A tape made ready: the tensors of a recording stay where they are and are filled anew by each run. Views of what stays, and
// constants, are made no more; operators that can write into a given tensor do.
#pragma once
#include "train/work.h"

#include <optional>

namespace shim {

class Plan {
 public:
  // `recorded`: what the registers held. NULL where they are too large to be kept.
  static std::unique_ptr<Plan> of(const ts_tape& tape, const std::vector<at::Tensor>& recorded);

  // Whether all tensors from outside still have the memory that views were made of.
  bool holds() const;
  void run(const std::vector<at::Tensor>& inputs, const std::vector<double>& numbers);
  const std::vector<at::Tensor>& registers() const { return registers_; }
  // Lets go of what does not stay.
  void forget();

 private:
  struct Step {
    std::optional<c10::OperatorHandle> op;                  // or else
    std::shared_ptr<fuse::Fused> group;
    std::vector<at::Tensor> into;                           // results of a group that stay
    std::vector<c10::IValue> stack;                         // the arguments that stay
    std::vector<std::pair<size_t, Argument>> arguments;     // and those that do not, with their places
    std::vector<int> results;
    std::vector<int> last;
    bool grad_mode = false;
  };

  void let_go_early(const ts_tape& tape);
  void run_group(const Step& step, torch::jit::Stack& stack);

  std::vector<Step> steps_;
  std::vector<at::Tensor> registers_;
  std::vector<bool> stays_;
  std::vector<std::pair<at::Tensor, const void*>> outside_;
};

}  // namespace shim
