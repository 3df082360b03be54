// What R's functions mean that are written in TorchScript themselves: a name, and a form for each kind of arguments. A new
// one is a few lines of the table in builtins-*.cpp.
#pragma once
#include "script/emit.h"

namespace shim::script {

// The value of the builtin that the call's payload names; NULL if no form takes these arguments, with `why` then.
Value* call_builtin(Call& call, std::string* why = nullptr);
// A dtype by its name becomes its number; anything else stays.
Value* dtype_value(const Call& call, Value* value);
bool has_builtin(const std::string& name);
std::vector<std::string> builtin_names();

// A part of the table. "## name other-name" begins a builtin; its forms follow as definitions whose formals have R's names.
// In types T and K stand for any type. A form that fits better, or stands before, is taken. Formals behind `*` are given by
// name alone. "[each]" behind the names: what its forms do to single values, the builtin does to the elements of vectors.
extern const char* const kBuiltinsOfNumbers;
extern const char* const kBuiltinsOfFunctions;
extern const char* const kBuiltinsOfLists;
extern const char* const kBuiltinsOfStrings;
extern const char* const kBuiltinsOfTensors;

}  // namespace shim::script
