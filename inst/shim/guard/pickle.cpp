// Interprets the instructions of pickles.
#include "guard/pickle.h"

#include <algorithm>
#include <cstring>

#include "guard/depth.h"
#include "guard/pickle-machine.h"

namespace shim {
namespace {

// Programs are nested far less, and a stack of 8 MB carries far more. A module counts as two values: itself and its
// attributes.
constexpr int kDeepestOfProgram = 2 * kMostLevels + 50;
constexpr size_t kMostSpent = 16, kFreeToSpend = size_t{1} << 16;

}  // namespace

void Pickle::run() {
  while (step(static_cast<unsigned char>(take(1)[0]))) {
  }
  if (of_ == Of::program) check_depth();
}

const char* Pickle::take(uint64_t n) {
  require(n <= bytes_.size() - at_, "they are cut short");
  const char* out = bytes_.data() + at_;
  at_ += static_cast<size_t>(n);
  return out;
}

uint64_t Pickle::number(size_t n) {
  const char* p = take(n);
  uint64_t out = 0;
  for (size_t i = 0; i < n; ++i) out |= static_cast<uint64_t>(static_cast<unsigned char>(p[i])) << 8 * i;
  return out;
}

std::string Pickle::line() {
  const size_t end = bytes_.find('\n', at_);
  require(end != std::string_view::npos, "they are cut short");
  std::string out(bytes_.substr(at_, end - at_));
  at_ = end + 1;
  return out;
}

uint32_t Pickle::new_node(Kind kind, int64_t n) {
  require(nodes_.size() < std::numeric_limits<uint32_t>::max(), "there are too many");
  nodes_.emplace_back();
  nodes_.back().kind = kind;
  nodes_.back().n = n;
  return static_cast<uint32_t>(nodes_.size() - 1);
}

uint32_t Pickle::pop() {
  require(stack_.size() > (marks_.empty() ? 0 : marks_.back()));
  const uint32_t out = stack_.back();
  stack_.pop_back();
  return out;
}

size_t Pickle::pop_mark() {
  require(!marks_.empty());
  const size_t out = marks_.back();
  marks_.pop_back();
  return out;
}

void Pickle::push_text(Kind kind, std::string text) {
  texts_.push_back(std::move(text));
  push(kind, static_cast<int64_t>(texts_.size()) - 1);
}

void Pickle::hold(uint32_t node, uint32_t item) {
  // In a program's pickle only values that can be nested are of interest, and the items of tuples that describe
  // tensors.
  if (of_ == Of::program && !is(node, Kind::tuple) && !holds_others(at(item).kind)) return;
  require(edges_.size() < std::numeric_limits<uint32_t>::max(), "there are too many");
  edges_.push_back({item, 0});
  const auto edge = static_cast<uint32_t>(edges_.size());
  Node& holder = nodes_[node];
  if (holder.first == 0)
    holder.first = edge;
  else
    edges_[holder.last - 1].next = edge;
  holder.last = edge;
  ++holder.n;
}

std::vector<uint32_t> Pickle::items_of(uint32_t node) const {
  std::vector<uint32_t> out;
  for (uint32_t edge = nodes_[node].first; edge != 0; edge = edges_[edge - 1].next) out.push_back(edges_[edge - 1].to);
  return out;
}

std::vector<uint32_t> Pickle::arguments_of(uint32_t node, size_t at_least) {
  require(is(node, Kind::tuple) && nodes_[node].n >= static_cast<int64_t>(at_least));
  spend(static_cast<size_t>(nodes_[node].n));
  return items_of(node);
}

void Pickle::spend(size_t n) {
  spent_ += n;
  require(spent_ <= kMostSpent * bytes_.size() + kFreeToSpend, "they are copied again and again");
}

void Pickle::push_holder(Kind kind, size_t from) {
  require(from <= stack_.size() && (kind != Kind::dict || (stack_.size() - from) % 2 == 0));
  const uint32_t node = new_node(kind);
  for (size_t i = from; i < stack_.size(); ++i) hold(node, stack_[i]);
  stack_.resize(from);
  push(node);
}

void Pickle::tuple_of(size_t n) {
  require(stack_.size() >= n + (marks_.empty() ? 0 : marks_.back()));
  push_holder(Kind::tuple, stack_.size() - n);
}

void Pickle::add_items(size_t from, Kind kind) {
  require(from > 0 && from <= stack_.size() && from > (marks_.empty() ? 0 : marks_.back()));
  const uint32_t target = stack_[from - 1];
  require(is(target, kind) || (of_ == Of::program && at(target).kind > Kind::tuple));
  require(kind != Kind::dict || (stack_.size() - from) % 2 == 0);
  for (size_t i = from; i < stack_.size(); ++i) hold(target, stack_[i]);
  stack_.resize(from);
}

void Pickle::memoize(uint64_t slot) {
  // Each slot takes an instruction, so there are not more than bytes. Some writers begin with another number than 0.
  require(slot <= at_ - begin_ && !stack_.empty());
  if (slot >= memo_.size()) memo_.resize(static_cast<size_t>(slot) + 1, kNoNode);
  memo_[static_cast<size_t>(slot)] = stack_.back();
  n_memo_ = std::max(n_memo_, static_cast<size_t>(slot) + 1);
}

void Pickle::recall(uint64_t slot) {
  require(slot < memo_.size() && memo_[static_cast<size_t>(slot)] != kNoNode);
  push(memo_[static_cast<size_t>(slot)]);
}

void Pickle::push_long(uint64_t n) {
  const char* p = take(n);
  const bool is_negative = n > 0 && (static_cast<unsigned char>(p[n - 1]) & 0x80);
  if (n <= 8) {
    uint64_t out = is_negative ? ~uint64_t{0} : 0;
    for (uint64_t i = 0; i < n; ++i) {
      out &= ~(uint64_t{0xff} << 8 * i);
      out |= static_cast<uint64_t>(static_cast<unsigned char>(p[i])) << 8 * i;
    }
    push(Kind::integer, static_cast<int64_t>(out));
    return;
  }
  double value = is_negative ? -1 : 0;
  for (uint64_t i = n; i > 0; --i) value = value * 256 + static_cast<unsigned char>(p[i - 1]);
  push_real(value);
}

void Pickle::push_real(double value) {
  push(Kind::real, 0);
  nodes_[stack_.back()].real = value;
}

bool Pickle::step(unsigned char instruction) {
  switch (instruction) {
    case 0x80:  // PROTO
      take(1);
      return true;
    case '.':
      result_ = pop();
      return false;
    case '(':
      marks_.push_back(stack_.size());
      return true;
    case 'N':
      push(kNone);
      return true;
    case 0x88:  // NEWTRUE
      push(kTrue);
      return true;
    case 0x89:  // NEWFALSE
      push(kFalse);
      return true;
    case 'K':
      push(Kind::integer, static_cast<int64_t>(number(1)));
      return true;
    case 'M':
      push(Kind::integer, static_cast<int64_t>(number(2)));
      return true;
    case 'J':
      push(Kind::integer, static_cast<int32_t>(number(4)));
      return true;
    case 0x8a: {  // LONG1
      const uint64_t n = number(1);
      require(of_ == Of::values || n == 8);
      push_long(n);
      return true;
    }
    case 'G': {
      const char* p = take(8);
      uint64_t bits = 0;
      for (size_t i = 0; i < 8; ++i) bits = bits << 8 | static_cast<unsigned char>(p[i]);
      double value;
      std::memcpy(&value, &bits, sizeof value);
      push_real(value);
      return true;
    }
    case 'X':
      push_text_of(Kind::text, number(4));
      return true;
    case 'c': {
      const std::string module = line();
      global(module, line());
      return true;
    }
    case 'q':
      memoize(number(1));
      return true;
    case 'r':
      memoize(number(4));
      return true;
    case 'h':
      recall(number(1));
      return true;
    case 'j':
      recall(number(4));
      return true;
    case ')':
      tuple_of(0);
      return true;
    case 't':
      push_holder(Kind::tuple, pop_mark());
      return true;
    case 0x85:
    case 0x86:
    case 0x87:
      tuple_of(instruction - 0x84u);
      return true;
    case ']':
      push(Kind::list, 0);
      return true;
    case '}':
      push(Kind::dict, 0);
      return true;
    case 'l':
      push_holder(Kind::list, pop_mark());
      return true;
    case 'd':
      push_holder(Kind::dict, pop_mark());
      return true;
    case 'e':
      add_items(pop_mark(), Kind::list);
      return true;
    case 'u':
      add_items(pop_mark(), Kind::dict);
      return true;
    case 'a':
      require(!stack_.empty());
      add_items(stack_.size() - 1, Kind::list);
      return true;
    case 's':
      require(stack_.size() >= 2);
      add_items(stack_.size() - 2, Kind::dict);
      return true;
    case 'b':
      build();
      return true;
    case 0x81:  // NEWOBJ
      new_object();
      return true;
    case 'R':
      reduce();
      return true;
    case 'Q':
      storage();
      return true;
    default:
      require(of_ == Of::values);
      newer_step(instruction);
      return true;
  }
}

void Pickle::push_text_of(Kind kind, uint64_t n) {
  const char* p = take(n);
  push_text(kind, std::string(p, static_cast<size_t>(n)));
}

void Pickle::newer_step(unsigned char instruction) {
  switch (instruction) {
    case 'U':  // SHORT_BINSTRING
      push_text_of(Kind::text, number(1));
      return;
    case 'T':  // BINSTRING
      push_text_of(Kind::text, number(4));
      return;
    case 'C':  // SHORT_BINBYTES
      push_text_of(Kind::bytes, number(1));
      return;
    case 'B':  // BINBYTES
      push_text_of(Kind::bytes, number(4));
      return;
    case 0x8e:  // BINBYTES8
    case 0x96:  // BYTEARRAY8
      push_text_of(Kind::bytes, number(8));
      return;
    case 0x8c:  // SHORT_BINUNICODE
      push_text_of(Kind::text, number(1));
      return;
    case 0x8d:  // BINUNICODE8
      push_text_of(Kind::text, number(8));
      return;
    case 0x8b:  // LONG4
      push_long(number(4));
      return;
    case 0x93: {  // STACK_GLOBAL
      const uint32_t name = pop(), module = pop();
      require(is(name, Kind::text) && is(module, Kind::text));
      global(text(module), text(name));
      return;
    }
    case 'i': {  // INST
      const std::string module = line();
      global(module, line());
      require(false);
      return;
    }
    case 0x94:  // MEMOIZE
      memoize(n_memo_);
      return;
    case 0x95:  // FRAME
      take(8);
      return;
    case 0x8f:  // EMPTY_SET
      push(Kind::list, 0);
      return;
    case 0x90:  // ADDITEMS
      add_items(pop_mark(), Kind::list);
      return;
    case 0x91:  // FROZENSET
      push_holder(Kind::list, pop_mark());
      return;
    case '0':
      pop();
      return;
    default:
      require(false);
  }
}

void Pickle::check_depth() {
  using NodeLevels = Levels<uint32_t>;
  NodeLevels levels([this](uint32_t node, int64_t&) {
    std::vector<NodeLevels::Edge> edges;
    for (uint32_t edge = nodes_[node].first; edge != 0; edge = edges_[edge - 1].next)
      if (holds_others(nodes_[edges_[edge - 1].to].kind)) edges.push_back({edges_[edge - 1].to});
    return edges;
  });
  for (uint32_t node = 0; node < nodes_.size(); ++node)
    if (holds_others(nodes_[node].kind)) require(levels.of(node) <= kDeepestOfProgram, "they are nested too deeply");
}

void check_pickle(const std::string& pickle, const RecordSize& record_size) {
  Pickle(pickle, 0, record_size, Pickle::Of::program).run();
}

Pickled read_pickle(std::string_view bytes, size_t& at, const RecordSize& record_size) {
  Pickle pickle(bytes, at, record_size, Pickle::Of::values);
  pickle.run();
  at = pickle.at();
  return pickle.values();
}

}  // namespace shim
