// What a variable that begins as nothing will hold, guessed by reading the code: it decides nothing, as types that show later
// are joined with it.
#include "script/compiler.h"

namespace shim::script {

namespace {

TypePtr both(const TypePtr& one, const TypePtr& other) {
  if (!one || !other) return one ? one : other;
  return joined(one, other);
}

TypePtr element_of(const TypePtr& type) {
  return type && type->kind() == c10::TypeKind::ListType ? type->containedType(0) : type;
}

// The type of a value, if the code says so. NULL for all else.
TypePtr type_of_value(const ts_code& code) {
  switch (code.kind) {
    case TS_CODE_INTEGER:
      return c10::IntType::get();
    case TS_CODE_DOUBLE:
      return c10::FloatType::get();
    case TS_CODE_STRING:
      return c10::StringType::get();
    case TS_CODE_LOGICAL:
      return code.number == code.number ? TypePtr(c10::BoolType::get()) : c10::FloatType::get();
    case TS_CODE_CALL:
      break;
    default:
      return nullptr;
  }
  static const std::set<std::string> joining = {"+", "-", "*", "^", "min", "max", "sum", "abs"};
  static const std::map<std::string, TypePtr> known = {
      {"as.numeric", c10::FloatType::get()}, {"as.double", c10::FloatType::get()}, {"/", c10::FloatType::get()},
      {"mean", c10::FloatType::get()},       {"sqrt", c10::FloatType::get()},      {"exp", c10::FloatType::get()},
      {"as.integer", c10::IntType::get()},   {"length", c10::IntType::get()},      {"nchar", c10::IntType::get()},
      {"paste", c10::StringType::get()},     {"paste0", c10::StringType::get()},   {"sprintf", c10::StringType::get()},
      {"substr", c10::StringType::get()},    {"toupper", c10::StringType::get()},  {"tolower", c10::StringType::get()},
      {"==", c10::BoolType::get()},          {"<", c10::BoolType::get()},          {">", c10::BoolType::get()}};
  const std::string head = callee(code);
  if (const auto it = known.find(head); it != known.end()) return it->second;
  const bool is_block = head == "{" || head == "(";
  if (is_block) return code.n > 1 ? type_of_value(code.items[code.n - 1]) : nullptr;
  TypePtr type;
  if (head == "if" || head == "switch" || joining.count(head))
    for (size_t i = joining.count(head) ? 1 : 2; i < code.n; ++i) type = both(type, type_of_value(code.items[i]));
  if (head != "c") return type;
  for (size_t i = 1; i < code.n; ++i) type = both(type, element_of(type_of_value(code.items[i])));
  return type ? TypePtr(c10::ListType::create(type)) : nullptr;
}

void look(const ts_code& code, const std::string& variable, Hint& hint) {
  if (code.kind != TS_CODE_CALL) return;
  for (size_t i = 0; i < code.n; ++i) look(code.items[i], variable, hint);
  if (!is_assignment(code)) return;
  const auto &place = code.items[1], &value = code.items[2];
  const bool grows = is_name(place, variable.c_str()) && (is_call(value, "c") || is_call(value, "append"));
  for (size_t i = 1; grows && i < value.n; ++i)
    if (!is_name(value.items[i], variable.c_str())) hint.element = both(hint.element, element_of(type_of_value(value.items[i])));
  const bool is_part = (is_call(place, "[") || is_call(place, "[[") || is_call(place, "$")) && place.n == 3 &&
                       is_name(place.items[1], variable.c_str());
  if (!is_part) return;
  const auto type = type_of_value(value);
  const auto index = type_of_value(place.items[2]);
  hint.element = both(hint.element, is_call(place, "[") ? element_of(type) : type);
  hint.by_name = hint.by_name || is_call(place, "$") || (index && index->kind() == c10::TypeKind::StringType);
}

}  // namespace

Hint hint_of(const Function& function, const std::string& variable) {
  Hint hint;
  look(function.body(), variable, hint);
  return hint;
}

}  // namespace shim::script
