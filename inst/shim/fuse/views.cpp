#include "fuse/views.h"

#include "fuse/threads.h"

#include <ATen/Functions.h>
#include <cstring>

namespace shim::fuse {

at::Tensor as_placed(const at::Tensor& tensor, const Place& place) {
  const bool is_so = place.offset == 0 && tensor.sizes() == at::IntArrayRef(place.sizes) &&
                     tensor.strides() == at::IntArrayRef(place.strides);
  return is_so ? tensor : tensor.as_strided(place.sizes, place.strides, tensor.storage_offset() + place.offset);
}

Place part_of(const Place& place, const Cut& cut, std::vector<int64_t> sizes) {
  Place out{place.dtype, std::move(sizes), place.strides, place.offset};
  int64_t& stride = out.strides[static_cast<size_t>(cut.dim)];
  out.offset += cut.start * stride;
  stride *= cut.step;
  return out;
}

Joined::Joined(const Expr& joined, const std::vector<Place>& parts, const Place& out) : gaps_(joined.gaps) {
  for (size_t i = 0; i < parts.size(); ++i) {
    Part part{parts[i], part_of(out, joined.cuts[i], parts[i].sizes), parts[i].sizes.size(),
              static_cast<int64_t>(c10::elementSize(out.dtype))};
    for (int64_t run = 1; part.loops > 0; --part.loops) {
      const size_t d = part.loops - 1;
      const int64_t size = part.from.sizes[d];
      if (size != 1 && (part.from.strides[d] != run || part.to.strides[d] != run)) break;
      run *= size;
      part.bytes *= size;
    }
    parts_.push_back(std::move(part));
  }
}

void Joined::run(const std::vector<const at::Tensor*>& parts, const at::Tensor& out) const {
  const int64_t item = static_cast<int64_t>(out.itemsize());
  if (gaps_) std::memset(out.data_ptr(), 0, out.nbytes());
  for (size_t i = 0; i < parts.size(); ++i) {
    const Part& part = parts_[i];
    const char* const from = static_cast<const char*>(parts[i]->data_ptr()) + part.from.offset * item;
    char* const to = static_cast<char*>(out.data_ptr()) + part.to.offset * item;
    int64_t runs = 1;
    for (size_t d = 0; d < part.loops; ++d) runs *= part.from.sizes[d];
    in_parallel(shares_of(runs, static_cast<double>(runs) * (4 + static_cast<double>(part.bytes) / 16)), runs,
                [&](int, int64_t begin, int64_t end) {
                  for (int64_t run = begin; run < end; ++run) {
                    int64_t rest = run, at_from = 0, at_to = 0;
                    for (size_t d = part.loops; d-- > 0; rest /= part.from.sizes[d]) {
                      at_from += rest % part.from.sizes[d] * part.from.strides[d];
                      at_to += rest % part.from.sizes[d] * part.to.strides[d];
                    }
                    std::memcpy(to + at_to * item, from + at_from * item, static_cast<size_t>(part.bytes));
                  }
                });
  }
}

}  // namespace shim::fuse
