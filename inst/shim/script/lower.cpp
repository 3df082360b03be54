#include <algorithm>
#include <cmath>

#include "script/lowering.h"

namespace shim::script {
namespace {

// Names that mean a function of Python's to LibTorch's compiler where no variable has them.
bool is_taken(const std::string& name) {
  static const std::set<std::string> taken = {
      "print",  "tuple",  "float",     "int",   "complex",   "bool", "str", "getattr", "hasattr", "isinstance",
      "range",  "zip",    "list",      "dict",  "enumerate", "min",  "max", "abs",     "all",     "any",
      "divmod", "sorted", "sum",       "pow",   "hash",      "hex",  "oct", "round",   "bin",     "ord",
      "chr",    "len",    "rangelist", "index", "super",     "type", "del", "annotate"};
  return taken.count(name) > 0;
}

}  // namespace

std::string variable_name(const std::string& name) { return is_taken(name) ? "R." + name : name; }

std::string r_variable(const std::string& name) {
  const std::string own = name.rfind("R.", 0) == 0 ? name.substr(2) : "";
  return is_taken(own) ? own : name;
}

static bool calls(const ts_code& code, const char* name) {
  if (is_call(code, name)) return true;
  for (size_t i = 0; i < code.n; ++i)
    if (calls(code.items[i], name)) return true;
  return false;
}

Def Lower::run() {
  const auto place = function_.range(function_.code);
  std::vector<Param> parameters;
  std::vector<Stmt> body;
  out_ = &body;
  if (signature_.is_method) {
    parameters.push_back(Param::create(place, Ident::create(place, "self"), Maybe<Expr>::create(place),
                                       Maybe<Expr>::create(place), false));
    defined_.insert("self");
    met_.insert("self");
  }
  for (const auto& parameter : signature_.parameters) {
    const auto type = Maybe<Expr>::create(place, type_expression(parameter.type));
    const auto value = parameter.default_value ? Maybe<Expr>::create(place, constant(*parameter.default_value, place))
                                               : Maybe<Expr>::create(place);
    if (function_.early.count(parameter.name)) {
      const auto ident = Ident::create(place, begin_of(parameter.name));
      parameters.push_back(Param::create(place, ident, type, value, false));
      continue;
    }
    if (parameter.is_given) {
      const std::string given = kGiven + parameter.name;
      parameters.push_back(Param::create(place, Ident::create(place, given), type, value, false));
      met_.insert(parameter.name);
      assign(parameter.name, name(given, place), place);
      continue;
    }
    parameters.push_back(Param::create(place, Ident::create(place, variable_name(parameter.name)), type, value, false));
    defined_.insert(parameter.name);
    defined_here_.insert(parameter.name);
    met_.insert(parameter.name);
    // The caller's value never changes: the function changes a variable that owns a copy.
    if (function_.changed.count(parameter.name)) assign(parameter.name, variable(parameter.name, place), place);
  }
  has_grad_mode_ = calls(function_.body(), "with_no_grad") || calls(function_.body(), "with_enable_grad");
  begin_variables();
  // LibTorch's compiler wants a value for a variable that a loop or a branch may leave without one.
  for (const auto& [open, nothing] : signature_.open) {
    assign(open, constant(nothing, place), place);
    mark(open, false, place);
  }
  certain_.clear();
  for (const size_t formal : signature_.defaults) waiting_.insert(formal);
  for (const size_t formal : signature_.defaults)
    if (waiting_.count(formal) && !is_late(formal)) compute_default(formal);
  tail(function_.body());
  const auto decl = Decl::create(place, List<Param>::create(place, parameters), Maybe<Expr>::create(place));
  return Def::create(place, Ident::create(place, signature_.name), decl, List<Stmt>::create(place, body));
}

// Gives variables that are read before the function assigns them the values that R finds around it.
void Lower::begin_variables() {
  for (const auto& [variable, read] : function_.early) {
    if (signature_.without.count(variable)) continue;
    const auto& given = signature_.parameters;
    const bool is_captured =
        std::any_of(given.begin(), given.end(), [&](const Parameter& it) { return it.name == variable; });
    const auto* known = function_.known(variable);
    if (!is_captured && (!known || known->is_function || known->refused)) continue;
    const auto place = function_.range(*read.read);
    Exprs value;
    if (is_captured) value.push_back(name(begin_of(variable), place));
    begun_.insert(variable);
    assign(variable, apply((read.certain ? "begin:" : "may_begin:") + variable, place, value), place);
  }
}

// Whether the code reads the variable, or what is written inside of it may.
static bool reads(const ts_code& code, const std::string& variable) {
  if (is_name(code)) return code.text == variable;
  if (is_call(code, "missing")) return false;
  const size_t from = is_assignment(code) && is_name(code.items[1]) ? 2 : 0;
  // What stands behind `$` is no variable.
  const size_t to = is_call(code, "$") || is_call(code, "@") ? 2 : code.n;
  for (size_t i = from; i < to; ++i)
    if (reads(code.items[i], variable)) return true;
  return false;
}

static bool assigns(const ts_code& code, const std::string& variable) {
  if (code.kind != TS_CODE_CALL) return false;
  if (is_call(code, "for") && code.n == 4 && variable == code.items[1].text) return true;
  if (is_assignment(code)) {
    const auto* base = base_of(code.items[1]);
    if (base ? variable == base->text : code.items[1].text && variable == code.items[1].text) return true;
  }
  for (size_t i = 0; i < code.n; ++i)
    if (assigns(code.items[i], variable)) return true;
  return false;
}

// R computes a default when its argument is first asked for. That makes a difference where it reads a variable that the
// function gives other values, or ends in an error.
bool Lower::is_late(size_t formal) {
  const auto& code = function_.default_of(formal);
  if (calls(code, "stop")) return true;
  for (const auto& variable : function_.assigned)
    if (reads(code, variable)) return true;
  for (const size_t other : signature_.defaults)
    if (other != formal && reads(code, function_.formals[other]) && calls(function_.default_of(other), "stop"))
      return true;
  return false;
}

void Lower::compute_default(size_t formal) {
  const auto& code = function_.default_of(formal);
  const std::string variable = function_.formals[formal];
  waiting_.erase(formal);
  computing_.push_back(variable);
  for (const auto& around : computing_)
    if (reads(code, around))
      refuse(code, "the default of `" + variable + "` needs `" + around + "`, which needs that default");
  ask_for_defaults(code);
  computing_.pop_back();
  assign(variable, expression(code), function_.range(code));
}

// Defaults that the code asks for, before it. Only what stands in no loop or branch is asked.
void Lower::ask_for_defaults(const ts_code& code) {
  if (waiting_.empty()) return;
  // Of a condition that is known one branch is compiled.
  const auto known = is_call(code, "if") && code.n > 2 ? known_test(code.items[1]) : std::nullopt;
  if (known) {
    const size_t taken = *known ? 2 : 3;
    if (taken < code.n) ask_for_defaults(code.items[taken]);
    return;
  }
  // What decides about a branch or loop comes before what is in it.
  if ((is_call(code, "if") || is_call(code, "while")) && code.n > 2) ask_for_defaults(code.items[1]);
  if (is_call(code, "for") && code.n == 4) ask_for_defaults(code.items[2]);
  const auto all = waiting_;
  for (const size_t formal : all) {
    const std::string& variable = function_.formals[formal];
    if (!waiting_.count(formal) || !reads(code, variable)) continue;
    const bool at_last = is_assignment(code) && is_name(code.items[1]);
    for (const auto& other : function_.assigned)
      if (!at_last && reads(function_.default_of(formal), other) && assigns(code, other))
        refuse(code, "R computes the default of `" + variable +
                         "` in the middle of this, when it is first asked for: ask for it in a "
                         "statement before, or after `" +
                         other + "` has its value");
    compute_default(formal);
  }
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
  if (value == 0 && std::signbit(value)) return apply("inner:negative_zero", place, {});
  if (std::isinf(value)) {
    const Expr inf = apply("inner:inf", place, {});
    return value < 0 ? Expr(UnaryOp::create(place, TK_UNARY_MINUS, inf)) : inf;
  }
  char text[40];
  std::snprintf(text, sizeof text, whole ? "%.0f" : "%.17g", std::fabs(value));
  std::string digits = text;
  if (!whole && digits.find_first_of(".e") == std::string::npos) digits += ".0";
  const Expr it = Const::create(place, digits);
  return std::signbit(value) ? Expr(UnaryOp::create(place, TK_UNARY_MINUS, it)) : it;
}

Expr Lower::constant(const c10::IValue& value, const SourceRange& place) {
  if (value.isBool()) return logical(value.toBool(), place);
  const bool is_exact = value.isInt() && std::abs(static_cast<double>(value.toInt())) <= 9007199254740992.0;
  if (is_exact) return number(static_cast<double>(value.toInt()), true, place);
  if (value.isDouble()) return number(value.toDouble(), false, place);
  if (value.isString()) return string(value.toStringRef(), place);
  if (value.isNone()) return none(place);
  return name("R:constant:" + std::to_string(numbers_.number_of(value)), place);
}

// Makes a tree of R's that has the place of another one.
const ts_code& Lower::written(const ts_code& like, int32_t kind, const char* text, double value) {
  codes_.push_back({kind, like.begin, like.end, value, text, 0, nullptr, nullptr});
  return codes_.back();
}

const ts_code& Lower::written_call(const ts_code& like, const char* head, std::vector<ts_code> arguments) {
  arguments.insert(arguments.begin(), written(like, TS_CODE_NAME, head));
  items_.push_back(std::move(arguments));
  names_.emplace_back(items_.back().size(), nullptr);
  codes_.push_back({TS_CODE_CALL, like.begin, like.end, 0, nullptr, items_.back().size(), items_.back().data(),
                    names_.back().data()});
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
