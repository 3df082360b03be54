#include "jit/compiler.h"

#include "jit/builtins.h"

#include <torch/csrc/jit/frontend/error_report.h>
#include <torch/csrc/jit/frontend/parser.h>
#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/frontend/script_type_parser.h>

#include <algorithm>
#include <optional>

namespace shim {
namespace {

using namespace torch::jit;

SugaredValuePtr value_named(const Unit& unit, const std::string& name) {
  if (auto* function = unit.find_function(qualified(name))) return std::make_shared<FunctionValue>(function);
  const auto type = unit.get_type(qualified(name));
  if (!type) return nullptr;
  if (const auto it = type->cast<c10::ClassType>()) return std::make_shared<ClassValue>(it);
  if (const auto it = type->cast<c10::TupleType>()) return std::make_shared<NamedTupleConstructor>(it);
  if (const auto it = type->cast<c10::EnumType>()) return std::make_shared<SugaredEnumClass>(it);
  return nullptr;
}

// A name that stands for another unit, as in `geometry.area(x)`.
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

// Defines each name when it is first needed, so that the order of definitions in the source does not matter.
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
    // Classes come first. The compiler knows their fields only after `__init__`, and functions that methods call may
    // take instances.
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

  // The fields are parsed as if they were the arguments of a function, with types and defaults.
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

  // Whether a statement does nothing: `pass`, or a string.
  static bool is_remark(const Stmt& statement) {
    return statement.kind() == TK_PASS ||
           (statement.kind() == TK_EXPR_STMT && ExprStmt(statement).expr().kind() == TK_STRINGLITERAL);
  }

  // The declaration of a field: `x: int`, in a NamedTuple also `x: int = 1`. Nothing for a remark.
  static std::optional<Assign> declaration(const Stmt& statement) {
    if (is_remark(statement)) return std::nullopt;
    if (statement.kind() != TK_ASSIGN || !Assign(statement).type().present())
      throw ErrorReport(statement.range()) << "a class holds methods and typed fields: `x: int`";
    return Assign(statement);
  }

  // The last part of a name: `Enum` of `enum.Enum`.
  static std::string last_name(const Expr& expression) {
    if (expression.kind() == TK_VAR) return Var(expression).name().name();
    if (expression.kind() == '.') return Select(expression).selector().name();
    return std::string(expression.range().text().str());
  }

  std::shared_ptr<Unit> unit_;
  std::vector<Use> uses_;
  std::unordered_map<std::string, TreeRef> waiting_;
};

}  // namespace

void compile_into(std::shared_ptr<Unit> unit, std::vector<Use> uses, const std::vector<TreeRef>& definitions) {
  std::make_shared<Compiler>(std::move(unit), std::move(uses))->compile(definitions);
}

}  // namespace shim
