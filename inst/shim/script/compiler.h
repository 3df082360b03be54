// Compiling a program: which function is compiled for which types, and what its variables turn out to be.
#pragma once
#include "jit/compiler.h"
#include "script/emit.h"
#include "script/lower.h"

namespace shim::script {

// A type, and the code that it comes from. An argument's type comes from no code.
struct Typed {
  TypePtr type;
  torch::jit::SourceRange place;
};

// Says that a variable has two types that no type joins, and where each comes from. "return" is what the function gives.
[[noreturn]] void fail_of_types(const std::string& variable, const Typed& here, const Typed& elsewhere);

// A default as a value of the parameter's type. Nothing if it can be none.
std::optional<c10::IValue> default_as(const std::optional<c10::IValue>& given, const TypePtr& type);

// A function compiled for arguments of certain types: called with others, it is another instance.
struct Instance {
  Function* written;
  c10::ClassTypePtr self;  // the class of the module, if this is a method
  Signature signature;
  // Types of variables, by their names in R; "return" stands for what the function gives. `seen`: those of the values
  // that were assigned in this attempt. `declared`: those that the next attempt declares.
  std::map<std::string, std::vector<Typed>> seen;
  std::map<std::string, Typed> declared;
  // Of variables that begin with a value from around, and may get another first: its type, and whether it stands outside of all
  // functions of the program, by chance perhaps.
  struct Begun {
    TypePtr type;
    bool by_chance;
  };
  std::map<std::string, Begun> begun;
  std::set<std::string> held;  // names of values outside that it holds
  std::set<std::string> guessed;  // variables that are declared as dictionaries of tensors until something else is put there
  std::map<std::string, c10::IValue> open;  // Signature::open
  std::pair<std::string, torch::jit::SourceRange> unknown;  // the last name that was asked for and has no meaning
  torch::jit::Function* compiled = nullptr;
  bool compiling = false;
  bool is_root = false;  // the host calls it, no function of the program
};

// A function as a value of a program. The type of the value tells which function it is. The value itself holds what the
// function reads of the function around it.
struct Callee {
  Function* local = nullptr;
  const ts_known* known = nullptr;  // the function, if it is written elsewhere
  std::string name;
  std::vector<std::string> captured;
  std::vector<std::pair<std::string, c10::IValue>> constants;  // captured variables whose values are known
};

// Thrown to end an attempt to compile a function: more is known about a variable, and the next attempt declares it.
struct Again {};

class Compiler : public Numbers {
 public:
  Compiler(const ts_program& program, std::shared_ptr<torch::jit::CompilationUnit> unit);

  // Compiles the first closure of the program. A type that is NULL follows from the default, or is a tensor.
  torch::jit::Function* compile(std::vector<TypePtr> types);
  // Compiles a method of the first module.
  void define(const std::string& method, std::vector<TypePtr> types);

  // The names of the values outside that the program holds.
  const std::set<std::string>& held() const { return held_; }

  // The value of a name that lower.h has made ("R:..."). NULL if the name is none of these.
  SugaredValuePtr meaning(const std::string& name, Instance& instance, GraphFunction& function,
                          const SourceRange& place);
  TypePtr type_of(const std::string& key) const;
  std::string key_of(const TypePtr& type);
  size_t number_of(Function& function) override;
  size_t number_of(const c10::IValue& constant) override;

  // Notes the type of a variable, which the call asks for. Throws Again if it was not declared as that.
  void declare(const Call& call, const std::string& variable, const TypePtr& type);

  const ts_known* known(const Instance& instance, const std::string& name) const;
  const ts_known* member(const std::string& name) const;
  const ts_operator& operator_at(int64_t at) const { return program_.operators[at]; }
  // Compiles a call of a function that is compiled itself.
  Value* call(Call& call, Function& function);
  // Compiles a call of a method. The first input is the module. NULL if it has no method of that name.
  Value* call_method(Call& call, const std::string& method);
  // Compiles `super$method(...)`. The first input is the module.
  Value* call_super(Call& call, const std::string& method);
  Value* function_value(const Call& call, Callee callee, const std::vector<std::pair<std::string, Value*>>& captured);
  // The function in a field of a module, as a value. NULL if no field of this name holds one.
  Value* method_value(const Call& call, const c10::ClassTypePtr& type, const std::string& name);
  // The function that a type stands for. NULL if it is the type of something else.
  const Callee* callee_of(const TypePtr& type) const;
  // The value of a field that no method assigns: it is a constant of the program, and decides about branches.
  std::optional<c10::IValue> setting(const c10::ClassTypePtr& type, const std::string& name);
  // The identifier of a member of a module for its name in R, and the other way round.
  std::string identifier_of(const c10::ClassTypePtr& type, const std::string& name) const;
  std::string name_of(const c10::ClassTypePtr& type, const std::string& identifier) const;
  // What the host says of a field that the program can't hold. NULL for all others.
  const ts_known* refused_field(const c10::ClassTypePtr& type, const std::string& name) const;
  Function& local(size_t number) { return *locals_.at(number); }
  Function& closure(int64_t at, bool is_method = false);
  // joined(), of lists with names as well.
  TypePtr joined_types(const TypePtr& one, const TypePtr& other);
  // The type of a list with names. It has a name of its own, by which saved files know it.
  c10::TupleTypePtr named_tuple(const std::vector<std::string>& names, const std::vector<TypePtr>& types);

 private:
  void compile(Instance& instance);
  Signature signature_of(Function& function, std::vector<TypePtr> types);
  // Binds the arguments of a call. `arguments`: the values of the parameters. `key`: tells instances with other types,
  // or other known values, apart.
  Signature bind(const Call& call, Function& function, std::vector<Value*>* arguments, std::string* key);
  std::vector<torch::jit::NamedValue> fitting(const Call& call, const Instance& instance,
                                              const std::vector<Value*>& values);
  void need(const Call& call, Instance& instance);
  Value* call_on(Call& call, int64_t closure, const std::string& method);
  const ts_scripted* module_of(const c10::ClassTypePtr& type) const;
  bool refine(Instance& instance, const std::string& message);
  bool take_hints(Instance& instance);
  std::string free_name(const std::string& wanted);

  const ts_program& program_;
  std::shared_ptr<torch::jit::CompilationUnit> unit_;
  std::map<std::pair<int64_t, bool>, std::unique_ptr<Function>> closures_;
  std::vector<Function*> locals_;
  std::vector<c10::IValue> constants_;
  std::map<std::string, std::unique_ptr<Instance>> instances_;
  std::vector<TypePtr> types_;
  std::set<std::string> names_, held_;
  std::map<std::string, c10::TupleTypePtr> tuples_;
  std::map<std::string, c10::TupleTypePtr> function_types_;
  std::map<std::string, Callee> callees_;                      // by the names of the types of function_value()
  std::map<int64_t, ts_known> fields_;                         // functions in fields of modules, by their closures
};

// What the code says of the elements of a variable that begins as NULL or as an empty list. `element` is NULL if it says nothing.
struct Hint {
  TypePtr element;
  bool by_name = false;
};
Hint hint_of(const Function& function, const std::string& variable);

// Compiles a call of a name of lower.h. `kind` is what stands first in it: "call", "method", "get", ...
SugaredValuePtr emit(const std::string& kind, Call& call);

// The names of R's functions that have a handler in meaning.cpp.
std::vector<std::string> special_names();

// `x[...]` and `x[[...]]`, and assignments to them.
Value* get_part(Call& call, bool keep_dims);
Value* get_element(Call& call);
// The same in `is.null(x[[i]])`, where what is not there is NULL.
Value* get_element_or_null(Call& call);
Value* put_part(Call& call);
Value* put_element(Call& call);
// Where a part of NULL is given a value: a list or dictionary without elements, which that value tells what it holds. A value
// that may be NULL as one without elements; all other values stay.
Value* begun_of(const Call& call, Value* whole, const TypePtr& empty);
// A type that a variable is to have; it may be NULL if the variable has been declared so.
TypePtr kept_optional(const Call& call, const std::string& variable, const TypePtr& type);
// Declares the variable of a list as a dictionary, if all that is known of it is that it is asked for an element by a name.
// What it holds tells the first value that is put there.
void guess_dict(const Call& call, const Value* list);
// Takes an element of a list or dictionary away: `x[[i]] <- NULL`.
Value* take_away(Call& call, Value* whole, Value* at, const std::string& variable);
// `x$name <- value` of a list whose elements are known.
Value* put_named(Call& call, Value* whole, const std::string& name, Value* value, const std::string& variable);
// The value as one that the dictionary holds. The first value that is put into a dictionary that was made empty tells
// what it holds: the variable is declared.
Value* fitting_in(Call& call, const Value* dict, Value* value, const std::string& variable);
// Compiles a call of an operator. NULL if no form takes the arguments; `why` then tells the reason.
SugaredValuePtr call_operator(Call& call, const ts_operator& op, std::string* why);

// The value itself if nothing else holds it for sure, else a copy.
Value* own(const Call& call, Value* value);
// The same of the parts of a list with names, and of their parts.
Value* own_parts(const Call& call, Value* value);
// A copy if the value may be, or be a part of, a variable whose parts are assigned; else the value itself.
Value* detached(const Call& call, Value* value);

}  // namespace shim::script
