// A tape prepared for many runs. Most tensors of the recording stay where they are, and each run fills them anew. Views
// of them and constants are not made again. Operators that can write into a given tensor do so.
#pragma once
#include "train/work.h"

#include <optional>

namespace shim {

class Plan {
 public:
  // `recorded` holds what was in the registers. NULL if that is too large to be kept.
  static std::unique_ptr<Plan> of(const ts_tape& tape, const std::vector<at::Tensor>& recorded);

  // Whether the tensors from outside still have the memory that the views were made of.
  bool holds() const;
  void run(const std::vector<at::Tensor>& inputs, const std::vector<double>& numbers);
  const std::vector<at::Tensor>& registers() const { return registers_; }
  // Lets go of tensors that do not stay from run to run.
  void forget();

 private:
  struct Step {
    std::optional<c10::OperatorHandle> op;                  // either this or `group` is set
    std::shared_ptr<fuse::Fused> group;
    std::vector<at::Tensor> into;                           // tensors that stay, which take the results of the group
    std::vector<c10::IValue> stack;                         // all arguments; empty values for those that do not stay
    std::vector<std::pair<size_t, Argument>> arguments;     // arguments that do not stay, with their places
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
