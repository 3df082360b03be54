#include "guard/pickle.h"

#include <c10/util/Exception.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <limits>
#include <unordered_map>

#include "core/utf8.h"
#include "guard/depth.h"

namespace shim {
namespace {

// Far beyond what programs have, far below what a stack of 8 MB carries. A module is two values, itself and its
// attributes. Values become lists of R, which walks them by recursion.
constexpr int kDeepestOfProgram = 2 * kMostLevels + 50, kDeepestType = 100;
constexpr uint32_t kDeepestOfValues = 500;
constexpr size_t kMostDimensions = 64;
constexpr size_t kMostSpent = 16, kFreeToSpend = size_t{1} << 16;

struct Dtype {
  const char* name;
  int number;
  bool has_storage;
};
// Quantized ones are left out: their numbers need a scale.
constexpr Dtype kDtypes[] = {
    {"uint8", 0, true},       {"int8", 1, true},           {"int16", 2, true},          {"int32", 3, true},
    {"int64", 4, true},       {"float16", 5, true},        {"float32", 6, true},        {"float64", 7, true},
    {"complex32", 8, false},  {"complex64", 9, true},      {"complex128", 10, true},    {"bool", 11, true},
    {"bfloat16", 15, true},   {"float8_e5m2", 23, false},  {"float8_e4m3fn", 24, false}, {"float8_e5m2fnuz", 25, false},
    {"float8_e4m3fnuz", 26, false}, {"uint16", 27, false}, {"uint32", 28, false},       {"uint64", 29, false},
};

const Dtype* dtype_of(c10::ScalarType type) {
  for (const Dtype& dtype : kDtypes)
    if (dtype.number == static_cast<int>(type) && dtype.number < static_cast<int>(c10::ScalarType::NumOptions)) return &dtype;
  return nullptr;
}

std::optional<c10::ScalarType> dtype_named(std::string_view name) {
  for (const Dtype& dtype : kDtypes)
    if (name == dtype.name && dtype.number < static_cast<int>(c10::ScalarType::NumOptions))
      return static_cast<c10::ScalarType>(dtype.number);
  return std::nullopt;
}

// The dtype of "FloatStorage".
std::optional<c10::ScalarType> dtype_of_storage(const std::string& name) {
  static const auto dtypes = [] {
    std::unordered_map<std::string, c10::ScalarType> out;
    for (int i = 0; i < static_cast<int>(c10::ScalarType::Undefined); ++i) {
      const auto type = static_cast<c10::ScalarType>(i);
      out[std::string(c10::toString(type)) + "Storage"] = type;
    }
    return out;
  }();
  const auto found = dtypes.find(name);
  if (found == dtypes.end()) return std::nullopt;
  return found->second;
}

int deepest_bracket(const std::string& text) {
  int depth = 0, deepest = 0;
  for (const char c : text) {
    if (c == '[' || c == '(') deepest = std::max(deepest, ++depth);
    if (c == ']' || c == ')') --depth;
  }
  return deepest;
}

// What Python's latin1 makes of text: a byte for each character.
std::string latin1(const std::string& utf8) {
  std::string out;
  for (size_t at = 0; at < utf8.size(); ++at) {
    const auto byte = static_cast<unsigned char>(utf8[at]);
    if (byte < 0x80) {
      out += utf8[at];
    } else {
      TORCH_CHECK((byte & 0xfc) == 0xc0 && at + 1 < utf8.size(), "its values are damaged: bytes are no bytes");
      out += static_cast<char>((byte & 3) << 6 | (static_cast<unsigned char>(utf8[++at]) & 0x3f));
    }
  }
  return out;
}

// What values may be made by, under the names that Python has for it.
enum class Maker {
  tensor_v1, tensor_v2, tensor_v3, parameter, subclass, dict, factory_dict, same, set, device, complex, bytes, byte_array
};
const std::unordered_map<std::string, Maker>& makers() {
  static const std::unordered_map<std::string, Maker> all = {
      {"torch._utils._rebuild_tensor", Maker::tensor_v1},
      {"torch._utils._rebuild_tensor_v2", Maker::tensor_v2},
      {"torch._utils._rebuild_tensor_v3", Maker::tensor_v3},
      {"torch._utils._rebuild_parameter", Maker::parameter},
      {"torch._utils._rebuild_parameter_with_state", Maker::parameter},
      {"torch._tensor._rebuild_from_type_v2", Maker::subclass},
      {"collections.OrderedDict", Maker::dict},
      {"collections.Counter", Maker::dict},
      {"collections.defaultdict", Maker::factory_dict},
      {"torch.Size", Maker::same},
      {"builtins.set", Maker::set},
      {"builtins.frozenset", Maker::set},
      {"__builtin__.set", Maker::set},
      {"__builtin__.frozenset", Maker::set},
      {"torch.device", Maker::device},
      {"builtins.complex", Maker::complex},
      {"__builtin__.complex", Maker::complex},
      {"_codecs.encode", Maker::bytes},
      {"builtins.bytearray", Maker::byte_array},
      {"__builtin__.bytearray", Maker::byte_array},
  };
  return all;
}

// Names that stand for things and not for what makes them.
bool is_plain_name(const std::string& name) {
  if (name == "torch.Tensor" || name == "torch.nn.parameter.Parameter" || name == "torch.nn.parameter.Buffer" ||
      name == "torch.storage.UntypedStorage" || name == "torch.UntypedStorage")
    return true;
  // What a dict makes a value of that is not there.
  for (const char* type : {"list", "dict", "int", "float", "str"})
    if (name == std::string("builtins.") + type || name == std::string("__builtin__.") + type) return true;
  if (name.compare(0, 6, "torch.") != 0) return false;
  const std::string rest = name.substr(6);
  if (dtype_named(rest)) return true;
  const auto storage = dtype_of_storage(rest);
  return storage && dtype_of(*storage);
}

// Runs a pickle's instructions on values of which only so much is known as what reads them needs.
class Pickle {
 public:
  // What a program's pickle may call LibTorch knows, and it knows no newer instructions.
  enum class Of { program, values };

  Pickle(std::string_view bytes, size_t at, const RecordSize& record_size, Of of)
      : bytes_(bytes), record_size_(record_size), of_(of), at_(at), begin_(at) {
    for (const Kind kind : {Kind::none, Kind::boolean, Kind::boolean}) new_node(kind);
    nodes_[kTrue].n = 1;
  }

  void run() {
    while (step(static_cast<unsigned char>(take(1)[0]))) {
    }
    if (of_ == Of::program) check_depth();
  }
  size_t at() const { return at_; }

  // What the result holds.
  Pickled values() {
    Pickled out;
    struct Open {
      uint32_t node, edge;
    };
    // Places count from 1. A node is on the way while it has a level and no place.
    std::vector<uint32_t> place(nodes_.size(), 0), level(nodes_.size(), 0);
    std::vector<Open> way;
    const auto enter = [&](uint32_t node) {
      level[node] = 1;
      way.push_back({node, nodes_[node].first});
    };
    enter(result_);
    while (!way.empty()) {
      Open& top = way.back();
      const uint32_t node = top.node;
      if (top.edge != 0 && holds_others(nodes_[node].kind)) {
        const Edge& edge = edges_[top.edge - 1];
        if (!place[edge.to]) {
          require(level[edge.to] == 0, "a list holds itself");
          enter(edge.to);
          continue;
        }
        level[node] = std::max(level[node], level[edge.to] + 1);
        top.edge = edge.next;
        continue;
      }
      way.pop_back();
      require(level[node] <= kDeepestOfValues, "they are nested too deeply");
      out.values.push_back(value_of(node, out));
      place[node] = static_cast<uint32_t>(out.values.size());
      if (out.values.back().kind == TS_PICKLED_LIST || out.values.back().kind == TS_PICKLED_DICT)
        for (const uint32_t item : items_of(node)) out.items.push_back(place[item]);
    }
    out.texts = std::move(texts_);
    out.storages = std::move(storages_);
    out.tensors = std::move(tensors_);
    return out;
  }

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

  const char* take(uint64_t n) {
    require(n <= bytes_.size() - at_, "they are cut short");
    const char* out = bytes_.data() + at_;
    at_ += static_cast<size_t>(n);
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
    require(end != std::string_view::npos, "they are cut short");
    std::string out(bytes_.substr(at_, end - at_));
    at_ = end + 1;
    return out;
  }

  uint32_t new_node(Kind kind, int64_t n = 0) {
    require(nodes_.size() < std::numeric_limits<uint32_t>::max(), "there are too many");
    nodes_.emplace_back();
    nodes_.back().kind = kind;
    nodes_.back().n = n;
    return static_cast<uint32_t>(nodes_.size() - 1);
  }
  const Node& at(uint32_t node) const { return nodes_[node]; }
  bool is(uint32_t node, Kind kind) const { return nodes_[node].kind == kind; }

  void push(uint32_t node) { stack_.push_back(node); }
  void push(Kind kind, int64_t n) { push(new_node(kind, n)); }
  uint32_t pop() {
    require(stack_.size() > (marks_.empty() ? 0 : marks_.back()));
    const uint32_t out = stack_.back();
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
  const std::string& text(uint32_t node) const { return texts_[static_cast<size_t>(nodes_[node].n)]; }

  void hold(uint32_t node, uint32_t item) {
    // In a program only what can be nested counts, and what a tuple says of a tensor.
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
  std::vector<uint32_t> items_of(uint32_t node) const {
    std::vector<uint32_t> out;
    for (uint32_t edge = nodes_[node].first; edge != 0; edge = edges_[edge - 1].next) out.push_back(edges_[edge - 1].to);
    return out;
  }
  // What a call gets.
  std::vector<uint32_t> arguments_of(uint32_t node, size_t at_least) {
    require(is(node, Kind::tuple) && nodes_[node].n >= static_cast<int64_t>(at_least));
    spend(static_cast<size_t>(nodes_[node].n));
    return items_of(node);
  }
  // A few bytes name a value again, and what is done with it each time may take long: no more of that than a file of this
  // size can mean.
  void spend(size_t n) {
    spent_ += n;
    require(spent_ <= kMostSpent * bytes_.size() + kFreeToSpend, "they are copied again and again");
  }

  // A container of the values from `from` on, which it takes off the stack.
  void push_holder(Kind kind, size_t from) {
    require(from <= stack_.size() && (kind != Kind::dict || (stack_.size() - from) % 2 == 0));
    const uint32_t node = new_node(kind);
    for (size_t i = from; i < stack_.size(); ++i) hold(node, stack_[i]);
    stack_.resize(from);
    push(node);
  }
  void tuple_of(size_t n) {
    require(stack_.size() >= n + (marks_.empty() ? 0 : marks_.back()));
    push_holder(Kind::tuple, stack_.size() - n);
  }
  // The values from `from` on go into the one below them.
  void add_items(size_t from, Kind kind) {
    require(from > 0 && from <= stack_.size() && from > (marks_.empty() ? 0 : marks_.back()));
    const uint32_t target = stack_[from - 1];
    require(is(target, kind) || (of_ == Of::program && at(target).kind > Kind::tuple));
    require(kind != Kind::dict || (stack_.size() - from) % 2 == 0);
    for (size_t i = from; i < stack_.size(); ++i) hold(target, stack_[i]);
    stack_.resize(from);
  }

  void memoize(uint64_t slot) {
    // Each needs an instruction, and some writers begin with another number than 0.
    require(slot <= at_ - begin_ && !stack_.empty());
    if (slot >= memo_.size()) memo_.resize(static_cast<size_t>(slot) + 1, kNoNode);
    memo_[static_cast<size_t>(slot)] = stack_.back();
    n_memo_ = std::max(n_memo_, static_cast<size_t>(slot) + 1);
  }
  void recall(uint64_t slot) {
    require(slot < memo_.size() && memo_[static_cast<size_t>(slot)] != kNoNode);
    push(memo_[static_cast<size_t>(slot)]);
  }

  void global(const std::string& module, const std::string& name) {
    const std::string full = module + "." + name;
    TORCH_CHECK(of_ == Of::program || makers().count(full) || is_plain_name(full), "it would run `", valid_utf8(full),
                "`: what is read here is values and tensors, and no code");
    push_text(Kind::global, full);
  }

  // ("storage", type, record, device, number of elements), and in old files None or (name, begin, number of elements) of a
  // part of that.
  void storage() {
    const uint32_t key = pop();
    const auto item = arguments_of(key, 5);
    const bool ok = is(item[2], Kind::text) && is(item[4], Kind::integer) && is(item[1], Kind::global);
    require(ok && (of_ == Of::program || (is(item[0], Kind::text) && text(item[0]) == "storage")),
            "a tensor's storage is described wrongly");
    spend(text(item[1]).size() + text(item[2]).size());
    const std::string& type = text(item[1]);
    std::optional<c10::ScalarType> dtype;
    if (type == "torch.storage.UntypedStorage" || type == "torch.UntypedStorage") {
      if (of_ == Of::values) dtype = c10::ScalarType::Byte;
    } else if (type.compare(0, 6, "torch.") == 0) {
      dtype = dtype_of_storage(type.substr(6));
    }
    const size_t size = dtype ? c10::elementSize(*dtype) : 0;
    require(size > 0, "a tensor's storage has an unknown type");
    const int64_t record = record_size_(text(item[2]));
    int64_t numel = at(item[4]).n, begin = 0;
    require(numel >= 0 && (record < 0 || static_cast<uint64_t>(numel) <= static_cast<uint64_t>(record) / size),
            "a tensor has more elements than bytes");
    require(of_ == Of::program || record >= 0 || numel == 0, "the elements of a tensor are missing");
    if (of_ == Of::values && item.size() > 5 && !is(item[5], Kind::none)) {
      const auto part = arguments_of(item[5], 3);
      require(is(part[1], Kind::integer) && is(part[2], Kind::integer), "a tensor's storage is described wrongly");
      begin = at(part[1]).n;
      const int64_t n = at(part[2]).n;
      require(begin >= 0 && begin <= numel && n >= 0 && n <= numel - begin, "a tensor's storage is described wrongly");
      numel = n;
    }
    storages_.push_back({text(item[2]), *dtype, begin, numel});
    push(Kind::storage, static_cast<int64_t>(storages_.size()) - 1);
  }

  // (storage, offset, sizes, strides, requires gradients, hooks, ...): a node. `dtype` where the storage has none of its own.
  uint32_t tensor(const std::vector<uint32_t>& item, std::optional<c10::ScalarType> dtype, uint32_t metadata) {
    require(item.size() >= 4 && is(item[0], Kind::storage) && is(item[1], Kind::integer) && at(item[1]).n >= 0,
            "a tensor is described wrongly");
    const Pickled::Storage& storage = storages_[static_cast<size_t>(at(item[0]).n)];
    Pickled::Tensor out{static_cast<size_t>(at(item[0]).n), dtype.value_or(storage.dtype), at(item[1]).n, {}, {}, false, false, false};
    const size_t size = c10::elementSize(out.dtype), own = c10::elementSize(storage.dtype);
    const auto sizes = arguments_of(item[2], 0), strides = arguments_of(item[3], sizes.size());
    // Elements behind the last one that is known to be used.
    int64_t left = static_cast<int64_t>(static_cast<uint64_t>(storage.numel) * own / size) - 1 - out.offset;
    bool is_empty = false, is_inside = left >= 0;
    uint64_t numel = 1;
    for (size_t i = 0; i < sizes.size(); ++i) {
      require(is(sizes[i], Kind::integer) && is(strides[i], Kind::integer) && at(sizes[i]).n >= 0 && at(strides[i]).n >= 0,
              "a tensor is described wrongly");
      const int64_t n = at(sizes[i]).n, stride = at(strides[i]).n;
      out.sizes.push_back(n);
      out.strides.push_back(stride);
      if (n == 0) is_empty = true;
      if (n > 0 && of_ == Of::values) {
        require(numel <= static_cast<uint64_t>(std::numeric_limits<int64_t>::max()) / size / static_cast<uint64_t>(n),
                "a tensor is described wrongly");
        numel *= static_cast<uint64_t>(n);
      }
      if (n <= 1 || stride == 0) continue;
      is_inside = is_inside && n - 1 <= left / stride;
      if (is_inside) left -= (n - 1) * stride;
    }
    require(is_empty || is_inside, "a tensor reaches over the end of its storage");
    if (of_ == Of::program) return new_node(Kind::object);
    require(sizes.size() <= kMostDimensions && dtype_of(out.dtype), "a tensor is of a kind that has no form in R");
    // What lies behind the end is never looked at.
    require(!is_empty || out.offset <= storage.numel, "a tensor reaches over the end of its storage");
    out.requires_grad = item.size() > 4 && item[4] == kTrue;
    if (is(metadata, Kind::dict)) {
      spend(static_cast<size_t>(at(metadata).n));
      const auto facts = items_of(metadata);
      for (size_t i = 0; i + 1 < facts.size(); i += 2) {
        if (!is(facts[i], Kind::text) || facts[i + 1] != kTrue) continue;
        if (text(facts[i]) == "conj") out.is_conj = true;
        if (text(facts[i]) == "neg") out.is_neg = true;
      }
    }
    tensors_.push_back(std::move(out));
    return new_node(Kind::tensor, static_cast<int64_t>(tensors_.size()) - 1);
  }

  // Of pairs, or empty.
  uint32_t dict(const std::vector<uint32_t>& arguments, size_t first) {
    const uint32_t out = new_node(Kind::dict);
    if (arguments.size() <= first) return out;
    const uint32_t from = arguments[first];
    require(is(from, Kind::list) || is(from, Kind::tuple) || is(from, Kind::dict));
    spend(static_cast<size_t>(at(from).n));
    for (const uint32_t item : items_of(from)) {
      if (is(from, Kind::dict)) {
        hold(out, item);
        continue;
      }
      require((is(item, Kind::tuple) || is(item, Kind::list)) && at(item).n == 2);
      const auto pair = items_of(item);
      hold(out, pair[0]);
      hold(out, pair[1]);
    }
    return out;
  }

  uint32_t made(const std::string& name, const std::vector<uint32_t>& item) {
    const auto maker = makers().find(name);
    TORCH_CHECK(maker != makers().end(), "it would run `", name, "`: what is read here is values and tensors, and no code");
    const auto need = [&](size_t n) { require(item.size() >= n); };
    const auto like = [&](Kind kind, const std::string& text) {
      spend(text.size());
      texts_.push_back(text);
      return new_node(kind, static_cast<int64_t>(texts_.size()) - 1);
    };
    switch (maker->second) {
      case Maker::tensor_v1:
        return tensor(item, std::nullopt, kNone);
      case Maker::tensor_v2:
        return tensor(item, std::nullopt, item.size() > 6 ? item[6] : kNone);
      case Maker::tensor_v3: {
        need(7);
        const auto dtype = is(item[6], Kind::global) && text(item[6]).size() > 6 ? dtype_named(text(item[6]).substr(6)) : std::nullopt;
        require(dtype.has_value(), "a tensor is of a dtype that is not known");
        return tensor(item, dtype, item.size() > 7 ? item[7] : kNone);
      }
      case Maker::parameter: {
        need(2);
        require(is(item[0], Kind::tensor) || is(item[0], Kind::parameter), "a parameter is no tensor");
        Pickled::Tensor same = tensors_[static_cast<size_t>(at(item[0]).n)];
        same.requires_grad = item[1] == kTrue;
        tensors_.push_back(std::move(same));
        return new_node(Kind::parameter, static_cast<int64_t>(tensors_.size()) - 1);
      }
      case Maker::subclass: {
        // (what makes it, its class, arguments of that, attributes)
        need(3);
        require(is(item[0], Kind::global) && is(item[1], Kind::global));
        const uint32_t out = made(text(item[0]), arguments_of(item[2], 0));
        require(is(out, Kind::tensor) || is(out, Kind::parameter), "a tensor is described wrongly");
        if (text(item[1]) == "torch.nn.parameter.Parameter") nodes_[out].kind = Kind::parameter;
        return out;
      }
      case Maker::dict:
        return dict(item, 0);
      case Maker::factory_dict:
        return dict(item, 1);
      case Maker::same:
        need(1);
        require(is(item[0], Kind::tuple) || is(item[0], Kind::list));
        return item[0];
      case Maker::set: {
        const uint32_t out = new_node(Kind::list);
        if (!item.empty()) {
          require(is(item[0], Kind::tuple) || is(item[0], Kind::list));
          spend(static_cast<size_t>(at(item[0]).n));
          for (const uint32_t element : items_of(item[0])) hold(out, element);
        }
        return out;
      }
      case Maker::device: {
        need(1);
        require(is(item[0], Kind::text) && (item.size() == 1 || is(item[1], Kind::integer)));
        return like(Kind::device, item.size() == 1 ? text(item[0]) : text(item[0]) + ":" + std::to_string(at(item[1]).n));
      }
      case Maker::complex: {
        need(2);
        require(is(item[0], Kind::real) && is(item[1], Kind::real));
        const uint32_t out = new_node(Kind::complex);
        hold(out, item[0]);
        hold(out, item[1]);
        return out;
      }
      case Maker::bytes:
        need(1);
        require(is(item[0], Kind::text));
        return like(Kind::bytes, latin1(text(item[0])));
      case Maker::byte_array:
        if (item.empty()) return like(Kind::bytes, "");
        require(is(item[0], Kind::text) || is(item[0], Kind::bytes));
        return like(Kind::bytes, is(item[0], Kind::text) ? latin1(text(item[0])) : text(item[0]));
    }
    require(false);
    return kNone;
  }

  void reduce() {
    const uint32_t arguments = pop(), function = pop();
    if (of_ == Of::values) {
      require(is(function, Kind::global));
      push(made(text(function), arguments_of(arguments, 0)));
      return;
    }
    if (is(function, Kind::global)) {
      const std::string& name = text(function);
      if (name == "torch._utils._rebuild_tensor_v2" || name == "torch._utils._rebuild_qtensor")
        tensor(arguments_of(arguments, 4), std::nullopt, kNone);
      if (name == "torch.jit._pickle.restore_type_tag") {
        const auto item = arguments_of(arguments, 2);
        if (is(item[1], Kind::text)) require(deepest_bracket(text(item[1])) <= kDeepestType, "a type is nested too deeply");
      }
    }
    const uint32_t node = new_node(Kind::object);
    hold(node, arguments);
    push(node);
  }

  // What a class makes of the arguments, as `__new__` and as a call.
  void new_object() {
    const uint32_t arguments = pop(), type = pop();
    if (of_ == Of::program) {
      push(Kind::object, 0);
      return;
    }
    require(is(type, Kind::global));
    push(made(text(type), arguments_of(arguments, 0)));
  }

  // The attributes of an object, of which values keep none.
  void build() {
    require(!stack_.empty());
    if (of_ == Of::program) {
      add_items(stack_.size() - 1, Kind::object);
      return;
    }
    pop();
    const uint32_t target = pop();
    require(is(target, Kind::dict) || is(target, Kind::tensor) || is(target, Kind::parameter));
    push(target);
  }

  // A whole number of n bytes, the last one with the sign. What R has no whole number for is one with a point.
  void push_long(uint64_t n) {
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
  void push_real(double value) {
    push(Kind::real, 0);
    nodes_[stack_.back()].real = value;
  }

  // False at the end.
  bool step(unsigned char instruction) {
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

  void push_text_of(Kind kind, uint64_t n) {
    const char* p = take(n);
    push_text(kind, std::string(p, static_cast<size_t>(n)));
  }

  // What LibTorch does not write, but Python: older and newer forms of the pickle.
  void newer_step(unsigned char instruction) {
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

  void check_depth() {
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

  Pickled::Value value_of(uint32_t node, Pickled& out) const {
    const Node& it = nodes_[node];
    const auto as = [&](ts_pickled kind, int64_t n) { return Pickled::Value{kind, n}; };
    switch (it.kind) {
      case Kind::none:
        return as(TS_PICKLED_NONE, 0);
      case Kind::boolean:
        return as(TS_PICKLED_BOOL, it.n);
      case Kind::integer:
        return as(TS_PICKLED_INT, it.n);
      case Kind::real:
        out.numbers.push_back(it.real);
        return as(TS_PICKLED_FLOAT, static_cast<int64_t>(out.numbers.size()) - 1);
      case Kind::complex:
        for (const uint32_t part : items_of(node)) out.numbers.push_back(nodes_[part].real);
        return as(TS_PICKLED_COMPLEX, static_cast<int64_t>(out.numbers.size()) - 2);
      case Kind::text:
        return as(TS_PICKLED_TEXT, it.n);
      case Kind::bytes:
        return as(TS_PICKLED_BYTES, it.n);
      case Kind::device:
        return as(TS_PICKLED_DEVICE, it.n);
      case Kind::global: {
        const std::string& name = text(node);
        const auto dtype = name.compare(0, 6, "torch.") == 0 ? dtype_named(name.substr(6)) : std::nullopt;
        TORCH_CHECK(dtype, "it holds `", name, "`, which is no value");
        return as(TS_PICKLED_DTYPE, static_cast<int64_t>(*dtype));
      }
      case Kind::tensor:
        return as(TS_PICKLED_TENSOR, it.n);
      case Kind::parameter:
        return as(TS_PICKLED_PARAMETER, it.n);
      case Kind::tuple:
      case Kind::list:
        return as(TS_PICKLED_LIST, it.n);
      case Kind::dict:
        return as(TS_PICKLED_DICT, it.n);
      case Kind::storage:
        TORCH_CHECK(false, "it holds the memory of a tensor without the tensor");
      default:
        require(false);
        return as(TS_PICKLED_NONE, 0);
    }
  }

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

}  // namespace

const char* python_name(c10::ScalarType dtype) {
  const Dtype* found = dtype_of(dtype);
  return found ? found->name : nullptr;
}

bool has_typed_storage(c10::ScalarType dtype) {
  const Dtype* found = dtype_of(dtype);
  return found && found->has_storage;
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
