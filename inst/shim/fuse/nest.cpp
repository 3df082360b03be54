#include "fuse/nest.h"

#include "fuse/threads.h"

#include <ATen/ExpandUtils.h>

#include <algorithm>
#include <memory>
#include <numeric>

namespace shim::fuse {
namespace {

// The length of the pieces that one long row is cut into. Each piece gives one number of a sum, and needs memory of its own.
constexpr int64_t kPiece = 4096;
// Threads that share the elements of a row get a multiple of this many.
constexpr int64_t kUnit = 64;
constexpr int kMostLanes = 16;

bool is_repeated(const Place& place) {
  for (size_t d = 0; d < place.sizes.size(); ++d)
    if (place.sizes[d] != 1 && place.strides[d] == 0) return true;
  return false;
}

c10::SmallVector<char*, 16> moved(const c10::SmallVector<char*, 16>& pointers, int64_t by, const std::vector<int64_t>& strides) {
  c10::SmallVector<char*, 16> out(pointers);
  for (size_t k = 0; k < out.size(); ++k) out[k] += by * strides[k];
  return out;
}

}  // namespace

int64_t product(const std::vector<int64_t>& sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), int64_t{1}, std::multiplies<int64_t>());
}

std::vector<int64_t> contiguous(const std::vector<int64_t>& sizes) {
  std::vector<int64_t> strides(sizes.size(), 1);
  for (size_t i = sizes.size(); i-- > 1;) strides[i - 1] = strides[i] * std::max<int64_t>(sizes[i], 1);
  return strides;
}

std::vector<int64_t> lying_in(const std::vector<int64_t>& sizes, const std::vector<int64_t>& order) {
  if (order.empty()) return contiguous(sizes);
  std::vector<int64_t> ordered, strides(sizes.size());
  for (const int64_t d : order) ordered.push_back(sizes[static_cast<size_t>(d)]);
  const std::vector<int64_t> steps = contiguous(ordered);
  for (size_t k = 0; k < order.size(); ++k) strides[static_cast<size_t>(order[k])] = steps[k];
  return strides;
}

std::vector<int64_t> strides_like(const Kernel& kernel, const std::vector<Place>& places, const std::vector<int64_t>& space) {
  if (kernel.rows) return contiguous(space);
  std::vector<std::vector<int64_t>> all;
  for (const int slot : kernel.arguments) {
    const Place& place = places[slot];
    if (all.empty() && place.sizes == space && !is_repeated(place)) return at::infer_dense_strides(place.sizes, place.strides);
    if (place.sizes.size() > space.size()) continue;
    std::vector<int64_t> strides(space.size(), 0);
    const size_t missing = space.size() - place.sizes.size();
    for (size_t d = missing; d < space.size(); ++d)
      if (place.sizes[d - missing] == space[d]) strides[d] = place.strides[d - missing];
    all.push_back(std::move(strides));
  }
  // As LibTorch orders them: a pair of dimensions by the first argument that has both.
  const auto lies_outside = [&](size_t a, size_t b) {
    for (const auto& strides : all) {
      if (strides[a] == 0 || strides[b] == 0) continue;
      if (strides[a] != strides[b]) return strides[a] > strides[b] ? 1 : -1;
      if (space[a] > space[b]) return 1;
    }
    return 0;
  };
  std::vector<size_t> order(space.size());
  for (size_t d = 0; d < order.size(); ++d) order[d] = order.size() - 1 - d;
  for (size_t i = 1; i < order.size(); ++i)
    for (size_t here = i, k = i; k-- > 0;) {
      const int which = lies_outside(order[k], order[here]);
      if (which < 0) break;
      if (which == 0) continue;
      std::swap(order[k], order[here]);
      here = k;
    }
  std::vector<int64_t> out(space.size());
  int64_t next = 1;
  for (const size_t d : order) {
    out[d] = next;
    next *= space[d];
  }
  return out;
}

Nest::Nest(const Program& program, const Kernel& kernel, const std::vector<Place>& places, const std::vector<int64_t>& space)
    : program_(&program), kernel_(&kernel), operands_(kernel.arguments.size() + kernel.results.size()) {
  join_dimensions(places, space);
  std::vector<Step> steps;
  for (size_t k = 0; k < operands_; ++k) {
    const int64_t bytes = bytes_of(k, places);
    // A row of one element runs on the kernel that rows of many have.
    if (n_ == 1) inner_[k] = bytes;
    steps.push_back(inner_[k] == bytes ? Step::one : inner_[k] == 0 && !result(k) ? Step::none : Step::any);
  }
  // Of few elements each is computed by itself: one kernel for them all.
  int lanes = n_ * rows_ * product(extra_sizes_) < kMostLanes ? 1 : kMostLanes;
  while (lanes > n_) lanes /= 2;
  Source& source = program.sources[{&kernel, steps, lanes}];
  if (!source.compiled) {
    source.text = source_of(program, kernel, steps, lanes, source.scratch);
    source.compiled = fuse::compiled(source.text);
  }
  source_ = &source;
  scratch_ = source.scratch;
  // The last lanes of a row that they do not fill read again what is written already.
  may_write_over_ = !kernel.rows && !kernel.whole && scratch_ == 0 && n_ % lanes == 0;
  cut_into_pieces();
  cost_ = 1.0 + kernel.light * 0.25 + kernel.heavy * 2.0;
}

int Nest::slot(size_t k) const {
  const size_t n = kernel_->arguments.size();
  return k < n ? kernel_->arguments[k] : kernel_->results[k - n];
}

const Expr* Nest::result(size_t k) const {
  const size_t n = kernel_->arguments.size();
  return k < n ? nullptr : &program_->exprs[kernel_->values[k - n]];
}

int64_t Nest::bytes_of(size_t k, const std::vector<Place>& places) const {
  return static_cast<int64_t>(c10::elementSize(places[slot(k)].dtype));
}

std::vector<int64_t> Nest::strides_of(size_t k, const std::vector<Place>& places, const std::vector<int64_t>& space) const {
  std::vector<int64_t> strides(space.size(), 0);
  Place place = places[slot(k)];
  if (const Expr* e = result(k)) {
    if (e->extent == Extent::whole) return strides;
    if (e->extent == Extent::row) {
      place.sizes = space;
      place.sizes.back() = 1;
      place.strides = contiguous(place.sizes);
    }
  } else if (program_->slots[slot(k)].unsqueeze) {
    place.sizes.push_back(1);
    place.strides.push_back(1);
  }
  const size_t own = place.sizes.size(), rank = space.size();
  for (size_t d = 0; d < own; ++d) {
    if (place.sizes[d] == 1) continue;
    if (own - d > rank) throw Unfusable{"it has more dimensions than the result"};
    if (place.sizes[d] != space[rank - own + d]) throw Unfusable{"its sizes are not those of the result"};
    strides[rank - own + d] = place.strides[d] * bytes_of(k, places);
  }
  return strides;
}

// From the innermost dimension outwards, those that lie behind each other in all operands as one. Rows that are reduced
// stay as they are.
void Nest::join_dimensions(const std::vector<Place>& places, const std::vector<int64_t>& space) {
  std::vector<std::vector<int64_t>> strides;
  for (size_t k = 0; k < operands_; ++k) strides.push_back(strides_of(k, places, space));
  std::vector<size_t> order;
  for (size_t d = space.size(); d-- > 0;)
    if (space[d] != 1 || (kernel_->rows && d + 1 == space.size())) order.push_back(d);
  if (!kernel_->rows) {
    const std::vector<int64_t> like = strides_like(*kernel_, places, space);
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return like[a] < like[b]; });
  }
  std::vector<int64_t> sizes;
  std::vector<std::vector<int64_t>> steps;  // of each joined dimension, of each operand
  for (const size_t d : order) {
    bool joins = !sizes.empty() && !(kernel_->rows && sizes.size() == 1);
    for (size_t k = 0; joins && k < operands_; ++k) joins = strides[k][d] == steps.back()[k] * sizes.back();
    if (joins) {
      sizes.back() *= space[d];
      continue;
    }
    sizes.push_back(space[d]);
    steps.emplace_back();
    for (size_t k = 0; k < operands_; ++k) steps.back().push_back(strides[k][d]);
  }
  const std::vector<int64_t> still(operands_, 0);
  n_ = sizes.empty() ? 1 : sizes[0];
  inner_ = sizes.empty() ? still : steps[0];
  rows_ = sizes.size() < 2 ? 1 : sizes[1];
  outer_ = sizes.size() < 2 ? still : steps[1];
  if (sizes.size() > 2) {
    extra_sizes_.assign(sizes.begin() + 2, sizes.end());
    extra_strides_.assign(steps.begin() + 2, steps.end());
  }
}

void Nest::cut_into_pieces() {
  if (rows_ == 1 && extra_sizes_.empty() && n_ > kPiece && !kernel_->rows && (kernel_->whole || scratch_ > 0)) {
    // No piece has fewer elements than there are lanes.
    int64_t piece = kPiece;
    while (n_ % piece > 0 && n_ % piece < kMostLanes) piece -= kMostLanes;
    rows_ = n_ / piece;
    tail_ = n_ % piece;
    n_ = piece;
    for (size_t k = 0; k < operands_; ++k) outer_[k] = inner_[k] * piece;
  }
  // Of a reduction to one number each row leaves its part.
  for (size_t k = kernel_->arguments.size(); k < operands_; ++k) {
    const Expr& e = *result(k);
    if (e.extent != Extent::whole) continue;
    outer_[k] = static_cast<int64_t>(c10::elementSize(accumulator(e)));
    int64_t turn = outer_[k] * rows_;
    for (size_t d = 0; d < extra_sizes_.size(); ++d) {
      extra_strides_[d][k] = turn;
      turn *= extra_sizes_[d];
    }
  }
}

// Rows [begin, end), counted through all turns of the loops around them.
void Nest::run_rows(const c10::SmallVector<char*, 16>& pointers, const KernelNumber* numbers, int64_t begin, int64_t end,
                    char* scratch) const {
  const KernelFunction function = compiled().function.load(std::memory_order_acquire);
  while (begin < end) {
    const int64_t first = begin % rows_, last = std::min(rows_, first + end - begin);
    int64_t turn = begin / rows_;
    auto at = moved(pointers, first, outer_);
    for (size_t d = 0; d < extra_sizes_.size(); ++d) {
      at = moved(at, turn % extra_sizes_[d], extra_strides_[d]);
      turn /= extra_sizes_[d];
    }
    function(at.data(), outer_.data(), inner_.data(), numbers, last - first, n_, scratch);
    begin += last - first;
  }
}

void Nest::run(const c10::SmallVector<char*, 16>& pointers, const KernelNumber* numbers) const {
  const KernelFunction function = compiled().function.load(std::memory_order_acquire);
  const int64_t rows = rows_ * product(extra_sizes_);
  const double cost = cost_ * (static_cast<double>(rows) * n_ + tail_);
  if (rows == 1 && scratch_ == 0 && !kernel_->rows && !kernel_->whole) {
    const int64_t units = std::max<int64_t>(1, n_ / kUnit);
    in_parallel(shares_of(units, cost), units, [&](int, int64_t begin, int64_t end) {
      auto at = moved(pointers, begin * kUnit, inner_);
      function(at.data(), outer_.data(), inner_.data(), numbers, 1, (end == units ? n_ : end * kUnit) - begin * kUnit, nullptr);
    });
    return;
  }
  const int shares = shares_of(rows, cost);
  const size_t each = (scratch_ * static_cast<size_t>(n_) + 63) / 64 * 64;
  const std::unique_ptr<char[]> memory(each ? new char[each * static_cast<size_t>(shares) + 64] : nullptr);
  char* const scratch = memory.get() + (each ? (64 - reinterpret_cast<uintptr_t>(memory.get()) % 64) % 64 : 0);
  in_parallel(shares, rows, [&](int share, int64_t begin, int64_t end) {
    run_rows(pointers, numbers, begin, end, scratch + each * static_cast<size_t>(share));
  });
  if (tail_ > 0) {
    auto at = moved(pointers, rows_, outer_);
    function(at.data(), outer_.data(), inner_.data(), numbers, 1, tail_, scratch);
  }
}

}  // namespace shim::fuse
