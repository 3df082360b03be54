#include "script/lowering.h"

#include <cmath>

namespace shim::script {
namespace {

// Names that LibTorch's compiler knows by itself where no variable has them.
bool is_taken(const std::string& name) {
  static const std::set<std::string> taken = {
      "print", "tuple", "float", "int", "complex", "bool", "str", "getattr", "hasattr", "isinstance", "range", "zip", "list",
      "dict", "enumerate", "min", "max", "abs", "all", "any", "divmod", "sorted", "sum", "pow", "hash", "hex", "oct", "round",
      "bin", "ord", "chr", "len", "rangelist", "index", "super", "type", "del", "annotate"};
  return taken.count(name) > 0;
}

}  // namespace

std::string variable_name(const std::string& name) { return is_taken(name) ? "R." + name : name; }

Def Lower::run() {
  const auto place = function_.range(function_.code);
  std::vector<Param> parameters;
  std::vector<Stmt> body;
  out_ = &body;
  if (signature_.is_method) {
    parameters.push_back(Param::create(place, Ident::create(place, "self"), Maybe<Expr>::create(place),
                                       Maybe<Expr>::create(place), false));
    defined_.insert("self");
  }
  for (const auto& parameter : signature_.parameters) {
    const auto type = Maybe<Expr>::create(place, type_expression(parameter.type));
    const auto value = parameter.default_value ? Maybe<Expr>::create(place, constant(*parameter.default_value, place))
                                               : Maybe<Expr>::create(place);
    parameters.push_back(Param::create(place, Ident::create(place, variable_name(parameter.name)), type, value, false));
    defined_.insert(parameter.name);
    defined_here_.insert(parameter.name);
    // A parameter that the function changes is a variable of its own.
    if (function_.changed.count(parameter.name)) assign(parameter.name, variable(parameter.name, place), place);
  }
  // LibTorch's compiler wants a value for a variable that a loop or a branch may leave without one.
  for (const auto& open : signature_.open)
    if (!defined_.count(open)) assign(open, none(place), place);
  for (const size_t formal : signature_.defaults)
    assign(function_.formals[formal], expression(function_.default_of(formal)), place);
  tail(function_.body());
  const auto decl = Decl::create(place, List<Param>::create(place, parameters), Maybe<Expr>::create(place));
  return Def::create(place, Ident::create(place, signature_.name), decl, List<Stmt>::create(place, body));
}

Expr Lower::apply(const std::string& what, const SourceRange& place, const Exprs& inputs,
                  const std::vector<Attribute>& named) {
  return Apply::create(place, name("R:" + what, place), List<Expr>::create(place, inputs),
                       List<Attribute>::create(place, named));
}

Expr Lower::logical(bool value, const SourceRange& place) {
  return Expr(Compound::create(value ? TK_TRUE : TK_FALSE, place, {}));
}

Expr Lower::number(double value, bool whole, const SourceRange& place) {
  if (std::isnan(value)) return apply("inner:nan", place, {});
  if (std::isinf(value)) return apply("inner:inf", place, {});
  char text[40];
  std::snprintf(text, sizeof text, whole ? "%.0f" : "%.17g", std::fabs(value));
  std::string digits = text;
  if (!whole && digits.find_first_of(".e") == std::string::npos) digits += ".0";
  const Expr it = Const::create(place, digits);
  return std::signbit(value) ? Expr(UnaryOp::create(place, TK_UNARY_MINUS, it)) : it;
}

Expr Lower::constant(const c10::IValue& value, const SourceRange& place) {
  if (value.isBool()) return logical(value.toBool(), place);
  if (value.isInt()) return number(static_cast<double>(value.toInt()), true, place);
  if (value.isDouble()) return number(value.toDouble(), false, place);
  if (value.isString()) return string(value.toStringRef(), place);
  if (value.isNone()) return none(place);
  return name("R:constant:" + std::to_string(numbers_.number_of(value)), place);
}

// A tree of R's, in the place of another.
const ts_code& Lower::written(const ts_code& like, int32_t kind, const char* text, double value) {
  codes_.push_back({kind, like.begin, like.end, value, text, 0, nullptr, nullptr});
  return codes_.back();
}

const ts_code& Lower::written_call(const ts_code& like, const char* head, std::vector<ts_code> arguments) {
  arguments.insert(arguments.begin(), written(like, TS_CODE_NAME, head));
  items_.push_back(std::move(arguments));
  names_.emplace_back(items_.back().size(), nullptr);
  codes_.push_back(
      {TS_CODE_CALL, like.begin, like.end, 0, nullptr, items_.back().size(), items_.back().data(), names_.back().data()});
  return codes_.back();
}

const char* Lower::keep(std::string text) {
  texts_.push_back(std::move(text));
  return texts_.back().c_str();
}

Expr type_expression(const std::string& key) {
  const auto source = std::make_shared<Source>(key, std::string("<type>"), 1);
  const SourceRange range(source, 0, key.size());
  return Var::create(range, Ident::create(range, key));
}

Def lower(Function& function, const Signature& signature, Numbers& numbers) {
  return Lower(function, signature, numbers).run();
}

}  // namespace shim::script
