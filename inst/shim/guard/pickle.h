// The reader of Python's pickles. A pickle is a program that builds values and may call any function of Python's. The
// reader runs nothing: it only notes which values the instructions would build.
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

// Gives how many bytes the record of this name has; -1 if there is none.
using RecordSize = std::function<int64_t(const std::string&)>;

// Throws if LibTorch can't have written this pickle for the values of a program. LibTorch reads the pickle afterwards.
void check_pickle(const std::string& pickle, const RecordSize& record_size);

// The values in a pickle. Each stands after the values that it holds.
struct Pickled {
  // Storages are `numel` elements of a record, from element `begin` on.
  struct Storage {
    std::string record;
    c10::ScalarType dtype;
    int64_t begin, numel;
  };
  // `offset` counts elements of the tensor's own dtype from the start of the storage.
  struct Tensor {
    size_t storage;
    c10::ScalarType dtype;
    int64_t offset;
    std::vector<int64_t> sizes, strides;
    bool requires_grad, is_conj, is_neg;
  };
  // `n` is the value itself for booleans, whole numbers and dtypes. For texts, bytes, devices, other numbers and
  // tensors it is a place in the vectors below; for lists and dicts the number of places in `items` that it takes.
  struct Value {
    ts_pickled kind;
    int64_t n;
  };

  std::vector<Value> values;
  std::vector<uint32_t> items;
  std::vector<double> numbers;  // a complex number takes two places
  std::vector<std::string> texts;
  std::vector<Storage> storages;
  std::vector<Tensor> tensors;
};

// Reads the pickle that begins at `at`, and moves `at` behind it. Throws if the pickle would call anything that does
// not make values or tensors, which the message names, or if it makes no sense.
Pickled read_pickle(std::string_view bytes, size_t& at, const RecordSize& record_size);

// The name of a dtype in Python, such as "float32"; NULL for a dtype that tensors in files can't have.
const char* python_name(c10::ScalarType dtype);
// Whether Python has a class of storages for this dtype, such as "FloatStorage". Tensors of newer dtypes have storages
// of bytes.
bool has_typed_storage(c10::ScalarType dtype);

}  // namespace shim
