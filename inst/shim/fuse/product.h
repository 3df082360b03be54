// Steps between kernels that are no loops written for them: products of matrices, by the BLAS that LibTorch computes with, without
// LibTorch's way there; sums of columns; views.
#pragma once
#include "fuse/nest.h"

namespace shim::fuse {

// A tensor with sizes and strides of its own, which are those of a place if it is another.
at::Tensor as_placed(const at::Tensor& tensor, const Place& place);

// A tensor as a matrix, after its dimensions are exchanged if it is `turned`; leading dimensions count as one. For BLAS: numbers
// from one of its columns to the next, 0 for a tensor that does not lie in memory as a matrix and is copied first; and whether
// BLAS is to exchange them.
struct Matrix {
  Matrix(const Place& place, bool turned);

  int64_t rows, columns, step = 0;
  bool turned, exchanged;
};

// One product, or as many as the dimensions before the last two count.
class Product {
 public:
  Product(const Expr& product, const Place& a, const Place& b, const Place& out);

  // Writes into `out`. Any thread.
  void run(const at::Tensor& a, const at::Tensor& b, const at::Tensor& out) const;
  double operations() const;

 private:
  // An operand: the first of its matrices, and how far apart they are in each leading dimension of the result.
  struct Operand {
    Operand(const Place& place, bool turned, bool batched, size_t turns);
    at::Tensor read(const at::Tensor& it) const;

    Place place;
    bool copied;
    Matrix matrix;
    std::vector<int64_t> apart;
  };
  void run_slowly(const at::Tensor& a, const at::Tensor& b, const at::Tensor& out) const;

  at::ScalarType dtype_;
  std::vector<int64_t> turns_;  // the leading dimensions, none if there is one product
  Operand a_, b_;
  Place out_;
  int step_ = 0;  // numbers from row to row of the result
};

// Sums over all dimensions but the last.
class Columns {
 public:
  Columns(const Kernel& kernel, const std::vector<Place>& places);

  // Writes into `out`, which is contiguous. Any thread.
  void run(const at::Tensor& a, const at::Tensor& out) const;

 private:
  Place place_;
  Matrix matrix_;
};

// Memory that is read with other sizes and strides, which those who read it know. `from` is how it lies.
struct View {
  // The same tensor, or a copy without gaps.
  at::Tensor run(const at::Tensor& it) const { return copies ? as_placed(it, from).clone(at::MemoryFormat::Contiguous) : it; }

  Place from;
  bool copies;
};

}  // namespace shim::fuse
