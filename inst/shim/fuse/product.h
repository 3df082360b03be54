// Steps between kernels that are no loops written for them: products of matrices, by the BLAS that LibTorch computes with, without
// LibTorch's way there; sums of columns.
#pragma once
#include "fuse/nest.h"

namespace shim::fuse {

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
    // What `it` keeps alive, where the first matrix begins.
    at::Tensor read(const at::Tensor& it, const void*& first) const;

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

// Sums over dimensions that lie together, the last not among them.
class Columns {
 public:
  Columns(const Expr& columns, Place place);

  // Writes into `out`, which is contiguous. Any thread.
  void run(const at::Tensor& a, const at::Tensor& out) const;

 private:
  // Dimensions that count as one: how often, and how many numbers apart.
  struct Loop {
    int64_t turns, apart;
  };
  // Of the dimensions from `begin` to before `end`. Those that do not lie behind each other make `place_` one to copy.
  Loop loop(int64_t begin, int64_t end);

  Place place_;
  bool copied_ = false;
  Loop outer_, rows_, columns_;
};

}  // namespace shim::fuse
