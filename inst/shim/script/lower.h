// R's statements as LibTorch's trees. What an expression means depends on its types, which are known only while the tree is
// compiled: so whatever is more than control flow becomes a call of a name that begins with "R:" (script/meaning.h).
#pragma once
#include "script/code.h"

#include <torch/csrc/jit/frontend/tree_views.h>

#include <functional>
#include <map>
#include <optional>

namespace shim::script {

struct Parameter {
  std::string name;
  std::string type;  // the key of a type
  std::optional<c10::IValue> default_value;
};

// How a function is to be compiled: by which parameters it is called, and what is known about its variables.
struct Signature {
  std::string name;      // of the function in the program
  bool is_method = false;  // its first parameter is `self`
  std::vector<Parameter> parameters;
  std::map<std::string, c10::IValue> constants;  // parameters of which the value is known, and never changes
  // Of a method: fields of its module that never change.
  std::function<std::optional<c10::IValue>(const std::string&)> setting;
  std::vector<std::pair<std::string, std::string>> dots;  // what `...` holds: names in the call, or "", and parameters
  std::vector<size_t> defaults;                 // formals that are not given: their defaults are computed first
  std::set<std::string> missing;                // formals that have their defaults
  std::map<std::string, std::string> declared;  // types of variables, by their keys
  std::set<std::string> open;  // of these, the ones that may be read before they have a value
};

// Who numbers functions that are written inside of others, and constants that can't be written.
struct Numbers {
  virtual ~Numbers() = default;
  virtual size_t number_of(Function& function) = 0;
  virtual size_t number_of(const c10::IValue& constant) = 0;
};

torch::jit::Def lower(Function& function, const Signature& signature, Numbers& numbers);

// An expression that stands for a type by its key.
torch::jit::Expr type_expression(const std::string& key);

}  // namespace shim::script
