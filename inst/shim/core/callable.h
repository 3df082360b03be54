// What a ts_callable is.
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
  // A method, or what reads or sets a property, of an instance of a class.
  ts_callable(torch::jit::Function* function, c10::intrusive_ptr<c10::ivalue::Object> self);
  // Something of the shim's own.
  ts_callable(const c10::FunctionSchema& schema, std::function<void(torch::jit::Stack&)> body);
  // What makes an instance of a class that has an `__init__`.
  ts_callable(c10::ClassTypePtr makes, std::shared_ptr<torch::jit::CompilationUnit> unit);

  void run(torch::jit::Stack& stack) const;
  // The schema of a class's `__init__` as its callers see it: without `self`, and with the instance as result.
  c10::FunctionSchema constructor_schema() const;

  // One of the five; `makes` beside `function`.
  std::optional<c10::OperatorHandle> dispatched;
  std::shared_ptr<torch::jit::Operator> jit_operator;
  torch::jit::Function* function = nullptr;
  std::function<void(torch::jit::Stack&)> body;

  std::shared_ptr<torch::jit::CompilationUnit> unit;  // keeps `function` alive
  std::optional<c10::IValue> self;                    // of a method
  c10::ClassTypePtr makes;                            // the class of which each call makes an instance

  std::vector<c10::TypePtr> types;  // what arguments are converted to, without `self`
  std::vector<std::optional<c10::IValue>> defaults;
  bool generic = false;             // some argument's type holds a type variable
  std::vector<c10::TypePtr> results;  // declared types, NULL where they hold a type variable
  shim::Schema schema;
  const shim::SmallKernel* small = nullptr;  // of an operator of the dispatcher, where there is one
  // Before an operator of the dispatcher runs; those of TorchScript look at their arguments themselves.
  std::function<void(const torch::jit::Stack&)> look;

 private:
  void read_schema(const c10::FunctionSchema& from, size_t skip);
  void run_function(torch::jit::Stack& stack) const;

  // What a plan of `function` needs, and whether it makes complex numbers; known from its first run on.
  mutable std::optional<size_t> plan_stack_;
  mutable bool makes_complex_ = false;
  mutable shim::Polls polls_;
};

namespace shim {

// A stack that keeps its memory between calls, one for each depth of nested calls on this thread.
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
