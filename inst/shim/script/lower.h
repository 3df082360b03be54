// Makes one of LibTorch's trees of an R function. Only control flow becomes LibTorch's own. What an expression means
// depends on types, and these are known while LibTorch compiles the tree. So each expression becomes a call of a name
// that begins with "R:", such as "R:call:sum" or "R:get:v", and meaning.h says what is compiled for it.
#pragma once
#include <torch/csrc/jit/frontend/tree_views.h>

#include <functional>
#include <map>
#include <optional>

#include "script/code.h"

namespace shim::script {

struct Parameter {
  std::string name;
  std::string type;  // as Compiler::key_of() names it
  std::optional<c10::IValue> default_value;
  bool is_asked = false;  // the host has said the type
  bool is_given = false;  // the variable is of another type than what the host gives
};

// How a function is compiled this time: its parameters, and what is known about its variables.
struct Signature {
  std::string name;        // of the function in the program
  bool is_method = false;  // its first parameter is `self`
  std::vector<Parameter> parameters;
  std::map<std::string, c10::IValue> constants;  // arguments whose values are known, and never change
  // The value of a field of the module that never changes, if this is a method.
  std::function<std::optional<c10::IValue>(const std::string&)> setting;
  std::vector<std::pair<std::string, std::string>> dots;  // of each argument in `...` its name or "", and its parameter
  std::vector<size_t> defaults;                 // formals that are not given, and whose defaults the function computes
  std::set<std::string> missing;                // formals that are not given, for `missing()`
  std::map<std::string, std::string> declared;  // types of variables, as Compiler::key_of() names them
  // Declared variables that may be read before they have a value, and what they hold then: NULL, or a number. Beside a
  // number a logical tells whether it is the variable's value.
  std::map<std::string, c10::IValue> open;
  std::set<std::string> never;    // variables of lower.h's own that no code gives a value
  std::set<std::string> without;  // variables that don't begin with what R finds around the function: its type is another
};

// Gives numbers to what a tree can't hold, and names of lower.h refer to: functions that are written inside of others,
// and constants that have no literal.
struct Numbers {
  virtual ~Numbers() = default;
  virtual size_t number_of(Function& function) = 0;
  virtual size_t number_of(const c10::IValue& constant) = 0;
};

torch::jit::Def lower(Function& function, const Signature& signature, Numbers& numbers);

// The name in the program of a variable of R's, and back.
std::string variable_name(const std::string& name);
std::string r_variable(const std::string& name);
// The parameter in which a function gets the value that one of its variables begins with.
inline std::string begin_of(const std::string& variable) { return "R.begin." + variable; }

// The parameter of a value that becomes a variable of another type.
inline const std::string kGiven = "R.given.";

// An expression that stands for a type by its key.
torch::jit::Expr type_expression(const std::string& key);

}  // namespace shim::script
