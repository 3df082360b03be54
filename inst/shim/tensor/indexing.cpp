// Applies an index of several entries to a tensor. Each entry is an operator that goes through the dispatcher, so that
// autograd and a trace see it.
#include "jit/trace.h"

namespace {

using shim::borrow;

// The type of a list of tensors and gaps, which differs between versions of LibTorch.
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

// The tensor of an entry. A single logical is a mask of one element.
at::Tensor tensor_of(const ts_index& entry) {
  at::Tensor tensor = borrow(entry.tensor);
  return entry.kind == TS_INDEX_MASK && tensor.dim() == 0 ? tensor.unsqueeze(0) : tensor;
}

// A slice. Sparse tensors have no views, so their slices are copied by positions.
at::Tensor slice(const at::Tensor& it, int64_t dim, const ts_index& entry) {
  if (it.layout() == at::kStrided) return at::slice(it, dim, entry.start, entry.end, entry.step);
  const auto positions = at::arange(it.size(dim), at::TensorOptions().dtype(at::kLong).device(it.device()));
  return at::index_select(it, dim, at::slice(positions, 0, entry.start, entry.end, entry.step));
}

// Checks positions on devices other than the CPU. A kernel there would let the device fail, and the process could not
// use the device any more.
void check_positions(const at::Tensor& it, int64_t dim, const at::Tensor& positions) {
  const int64_t n = positions.numel();
  if (it.is_cpu() || it.is_meta() || positions.is_meta() || n == 0) return;
  const at::NoGradGuard no_grad;
  const at::tracer::impl::NoTracerDispatchMode unseen;
  const auto [low, high] = at::aminmax(positions);
  const auto both = at::stack({low, high}).cpu();
  const int64_t size = it.size(dim), first = both[0].item<int64_t>(), last = both[1].item<int64_t>();
  TORCH_CHECK_INDEX(first >= -size && last < size, "index ", last < size ? first : last,
                    " is out of bounds for dimension ", dim, " with size ", size);
}

// Applies the entries to `it`. With `puts`, entries that are tensors are not applied but collected there, with their
// dimensions.
struct Put {
  const ts_index* entry;
  int64_t dim;
};
void apply(at::Tensor& it, const ts_index* entries, size_t n, bool drop, std::vector<Put>* puts) {
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
        step(it, slice(it, dim++, entry));
        break;
      default: {
        if (it.dim() == 0) step(it, at::unsqueeze(it, 0));
        if (puts) {
          puts->push_back({&entry, dim});
          dim += entry.ndim;
          break;
        }
        const at::Tensor tensor = tensor_of(entry);
        if (entry.kind == TS_INDEX_POSITIONS) check_positions(it, dim, tensor);
        step(it, at::index(it, at_dimension(dim, tensor)));
        // A mask takes several dimensions and leaves one. A tensor of positions leaves as many as it has itself.
        dim += entry.kind == TS_INDEX_MASK ? 1 : tensor.dim();
        break;
      }
    }
  }
}

// Makes each tensor of positions act on its own dimension, as reading does; index_put() would pair their elements. Each
// one gets axes of its own. So does each dimension between them, since their axes would otherwise come first in the
// result.
Gaps crossed(const at::Tensor& it, const std::vector<Put>& puts) {
  std::vector<at::Tensor> positions;
  std::vector<int64_t> axes;  // how many axes each of them has
  int64_t total = 0;
  const auto add = [&](at::Tensor tensor, int64_t n) {
    positions.push_back(std::move(tensor));
    axes.push_back(n);
  };
  int64_t dim = puts.front().dim;
  for (const Put& put : puts) {
    for (; dim < put.dim; ++dim, ++total)
      add(at::arange(it.size(dim), at::TensorOptions().dtype(at::kLong).device(it.device())), 1);
    const at::Tensor tensor = tensor_of(*put.entry);
    dim += put.entry->ndim;
    if (put.entry->kind != TS_INDEX_MASK) {
      add(tensor, tensor.dim());
      total += tensor.dim();
      continue;
    }
    // All positions of a mask share one axis.
    const auto found = tensor.nonzero_numpy();
    for (size_t i = 0; i < found.size(); ++i) add(found[i], i + 1 < found.size() ? 0 : 1);
    ++total;
  }
  Gaps indices;
  for (int64_t d = 0; d < puts.front().dim; ++d) indices.push_back({});
  int64_t before = 0;
  for (size_t i = 0; i < positions.size(); ++i) {
    const int64_t own = positions[i].dim();
    std::vector<int64_t> shape(total, 1);
    for (int64_t d = 0; d < own; ++d) shape[before + d] = positions[i].size(d);
    before += axes[i];
    indices.push_back(positions[i].reshape(shape));
  }
  return indices;
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
    std::vector<Put> puts;
    apply(it, entries, n, true, &puts);
    if (value->tag != TS_TENSOR) {
      step(it, it.fill_(shim::to_ivalue(*value, *c10::NumberType::get()).toScalar()));
      return;
    }
    at::Tensor source = borrow(static_cast<ts_tensor*>(value->as.handle));
    // The value may have leading dimensions of size 1 that the place lacks. Where the place has them, the value is
    // repeated.
    const int64_t most = puts.empty() ? it.dim() : 0;
    while (source.dim() > most && source.size(0) == 1) step(source, source.squeeze(0));
    if (puts.empty()) {
      shim::record_copy(it, source);
      shim::note_result(it);
      return;
    }
    for (const Put& put : puts)
      if (put.entry->kind == TS_INDEX_POSITIONS) check_positions(it, put.dim, tensor_of(*put.entry));
    // index_put_() does not convert dtypes, unlike copy_().
    step(source, source.to(it));
    const bool one = puts.size() == 1;
    step(it, it.index_put_(one ? at_dimension(puts[0].dim, tensor_of(*puts[0].entry)) : crossed(it, puts), source));
  });
}
