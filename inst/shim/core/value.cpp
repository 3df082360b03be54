#include "core/schema.h"

#include <ATen/core/dynamic_type.h>

void* ts_arena::take(size_t bytes) {
  bytes = (bytes + 15) & ~size_t{15};
  if (bytes > left_) {
    const size_t size = std::max(bytes, size_t{16} << 10);
    blocks_.emplace_back(new char[size]);
    at_ = blocks_.back().get();
    left_ = size;
  }
  void* out = at_;
  at_ += bytes;
  left_ -= bytes;
  return out;
}

ts_value* ts_arena::new_items(size_t n) {
  static_assert(sizeof(Items) % 16 == 0);
  auto* head = static_cast<Items*>(take(sizeof(Items) + n * sizeof(ts_value)));
  auto* items = reinterpret_cast<ts_value*>(head + 1);
  std::fill_n(items, n, ts_value{});
  *head = {items_, n};
  items_ = head;
  return items;
}

const char* ts_arena::keep(std::string text) {
  if (text.size() >= 256) {
    long_strings_.push_back(std::move(text));
    return long_strings_.back().c_str();
  }
  auto* copy = allocate<char>(text.size() + 1);
  std::copy_n(text.c_str(), text.size() + 1, copy);
  return copy;
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
                                      "Device", "Generator", "list", "tuple", "dict", "Module", "enum",    "object",
                                      "List[int]", "List[float]", "List[bool]", "size"};
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

template <class T, class From>
IValue packed_ivalue(const From* from, int64_t n) {
  c10::List<T> list;
  list.reserve(n);
  for (int64_t i = 0; i < n; ++i) list.push_back(static_cast<T>(from[i]));
  return IValue(std::move(list));
}

bool is_list(const ts_value& value) {
  return value.tag == TS_LIST || value.tag == TS_TUPLE || value.tag >= TS_INT_LIST;
}

IValue list_ivalue(const ts_value& value, const c10::TypePtr& element) {
  // Operators such as `len` take a list of any type.
  if (element->kind() == TypeKind::VarType) return to_natural_ivalue(value);
  if (value.tag >= TS_INT_LIST) {
    IValue packed = to_natural_ivalue(value);
    if (element->kind() == TypeKind::AnyType) packed.toList().unsafeSetElementType(element);
    return packed;
  }
  c10::impl::GenericList list(element);
  list.reserve(value.len);
  for (int64_t i = 0; i < value.len; ++i) list.push_back(to_ivalue(value.as.items[i], *element));
  return IValue(std::move(list));
}

std::vector<IValue> natural_items(const ts_value& value, size_t n) {
  std::vector<IValue> items;
  items.reserve(n);
  for (size_t i = 0; i < n; ++i) items.push_back(to_natural_ivalue(value.as.items[i]));
  return items;
}

IValue tuple_ivalue(const ts_value& value, const c10::TupleType& type) {
  const auto elements = type.elements();
  TORCH_CHECK(static_cast<size_t>(value.len) == elements.size(), "a tuple of ", value.len, " elements does not fit ",
              type.annotation_str());
  std::vector<IValue> items;
  items.reserve(elements.size());
  for (size_t i = 0; i < elements.size(); ++i) {
    const bool given = value.as.items[i].tag != TS_DEFAULT || !type.schema();
    items.push_back(given ? to_ivalue(value.as.items[i], *elements[i])
                          : type.schema()->arguments()[i].default_value().value());
  }
  if (!type.schema()) return IValue(c10::ivalue::Tuple::create(std::move(items)));
  return IValue(c10::ivalue::Tuple::createNamed(
      std::move(items), std::const_pointer_cast<c10::TupleType>(
                            std::static_pointer_cast<const c10::TupleType>(type.shared_from_this()))));
}

void insert(c10::impl::GenericDict& dict, IValue key, IValue value) {
  TORCH_CHECK(dict.insert(key, std::move(value)).second, "a dict can't have a key twice, as it is with ", key);
}

IValue dict_ivalue(const ts_value& value, const c10::TypePtr& key, const c10::TypePtr& mapped) {
  c10::impl::GenericDict dict(key, mapped);
  dict.reserve(value.len);
  for (int64_t i = 0; i < value.len; ++i)
    insert(dict, to_ivalue(value.as.items[2 * i], *key), to_ivalue(value.as.items[2 * i + 1], *mapped));
  return IValue(std::move(dict));
}

IValue future_ivalue(const ts_value& value, const c10::TypePtr& type) {
  if (value.tag == TS_OBJECT && value.of.held == TS_HELD_FUTURE) return to_natural_ivalue(value);
  auto future = c10::make_intrusive<c10::ivalue::Future>(type);
  future->markCompleted(to_ivalue(value, *type));
  return IValue(std::move(future));
}

IValue enum_ivalue(const ts_value& value, const Type& type) {
  const auto& members = type.expectRef<c10::EnumType>();
  const std::string name = as_string(value);
  for (const auto& member : members.enumNamesValues()) {
    if (member.first == name) {
      auto enum_type = std::const_pointer_cast<c10::EnumType>(
          std::static_pointer_cast<const c10::EnumType>(members.shared_from_this()));
      return IValue(c10::make_intrusive<c10::ivalue::EnumHolder>(enum_type, member.first, member.second));
    }
  }
  TORCH_CHECK(false, "\"", name, "\" is no member of ", type.annotation_str());
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

namespace {
bool is_undefined(const ts_value& value) {
  return value.tag == TS_TENSOR && !borrow(static_cast<ts_tensor*>(value.as.handle)).defined();
}
}  // namespace

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
      if (is_undefined(value)) return IValue(at::Tensor());
      return to_ivalue(value, *type.containedTypes()[0]);
    case TypeKind::UnionType:
      return to_ivalue(value, *type.containedTypes()[value.of.alternative]);
    case TypeKind::FutureType:
      return future_ivalue(value, type.containedTypes()[0]);
    case TypeKind::TensorType:
      if (value.tag != TS_TENSOR) misfit(value, type);
      // Some operators would follow a null pointer.
      TORCH_CHECK(!is_undefined(value), "A tensor is undefined: it holds no values.");
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
      if (!is_list(value)) misfit(value, type);
      return list_ivalue(value, type.containedTypes()[0]);
    case TypeKind::TupleType:
      if (value.tag != TS_TUPLE && value.tag != TS_LIST) misfit(value, type);
      return tuple_ivalue(value, type.expectRef<c10::TupleType>());
    case TypeKind::DictType:
      if (value.tag != TS_DICT) misfit(value, type);
      return dict_ivalue(value, type.containedTypes()[0], type.containedTypes()[1]);
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
    case TS_INT_LIST:
      return packed_ivalue<int64_t>(value.as.ints, value.len);
    case TS_FLOAT_LIST:
      return packed_ivalue<double>(value.as.doubles, value.len);
    case TS_BOOL_LIST:
      return packed_ivalue<bool>(value.as.bools, value.len);
    case TS_LIST: {
      std::vector<IValue> items = natural_items(value, value.len);
      const c10::TypePtr element = !items.empty()                    ? c10::unshapedType(items[0].type())
                                   : value.of.kind == TS_KIND_STRING  ? c10::TypePtr(c10::StringType::get())
                                   : value.of.kind == TS_KIND_COMPLEX ? c10::TypePtr(c10::ComplexType::get())
                                                                   : c10::TypePtr(c10::TensorType::get());
      c10::impl::GenericList list(element);
      list.reserve(items.size());
      for (auto& item : items) {
        TORCH_CHECK(c10::unshapedType(item.type())->isSubtypeOf(*element),
                    "the elements of a list must have one type, not both ", element->annotation_str(), " and ",
                    item.type()->annotation_str());
        list.push_back(std::move(item));
      }
      return IValue(std::move(list));
    }
    case TS_TUPLE: {
      std::vector<IValue> items = natural_items(value, value.len);
      if (!value.names) return IValue(c10::ivalue::Tuple::create(std::move(items)));
      std::vector<c10::TypePtr> types;
      for (const auto& item : items) types.push_back(c10::unshapedType(item.type()));
      const std::vector<std::string> fields(value.names, value.names + value.len);
      // The type is named after its fields, so that tuples with equal fields have one type.
      std::string name = "__torch__.Named";
      for (const auto& field : fields) name += "_" + field;
      return IValue(c10::ivalue::Tuple::createNamed(
          std::move(items), c10::TupleType::createNamed(c10::QualifiedName(name), fields, types)));
    }
    case TS_DICT: {
      TORCH_CHECK(value.len > 0, "an empty dict has no type");
      const std::vector<IValue> items = natural_items(value, 2 * value.len);
      const c10::TypePtr key = c10::unshapedType(items[0].type()), mapped = c10::unshapedType(items[1].type());
      c10::impl::GenericDict dict(key, mapped);
      for (int64_t i = 0; i < value.len; ++i) {
        TORCH_CHECK(c10::unshapedType(items[2 * i].type())->isSubtypeOf(*key) &&
                        c10::unshapedType(items[2 * i + 1].type())->isSubtypeOf(*mapped),
                    "the keys of a dict must have one type, and its values too");
        insert(dict, items[2 * i], items[2 * i + 1]);
      }
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

namespace {

int64_t int_of(const IValue& value) {
  return value.isInt() ? value.toInt() : value.toSymInt().guard_int(__FILE__, __LINE__);
}

// The declared type without Optional, if it is of this kind. NULL: the value tells its type itself.
const Type* as_kind(const Type* type, TypeKind kind) {
  while (type && type->kind() == TypeKind::OptionalType) type = type->containedTypes()[0].get();
  return type && type->kind() == kind ? type : nullptr;
}

// The kind of enumeration that an int stands for by its declared type; 0: it is a plain int.
int32_t int_kind(const Type* type) {
  if (!type || type->kind() == TypeKind::IntType) return 0;
  switch (type->kind()) {
    case TypeKind::OptionalType:
      return int_kind(type->containedTypes()[0].get());
    case TypeKind::ScalarTypeType:
      return TS_KIND_DTYPE;
    case TypeKind::LayoutType:
      return TS_KIND_LAYOUT;
    case TypeKind::MemoryFormatType:
      return TS_KIND_MEMORY_FORMAT;
    default:
      return 0;
  }
}

void from_list(const IValue& value, const Type* type, ts_value& out, Arena& arena) {
  const auto items = value.toListRef();
  const size_t n = items.size();
  out.len = static_cast<int64_t>(n);
  type = as_kind(type, TypeKind::ListType);
  const c10::TypePtr own = type ? nullptr : value.toList().elementType();
  const Type* element = type ? type->containedTypes()[0].get() : own.get();
  switch (element->kind()) {
    case TypeKind::IntType:
    case TypeKind::SymIntType: {
      auto* ints = arena.get().allocate<int64_t>(n);
      for (size_t i = 0; i < n; ++i) ints[i] = int_of(items[i]);
      out.tag = TS_INT_LIST;
      out.as.ints = ints;
      return;
    }
    case TypeKind::FloatType: {
      auto* doubles = arena.get().allocate<double>(n);
      for (size_t i = 0; i < n; ++i) doubles[i] = items[i].toDouble();
      out.tag = TS_FLOAT_LIST;
      out.as.doubles = doubles;
      return;
    }
    case TypeKind::BoolType: {
      auto* bools = arena.get().allocate<int32_t>(n);
      for (size_t i = 0; i < n; ++i) bools[i] = items[i].toBool();
      out.tag = TS_BOOL_LIST;
      out.as.bools = bools;
      return;
    }
    default:
      out.tag = TS_LIST;
      out.of.kind = kind_of(*element);
      out.as.items = arena.get().new_items(n);
      for (size_t i = 0; i < n; ++i) from_ivalue(items[i], element, out.as.items[i], arena);
  }
}

void from_tuple(const c10::ivalue::Tuple& tuple, const Type* type, ts_value& out, Arena& arena) {
  type = as_kind(type, TypeKind::TupleType);
  const auto& elements = tuple.elements();
  const size_t n = elements.size();
  out.tag = TS_TUPLE;
  out.len = static_cast<int64_t>(n);
  out.as.items = arena.get().new_items(n);
  // `own` keeps the type alive: a tuple without a name makes a new one each time that it is asked.
  const auto own = type ? nullptr : tuple.type();
  const auto& known = type ? type->expectRef<c10::TupleType>() : *own;
  for (size_t i = 0; i < n; ++i) from_ivalue(elements[i], type ? known.elements()[i].get() : nullptr, out.as.items[i], arena);
  if (!known.schema()) return;
  auto** names = arena.get().allocate<const char*>(n);
  for (size_t i = 0; i < n; ++i) names[i] = arena.get().keep(known.schema()->arguments()[i].name());
  out.names = names;
}

void from_dict(const IValue& value, const Type* type, ts_value& out, Arena& arena) {
  const auto dict = value.toGenericDict();
  type = as_kind(type, TypeKind::DictType);
  const c10::TypePtr own[] = {type ? nullptr : dict.keyType(), type ? nullptr : dict.valueType()};
  const Type* key = type ? type->containedTypes()[0].get() : own[0].get();
  const Type* mapped = type ? type->containedTypes()[1].get() : own[1].get();
  out.tag = TS_DICT;
  out.of.kind = kind_of(*key);
  out.len = static_cast<int64_t>(dict.size());
  out.as.items = arena.get().new_items(2 * dict.size());
  size_t i = 0;
  for (const auto& entry : dict) {
    from_ivalue(entry.key(), key, out.as.items[i++], arena);
    from_ivalue(entry.value(), mapped, out.as.items[i++], arena);
  }
}

void from_enum(const IValue& value, ts_value& out, Arena& arena) {
  const auto holder = value.toEnumHolder();
  ts_value* parts = arena.get().new_items(4);
  parts[0] = string_value(holder->type()->qualifiedClassName().name(), arena);
  parts[1] = string_value(holder->name(), arena);
  from_ivalue(holder->value(), parts[2], arena);
  parts[3] = handle_value(TS_OBJECT, new ts_object{value});
  parts[3].of.held = TS_HELD_OTHER;
  out.tag = TS_ENUM;
  out.len = 4;
  out.as.items = parts;
}

}  // namespace

void from_ivalue(IValue value, const Type* type, ts_value& out, Arena& arena) {
  out = ts_value{};
  if (value.isTensor()) {
    out.tag = TS_TENSOR;
    out.as.handle = give(std::move(value).toTensor());
  } else if (value.isInt()) {
    out.tag = TS_INT;
    out.of.kind = int_kind(type);
    out.as.i = value.toInt();
  } else if (value.isDouble()) {
    out.tag = TS_FLOAT;
    out.as.d = value.toDouble();
  } else if (value.isBool()) {
    out.tag = TS_BOOL;
    out.as.i = value.toBool();
  } else if (value.isString()) {
    out = string_value(value.toStringRef(), arena);
  } else if (value.isList()) {
    const Arena::Level level(arena);
    from_list(value, type, out, arena);
  } else if (value.isTuple()) {
    const Arena::Level level(arena);
    from_tuple(value.toTupleRef(), type, out, arena);
  } else if (value.isGenericDict()) {
    const Arena::Level level(arena);
    from_dict(value, type, out, arena);
  } else if (value.isNone()) {
    out.tag = TS_NONE;
  } else if (value.isComplexDouble()) {
    const auto z = value.toComplexDouble();
    out.tag = TS_COMPLEX;
    out.as.z[0] = z.real();
    out.as.z[1] = z.imag();
  } else if (value.isDevice()) {
    out = string_value(value.toDevice().str(), arena);
    out.tag = TS_DEVICE;
  } else if (value.isGenerator()) {
    out = handle_value(TS_GENERATOR, new ts_generator{value.toGenerator()});
  } else if (value.isModule()) {
    out = handle_value(TS_MODULE, new ts_module{value.toModule()});
  } else if (value.isEnum()) {
    from_enum(value, out, arena);
  } else if (value.isSymInt()) {
    out.tag = TS_INT;
    out.as.i = int_of(value);
  } else {
    const int32_t held = value.isObject() ? TS_HELD_INSTANCE : value.isFuture() ? TS_HELD_FUTURE : TS_HELD_OTHER;
    out = handle_value(TS_OBJECT, new ts_object{std::move(value)});
    out.of.held = held;
  }
}

}  // namespace shim

ts_arena::~ts_arena() {
  for (Items* block = items_; block; block = block->next)
    for (size_t i = 0; i < block->n; ++i) shim::release_handle(reinterpret_cast<ts_value*>(block + 1)[i]);
}

void ts_arena_release(ts_arena* arena) { delete arena; }
