// What all parts of the compiler share: a call with its values and its place, and how a value becomes one of another
// type.
#pragma once
#include <torch/csrc/jit/frontend/error_report.h>
#include <torch/csrc/jit/frontend/sugared_value.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/pch.h"
#include "torch_shim.h"

namespace shim::script {

class Compiler;
struct Instance;

using c10::TypePtr;
using torch::jit::Graph;
using torch::jit::GraphFunction;
using torch::jit::SourceRange;
using torch::jit::SugaredValue;
using torch::jit::SugaredValuePtr;
using torch::jit::Value;

// Whether values of this type are functions (Compiler::function_value()).
bool is_function(const TypePtr& type);
// A type in R's words: "a tensor", "whole numbers".
std::string words(const TypePtr& type);
// The narrowest type that holds the values of both. NULL if there is none.
TypePtr joined(const TypePtr& one, const TypePtr& other);

// The names of a list whose elements are known. None if it has no names.
std::vector<std::string> names_in(const c10::TupleType& list);

// What it costs to take a value as a type: 0 if it is of that type, more the further the conversion goes, -1 if there
// is none. The cheapest form of a function is called.
int cost(Value* value, const TypePtr& type);

// A call that is being compiled. `inputs` are its arguments without names, `named` those with names.
struct Call {
  Compiler& compiler;
  Instance& instance;
  GraphFunction& function;
  SourceRange place;
  std::string payload;  // the name of lower.h without its kind: a function's name, a pattern of an index, ...
  std::vector<Value*> inputs;
  std::vector<std::pair<std::string, Value*>> named;

  Graph& graph() const { return *function.graph(); }
  [[noreturn]] void fail(const std::string& message) const { throw torch::jit::ErrorReport(place) << message; }
  // The type of a value in R's words, and where the value comes from if it is a variable's: "a string from `s <- "a"`
  // (line 2)".
  std::string words_of(const Value* value) const;
  // The message that `name` does not take the arguments of this call.
  std::string misfit(const std::string& name) const;
  Value* constant(const c10::IValue& value) const;
  // Adds an operator of LibTorch's, which chooses the overload.
  Value* op(const char* name, at::ArrayRef<torch::jit::NamedValue> values,
            at::ArrayRef<torch::jit::NamedValue> by_name = {}) const;
  // Adds a call of a builtin (builtins.h).
  Value* builtin(const std::string& name, std::vector<Value*> values) const;
  // Adds an operator that counts as one with effects, and has none. See Lower::add_loop().
  void barrier() const { op("aten::is_grad_enabled", {}); }
  // Converts a value to a type. cost() tells whether it can be.
  Value* as(Value* value, const TypePtr& type) const;
  // The same for an argument beside a tensor: a number there has no say in the result's dtype, as when R calls an
  // operator. `other` may be NULL.
  Value* as_beside(Value* value, const TypePtr& type, Value* other) const;
  // Converts a value to a whole number. `what` names it in the message if it can be none.
  Value* whole(Value* value, const char* what) const;
  // A position, which R counts from 1, as LibTorch counts it. `known`: it is 1 or more, so that nothing need be
  // checked.
  Value* position(Value* value, bool known = false) const;
  SugaredValuePtr give(Value* value) const { return std::make_shared<torch::jit::SimpleValue>(value); }
  // A vector or dictionary that may be NULL as one without elements, which NULL is to R's functions. All other values stay.
  Value* or_empty(Value* value) const;
  // A call at the same place, with another payload and other values.
  Call with(std::string payload, std::vector<Value*> inputs) const {
    return {compiler, instance, function, place, std::move(payload), std::move(inputs), {}};
  }
};

inline bool is_tensor(const Value* value) { return value->type()->isSubtypeOf(*c10::TensorType::get()); }
// The first of the values that is a tensor. NULL if none is.
inline Value* first_tensor(const std::vector<Value*>& values) {
  for (auto* value : values)
    if (value && is_tensor(value)) return value;
  return nullptr;
}
// Whether a value of this type is one number, logical or string.
inline bool is_single(const TypePtr& type) {
  const auto kind = type->kind();
  return kind == c10::TypeKind::IntType || kind == c10::TypeKind::FloatType || kind == c10::TypeKind::BoolType ||
         kind == c10::TypeKind::StringType;
}
inline bool is_list(const Value* value) { return value->type()->kind() == c10::TypeKind::ListType; }
inline TypePtr element_type(const Value* value) { return value->type()->expectRef<c10::ListType>().getElementType(); }
// The value that a read of a variable gives, if it was stored in the same block just before. NULL if that is not known.
const Value* stored_value(const torch::jit::Node* load);
// Whether the value is a number that is known.
bool is_known_number(const Value* value);
// The value of a constant, nothing for all other values.
std::optional<c10::IValue> known_value(const Value* value);

}  // namespace shim::script
