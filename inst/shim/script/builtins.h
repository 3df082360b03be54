// What R's functions mean that are written in TorchScript themselves: a name, and a form for each kind of arguments. A
// new one is a few lines of the table in builtins-*.cpp.
#pragma once
#include "script/emit.h"

namespace shim::script {

// Compiles a call of the builtin that the payload names. NULL if no form takes these arguments; `why` then tells the
// reason.
Value* call_builtin(Call& call, std::string* why = nullptr);
// A string that names a dtype becomes the dtype's number; any other value is given back as it is.
Value* dtype_value(const Call& call, Value* value);
bool has_builtin(const std::string& name);
std::vector<std::string> builtin_names();

// A part of the table. "## name other-name" begins a builtin; its forms follow as definitions whose formals have R's
// names. In types T and K stand for any type. N makes a form for whole numbers and one for numbers, S one for strings as well;
// `is_nan(x)` is false in such forms but for numbers. A form that fits better, or stands before, is taken. Formals behind `*` are given by name alone. "[each]"
// behind the names: what its forms do to single values, the builtin does to the elements of vectors. A form may call
// the first form of a builtin "inner:name" by `name`.
extern const char* const kBuiltinsOfNumbers;
extern const char* const kBuiltinsOfFunctions;
extern const char* const kBuiltinsOfLists;
extern const char* const kBuiltinsOfSets;
extern const char* const kBuiltinsOfStatistics;
extern const char* const kBuiltinsOfStrings;
extern const char* const kBuiltinsOfTensors;

}  // namespace shim::script
