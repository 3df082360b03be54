// Interprets the instructions of a pickle. Of each value it keeps only what the reader needs to know.
#pragma once
#include <c10/util/Exception.h>

#include <limits>

#include "guard/pickle.h"

namespace shim {

class Pickle {
 public:
  // Whether the pickle holds the values of a program, or those of a file of torch.save(). In a program's pickle any
  // name may be called: LibTorch reads it afterwards and knows which it allows. It also knows no newer instructions.
  enum class Of { program, values };

  Pickle(std::string_view bytes, size_t at, const RecordSize& record_size, Of of)
      : bytes_(bytes), record_size_(record_size), of_(of), at_(at), begin_(at) {
    for (const Kind kind : {Kind::none, Kind::boolean, Kind::boolean}) new_node(kind);
    nodes_[kTrue].n = 1;
  }

  void run();
  size_t at() const { return at_; }

  // All values that the result consists of.
  Pickled values();

 private:
  enum class Kind : uint8_t {
    none, boolean, integer, real, complex, text, bytes, global, storage, tensor, parameter, device, tuple, list, dict, object
  };
  static constexpr uint32_t kNone = 0, kFalse = 1, kTrue = 2;

  // A value. `n` is a number, or a place in texts_, storages_ or tensors_; for a value that holds others, how many it
  // holds. `first` and `last` are its edges to these.
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
  // The arguments of a call: the items of a tuple, which must have at least so many.
  std::vector<uint32_t> arguments_of(uint32_t node, size_t at_least);
  // Counts work. A few bytes can name a large value again and again, so the total is limited by the size of the file.
  void spend(size_t n);

  // Takes the values from `from` on off the stack and pushes a container of them.
  void push_holder(Kind kind, size_t from);
  void tuple_of(size_t n);
  // Takes the values from `from` on off the stack and adds them to the container below them.
  void add_items(size_t from, Kind kind);

  void memoize(uint64_t slot);
  void recall(uint64_t slot);

  void global(const std::string& module, const std::string& name);

  // Makes a storage of ("storage", type, record, device, number of elements). In old files a sixth item may follow:
  // None, or (name, begin, number of elements) for a part of the storage.
  void storage();

  // Makes a tensor of (storage, offset, sizes, strides, requires gradients, hooks, ...). `dtype` is its dtype where the
  // storage has none of its own.
  uint32_t tensor(const std::vector<uint32_t>& item, std::optional<c10::ScalarType> dtype, uint32_t metadata);

  // Makes a dict of the argument at `first`, which holds pairs; an empty one if there is none.
  uint32_t dict(const std::vector<uint32_t>& arguments, size_t first);

  uint32_t made(const std::string& name, const std::vector<uint32_t>& item);

  void reduce();

  // Interprets the call of a class, by `__new__` and as a function.
  void new_object();

  // Sets the attributes of an object. They are not kept when values are read.
  void build();

  // Pushes a whole number of n bytes, the highest with the sign. One that is too large for int64 becomes a real number.
  void push_long(uint64_t n);
  void push_real(double value);

  // Interprets one instruction. False at the last one.
  bool step(unsigned char instruction);

  void push_text_of(Kind kind, uint64_t n);

  // Interprets an instruction that only Python writes, in older or newer protocols.
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
  std::vector<Edge> edges_;  // edge numbers count from 1; 0 means none
};

}  // namespace shim
