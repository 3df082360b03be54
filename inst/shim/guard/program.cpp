#include "guard/program.h"

#include <c10/core/ScalarType.h>
#include <c10/util/Exception.h>

#include <cstring>
#include <set>

#include "guard/depth.h"

namespace shim {
namespace {

// Far beyond what programs have, far below what a stack of 8 MB carries. A module is two values, itself and its
// attributes.
constexpr int kDeepestValue = 2 * kMostLevels + 50, kDeepestType = 100;
constexpr int kDeepestBracket = 100, kLongestChain = 1000, kWidestIndent = 1000;
// Bytes of stack for one definition, and for each step that its text goes deeper: twice what LibTorch's compiler was
// seen to need.
constexpr size_t kDefinitionStack = 16 * 1024, kStepStack = 5 * 1024;

// Bytes of an element of "FloatStorage"; 0 if there is no such type.
size_t element_size(const std::string& storage) {
  static const auto sizes = [] {
    std::unordered_map<std::string, size_t> out;
    for (int i = 0; i < static_cast<int>(c10::ScalarType::Undefined); ++i) {
      const auto type = static_cast<c10::ScalarType>(i);
      out[std::string(c10::toString(type)) + "Storage"] = c10::elementSize(type);
    }
    return out;
  }();
  const auto found = sizes.find(storage);
  return found == sizes.end() ? 0 : found->second;
}

int deepest_bracket(const std::string& text) {
  int depth = 0, deepest = 0;
  for (const char c : text) {
    if (c == '[' || c == '(') deepest = std::max(deepest, ++depth);
    if (c == ']' || c == ')') --depth;
  }
  return deepest;
}

// Runs a pickle's instructions on values of which only so much is known as the checks need.
class Pickle {
 public:
  Pickle(const std::string& bytes, const std::function<int64_t(const std::string&)>& record_size)
      : bytes_(bytes), record_size_(record_size) {}

  void run() {
    while (step(static_cast<unsigned char>(take(1)[0]))) {
    }
    check_depth();
  }

 private:
  enum class Kind : uint8_t { other, integer, text, global, storage, tuple, container };
  // n: the integer; else an index into texts_, storages_ or nodes_.
  struct Value {
    Kind kind = Kind::other;
    int64_t n = 0;
  };
  struct Storage {
    int64_t numel;
  };
  // A value that holds others. Tuples never change, so their items are looked at; of the rest only which nodes it
  // holds.
  struct Node {
    uint32_t edge = 0;
    size_t first = 0, n = 0;
  };
  struct Edge {
    uint32_t to, next;
  };

  static void require(bool holds, const char* problem = "it holds instructions that make no sense") {
    TORCH_CHECK(holds, "its values are damaged: ", problem);
  }

  const char* take(size_t n) {
    require(n <= bytes_.size() - at_, "they are cut short");
    const char* out = bytes_.data() + at_;
    at_ += n;
    return out;
  }
  uint64_t number(size_t n) {
    const char* p = take(n);
    uint64_t out = 0;
    for (size_t i = 0; i < n; ++i) out |= static_cast<uint64_t>(static_cast<unsigned char>(p[i])) << 8 * i;
    return out;
  }
  std::string line() {
    const size_t end = bytes_.find('\n', at_);
    require(end != std::string::npos, "they are cut short");
    std::string out = bytes_.substr(at_, end - at_);
    at_ = end + 1;
    return out;
  }

  void push(Kind kind, int64_t n = 0) { stack_.push_back({kind, n}); }
  Value pop() {
    require(stack_.size() > (marks_.empty() ? 0 : marks_.back()));
    const Value out = stack_.back();
    stack_.pop_back();
    return out;
  }
  size_t pop_mark() {
    require(!marks_.empty());
    const size_t out = marks_.back();
    marks_.pop_back();
    return out;
  }
  void push_text(Kind kind, std::string text) {
    texts_.push_back(std::move(text));
    push(kind, static_cast<int64_t>(texts_.size()) - 1);
  }
  const std::string& text(const Value& value) const { return texts_[static_cast<size_t>(value.n)]; }

  uint32_t new_node() {
    nodes_.emplace_back();
    return static_cast<uint32_t>(nodes_.size() - 1);
  }
  void hold(uint32_t node, const Value& value) {
    if (value.kind != Kind::tuple && value.kind != Kind::container) return;
    edges_.push_back({static_cast<uint32_t>(value.n), nodes_[node].edge});
    nodes_[node].edge = static_cast<uint32_t>(edges_.size());
  }
  // A container of the values from `from` on, which it takes off the stack.
  void push_holder(Kind kind, size_t from) {
    require(from <= stack_.size());
    const uint32_t node = new_node();
    for (size_t i = from; i < stack_.size(); ++i) hold(node, stack_[i]);
    if (kind == Kind::tuple) {
      nodes_[node].first = items_.size();
      nodes_[node].n = stack_.size() - from;
      items_.insert(items_.end(), stack_.begin() + static_cast<ptrdiff_t>(from), stack_.end());
    }
    stack_.resize(from);
    push(kind, node);
  }
  void tuple_of(size_t n) {
    require(stack_.size() >= n + (marks_.empty() ? 0 : marks_.back()));
    push_holder(Kind::tuple, stack_.size() - n);
  }
  // The values from `from` on go into the one below them.
  void add_items(size_t from) {
    require(from > 0 && from <= stack_.size() && from > (marks_.empty() ? 0 : marks_.back()));
    const Value target = stack_[from - 1];
    require(target.kind == Kind::container);
    for (size_t i = from; i < stack_.size(); ++i) hold(static_cast<uint32_t>(target.n), stack_[i]);
    stack_.resize(from);
  }
  const Value* items_of(const Value& tuple, size_t at_least) const {
    require(tuple.kind == Kind::tuple && nodes_[static_cast<size_t>(tuple.n)].n >= at_least);
    return items_.data() + nodes_[static_cast<size_t>(tuple.n)].first;
  }

  void memoize(uint64_t slot) {
    // They are numbered as they come.
    require(slot <= memo_.size() && !stack_.empty());
    if (slot == memo_.size()) memo_.emplace_back();
    memo_[slot] = stack_.back();
  }
  void recall(uint64_t slot) {
    require(slot < memo_.size());
    stack_.push_back(memo_[slot]);
  }

  // ("storage", type, record, device, number of elements)
  void storage() {
    const Value* item = items_of(pop(), 5);
    require(item[2].kind == Kind::text && item[4].kind == Kind::integer && item[1].kind == Kind::global,
            "a tensor's storage is described wrongly");
    const std::string& type = text(item[1]);
    const size_t size = type.compare(0, 6, "torch ") == 0 ? element_size(type.substr(6)) : 0;
    require(size > 0, "a tensor's storage has an unknown type");
    const int64_t numel = item[4].n, record = record_size_(text(item[2]));
    require(numel >= 0 && (record < 0 || static_cast<uint64_t>(numel) <= static_cast<uint64_t>(record) / size),
            "a tensor has more elements than bytes");
    storages_.push_back({numel});
    push(Kind::storage, static_cast<int64_t>(storages_.size()) - 1);
  }

  // (storage, offset, sizes, strides, ...)
  void tensor(const Value& arguments) {
    const Value* item = items_of(arguments, 4);
    require(item[0].kind == Kind::storage && item[1].kind == Kind::integer && item[1].n >= 0,
            "a tensor is described wrongly");
    const Value* sizes = items_of(item[2], 0);
    const size_t n = nodes_[static_cast<size_t>(item[2].n)].n;
    const Value* strides = items_of(item[3], n);
    // Elements behind the last one that is known to be used.
    int64_t left = storages_[static_cast<size_t>(item[0].n)].numel - 1 - item[1].n;
    bool is_empty = false, is_inside = left >= 0;
    for (size_t i = 0; i < n; ++i) {
      require(
          sizes[i].kind == Kind::integer && strides[i].kind == Kind::integer && sizes[i].n >= 0 && strides[i].n >= 0,
          "a tensor is described wrongly");
      if (sizes[i].n == 0) is_empty = true;
      if (sizes[i].n <= 1 || strides[i].n == 0) continue;
      is_inside = is_inside && sizes[i].n - 1 <= left / strides[i].n;
      if (is_inside) left -= (sizes[i].n - 1) * strides[i].n;
    }
    require(is_empty || is_inside, "a tensor reaches over the end of its storage");
  }

  void reduce() {
    const Value arguments = pop(), function = pop();
    if (function.kind == Kind::global) {
      const std::string& name = text(function);
      if (name == "torch._utils _rebuild_tensor_v2" || name == "torch._utils _rebuild_qtensor") tensor(arguments);
      if (name == "torch.jit._pickle restore_type_tag") {
        const Value* item = items_of(arguments, 2);
        if (item[1].kind == Kind::text)
          require(deepest_bracket(text(item[1])) <= kDeepestType, "a type is nested too deeply");
      }
    }
    const uint32_t node = new_node();
    hold(node, arguments);
    push(Kind::container, node);
  }

  // False at the end.
  bool step(unsigned char instruction) {
    switch (instruction) {
      case 0x80:  // PROTO
        take(1);
        return true;
      case '.':
        pop();
        return false;
      case '(':
        marks_.push_back(stack_.size());
        return true;
      case 'N':
      case 0x88:  // NEWTRUE
      case 0x89:  // NEWFALSE
        push(Kind::other);
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
        const auto n = static_cast<size_t>(number(1));
        require(n == 8);
        push(Kind::integer, static_cast<int64_t>(number(n)));
        return true;
      }
      case 'G':
        take(8);
        push(Kind::other);
        return true;
      case 'X': {
        const auto n = static_cast<size_t>(number(4));
        const char* p = take(n);
        push_text(Kind::text, std::string(p, n));
        return true;
      }
      case 'c': {
        const std::string module = line();
        push_text(Kind::global, module + " " + line());
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
        tuple_of(instruction - 0x84);
        return true;
      case ']':
      case '}':
        push(Kind::container, new_node());
        return true;
      case 'l':
      case 'd':
        push_holder(Kind::container, pop_mark());
        return true;
      case 'e':
      case 'u':
        add_items(pop_mark());
        return true;
      case 'a':
      case 'b':
        require(!stack_.empty());
        add_items(stack_.size() - 1);
        return true;
      case 's':
        require(stack_.size() >= 2);
        add_items(stack_.size() - 2);
        return true;
      case 0x81: {  // NEWOBJ
        pop();
        pop();
        push(Kind::container, new_node());
        return true;
      }
      case 'R':
        reduce();
        return true;
      case 'Q':
        storage();
        return true;
      default:
        require(false);
        return false;
    }
  }

  void check_depth() const {
    using NodeLevels = Levels<uint32_t>;
    NodeLevels levels([this](uint32_t node, int64_t&) {
      std::vector<NodeLevels::Edge> edges;
      for (uint32_t edge = nodes_[node].edge; edge != 0; edge = edges_[edge - 1].next)
        edges.push_back({edges_[edge - 1].to});
      return edges;
    });
    for (uint32_t node = 0; node < nodes_.size(); ++node)
      require(levels.of(node) <= kDeepestValue, "they are nested too deeply");
  }

  const std::string& bytes_;
  const std::function<int64_t(const std::string&)>& record_size_;
  size_t at_ = 0;
  std::vector<Value> stack_, memo_, items_;
  std::vector<size_t> marks_;
  std::vector<std::string> texts_;
  std::vector<Storage> storages_;
  std::vector<Node> nodes_;
  std::vector<Edge> edges_;  // numbered from 1
};

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

}  // namespace

void check_pickle(const std::string& pickle, const std::function<int64_t(const std::string&)>& record_size) {
  Pickle(pickle, record_size).run();
}

// A chain is what one expression holds between its commas, operators and brackets one after the other: LibTorch reads
// it as a tree of that depth. What LibTorch writes are short lines.
void Code::read(const std::string& code, const std::string& package) {
  const auto require = [&](bool holds) { TORCH_CHECK(holds, whose_, " code is nested too deeply"); };
  std::vector<int> chain{0};                   // at each depth of brackets
  int links = 0, elifs = 0, indent = 0;        // links: of all depths together
  int deepest = 0;                             // in this definition
  // What stands before: the end of an operand, the bracket of an index on one, or anything else.
  enum class Last { operand, index, other };
  Last last = Last::other;
  std::vector<std::string>* fields = nullptr;  // of the class whose body this is
  bool in_type = false;                        // of a field
  int method = -1;                             // indent of the method of that class whose body this is
  const auto measure = [&] {
    require(links <= kLongestChain && elifs <= kLongestChain && indent <= kWidestIndent);
    deepest = std::max(deepest, links + elifs + indent);
  };
  const auto link = [&] {
    ++chain.back();
    ++links;
    measure();
  };
  const auto reset = [&] {
    links -= chain.back();
    chain.back() = 0;
  };
  const auto end_definition = [&] {
    stack_ += kDefinitionStack + kStepStack * static_cast<size_t>(deepest);
    elifs = deepest = 0;
  };
  const auto word_at = [&](size_t from, bool dotted) {
    size_t end = from;
    while (end < code.size() && (is_word(code[end]) || (dotted && code[end] == '.'))) ++end;
    return code.substr(from, end - from);
  };
  const auto names_a_field = [&](size_t from) {
    const size_t next = code.find_first_not_of(" \t", from);
    return next != std::string::npos && code[next] == ':';
  };
  const auto line_at = [&](size_t at) {
    const size_t begin = code.find_first_not_of(" \t", code.rfind('\n', at) + 1);
    return code.substr(begin, std::min(code.find('\n', at), code.size()) - begin);
  };
  for (size_t at = 0; at < code.size(); ++at) {
    const char c = code[at];
    const Last before = last;
    if (c != ' ' && c != '\t' && c != '\r' && c != '#' && (c != '\n' || chain.size() == 1)) last = Last::other;
    if (c == '"' || c == '\'') {
      last = Last::operand;
      const bool is_long = code.compare(at, 3, std::string(3, c)) == 0;
      const std::string end(is_long ? 3 : 1, c);
      for (at += end.size(); at < code.size() && code.compare(at, end.size(), end) != 0; ++at)
        if (code[at] == '\\') ++at;
      at += end.size() - 1;
    } else if (c == '#') {
      at = std::min(code.find('\n', at), code.size()) - 1;
    } else if (is_word(c)) {
      const bool in_fields = fields && method < 0;
      const std::string word = word_at(at, in_fields);
      at += word.size() - 1;
      last = Last::operand;
      for (const char* keyword : {"return", "not", "and", "or", "if", "elif", "else", "in", "is", "del", "assert", "raise",
                                  "lambda", "for", "while", "with", "yield"})
        if (word == keyword) last = Last::other;
      if (word == "def" || word == "class") end_definition();
      if (word == "def") method = indent;
      if (word == "class") {
        const std::string name = word_at(std::min(code.find_first_not_of(" \t", at + 1), code.size()), false);
        fields = &fields_[package.empty() ? name : package + "." + name];
        method = -1;
      } else if (in_fields && names_a_field(at + 1)) {
        in_type = true;
      } else if (in_fields && in_type) {
        fields->push_back(word);
      }
      if (word == "elif") ++elifs;
      for (const char* keyword : {"not", "and", "or", "if", "else", "in", "is", "lambda", "for"})
        if (word == keyword) link();
    } else if (c == '(' || c == '[' || c == '{') {
      if (c == '[' && before == Last::operand) last = Last::index;
      link();
      chain.push_back(0);
      require(chain.size() <= kDeepestBracket);
    } else if (c == ')' || c == ']' || c == '}') {
      last = Last::operand;
      // LibTorch's compiler looks for what stands there.
      TORCH_CHECK(c != ']' || before != Last::index, whose_, " code has an index with nothing in it: ", line_at(at));
      reset();
      if (chain.size() > 1) chain.pop_back();
    } else if (c == ',') {
      reset();
    } else if (c == '\n') {
      const size_t text = std::min(code.find_first_not_of(" \t\r", at + 1), code.size());
      indent = static_cast<int>(std::min(text - at - 1, size_t{kWidestIndent} + 1));
      if (chain.size() == 1) {
        in_type = false;
        reset();
      }
      if (chain.size() == 1 && text < code.size() && code[text] != '\n' && code[text] != '#' && indent <= method)
        method = -1;
      measure();
    } else if (std::strchr("+-*/%&|^~<>=!.@", c)) {
      link();
    }
  }
  end_definition();
}

// Classes that no other one holds are taken away, and again, until none are left or those remain that hold each other.
void Code::check_cycles() const {
  std::unordered_map<std::string, int> holders;
  for (const auto& it : fields_)
    for (const std::string& field : it.second)
      if (fields_.count(field)) ++holders[field];
  std::vector<std::string> free;
  for (const auto& it : fields_)
    if (!holders.count(it.first)) free.push_back(it.first);
  size_t taken = 0;
  for (; !free.empty(); ++taken) {
    const std::string name = std::move(free.back());
    free.pop_back();
    for (const std::string& field : fields_.at(name))
      if (fields_.count(field) && --holders[field] == 0) free.push_back(field);
  }
  if (taken == fields_.size()) return;
  std::set<std::string> names;
  for (const auto& it : holders)
    if (it.second > 0) names.insert("`" + it.first + "`");
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  TORCH_CHECK(false, whose_, " classes hold each other without end: ", list);
}

void Code::check_classes() const {
  using ClassLevels = Levels<std::string>;
  ClassLevels levels([this](const std::string& name, int64_t&) {
    std::vector<ClassLevels::Edge> edges;
    for (const std::string& field : fields_.at(name))
      if (fields_.count(field)) edges.push_back({field});
    return edges;
  });
  check_cycles();
  for (const auto& it : fields_)
    TORCH_CHECK(levels.of(it.first) <= kMostLevels, whose_, " classes hold each other too deeply: more than ",
                kMostLevels, " levels");
}

}  // namespace shim
