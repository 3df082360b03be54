// The parameters that a function is compiled with. They follow from the types that the host asks for, or from the
// arguments of a call inside of the program.
#include <algorithm>
#include <cmath>
#include <optional>

#include "script/builtins.h"
#include "script/compiler.h"

namespace shim::script {

using namespace torch::jit;

namespace {

// The value of a default that is written as a constant: it is known in the function and decides about branches.
std::optional<c10::IValue> literal(const ts_code& code) {
  if (code.kind == TS_CODE_NULL) return c10::IValue();
  // These calls serve messages only.
  for (const char* name : {"caller_env", "parent.frame", "sys.call", "entry_call"})
    if (is_call(code, name)) return c10::IValue();
  if (code.kind == TS_CODE_LOGICAL && code.number == code.number) return c10::IValue(code.number != 0);
  if (code.kind == TS_CODE_STRING) return c10::IValue(std::string(code.text));
  if (code.kind == TS_CODE_DOUBLE && code.number == code.number) return c10::IValue(code.number);
  if (code.kind == TS_CODE_INTEGER && code.number == code.number) return c10::IValue(static_cast<int64_t>(code.number));
  return std::nullopt;
}

// A text that tells a known argument from others, for the key of an instance. Nothing for a value that stays an
// argument.
std::optional<std::string> text_of_known(const c10::IValue& value) {
  if (value.isNone()) return "None";
  if (value.isBool()) return value.toBool() ? "T" : "F";
  if (value.isString()) return value.toStringRef();
  if (value.isInt()) return std::to_string(value.toInt()) + "L";
  if (value.isDouble()) {
    char text[40];
    std::snprintf(text, sizeof text, "%a", value.toDouble());
    return std::string(text);
  }
  // Short vectors are settings of layers, such as kernel sizes.
  constexpr size_t kMost = 16;
  if (!(value.isIntList() || value.isDoubleList()) || value.toListRef().size() > kMost) return std::nullopt;
  std::string text = "(";
  for (const c10::IValue& item : value.toListRef()) text += *text_of_known(item) + ";";
  return text + ")";
}

// The value of a default that is written as one. Nothing if it is computed.
std::optional<c10::IValue> default_value(const ts_code& code, const Function& function) {
  switch (code.kind) {
    case TS_CODE_DOUBLE:
      return c10::IValue(code.number);
    case TS_CODE_INTEGER:
      return code.number == code.number ? std::optional<c10::IValue>(static_cast<int64_t>(code.number)) : std::nullopt;
    case TS_CODE_LOGICAL:
      return code.number == code.number ? std::optional<c10::IValue>(code.number != 0) : std::nullopt;
    case TS_CODE_STRING:
      return c10::IValue(std::string(code.text));
    case TS_CODE_NULL:
      return c10::IValue();
    case TS_CODE_NAME:
      return is_name(code, "Inf") ? std::optional<c10::IValue>(INFINITY) : std::nullopt;
    default:
      break;
  }
  if (!is_call(code, "-") || code.n != 2 || function.is_users("-")) return std::nullopt;
  const auto positive = default_value(code.items[1], function);
  if (positive && positive->isInt()) return c10::IValue(-positive->toInt());
  if (positive && positive->isDouble()) return c10::IValue(-positive->toDouble());
  return std::nullopt;
}

}  // namespace

std::optional<c10::IValue> default_as(const std::optional<c10::IValue>& given, const TypePtr& type) {
  if (!given || given->type()->isSubtypeOf(*type)) return given;
  if (const auto optional = type->cast<c10::OptionalType>()) return default_as(given, optional->getElementType());
  const auto kind = type->kind();
  if (kind == c10::TypeKind::FloatType && given->isInt()) return c10::IValue(static_cast<double>(given->toInt()));
  if (kind == c10::TypeKind::IntType && given->isDouble()) return c10::IValue(static_cast<int64_t>(given->toDouble()));
  if (kind == c10::TypeKind::TensorType && given->isInt()) return c10::IValue(at::scalar_tensor(given->toInt(), at::kLong));
  if (kind == c10::TypeKind::TensorType && given->isDouble())
    return c10::IValue(at::scalar_tensor(given->toDouble(), at::kFloat));
  if (kind == c10::TypeKind::TensorType && given->isBool())
    return c10::IValue(at::scalar_tensor(given->toBool(), at::kBool));
  const auto list = type->cast<c10::ListType>();
  const auto one = list ? default_as(given, list->getElementType()) : std::nullopt;
  if (one && one->isDouble()) return c10::IValue(std::vector<double>{one->toDouble()});
  if (one && one->isInt()) return c10::IValue(std::vector<int64_t>{one->toInt()});
  if (one && one->isString()) return c10::IValue(c10::List<std::string>({one->toStringRef()}));
  return std::nullopt;
}

// The parameters of the function that the host calls.
Signature Compiler::signature_of(Function& function, std::vector<TypePtr> types) {
  Signature signature;
  const auto dots = std::find(function.formals.begin(), function.formals.end(), "...");
  const bool has_dots = dots != function.formals.end();
  const size_t n = function.formals.size() - has_dots;
  TORCH_CHECK(has_dots ? types.size() >= n : types.size() == n, "there must be a type for each argument");
  // The host gives the types of what is in `...` last; the parameters have the place of `...`.
  const size_t n_dots = types.size() - n, first = dots - function.formals.begin();
  if (has_dots) std::rotate(types.begin() + first, types.begin() + n, types.end());
  for (size_t at = 0; at < types.size(); ++at) {
    if (has_dots && at >= first && at < first + n_dots) {
      const std::string name = "dots_" + std::to_string(at - first + 1);
      signature.dots.emplace_back("", name);
      signature.parameters.push_back(
          {name, key_of(types[at] ? types[at] : TypePtr(c10::TensorType::get())), std::nullopt});
      continue;
    }
    const size_t i = !has_dots || at < first ? at : at - n_dots + 1;
    const auto& value = function.default_of(i);
    auto given = default_value(value, function);
    TypePtr type = types[at];
    // A formal whose default is computed is no argument of the program, unless its type is asked for.
    if (!type && !given && value.kind != TS_CODE_MISSING) {
      signature.defaults.push_back(i);
      signature.missing.insert(function.formals[i]);
      continue;
    }
    // A formal that is NULL by default, and of which no type is asked for, is always NULL.
    if (!type && given && given->isNone() && !function.assigned.count(function.formals[i])) {
      signature.constants[function.formals[i]] = *given;
      signature.missing.insert(function.formals[i]);
      continue;
    }
    if (!type) type = given && !given->isNone() ? given->type() : TypePtr(c10::TensorType::get());
    if (given && given->isNone() && type->kind() != c10::TypeKind::OptionalType) type = c10::OptionalType::create(type);
    signature.parameters.push_back({function.formals[i], key_of(type), default_as(given, type), types[at] != nullptr});
  }
  return signature;
}

Signature Compiler::bind(const Call& call, Function& function, std::vector<Value*>* arguments, std::string* key) {
  // R binds names before positions.
  const size_t n = function.formals.size();
  std::vector<Value*> values(n, nullptr);
  std::vector<std::pair<std::string, Value*>> captured, dots;
  const size_t dots_at = std::find(function.formals.begin(), function.formals.end(), "...") - function.formals.begin();
  for (const auto& given : call.named) {
    const auto& all = function.formals;
    const auto before_dots = all.begin() + static_cast<ptrdiff_t>(std::min(dots_at, n));
    const auto is_captured = std::count(function.captured.begin(), function.captured.end(), given.first) > 0;
    const auto begins = [&](const std::string& formal) { return !is_captured && formal.rfind(given.first, 0) == 0; };
    auto found = std::find(all.begin(), all.end(), given.first);
    if (found == all.end() && std::count_if(all.begin(), before_dots, begins) == 1)
      found = std::find_if(all.begin(), before_dots, begins);
    if (found != function.formals.end() && !values[found - function.formals.begin()]) {
      values[found - function.formals.begin()] = given.second;
    } else if (std::find(function.captured.begin(), function.captured.end(), given.first) != function.captured.end()) {
      captured.push_back(given);
    } else if (dots_at < n) {
      dots.push_back(given);
    } else {
      call.fail("`" + function.name + "()` has no argument `" + given.first + "`");
    }
  }
  size_t next = 0;
  for (auto* value : call.inputs) {
    while (next < n && next != dots_at && values[next]) ++next;
    if (next == dots_at && next < n) {
      dots.emplace_back("", value);
      continue;
    }
    if (next == n) call.fail("`" + function.name + "()` takes " + std::to_string(n) + " arguments at most");
    values[next] = value;
  }
  Signature signature;
  *key = std::to_string(reinterpret_cast<uintptr_t>(&function));
  const auto add = [&](const std::string& name, Value* value) {
    // An argument whose value is known decides about branches of the function.
    const auto known = function.assigned.count(name) ? std::nullopt : known_value(value);
    if (const auto text = known ? text_of_known(*known) : std::nullopt) {
      signature.constants[name] = *known;
      *key += "," + name + "=" + *text;
      return;
    }
    signature.parameters.push_back({name, key_of(value->type()), std::nullopt});
    arguments->push_back(value);
    *key += "," + name + ":" + signature.parameters.back().type;
  };
  for (size_t i = 0; i < n; ++i) {
    if (i == dots_at) {
      for (const auto& it : dots) {
        signature.dots.emplace_back(it.first, "R.dots" + std::to_string(signature.dots.size()));
        *key += "," + it.first + "=...";
        add(signature.dots.back().second, it.second);
      }
    } else if (values[i]) {
      add(function.formals[i], values[i]);
    } else if (function.default_of(i).kind == TS_CODE_MISSING && function.called.count("missing")) {
      signature.missing.insert(function.formals[i]);
    } else if (function.default_of(i).kind == TS_CODE_MISSING) {
      call.fail("`" + function.name + "()` needs its argument `" + function.formals[i] + "`");
    } else if (const auto known = literal(function.default_of(i));
               known && !function.assigned.count(function.formals[i])) {
      signature.constants[function.formals[i]] = *known;
      signature.missing.insert(function.formals[i]);
    } else {
      signature.defaults.push_back(i);
      signature.missing.insert(function.formals[i]);
    }
  }
  for (const auto& it : captured) add(it.first, it.second);
  return signature;
}

}  // namespace shim::script
