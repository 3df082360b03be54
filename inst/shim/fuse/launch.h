// A program on tensors of given sizes and strides: memory for results, loops, threads.
#pragma once
#include <map>

#include "fuse/build.h"
#include "fuse/library.h"

namespace shim::fuse {

// What a tensor that a plan reads or writes is like.
struct Place {
  at::ScalarType dtype;
  std::vector<int64_t> sizes, strides;
};

class Plan {
 public:
  // arguments: places of the program's arguments, in their order.
  Plan(std::shared_ptr<const Program> program, const std::vector<Place>& arguments, Real real);

  enum class State { ready, waiting, failed };
  State state() const;
  // arguments: in their order; those that no kernel reads may be undefined. numbers: the group's arguments. Gives the
  // program's results; undefined where there is none.
  std::vector<at::Tensor> run(std::vector<at::Tensor> arguments, const torch::jit::Stack& numbers) const;

  const Program& program() const { return *program_; }
  const Place& result_place(size_t i) const { return places_[program_->results[i]]; }
  const std::string& sources() const { return source_; }

 private:
  struct Loop {
    const Kernel* kernel;
    Compiled* compiled;
    size_t scratch = 0;
    std::vector<int64_t> outer, inner;               // bytes, of each operand
    std::vector<int64_t> extra_sizes;                // loops around the rows
    std::vector<std::vector<int64_t>> extra_strides;  // of each, of each operand
    int64_t rows = 1, n = 1;
    bool split = false;       // rows are pieces of one long one
    int64_t tail = 0;         // elements after the last whole piece
    int64_t partials = 0;     // results of a reduction to one number
    double cost = 1;          // an element
  };

  std::vector<int64_t> real_sizes(const Sizes& shape) const;
  void make_loop(const Kernel& kernel);
  void run_loop(const Loop& loop, std::vector<at::Tensor>& slots, const KernelNumber* numbers) const;

  std::shared_ptr<const Program> program_;
  Real real_;
  std::vector<Place> places_;  // of slots
  std::vector<Loop> loops_;
  std::string source_;
};

}  // namespace shim::fuse
