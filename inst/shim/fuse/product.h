// Products of matrices between kernels, by the BLAS that LibTorch computes with, without LibTorch's way there.
#pragma once
#include "fuse/nest.h"

namespace shim::fuse {

class Product {
 public:
  // places: of all slots.
  Product(const Program& program, const Kernel& kernel, const std::vector<Place>& places);

  // Writes into `out`, which is contiguous. Any thread.
  void run(const at::Tensor& a, const at::Tensor& b, const at::Tensor& out) const;

  const Kernel& kernel() const { return *kernel_; }

 private:
  // A tensor as a matrix, after its dimensions are exchanged if it is `turned`. For BLAS: numbers from one of its columns to the
  // next, 0 for a tensor that does not lie in memory as a matrix and is copied first; and whether BLAS is to exchange them.
  struct Operand {
    int64_t rows, columns, step;
    bool turned, exchanged;
  };
  static Operand operand(const Place& place, bool turned);

  const Kernel* kernel_;
  at::ScalarType dtype_;
  Operand a_, b_;
};

}  // namespace shim::fuse
