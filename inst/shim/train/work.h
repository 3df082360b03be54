// A tape's operators in groups that run as kernels.
#pragma once
#include "fuse/group.h"
#include "train/tape.h"

namespace shim {

// What a tape does, in order: an operator as it was recorded, or several as a group.
struct Work {
  const Instruction* instruction = nullptr;
  std::shared_ptr<fuse::Fused> group;
  std::vector<Argument> arguments;  // of the group
  std::vector<int> results;         // registers, one for each result of the group
};

// `recorded`: what the registers held. Where the fuser has nothing to do, the code as it is.
std::vector<Work> work_of(const ts_tape& tape, const std::vector<at::Tensor>& recorded);

}  // namespace shim
