// From a group's graph to expressions.
#pragma once
#include "fuse/build.h"
#include "fuse/builder.h"

namespace shim::fuse {

class Translator {
 public:
  // Runs the graph once on tiny tensors, which tell dtypes and shapes as LibTorch has them.
  Translator(Builder& builder, torch::jit::Graph& graph, const std::vector<Argument>& arguments, const Real& real);

  // The expression of a value of the graph, and what the value was in the probe.
  Id of(const torch::jit::Value* value) const;
  at::Tensor probed(const torch::jit::Value* value) const;

  std::vector<int> slots;  // of the graph's inputs, -1 for numbers
  // Where softmax and its like are differentiated as one: result, and what it is of.
  struct Softmax {
    Id input;
    bool log;
  };
  std::map<Id, Softmax> softmaxes;

 private:
  void translate(torch::jit::Node* node);

  c10::IValue constant(const torch::jit::Node* node, size_t i) const;
  Id arg(const torch::jit::Node* node, size_t i) const;

  Id compute(torch::jit::Node* node);

  // The formula's sizes are LibTorch's.
  Id checked(Id id, const at::Tensor& out);

  at::ScalarType common_type(const torch::jit::Node* node) const;

  // Whether dimensions are all, or the last alone; others are refused.
  bool is_whole(const c10::IValue& dims, int64_t rank) const;

  Id reduced(Reduction reduction, Id a, const c10::IValue& dims, bool keep, at::ScalarType dtype, bool mean);
  Id formula(const char* text, std::vector<const char*> derivatives, std::vector<Id> args, at::ScalarType type);

  Id loss(Id each, int64_t reduction, at::ScalarType dtype);

  Id composite(const std::string& name, torch::jit::Node* node, const at::Tensor& out, at::ScalarType dtype);

  Builder& b_;
  const Real& real_;
  std::map<const torch::jit::Value*, c10::IValue> probe_;
  std::map<const torch::jit::Value*, Id> id_;
};

}  // namespace shim::fuse
