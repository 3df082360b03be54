// Values while they are compiled: what they cost as another type, how they become it, and the place where that is written.
#pragma once
#include "core/pch.h"
#include "torch_shim.h"

#include <torch/csrc/jit/frontend/error_report.h>
#include <torch/csrc/jit/frontend/sugared_value.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace shim::script {

class Compiler;
struct Instance;

using torch::jit::Graph;
using torch::jit::GraphFunction;
using torch::jit::SourceRange;
using torch::jit::SugaredValue;
using torch::jit::SugaredValuePtr;
using torch::jit::Value;
using c10::TypePtr;

// Whether it is the type of one function (Compiler::function_value()).
bool is_function(const TypePtr& type);
// A type in R's words: "a tensor", "whole numbers".
std::string words(const TypePtr& type);
// The type that has the values of both, NULL if none has.
TypePtr joined(const TypePtr& one, const TypePtr& other);

// What a value costs as a type: 0 as it is, more for each conversion, -1: it can't be that.
int cost(Value* value, const TypePtr& type);

// Something that is called, where it is called. `inputs` without names, `named` with.
struct Call {
  Compiler& compiler;
  Instance& instance;
  GraphFunction& function;
  SourceRange place;
  std::string payload;  // behind the kind of meaning
  std::vector<Value*> inputs;
  std::vector<std::pair<std::string, Value*>> named;

  Graph& graph() const { return *function.graph(); }
  [[noreturn]] void fail(const std::string& message) const { throw torch::jit::ErrorReport(place) << message; }
  // That `name` takes no such arguments, and what they are.
  std::string misfit(const std::string& name) const;
  Value* constant(const c10::IValue& value) const { return graph().insertConstant(value, place); }
  // An operator of LibTorch's, which finds its form by itself.
  Value* op(const char* name, at::ArrayRef<torch::jit::NamedValue> values,
            at::ArrayRef<torch::jit::NamedValue> by_name = {}) const;
  // A builtin that is written in TorchScript (builtins.h), of these values.
  Value* builtin(const std::string& name, std::vector<Value*> values) const;
  // Something with an effect that nobody sees.
  void barrier() const { op("aten::is_grad_enabled", {}); }
  // The value as a type that it can be.
  Value* as(Value* value, const TypePtr& type) const;
  Value* whole(Value* value, const char* what) const;  // a whole number
  // A position from 1 as LibTorch counts it; `known`: it is one for sure.
  Value* position(Value* value, bool known = false) const;
  SugaredValuePtr give(Value* value) const { return std::make_shared<torch::jit::SimpleValue>(value); }
  // The same call of other values.
  Call with(std::string payload, std::vector<Value*> inputs) const {
    return {compiler, instance, function, place, std::move(payload), std::move(inputs), {}};
  }
};

inline bool is_tensor(const Value* value) { return value->type()->isSubtypeOf(*c10::TensorType::get()); }
inline bool is_list(const Value* value) { return value->type()->kind() == c10::TypeKind::ListType; }
inline TypePtr element_type(const Value* value) { return value->type()->expectRef<c10::ListType>().getElementType(); }
// What was stored just before in a variable of ours that has one value; NULL if that is not known.
const Value* stored_value(const torch::jit::Node* load);
// The constant that a value is.
std::optional<c10::IValue> known_value(const Value* value);

}  // namespace shim::script
