// Steps between kernels that go over matrices: products, by the BLAS that LibTorch computes with, without LibTorch's way there,
// and sums of columns.
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

class Product {
 public:
  // places: of all slots.
  Product(const Program& program, const Kernel& kernel, const std::vector<Place>& places);

  // Writes into `out`, which is contiguous. Any thread.
  void run(const at::Tensor& a, const at::Tensor& b, const at::Tensor& out) const;

 private:
  at::ScalarType dtype_;
  Matrix a_, b_;
};

// Sums over all dimensions but the last.
class Columns {
 public:
  Columns(const Kernel& kernel, const std::vector<Place>& places);

  // Writes into `out`, which is contiguous. Any thread.
  void run(const at::Tensor& a, const at::Tensor& out) const;

 private:
  at::ScalarType dtype_;
  Matrix matrix_;
};

}  // namespace shim::fuse
