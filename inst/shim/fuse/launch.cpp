#include "fuse/launch.h"

#include "core/boundary.h"

#include <ATen/ExpandUtils.h>
#include <ATen/Functions.h>
#include <ATen/Parallel.h>
#include <functional>

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <numeric>

// LibTorch's own threads are OpenMP's. On Linux the shim finds the library that LibTorch has loaded, and links to none;
// elsewhere kernels run on one thread.
#ifdef __linux__
extern "C" __attribute__((weak)) void GOMP_parallel(void (*work)(void*), void* data, unsigned threads, unsigned flags);
extern "C" __attribute__((weak)) int omp_get_thread_num(void);
#endif

namespace shim::fuse {
namespace {

// One long row is cut into pieces: of a sum each gives one number, and for each there is memory for what is in between.
constexpr int64_t kPiece = 4096;
// Elements of the cost of an addition for which a second thread is worth its start.
constexpr double kShare = 60000;

#ifdef __linux__
struct Work {
  std::function<void(int64_t, int64_t)> does;
  int64_t n;
  int threads;
};

void run_share(void* data) {
  const auto& work = *static_cast<Work*>(data);
  const int64_t k = omp_get_thread_num(), each = (work.n + work.threads - 1) / work.threads;
  const int64_t begin = k * each, end = std::min(work.n, begin + each);
  if (begin < end) work.does(begin, end);
}

#endif

// `does` on parts of [0, n). Kernels throw nothing.
void in_parallel(int64_t n, [[maybe_unused]] double cost, const std::function<void(int64_t, int64_t)>& does) {
#ifdef __linux__
  int threads = 1;
  if (GOMP_parallel && omp_get_thread_num && cost > 2 * kShare && !is_forked && !at::in_parallel_region())
    threads = static_cast<int>(std::min<double>({static_cast<double>(at::get_num_threads()), static_cast<double>(n), cost / kShare}));
  if (threads > 1) {
    Work work{does, n, threads};
    return GOMP_parallel(run_share, &work, static_cast<unsigned>(threads), 0);
  }
#endif
  does(0, n);
}

int64_t product(const std::vector<int64_t>& sizes) {
  return std::accumulate(sizes.begin(), sizes.end(), int64_t{1}, std::multiplies<int64_t>());
}

std::vector<int64_t> contiguous(const std::vector<int64_t>& sizes) {
  std::vector<int64_t> strides(sizes.size(), 1);
  for (size_t i = sizes.size(); i-- > 1;) strides[i - 1] = strides[i] * std::max<int64_t>(sizes[i], 1);
  return strides;
}

bool is_dense(const Place& place) {
  std::vector<size_t> order(place.sizes.size());
  std::iota(order.begin(), order.end(), 0);
  std::sort(order.begin(), order.end(), [&](size_t a, size_t b) { return place.strides[a] < place.strides[b]; });
  int64_t expected = 1;
  for (const size_t d : order) {
    if (place.sizes[d] == 1) continue;
    if (place.strides[d] != expected) return false;
    expected *= place.sizes[d];
  }
  return true;
}

double pairwise_sum(const double* values, int64_t n) {
  if (n <= 8) {
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) sum += values[i];
    return sum;
  }
  return pairwise_sum(values, n / 2) + pairwise_sum(values + n / 2, n - n / 2);
}

}  // namespace

Plan::Plan(std::shared_ptr<const Program> program, const std::vector<Place>& arguments, Real real)
    : program_(std::move(program)), real_(std::move(real)), places_(program_->slots.size()) {
  real_[1] = 1;
  for (size_t i = 0; i < arguments.size(); ++i) places_[program_->arguments[i]] = arguments[i];
  for (const Kernel& kernel : program_->kernels) make_loop(kernel);
}

std::vector<int64_t> Plan::real_sizes(const Sizes& shape) const {
  std::vector<int64_t> sizes;
  for (const int64_t size : shape) sizes.push_back(real_.at(size));
  return sizes;
}

Plan::State Plan::state() const {
  State state = State::ready;
  for (const Loop& loop : loops_) {
    if (loop.compiled->failed) return State::failed;
    if (!loop.compiled->function) state = State::waiting;
  }
  return state;
}

void Plan::make_loop(const Kernel& kernel) {
  const Program& program = *program_;
  const std::vector<int64_t> space = real_sizes(kernel.space);
  const size_t rank = space.size();
  // Results.
  const bool reduces = kernel.rows;
  std::vector<int64_t> like;
  if (!reduces) {
    for (const int slot : kernel.arguments) {
      const Place& place = places_[slot];
      if (place.sizes != space) continue;
      if (is_dense(place)) like = place.strides;
      break;
    }
  }
  if (like.empty()) like = contiguous(space);
  for (const int slot : kernel.results) {
    const Slot& it = program.slots[slot];
    Place& place = places_[slot];
    place.dtype = it.dtype;
    place.sizes = real_sizes(it.of.empty() ? it.shape : it.of);
    place.strides = place.sizes == space ? like : contiguous(place.sizes);
  }
  // Strides of all operands over the space, in bytes.
  Loop loop;
  loop.kernel = &kernel;
  const size_t operands = kernel.arguments.size() + kernel.results.size();
  std::vector<std::vector<int64_t>> strides(operands, std::vector<int64_t>(rank, 0));
  for (size_t k = 0; k < operands; ++k) {
    const bool is_result = k >= kernel.arguments.size();
    const int slot = is_result ? kernel.results[k - kernel.arguments.size()] : kernel.arguments[k];
    Place place = places_[slot];
    int64_t bytes = static_cast<int64_t>(c10::elementSize(place.dtype));
    if (is_result) {
      const Expr& e = program.exprs[kernel.values[k - kernel.arguments.size()]];
      if (e.extent == Extent::whole) continue;
      if (e.extent == Extent::row) {
        place.sizes = space;
        place.sizes.back() = 1;
        place.strides = contiguous(place.sizes);
      }
    } else if (program.slots[slot].unsqueeze) {
      place.sizes.push_back(1);
      place.strides.push_back(1);
    }
    if (place.sizes.size() > rank) {
      const size_t more = place.sizes.size() - rank;
      for (size_t d = 0; d < more; ++d)
        if (place.sizes[d] != 1) throw Unfusable{"it has more dimensions than the result"};
      place.sizes.erase(place.sizes.begin(), place.sizes.begin() + static_cast<std::ptrdiff_t>(more));
      place.strides.erase(place.strides.begin(), place.strides.begin() + static_cast<std::ptrdiff_t>(more));
    }
    const size_t shift = rank - place.sizes.size();
    for (size_t d = 0; d < place.sizes.size(); ++d) {
      if (place.sizes[d] != 1 && place.sizes[d] != space[shift + d]) throw Unfusable{"its sizes are not those of the result"};
      strides[k][shift + d] = place.sizes[d] == 1 ? 0 : place.strides[d] * bytes;
    }
  }
  // Dimensions from the innermost outwards; those of size 1 are none.
  std::vector<size_t> order;
  for (size_t d = rank; d-- > 0;)
    if (space[d] != 1 || (reduces && d + 1 == rank)) order.push_back(d);
  if (!reduces)
    std::stable_sort(order.begin(), order.end(), [&](size_t a, size_t b) { return like[a] < like[b]; });
  struct Dim {
    int64_t size;
    std::vector<int64_t> strides;
  };
  std::vector<Dim> dims;
  for (const size_t d : order) {
    Dim dim{space[d], {}};
    for (size_t k = 0; k < operands; ++k) dim.strides.push_back(strides[k][d]);
    const bool may_join = !dims.empty() && !(reduces && dims.size() == 1);
    bool joins = may_join;
    for (size_t k = 0; joins && k < operands; ++k) joins = dim.strides[k] == dims.back().strides[k] * dims.back().size;
    if (joins) dims.back().size *= dim.size;
    else dims.push_back(std::move(dim));
  }
  if (dims.empty()) dims.push_back({1, std::vector<int64_t>(operands, 0)});
  loop.n = dims[0].size;
  loop.inner = dims[0].strides;
  loop.outer.assign(operands, 0);
  if (dims.size() > 1) {
    loop.rows = dims[1].size;
    loop.outer = dims[1].strides;
  }
  for (size_t d = 2; d < dims.size(); ++d) {
    loop.extra_sizes.push_back(dims[d].size);
    loop.extra_strides.push_back(dims[d].strides);
  }
  const int64_t extra = product(loop.extra_sizes);
  // How each operand is stepped through.
  std::vector<Step> steps;
  for (size_t k = 0; k < operands; ++k) {
    const int slot = k < kernel.arguments.size() ? kernel.arguments[k] : kernel.results[k - kernel.arguments.size()];
    const auto bytes = static_cast<int64_t>(c10::elementSize(places_[slot].dtype));
    const bool is_result = k >= kernel.arguments.size();
    // One element is as good as many: no kernel of its own.
    if (loop.n == 1) loop.inner[k] = bytes;
    steps.push_back(loop.inner[k] == bytes ? Step::one
                    : loop.inner[k] == 0 && !is_result                   ? Step::none
                                                                         : Step::any);
  }
  const std::string source = source_of(program, kernel, steps, loop.scratch);
  if (!reduces && dims.size() == 1 && (kernel.whole || loop.scratch > 0)) {
    loop.split = true;
    loop.rows = loop.n / kPiece;
    loop.tail = loop.n % kPiece;
    for (size_t k = 0; k < operands; ++k) loop.outer[k] = loop.inner[k] * kPiece;
    if (loop.rows > 0) loop.n = kPiece;
  }
  if (kernel.whole) {
    loop.partials = (loop.rows + (loop.tail > 0)) * extra;
    for (size_t k = kernel.arguments.size(); k < operands; ++k) {
      const Expr& e = program.exprs[kernel.values[k - kernel.arguments.size()]];
      if (e.extent == Extent::whole) loop.outer[k] = static_cast<int64_t>(c10::elementSize(accumulator(e)));
    }
  }
  loop.cost = 1.0 + kernel.light * 0.25 + kernel.heavy * 2.0;
  source_ += source;
  loop.compiled = compiled(source);
  loops_.push_back(std::move(loop));
}

void Plan::run_loop(const Loop& loop, std::vector<at::Tensor>& slots, const KernelNumber* numbers) const {
  const Kernel& kernel = *loop.kernel;
  const size_t arguments = kernel.arguments.size(), operands = arguments + kernel.results.size();
  c10::SmallVector<char*, 16> pointers(operands, nullptr);
  std::vector<at::Tensor> partials(kernel.results.size());
  for (size_t k = 0; k < arguments; ++k) pointers[k] = static_cast<char*>(slots[kernel.arguments[k]].data_ptr());
  for (size_t r = 0; r < kernel.results.size(); ++r) {
    const int slot = kernel.results[r];
    const Place& place = places_[slot];
    const Expr& e = program_->exprs[kernel.values[r]];
    if (e.extent == Extent::whole) {
      partials[r] = at::empty({loop.partials}, at::TensorOptions().dtype(accumulator(e)));
      pointers[arguments + r] = static_cast<char*>(partials[r].data_ptr());
    } else {
      slots[slot] = at::empty_strided(place.sizes, place.strides, at::TensorOptions().dtype(place.dtype));
      pointers[arguments + r] = static_cast<char*>(slots[slot].data_ptr());
    }
  }
  const KernelFunction function = loop.compiled->function.load(std::memory_order_acquire);
  const int64_t extra = product(loop.extra_sizes);
  const double elements = static_cast<double>(extra) * (static_cast<double>(loop.rows) * loop.n + loop.tail);
  const auto with_scratch = [&](const auto& does) {
    if (loop.scratch == 0) return does(static_cast<char*>(nullptr));
    const auto memory = std::make_unique<char[]>(loop.scratch * static_cast<size_t>(loop.n) + 64);
    does(memory.get() + (64 - reinterpret_cast<uintptr_t>(memory.get()) % 64) % 64);
  };
  // Rows [begin, end) of one turn of the loops around them.
  const auto rows = [&](const char* const* base, int64_t turn, int64_t begin, int64_t end, char* scratch) {
    c10::SmallVector<char*, 16> at(operands);
    for (size_t k = 0; k < operands; ++k) at[k] = const_cast<char*>(base[k]) + begin * loop.outer[k];
    for (size_t r = 0; loop.partials && r < kernel.results.size(); ++r)
      if (partials[r].defined()) at[arguments + r] += turn * loop.rows * loop.outer[arguments + r];
    function(at.data(), loop.outer.data(), loop.inner.data(), numbers, end - begin, loop.n, scratch);
  };
  if (loop.extra_sizes.empty() && loop.rows <= 1 && !loop.split) {
    // One row: threads share its elements, if nothing is reduced over it.
    if (kernel.rows || kernel.whole) {
      with_scratch([&](char* scratch) { rows(pointers.data(), 0, 0, 1, scratch); });
    } else {
      in_parallel((loop.n + 63) / 64, elements * loop.cost, [&](int64_t begin, int64_t end) {
        c10::SmallVector<char*, 16> at(operands);
        for (size_t k = 0; k < operands; ++k) at[k] = pointers[k] + begin * 64 * loop.inner[k];
        function(at.data(), loop.outer.data(), loop.inner.data(), numbers, 1, std::min(loop.n, end * 64) - begin * 64, nullptr);
      });
    }
  } else {
    in_parallel(extra * std::max<int64_t>(loop.rows, 1), elements * loop.cost, [&](int64_t begin, int64_t end) {
      with_scratch([&](char* scratch) {
        if (loop.rows == 0) return;
        while (begin < end) {
          const int64_t turn = begin / loop.rows, first = begin % loop.rows, last = std::min(loop.rows, first + end - begin);
          c10::SmallVector<char*, 16> base(pointers.begin(), pointers.end());
          int64_t rest = turn;
          for (size_t d = 0; d < loop.extra_sizes.size(); ++d) {
            const int64_t i = rest % loop.extra_sizes[d];
            rest /= loop.extra_sizes[d];
            for (size_t k = 0; k < operands; ++k) base[k] += i * loop.extra_strides[d][k];
          }
          rows(base.data(), turn, first, last, scratch);
          begin += last - first;
        }
      });
    });
    if (loop.tail > 0)
      with_scratch([&](char* scratch) {
        c10::SmallVector<char*, 16> at(operands);
        for (size_t k = 0; k < operands; ++k) at[k] = pointers[k] + loop.rows * loop.outer[k];
        function(at.data(), loop.outer.data(), loop.inner.data(), numbers, 1, loop.tail, scratch);
      });
  }
  for (size_t r = 0; r < kernel.results.size(); ++r) {
    const int slot = kernel.results[r];
    const Slot& it = program_->slots[slot];
    const Expr& e = program_->exprs[kernel.values[r]];
    if (e.extent == Extent::whole) {
      at::Tensor out = at::empty(places_[slot].sizes, at::TensorOptions().dtype(it.dtype));
      const at::Tensor& from = partials[r];
      if (e.reduction != Reduction::sum) {
        out = (e.reduction == Reduction::max ? from.amax() : from.amin()).to(it.dtype).reshape(places_[slot].sizes);
      } else if (from.scalar_type() == at::kLong) {
        int64_t sum = 0;
        for (int64_t i = 0; i < loop.partials; ++i) sum += from.data_ptr<int64_t>()[i];
        out.fill_(sum);
      } else {
        double sum = pairwise_sum(from.data_ptr<double>(), loop.partials);
        if (it.mean) sum /= static_cast<double>(product(real_sizes(e.space)));
        if (it.dtype == at::kFloat) *out.data_ptr<float>() = static_cast<float>(sum);
        else if (it.dtype == at::kDouble) *out.data_ptr<double>() = sum;
        else out.fill_(sum);
      }
      slots[slot] = std::move(out);
    } else if (!it.of.empty()) {
      slots[slot] = at::sum_to(slots[slot], real_sizes(it.shape));
    }
  }
}

std::vector<at::Tensor> Plan::run(std::vector<at::Tensor> arguments, const torch::jit::Stack& inputs) const {
  const at::NoGradGuard no_grad;
  c10::SmallVector<KernelNumber, 16> numbers;
  for (const Number& number : program_->numbers) {
    KernelNumber it;
    it.i = number.i;
    if (number.inverse) {
      it.d = 1.0 / static_cast<double>(product(real_sizes(number.of)));
    } else if (number.input >= 0) {
      const c10::IValue& value = inputs[static_cast<size_t>(number.input)];
      if (value.isDouble()) it.d = value.toDouble();
      else it.i = value.isBool() ? value.toBool() : value.toInt();
    } else if (number.i == 0) {
      it.d = number.d;
    }
    numbers.push_back(it);
  }
  std::vector<at::Tensor> slots(program_->slots.size());
  for (size_t i = 0; i < arguments.size(); ++i) slots[program_->arguments[i]] = std::move(arguments[i]);
  for (const Loop& loop : loops_) run_loop(loop, slots, numbers.data());
  std::vector<at::Tensor> results;
  for (const int slot : program_->results) results.push_back(slot < 0 ? at::Tensor() : slots[slot]);
  return results;
}

}  // namespace shim::fuse
