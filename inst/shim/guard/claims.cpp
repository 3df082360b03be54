#include "guard/claims.h"

#include <algorithm>

namespace shim {

using c10::IValue;
using c10::Type;
using c10::TypeKind;

void Claims::check(const IValue& value, const c10::TypePtr& type, const std::string& what) {
  TORCH_CHECK(fits(value, *type) && honest_, "its values are damaged: ", what, " is not of the type ", type->repr_str(),
              " that the code gives it");
}

bool Claims::fits(const IValue& value, const Type& type) {
  switch (type.kind()) {
    case TypeKind::AnyType:
      return is_honest(value);
    case TypeKind::OptionalType:
      return value.isNone() || fits(value, *type.castRaw<c10::OptionalType>()->getElementType());
    case TypeKind::UnionType: {
      const auto members = type.castRaw<c10::UnionType>()->containedTypes();
      return std::any_of(members.begin(), members.end(), [&](const auto& member) { return fits(value, *member); });
    }
    case TypeKind::TensorType:
      return value.isTensor();
    case TypeKind::IntType:
      return value.isInt();
    case TypeKind::FloatType:
      return value.isDouble();
    case TypeKind::BoolType:
      return value.isBool();
    case TypeKind::StringType:
      return value.isString();
    case TypeKind::ListType:
      return value.isList() && *value.toList().elementType() == *type.castRaw<c10::ListType>()->getElementType() &&
             is_honest(value);
    case TypeKind::DictType: {
      if (!value.isGenericDict()) return false;
      const auto dict = value.toGenericDict();
      const auto* claim = type.castRaw<c10::DictType>();
      return *dict.keyType() == *claim->getKeyType() && *dict.valueType() == *claim->getValueType() &&
             is_honest(value);
    }
    case TypeKind::TupleType:
      return value.isTuple() && (!type.castRaw<c10::TupleType>()->schema() || value.type()->isSubtypeOf(type)) &&
             items_fit(value, type);
    case TypeKind::ClassType:
    case TypeKind::InterfaceType:
      return value.isObject() && value.toObjectRef().type()->isSubtypeOf(type) && is_honest(value);
    default:
      return value.type()->isSubtypeOf(type) && is_honest(value);
  }
}

// Whether the items of a tuple have these types. A tuple never changes, so this is checked once.
bool Claims::items_fit(const IValue& tuple, const Type& type) {
  const auto& items = tuple.toTupleRef().elements();
  const auto& types = type.castRaw<c10::TupleType>()->elements();
  if (items.size() != types.size()) return false;
  if (!is_new(tuple.internalToPointer(), &type)) return true;
  for (size_t i = 0; i < types.size(); ++i)
    if (!fits(items[i], *types[i])) return false;
  return true;
}

bool Claims::is_honest(const IValue& value) {
  const bool holds_others = value.isList() || value.isGenericDict() || value.isTuple() || value.isObject();
  if (!holds_others || !is_new(value.internalToPointer(), nullptr)) return honest_;
  return honest_ = honest_ && holds_what_it_claims(value);
}

bool Claims::holds_what_it_claims(const IValue& value) {
  if (value.isList()) {
    const auto type = value.toList().elementType();
    const auto items = value.toListRef();
    return std::all_of(items.begin(), items.end(), [&](const IValue& item) { return fits(item, *type); });
  }
  if (value.isGenericDict()) {
    const auto dict = value.toGenericDict();
    const auto key = dict.keyType(), type = dict.valueType();
    for (const auto& item : dict)
      if (!fits(item.key(), *key) || !fits(item.value(), *type)) return false;
    return true;
  }
  if (value.isTuple()) {
    const auto& items = value.toTupleRef().elements();
    return std::all_of(items.begin(), items.end(), [&](const IValue& item) { return is_honest(item); });
  }
  // An instance of a C++ class was made by C++ code, which can be trusted.
  if (value.isCustomClass()) return true;
  const auto& object = value.toObjectRef();
  const auto type = object.type();
  if (object.slots().size() < type->numAttributes()) return false;
  for (size_t i = 0; i < type->numAttributes(); ++i) {
    // None may stand for an attribute that was never set, as in an object whose class got the attribute for another
    // one. Code that reads it checks first.
    if (object.getSlot(i).isNone()) continue;
    if (!fits(object.getSlot(i), *type->getAttribute(i))) return false;
  }
  return true;
}

}  // namespace shim
