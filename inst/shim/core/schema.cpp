#include "core/schema.h"

#include <sstream>

namespace shim {

ts_kind kind_of(const c10::Type& type) {
  using c10::TypeKind;
  switch (type.kind()) {
    case TypeKind::AnyType: return TS_KIND_ANY;
    case TypeKind::TensorType: return TS_KIND_TENSOR;
    case TypeKind::NumberType: return TS_KIND_NUMBER;
    case TypeKind::IntType:
    case TypeKind::SymIntType: return TS_KIND_INT;
    case TypeKind::FloatType: return TS_KIND_FLOAT;
    case TypeKind::BoolType: return TS_KIND_BOOL;
    case TypeKind::ComplexType: return TS_KIND_COMPLEX;
    case TypeKind::StringType: return TS_KIND_STRING;
    case TypeKind::DeviceObjType: return TS_KIND_DEVICE;
    case TypeKind::ScalarTypeType: return TS_KIND_DTYPE;
    case TypeKind::LayoutType: return TS_KIND_LAYOUT;
    case TypeKind::MemoryFormatType: return TS_KIND_MEMORY_FORMAT;
    case TypeKind::GeneratorType: return TS_KIND_GENERATOR;
    case TypeKind::StorageType: return TS_KIND_STORAGE;
    case TypeKind::StreamObjType: return TS_KIND_STREAM;
    case TypeKind::QSchemeType: return TS_KIND_QSCHEME;
    case TypeKind::NoneType: return TS_KIND_NONE;
    case TypeKind::OptionalType: return TS_KIND_OPTIONAL;
    case TypeKind::ListType: return TS_KIND_LIST;
    case TypeKind::TupleType: return TS_KIND_TUPLE;
    case TypeKind::DictType: return TS_KIND_DICT;
    case TypeKind::EnumType: return TS_KIND_ENUM;
    case TypeKind::FutureType: return TS_KIND_FUTURE;
    case TypeKind::UnionType: return TS_KIND_UNION;
    case TypeKind::VarType: return TS_KIND_ANY;
    default: return TS_KIND_OBJECT;
  }
}

const char* Schema::keep(std::string text) {
  strings_.push_back(std::move(text));
  return strings_.back().c_str();
}

const ts_type* Schema::add_type(const c10::TypePtr& type, int32_t length) {
  ts_type out{};
  out.kind = kind_of(*type);
  out.text = keep(type->annotation_str());
  out.own = type.get();
  kept_.push_back(type);
  if (out.kind == TS_KIND_OPTIONAL || out.kind == TS_KIND_LIST || out.kind == TS_KIND_TUPLE ||
      out.kind == TS_KIND_DICT || out.kind == TS_KIND_FUTURE || out.kind == TS_KIND_UNION) {
    std::vector<const ts_type*> contained;
    for (const auto& item : type->containedTypes()) contained.push_back(add_type(item, length));
    items_.push_back(std::move(contained));
    out.items = items_.back().data();
    out.n = items_.back().size();
  }
  if (out.kind == TS_KIND_LIST) out.length = length;
  std::vector<const char*> names;
  if (out.kind == TS_KIND_TUPLE) {
    out.n_required = out.n;
    if (const auto& schema = type->expectRef<c10::TupleType>().schema()) {
      for (const auto& field : schema->arguments()) names.push_back(keep(field.name()));
      while (out.n_required > 0 && schema->arguments()[out.n_required - 1].default_value()) --out.n_required;
    }
  } else if (out.kind == TS_KIND_ENUM) {
    for (const auto& member : type->expectRef<c10::EnumType>().enumNamesValues()) names.push_back(keep(member.first));
  }
  if (!names.empty()) {
    names_.push_back(std::move(names));
    out.names = names_.back().data();
    out.n_names = names_.back().size();
  }
  types_.push_back(out);
  return &types_.back();
}

ts_argument Schema::add_argument(const c10::Argument& argument) {
  ts_argument out{};
  out.name = keep(argument.name());
  out.type = add_type(argument.real_type(), argument.N() ? *argument.N() : 0);
  out.has_default = argument.default_value().has_value();
  out.keyword_only = argument.kwarg_only();
  out.is_out = argument.is_out();
  out.is_write = argument.alias_info() && argument.alias_info()->isWrite();
  return out;
}

void Schema::build(const c10::FunctionSchema& schema, size_t skip) {
  for (size_t i = skip; i < schema.arguments().size(); ++i) arguments_.push_back(add_argument(schema.arguments()[i]));
  for (const auto& result : schema.returns()) returns_.push_back(add_argument(result));
  std::ostringstream text;
  text << schema;
  view_.name = keep(schema.name());
  view_.overload = keep(schema.overload_name());
  view_.text = keep(text.str());
  view_.n_arguments = arguments_.size();
  view_.n_returns = returns_.size();
  view_.arguments = arguments_.data();
  view_.returns = returns_.data();
}

}  // namespace shim
