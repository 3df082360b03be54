// Everything that can be called by schema.
#pragma once
#include "core/schema.h"
#include "core/small.h"
#include "jit/poll.h"

#include <functional>
#include <optional>

struct ts_callable {
  explicit ts_callable(c10::OperatorHandle op);
  explicit ts_callable(std::shared_ptr<torch::jit::Operator> op);
  ts_callable(torch::jit::Function* function, std::shared_ptr<torch::jit::CompilationUnit> unit);
  explicit ts_callable(const torch::jit::Method& method);
  // A method or a property of an instance of a class.
  ts_callable(torch::jit::Function* function, c10::intrusive_ptr<c10::ivalue::Object> self);
  // A function of the shim itself.
  ts_callable(const c10::FunctionSchema& schema, std::function<void(torch::jit::Stack&)> body);
  // The constructor of a class that has an `__init__`.
  ts_callable(c10::ClassTypePtr makes, std::shared_ptr<torch::jit::CompilationUnit> unit);

  void run(torch::jit::Stack& stack) const;
  // The schema of a constructor: that of `__init__` without `self`, and with the instance as its result.
  c10::FunctionSchema constructor_schema() const;

  // Exactly one of the next four is set. A constructor sets `function`, its class's `__init__`, and `makes`.
  std::optional<c10::OperatorHandle> dispatched;
  std::shared_ptr<torch::jit::Operator> jit_operator;
  torch::jit::Function* function = nullptr;
  std::function<void(torch::jit::Stack&)> body;

  std::shared_ptr<torch::jit::CompilationUnit> unit;  // keeps `function` alive
  std::optional<c10::IValue> self;                    // the object that a method or a property belongs to
  c10::ClassTypePtr makes;                            // the class of which a constructor makes instances

  std::vector<c10::TypePtr> types;  // types that the arguments are converted to, without `self`
  std::vector<std::optional<c10::IValue>> defaults;
  bool generic = false;             // whether the type of an argument holds a type variable
  std::vector<c10::TypePtr> results;  // declared types, NULL where they hold a type variable
  shim::Schema schema;
  const shim::SmallKernel* small = nullptr;  // a loop for small tensors; NULL: none
  // Checks the arguments before an operator of the dispatcher runs. TorchScript's operators check theirs themselves
  // (guard/operators.h).
  std::function<void(const torch::jit::Stack&)> look;

 private:
  void read_schema(const c10::FunctionSchema& from, size_t skip);
  void run_function(torch::jit::Stack& stack) const;

  // What run_function() found out at the first call: the stack that the interpreter needs for its plan of `function`,
  // and whether the function can make complex numbers.
  mutable std::optional<size_t> plan_stack_;
  mutable bool makes_complex_ = false;
  mutable shim::Polls polls_;
};

namespace shim {

// A stack of LibTorch's for the duration of one call. Calls nest; each thread keeps one stack for each depth, so that
// its memory is used again.
class StackFrame {
 public:
  StackFrame();
  ~StackFrame();
  torch::jit::Stack& stack() { return *stack_; }

 private:
  torch::jit::Stack* stack_;
};

void push_arguments(const ts_callable& callable, const ts_value* arguments, size_t n, torch::jit::Stack& stack);

}  // namespace shim
