// An index of several entries on a tensor: one operator after the other, each through the dispatcher, so that autograd
// and a trace see it.
#include "jit/trace.h"

namespace {

using shim::borrow;

// What LibTorch's own type of a list of tensors and gaps is differs between versions.
using Gaps = decltype(std::declval<const c10::IValue&>().toOptionalTensorList());

Gaps at_dimension(int64_t dim, const at::Tensor& tensor) {
  Gaps gaps;
  gaps.reserve(dim + 1);
  for (int64_t d = 0; d < dim; ++d) gaps.push_back({});
  gaps.push_back(tensor);
  return gaps;
}

void step(at::Tensor& it, at::Tensor next) {
  it = std::move(next);
  shim::note_result(it);
}

// Applies the entries to `it`. With `put`, entries of tensors wait: the last one and its dimension are given there.
struct Put {
  const ts_index* entry = nullptr;
  int64_t dim = 0;
};
void apply(at::Tensor& it, const ts_index* entries, size_t n, bool drop, Put* put) {
  int64_t dim = 0;
  for (size_t i = 0; i < n; ++i) {
    const ts_index& entry = entries[i];
    switch (entry.kind) {
      case TS_INDEX_WHOLE:
        dim += entry.ndim;
        break;
      case TS_INDEX_NEW:
        step(it, at::unsqueeze(it, dim++));
        break;
      case TS_INDEX_NUMBER:
        step(it, at::select(it, dim, entry.start));
        if (!drop) step(it, at::unsqueeze(it, dim++));
        break;
      case TS_INDEX_SLICE:
        step(it, at::slice(it, dim++, entry.start, entry.end, entry.step));
        break;
      default: {
        if (put) {
          *put = {&entry, dim};
          dim += entry.ndim;
          break;
        }
        const at::Tensor tensor = borrow(entry.tensor);
        step(it, at::index(it, at_dimension(dim, tensor)));
        // A mask of several dimensions leaves one; a tensor of positions of several dimensions leaves as many.
        dim += entry.kind == TS_INDEX_MASK ? 1 : tensor.dim();
        break;
      }
    }
  }
}

}  // namespace

int ts_tensor_index(ts_tensor* tensor, const ts_index* entries, size_t n, int drop, ts_tensor** out) {
  return shim::guarded([&] {
    shim::free_one_waiting();
    at::Tensor it = borrow(tensor);
    apply(it, entries, n, drop != 0, nullptr);
    *out = shim::give(std::move(it));
  });
}

int ts_tensor_index_put(ts_tensor* tensor, const ts_index* entries, size_t n, const ts_value* value) {
  return shim::guarded([&] {
    shim::free_one_waiting();
    at::Tensor it = borrow(tensor);
    Put put;
    apply(it, entries, n, true, &put);
    if (value->tag != TS_TENSOR) {
      step(it, it.fill_(shim::to_ivalue(*value, *c10::NumberType::get()).toScalar()));
      return;
    }
    at::Tensor source = borrow(static_cast<ts_tensor*>(value->as.handle));
    if (!put.entry) {
      step(it, it.copy_(source));
      return;
    }
    // copy_ converts, index_put_ does not.
    step(source, source.to(it));
    step(it, it.index_put_(at_dimension(put.dim, borrow(put.entry->tensor)), source));
  });
}
