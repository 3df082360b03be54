// Which values the named functions make of their arguments, and the list of values that results.
#include <algorithm>

#include "core/utf8.h"
#include "guard/pickle-machine.h"
#include "guard/pickle-names.h"

namespace shim {
namespace {

constexpr int kDeepestType = 100;
// Values become lists in R, which it walks through by recursion.
constexpr uint32_t kDeepestOfValues = 500;
constexpr size_t kMostDimensions = 64;

int deepest_bracket(const std::string& text) {
  int depth = 0, deepest = 0;
  for (const char c : text) {
    if (c == '[' || c == '(') deepest = std::max(deepest, ++depth);
    if (c == ']' || c == ')') --depth;
  }
  return deepest;
}

// The bytes of a text in latin1: one for each character. Older pickles hold bytes as such text.
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

}  // namespace

Pickled Pickle::values() {
  Pickled out;
  struct Open {
    uint32_t node, edge;
  };
  // Places count from 1. While a node has a level but no place, the walk is below it.
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

void Pickle::global(const std::string& module, const std::string& name) {
  const std::string full = module + "." + name;
  TORCH_CHECK(of_ == Of::program || makers().count(full) || is_plain_name(full), "it would run `", valid_utf8(full),
              "`: what is read here is values and tensors, and no code");
  push_text(Kind::global, full);
}

void Pickle::storage() {
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

uint32_t Pickle::tensor(const std::vector<uint32_t>& item, std::optional<c10::ScalarType> dtype, uint32_t metadata) {
  require(item.size() >= 4 && is(item[0], Kind::storage) && is(item[1], Kind::integer) && at(item[1]).n >= 0,
          "a tensor is described wrongly");
  const Pickled::Storage& storage = storages_[static_cast<size_t>(at(item[0]).n)];
  Pickled::Tensor out{static_cast<size_t>(at(item[0]).n), dtype.value_or(storage.dtype), at(item[1]).n, {}, {}, false, false, false};
  const size_t size = c10::elementSize(out.dtype), own = c10::elementSize(storage.dtype);
  const auto sizes = arguments_of(item[2], 0), strides = arguments_of(item[3], sizes.size());
  // How many elements are left behind the last one that is known to be used.
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
  require(sizes.size() <= kMostDimensions && python_name(out.dtype), "a tensor is of a kind that has no form in R");
  // An empty tensor uses no element, but its offset must still lie inside.
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

uint32_t Pickle::dict(const std::vector<uint32_t>& arguments, size_t first) {
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

uint32_t Pickle::made(const std::string& name, const std::vector<uint32_t>& item) {
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
      // The items are a function, a class, the arguments of the function, and attributes.
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

void Pickle::reduce() {
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

void Pickle::new_object() {
  const uint32_t arguments = pop(), type = pop();
  if (of_ == Of::program) {
    push(Kind::object, 0);
    return;
  }
  require(is(type, Kind::global));
  push(made(text(type), arguments_of(arguments, 0)));
}

void Pickle::build() {
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

Pickled::Value Pickle::value_of(uint32_t node, Pickled& out) const {
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

}  // namespace shim
