// Translator makes expressions (builder.h) of the operators of a group's graph.
#pragma once
#include "fuse/build.h"
#include "fuse/builder.h"

namespace shim::fuse {

class Translator;

// What is told of an operator that is no single formula.
enum Trait : unsigned {
  plainly = 0,
  worth = 1,      // it is worth a kernel even if it is alone
  inside = 2,     // it is a view, which must not leave the group
  multiplied = 4, // it is a product of matrices
  reshaped = 8,   // it takes sizes apart or puts them together
  gathered = 16,  // its first argument is a list of tensors
  choosing = 32,  // its second argument picks elements of rows
};

// An operator that is no single formula.
struct Composite {
  Id (Translator::*write)(torch::jit::Node* node, const at::Tensor& out);
  // Whether the node can be translated, by what the graph tells before there are sizes.
  bool (*fits)(const torch::jit::Node& node);
  unsigned traits = plainly;
  int sizes = 0;  // the argument that holds sizes as numbers; 0 if there is none

  bool is(Trait trait) const { return (traits & trait) != 0; }
};
const Composite* composite_of(c10::Symbol op);
// Whether it sums over all dimensions but the last, as far as the graph tells.
bool sums_columns(const torch::jit::Node& node);

class Translator {
 public:
  // Runs the graph once on tiny tensors, or on tensors without memory, which tell dtypes and shapes as LibTorch has them.
  Translator(Builder& builder, torch::jit::Graph& graph, const std::vector<Argument>& arguments, const Real& real);

  // The expression of a value of the graph, and the value in the probe.
  Id of(const torch::jit::Value* value) const;
  at::Tensor probed(const torch::jit::Value* value) const;

  std::vector<int> slots;  // the slots of the graph's inputs, -1 for numbers
  // Results of softmax and its like with their arguments: these are differentiated as a whole.
  struct Softmax {
    Id input;
    bool log;
  };
  std::map<Id, Softmax> softmaxes;

 private:
  at::Tensor probe(at::IntArrayRef sizes, at::ScalarType dtype) const;
  void run(const torch::jit::Node& node, torch::jit::Stack& stack) const;
  void translate(torch::jit::Node* node);

  c10::IValue constant(const torch::jit::Node* node, size_t i) const;
  Id arg(const torch::jit::Node* node, size_t i) const;

  Id compute(torch::jit::Node* node);

  // Checks that an expression has the sizes that LibTorch found.
  Id checked(Id id, const at::Tensor& out);

  at::ScalarType common_type(const torch::jit::Node* node) const;

  // Sizes that a program has as numbers, as the probe has them.
  std::vector<int64_t> sizes_of_probe(const std::vector<int64_t>& sizes) const;

  static void expect_floating(const at::Tensor& out) {
    if (!c10::isFloatingType(out.scalar_type())) throw Unfusable{"it is no floating point number"};
  }
  Id cast(Id id, at::ScalarType dtype);
  Id formula(const char* text, std::vector<const char*> derivatives, std::vector<Id> args, at::ScalarType type);
  // A value of each row without the dimension that was reduced.
  Id without_last(Id id);
  Id reduced(Reduction reduction, Id a, const c10::IValue& dims, bool keep, at::ScalarType dtype, bool mean);
  // beta, reduction_at: which arguments of the operator these are. beta is 0 if it has none.
  Id loss(torch::jit::Node* node, const at::Tensor& out, const char* text, std::vector<const char*> derivatives, size_t beta,
          size_t reduction_at);

  friend const Composite* composite_of(c10::Symbol op);
  Id sum(torch::jit::Node* node, const at::Tensor& out);
  Id extreme(torch::jit::Node* node, const at::Tensor& out);
  Id variance(torch::jit::Node* node, const at::Tensor& out);
  Id softmax(torch::jit::Node* node, const at::Tensor& out);
  Id softmax_backward(torch::jit::Node* node, const at::Tensor& out);
  Id norm(torch::jit::Node* node, const at::Tensor& out);
  Id mse_loss(torch::jit::Node* node, const at::Tensor& out);
  Id mse_loss_backward(torch::jit::Node* node, const at::Tensor& out);
  Id l1_loss(torch::jit::Node* node, const at::Tensor& out);
  Id smooth_l1_loss(torch::jit::Node* node, const at::Tensor& out);
  Id huber_loss(torch::jit::Node* node, const at::Tensor& out);
  Id logits_loss(torch::jit::Node* node, const at::Tensor& out);
  Id class_loss(torch::jit::Node* node, const at::Tensor& out);
  Id softmax_of(Id x, bool log, at::ScalarType dtype);
  struct Matrix {
    Id id;
    bool turned;
  };
  Matrix matrix(const torch::jit::Node* node, size_t i) const;
  Id product(Matrix a, Matrix b, const at::Tensor& out);
  Id linear(torch::jit::Node* node, const at::Tensor& out);
  Id mm(torch::jit::Node* node, const at::Tensor& out);
  Id addmm(torch::jit::Node* node, const at::Tensor& out);
  Id expand(torch::jit::Node* node, const at::Tensor& out);
  Id pack(torch::jit::Node* node, const at::Tensor& out);
  Id permute(torch::jit::Node* node, const at::Tensor& out);
  Id reshape(torch::jit::Node* node, const at::Tensor& out);
  Id select(torch::jit::Node* node, const at::Tensor& out);
  Id slice(torch::jit::Node* node, const at::Tensor& out);
  Id cat(torch::jit::Node* node, const at::Tensor& out);
  Id needed(const torch::jit::Node* node) const;
  // The first argument in the sizes that LibTorch gives it.
  Id whole(const torch::jit::Node* node);
  // The parts of a tensor that an operator gives as a list.
  void unpack(torch::jit::Node* node);

  Builder& b_;
  const Real& real_;
  std::map<const torch::jit::Value*, c10::IValue> probe_;
  std::map<const torch::jit::Value*, Id> id_;
  std::map<const torch::jit::Value*, Id> turned_;  // of matrices with their dimensions exchanged, those without
  std::map<Id, Id> open_;  // reductions without their last dimension, and the expression that still has it
};

}  // namespace shim::fuse
