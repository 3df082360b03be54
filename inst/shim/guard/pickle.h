// The one reader of Python's pickles. It runs nothing: a pickle is a program that builds values and may call any function of
// Python's, and here its instructions only make notes of what they would have built.
#pragma once
#include <c10/core/ScalarType.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "torch_shim.h"

namespace shim {

// Bytes of the record of this name, -1 if there is none.
using RecordSize = std::function<int64_t(const std::string&)>;

// Throws if the pickle is none that LibTorch can have written of a program's values. LibTorch reads it afterwards.
void check_pickle(const std::string& pickle, const RecordSize& record_size);

// What a pickle of values says. Each value stands behind those that it holds.
struct Pickled {
  // `numel` elements of a record, from the element `begin` on.
  struct Storage {
    std::string record;
    c10::ScalarType dtype;
    int64_t begin, numel;
  };
  // `offset` counts elements of the tensor's own dtype from the beginning of its storage.
  struct Tensor {
    size_t storage;
    c10::ScalarType dtype;
    int64_t offset;
    std::vector<int64_t> sizes, strides;
    bool requires_grad, is_conj, is_neg;
  };
  // n: of a boolean, a whole number and a dtype itself; of a text, bytes, a device, a number and a tensor its place among
  // those; of a list and a dict how many places in `items` it takes.
  struct Value {
    ts_pickled kind;
    int64_t n;
  };

  std::vector<Value> values;
  std::vector<uint32_t> items;
  std::vector<double> numbers;  // a complex one takes two places
  std::vector<std::string> texts;
  std::vector<Storage> storages;
  std::vector<Tensor> tensors;
};

// Reads the pickle that begins at `at`, and moves `at` behind it. Throws where it would run anything but what makes values
// and tensors, with the name of that, and where it says what can't be.
Pickled read_pickle(std::string_view bytes, size_t& at, const RecordSize& record_size);

// What Python calls a dtype, "float32"; NULL for one that tensors of files can't have.
const char* python_name(c10::ScalarType dtype);
// Whether Python has a class of storages for this dtype alone, "FloatStorage"; those of newer dtypes are of bytes.
bool has_typed_storage(c10::ScalarType dtype);

}  // namespace shim
