#include "script/emit.h"

#include <torch/csrc/jit/ir/constants.h>

#include <algorithm>
#include <cmath>

#include "core/nodes.h"
#include "script/builtins.h"
#include "script/meaning.h"

namespace shim::script {

using namespace torch::jit;

const Value* stored_value(const torch::jit::Node* load) {
  const std::string name = load->s(c10::attr::name);
  for (const auto* node = load->prev(); node->kind() != c10::prim::Param && node != load->owningBlock()->return_node();
       node = node->prev()) {
    const auto stores = [&](const torch::jit::Node& it) {
      return it.kind() == c10::prim::Store && it.s(c10::attr::name) == name;
    };
    for (const auto* block : node->blocks())
      if (any_node(*block, stores)) return nullptr;
    if (stores(*node)) return node->input();
  }
  return nullptr;
}

std::optional<IValue> known_value(const Value* value) {
  if (value->node()->kind() == c10::prim::Load) {
    const auto* stored = stored_value(value->node());
    return stored ? known_value(stored) : std::nullopt;
  }
  const auto found = torch::jit::toIValue(value);
  if (!found) return std::nullopt;
  return *found;
}

namespace {

// `-5` is an operator on a constant until LibTorch simplifies the graph.
std::optional<double> known_number(const Value* value) {
  const auto* node = value->node();
  if (node->kind() == c10::aten::neg && node->inputs().size() == 1) {
    if (const auto it = known_number(node->input())) return -*it;
    return std::nullopt;
  }
  const auto it = known_value(value);
  if (!it) return std::nullopt;
  if (it->isDouble()) return it->toDouble();
  if (it->isInt()) return static_cast<double>(it->toInt());
  return std::nullopt;
}

std::optional<int64_t> known_whole(const Value* value) {
  const auto it = known_number(value);
  if (!it || *it != std::trunc(*it) || std::fabs(*it) > 9007199254740992.0) return std::nullopt;
  return static_cast<int64_t>(*it);
}

bool is_number(const TypePtr& type) {
  const auto kind = type->kind();
  return kind == TypeKind::IntType || kind == TypeKind::FloatType || kind == TypeKind::BoolType ||
         kind == TypeKind::NumberType || kind == TypeKind::ComplexType;
}

int rank(const TypePtr& type) {
  switch (type->kind()) {
    case TypeKind::BoolType:
      return 0;
    case TypeKind::IntType:
      return 1;
    case TypeKind::FloatType:
      return 2;
    default:
      return -1;
  }
}

}  // namespace

bool is_known_number(const Value* value) { return known_number(value).has_value(); }

bool is_function(const TypePtr& type) {
  const auto named = type->cast<TupleType>();
  return named && named->name() && named->schema() &&
         named->schema()->arguments()[0].name() == named->name()->name() + "_0";
}

std::string words(const TypePtr& type) {
  switch (type->kind()) {
    case TypeKind::TensorType:
      return "a tensor";
    case TypeKind::IntType:
      return "a whole number";
    case TypeKind::FloatType:
      return "a number";
    case TypeKind::NumberType:
      return "a number";
    case TypeKind::ComplexType:
      return "a complex number";
    case TypeKind::BoolType:
      return "a logical";
    case TypeKind::StringType:
      return "a string";
    case TypeKind::NoneType:
      return "NULL";
    case TypeKind::DeviceObjType:
      return "a device";
    case TypeKind::OptionalType:
      return words(type->expectRef<OptionalType>().getElementType()) + " or NULL";
    case TypeKind::ListType: {
      const auto element = type->expectRef<ListType>().getElementType();
      switch (element->kind()) {
        case TypeKind::IntType:
          return "whole numbers";
        case TypeKind::FloatType:
          return "numbers";
        case TypeKind::BoolType:
          return "logicals";
        case TypeKind::StringType:
          return "strings";
        case TypeKind::TensorType:
          return "a list of tensors";
        default:
          return "a list (each is " + words(element) + ")";
      }
    }
    case TypeKind::DictType:
      return "a dictionary (each is " + words(type->expectRef<DictType>().getValueType()) + ")";
    case TypeKind::TupleType: {
      if (is_function(type)) return "a function";
      std::string text = "a list of";
      bool first = true;
      for (const auto& element : type->expectRef<TupleType>().elements()) {
        text += (first ? " " : ", ") + words(element);
        first = false;
      }
      return text;
    }
    default:
      return type->annotation_str();
  }
}

TypePtr joined(const TypePtr& one, const TypePtr& other) {
  if (*one == *other || other->isSubtypeOf(*one)) return one;
  if (one->isSubtypeOf(*other)) return other;
  if (one->kind() == TypeKind::NoneType) return OptionalType::create(other);
  if (other->kind() == TypeKind::NoneType) return OptionalType::create(one);
  if (const auto it = one->cast<OptionalType>()) {
    const auto inner = joined(it->getElementType(), other);
    return inner ? OptionalType::create(inner) : nullptr;
  }
  if (other->kind() == TypeKind::OptionalType) return joined(other, one);
  if (rank(one) >= 0 && rank(other) >= 0) return rank(one) > rank(other) ? one : other;
  // R's numbers are vectors of one.
  const auto vector_of = [](const TypePtr& list, const TypePtr& single) -> TypePtr {
    if (list->kind() != TypeKind::ListType) return nullptr;
    const auto element = list->expectRef<ListType>().getElementType();
    const bool plain = (rank(element) >= 0 && rank(single) >= 0) ||
                       (element->kind() == TypeKind::StringType && single->kind() == TypeKind::StringType);
    const auto inner = plain ? joined(element, single) : nullptr;
    return inner ? ListType::create(inner) : nullptr;
  };
  if (const auto it = vector_of(one, other)) return it;
  if (const auto it = vector_of(other, one)) return it;
  // A tuple whose elements are all of one type can be a list.
  const auto elements_are = [](const TypePtr& type, const TypePtr& list) {
    const auto tuple = type->cast<TupleType>();
    if (!tuple || is_function(type) || list->kind() != TypeKind::ListType) return false;
    for (const auto& element : tuple->elements())
      if (!(*element == *list->expectRef<ListType>().getElementType())) return false;
    return true;
  };
  if (elements_are(one, other)) return other;
  if (elements_are(other, one)) return one;
  // A sum may begin with the number 0 and go on with tensors.
  const auto tensor = TensorType::get();
  if (rank(one) >= 0 && other->isSubtypeOf(*tensor)) return other;
  if (rank(other) >= 0 && one->isSubtypeOf(*tensor)) return one;
  if (one->kind() == TypeKind::ListType && other->kind() == TypeKind::ListType) {
    const auto inner =
        joined(one->expectRef<ListType>().getElementType(), other->expectRef<ListType>().getElementType());
    return inner ? ListType::create(inner) : nullptr;
  }
  return nullptr;
}

std::vector<std::string> names_in(const c10::TupleType& list) {
  std::vector<std::string> names;
  if (list.schema())
    for (const auto& field : list.schema()->arguments()) names.push_back(field.name());
  return names;
}

// The elements of a list whose elements are known.
static std::vector<Value*> elements_in(Value* list) {
  if (list->node()->kind() == c10::prim::TupleConstruct) return list->node()->inputs().vec();
  return torch::jit::createTupleUnpack(list).vec();
}

// What it costs to take a list whose elements are known as one of the same names whose elements are of wider types.
static int cost_of_list(const Value* value, const TupleType& wanted) {
  const auto mine = value->type()->cast<TupleType>();
  const bool fits = mine && !is_function(mine) && mine->elements().size() == wanted.elements().size() &&
                    names_in(*mine) == names_in(wanted);
  if (!fits) return -1;
  const bool is_made_here = value->node()->kind() == c10::prim::TupleConstruct;
  for (size_t i = 0; i < wanted.elements().size(); ++i) {
    const auto &have = mine->elements()[i], &want = wanted.elements()[i];
    if (is_made_here ? cost(value->node()->input(i), want) < 0 : !joined(want, have) || !(*joined(want, have) == *want)) return -1;
  }
  return 3;
}

// Whether it is a list with names that can be a dictionary of this type.
static bool names_fit(const Value* value, const DictType& dict) {
  const auto list = value->type()->cast<TupleType>();
  if (!list || !list->schema() || is_function(list) || dict.getKeyType()->kind() != TypeKind::StringType) return false;
  return std::all_of(list->elements().begin(), list->elements().end(), [&](const TypePtr& element) {
    const auto both = joined(dict.getValueType(), element);
    return both && *both == *dict.getValueType();
  });
}

// Whether it is a list or dictionary that was made empty, or a variable that was given it just before.
static bool holds_nothing(const Value* value) {
  const auto* stored = value->node()->kind() == c10::prim::Load ? stored_value(value->node()) : nullptr;
  return is_made_empty(stored ? stored : value);
}

int cost(Value* value, const TypePtr& type) {
  const auto& have = value->type();
  if (*have == *type) return 0;
  if (have->isSubtypeOf(*type)) return 1;
  // A value that may be NULL is checked while the program runs.
  if (const auto optional = have->cast<OptionalType>(); optional && optional->getElementType()->isSubtypeOf(*type))
    return 9;
  switch (type->kind()) {
    case TypeKind::FloatType:
      if (have->kind() == TypeKind::IntType) return 1;
      if (have->kind() == TypeKind::NumberType) return 2;
      return have->kind() == TypeKind::BoolType ? 2 : -1;
    case TypeKind::IntType:
      if (have->kind() == TypeKind::BoolType) return 1;
      if (have->kind() != TypeKind::FloatType && have->kind() != TypeKind::NumberType) return -1;
      if (!known_number(value)) return 4;
      return known_whole(value) ? 3 : -1;
    case TypeKind::NumberType:
      return have->kind() == TypeKind::BoolType ? 1 : -1;
    case TypeKind::TensorType:
      if (have->kind() == TypeKind::ListType && rank(have->expectRef<ListType>().getElementType()) >= 0) return 8;
      return is_number(have) ? 6 : -1;
    case TypeKind::DeviceObjType:
      return have->kind() == TypeKind::StringType && known_value(value) ? 2 : -1;
    case TypeKind::OptionalType: {
      const int inner = cost(value, type->expectRef<OptionalType>().getElementType());
      return inner < 0 ? -1 : inner + 1;
    }
    case TypeKind::DictType:
      return holds_nothing(value) || names_fit(value, type->expectRef<DictType>()) ? 3 : -1;
    case TypeKind::TupleType:
      return is_function(type) ? -1 : cost_of_list(value, type->expectRef<TupleType>());
    case TypeKind::ListType: {
      const auto element = type->expectRef<ListType>().getElementType();
      if (have->kind() == TypeKind::ListType) {
        if (holds_nothing(value)) return 3;
        const auto& mine = have->expectRef<ListType>().getElementType();
        // Elements that may be NULL are checked while the program runs.
        const auto place = mine->cast<OptionalType>(), wanted = element->cast<OptionalType>();
        if (place && place->getElementType()->isSubtypeOf(*element)) return 9;
        if (wanted && mine->isSubtypeOf(*wanted->getElementType())) return 3;
        const bool plain = rank(mine) >= 0 && (rank(element) > rank(mine) || (rank(mine) == 2 && rank(element) == 1));
        // This costs less than to make a whole number of a single number: whole numbers plus a number are numbers.
        return plain ? (rank(element) > rank(mine) ? 3 : 6) : -1;
      }
      if (have->kind() == TypeKind::TupleType) {
        if (is_function(have)) return -1;
        for (const auto& it : have->expectRef<TupleType>().elements())
          if (!(*it == *element) && !(is_single(it) && joined(element, it) && *joined(element, it) == *element)) return -1;
        return 3;
      }
      // R's numbers are vectors of one.
      const int inner = cost(value, element);
      return inner < 0 || inner > 4 ? -1 : 7 + inner;
    }
    default:
      return -1;
  }
}

std::string Call::misfit(const std::string& name) const {
  if (inputs.empty() && named.empty()) return "`" + name + "()` needs arguments";
  std::string text = "`" + name + "()` takes no such arguments:";
  const char* between = " ";
  for (auto* value : inputs) {
    text += between + words_of(value);
    between = ", ";
  }
  for (const auto& given : named) {
    text += between + ("`" + given.first + "` = ") + words_of(given.second);
    between = ", ";
  }
  return text;
}

Value* Call::op(const char* name, at::ArrayRef<NamedValue> values, at::ArrayRef<NamedValue> by_name) const {
  return torch::jit::emitBuiltinCall(place, graph(), Symbol::fromQualString(name), values, by_name);
}

Value* Call::builtin(const std::string& name, std::vector<Value*> values) const {
  Call inner = with(name, std::move(values));
  auto* made = call_builtin(inner);
  if (!made) {
    // Helpers of the compiler have names that users do not know.
    const std::string text = inner.misfit(name);
    fail(name.rfind("inner:", 0) == 0 ? "this takes no such values:" + text.substr(text.find(':', name.size() + 3) + 1) : text);
  }
  return made;
}

Value* Call::or_empty(Value* value) const {
  const auto optional = value->type()->cast<OptionalType>();
  const auto kind = optional ? optional->getElementType()->kind() : TypeKind::NoneType;
  return kind == TypeKind::ListType || kind == TypeKind::DictType ? builtin("inner:or_empty", {value}) : value;
}

Value* Call::constant(const IValue& value) const {
  if (value.isDouble() && value.toDouble() == 0 && std::signbit(value.toDouble()))
    return builtin("inner:negative_zero", {});
  return graph().insertConstant(value, place);
}

Value* Call::as(Value* value, const TypePtr& type) const {
  const auto& have = value->type();
  if (*have == *type || have->isSubtypeOf(*type)) return value;
  if (const auto optional = have->cast<OptionalType>(); optional && optional->getElementType()->isSubtypeOf(*type))
    return builtin("inner:not_null", {value});
  switch (type->kind()) {
    case TypeKind::FloatType:
      if (const auto it = known_number(value)) return constant(*it);
      return op("aten::Float", {value});
    case TypeKind::NumberType:
      return op("aten::Int", {value});
    case TypeKind::IntType:
      if (const auto it = known_whole(value)) return constant(*it);
      return have->kind() == TypeKind::BoolType ? op("aten::Int", {value}) : builtin("inner:whole_number", {value});
    case TypeKind::TensorType:
      if (have->kind() == TypeKind::ListType) return builtin("torch_tensor", {value});
      if (have->kind() == TypeKind::BoolType || have->kind() == TypeKind::IntType ||
          have->kind() == TypeKind::FloatType)
        return builtin("inner:as_tensor", {value});
      return op("aten::scalar_tensor", {value});
    case TypeKind::DeviceObjType:
      return constant(c10::Device(known_value(value)->toStringRef()));
    case TypeKind::OptionalType:
      return as(value, type->expectRef<OptionalType>().getElementType());
    case TypeKind::TupleType: {
      auto parts = elements_in(value);
      for (size_t i = 0; i < parts.size(); ++i) parts[i] = as(parts[i], type->expectRef<TupleType>().elements()[i]);
      return tuple_of(*this, parts, type->expect<TupleType>());
    }
    case TypeKind::DictType:
      if (holds_nothing(value)) return empty_of(*this, type);
      if (names_fit(value, type->expectRef<DictType>())) {
        std::vector<Value*> names, values = elements_in(value);
        for (const auto& name : names_in(have->expectRef<TupleType>())) names.push_back(constant(name));
        const auto& dict = type->expectRef<DictType>();
        for (auto& it : values) it = as(it, dict.getValueType());
        return graph().insertNode(graph().createDict(dict.getKeyType(), dict.getValueType(), names, values))->output();
      }
      fail("this is " + words_of(value) + ", where " + words(type) + " is wanted");
    case TypeKind::ListType: {
      if (holds_nothing(value)) return empty_of(*this, type);
      const auto element = type->expectRef<ListType>().getElementType();
      if (have->kind() == TypeKind::ListType &&
          have->expectRef<ListType>().getElementType()->kind() == TypeKind::OptionalType)
        return builtin("inner:no_gaps", {value});
      if (have->kind() == TypeKind::ListType && element->kind() == TypeKind::OptionalType)
        return builtin("inner:with_gaps", {value});
      if (have->kind() == TypeKind::ListType)
        return builtin(element->kind() == TypeKind::FloatType ? "inner:as_numbers" : "inner:as_whole_numbers", {value});
      std::vector<Value*> items;
      if (have->kind() == TypeKind::TupleType) {
        const auto unpacked = torch::jit::createTupleUnpack(value);
        for (auto* item : unpacked) items.push_back(as(item, element));
      } else {
        items = {as(value, element)};
      }
      auto* node = graph().insertNode(graph().createList(element, items));
      node->setSourceRange(place);
      return node->output();
    }
    default:
      fail("this is " + words_of(value) + ", where " + words(type) + " is wanted");
  }
}

Value* Call::as_beside(Value* value, const TypePtr& type, Value* other) const {
  const bool becomes_tensor = other && type->kind() == TypeKind::TensorType && rank(value->type()) >= 0;
  return becomes_tensor ? builtin("inner:beside", {value, other}) : as(value, type);
}

Value* Call::whole(Value* value, const char* what) const {
  if (cost(value, IntType::get()) < 0) {
    const auto known = known_number(value);
    const auto number = known ? c10::str(*known) : words_of(value);
    fail(std::string(what) + " must be a whole number, not " + (known && std::isnan(*known) ? "NA" : number));
  }
  return as(value, IntType::get());
}

Value* Call::position(Value* value, bool known) const {
  auto* number = whole(value, "a position");
  if (const auto it = known_whole(value)) {
    if (*it == 0) fail("Indexing in R is 1-based and found a 0");
    return constant(*it > 0 ? *it - 1 : *it);
  }
  if (known) return op("aten::sub", {number, constant(int64_t{1})});
  return builtin("inner:position", {number});
}

}  // namespace shim::script
