// The loop nest of a kernel over memory of given sizes and strides: loops around its rows, pieces of one long row, threads.
#pragma once
#include "fuse/build.h"
#include "fuse/library.h"

namespace shim::fuse {

// Dtype, sizes and strides of what a kernel reads or writes, and how many numbers behind the beginning of its tensor it begins.
struct Place {
  at::ScalarType dtype;
  std::vector<int64_t> sizes, strides;
  int64_t offset = 0;
};

// The strides of results that fill the whole space, without gaps: their dimensions lie in the order of the first argument if it does
// so, or of those that tell.
std::vector<int64_t> strides_like(const Kernel& kernel, const std::vector<Place>& places, const std::vector<int64_t>& space);
int64_t product(const std::vector<int64_t>& sizes);
std::vector<int64_t> contiguous(const std::vector<int64_t>& sizes);
// The strides of memory without gaps in which the dimensions lie in this order, from the outermost; as they are if it is empty.
std::vector<int64_t> lying_in(const std::vector<int64_t>& sizes, const std::vector<int64_t>& order);

class Nest {
 public:
  // places: those of all slots. space: the sizes that the kernel goes through.
  Nest(const Program& program, const Kernel& kernel, const std::vector<Place>& places, const std::vector<int64_t>& space);

  // pointers: to the kernel's arguments, then to its results. A result that is reduced to one number needs room for `partials()`
  // numbers. Throws before it starts if there is no memory for what is kept of a row.
  void run(const c10::SmallVector<char*, 16>& pointers, const KernelNumber* numbers) const;

  const Kernel& kernel() const { return *kernel_; }
  const Compiled& compiled() const { return *source_->compiled; }
  const std::string& source() const { return source_->text; }
  // Whether a result may lie where an argument lies: each element is read before it is written, and once.
  bool may_write_over() const { return may_write_over_; }
  int64_t partials() const { return (rows_ + (tail_ > 0)) * product(extra_sizes_); }

 private:
  // The strides of an operand over the space, in bytes.
  std::vector<int64_t> strides_of(size_t operand, const std::vector<Place>& places, const std::vector<int64_t>& space) const;
  void join_dimensions(const std::vector<Place>& places, const std::vector<int64_t>& space);
  void cut_into_pieces();
  int slot(size_t operand) const;
  // The expression that gives an operand, NULL if the operand is an argument.
  const Expr* result(size_t operand) const;
  int64_t bytes_of(size_t operand, const std::vector<Place>& places) const;

  void run_rows(const c10::SmallVector<char*, 16>& pointers, const KernelNumber* numbers, int64_t begin, int64_t end,
                char* scratch) const;

  const Program* program_;
  const Kernel* kernel_;
  const Source* source_ = nullptr;
  size_t operands_;
  size_t scratch_ = 0;                               // bytes that an element of a row needs for what is kept
  std::vector<int64_t> outer_, inner_;               // bytes from row to row, and from element to element, of each operand
  std::vector<int64_t> extra_sizes_;                 // how many turns each loop around the rows has
  std::vector<std::vector<int64_t>> extra_strides_;  // bytes a turn, of each of these loops and each operand
  int64_t rows_ = 1, n_ = 1;
  int64_t tail_ = 0;                                 // rows are pieces of one long one: elements after the last piece
  bool may_write_over_ = false;
  double cost_ = 1;                                  // an element
};

}  // namespace shim::fuse
