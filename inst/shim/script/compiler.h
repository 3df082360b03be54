// Compiling a program: which function is compiled for which types, and what its variables turn out to be.
#pragma once
#include "script/emit.h"
#include "script/lower.h"

#include "jit/compiler.h"

namespace shim::script {

// A function for one kind of arguments.
struct Instance {
  Function* written;
  c10::ClassTypePtr self;  // of a method: what it is called on
  Signature signature;
  // What variables were seen to hold in this attempt, and as what they are declared in the next one, by their names in R;
  // "return" of what the function gives.
  std::map<std::string, std::vector<TypePtr>> seen;
  std::map<std::string, TypePtr> declared;
  std::set<std::string> open;  // variables that may be read before they have a value
  torch::jit::Function* compiled = nullptr;
  bool compiling = false;
  bool is_root = false;  // what the host calls
};

// A function that is a value. Which one it is, its type tells; what it reads of the function around it is in the value.
struct Callee {
  Function* local = nullptr;
  const ts_known* known = nullptr;  // of one that is written elsewhere
  std::string name;
  std::vector<std::string> captured;
  std::vector<std::pair<std::string, c10::IValue>> constants;  // captured, and known
};

// Ends an attempt: the next one knows more about a variable.
struct Again {};

class Compiler : public Numbers {
 public:
  Compiler(const ts_program& program, std::shared_ptr<torch::jit::CompilationUnit> unit);

  // The first closure, with parameters of these types and defaults.
  torch::jit::Function* compile(std::vector<TypePtr> types);
  // A method of the first module.
  void define(const std::string& method, std::vector<TypePtr> types);

  // What a name of lower.h means.
  SugaredValuePtr meaning(const std::string& name, Instance& instance, GraphFunction& function, const SourceRange& place);
  TypePtr type_of(const std::string& key) const;
  std::string key_of(const TypePtr& type);
  size_t number_of(Function& function) override;
  size_t number_of(const c10::IValue& constant) override;

  // Declares a variable, and ends the attempt if that is news.
  void declare(Instance& instance, const std::string& variable, const TypePtr& type);

  const ts_known* known(const Instance& instance, const std::string& name) const;
  const ts_known* member(const std::string& name) const;
  const ts_operator& operator_at(int64_t at) const { return program_.operators[at]; }
  // A call of one of the functions that were written.
  Value* call(Call& call, Function& function);
  // A call of a method of a module: the first input is the module. NULL if it has none of that name.
  Value* call_method(Call& call, const std::string& method);
  // The method that a module's class has from another one, under the name `super$method` where it is called.
  Value* call_super(Call& call, const std::string& method);
  Value* function_value(const Call& call, Callee callee, const std::vector<std::pair<std::string, Value*>>& captured);
  // A field that holds a function; NULL if the module has none of this name.
  Value* method_value(const Call& call, const c10::ClassTypePtr& type, const std::string& name);
  // NULL if it is no type of a function.
  const Callee* callee_of(const TypePtr& type) const;
  // A setting of a module: a field that no method gives another value, so that it is a constant of the program.
  std::optional<c10::IValue> setting(const c10::ClassTypePtr& type, const std::string& name);
  Function& local(size_t number) { return *locals_.at(number); }
  Function& closure(int64_t at, bool is_method = false);
  // A list with names: the type is known to files by its own name.
  c10::TupleTypePtr named_tuple(const std::vector<std::string>& names, const std::vector<TypePtr>& types);

 private:
  void compile(Instance& instance);
  Signature signature_of(Function& function, std::vector<TypePtr> types);
  // The values of the formals and of what the function reads around it, as parameters with a key that tells their types.
  Signature bind(const Call& call, Function& function, std::vector<Value*>* arguments, std::string* key);
  std::vector<torch::jit::NamedValue> fitting(const Call& call, const Instance& instance, const std::vector<Value*>& values);
  void need(const Call& call, Instance& instance);
  Value* call_on(Call& call, int64_t closure, const std::string& method);
  const ts_scripted* module_of(const c10::ClassTypePtr& type) const;
  bool refine(Instance& instance, const std::string& message);
  std::string free_name(const std::string& wanted);

  const ts_program& program_;
  std::shared_ptr<torch::jit::CompilationUnit> unit_;
  std::map<std::pair<int64_t, bool>, std::unique_ptr<Function>> closures_;
  std::vector<Function*> locals_;
  std::vector<c10::IValue> constants_;
  std::map<std::string, std::unique_ptr<Instance>> instances_;
  std::vector<TypePtr> types_;
  std::set<std::string> names_;
  std::map<std::string, c10::TupleTypePtr> tuples_;
  std::map<std::string, c10::TupleTypePtr> function_types_;
  std::map<std::string, Callee> callees_;  // by the names of their types
  std::map<int64_t, ts_known> fields_;     // functions in fields of modules
  std::map<const ts_scripted*, std::set<std::string>> given_;  // fields that methods give values
};

// How the call of a meaning is compiled, by its kind: "call", "method", "get", ...
SugaredValuePtr emit(const std::string& kind, Call& call);

// Functions whose meaning is more than a table can say.
std::vector<std::string> special_names();

// Parts of a value: `x[...]`, `x[[...]]`, and what they are given.
Value* get_part(Call& call, bool keep_dims);
Value* get_element(Call& call);
Value* put_part(Call& call);
Value* put_element(Call& call);
// An operator on tensors; NULL if no form takes the arguments, with `why`.
SugaredValuePtr call_operator(Call& call, const ts_operator& op, std::string* why);

// A value that nothing else holds: a copy where that is not sure.
Value* own(const Call& call, Value* value);
// The same of a value that may be a part of a variable whose parts are changed.
Value* detached(const Call& call, Value* value);

}  // namespace shim::script
