#include "fuse/builder.h"

#include <tuple>

namespace shim::fuse {
namespace {

Sizes broadcast(const Sizes& a, const Sizes& b) {
  Sizes out(std::max(a.size(), b.size()), 1);
  for (size_t i = 0; i < out.size(); ++i) {
    const int64_t x = i < a.size() ? a[a.size() - 1 - i] : 1, y = i < b.size() ? b[b.size() - 1 - i] : 1;
    if (x != y && x != 1 && y != 1) throw Unfusable{"its sizes do not fit"};
    out[out.size() - 1 - i] = x == 1 ? y : x;
  }
  return out;
}

}  // namespace

int64_t count(const Sizes& shape) {
  int64_t n = 1;
  for (const int64_t size : shape) n *= size;
  return n;
}

Sizes trimmed(const Sizes& shape) {
  size_t first = 0;
  while (first < shape.size() && shape[first] == 1) ++first;
  return Sizes(shape.begin() + static_cast<std::ptrdiff_t>(first), shape.end());
}

const Formula& plain() {
  static const Formula plain{"a"};
  return plain;
}

const Formula& same() {
  static const Formula same{"a", {"g"}};
  return same;
}

Id Builder::tensor(int slot) {
  const Slot& from = program.slots[slot];
  Expr e;
  e.kind = Expr::tensor;
  e.slot = slot;
  e.dtype = e.compute = from.dtype;
  e.shape = from.shape;
  if (from.unsqueeze) e.shape.push_back(1);
  // A view can be read by the kernels of its own level.
  if (from.made_by >= 0) e.level = at(from.made_by).level + (at(from.made_by).kind == Expr::view ? 0 : 1);
  return add(std::move(e));
}

int Builder::argument_slot(at::ScalarType dtype, const Sizes& shape, bool unsqueeze) {
  Slot slot;
  slot.dtype = dtype;
  slot.shape = shape;
  slot.unsqueeze = unsqueeze;
  program.slots.push_back(slot);
  program.arguments.push_back(static_cast<int>(program.slots.size()) - 1);
  return program.arguments.back();
}

Id Builder::number(const c10::IValue& value, int input) {
  Number number;
  number.input = input;
  const bool integer = !value.isDouble();
  if (input < 0) {
    if (value.isDouble()) number.d = value.toDouble();
    else number.i = value.isBool() ? value.toBool() : value.toInt();
  }
  program.numbers.push_back(number);
  return number_expr(integer, value.isDouble() ? at::kDouble : at::kLong);
}

Id Builder::number_of(Number::Of of, const Sizes& shape, at::ScalarType dtype) {
  Number number;
  number.of = of;
  number.shape = shape;
  program.numbers.push_back(number);
  return number_expr(false, dtype);
}

Id Builder::corrected_count(const Sizes& shape, double correction, at::ScalarType dtype) {
  const Id id = number_of(Number::corrected, shape, dtype);
  program.numbers.back().d = correction;
  return id;
}

Id Builder::position() {
  Expr e;
  e.kind = Expr::position;
  e.dtype = e.compute = at::kLong;
  return add(std::move(e));
}

Id Builder::formula(const Formula& f, std::vector<Id> args, at::ScalarType compute, at::ScalarType dtype,
           const std::string& letters) {
  Expr e;
  e.kind = Expr::formula;
  e.text = f.text;
  e.block = f.block;
  e.compute = compute;
  e.dtype = dtype;
  const size_t semicolon = e.text.find(';');
  std::string inner;  // the function over blocks that `x = ...;` calls before the formula
  if (semicolon != std::string::npos) {
    const std::string head = e.text.substr(4, semicolon - 4);
    const std::string name = head.substr(0, head.find('('));
    const Formula* block = formula_of(c10::Symbol::fromQualString("aten::" + name), {});
    if (block && block->block) {
      std::vector<Id> inner_args;
      for (size_t i = 0; i < head.size(); ++i) {
        const size_t k = letters.find(head[i]);
        if (i > name.size() && k != std::string::npos && k < args.size()) inner_args.push_back(args[k]);
      }
      e.args.push_back(formula(*block, inner_args, compute, compute));
      e.names = "x";
      e.text = e.text.substr(semicolon + 1);
    }
  }
  int level = 0;
  const auto is_read = [&](size_t i) { return args[i] >= 0 && (f.block || mentions(e.text, letters[i])); };
  for (size_t i = 0; i < args.size(); ++i)
    if (is_read(i)) level = std::max(level, at(args[i]).level);
  // What an earlier kernel leaves in memory is not computed again.
  for (size_t i = 0; i < args.size(); ++i) {
    const auto known = is_read(i) ? slot_of_.find(args[i]) : slot_of_.end();
    if (known != slot_of_.end() && at(args[i]).level < level && at(args[i]).extent == Extent::full && !at(args[i]).closed)
      args[i] = tensor(known->second);
  }
  for (size_t i = 0; i < args.size(); ++i)
    if (f.block || mentions(e.text, letters[i])) {
      if (args[i] < 0) throw Unfusable{"an argument that it needs is missing"};
      if (at(args[i]).extent == Extent::whole || at(args[i]).closed) args[i] = materialised(args[i]);
      e.names += letters[i];
      e.args.push_back(args[i]);
    }
  for (Id& arg : e.args) {
    if (f.block && at(arg).dtype != compute) arg = formula(plain(), {arg}, compute, compute);
  }
  bool rows = false;
  for (const Id arg : e.args) {
    e.shape = broadcast(e.shape, at(arg).shape);
    e.level = std::max(e.level, at(arg).level);
    rows = rows || at(arg).extent == Extent::row;
  }
  if (rows) {
    for (const Id arg : e.args)
      if (at(arg).extent == Extent::row) {
        if (!e.space.empty() && e.space != at(arg).space) throw Unfusable{"rows of several lengths"};
        e.space = at(arg).space;
      }
    const bool last_is_one = e.shape.empty() || e.shape.back() == 1;
    // If rows have length one, the space does not tell whether a value lives at each element or once a row.
    e.extent = last_is_one && e.space.back() != 1 ? Extent::row : Extent::full;
    if (e.extent == Extent::row && e.block) throw Unfusable{"a function of the C library on rows"};
    if (e.extent == Extent::full && trimmed(e.shape) != trimmed(e.space)) throw Unfusable{"rows are repeated"};
    if (e.extent == Extent::row) {
      Sizes row = e.space;
      row.back() = 1;
      if (trimmed(row) != trimmed(e.shape)) throw Unfusable{"rows are repeated"};
    }
  }
  const Id id = add(std::move(e));
  if (!f.derivatives.empty()) derivatives_[id] = {f.derivatives, std::move(args)};
  return id;
}

Id Builder::rounded(Id id) {
  Expr& e = program.exprs[static_cast<size_t>(id)];
  e.rounded = e.dtype == at::kHalf || e.dtype == at::kBFloat16;
  return id;
}

Id Builder::reduce(Reduction reduction, Id a, bool whole, at::ScalarType dtype) {
  if (at(a).extent != Extent::full || at(a).closed) a = materialised(a);
  if (at(a).kind == Expr::number) throw Unfusable{"a number is reduced"};
  // One element needs no reduction, and the kernel may go through another space.
  if (whole ? count(at(a).shape) == 1 : is_single(a)) return formula(same(), {a}, dtype, dtype);
  Expr e;
  e.kind = Expr::reduce;
  e.reduction = reduction;
  e.args = {a};
  e.dtype = e.compute = dtype;
  e.extent = whole ? Extent::whole : Extent::row;
  e.space = e.shape = at(a).shape;
  if (e.shape.empty()) throw Unfusable{"it has no dimension"};
  if (whole) e.shape.clear();
  else e.shape.back() = 1;
  e.level = at(a).level;
  return add(std::move(e));
}

Id Builder::step(Expr e, Sizes shape) {
  for (Id& arg : e.args) {
    arg = stored_in_full(arg);
    e.level = std::max(e.level, at(arg).level);
  }
  e.dtype = e.compute = at(e.args[0]).dtype;
  e.shape = shape;
  const Id id = add(std::move(e));
  return tensor(slot_for(id, shape));
}

Id Builder::product(Id a, bool turn_a, Id b, bool turn_b, Sizes shape, bool batched) {
  Expr e;
  e.kind = Expr::product;
  e.args = {a, b};
  e.turned[0] = turn_a;
  e.turned[1] = turn_b;
  e.batched = batched;
  return step(std::move(e), std::move(shape));
}

Id Builder::columns(Id a, int64_t begin, int64_t end, Sizes shape) {
  a = stored_in_full(a);
  Expr e;
  e.kind = Expr::columns;
  e.args = {a};
  e.space = at(a).shape;
  e.begin = begin;
  e.end = end;
  return step(std::move(e), std::move(shape));
}

Id Builder::view(Id a, std::vector<int64_t> order, Sizes shape, bool packed) {
  a = stored_in_full(a);
  Slot& from = program.slots[at(a).slot];
  // Where the rows of products are read in another order, most likely as one long row, they are written in that order.
  const bool keeps_rows = !order.empty() && order.back() + 1 == static_cast<int64_t>(order.size());
  if (keeps_rows && from.order.empty() && from.made_by >= 0 && at(from.made_by).batched) from.order = order;
  Expr e;
  e.kind = Expr::view;
  e.args = {a};
  e.order = std::move(order);
  e.packed = packed;
  return step(std::move(e), std::move(shape));
}

Id Builder::part(Id a, Cut cut, Sizes shape) {
  Expr e;
  e.kind = Expr::view;
  e.args = {a};
  e.cuts = {cut};
  return step(std::move(e), std::move(shape));
}

Id Builder::joined(const std::vector<Id>& parts, std::vector<Cut> cuts, Sizes shape, bool gaps) {
  Expr e;
  e.kind = Expr::joined;
  e.args = parts;
  e.cuts = std::move(cuts);
  e.gaps = gaps;
  return step(std::move(e), std::move(shape));
}

// A tensor that lies in memory, without a dimension that is missing there.
Id Builder::stored_in_full(Id id) {
  const Expr& e = at(id);
  if (e.kind == Expr::number) throw Unfusable{"a number is multiplied as a matrix"};
  if (e.kind != Expr::tensor) return materialised(id);
  if (program.slots[e.slot].unsqueeze) throw Unfusable{"a dimension that is missing is multiplied"};
  return id;
}

Id Builder::materialised(Id id) {
  const auto known = slot_of_.find(id);
  Sizes shape = at(id).shape;
  if (at(id).closed) shape.pop_back();
  const int slot = known != slot_of_.end() ? known->second : slot_for(id, shape);
  const auto stored = stored_.find(slot);
  return stored != stored_.end() ? stored->second : stored_[slot] = tensor(slot);
}

Id Builder::unsqueezed(Id id) {
  const int slot = slot_for(full(id), at(id).shape);
  program.slots[slot].unsqueeze = true;
  return tensor(slot);
}

int Builder::slot_for(Id id, const Sizes& shape) {
  Slot slot;
  slot.made_by = id;
  slot.dtype = at(id).dtype;
  slot.shape = shape;
  slot.mean = means_.count(id) > 0;
  program.slots.push_back(slot);
  return slot_of_[id] = static_cast<int>(program.slots.size()) - 1;
}

Id Builder::mean_of_whole(Id sum) {
  means_.insert(sum);
  return sum;
}

Id Builder::summed_to(Id id, const Sizes& shape) {
  if (at(id).shape == shape) return id;
  // What lives once a row is summed as it lies in memory, not as often as the row has elements.
  if (at(id).extent != Extent::full) id = materialised(id);
  const Sizes from = at(id).shape;
  if (from == shape) return id;
  if (from.size() < shape.size()) {
    if (trimmed(from) != trimmed(shape)) throw Unfusable{"a gradient has fewer dimensions"};
    return repeated(id, shape);
  }
  if (count(shape) == 1) {
    const Id sum = reduce(Reduction::sum, full(id), true, at(id).dtype);
    return tensor(slot_for(sum, shape));
  }
  Sizes row = from;
  if (!row.empty()) row.back() = 1;
  if (trimmed(row) == trimmed(shape) && row.size() == shape.size()) return reduce(Reduction::sum, full(id), false, at(id).dtype);
  const Id whole = full(id);
  const bool has_columns = at(whole).dtype == at::kFloat || at(whole).dtype == at::kDouble;
  if (has_columns && !shape.empty() && shape.back() == from.back()) {
    // Dimensions that the shape lacks, or where it has 1.
    const auto rank = static_cast<int64_t>(from.size()), missing = rank - static_cast<int64_t>(shape.size());
    const auto lacks = [&](int64_t d) { return d < missing || shape[static_cast<size_t>(d - missing)] != from[static_cast<size_t>(d)]; };
    int64_t begin = 0, end = rank - 1;
    while (begin < end && !lacks(begin)) ++begin;
    while (end > begin && !lacks(end - 1)) --end;
    bool together = true;
    for (int64_t d = begin; together && d < end; ++d) together = lacks(d) || from[static_cast<size_t>(d)] == 1;
    if (together) return columns(whole, begin, end, shape);
  }
  Slot slot;
  slot.made_by = whole;
  slot.dtype = at(whole).dtype;
  slot.shape = shape;
  slot.of = from;
  program.slots.push_back(slot);
  return tensor(static_cast<int>(program.slots.size()) - 1);
}

Id Builder::repeated(Id id, const Sizes& shape) {
  if (at(id).extent == Extent::whole) id = materialised(id);
  Expr e;
  e.kind = Expr::formula;
  e.text = "a";
  e.names = "a";
  e.args = {id};
  e.compute = e.dtype = at(id).dtype;
  e.shape = shape;
  e.level = at(id).level;
  return add(std::move(e));
}

Id Builder::expanded(Id id, const Sizes& shape) {
  if (at(id).extent == Extent::whole || at(id).closed) id = materialised(id);
  if (at(id).extent == Extent::row && trimmed(shape) != trimmed(at(id).space)) throw Unfusable{"rows are repeated"};
  const Id out = repeated(id, shape);
  program.exprs[out].space = at(id).space;
  derivatives_[out] = {{"g"}, {id}};
  return out;
}

const Builder::Derivatives* Builder::derivatives(Id id) const {
  const auto found = derivatives_.find(id);
  return found == derivatives_.end() ? nullptr : &found->second;
}

std::vector<int> Builder::products() const {
  std::vector<int> out;
  for (size_t i = 0; i < program.slots.size(); ++i)
    if (program.slots[i].made_by >= 0 && at(program.slots[i].made_by).kind == Expr::product) out.push_back(static_cast<int>(i));
  return out;
}

void Builder::schedule() {
  // Views come first in their level, in the order in which they were made: one may show another.
  struct Key {
    int level;
    bool computes;
    Sizes space;
    Id alone;  // the expression of a step of another kind than a loop
    bool operator<(const Key& other) const {
      return std::tie(level, computes, space, alone) < std::tie(other.level, other.computes, other.space, other.alone);
    }
  };
  std::map<Key, Kernel> kernels;
  const std::set<int> needed = needed_slots();
  for (const int slot : needed) {
    const Slot& it = program.slots[slot];
    if (it.made_by < 0) continue;
    const Expr& e = at(it.made_by);
    const Work work = e.kind == Expr::product   ? Work::product
                      : e.kind == Expr::columns ? Work::columns
                      : e.kind == Expr::view    ? Work::view
                      : e.kind == Expr::joined  ? Work::joined
                                                : Work::loop;
    const bool computes = work != Work::view;
    const Sizes space = computes ? trimmed(e.extent == Extent::full ? e.shape : e.space) : Sizes{};
    Kernel& kernel = kernels[{e.level, computes, space, work == Work::loop ? -1 : it.made_by}];
    kernel.work = work;
    kernel.space = e.extent == Extent::full ? (e.shape.size() > kernel.space.size() ? e.shape : kernel.space)
                                            : (e.space.size() > kernel.space.size() ? e.space : kernel.space);
    kernel.results.push_back(slot);
    kernel.values.push_back(it.made_by);
  }
  for (auto& [key, kernel] : kernels) {
    if (kernel.work != Work::loop) {
      for (const Id arg : at(kernel.values[0]).args) kernel.arguments.push_back(at(arg).slot);
      program.kernels.push_back(std::move(kernel));
      continue;
    }
    std::set<Id> seen;
    std::vector<int> read;
    for (const Id id : kernel.values) gather(id, kernel, seen, read);
    for (const Id id : seen)
      if (at(id).kind == Expr::reduce && trimmed(at(id).space) != key.space)
        throw Unfusable{"it reduces other rows than those of the result"};
    kernel.arguments = std::move(read);
    program.kernels.push_back(std::move(kernel));
  }
  // What others read than views in that order lies as operators' results do: theirs lie like it.
  for (const int slot : program.results)
    if (slot >= 0) program.slots[slot].order.clear();
  for (const Kernel& kernel : program.kernels)
    for (const int slot : kernel.arguments)
      if (kernel.work != Work::view || at(kernel.values[0]).order != program.slots[slot].order) program.slots[slot].order.clear();
}

bool Builder::mentions(const std::string& text, char letter) {
  for (size_t i = 0; i < text.size(); ++i) {
    const auto is_word = [&](size_t k) {
      return k < text.size() && (std::isalnum(static_cast<unsigned char>(text[k])) || text[k] == '_');
    };
    if (text[i] == letter && (i == 0 || !is_word(i - 1)) && !is_word(i + 1)) return true;
  }
  return false;
}

Id Builder::number_expr(bool integer, at::ScalarType dtype) {
  Expr e;
  e.kind = Expr::number;
  e.integer = integer;
  e.slot = static_cast<int>(program.numbers.size()) - 1;
  e.dtype = e.compute = dtype;
  return add(std::move(e));
}

Id Builder::add(Expr e) {
  program.exprs.push_back(std::move(e));
  if (program.exprs.size() > 2000) throw Unfusable{"there is too much of it"};
  return static_cast<Id>(program.exprs.size()) - 1;
}

std::set<int> Builder::needed_slots() {
  std::set<int> needed;
  std::vector<int> open;
  for (const int slot : program.results)
    if (slot >= 0) open.push_back(slot);
  while (!open.empty()) {
    const int slot = open.back();
    open.pop_back();
    if (!needed.insert(slot).second || program.slots[slot].made_by < 0) continue;
    std::set<Id> seen;
    std::vector<int> read;
    Kernel nothing;
    gather(program.slots[slot].made_by, nothing, seen, read);
    open.insert(open.end(), read.begin(), read.end());
  }
  return needed;
}

void Builder::gather(Id id, Kernel& kernel, std::set<Id>& seen, std::vector<int>& read) {
  if (!seen.insert(id).second) return;
  const Expr& e = at(id);
  if (e.kind == Expr::tensor && std::find(read.begin(), read.end(), e.slot) == read.end()) read.push_back(e.slot);
  kernel.rows = kernel.rows || e.extent == Extent::row || e.kind == Expr::position;
  kernel.whole = kernel.whole || (e.kind == Expr::reduce && e.extent == Extent::whole);
  kernel.block = kernel.block || e.block;
  if (e.kind == Expr::formula) ++(e.block || e.text.find('$') != std::string::npos ? kernel.heavy : kernel.light);
  for (const Id arg : e.args) gather(arg, kernel, seen, read);
}

}  // namespace shim::fuse
