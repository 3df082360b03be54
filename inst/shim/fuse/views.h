// Steps between kernels that compute nothing: they show memory in another way, or put values side by side.
#pragma once
#include "fuse/nest.h"

namespace shim::fuse {

// A tensor with the sizes, strides and beginning of a place. The tensor is where the place was made.
at::Tensor as_placed(const at::Tensor& tensor, const Place& place);

// Memory that is read with other sizes and strides, which those who read it know. `from` is how it lies.
struct View {
  // The same tensor, or a copy without gaps.
  at::Tensor run(const at::Tensor& it) const { return copies ? as_placed(it, from).clone(at::MemoryFormat::Contiguous) : it; }

  Place from;
  bool copies;
};

// The place of a part of what lies in a place.
Place part_of(const Place& place, const Cut& cut, std::vector<int64_t> sizes);

class Joined {
 public:
  Joined(const Expr& joined, const std::vector<Place>& parts, const Place& out);

  // Writes into `out`. Any thread.
  void run(const std::vector<const at::Tensor*>& parts, const at::Tensor& out) const;

 private:
  // A part, where it goes, and the dimensions of both that lie behind each other in one piece: so many at the end, of so many bytes.
  struct Part {
    Place from, to;
    size_t loops;
    int64_t bytes;
  };
  std::vector<Part> parts_;
  bool gaps_;
};

}  // namespace shim::fuse
