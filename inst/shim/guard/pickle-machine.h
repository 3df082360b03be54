// Runs a pickle's instructions on values of which only so much is known as what reads them needs.
#pragma once
#include <c10/util/Exception.h>

#include <limits>

#include "guard/pickle.h"

namespace shim {

class Pickle {
 public:
  // What a program's pickle may call LibTorch knows, and it knows no newer instructions.
  enum class Of { program, values };

  Pickle(std::string_view bytes, size_t at, const RecordSize& record_size, Of of)
      : bytes_(bytes), record_size_(record_size), of_(of), at_(at), begin_(at) {
    for (const Kind kind : {Kind::none, Kind::boolean, Kind::boolean}) new_node(kind);
    nodes_[kTrue].n = 1;
  }

  void run();
  size_t at() const { return at_; }

  // What the result holds.
  Pickled values();

 private:
  enum class Kind : uint8_t {
    none, boolean, integer, real, complex, text, bytes, global, storage, tensor, parameter, device, tuple, list, dict, object
  };
  static constexpr uint32_t kNone = 0, kFalse = 1, kTrue = 2;

  // n: a number, or the place in texts_, storages_ or tensors_; of what holds others how many.
  struct Node {
    Kind kind = Kind::none;
    uint32_t first = 0, last = 0;
    union {
      int64_t n = 0;
      double real;
    };
  };
  struct Edge {
    uint32_t to, next;
  };
  static bool holds_others(Kind kind) { return kind >= Kind::tuple || kind == Kind::complex; }

  static void require(bool holds, const char* problem = "it holds instructions that make no sense") {
    TORCH_CHECK(holds, "its values are damaged: ", problem);
  }

  const char* take(uint64_t n);
  uint64_t number(size_t n);
  std::string line();

  uint32_t new_node(Kind kind, int64_t n = 0);
  const Node& at(uint32_t node) const { return nodes_[node]; }
  bool is(uint32_t node, Kind kind) const { return nodes_[node].kind == kind; }

  void push(uint32_t node) { stack_.push_back(node); }
  void push(Kind kind, int64_t n) { push(new_node(kind, n)); }
  uint32_t pop();
  size_t pop_mark();
  void push_text(Kind kind, std::string text);
  const std::string& text(uint32_t node) const { return texts_[static_cast<size_t>(nodes_[node].n)]; }

  void hold(uint32_t node, uint32_t item);
  std::vector<uint32_t> items_of(uint32_t node) const;
  // What a call gets.
  std::vector<uint32_t> arguments_of(uint32_t node, size_t at_least);
  // A few bytes name a value again, and what is done with it each time may take long: no more of that than a file of this
  // size can mean.
  void spend(size_t n);

  // A container of the values from `from` on, which it takes off the stack.
  void push_holder(Kind kind, size_t from);
  void tuple_of(size_t n);
  // The values from `from` on go into the one below them.
  void add_items(size_t from, Kind kind);

  void memoize(uint64_t slot);
  void recall(uint64_t slot);

  void global(const std::string& module, const std::string& name);

  // ("storage", type, record, device, number of elements), and in old files None or (name, begin, number of elements) of a
  // part of that.
  void storage();

  // (storage, offset, sizes, strides, requires gradients, hooks, ...): a node. `dtype` where the storage has none of its own.
  uint32_t tensor(const std::vector<uint32_t>& item, std::optional<c10::ScalarType> dtype, uint32_t metadata);

  // Of pairs, or empty.
  uint32_t dict(const std::vector<uint32_t>& arguments, size_t first);

  uint32_t made(const std::string& name, const std::vector<uint32_t>& item);

  void reduce();

  // What a class makes of the arguments, as `__new__` and as a call.
  void new_object();

  // The attributes of an object, of which values keep none.
  void build();

  // A whole number of n bytes, the last one with the sign. What R has no whole number for is one with a point.
  void push_long(uint64_t n);
  void push_real(double value);

  // False at the end.
  bool step(unsigned char instruction);

  void push_text_of(Kind kind, uint64_t n);

  // What LibTorch does not write, but Python: older and newer forms of the pickle.
  void newer_step(unsigned char instruction);

  void check_depth();

  Pickled::Value value_of(uint32_t node, Pickled& out) const;

  static constexpr uint32_t kNoNode = std::numeric_limits<uint32_t>::max();

  const std::string_view bytes_;
  const RecordSize& record_size_;
  const Of of_;
  size_t at_, begin_, n_memo_ = 0, spent_ = 0;
  uint32_t result_ = 0;
  std::vector<uint32_t> stack_, memo_;
  std::vector<size_t> marks_;
  std::vector<std::string> texts_;
  std::vector<Pickled::Storage> storages_;
  std::vector<Pickled::Tensor> tensors_;
  std::vector<Node> nodes_;
  std::vector<Edge> edges_;  // numbered from 1
};

}  // namespace shim
