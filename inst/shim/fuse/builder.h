// Builder collects expressions and divides them among kernels. Where an expression can't be computed in the kernel of its
// arguments, these become results of a kernel that runs before.
#pragma once
#include "fuse/formulas.h"
#include "fuse/program.h"

#include <map>
#include <set>
#include <unordered_map>

namespace shim::fuse {

int64_t count(const Sizes& shape);
// The sizes without leading ones.
Sizes trimmed(const Sizes& shape);

// Formulas that give their argument. `same` has a derivative.
const Formula& plain();
const Formula& same();

class Builder {
 public:
  Program program;

  Id tensor(int slot);

  int argument_slot(at::ScalarType dtype, const Sizes& shape, bool unsqueeze = false);

  Id number(const c10::IValue& value, int input);
  // The number of elements of a shape, and one over it.
  Id count_of(const Sizes& shape, at::ScalarType dtype) { return number_of(Number::count, shape, dtype); }
  Id inverse_count(const Sizes& shape, at::ScalarType dtype) { return number_of(Number::inverse, shape, dtype); }
  // The number of elements of a shape over that number less a correction, or over 0 if it is smaller.
  Id corrected_count(const Sizes& shape, double correction, at::ScalarType dtype);
  // The position of an element in its row, from 0.
  Id position();

  Id formula(const Formula& f, std::vector<Id> args, at::ScalarType compute, at::ScalarType dtype,
             const std::string& letters = "abcdefh");

  // The value that an operator gives: in half precision LibTorch rounds it.
  Id rounded(Id id);

  Id reduce(Reduction reduction, Id a, bool whole, at::ScalarType dtype);

  // The product of two matrices, or of as many as the leading dimensions of both count if it is `batched`. Otherwise the leading
  // dimensions of a tensor count as one. turn_a, turn_b: which are read with their last two dimensions exchanged.
  Id product(Id a, bool turn_a, Id b, bool turn_b, Sizes shape, bool batched = false);

  // A value with its dimensions in another order, or, if `order` is empty, in another shape. packed: it lies in memory without gaps.
  Id view(Id a, std::vector<int64_t> order, Sizes shape, bool packed = false);

  // A part of a value.
  Id part(Id a, Cut cut, Sizes shape);
  // Values side by side, each in a place of its own. gaps: between them are zeros.
  Id joined(const std::vector<Id>& parts, std::vector<Cut> cuts, Sizes shape, bool gaps);

  // The sums over the dimensions from `begin` to before `end`, the last not among them.
  Id columns(Id a, int64_t begin, int64_t end, Sizes shape);

  bool is_single(Id id) const { return !at(id).shape.empty() && at(id).shape.back() == 1; }

  // Makes a value the result of a kernel, so that other kernels can read it.
  Id materialised(Id id);
  // The value with one dimension of size 1 more at its end.
  Id unsqueezed(Id id);
  int slot_for(Id id, const Sizes& shape);
  Id mean_of_whole(Id sum);

  // Sums `id` over the dimensions that `shape` lacks, as the gradient of a broadcast argument.
  Id summed_to(Id id, const Sizes& shape);
  // A value that is computed at each element.
  Id full(Id id) { return at(id).extent == Extent::full ? id : repeated(id, at(id).space); }
  Id repeated(Id id, const Sizes& shape);
  // A copy of the expression, with a derivative.
  Id expanded(Id id, const Sizes& shape);

  // What gradient.cpp needs of a formula: all arguments, also those that its text does not mention, and the derivatives.
  struct Derivatives {
    std::vector<const char*> texts;
    std::vector<Id> args;
  };
  const Derivatives* derivatives(Id id) const;
  bool is_mean(Id id) const { return means_.count(id) > 0; }

  const Expr& at(Id id) const { return program.exprs[id]; }
  void close(Id id) { program.exprs[id].closed = true; }

  // The slots of products.
  std::vector<int> products() const;

  // Makes the kernels for all slots that an expression makes.
  void schedule();

 private:
  Id number_of(Number::Of of, const Sizes& shape, at::ScalarType dtype);
  Id stored_in_full(Id id);
  // What is made by a step of its own kind.
  Id step(Expr e, Sizes shape);
  static bool mentions(const std::string& text, char letter);
  Id number_expr(bool integer, at::ScalarType dtype);
  Id add(Expr e);
  std::set<int> needed_slots();
  // read: slots, in the order in which the operators name them.
  void gather(Id id, Kernel& kernel, std::set<Id>& seen, std::vector<int>& read);

  std::unordered_map<Id, int> slot_of_;
  std::unordered_map<int, Id> stored_;  // what reads a slot: one expression, so that gradients of its parts meet
  std::map<Id, Derivatives> derivatives_;
  std::set<Id> means_;
};

}  // namespace shim::fuse
