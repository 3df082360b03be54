// Names of Python's in pickles: of dtypes, and of what makes values.
#pragma once
#include <optional>
#include <string>
#include <string_view>
#include <unordered_map>

#include "guard/pickle.h"

namespace shim {

// "float32", "FloatStorage".
std::optional<c10::ScalarType> dtype_named(std::string_view name);
std::optional<c10::ScalarType> dtype_of_storage(const std::string& name);

// What values may be made by, under the names that Python has for it.
enum class Maker {
  tensor_v1, tensor_v2, tensor_v3, parameter, subclass, dict, factory_dict, same, set, device, complex, bytes, byte_array
};
const std::unordered_map<std::string, Maker>& makers();

// Names that stand for things and not for what makes them.
bool is_plain_name(const std::string& name);

}  // namespace shim
