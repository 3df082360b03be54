// Dtypes, layouts and memory formats are numbers in TorchScript. LibTorch uses such a number as a position in its
// tables without checking it; some wrong ones make it wait for ever.
#pragma once
#include "core/pch.h"

namespace shim {

// The arguments of an operator that are such numbers.
class Codes {
 public:
  Codes() = default;
  explicit Codes(const c10::FunctionSchema& schema);
  bool empty() const { return all_.empty(); }
  // Throws if one of the arguments, which are on top of the stack, is not a valid number.
  void check(const torch::jit::Stack& stack) const;
  // Does the same for constants among the inputs of a node.
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

// Throws if a node of the graph has such a constant.
void check_codes(const torch::jit::Graph& graph);

}  // namespace shim
