// The functions of the contract: they compile a function, or a method of a module.
#include <torch/csrc/jit/api/function_impl.h>

#include "core/callable.h"
#include "core/stack.h"
#include "jit/inline.h"
#include "jit/names.h"
#include "jit/parse.h"
#include "script/builtins.h"
#include "script/compiler.h"

using shim::guarded;
using shim::guarded_result;

namespace {

// R code may be nested to any depth, and every level takes stack here and in LibTorch's compiler. So there is a limit,
// as there is for TorchScript text.
constexpr size_t kDepth = 5000, kStackOfLevel = size_t{32} << 10;

size_t depth_of(const ts_code& code, size_t level = 1) {
  size_t deepest = level;
  for (size_t i = 0; i < code.n && deepest <= kDepth; ++i)
    deepest = std::max(deepest, depth_of(code.items[i], level + 1));
  return deepest;
}

size_t levels_of(const ts_closure& closure) {
  const size_t depth = depth_of(*closure.code);
  TORCH_CHECK(depth <= kDepth, "the code of `", closure.name, "` is nested more than ", kDepth,
              " levels deep: give parts of it names, or make them functions of their own");
  return depth;
}

// The stack that compiling takes. A function is compiled while the one that calls it is, so that all of them add up.
size_t stack_of(const ts_program& program) {
  size_t levels = 16;
  for (size_t i = 0; i < program.n_closures; ++i) levels += levels_of(program.closures[i]);
  return levels * kStackOfLevel;
}

ts_value list_of(const std::set<std::string>& names, shim::Arena& own) {
  return shim::string_list({names.begin(), names.end()}, own);
}

void add_outside(const shim::script::Function& function, std::set<std::string>& names) {
  names.insert(function.outside.begin(), function.outside.end());
  for (const auto& it : function.inner) add_outside(*it.second, names);
}

// The types that the caller asks for, by name or by example; NULL for arguments of which nothing is said.
std::vector<c10::TypePtr> asked_types(const char* const* types, const ts_value* examples, size_t n) {
  std::vector<c10::TypePtr> asked(n);
  for (size_t i = 0; i < n; ++i) {
    if (types && types[i]) {
      asked[i] = torch::jit::ScriptTypeParser().parseType(types[i]);
    } else if (examples && examples[i].tag != TS_DEFAULT) {
      asked[i] = shim::to_natural_ivalue(examples[i]).type();
      if (asked[i]->isSubtypeOf(*c10::TensorType::get())) asked[i] = c10::TensorType::get();
    }
  }
  return asked;
}

// Builtins become part of the functions that call them, so that their errors tell the line of R code. A function that was
// removed from the unit is NULL.
void take_in_builtins(const torch::jit::CompilationUnit& unit) {
  for (auto* function : unit.get_functions())
    if (auto* with_graph = function ? torch::jit::tryToGraphFunction(*function) : nullptr) shim::inline_builtins(*with_graph->graph());
}

}  // namespace

int ts_script_define(const ts_program* program, const char* method, const char* const* types, const ts_value* examples,
                     size_t n, ts_value* held, ts_arena** arena) {
  return guarded_result(held, arena, [&](ts_value& names, shim::Arena& own) {
    const auto unit = program->modules[0].module->module._ivalue()->compilation_unit();
    auto asked = asked_types(types, examples, n);
    shim::with_stack(stack_of(*program), [&] {
      shim::script::Compiler compiler(*program, unit);
      compiler.define(method, std::move(asked));
      names = list_of(compiler.held(), own);
      take_in_builtins(*unit);
      shim::check_text(*unit);
    });
  });
}

int ts_script_compile(const ts_program* program, const char* const* types, const ts_value* examples, size_t n,
                      ts_callable** out, ts_value* held, ts_arena** arena) {
  return guarded_result(held, arena, [&](ts_value& names, shim::Arena& own) {
    auto unit = std::make_shared<shim::Unit>();
    for (size_t i = 0; i < program->n_closures; ++i)
      for (size_t k = 0; k < program->closures[i].n_known; ++k)
        if (const auto* callable = program->closures[i].known[k].callable)
          if (callable->unit) unit->uses.push_back(callable->unit);
    auto asked = asked_types(types, examples, n);
    torch::jit::Function* function = nullptr;
    shim::with_stack(stack_of(*program), [&] {
      shim::script::Compiler compiler(*program, unit);
      function = compiler.compile(std::move(asked));
      names = list_of(compiler.held(), own);
      take_in_builtins(*unit);
      shim::check_text(*unit);
    });
    *out = new ts_callable(function, unit);
  });
}

int ts_script_outside(const ts_closure* closure, ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, shim::Arena& own) {
    std::set<std::string> names;
    shim::with_stack(levels_of(*closure) * kStackOfLevel,
                     [&] { add_outside({*closure, *closure->code, nullptr, closure->name}, names); });
    value = list_of(names, own);
  });
}

int ts_script_builtins(ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, shim::Arena& own) {
    auto names = shim::script::builtin_names();
    for (auto& name : shim::script::special_names()) names.push_back(std::move(name));
    value = shim::string_list(names, own);
  });
}
