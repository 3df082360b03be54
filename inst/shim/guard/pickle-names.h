// Python's names in pickles: names of dtypes, and of functions and classes that make values.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "guard/pickle.h"

namespace shim {

// Dtypes by names such as "float32" and "FloatStorage".
std::optional<c10::ScalarType> dtype_named(std::string_view name);
std::optional<c10::ScalarType> dtype_of_storage(const std::string& name);

// What may make a value, by its names in Python.
enum class Maker {
  tensor_v1, tensor_v2, tensor_v3, parameter, subclass, dict, factory_dict, same, set, device, complex, bytes, byte_array
};
const std::unordered_map<std::string, Maker>& makers();

// Whether a name stands for a class or a dtype that is an argument, and is not called.
bool is_plain_name(const std::string& name);

}  // namespace shim
