// Compiles methods of modules from text.
#include "core/stack.h"
#include "core/value.h"
#include "jit/builtins.h"
#include "jit/parse.h"

#include <torch/csrc/jit/frontend/error_report.h>
#include <torch/csrc/jit/frontend/parser.h>
#include <torch/csrc/jit/frontend/resolver.h>

namespace shim {
namespace {

using namespace torch::jit;

// A module as a value in a method's text. As in Python, a child can be called, `self.layer(x)`, and the children can be
// looped over. It must not be a SimpleValue, which the compiler would store as a plain value.
struct ModuleValue : SugaredValue {
  explicit ModuleValue(Value* value) : value(value) {}

  std::string kind() const override { return "module"; }
  Value* asValue(const SourceRange&, GraphFunction&) override { return value; }
  SugaredValuePtr attr(const SourceRange& place, GraphFunction& function, const std::string& field) override {
    const auto found = SimpleValue(value).attr(place, function, field);
    const auto simple = std::dynamic_pointer_cast<SimpleValue>(found);
    const auto type = simple ? simple->getValue()->type()->cast<c10::ClassType>() : nullptr;
    if (type && type->is_module()) return std::make_shared<ModuleValue>(simple->getValue());
    return found;
  }
  bool hasAttr(const SourceRange& place, GraphFunction& function, const std::string& field) override {
    return SimpleValue(value).hasAttr(place, function, field);
  }
  void setAttr(const SourceRange& place, GraphFunction& function, const std::string& field, Value* to) override {
    SimpleValue(value).setAttr(place, function, field, to);
  }
  SugaredValuePtr call(const SourceRange& place, GraphFunction& function, at::ArrayRef<NamedValue> arguments,
                       at::ArrayRef<NamedValue> named, size_t n_binders) override {
    return attr(place, function, "forward")->call(place, function, arguments, named, n_binders);
  }
  SugaredValuePtr iter(const SourceRange& place, GraphFunction& function) override {
    const auto type = value->type()->expect<c10::ClassType>();
    std::vector<SugaredValuePtr> children;
    for (size_t i = 0; i < type->numAttributes(); ++i)
      if (type->getAttribute(i)->is_module()) children.push_back(attr(place, function, type->getAttributeName(i)));
    return std::make_shared<SugaredTupleValue>(std::move(children));
  }
  SugaredValuePtr getitem(const SourceRange& place, GraphFunction& function, Value* index, TypePtr hint) override {
    return iter(place, function)->getitem(place, function, index, std::move(hint));
  }

  Value* value;
};

struct ModuleSelf : Self {
  explicit ModuleSelf(ClassTypePtr type) : type(std::move(type)) {}
  std::shared_ptr<SugaredValue> makeSugared(Value* value) const override {
    value->setType(type);
    return std::make_shared<ModuleValue>(value);
  }
  ClassTypePtr getClassType() const override { return type; }
  ClassTypePtr type;
};

struct BuiltinResolver : Resolver {
  SugaredValuePtr resolveValue(const std::string& name, GraphFunction& function, const SourceRange& place) override {
    return builtin_name(name, function, place);
  }
};

}  // namespace
}  // namespace shim

int ts_module_define(ts_module* module, const char* source, const char* file, int line) {
  return shim::guarded([&] {
    const auto type = module->module.type();
    const auto unit = module->module._ivalue()->compilation_unit();
    const auto resolver = std::make_shared<shim::BuiltinResolver>();
    const shim::ModuleSelf self(type);
    shim::with_stack(shim::compile_stack(source), [&] {
      std::vector<torch::jit::Def> methods;
      for (const auto& tree : shim::parse(source, file, line, /*methods=*/true)) {
        methods.emplace_back(tree);
        const auto& name = methods.back().name();
        if (type->findMethod(name.name()) || type->hasAttribute(name.name()))
          throw torch::jit::ErrorReport(name.range()) << "the module has a `" << name.name() << "` already";
      }
      try {
        unit->define(*type->name(), {}, {}, methods,
                     std::vector<torch::jit::ResolverPtr>(methods.size(), resolver), &self);
        shim::check_text(*unit);
      } catch (...) {
        // LibTorch registers a method before it compiles it. A method that failed is removed, so that it can be defined
        // again.
        for (const auto& method : methods) {
          const auto name = c10::QualifiedName(*type->name(), method.name().name());
          if (type->findMethod(name.name())) type->unsafeRemoveMethod(name.name());
          if (unit->find_function(name)) unit->unsafeRemoveMethod(name);
        }
        throw;
      }
    });
  });
}
