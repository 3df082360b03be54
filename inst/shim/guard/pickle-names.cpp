#include "guard/pickle-names.h"

namespace shim {
namespace {

struct Dtype {
  const char* name;
  int number;
  bool has_storage;
};
// Quantized dtypes are left out: their numbers need a scale.
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

}  // namespace

const char* python_name(c10::ScalarType dtype) {
  const Dtype* found = dtype_of(dtype);
  return found ? found->name : nullptr;
}

bool has_typed_storage(c10::ScalarType dtype) {
  const Dtype* found = dtype_of(dtype);
  return found && found->has_storage;
}

std::optional<c10::ScalarType> dtype_named(std::string_view name) {
  for (const Dtype& dtype : kDtypes)
    if (name == dtype.name && dtype.number < static_cast<int>(c10::ScalarType::NumOptions))
      return static_cast<c10::ScalarType>(dtype.number);
  return std::nullopt;
}

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

bool is_plain_name(const std::string& name) {
  if (name == "torch.Tensor" || name == "torch.nn.parameter.Parameter" || name == "torch.nn.parameter.Buffer" ||
      name == "torch.storage.UntypedStorage" || name == "torch.UntypedStorage")
    return true;
  // Types by which a defaultdict makes missing values.
  for (const char* type : {"list", "dict", "int", "float", "str"})
    if (name == std::string("builtins.") + type || name == std::string("__builtin__.") + type) return true;
  if (name.compare(0, 6, "torch.") != 0) return false;
  const std::string rest = name.substr(6);
  if (dtype_named(rest)) return true;
  const auto storage = dtype_of_storage(rest);
  return storage && dtype_of(*storage);
}

}  // namespace shim
