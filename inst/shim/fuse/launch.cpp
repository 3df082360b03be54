#include "fuse/launch.h"

#include <ATen/ExpandUtils.h>
#include <ATen/Functions.h>

#include <algorithm>

namespace shim::fuse {
namespace {

// Kernels compare positions as numbers of the dtype that they compute in: these are exact in all.
constexpr int64_t kMostPositions = 1 << 24;

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
    : program_(std::move(program)), real_(std::move(real)), places_(program_->slots.size()), written_(places_.size()) {
  for (size_t i = 0; i < arguments.size(); ++i) places_[program_->arguments[i]] = arguments[i];
  for (const Kernel& kernel : program_->kernels) {
    if (kernel.work == Work::view) {
      place_view(kernel);
      continue;
    }
    const std::vector<int64_t> space = real_sizes(kernel.space);
    place_results(kernel, space);
    const Expr& made = program_->exprs[kernel.values[0]];
    const Place& out = places_[kernel.results[0]];
    std::vector<Place> read;
    for (const int slot : kernel.arguments) read.push_back(places_[slot]);
    if (kernel.work == Work::product) steps_.emplace_back(Product(made, read[0], read[1], out));
    else if (kernel.work == Work::columns) steps_.emplace_back(Columns(made, read[0]));
    else if (kernel.work == Work::joined) steps_.emplace_back(Joined(made, read, out));
    else steps_.emplace_back(Nest(*program_, kernel, places_, space));
    place_sums(kernel);
  }
  find_last_uses();
}

bool Plan::can_choose(const torch::jit::Stack& arguments, size_t first) const {
  for (const Choice& choice : program_->choices) {
    auto at = program_->arguments.begin();
    size_t i = first;
    while (!arguments[i].isTensor() || *at++ != choice.slot) ++i;
    const at::Tensor& chosen = arguments[i].toTensor();
    const int64_t step = chosen.stride(0), among = real_sizes({choice.among})[0];
    if (among > kMostPositions) return false;
    const auto* it = static_cast<const int64_t*>(chosen.data_ptr());
    for (int64_t k = 0; k < chosen.numel(); ++k)
      if (it[k * step] >= among || (it[k * step] < 0 && it[k * step] != choice.none)) return false;
  }
  return true;
}

void Plan::find_last_uses() {
  dying_.resize(steps_.size());
  std::vector<bool> stays(places_.size(), false);
  for (const int slot : program_->arguments) stays[static_cast<size_t>(slot)] = true;
  for (const int slot : program_->results)
    if (slot >= 0) stays[static_cast<size_t>(slot)] = true;
  for (size_t step = steps_.size(); step-- > 0;)
    for (const int slot : program_->kernels[step].arguments) {
      if (stays[static_cast<size_t>(slot)]) continue;
      stays[static_cast<size_t>(slot)] = true;
      dying_[step].push_back(slot);
    }
}

std::vector<int64_t> Plan::real_sizes(const Sizes& shape) const {
  if (real_.empty()) return shape;
  std::vector<int64_t> sizes;
  for (const int64_t size : shape) sizes.push_back(size == 1 ? 1 : real_.at(size));
  return sizes;
}

Plan::State Plan::state() const {
  State state = State::ready;
  for (const auto& step : steps_) {
    const Nest* nest = std::get_if<Nest>(&step);
    if (!nest) continue;
    if (nest->compiled().failed) return State::failed;
    if (!nest->compiled().function) state = State::waiting;
  }
  return state;
}

// Whether the channels lie innermost in all that is put side by side. Then they do so in the result of LibTorch's operator too.
bool Plan::lie_by_channels(const Kernel& kernel) const {
  if (kernel.work != Work::joined) return false;
  return std::all_of(kernel.arguments.begin(), kernel.arguments.end(), [&](int slot) {
    const Place& it = places_[static_cast<size_t>(slot)];
    return it.sizes.size() == 4 && c10::is_channels_last_strides_2d(it.sizes, it.strides);
  });
}

void Plan::place_results(const Kernel& kernel, const std::vector<int64_t>& space) {
  const std::vector<int64_t> like = kernel.work == Work::product ? lying_in(space, program_->slots[kernel.results[0]].order)
                                    : kernel.work == Work::loop  ? strides_like(kernel, places_, space)
                                    : lie_by_channels(kernel)    ? c10::get_channels_last_strides_2d(space)
                                                                 : contiguous(space);
  for (const int slot : kernel.results) {
    const Slot& it = program_->slots[slot];
    const std::vector<int64_t> sizes = real_sizes(it.of.empty() ? it.shape : it.of);
    written_[slot] = places_[slot] = {it.dtype, sizes, sizes == space ? like : contiguous(sizes)};
  }
}

// Memory that can't be read in the new shape as it lies is copied first.
void Plan::place_view(const Kernel& kernel) {
  const Expr& e = program_->exprs[kernel.values[0]];
  const Place& from = places_[static_cast<size_t>(kernel.arguments[0])];
  Place to{from.dtype, real_sizes(e.shape), {}, from.offset};
  bool copies = false;
  if (!e.cuts.empty()) {
    to = part_of(from, e.cuts[0], to.sizes);
  } else if (!e.order.empty()) {
    for (const int64_t d : e.order) to.strides.push_back(from.strides[static_cast<size_t>(d)]);
  } else {
    const auto strides = at::detail::computeStride(from.sizes, from.strides, to.sizes);
    copies = !strides || (e.packed && !at::is_contiguous_strides(from.sizes, from.strides));
    to.strides = copies ? contiguous(to.sizes) : std::vector<int64_t>(strides->begin(), strides->end());
    if (copies) to.offset = 0;
  }
  const auto slot = static_cast<size_t>(kernel.results[0]);
  steps_.emplace_back(View{from, copies});
  written_[slot] = places_[slot] = std::move(to);
}

void Plan::place_sums(const Kernel& kernel) {
  for (const int slot : kernel.results) {
    const Slot& it = program_->slots[slot];
    if (it.of.empty()) continue;
    places_[slot].sizes = real_sizes(it.shape);
    places_[slot].strides = contiguous(places_[slot].sizes);
  }
}

std::string Plan::sources() const {
  std::string out;
  for (const auto& step : steps_)
    if (const Nest* nest = std::get_if<Nest>(&step)) out += nest->source();
  return out;
}

double Plan::operations() const {
  double sum = 0;
  for (size_t step = 0; step < steps_.size(); ++step) {
    const Kernel& kernel = program_->kernels[step];
    if (const Product* it = std::get_if<Product>(&steps_[step])) sum += it->operations();
    else if (kernel.work == Work::loop || kernel.work == Work::columns)
      sum += static_cast<double>(product(real_sizes(kernel.space))) * std::max(1, kernel.light + kernel.heavy);
  }
  return sum;
}

at::Tensor Plan::reduced_to_one(const at::Tensor& partials, const Slot& slot, const Expr& expr) const {
  const std::vector<int64_t> sizes = real_sizes(slot.shape);
  if (expr.reduction != Reduction::sum)
    return (expr.reduction == Reduction::max ? partials.amax() : partials.amin()).to(slot.dtype).reshape(sizes);
  at::Tensor out = at::empty(sizes, at::TensorOptions().dtype(slot.dtype));
  if (partials.scalar_type() == at::kLong) {
    const int64_t* values = partials.data_ptr<int64_t>();
    int64_t sum = 0;
    for (int64_t i = 0; i < partials.numel(); ++i) sum += values[i];
    out.fill_(sum);
    return out;
  }
  double sum = pairwise_sum(partials.data_ptr<double>(), partials.numel());
  if (slot.mean) sum /= static_cast<double>(product(real_sizes(expr.space)));
  if (slot.dtype == at::kFloat) *out.data_ptr<float>() = static_cast<float>(sum);
  else if (slot.dtype == at::kDouble) *out.data_ptr<double>() = sum;
  else out.fill_(sum);
  return out;
}

at::Tensor Plan::memory_for(int slot, size_t step, const std::vector<at::Tensor>& slots, bool may_take) const {
  const Place& place = written_[static_cast<size_t>(slot)];
  for (size_t i = 0; may_take && i < dying_[step].size(); ++i) {
    const auto other = static_cast<size_t>(dying_[step][i]);
    const Place& free = places_[other];
    // The tensor of a view has other sizes than its place. It is left alone: what leaves the group must not be a view.
    const bool fits = free.dtype == place.dtype && free.sizes == place.sizes && free.strides == place.strides &&
                      slots[other].sizes() == at::IntArrayRef(place.sizes) && slots[other].strides() == at::IntArrayRef(place.strides);
    if (fits && slots[other].use_count() == 1) return slots[other];
  }
  return at::empty_strided(place.sizes, place.strides, at::TensorOptions().dtype(place.dtype));
}

void Plan::run_kernel(const Nest& nest, size_t step, std::vector<at::Tensor>& slots, const KernelNumber* numbers) const {
  const Kernel& kernel = nest.kernel();
  const auto expr_of = [&](size_t r) -> const Expr& { return program_->exprs[kernel.values[r]]; };
  c10::SmallVector<char*, 16> pointers;
  for (const int slot : kernel.arguments) {
    const Place& place = places_[static_cast<size_t>(slot)];
    const int64_t skipped = place.offset * static_cast<int64_t>(c10::elementSize(place.dtype));
    pointers.push_back(static_cast<char*>(slots[slot].data_ptr()) + skipped);
  }
  for (size_t r = 0; r < kernel.results.size(); ++r) {
    const int slot = kernel.results[r];
    if (expr_of(r).extent == Extent::whole)
      slots[slot] = at::empty({nest.partials()}, at::TensorOptions().dtype(accumulator(expr_of(r))));
    else if (!slots[slot].defined())
      slots[slot] = memory_for(slot, step, slots, nest.may_write_over() && kernel.results.size() == 1);
    pointers.push_back(static_cast<char*>(slots[slot].data_ptr()));
  }
  nest.run(pointers, numbers);
  for (size_t r = 0; r < kernel.results.size(); ++r) {
    at::Tensor& made = slots[kernel.results[r]];
    const Slot& slot = program_->slots[kernel.results[r]];
    if (expr_of(r).extent == Extent::whole) made = reduced_to_one(made, slot, expr_of(r));
    else if (!slot.of.empty()) made = at::sum_to(made, real_sizes(slot.shape));
  }
}

std::vector<KernelNumber> Plan::numbers(const torch::jit::Stack& inputs) const {
  std::vector<KernelNumber> out;
  for (const Number& number : program_->numbers) {
    KernelNumber it;
    it.i = number.i;
    if (number.of != Number::nothing) {
      const auto n = static_cast<double>(product(real_sizes(number.shape)));
      it.d = number.of == Number::count ? n : number.of == Number::inverse ? 1.0 / n : n / std::max(0.0, n - number.d);
    } else if (number.input >= 0) {
      const c10::IValue& value = inputs[static_cast<size_t>(number.input)];
      if (value.isDouble()) it.d = value.toDouble();
      else it.i = value.isBool() ? value.toBool() : value.toInt();
    } else if (number.i == 0) {
      it.d = number.d;
    }
    out.push_back(it);
  }
  return out;
}

std::vector<at::Tensor> Plan::run(std::vector<at::Tensor> arguments, const torch::jit::Stack& inputs,
                                  const std::vector<at::Tensor>* into, std::vector<at::Tensor>* products) const {
  const at::NoGradGuard no_grad;
  if (products) products->resize(program_->products.size());
  const std::vector<KernelNumber> given = numbers(inputs);
  std::vector<at::Tensor> slots(program_->slots.size());
  for (size_t i = 0; i < arguments.size(); ++i) slots[program_->arguments[i]] = std::move(arguments[i]);
  for (size_t i = 0; into && i < into->size(); ++i) {
    const int slot = program_->results[i];
    const at::Tensor& to = (*into)[i];
    if (slot >= 0 && to.scalar_type() == written_[slot].dtype && to.sizes() == written_[slot].sizes &&
        to.strides() == written_[slot].strides)
      slots[slot] = to;
  }
  for (size_t step = 0; step < steps_.size(); ++step) {
    const Kernel& kernel = program_->kernels[step];
    if (kernel.work != Work::loop && kernel.work != Work::view && !slots[kernel.results[0]].defined())
      slots[kernel.results[0]] = memory_for(kernel.results[0], step, slots, false);
    if (const Nest* nest = std::get_if<Nest>(&steps_[step])) {
      run_kernel(*nest, step, slots, given.data());
    } else if (const View* view = std::get_if<View>(&steps_[step])) {
      slots[kernel.results[0]] = view->run(slots[kernel.arguments[0]]);
    } else if (const Columns* columns = std::get_if<Columns>(&steps_[step])) {
      columns->run(slots[kernel.arguments[0]], slots[kernel.results[0]]);
    } else if (const Joined* joined = std::get_if<Joined>(&steps_[step])) {
      std::vector<const at::Tensor*> parts;
      for (const int slot : kernel.arguments) parts.push_back(&slots[slot]);
      joined->run(parts, slots[kernel.results[0]]);
    } else {
      const at::Tensor& made = slots[kernel.results[0]];
      std::get<Product>(steps_[step]).run(slots[kernel.arguments[0]], slots[kernel.arguments[1]], made);
      const auto kept = std::find(program_->products.begin(), program_->products.end(), kernel.results[0]);
      if (products && kept != program_->products.end())
        (*products)[static_cast<size_t>(kept - program_->products.begin())] = made;
    }
    for (const int slot : dying_[step]) slots[slot].reset();
  }
  std::vector<at::Tensor> results;
  for (const int slot : program_->results) results.push_back(slot < 0 ? at::Tensor() : slots[slot]);
  return results;
}

}  // namespace shim::fuse
