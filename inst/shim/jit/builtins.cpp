#include "jit/builtins.h"

#include "guard/rules.h"

#include <torch/csrc/jit/frontend/error_report.h>
#include <torch/csrc/jit/frontend/parser.h>
#include <torch/csrc/jit/frontend/resolver.h>

#include <cmath>
#include <limits>
#include <unordered_map>
#include <unordered_set>

namespace shim {
namespace {

using torch::jit::BuiltinFunction;
using torch::jit::BuiltinModule;
using torch::jit::GraphFunction;
using torch::jit::SimpleValue;
using torch::jit::SourceRange;
using torch::jit::SpecialFormValue;
using torch::jit::SugaredValue;
using torch::jit::SugaredValuePtr;

SugaredValuePtr constant(const c10::IValue& value, GraphFunction& function, const SourceRange& place) {
  return std::make_shared<SimpleValue>(function.graph()->insertConstant(value, place));
}

SugaredValuePtr operation(const std::string& name) {
  return std::make_shared<BuiltinFunction>(c10::Symbol::fromQualString(name), c10::nullopt);
}

constexpr double kPi = 3.141592653589793;

const double* number(const std::string& name) {
  static const std::unordered_map<std::string, double> numbers = {
      {"pi", kPi}, {"e", 2.718281828459045}, {"tau", 2 * kPi}, {"inf", std::numeric_limits<double>::infinity()},
      {"nan", std::numeric_limits<double>::quiet_NaN()}};
  const auto found = numbers.find(name);
  return found == numbers.end() ? nullptr : &found->second;
}

// Dtypes, layouts and memory formats by their names in Python, which are numbers in TorchScript. LibTorch's parser
// knows none of them, since Python's front end looks them up in the Python module. NULL if there is no such name.
const int64_t* enumerator(const std::string& name) {
  using at::ScalarType;
  const auto type = [](ScalarType it) { return static_cast<int64_t>(it); };
  static const std::unordered_map<std::string, int64_t> enumerators = {
      {"uint8", type(ScalarType::Byte)},
      {"int8", type(ScalarType::Char)},
      {"int16", type(ScalarType::Short)},
      {"short", type(ScalarType::Short)},
      {"int32", type(ScalarType::Int)},
      {"int", type(ScalarType::Int)},
      {"int64", type(ScalarType::Long)},
      {"long", type(ScalarType::Long)},
      {"float16", type(ScalarType::Half)},
      {"half", type(ScalarType::Half)},
      {"float32", type(ScalarType::Float)},
      {"float", type(ScalarType::Float)},
      {"float64", type(ScalarType::Double)},
      {"double", type(ScalarType::Double)},
      {"complex32", type(ScalarType::ComplexHalf)},
      {"chalf", type(ScalarType::ComplexHalf)},
      {"complex64", type(ScalarType::ComplexFloat)},
      {"cfloat", type(ScalarType::ComplexFloat)},
      {"complex128", type(ScalarType::ComplexDouble)},
      {"cdouble", type(ScalarType::ComplexDouble)},
      {"bool", type(ScalarType::Bool)},
      {"bfloat16", type(ScalarType::BFloat16)},
      {"qint8", type(ScalarType::QInt8)},
      {"quint8", type(ScalarType::QUInt8)},
      {"qint32", type(ScalarType::QInt32)},
      {"strided", static_cast<int64_t>(at::Layout::Strided)},
      {"sparse_coo", static_cast<int64_t>(at::Layout::Sparse)},
      {"sparse_csr", static_cast<int64_t>(at::Layout::SparseCsr)},
      {"contiguous_format", static_cast<int64_t>(at::MemoryFormat::Contiguous)},
      {"preserve_format", static_cast<int64_t>(at::MemoryFormat::Preserve)},
      {"channels_last", static_cast<int64_t>(at::MemoryFormat::ChannelsLast)},
      {"channels_last_3d", static_cast<int64_t>(at::MemoryFormat::ChannelsLast3d)}};
  const auto found = enumerators.find(name);
  return found == enumerators.end() ? nullptr : &found->second;
}

// A name such as `torch` or `math`, whose attributes are looked up by `find`.
template <class Find>
struct Namespace : SugaredValue {
  explicit Namespace(Find find) : find(std::move(find)) {}
  std::string kind() const override { return "module"; }
  SugaredValuePtr attr(const SourceRange& place, GraphFunction& function, const std::string& field) override {
    return find(place, function, field);
  }
  Find find;
};

template <class Find>
SugaredValuePtr make_namespace(Find find) {
  return std::make_shared<Namespace<Find>>(std::move(find));
}

SugaredValuePtr jit_name(const SourceRange&, GraphFunction&, const std::string& field) {
  static const std::unordered_map<std::string, c10::Symbol> forms = {
      {"fork", c10::prim::fork}, {"annotate", c10::prim::annotate}, {"isinstance", c10::prim::isinstance}};
  const auto form = forms.find(field);
  return form == forms.end() ? operation("aten::" + field) : SpecialFormValue::create(form->second);
}

// A class such as the one behind `with torch.no_grad():`, which Python defines in Python.
c10::ClassTypePtr grad_mode(const std::string& name, const std::string& enabled) {
  auto& unit = *new std::shared_ptr<torch::jit::CompilationUnit>(new torch::jit::CompilationUnit());
  const auto source = std::make_shared<torch::jit::Source>(
      "class " + name + ":\n"
      "  def __init__(self):\n"
      "    self.before = True\n"
      "  def __enter__(self) -> None:\n"
      "    self.before = torch.is_grad_enabled()\n"
      "    torch.set_grad_enabled(" + enabled + ")\n"
      "  def __exit__(self, kind: Any, value: Any, trace: Any) -> None:\n"
      "    torch.set_grad_enabled(self.before)\n",
      std::string("torch"), 1);
  const torch::jit::ClassDef def(torch::jit::Parser(source).parseClass());
  const auto made = c10::ClassType::create(c10::QualifiedName("__torch__." + name), unit, /*is_module=*/false);
  unit->register_type(made);
  std::vector<torch::jit::Def> methods;
  for (const auto& statement : def.body()) methods.emplace_back(statement);
  const torch::jit::SimpleSelf self(made);
  unit->define(*made->name(), {}, {}, methods,
               std::vector<torch::jit::ResolverPtr>(methods.size(), torch::jit::nativeResolver()), &self);
  return made;
}

// Graphs point to these classes, so they stay for the whole session.
const c10::ClassTypePtr& no_grad() {
  static const auto& type = *new c10::ClassTypePtr(grad_mode("no_grad", "False"));
  return type;
}

const c10::ClassTypePtr& enable_grad() {
  static const auto& type = *new c10::ClassTypePtr(grad_mode("enable_grad", "True"));
  return type;
}

SugaredValuePtr prim_name(const SourceRange& place, GraphFunction&, const std::string& field) {
  if (!may_name_prim(field))
    throw torch::jit::ErrorReport(place) << "`prim::" << field << "` can't be called by its name: it trusts its arguments";
  return operation("prim::" + field);
}

SugaredValuePtr torch_name(const SourceRange& place, GraphFunction& function, const std::string& field) {
  if (const auto* value = enumerator(field)) return constant(*value, function, place);
  if (const auto* value = number(field)) return constant(*value, function, place);
  if (field == "jit") return make_namespace(jit_name);
  if (field == "no_grad") return std::make_shared<torch::jit::ClassValue>(no_grad());
  if (field == "enable_grad") return std::make_shared<torch::jit::ClassValue>(enable_grad());
  if (field == "ops")
    return make_namespace([](const SourceRange&, GraphFunction&, const std::string& space) -> SugaredValuePtr {
      if (space == "prim") return make_namespace(prim_name);
      return std::make_shared<BuiltinModule>(space);
    });
  if (field == "linalg" || field == "fft" || field == "special")
    return make_namespace([field](const SourceRange&, GraphFunction&, const std::string& name) {
      return operation("aten::" + field + "_" + name);
    });
  return BuiltinModule("aten").attr(place, function, field);
}

// The exception class in `raise ValueError("...")`. LibTorch keeps its name in the program for Python.
struct Exception : SugaredValue {
  explicit Exception(std::string name) : name(std::move(name)) {}
  std::string kind() const override { return "exception"; }
  SugaredValuePtr call(const SourceRange& place, GraphFunction& function, at::ArrayRef<torch::jit::NamedValue> arguments,
                       at::ArrayRef<torch::jit::NamedValue>, size_t) override {
    auto& graph = *function.graph();
    auto* message = graph.insertConstant(std::string(), place);
    for (const auto& argument : arguments) {
      auto* text = argument.value(graph);
      if (text->type()->kind() != c10::TypeKind::StringType)
        text = torch::jit::emitBuiltinCall(place, graph, c10::aten::str, {text}, {});
      message = torch::jit::emitBuiltinCall(place, graph, c10::aten::add, {message, text}, {});
    }
    return std::make_shared<torch::jit::ExceptionMessageValue>(message, graph.insertConstant("builtins." + name, place));
  }
  std::string name;
};

bool is_exception(const std::string& name) {
  static const std::unordered_set<std::string> names = {
      "Exception", "ArithmeticError", "AssertionError", "AttributeError", "IndexError", "KeyError", "LookupError",
      "NotImplementedError", "OverflowError", "RuntimeError", "StopIteration", "TypeError", "ValueError",
      "ZeroDivisionError"};
  return names.count(name) > 0;
}

SugaredValuePtr math_name(const SourceRange& place, GraphFunction& function, const std::string& field) {
  if (const auto* value = number(field)) return constant(*value, function, place);
  return operation("aten::" + field);
}

}  // namespace

SugaredValuePtr builtin_name(const std::string& name, GraphFunction& function, const SourceRange& place) {
  if (name == "torch") return make_namespace(torch_name);
  if (name == "math") return make_namespace(math_name);
  if (is_exception(name)) return std::make_shared<Exception>(name);
  if (name == "inf" || name == "nan") return constant(*number(name), function, place);
  return nullptr;
}

}  // namespace shim
