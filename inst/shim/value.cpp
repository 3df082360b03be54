#include "value.h"

#include <ATen/core/dynamic_type.h>

ts_value* ts_arena::new_items(size_t n) {
  items.emplace_back(n);
  return items.back().data();
}

const char* ts_arena::keep(std::string text) {
  strings.push_back(std::move(text));
  return strings.back().c_str();
}

namespace shim {
namespace {

using c10::IValue;
using c10::Type;
using c10::TypeKind;

void release_handle(ts_value& value) {
  if (!value.as.handle) return;
  switch (value.tag) {
    case TS_TENSOR:
      ts_tensor_release(static_cast<ts_tensor*>(value.as.handle));
      break;
    case TS_GENERATOR:
      delete static_cast<ts_generator*>(value.as.handle);
      break;
    case TS_MODULE:
      delete static_cast<ts_module*>(value.as.handle);
      break;
    case TS_OBJECT:
      delete static_cast<ts_object*>(value.as.handle);
      break;
    default:
      break;
  }
}

[[noreturn]] void misfit(const ts_value& value, const Type& type) {
  static const char* const names[] = {"None",   "default", "Tensor", "int",  "float", "bool",   "complex", "str",
                                      "Device", "Generator", "list", "tuple", "dict", "Module", "enum",    "object", "size"};
  TORCH_CHECK(false, "a value of kind ", names[value.tag], " does not fit ", type.annotation_str());
}

double as_double(const ts_value& value) {
  return value.tag == TS_FLOAT ? value.as.d : static_cast<double>(value.as.i);
}

std::string as_string(const ts_value& value) { return {value.as.s, static_cast<size_t>(value.len)}; }

IValue scalar_ivalue(const ts_value& value, const Type& type) {
  switch (value.tag) {
    case TS_INT:
      return IValue(value.as.i);
    case TS_BOOL:
      return IValue(value.as.i != 0);
    case TS_FLOAT:
      return IValue(value.as.d);
    case TS_COMPLEX:
      return IValue(c10::complex<double>(value.as.z[0], value.as.z[1]));
    case TS_TENSOR:
      return IValue(borrow(static_cast<ts_tensor*>(value.as.handle)).item());
    default:
      misfit(value, type);
  }
}

IValue list_ivalue(const ts_value& value, const c10::TypePtr& element) {
  c10::impl::GenericList list(element);
  list.reserve(value.len);
  for (int64_t i = 0; i < value.len; ++i) list.push_back(to_ivalue(value.as.items[i], *element));
  return IValue(std::move(list));
}

IValue tuple_ivalue(const ts_value& value, const c10::TupleType& type) {
  const auto elements = type.elements();
  TORCH_CHECK(static_cast<size_t>(value.len) == elements.size(), "a tuple of ", value.len, " elements does not fit ",
              type.annotation_str());
  std::vector<IValue> items;
  items.reserve(elements.size());
  for (size_t i = 0; i < elements.size(); ++i) items.push_back(to_ivalue(value.as.items[i], *elements[i]));
  return IValue(c10::ivalue::Tuple::createNamed(
      std::move(items), std::const_pointer_cast<c10::TupleType>(
                            std::static_pointer_cast<const c10::TupleType>(type.shared_from_this()))));
}

IValue dict_ivalue(const ts_value& value, const c10::TypePtr& key, const c10::TypePtr& mapped) {
  c10::impl::GenericDict dict(key, mapped);
  for (int64_t i = 0; i < value.len; ++i)
    dict.insert(to_ivalue(value.as.items[2 * i], *key), to_ivalue(value.as.items[2 * i + 1], *mapped));
  return IValue(std::move(dict));
}

IValue enum_ivalue(const ts_value& value, const Type& type) {
  const auto& members = type.expectRef<c10::EnumType>();
  const std::string name = as_string(value);
  size_t index = 0;
  for (const auto& member : members.enumNamesValues()) {
    if (member.first == name) {
      auto enum_type = std::const_pointer_cast<c10::EnumType>(
          std::static_pointer_cast<const c10::EnumType>(members.shared_from_this()));
      return IValue(c10::make_intrusive<c10::ivalue::EnumHolder>(enum_type, member.first, member.second));
    }
    ++index;
  }
  TORCH_CHECK(false, "\"", name, "\" is no member of ", type.annotation_str());
}

void from_sequence(c10::ArrayRef<IValue> elements, ts_value& out, Arena& arena) {
  out.len = static_cast<int64_t>(elements.size());
  out.as.items = arena.get().new_items(elements.size());
  for (size_t i = 0; i < elements.size(); ++i) from_ivalue(elements[i], out.as.items[i], arena);
}

ts_value handle_value(int tag, void* handle) {
  ts_value value{};
  value.tag = tag;
  value.as.handle = handle;
  return value;
}

}  // namespace

std::vector<at::Tensor> borrow_all(ts_tensor* const* handles, size_t n) {
  std::vector<at::Tensor> tensors;
  tensors.reserve(n);
  for (size_t i = 0; i < n; ++i) tensors.push_back(handles[i] ? borrow(handles[i]) : at::Tensor());
  return tensors;
}

IValue to_ivalue(const ts_value& value, const Type& type) {
  if (value.tag == TS_SIZE) {
    if (type.kind() == TypeKind::TensorType) return IValue(borrow(value.as.size.traced));
    ts_value plain{};
    plain.tag = TS_INT;
    plain.as.i = value.as.size.i;
    return to_ivalue(plain, type);
  }
  if (value.tag == TS_NONE) return IValue();
  switch (type.kind()) {
    case TypeKind::OptionalType:
      return to_ivalue(value, *type.containedType(0));
    case TypeKind::TensorType:
      if (value.tag != TS_TENSOR) misfit(value, type);
      return IValue(borrow(static_cast<ts_tensor*>(value.as.handle)));
    case TypeKind::NumberType:
      return scalar_ivalue(value, type);
    case TypeKind::IntType:
    case TypeKind::SymIntType:
      if (value.tag != TS_INT && value.tag != TS_BOOL) misfit(value, type);
      return IValue(value.as.i);
    case TypeKind::FloatType:
      if (value.tag != TS_FLOAT && value.tag != TS_INT) misfit(value, type);
      return IValue(as_double(value));
    case TypeKind::BoolType:
      if (value.tag != TS_BOOL) misfit(value, type);
      return IValue(value.as.i != 0);
    case TypeKind::ComplexType:
      if (value.tag == TS_COMPLEX) return IValue(c10::complex<double>(value.as.z[0], value.as.z[1]));
      if (value.tag != TS_FLOAT && value.tag != TS_INT) misfit(value, type);
      return IValue(c10::complex<double>(as_double(value), 0));
    case TypeKind::StringType:
      if (value.tag != TS_STRING) misfit(value, type);
      return IValue(as_string(value));
    case TypeKind::DeviceObjType:
      if (value.tag != TS_DEVICE && value.tag != TS_STRING) misfit(value, type);
      return IValue(c10::Device(as_string(value)));
    case TypeKind::GeneratorType:
      if (value.tag != TS_GENERATOR) misfit(value, type);
      return IValue(static_cast<ts_generator*>(value.as.handle)->generator);
    case TypeKind::ListType:
      if (value.tag != TS_LIST && value.tag != TS_TUPLE) misfit(value, type);
      return list_ivalue(value, type.containedType(0));
    case TypeKind::TupleType:
      if (value.tag != TS_TUPLE && value.tag != TS_LIST) misfit(value, type);
      return tuple_ivalue(value, type.expectRef<c10::TupleType>());
    case TypeKind::DictType:
      if (value.tag != TS_DICT) misfit(value, type);
      return dict_ivalue(value, type.containedType(0), type.containedType(1));
    case TypeKind::EnumType:
      if (value.tag == TS_STRING) return enum_ivalue(value, type);
      return to_natural_ivalue(value);
    default:
      return to_natural_ivalue(value);
  }
}

IValue to_natural_ivalue(const ts_value& value) {
  switch (value.tag) {
    case TS_NONE:
      return IValue();
    case TS_TENSOR:
      return IValue(borrow(static_cast<ts_tensor*>(value.as.handle)));
    case TS_INT:
      return IValue(value.as.i);
    case TS_FLOAT:
      return IValue(value.as.d);
    case TS_BOOL:
      return IValue(value.as.i != 0);
    case TS_COMPLEX:
      return IValue(c10::complex<double>(value.as.z[0], value.as.z[1]));
    case TS_STRING:
      return IValue(as_string(value));
    case TS_DEVICE:
      return IValue(c10::Device(as_string(value)));
    case TS_GENERATOR:
      return IValue(static_cast<ts_generator*>(value.as.handle)->generator);
    case TS_MODULE:
      return IValue(static_cast<ts_module*>(value.as.handle)->module._ivalue());
    case TS_OBJECT:
      return static_cast<ts_object*>(value.as.handle)->value;
    case TS_LIST: {
      std::vector<IValue> items;
      items.reserve(value.len);
      for (int64_t i = 0; i < value.len; ++i) items.push_back(to_natural_ivalue(value.as.items[i]));
      const c10::TypePtr element =
          items.empty() ? c10::TypePtr(c10::TensorType::get()) : c10::unshapedType(items[0].type());
      c10::impl::GenericList list(element);
      for (auto& item : items) {
        TORCH_CHECK(c10::unshapedType(item.type())->isSubtypeOf(*element),
                    "the elements of a list must have one type, not both ", element->annotation_str(), " and ",
                    item.type()->annotation_str());
        list.push_back(std::move(item));
      }
      return IValue(std::move(list));
    }
    case TS_TUPLE: {
      std::vector<IValue> items;
      std::vector<c10::TypePtr> types;
      for (int64_t i = 0; i < value.len; ++i) {
        items.push_back(to_natural_ivalue(value.as.items[i]));
        types.push_back(c10::unshapedType(items.back().type()));
      }
      if (!value.names) return IValue(c10::ivalue::Tuple::create(std::move(items)));
      const std::vector<std::string> fields(value.names, value.names + value.len);
      // The name of the type is told by its fields, so that equal ones are one type.
      std::string name = "__torch__.Named";
      for (const auto& field : fields) name += "_" + field;
      return IValue(c10::ivalue::Tuple::createNamed(
          std::move(items), c10::TupleType::createNamed(c10::QualifiedName(name), fields, types)));
    }
    case TS_DICT: {
      TORCH_CHECK(value.len > 0, "an empty named list has no type");
      std::vector<IValue> items;
      for (int64_t i = 0; i < 2 * value.len; ++i) items.push_back(to_natural_ivalue(value.as.items[i]));
      c10::impl::GenericDict dict(items[0].type(), c10::unshapedType(items[1].type()));
      for (int64_t i = 0; i < value.len; ++i) dict.insert(items[2 * i], items[2 * i + 1]);
      return IValue(std::move(dict));
    }
    default:
      TORCH_CHECK(false, "a value of this kind needs a type");
  }
}

ts_value string_value(std::string text, Arena& arena) {
  ts_value value{};
  value.tag = TS_STRING;
  value.len = static_cast<int64_t>(text.size());
  value.as.s = arena.get().keep(std::move(text));
  return value;
}

ts_value string_list(const std::vector<std::string>& strings, Arena& arena) {
  ts_value value{};
  value.tag = TS_LIST;
  value.len = static_cast<int64_t>(strings.size());
  value.as.items = arena.get().new_items(strings.size());
  for (size_t i = 0; i < strings.size(); ++i) value.as.items[i] = string_value(strings[i], arena);
  return value;
}

void from_ivalue(IValue value, ts_value& out, Arena& arena) {
  out = ts_value{};
  if (value.isTensor()) {
    out.tag = TS_TENSOR;
    out.as.handle = give(std::move(value).toTensor());
  } else if (value.isNone()) {
    out.tag = TS_NONE;
  } else if (value.isInt()) {
    out.tag = TS_INT;
    out.as.i = value.toInt();
  } else if (value.isDouble()) {
    out.tag = TS_FLOAT;
    out.as.d = value.toDouble();
  } else if (value.isBool()) {
    out.tag = TS_BOOL;
    out.as.i = value.toBool();
  } else if (value.isComplexDouble()) {
    const auto z = value.toComplexDouble();
    out.tag = TS_COMPLEX;
    out.as.z[0] = z.real();
    out.as.z[1] = z.imag();
  } else if (value.isString()) {
    out = string_value(value.toStringRef(), arena);
  } else if (value.isDevice()) {
    out = string_value(value.toDevice().str(), arena);
    out.tag = TS_DEVICE;
  } else if (value.isGenerator()) {
    out = handle_value(TS_GENERATOR, new ts_generator{value.toGenerator()});
  } else if (value.isList()) {
    out.tag = TS_LIST;
    const auto list = value.toList();
    out.flag = list.elementType()->kind() == TypeKind::TensorType;
    out.len = static_cast<int64_t>(list.size());
    out.as.items = arena.get().new_items(list.size());
    for (size_t i = 0; i < list.size(); ++i) from_ivalue(list.get(i), out.as.items[i], arena);
  } else if (value.isTuple()) {
    const auto tuple = value.toTuple();
    from_sequence(tuple->elements(), out, arena);
    out.tag = TS_TUPLE;
    const auto type = tuple->type();
    if (type->schema()) {
      auto& names = arena.get().names.emplace_back();
      for (const auto& argument : type->schema()->arguments()) names.push_back(arena.get().keep(argument.name()));
      out.names = names.data();
    }
  } else if (value.isGenericDict()) {
    const auto dict = value.toGenericDict();
    out.tag = TS_DICT;
    out.len = static_cast<int64_t>(dict.size());
    out.as.items = arena.get().new_items(2 * dict.size());
    size_t i = 0;
    for (const auto& entry : dict) {
      from_ivalue(entry.key(), out.as.items[i++], arena);
      from_ivalue(entry.value(), out.as.items[i++], arena);
    }
  } else if (value.isModule()) {
    out = handle_value(TS_MODULE, new ts_module{value.toModule()});
  } else if (value.isEnum()) {
    const auto holder = value.toEnumHolder();
    out.tag = TS_ENUM;
    out.len = 3;
    out.as.items = arena.get().new_items(3);
    out.as.items[0] = string_value(holder->type()->qualifiedClassName().name(), arena);
    out.as.items[1] = string_value(holder->name(), arena);
    from_ivalue(holder->value(), out.as.items[2], arena);
  } else if (value.isSymInt()) {
    out.tag = TS_INT;
    out.as.i = value.toSymInt().guard_int(__FILE__, __LINE__);
  } else {
    out = handle_value(TS_OBJECT, new ts_object{std::move(value)});
  }
}

}  // namespace shim

ts_arena::~ts_arena() {
  for (auto& block : items)
    for (auto& value : block) shim::release_handle(value);
}

void ts_arena_release(ts_arena* arena) { delete arena; }
void ts_object_release(ts_object* object) { delete object; }
