// Runs the kernels of a program on tensors of given sizes and strides, in memory that it allocates.
#pragma once
#include "fuse/product.h"
#include "fuse/views.h"

#include <map>
#include <variant>

namespace shim::fuse {

class Plan {
 public:
  // arguments: sizes and strides of the program's arguments.
  Plan(std::shared_ptr<const Program> program, const std::vector<Place>& arguments, Real real);

  enum class State { ready, waiting, failed };
  State state() const;
  // arguments: in their order; those that no kernel reads may be undefined. numbers: the group's arguments. Gives the
  // program's results; undefined where there is none. into: tensors for results that fit into them; or NULL. products: what is
  // asked for of the program's products beside; or NULL.
  std::vector<at::Tensor> run(std::vector<at::Tensor> arguments, const torch::jit::Stack& numbers,
                              const std::vector<at::Tensor>* into = nullptr, std::vector<at::Tensor>* products = nullptr) const;

  // Whether the numbers that pick elements of rows do so for these arguments of the group. Of others LibTorch's operators tell.
  bool can_choose(const torch::jit::Stack& arguments, size_t first) const;

  const Program& program() const { return *program_; }
  const Place& result_place(size_t i) const { return places_[program_->results[i]]; }
  const Place& product_place(size_t i) const { return places_[program_->products[i]]; }
  std::string sources() const;
  // Of floating point, as they are counted: two for each element of a row by each of a column, one for each operator and element.
  double operations() const;

 private:
  std::vector<int64_t> real_sizes(const Sizes& shape) const;
  void place_view(const Kernel& kernel);
  bool lie_by_channels(const Kernel& kernel) const;
  std::vector<KernelNumber> numbers(const torch::jit::Stack& inputs) const;
  void place_results(const Kernel& kernel, const std::vector<int64_t>& space);
  at::Tensor reduced_to_one(const at::Tensor& partials, const Slot& slot, const Expr& expr) const;
  // What is summed up after its kernel has the sizes of the sum for those that read it.
  void place_sums(const Kernel& kernel);
  void find_last_uses();
  // Memory for a result of a step: that of an argument that nothing reads any more, if `may_take` of it, or new.
  at::Tensor memory_for(int slot, size_t step, const std::vector<at::Tensor>& slots, bool may_take) const;
  void run_kernel(const Nest& nest, size_t step, std::vector<at::Tensor>& slots, const KernelNumber* numbers) const;

  std::shared_ptr<const Program> program_;
  Real real_;
  std::vector<Place> places_;   // of slots, as they are read
  std::vector<Place> written_;  // as kernels write them: some are summed up afterwards
  std::vector<std::variant<Nest, Product, Columns, View, Joined>> steps_;
  std::vector<std::vector<int>> dying_;  // of each step, the slots between steps that it reads last
};

}  // namespace shim::fuse
