// TorchScript text: units of functions and classes, methods of modules, and what their programs print.
#include "builtins.h"
#include "call.h"
#include "depth.h"
#include "program.h"

#include <torch/csrc/jit/frontend/error_report.h>
#include <torch/csrc/jit/frontend/parser.h>
#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/frontend/script_type_parser.h>
#include <torch/csrc/jit/runtime/print_handler.h>

#include <algorithm>
#include <atomic>
#include <sstream>

namespace shim {
namespace {

using namespace torch::jit;

// The functions and types of one source. What its graphs call elsewhere is kept alive here: graphs hold plain pointers.
struct Unit : CompilationUnit {
  std::vector<std::shared_ptr<CompilationUnit>> uses;
  std::vector<std::string> names;  // what the source defines, in its order
};

// Files can hold only what has a qualified name; Python's is __torch__ as well.
c10::QualifiedName qualified(const std::string& name) { return c10::QualifiedName(std::string("__torch__.") + name); }

SugaredValuePtr value_named(const Unit& unit, const std::string& name) {
  if (auto* function = unit.find_function(qualified(name))) return std::make_shared<FunctionValue>(function);
  const auto type = unit.get_type(qualified(name));
  if (!type) return nullptr;
  if (const auto it = type->cast<c10::ClassType>()) return std::make_shared<ClassValue>(it);
  if (const auto it = type->cast<c10::TupleType>()) return std::make_shared<NamedTupleConstructor>(it);
  if (const auto it = type->cast<c10::EnumType>()) return std::make_shared<SugaredEnumClass>(it);
  return nullptr;
}

// Another unit under a name: `geometry.area(x)`.
struct UnitValue : SugaredValue {
  UnitValue(std::string name, std::shared_ptr<Unit> unit) : name(std::move(name)), unit(std::move(unit)) {}
  std::string kind() const override { return "unit"; }
  SugaredValuePtr attr(const SourceRange& place, GraphFunction&, const std::string& field) override {
    auto value = value_named(*unit, field);
    if (!value) throw ErrorReport(place) << "the unit `" << name << "` defines no `" << field << "`";
    return value;
  }
  std::string name;
  std::shared_ptr<Unit> unit;
};

struct Use {
  std::string name;
  std::shared_ptr<Unit> unit;
  torch::jit::Function* function;
};

// Defines each name when it is first needed, so that the order in the source does not matter.
class Compiler : public Resolver, public std::enable_shared_from_this<Compiler> {
 public:
  Compiler(std::shared_ptr<Unit> unit, std::vector<Use> uses) : unit_(std::move(unit)), uses_(std::move(uses)) {}

  void compile(const std::vector<TreeRef>& definitions) {
    for (const auto& tree : definitions) {
      const Ident name = tree->kind() == TK_DEF ? Def(tree).name() : ClassDef(tree).name();
      if (!waiting_.emplace(name.name(), tree).second)
        throw ErrorReport(name.range()) << "`" << name.name() << "` is defined twice";
      unit_->names.push_back(name.name());
    }
    // Classes first: their fields are known from `__init__` on, when methods call functions that take instances.
    for (const auto& tree : definitions)
      if (tree->kind() == TK_CLASS_DEF) define(ClassDef(tree).name().name());
    for (const auto& name : unit_->names) define(name);
  }

  SugaredValuePtr resolveValue(const std::string& name, GraphFunction& function, const SourceRange& place) override {
    define(name);
    if (auto value = value_named(*unit_, name)) return value;
    for (const auto& use : uses_) {
      if (use.unit && use.name.empty()) {
        if (auto value = value_named(*use.unit, name)) return value;
      } else if (use.name == name) {
        if (use.unit) return std::make_shared<UnitValue>(name, use.unit);
        return std::make_shared<FunctionValue>(use.function);
      }
    }
    return builtin_name(name, function, place);
  }

  TypePtr resolveType(const std::string& name, const SourceRange&) override {
    define(name);
    if (auto type = unit_->get_type(qualified(name))) return type;
    for (const auto& use : uses_) {
      if (!use.unit) continue;
      const std::string prefix = use.name.empty() ? "" : use.name + ".";
      if (name.compare(0, prefix.size(), prefix) != 0) continue;
      if (auto type = use.unit->get_type(qualified(name.substr(prefix.size())))) return type;
    }
    return nullptr;
  }

 private:
  void define(const std::string& name) {
    const auto found = waiting_.find(name);
    if (found == waiting_.end()) return;
    const TreeRef tree = found->second;
    waiting_.erase(found);
    if (tree->kind() == TK_DEF) {
      unit_->define(c10::QualifiedName("__torch__"), {}, {}, {Def(tree)}, {shared_from_this()}, nullptr);
    } else {
      define_class(ClassDef(tree));
    }
  }

  void define_class(const ClassDef& def) {
    const std::string base = def.superclass().present() ? last_name(def.superclass().get()) : "object";
    if (base == "NamedTuple") return define_named_tuple(def);
    if (base == "Enum") return define_enum(def);
    if (base != "object")
      throw ErrorReport(def.superclass().range()) << "TorchScript's classes inherit from nothing; `" << base
                                                  << "` can only be NamedTuple or Enum";
    const auto name = qualified(def.name().name());
    const auto type = c10::ClassType::create(name, unit_, /*is_module=*/false);
    unit_->register_type(type);
    ScriptTypeParser types(shared_from_this());
    std::vector<Def> methods;
    for (const auto& statement : def.body()) {
      if (statement.kind() == TK_DEF) {
        methods.emplace_back(statement);
      } else if (const auto field = declaration(statement)) {
        if (field->rhs().present())
          throw ErrorReport(statement.range()) << "the fields of a class get their values in `__init__`";
        type->addAttribute(Var(field->lhs()).name().name(), types.parseTypeFromExpr(field->type().get()));
      }
    }
    const bool has_init = std::any_of(methods.begin(), methods.end(),
                                      [](const Def& method) { return method.name().name() == "__init__"; });
    if (!has_init) throw ErrorReport(def.name().range()) << "a class needs a method `__init__`";
    const SimpleSelf self(type);
    unit_->define(name, {}, {}, methods, std::vector<ResolverPtr>(methods.size(), shared_from_this()), &self);
  }

  // The fields are read as the arguments of a function are, with types and defaults.
  void define_named_tuple(const ClassDef& def) {
    std::vector<Param> fields;
    for (const auto& statement : def.body())
      if (const auto field = declaration(statement))
        fields.push_back(Param::create(statement.range(), Var(field->lhs()).name(), field->type(), field->rhs(), false));
    const auto decl = Decl::create(def.range(), List<Param>::create(def.range(), fields),
                                   Maybe<Expr>::create(def.range()));
    const auto schema = ScriptTypeParser(shared_from_this())
                            .parseSchemaFromDef(Def::create(def.range(), def.name(), decl,
                                                            List<Stmt>::create(def.range(), {})),
                                                /*skip_self=*/false);
    std::vector<std::string> names;
    std::vector<TypePtr> types;
    std::vector<c10::IValue> defaults;
    for (const auto& argument : schema.arguments()) {
      names.push_back(argument.name());
      types.push_back(argument.type());
      if (argument.default_value()) defaults.push_back(*argument.default_value());
    }
    unit_->register_type(c10::TupleType::createNamed(qualified(def.name().name()), names, types, defaults));
  }

  void define_enum(const ClassDef& def) {
    std::vector<c10::EnumNameValue> members;
    for (const auto& statement : def.body()) {
      if (is_remark(statement)) continue;
      if (statement.kind() != TK_ASSIGN || !Assign(statement).rhs().present())
        throw ErrorReport(statement.range()) << "an enum holds members with values: `RED = 1`";
      const Assign member(statement);
      members.emplace_back(Var(member.lhs()).name().name(), enum_value(member.rhs().get()));
      if (members.back().second.type() != members.front().second.type())
        throw ErrorReport(statement.range()) << "the values of an enum have one type";
    }
    if (members.empty()) throw ErrorReport(def.range()) << "an enum holds at least one member";
    const TypePtr type = members.front().second.type();
    unit_->register_type(c10::EnumType::create(qualified(def.name().name()), type, members, unit_));
  }

  static c10::IValue enum_value(const Expr& expression) {
    if (expression.kind() == TK_STRINGLITERAL) return StringLiteral(expression).text();
    const bool minus = expression.kind() == TK_UNARY_MINUS;
    const Expr number = minus ? Expr(expression.tree()->trees()[0]) : expression;
    if (number.kind() != TK_CONST)
      throw ErrorReport(expression.range()) << "the value of an enum's member is a number or a string";
    const Const it(number);
    if (it.isFloatingPoint()) return minus ? -it.asFloatingPoint() : it.asFloatingPoint();
    return minus ? -it.asIntegral() : it.asIntegral();
  }

  // `pass` and strings.
  static bool is_remark(const Stmt& statement) {
    return statement.kind() == TK_PASS ||
           (statement.kind() == TK_EXPR_STMT && ExprStmt(statement).expr().kind() == TK_STRINGLITERAL);
  }

  // `x: int`, in a NamedTuple also `x: int = 1`.
  static std::optional<Assign> declaration(const Stmt& statement) {
    if (is_remark(statement)) return std::nullopt;
    if (statement.kind() != TK_ASSIGN || !Assign(statement).type().present())
      throw ErrorReport(statement.range()) << "a class holds methods and typed fields: `x: int`";
    return Assign(statement);
  }

  // `Enum` of `enum.Enum`.
  static std::string last_name(const Expr& expression) {
    if (expression.kind() == TK_VAR) return Var(expression).name().name();
    if (expression.kind() == '.') return Select(expression).selector().name();
    return std::string(expression.range().text().str());
  }

  std::shared_ptr<Unit> unit_;
  std::vector<Use> uses_;
  std::unordered_map<std::string, TreeRef> waiting_;
};

// A module in a module's method: children are called as in Python, `self.layer(x)`, and a list of them is walked over. No
// SimpleValue: the compiler would store it as a plain value.
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

// Names of Python's own that a pasted source imports and TorchScript knows without.
void skip_import(Lexer& lexer) {
  const Token first = lexer.next();
  const std::string module = lexer.cur().text();
  if (module != "torch" && module != "math" && module != "typing" && module != "enum")
    lexer.reportError("only torch, math, typing and enum can be imported, and need not be", first);
  while (lexer.cur().kind != TK_NEWLINE && lexer.cur().kind != TK_EOF) lexer.next();
}

// `for i, x in y` as `for (i, x) in y`: the compiler cannot unroll loops of the first form, as over children.
TreeRef with_single_targets(const TreeRef& tree) {
  const TreeRef whole = tree->map([](TreeRef inner) { return with_single_targets(inner); });
  if (whole->kind() != TK_FOR) return whole;
  const For loop(whole);
  const auto targets = loop.targets();
  if (targets.size() < 2) return whole;
  const auto tuple = TupleLiteral::create(targets.range(), targets);
  return For::create(loop.range(), List<Expr>::create(targets.range(), {tuple}), loop.itrs(), loop.body()).tree();
}

std::vector<TreeRef> parse(const char* source, const char* file, int line, bool methods) {
  Parser parser(std::make_shared<Source>(std::string(source), std::string(file), static_cast<size_t>(line)));
  auto& lexer = parser.lexer();
  std::vector<TreeRef> definitions;
  while (lexer.cur().kind != TK_EOF) {
    const int kind = lexer.cur().kind;
    if (kind == TK_DEF)
      definitions.push_back(with_single_targets(parser.parseFunction(methods)));
    else if (kind == TK_CLASS_DEF && !methods)
      definitions.push_back(with_single_targets(parser.parseClass()));
    else if (kind == TK_NEWLINE || kind == TK_STRINGLITERAL)
      lexer.next();
    else if (kind == TK_IMPORT || (kind == TK_IDENT && lexer.cur().text() == "from"))
      skip_import(lexer);
    else
      lexer.expected(methods ? "`def`" : "`def` or `class`");
  }
  return definitions;
}

c10::FunctionSchema without_self(const c10::FunctionSchema& schema) {
  const auto& arguments = schema.arguments();
  return c10::FunctionSchema(schema.name(), schema.overload_name(), {arguments.begin() + 1, arguments.end()},
                             schema.returns());
}

std::string text_of(const c10::FunctionSchema& schema) {
  std::ostringstream text;
  text << schema;
  return text.str();
}

// What makes a NamedTuple, as a function.
torch::jit::Function* tuple_maker(Unit& unit, const std::string& name, const c10::TupleTypePtr& type) {
  const c10::QualifiedName maker(qualified(name), "new");
  if (auto* known = unit.find_function(maker)) return known;
  auto graph = std::make_shared<Graph>();
  std::vector<Value*> fields;
  for (const auto& field : type->schema()->arguments())
    fields.push_back(graph->addInput(field.name())->setType(field.type()));
  auto* node = graph->insertNode(graph->createTuple(fields, type));
  graph->registerOutput(node->output());
  auto* function = unit.create_function(maker, graph);
  function->setSchema(c10::FunctionSchema(name, "", type->schema()->arguments(), {c10::Argument("", type)}));
  return function;
}

std::vector<std::string> describe(Unit& unit, const std::string& name) {
  if (auto* function = unit.find_function(qualified(name))) return {"function", text_of(function->getSchema())};
  const auto type = unit.get_type(qualified(name));
  if (const auto tuple = type->cast<c10::TupleType>())
    return {"NamedTuple", text_of(tuple_maker(unit, name, tuple)->getSchema())};
  std::vector<std::string> lines;
  if (const auto members = type->cast<c10::EnumType>()) {
    lines = {"enum", name};
    for (const auto& member : members->enumNamesValues()) lines.push_back(member.first);
    return lines;
  }
  const auto it = type->expect<c10::ClassType>();
  lines = {"class", name};
  for (auto* method : it->methods()) {
    if (method->name() == "__init__")
      lines[1] = text_of(ts_callable(it, nullptr).constructor_schema());
    else
      lines.push_back(text_of(without_self(method->getSchema())));
  }
  return lines;
}

// Of what the messages about depth speak.
constexpr const char* kWhose = "The source's";

// Throws if the text is nested too deeply.
size_t stack_for(const char* source) {
  Code code(kWhose);
  code.read(source, "");
  code.check_classes();
  return code.stack();
}

std::atomic<ts_print_fn> print_to{nullptr};

void print_text(const std::string& text) {
  if (print_to.load()(text.data(), text.size()) != TS_OK) throw HostJump();
}

}  // namespace
}  // namespace shim

struct ts_unit {
  std::shared_ptr<shim::Unit> unit;
};

using shim::Arena;
using shim::guarded;
using shim::guarded_result;

int ts_unit_compile(const char* source, const char* file, int line, const ts_use* uses, size_t n_uses, ts_unit** out) {
  return guarded([&] {
    auto unit = std::make_shared<shim::Unit>();
    std::vector<shim::Use> known;
    for (size_t i = 0; i < n_uses; ++i) {
      const auto& use = uses[i];
      TORCH_CHECK(use.unit || use.function->function, "an operator can't be used in a unit");
      known.push_back({use.name, use.unit ? use.unit->unit : nullptr, use.unit ? nullptr : use.function->function});
      unit->uses.push_back(use.unit ? use.unit->unit : use.function->unit);
    }
    const auto compiler = std::make_shared<shim::Compiler>(unit, std::move(known));
    shim::with_stack(shim::stack_for(source), [&] {
      compiler->compile(shim::parse(source, file, line, /*methods=*/false));
      shim::check_calls(*unit, shim::kWhose);
    });
    *out = new ts_unit{unit};
  });
}

int ts_unit_list(ts_unit* handle, ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, Arena& own) {
    const auto& names = handle->unit->names;
    value.tag = TS_DICT;
    value.len = static_cast<int64_t>(names.size());
    value.as.items = own.get().new_items(2 * names.size());
    for (size_t i = 0; i < names.size(); ++i) {
      value.as.items[2 * i] = shim::string_value(names[i], own);
      value.as.items[2 * i + 1] = shim::string_list(shim::describe(*handle->unit, names[i]), own);
    }
  });
}

int ts_unit_function(ts_unit* handle, const char* name, ts_callable** out) {
  return guarded([&] {
    auto& unit = *handle->unit;
    if (auto* function = unit.find_function(shim::qualified(name))) {
      *out = new ts_callable(function, handle->unit);
      return;
    }
    const auto type = unit.get_type(shim::qualified(name));
    TORCH_CHECK(type, "this unit defines no `", name, "`");
    if (const auto tuple = type->cast<c10::TupleType>()) {
      *out = new ts_callable(shim::tuple_maker(unit, name, tuple), handle->unit);
    } else {
      *out = new ts_callable(type->expect<c10::ClassType>(), handle->unit);
    }
  });
}

int ts_unit_enum(ts_unit* handle, const char* name, ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, Arena& own) {
    const auto named = handle->unit->get_type(shim::qualified(name));
    TORCH_CHECK(named && named->cast<c10::EnumType>(), "`", name, "` is no enum");
    const auto type = named->expect<c10::EnumType>();
    const auto members = type->enumNamesValues();
    value.tag = TS_DICT;
    value.len = static_cast<int64_t>(members.size());
    value.as.items = own.get().new_items(2 * members.size());
    size_t i = 0;
    for (const auto& member : members) {
      value.as.items[i++] = shim::string_value(member.first, own);
      shim::from_ivalue(c10::IValue(c10::make_intrusive<c10::ivalue::EnumHolder>(type, member.first, member.second)),
                        value.as.items[i++], own);
    }
  });
}

void ts_unit_release(ts_unit* unit) { delete unit; }

int ts_module_define(ts_module* module, const char* source, const char* file, int line) {
  return guarded([&] {
    const auto type = module->module.type();
    const auto unit = module->module._ivalue()->compilation_unit();
    const auto resolver = std::make_shared<shim::BuiltinResolver>();
    const shim::ModuleSelf self(type);
    shim::with_stack(shim::stack_for(source), [&] {
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
        shim::check_calls(*unit, shim::kWhose);
      } catch (...) {
        // What is registered before it compiles must not stand in the way of a second attempt.
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

int ts_set_print(ts_print_fn print) {
  return guarded([&] {
    shim::print_to = print;
    torch::jit::setPrintHandler(shim::print_text);
  });
}
