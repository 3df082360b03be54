// Groups the operators of a tape so that they run as kernels.
#pragma once
#include "fuse/group.h"
#include "train/tape.h"

namespace shim {

// One step of a tape: an operator as it was recorded, or several as a group.
struct Work {
  const Instruction* instruction = nullptr;
  std::shared_ptr<fuse::Fused> group;
  std::vector<Argument> arguments;  // arguments of the group
  std::vector<int> results;         // registers, one for each result of the group
};

// `recorded` holds what was in the registers. If the fuser finds nothing to do, the result is the code as it is.
std::vector<Work> work_of(const ts_tape& tape, const std::vector<at::Tensor>& recorded);

}  // namespace shim
