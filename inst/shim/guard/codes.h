// Dtypes, layouts and memory formats are numbers in TorchScript. LibTorch reads its tables at that place without a look,
// or waits for ever.
#pragma once
#include "core/pch.h"

namespace shim {

// Which arguments of an operator are such numbers.
class Codes {
 public:
  Codes() = default;
  explicit Codes(const c10::FunctionSchema& schema);
  bool empty() const { return all_.empty(); }
  // Throws if one of the arguments, which are the last of the stack, stands for nothing.
  void check(const torch::jit::Stack& stack) const;
  // The same of the constants among a node's inputs.
  void check(const torch::jit::Node& node) const;

 private:
  struct Code {
    size_t argument;
    std::string name;
    const char* what;
    int64_t end;
    void check(const c10::IValue& value) const;
  };
  std::vector<Code> all_;
  size_t n_arguments_ = 0;
};

// Throws if an operator of the graph has a constant that stands for nothing.
void check_codes(const torch::jit::Graph& graph);

}  // namespace shim
