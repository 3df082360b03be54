// Files of values and tensors as Python's torch.save() writes them: an archive with a pickle of the values and a record
// for each storage. Before PyTorch 1.6 a file held several pickles, one after the other, and then the storages.
#include <caffe2/serialize/inline_container.h>

#include <array>
#include <cstring>
#include <unordered_map>
#include <unordered_set>

#include "core/boundary.h"
#include "core/sink.h"
#include "core/utf8.h"
#include "core/value.h"
#include "guard/archive.h"
#include "guard/pickle.h"
#include "tensor/unrecorded.h"

using shim::Pickled;

namespace {

// The length of the pickle of the number that begins a file of the old form; 0 if the file begins otherwise. From
// protocol 4 on there are nine bytes before the number.
constexpr size_t kLongestMagic = 24;
size_t magic_size(std::string_view bytes) {
  const std::string_view magic("\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19.", 13);
  if (bytes.substr(0, 1) != "\x80") return 0;
  for (const size_t before : {size_t{2}, size_t{11}})
    if (bytes.size() > before && bytes.substr(before, magic.size()) == magic) return before + magic.size();
  return 0;
}

// Makes the tensors of a file that was read. `memory` gives the bytes of a record.
class Tensors {
 public:
  using Memory = std::function<at::Tensor(const std::string&)>;
  Tensors(const Pickled& values, Memory memory, const char* device) : values_(values), memory_(std::move(memory)) {
    if (device) device_ = at::Device(device);
    for (const Pickled::Tensor& tensor : values.tensors)
      if (tensor.dtype == at::kBool) bools_.insert(values.storages[tensor.storage].record);
  }

  at::Tensor make(const Pickled::Tensor& it) {
    const Pickled::Storage& storage = values_.storages[it.storage];
    const at::Tensor memory = memory_of(storage.record);
    const auto begin = storage.begin * static_cast<int64_t>(c10::elementSize(storage.dtype)) / static_cast<int64_t>(c10::elementSize(it.dtype));
    at::Tensor out = at::empty({0}, memory.options().dtype(it.dtype));
    out.set_(memory.storage(), begin + it.offset, it.sizes, it.strides);
    if (it.is_conj) out._set_conj(true);
    if (it.is_neg) out._set_neg(true);
    if (it.requires_grad) out.set_requires_grad(true);
    return out;
  }

 private:
  const at::Tensor& memory_of(const std::string& record) {
    const auto known = known_.find(record);
    if (known != known_.end()) return known->second;
    at::Tensor memory = memory_(record);
    if (bools_.count(record)) {
      // A bool must be the byte 0 or 1: compilers rely on it.
      auto* bytes = static_cast<unsigned char*>(memory.data_ptr());
      for (int64_t i = 0; i < memory.numel(); ++i) bytes[i] = bytes[i] != 0;
    }
    if (device_) memory = memory.to(*device_);
    return known_.emplace(record, std::move(memory)).first->second;
  }

  const Pickled& values_;
  Memory memory_;
  std::optional<at::Device> device_;
  std::unordered_set<std::string> bools_;
  std::unordered_map<std::string, at::Tensor> known_;
};

template <class Number>
ts_value numbers(int tag, const std::vector<Number>& from, shim::Arena& own) {
  ts_value out{};
  out.tag = tag;
  out.len = static_cast<int64_t>(from.size());
  auto* to = own.get().allocate<Number>(from.size());
  std::copy(from.begin(), from.end(), to);
  if constexpr (std::is_same_v<Number, double>)
    out.as.doubles = to;
  else
    out.as.ints = to;
  return out;
}

ts_value items(int tag, size_t n, shim::Arena& own) {
  ts_value out{};
  out.tag = tag;
  out.len = static_cast<int64_t>(n);
  out.of.kind = TS_KIND_ANY;
  out.as.items = own.get().new_items(n);
  return out;
}

void give_values(const Pickled& values, Tensors tensors, ts_value& out, shim::Arena& own) {
  std::vector<int64_t> kinds, ns;
  std::vector<bool> is_bytes(values.texts.size());
  // Tensors that are part of no value are left out.
  std::vector<int64_t> place(values.tensors.size(), -1);
  std::vector<at::Tensor> made;
  for (const Pickled::Value& value : values.values) {
    kinds.push_back(value.kind);
    ns.push_back(value.n);
    if (value.kind == TS_PICKLED_BYTES) is_bytes[static_cast<size_t>(value.n)] = true;
    if (value.kind == TS_PICKLED_TENSOR || value.kind == TS_PICKLED_PARAMETER) {
      int64_t& at = place[static_cast<size_t>(value.n)];
      if (at < 0) {
        at = static_cast<int64_t>(made.size());
        made.push_back(tensors.make(values.tensors[static_cast<size_t>(value.n)]));
      }
      ns.back() = at;
    }
  }
  ts_value texts = items(TS_LIST, values.texts.size(), own);
  for (size_t i = 0; i < values.texts.size(); ++i) {
    if (!is_bytes[i]) {
      texts.as.items[i] = shim::string_value(shim::valid_utf8(values.texts[i]), own);
      continue;
    }
    const auto* bytes = reinterpret_cast<const unsigned char*>(values.texts[i].data());
    texts.as.items[i] = numbers(TS_INT_LIST, std::vector<int64_t>(bytes, bytes + values.texts[i].size()), own);
  }
  ts_value handles = items(TS_LIST, made.size(), own);
  for (size_t i = 0; i < made.size(); ++i) {
    handles.as.items[i].tag = TS_TENSOR;
    handles.as.items[i].as.handle = shim::give(std::move(made[i]));
  }
  out = items(TS_TUPLE, 6, own);
  out.as.items[0] = numbers(TS_INT_LIST, kinds, own);
  out.as.items[1] = numbers(TS_INT_LIST, ns, own);
  out.as.items[2] = numbers(TS_INT_LIST, std::vector<int64_t>(values.items.begin(), values.items.end()), own);
  out.as.items[3] = numbers(TS_FLOAT_LIST, values.numbers, own);
  out.as.items[4] = texts;
  out.as.items[5] = handles;
}

void read_archive(std::unique_ptr<shim::Bytes> bytes, const char* device, ts_value& out, shim::Arena& own) {
  shim::Archive archive(std::move(bytes));
  TORCH_CHECK(!archive.find("constants.pkl"), "it holds a TorchScript program: use `jit_load()`");
  const shim::Entry* values = archive.find("data.pkl");
  TORCH_CHECK(values && !values->is_packed(), "it is an archive, but none that `torch.save()` writes");
  if (const shim::Entry* order = archive.find("byteorder"))
    TORCH_CHECK(archive.contents(*order) != "big", "its numbers are in the byte order of another kind of machine");
  const std::string pickle = archive.contents(*values);
  size_t at = 0;
  const auto record = [&](const std::string& key) { return archive.find("data/" + key); };
  const Pickled said = shim::read_pickle(pickle, at, [&](const std::string& key) -> int64_t {
    const shim::Entry* entry = record(key);
    return entry ? static_cast<int64_t>(entry->size) : -1;
  });
  const auto memory = [&](const std::string& key) {
    const shim::Entry* entry = record(key);
    at::Tensor out = at::empty({entry ? static_cast<int64_t>(entry->size) : 0}, at::kByte);
    if (entry) archive.copy(*entry, out.data_ptr());
    return out;
  };
  give_values(said, Tensors(said, memory, device), out, own);
  archive.check_rest();
}

void read_legacy(std::string_view bytes, const char* device, ts_value& out, shim::Arena& own) {
  const auto require = [](bool holds) { TORCH_CHECK(holds, "it is cut short or damaged"); };
  // The sizes of storages stand after the values: until they are read, each storage counts as large as the file.
  const shim::RecordSize room = [&](const std::string&) { return static_cast<int64_t>(bytes.size()); };
  size_t at = magic_size(bytes);
  const Pickled version = shim::read_pickle(bytes, at, room);
  TORCH_CHECK(version.values.size() == 1 && version.values[0].kind == TS_PICKLED_INT && version.values[0].n == 1001,
              "it is in a version of the format that is not known");
  const Pickled machine = shim::read_pickle(bytes, at, room);
  for (size_t i = 0; i + 1 < machine.items.size(); ++i) {
    const auto& key = machine.values[machine.items[i] - 1];
    const auto& value = machine.values[machine.items[i + 1] - 1];
    if (key.kind == TS_PICKLED_TEXT && machine.texts[static_cast<size_t>(key.n)] == "little_endian")
      TORCH_CHECK(value.kind != TS_PICKLED_BOOL || value.n == 1, "its numbers are in the byte order of another kind of machine");
  }
  const Pickled said = shim::read_pickle(bytes, at, room);
  const Pickled keys = shim::read_pickle(bytes, at, room);
  require(!keys.values.empty() && keys.values.back().kind == TS_PICKLED_LIST);
  std::unordered_map<std::string, size_t> sizes;
  std::unordered_map<std::string, std::string_view> records;
  for (const Pickled::Storage& storage : said.storages) sizes.emplace(storage.record, c10::elementSize(storage.dtype));
  for (const uint32_t item : keys.items) {
    const auto& key = keys.values[item - 1];
    require(key.kind == TS_PICKLED_TEXT);
    const std::string& name = keys.texts[static_cast<size_t>(key.n)];
    const auto size = sizes.find(name);
    require(size != sizes.end() && bytes.size() - at >= 8);
    uint64_t n = 0;
    for (size_t i = 0; i < 8; ++i) n |= static_cast<uint64_t>(static_cast<unsigned char>(bytes[at + i])) << 8 * i;
    at += 8;
    require(n <= (bytes.size() - at) / size->second);
    require(records.emplace(name, bytes.substr(at, static_cast<size_t>(n) * size->second)).second);
    at += static_cast<size_t>(n) * size->second;
  }
  for (const Pickled::Storage& storage : said.storages) {
    const auto record = records.find(storage.record);
    const auto end = static_cast<uint64_t>(storage.begin + storage.numel) * c10::elementSize(storage.dtype);
    require(end == 0 || (record != records.end() && end <= record->second.size()));
  }
  const auto memory = [&](const std::string& key) {
    const auto record = records.find(key);
    const std::string_view from = record == records.end() ? std::string_view() : record->second;
    at::Tensor out = at::empty({static_cast<int64_t>(from.size())}, at::kByte);
    if (!from.empty()) std::memcpy(out.data_ptr(), from.data(), from.size());
    return out;
  };
  give_values(said, Tensors(said, memory, device), out, own);
}

// Writes values as a pickle, in the protocol of torch.save().
class Pickler {
 public:
  explicit Pickler(const ts_values& values) : values_(values) {
    for (size_t i = 0; i < values.n_tensors; ++i) {
      const at::Tensor tensor = shim::borrow(values.tensors[i]).detach().resolve_conj().resolve_neg();
      TORCH_CHECK(shim::python_name(tensor.scalar_type()), "the format has no form for tensors of ", tensor.scalar_type());
      tensors_.push_back(tensor);
      Storage& storage = storages_[tensor.storage().unsafeGetStorageImpl()];
      if (storage.n++ == 0) storage.dtype = tensor.scalar_type();
      if (storage.dtype != tensor.scalar_type() || !shim::has_typed_storage(tensor.scalar_type())) storage.is_typed = false;
    }
  }

  std::string pickle() {
    out_ = "\x80\x02";
    size_t at = 0;
    struct Open {
      int32_t kind;
      uint64_t left;
    };
    std::vector<Open> open;
    do {
      TORCH_CHECK(at < values_.n, "a list holds less than it says");
      const int32_t kind = values_.kinds[at];
      const double number = values_.numbers[at];
      if (kind == TS_PICKLED_LIST || kind == TS_PICKLED_DICT) {
        const auto n = static_cast<uint64_t>(number);
        out_ += kind == TS_PICKLED_LIST ? "](" : "}(";
        open.push_back({kind, kind == TS_PICKLED_DICT ? 2 * n : n});
        ++at;
      } else {
        if (!open.empty()) --open.back().left;
        at += plain(at, kind, number);
      }
      while (!open.empty() && open.back().left == 0) {
        out_ += open.back().kind == TS_PICKLED_LIST ? 'e' : 'u';
        open.pop_back();
        if (!open.empty()) --open.back().left;
      }
    } while (!open.empty());
    out_ += '.';
    return std::move(out_);
  }

  // The storages that the values use, in the order of their records.
  const std::vector<at::Tensor>& records() const { return records_; }

 private:
  struct Storage {
    size_t n = 0;  // how many tensors use it
    c10::ScalarType dtype{};
    bool is_typed = true;
    std::string record;  // the name of its record, once it has one
  };

  void little(uint64_t n, size_t bytes) {
    for (size_t i = 0; i < bytes; ++i) out_ += static_cast<char>(n >> 8 * i);
  }
  void whole(int64_t n) {
    if (n >= 0 && n < 256) {
      out_ += 'K';
      little(static_cast<uint64_t>(n), 1);
    } else if (n >= INT32_MIN && n <= INT32_MAX) {
      out_ += 'J';
      little(static_cast<uint64_t>(n), 4);
    } else {
      out_ += "\x8a\x08";
      little(static_cast<uint64_t>(n), 8);
    }
  }
  void real(double x) {
    uint64_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    out_ += 'G';
    for (size_t i = 8; i > 0; --i) out_ += static_cast<char>(bits >> 8 * (i - 1));
  }
  void text(std::string_view text) {
    TORCH_CHECK(text.size() < UINT32_MAX, "a text is too long");
    out_ += 'X';
    little(text.size(), 4);
    out_ += text;
  }
  void put() {
    const size_t slot = n_memo_++;
    out_ += slot < 256 ? 'q' : 'r';
    little(slot, slot < 256 ? 1 : 4);
  }
  void get(size_t slot) {
    out_ += slot < 256 ? 'h' : 'j';
    little(slot, slot < 256 ? 1 : 4);
  }
  // Writes something in full the first time and then by its number.
  template <class Key, class Write>
  void once(std::unordered_map<Key, size_t>& known, const Key& key, Write&& write) {
    const auto found = known.find(key);
    if (found != known.end()) {
      get(found->second);
      return;
    }
    write();
    put();
    known.emplace(key, n_memo_ - 1);
  }
  void word(const std::string& it) {
    once(words_, "'" + it, [&] { text(it); });
  }
  void global(const char* module, const std::string& name) {
    once(words_, module + ("." + name), [&] { out_ += c10::str("c", module, "\n", name, "\n"); });
  }
  void no_hooks() {
    global("collections", "OrderedDict");
    out_ += ")R";
  }
  void sizes(at::IntArrayRef numbers) {
    out_ += '(';
    for (const int64_t n : numbers) whole(n);
    out_ += 't';
  }

  void tensor(const at::Tensor& given, bool requires_grad) {
    Storage& storage = storages_.at(given.storage().unsafeGetStorageImpl());
    at::Tensor it = given;
    const auto bytes_of = [](const at::Tensor& x) { return static_cast<size_t>(x.numel()) * x.element_size(); };
    // If this tensor alone uses its storage, only the part that it shows is written.
    if (storage.n == 1 && bytes_of(it) < it.storage().nbytes()) it = it.clone(at::MemoryFormat::Contiguous);
    if (storage.record.empty()) {
      storage.record = std::to_string(records_.size());
      const at::Storage all = it.storage();
      const auto n = static_cast<int64_t>(all.nbytes());
      records_.push_back(at::empty({0}, it.options().dtype(at::kByte)).set_(all, 0, {n}, {1}).cpu());
    }
    const bool typed = storage.is_typed;
    global("torch._utils", typed ? "_rebuild_tensor_v2" : "_rebuild_tensor_v3");
    out_ += "((";
    word("storage");
    if (typed)
      global("torch", std::string(c10::toString(it.scalar_type())) + "Storage");
    else
      global("torch.storage", "UntypedStorage");
    text(storage.record);
    word("cpu");
    whole(static_cast<int64_t>(it.storage().nbytes() / (typed ? it.element_size() : 1)));
    out_ += "tQ";
    whole(it.storage_offset());
    sizes(it.sizes());
    sizes(it.strides());
    out_ += requires_grad ? '\x88' : '\x89';
    no_hooks();
    if (!typed) global("torch", shim::python_name(it.scalar_type()));
    out_ += "tR";
  }

  // Returns how many values it took.
  size_t plain(size_t at, int32_t kind, double number) {
    const auto place = static_cast<size_t>(number);
    switch (kind) {
      case TS_PICKLED_BOOL:
        out_ += number != 0 ? '\x88' : '\x89';
        return 1;
      case TS_PICKLED_INT:
        whole(static_cast<int64_t>(number));
        return 1;
      case TS_PICKLED_LONG: {
        int64_t n;
        std::memcpy(&n, &number, sizeof n);
        whole(n);
        return 1;
      }
      case TS_PICKLED_FLOAT:
        real(number);
        return 1;
      case TS_PICKLED_COMPLEX:
        global("builtins", "complex");
        real(number);
        real(values_.numbers[at + 1]);
        out_ += "\x86R";
        return 2;
      case TS_PICKLED_TEXT:
        text(values_.texts[place]);
        return 1;
      case TS_PICKLED_BYTES: {
        std::string utf8;
        const auto* bytes = static_cast<const unsigned char*>(values_.parts[place].data);
        for (size_t i = 0; i < values_.parts[place].size; ++i) {
          if (bytes[i] >= 0x80) utf8 += static_cast<char>(0xc0 | bytes[i] >> 6);
          utf8 += static_cast<char>(bytes[i] >= 0x80 ? 0x80 | (bytes[i] & 0x3f) : bytes[i]);
        }
        global("_codecs", "encode");
        text(utf8);
        word("latin1");
        out_ += "\x86R";
        return 1;
      }
      case TS_PICKLED_DTYPE: {
        const char* name = shim::python_name(static_cast<c10::ScalarType>(place));
        TORCH_CHECK(name, "the format has no form for this dtype");
        global("torch", name);
        return 1;
      }
      case TS_PICKLED_DEVICE:
        global("torch", "device");
        text(values_.texts[place]);
        out_ += "\x85R";
        return 1;
      case TS_PICKLED_TENSOR:
      case TS_PICKLED_PARAMETER: {
        const bool is_parameter = kind == TS_PICKLED_PARAMETER, needs = shim::borrow(values_.tensors[place]).requires_grad();
        once(known_, 2 * place + is_parameter, [&] {
          if (is_parameter) {
            global("torch._utils", "_rebuild_parameter");
            out_ += '(';
          }
          tensor(tensors_[place], needs && !is_parameter);
          if (is_parameter) {
            out_ += needs ? '\x88' : '\x89';
            no_hooks();
            out_ += "tR";
          }
        });
        return 1;
      }
      default:
        out_ += 'N';
        return 1;
    }
  }

  const ts_values& values_;
  std::vector<at::Tensor> tensors_, records_;
  std::unordered_map<const c10::StorageImpl*, Storage> storages_;
  std::unordered_map<std::string, size_t> words_;
  std::unordered_map<size_t, size_t> known_;
  size_t n_memo_ = 0;
  std::string out_;
};

void write_archive(const ts_values& values, shim::Sink& sink) {
  const at::NoGradGuard no_grad;
  Pickler pickler(values);
  const std::string pickle = pickler.pickle();
  const std::function<size_t(const void*, size_t)> to_sink = [&](const void* data, size_t n) { return sink(data, n); };
  caffe2::serialize::PyTorchStreamWriter writer(to_sink);
  const std::string order = "little";
  writer.writeRecord("data.pkl", pickle.data(), pickle.size());
  writer.writeRecord("byteorder", order.data(), order.size());
  size_t record = 0;
  for (const at::Tensor& memory : pickler.records())
    writer.writeRecord("data/" + std::to_string(record++), memory.data_ptr(), static_cast<size_t>(memory.numel()));
  writer.writeEndOfFile();
  sink.check();
}

}  // namespace

int ts_values_write(const char* path, const ts_values* values, ts_value* out, ts_arena** arena) {
  return shim::guarded_result(out, arena, [&](ts_value& value, shim::Arena& own) {
    const shim::Unrecorded guard;
    if (path) {
      shim::FileSink sink(path);
      write_archive(*values, sink);
      sink.finish();
      return;
    }
    shim::MemorySink sink;
    write_archive(*values, sink);
    value = shim::string_value(std::move(sink.bytes), own);
  });
}

int ts_values_read(const char* path, const void* bytes, size_t size, const char* device, ts_value* out, ts_arena** arena) {
  return shim::guarded_result(out, arena, [&](ts_value& value, shim::Arena& own) {
    const shim::Unrecorded guard;
    std::unique_ptr<shim::Bytes> source;
    if (path)
      source = std::make_unique<shim::FileBytes>(path);
    else
      source = std::make_unique<shim::MemoryBytes>(bytes, size);
    std::array<char, kLongestMagic> first{};
    const size_t n = source->read(0, first.data(), first.size());
    if (magic_size(std::string_view(first.data(), n)) == 0) {
      read_archive(std::move(source), device, value, own);
      return;
    }
    if (!path) {
      read_legacy(std::string_view(static_cast<const char*>(bytes), size), device, value, own);
      return;
    }
    std::string all(static_cast<size_t>(source->size()), '\0');
    TORCH_CHECK(source->read(0, all.data(), all.size()) == all.size(), "the file can't be read");
    read_legacy(all, device, value, own);
  });
}
