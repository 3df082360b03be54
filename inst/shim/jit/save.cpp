// Writes programs to files and to memory.

#include <algorithm>
#include <cmath>
#include <locale>
#include <optional>
#include <sstream>

#include "guard/archive.h"
#include "core/callable.h"
#include "core/sink.h"
#include "core/stack.h"
#include "guard/depth.h"
#include "jit/inline.h"
#include "jit/module.h"
#include "guard/program.h"
using shim::Arena;
using shim::guarded;
using shim::FileSink;
using shim::guarded_result;
using shim::MemorySink;
using shim::Sink;

namespace {

// LibTorch writes floats that are whole from 1e10 on without a point, and reads them as integers. While an object of
// this class lives, they are written with one: LibTorch's streams take the formatting of numbers from the global C++
// locale when they are made.
class WithPoints {
 public:
  WithPoints() : before_(std::locale::global(std::locale(std::locale(), new Numbers))) {}
  // Setting a named locale would change the C library's locale too, and with it the host's. A locale that was put
  // together from parts has no name.
  ~WithPoints() { std::locale::global(std::locale(before_, new std::num_put<char>)); }
  WithPoints(const WithPoints&) = delete;
  WithPoints& operator=(const WithPoints&) = delete;

 private:
  struct Numbers : std::num_put<char> {
    iter_type do_put(iter_type to, std::ios_base& how, char, double number) const override {
      std::ostringstream text;
      text.imbue(std::locale::classic());
      text.precision(how.precision());
      text << number;
      std::string digits = text.str();
      if (digits.find_first_not_of("-0123456789") == std::string::npos && std::abs(number) >= 1e10) digits += '.';
      return std::copy(digits.begin(), digits.end(), to);
    }
  };

  std::locale before_;
};

void export_module(ts_module* module, int mobile, const ts_extra_file* extra, size_t n_extra, Sink& sink) {
  shim::complete_tree(module->module);
  torch::jit::ExtraFilesMap files;
  for (size_t i = 0; i < n_extra; ++i)
    files[extra[i].name] = std::string(static_cast<const char*>(extra[i].data), extra[i].n);
  const std::function<size_t(const void*, size_t)> writer = [&](const void* data, size_t n) { return sink(data, n); };
  const WithPoints with_points;
  torch::jit::ExportModule(module->module, writer, files, /*bytecode_format=*/mobile != 0);
  sink.check();
}

}  // namespace

int ts_module_from_function(const ts_callable* callable, ts_module** out) {
  return guarded([&] {
    // A function that was loaded from a file is the method `forward` of a module: that module is the result.
    if (callable->self && callable->function && callable->function->name() == "forward") {
      *out = new ts_module{callable->self->toModule()};
      return;
    }
    TORCH_CHECK(callable->function && !callable->self, "only a script function becomes a module");
    torch::jit::Module module("PlaceholderModule");
    module.register_attribute("training", c10::BoolType::get(), true);
    const c10::FunctionSchema& schema = callable->function->getSchema();
    auto graph = torch::jit::toGraphFunction(*callable->function).graph()->copy();
    // Functions of the unit that this one calls are not in the module, so calls are inlined.
    shim::inline_calls(*graph);
    graph->insertInput(0, "self")->setType(module._ivalue()->type());
    const auto name = c10::QualifiedName(*module.type()->name(), "forward");
    auto* forward = module._ivalue()->compilation_unit()->create_function(name, graph);
    // The graph has no names and defaults of arguments: they come from the schema.
    std::vector<c10::Argument> arguments{c10::Argument("self", module.type())};
    arguments.insert(arguments.end(), schema.arguments().begin(), schema.arguments().end());
    forward->setSchema(c10::FunctionSchema(forward->name(), "", std::move(arguments), schema.returns()));
    module.type()->addMethod(forward);
    *out = new ts_module{module};
  });
}

int ts_module_save(ts_module* module, const char* path, int mobile, const ts_extra_file* extra, size_t n_extra) {
  return guarded([&] {
    FileSink sink(path);
    export_module(module, mobile, extra, n_extra, sink);
    sink.finish();
  });
}

int ts_module_serialize(ts_module* module, int mobile, const ts_extra_file* extra, size_t n_extra, ts_value* out,
                        ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, Arena& own) {
    MemorySink sink;
    export_module(module, mobile, extra, n_extra, sink);
    value = shim::string_value(std::move(sink.bytes), own);
  });
}
