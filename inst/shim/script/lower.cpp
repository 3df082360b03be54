#include "script/lower.h"

#include <torch/csrc/jit/frontend/error_report.h>

#include <cmath>
#include <deque>
#include <limits>
#include <optional>
#include <unordered_map>

namespace shim::script {
namespace {

using namespace torch::jit;

// Names that LibTorch's compiler knows by itself where no variable has them.
bool is_taken(const std::string& name) {
  static const std::set<std::string> taken = {
      "print", "tuple", "float", "int", "complex", "bool", "str", "getattr", "hasattr", "isinstance", "range", "zip", "list",
      "dict", "enumerate", "min", "max", "abs", "all", "any", "divmod", "sorted", "sum", "pow", "hash", "hex", "oct", "round",
      "bin", "ord", "chr", "len", "rangelist", "index", "super", "type", "del", "annotate"};
  return taken.count(name) > 0;
}

std::string variable_name(const std::string& name) { return is_taken(name) ? "R." + name : name; }

class Lower {
 public:
  Lower(Function& function, const Signature& signature, Numbers& numbers)
      : function_(function), signature_(signature), numbers_(numbers) {}

  Def run() {
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

 private:
  using Exprs = std::vector<Expr>;

  // --- trees -------------------------------------------------------------------------------------------------------

  [[noreturn]] void refuse(const ts_code& code, const std::string& why) { throw ErrorReport(function_.range(code)) << why; }

  Expr name(const std::string& text, const SourceRange& place) { return Var::create(place, Ident::create(place, text)); }
  Expr variable(const std::string& text, const SourceRange& place) { return name(variable_name(text), place); }

  Expr apply(const std::string& what, const SourceRange& place, const Exprs& inputs,
             const std::vector<Attribute>& named = {}) {
    return Apply::create(place, name("R:" + what, place), List<Expr>::create(place, inputs),
                         List<Attribute>::create(place, named));
  }
  Expr none(const SourceRange& place) { return Expr(Compound::create(TK_NONE, place, {})); }
  Expr logical(bool value, const SourceRange& place) {
    return Expr(Compound::create(value ? TK_TRUE : TK_FALSE, place, {}));
  }
  Expr number(double value, bool whole, const SourceRange& place) {
    if (std::isnan(value)) return apply("inner:nan", place, {});
    if (std::isinf(value)) return apply("inner:inf", place, {});
    char text[40];
    std::snprintf(text, sizeof text, whole ? "%.0f" : "%.17g", std::fabs(value));
    std::string digits = text;
    if (!whole && digits.find_first_of(".e") == std::string::npos) digits += ".0";
    const Expr it = Const::create(place, digits);
    return std::signbit(value) ? Expr(UnaryOp::create(place, TK_UNARY_MINUS, it)) : it;
  }
  Expr string(const std::string& text, const SourceRange& place) { return StringLiteral::create(place, text); }
  Expr constant(const c10::IValue& value, const SourceRange& place) {
    if (value.isBool()) return logical(value.toBool(), place);
    if (value.isInt()) return number(static_cast<double>(value.toInt()), true, place);
    if (value.isDouble()) return number(value.toDouble(), false, place);
    if (value.isString()) return string(value.toStringRef(), place);
    return none(place);
  }

  // A tree of R's, in the place of another.
  const ts_code& written(const ts_code& like, int32_t kind, const char* text = nullptr, double value = 0) {
    codes_.push_back({kind, like.begin, like.end, value, text, 0, nullptr, nullptr});
    return codes_.back();
  }
  const ts_code& written_call(const ts_code& like, const char* head, std::vector<ts_code> arguments) {
    arguments.insert(arguments.begin(), written(like, TS_CODE_NAME, head));
    items_.push_back(std::move(arguments));
    names_.emplace_back(items_.back().size(), nullptr);
    codes_.push_back(
        {TS_CODE_CALL, like.begin, like.end, 0, nullptr, items_.back().size(), items_.back().data(), names_.back().data()});
    return codes_.back();
  }
  const char* keep(std::string text) {
    texts_.push_back(std::move(text));
    return texts_.back().c_str();
  }
  std::string new_name() { return "R.v" + std::to_string(++n_names_); }

  // --- statements --------------------------------------------------------------------------------------------------

  void add(const Stmt& statement) { out_->push_back(statement); }

  template <class Body>
  std::vector<Stmt> block(Body&& body) {
    std::vector<Stmt> made;
    auto* outer = out_;
    const auto defined = defined_;
    std::set<std::string> here;
    here.swap(defined_here_);
    out_ = &made;
    body();
    out_ = outer;
    defined_ = defined;
    defined_here_.swap(here);
    return made;
  }
  List<Stmt> list_of(const std::vector<Stmt>& statements, const SourceRange& place) {
    return List<Stmt>::create(place, statements);
  }

  // `owned`: it is what the variable holds already, with another part.
  void assign(const std::string& to, const Expr& value, const SourceRange& place, bool owned = false) {
    const auto declared = signature_.declared.find(to);
    const bool annotate = declared != signature_.declared.end() && !defined_.count(to);
    const auto type = annotate ? Maybe<Expr>::create(place, type_expression(declared->second)) : Maybe<Expr>::create(place);
    // A value from inside of a loop or branch must be of the type that the variable has outside.
    const bool inside = defined_.count(to) && !defined_here_.count(to);
    const Expr noted = apply((owned ? "reassign:" : inside ? "assign_inside:" : "assign:") + to, place, {value});
    add(Assign::create(place, List<Expr>::create(place, {variable(to, place)}), Maybe<Expr>::create(place, noted), type));
    defined_.insert(to);
    defined_here_.insert(to);
  }

  // `place <- value`, of which `x[i] <- value` is `x <- "[<-"(x, i, value)`.
  void assign_to(const ts_code& place, const Expr& value, const SourceRange& range, bool owned = false) {
    if (is_name(place) || place.kind == TS_CODE_STRING) return assign(place.text, value, range, owned);
    const auto& of = place.items[1];
    const Expr whole = expression(of);
    // What a variable alone holds is changed where it lies.
    const std::string target = is_name(of) ? std::string(of.text) : "";
    const std::string head = callee(place);
    Exprs inputs = {whole};
    std::string what;
    if (head == "[" || head == "[[") {
      std::string pattern;
      bool keep_dims = false;
      entries(place, head == "[[", pattern, inputs, keep_dims);
      what = (head == "[" ? "put:" : "put2:") + pattern + ":" + target;
    } else if (head == "$") {
      what = "putfield:" + field_of(place) + ":" + target;
    } else {
      refuse(place, "`" + head + "() <- ` is not compiled: parts are given values by `[`, `[[` and `$`");
    }
    inputs.push_back(value);
    assign_to(of, apply(what, range, inputs), range, /*owned=*/true);
  }

  std::string field_of(const ts_code& code) {
    const auto& field = code.items[2];
    if (!is_name(field) && field.kind != TS_CODE_STRING) refuse(code, "what stands behind `$` must be a name");
    return field.text;
  }

  bool is_own(const std::string& head) { return function_.function_named(head) != nullptr; }

  void statement(const ts_code& code) {
    const auto range = function_.range(code);
    const std::string head = callee(code);
    if (code.kind != TS_CODE_CALL) {
      if (code.kind == TS_CODE_NAME) add(ExprStmt::create(range, expression(code)));
      return;
    }
    if (is_own(head)) return add(ExprStmt::create(range, expression(code)));
    if (head == "{") {
      for (size_t i = 1; i < code.n; ++i) statement(code.items[i]);
    } else if (head == "(" || head == "invisible") {
      if (code.n == 2) statement(code.items[1]);
    } else if (is_assignment(code)) {
      const auto& value = code.items[2];
      const bool is_variable = is_name(code.items[1]) || code.items[1].kind == TS_CODE_STRING;
      if (is_variable && alias(code.items[1].text, value)) return;
      // A function is known from where it is written; there is nothing to do.
      if (is_variable && value.kind == TS_CODE_FUNCTION) return;
      assign_to(code.items[1], expression(value), range);
    } else if (head == "if") {
      branch(code, [this](const ts_code& part) { statement(part); }, [] {});
    } else if (head == "switch") {
      statement(choice(code));
    } else if (head == "for") {
      for_loop(code);
    } else if (head == "while") {
      while_loop(code.items[1], code.items[2], range);
    } else if (head == "repeat") {
      const auto body = block([&] { statement(code.items[1]); });
      add(While::create(range, logical(true, range), list_of(body, range)));
    } else if (head == "break") {
      add(Break::create(range));
    } else if (head == "next") {
      add(Continue::create(range));
    } else if (head == "return") {
      if (code.n > 2) refuse(code, "`return()` takes one value");
      if (code.n == 2) return tail(code.items[1]);
      give(none(range), range);
    } else if (head == "stop") {
      add(Raise::create(range, call(code)));
    } else if (raises(head)) {
      const bool plain = code.n > 1 && code.items[1].kind == TS_CODE_STRING;
      const std::string text = plain ? code.items[1].text : "an argument is not what it must be";
      add(Raise::create(range, apply("inner:error", range, {string(text, range)})));
    } else if (head == "stopifnot") {
      for (size_t i = 1; i < code.n; ++i) check(code.items[i], code.names[i]);
    } else if (head == "with_no_grad" || head == "with_enable_grad") {
      add(With::create(range, List<WithItem>::create(range, {grad_mode(head, range)}),
                       list_of(block([&] { statement(code.items[1]); }), range)));
    } else if (head == "library" || head == "require") {
      refuse(code, "`" + head + "()` can't be in a program; it belongs before");
    } else {
      add(ExprStmt::create(range, expression(code)));
    }
  }

  // This package's own functions that raise errors.
  static bool raises(const std::string& head) {
    return head == "value_error" || head == "type_error" || head == "runtime_error" || head == "not_implemented_error";
  }

  // `f <- if (known) torch_relu else torch_tanh`: another name of a function.
  bool alias(const std::string& variable_of, const ts_code& value) {
    if (!function_.called.count(variable_of)) return false;
    const ts_code* at = &value;
    while (at->kind == TS_CODE_CALL) {
      const std::string head = callee(*at);
      if ((head == "(" || head == "{") && at->n == 2) {
        at = &at->items[1];
      } else if (const auto known = head == "if" && at->n == 4 ? known_test(at->items[1]) : std::nullopt) {
        at = &at->items[*known ? 2 : 3];
      } else {
        return false;
      }
    }
    if (!is_name(*at) || knows(at->text)) return false;
    aliases_[variable_of] = at->text;
    return true;
  }

  WithItem grad_mode(const std::string& head, const SourceRange& range) {
    return WithItem::create(range, apply("inner:" + head, range, {}), Maybe<Var>::create(range));
  }

  void check(const ts_code& condition_code, const char* message) {
    const auto range = function_.range(condition_code);
    const std::string text = message ? message : range.text().str() + " is not TRUE";
    const auto raise = block([&] {
      add(Raise::create(range, apply("inner:error", range, {string(text, range)})));
    });
    const auto fine = block([&] { add(Pass::create(range)); });
    add(If::create(range, condition(condition_code), list_of(fine, range), list_of(raise, range)));
  }

  std::optional<c10::IValue> known_constant(const ts_code& code) {
    if (is_call(code, "$") && signature_.setting && (is_name(code.items[1], "self") || is_name(code.items[1], "private")) &&
        code.items[2].text)
      return signature_.setting(code.items[2].text);
    if (!is_name(code)) return std::nullopt;
    const auto found = signature_.constants.find(code.text);
    if (found == signature_.constants.end()) return std::nullopt;
    return found->second;
  }

  // What a test of constants gives; nothing if that is not known.
  std::optional<bool> known_test(const ts_code& code) {
    const std::string head = callee(code);
    if (code.kind == TS_CODE_LOGICAL && !std::isnan(code.number)) return code.number != 0;
    if (const auto value = known_constant(code)) return value->isBool() ? std::optional<bool>(value->toBool()) : std::nullopt;
    if (code.kind != TS_CODE_CALL || is_own(head)) return std::nullopt;
    if (head == "(" && code.n == 2) return known_test(code.items[1]);
    if (head == "!" && code.n == 2) {
      const auto inner = known_test(code.items[1]);
      return inner ? std::optional<bool>(!*inner) : std::nullopt;
    }
    if ((head == "&&" || head == "||") && code.n == 3) {
      const auto left = known_test(code.items[1]), right = known_test(code.items[2]);
      const bool decides = head == "||";
      if ((left && *left == decides) || (right && *right == decides && left)) return decides;
      return left && right ? std::optional<bool>(!decides) : std::nullopt;
    }
    if (head == "is.null" && code.n == 2) {
      if (const auto value = known_constant(code.items[1])) return value->isNone();
      return std::nullopt;
    }
    if ((head == "==" || head == "!=" || head == "identical") && code.n == 3) {
      auto value = known_constant(code.items[1]);
      const auto* other = &code.items[2];
      if (!value) {
        value = known_constant(code.items[2]);
        other = &code.items[1];
      }
      if (!value || !value->isString() || other->kind != TS_CODE_STRING) return std::nullopt;
      return (value->toStringRef() == other->text) != (head == "!=");
    }
    return std::nullopt;
  }

  template <class Then, class Otherwise>
  void branch(const ts_code& code, Then&& then, Otherwise&& otherwise) {
    const auto range = function_.range(code);
    if (const auto known = known_test(code.items[1])) {
      if (*known) return then(code.items[2]);
      if (code.n > 3) return then(code.items[3]);
      return otherwise();
    }
    const Expr asked = condition(code.items[1]);
    const auto yes = block([&] { then(code.items[2]); });
    const auto no = block([&] {
      if (code.n > 3)
        then(code.items[3]);
      else
        otherwise();
    });
    add(If::create(range, asked, list_of(yes, range), list_of(no, range)));
  }

  // What a loop runs over, as LibTorch's compiler iterates over it.
  Expr iterated(const ts_code& code) {
    const auto range = function_.range(code);
    const std::string head = callee(code);
    if (!is_own(head)) {
      if (head == "(" && code.n == 2) return iterated(code.items[1]);
      if (head == ":" && code.n == 3)
        return apply("inner:range", range, {expression(code.items[1]), expression(code.items[2])});
      if (head == "seq_len" && code.n == 2) return apply("inner:seq_len", range, {expression(code.items[1])});
      if (head == "seq_along" && code.n == 2) return apply("inner:seq_along", range, {expression(code.items[1])});
    }
    if (!is_own(head) && head == "as.list" && code.n == 2) return iterated(code.items[1]);
    return apply("inner:items", range, {expression(code)});
  }

  void for_loop(const ts_code& code) {
    const auto range = function_.range(code);
    const std::string variable_of = code.items[1].text;
    const Expr over = iterated(code.items[2]);
    // The variable of the loop belongs to the loop: another value of that name before it may be of another type.
    const std::string item = new_name();
    const auto body = block([&] {
      assign(variable_of, name(item, range), function_.range(code.items[1]));
      statement(code.items[3]);
    });
    add(For::create(range, List<Expr>::create(range, {name(item, range)}), List<Expr>::create(range, {over}),
                    list_of(body, range)));
  }

  void while_loop(const ts_code& asked, const ts_code& body_code, const SourceRange& range) {
    Expr test = logical(true, range);
    const auto before = block([&] { test = condition(asked); });
    if (before.empty()) {
      const auto body = block([&] { statement(body_code); });
      add(While::create(range, test, list_of(body, range)));
      return;
    }
    const auto body = block([&] {
      for (const auto& it : before) add(it);
      const auto stop = block([&] { add(Break::create(range)); });
      const auto go_on = block([&] { add(Pass::create(range)); });
      add(If::create(range, test, list_of(go_on, range), list_of(stop, range)));
      statement(body_code);
    });
    add(While::create(range, logical(true, range), list_of(body, range)));
  }

  void give(const Expr& value, const SourceRange& range) {
    add(Return::create(range, apply("return", range, {value})));
  }

  // A statement whose value is what the function gives.
  void tail(const ts_code& code) {
    const auto range = function_.range(code);
    const std::string head = callee(code);
    if (code.kind != TS_CODE_CALL || is_own(head)) return give(expression(code), range);
    if (head == "{") {
      for (size_t i = 1; i + 1 < code.n; ++i) statement(code.items[i]);
      if (code.n == 1) return give(none(range), range);
      return tail(code.items[code.n - 1]);
    }
    if ((head == "(" || head == "invisible" || head == "return") && code.n == 2) return tail(code.items[1]);
    if (head == "if") {
      return branch(code, [this](const ts_code& part) { tail(part); }, [&] { give(none(range), range); });
    }
    if (head == "switch") return tail(choice(code));
    if (head == "stop" || raises(head)) return statement(code);
    if (is_assignment(code)) {
      if (code.items[2].kind == TS_CODE_FUNCTION) refuse(code, "a program can't give a function");
      statement(code);
      const auto* base = base_of(code.items[1]);
      return give(expression(base ? *base : code.items[1]), range);
    }
    static const std::set<std::string> without = {"for", "while", "repeat", "break", "next", "return", "stopifnot"};
    if (without.count(head)) {
      statement(code);
      if (head != "return" && head != "break" && head != "next") give(none(range), range);
      return;
    }
    give(expression(code), range);
  }

  // A statement whose value is kept in a variable of ours.
  void keep_value(const ts_code& code, const std::string& to) {
    const auto range = function_.range(code);
    const std::string head = callee(code);
    if (code.kind == TS_CODE_CALL && !is_own(head)) {
      static const std::set<std::string> leaves = {"return", "stop", "break", "next"};
      if (leaves.count(head) || raises(head)) return statement(code);
      if (head == "{" && code.n > 1) {
        for (size_t i = 1; i + 1 < code.n; ++i) statement(code.items[i]);
        return keep_value(code.items[code.n - 1], to);
      }
      if (head == "if") {
        return branch(code, [&](const ts_code& part) { keep_value(part, to); }, [&] { assign(to, none(range), range); });
      }
      if (head == "switch") return keep_value(choice(code), to);
    }
    assign(to, expression(code), range);
  }

  // Of a word that is known.
  const ts_code& chosen(const ts_code& code, const std::string& word) {
    const ts_code* rest = nullptr;
    bool found = false;
    for (size_t i = 2; i < code.n; ++i) {
      if (!code.names[i]) rest = &code.items[i];
      found = found || (code.names[i] && word == code.names[i]);
      if (found && code.items[i].kind != TS_CODE_MISSING) return code.items[i];
    }
    return rest ? *rest : written(code, TS_CODE_NULL);
  }

  // `switch` as a chain of `if`.
  const ts_code& choice(const ts_code& code) {
    if (code.n < 3) refuse(code, "`switch()` needs something to choose from");
    if (const auto value = known_constant(code.items[1]); value && value->isString()) return chosen(code, value->toStringRef());
    const std::string asked = new_name();
    const auto range = function_.range(code.items[1]);
    assign(asked, expression(code.items[1]), range);
    const auto& asked_code = written(code.items[1], TS_CODE_NAME, keep(asked));
    bool by_name = false;
    for (size_t i = 2; i < code.n; ++i) by_name = by_name || code.names[i];
    const ts_code* rest = nullptr;
    std::vector<std::pair<const ts_code*, const ts_code*>> cases;  // test, value
    const ts_code* tests = nullptr;
    for (size_t i = 2; i < code.n; ++i) {
      const auto& value = code.items[i];
      if (by_name && !code.names[i]) {
        if (rest) refuse(value, "`switch()` has two values for all other cases");
        rest = &value;
        continue;
      }
      const auto& wanted = by_name ? written(value, TS_CODE_STRING, code.names[i])
                                   : written(value, TS_CODE_DOUBLE, nullptr, static_cast<double>(i - 1));
      const auto& test = written_call(code.items[1], "==", {asked_code, wanted});
      tests = tests ? &written_call(code.items[1], "||", {*tests, test}) : &test;
      if (value.kind == TS_CODE_MISSING) continue;
      cases.emplace_back(tests, &value);
      tests = nullptr;
    }
    const ts_code* chain = rest ? rest : &written(code, TS_CODE_NULL);
    for (auto it = cases.rbegin(); it != cases.rend(); ++it)
      chain = &written_call(code, "if", {*it->first, *it->second, *chain});
    return *chain;
  }

  // --- expressions -------------------------------------------------------------------------------------------------

  Expr expression(const ts_code& code) {
    const auto range = function_.range(code);
    switch (code.kind) {
      case TS_CODE_NULL:
        return none(range);
      case TS_CODE_LOGICAL:
        if (std::isnan(code.number)) return apply("inner:nan", range, {});
        return logical(code.number != 0, range);
      case TS_CODE_INTEGER:
        if (std::isnan(code.number)) refuse(code, "a whole number can't be NA in a program; use `NaN`");
        return number(code.number, true, range);
      case TS_CODE_DOUBLE:
        return number(code.number, false, range);
      case TS_CODE_STRING:
        return string(code.text, range);
      case TS_CODE_NAME:
        return named_value(code);
      case TS_CODE_CALL:
        return called(code);
      case TS_CODE_FUNCTION:
        refuse(code, "a function can be given a name (`f <- function(x) ...`) or be an argument of `lapply()` and its like; "
                     "it is no value in a program");
      case TS_CODE_MISSING:
        refuse(code, "an argument is left out here");
      default:
        refuse(code, std::string(code.text) + " can't be in a program");
    }
  }

  Expr named_value(const ts_code& code) {
    const auto range = function_.range(code);
    const std::string text = code.text;
    if (text.rfind("R.", 0) == 0) return name(text, range);
    if (function_.function_named(text))
      refuse(code, "`" + text + "` is a function: a program can call it, but not pass it on as a value");
    if (in_index_ && text == "N" && !function_.locals.count("N")) return number(-1, true, range);
    if (const auto value = known_constant(code)) return constant(*value, range);
    if (text == "private" && knows("self")) return variable("self", range);
    if (signature_.open.count(text)) return apply("defined:" + text, range, {variable(text, range)});
    if (knows(text)) return variable(text, range);
    return name("R:var:" + text, range);
  }

  bool knows(const std::string& text) {
    if (function_.locals.count(text)) return true;
    for (const auto& captured : function_.captured)
      if (captured == text) return true;
    return false;
  }

  // A value that needs statements: they come before the one that it is part of.
  Expr computed(const ts_code& code) {
    const std::string to = new_name();
    keep_value(code, to);
    return name(to, function_.range(code));
  }

  Expr called(const ts_code& code) {
    const auto range = function_.range(code);
    const std::string head = callee(code);
    if (head.empty()) return call_expression(code);
    if (is_own(head)) return call(code);
    if (head == "(") return expression(argument(code, 1));
    if (head == "{") {
      if (code.n == 1) return none(range);
      for (size_t i = 1; i + 1 < code.n; ++i) statement(code.items[i]);
      return expression(code.items[code.n - 1]);
    }
    if (head == "invisible" && code.n == 2) return expression(code.items[1]);
    if (is_assignment(code)) {
      statement(code);
      return expression(code.items[1]);
    }
    if (head == "<<-") refuse(code, "`<<-` is not compiled: give the value back, and assign it where it is wanted");
    if (head == "if") return computed(code);
    if (head == "switch") return expression(choice(code));
    if (head == "&&" || head == "||" || (head == "!" && is_test(code.items[1])) || head == "is.null") return condition(code);
    if (head == "with_no_grad" || head == "with_enable_grad") {
      const std::string to = new_name();
      add(With::create(range, List<WithItem>::create(range, {grad_mode(head, range)}),
                       list_of(block([&] { keep_value(code.items[1], to); }), range)));
      return name(to, range);
    }
    static const std::set<std::string> statements = {"return", "break", "next", "repeat", "while", "for", "stop", "stopifnot"};
    if (statements.count(head) || raises(head)) {
      statement(code);
      return none(range);
    }
    if (head == "$") return apply("field:" + field_of(code), range, {expression(argument(code, 1))});
    if (head == "@") refuse(code, "`@` is not compiled");
    if (head == "[" || head == "[[") return indexed(code, head == "[[");
    if (head == "~") refuse(code, "a formula can't be in a program");
    if (head == "%>%" && code.n == 3) return expression(piped(code));
    if (head == "%||%" && code.n == 3) return or_else(code);
    // How this package asks for a shape.
    if (head == ".Call" && code.n == 3 && is_name(code.items[1], "C_shape"))
      return apply("call:dim", range, {expression(code.items[2])});
    if (head == "jit_fork") return fork(code);
    if (const auto* form = apply_form(head)) return (this->*form->lower)(code);
    return call(code);
  }

  const ts_code& argument(const ts_code& code, size_t i) {
    if (i >= code.n) refuse(code, "`" + callee(code) + "` needs an argument");
    return code.items[i];
  }

  // `!` of what is true or false anyway keeps what LibTorch learns of it, as `!is.null(x)` does.
  bool is_test(const ts_code& code) {
    const std::string head = callee(code);
    if (is_own(head)) return false;
    if (head == "(" && code.n == 2) return is_test(code.items[1]);
    return head == "is.null" || head == "&&" || head == "||" || (head == "!" && code.n == 2 && is_test(code.items[1]));
  }

  // `is.null(x)` among what `||` asks before, `!is.null(x)` of `&&`; NULL if there is none.
  const ts_code* null_test(const ts_code& code, bool any) {
    const std::string head = callee(code);
    if (code.kind != TS_CODE_CALL || is_own(head)) return nullptr;
    if (head == "(" && code.n == 2) return null_test(code.items[1], any);
    if (head == (any ? "||" : "&&") && code.n == 3) {
      const auto* first = null_test(code.items[1], any);
      return first ? first : null_test(code.items[2], any);
    }
    if (any) return head == "is.null" ? &code : nullptr;
    return head == "!" && code.n == 2 && is_call(code.items[1], "is.null") ? &code : nullptr;
  }

  // True or false, as LibTorch's compiler has it, which learns from `is.null()` what may be NULL.
  Expr condition(const ts_code& code) {
    const auto range = function_.range(code);
    const std::string head = callee(code);
    if (code.kind == TS_CODE_CALL && !is_own(head)) {
      if (head == "(" && code.n == 2) return condition(code.items[1]);
      if (head == "!" && code.n == 2) return UnaryOp::create(range, TK_NOT, condition(code.items[1]));
      if (head == "is.null" && code.n == 2) return BinOp::create(range, TK_IS, expression(code.items[1]), none(range));
      if ((head == "&&" || head == "||") && code.n == 3) {
        const int kind = head == "&&" ? TK_AND : TK_OR;
        const Expr left = condition(code.items[1]);
        Expr right = left;
        const auto before = block([&] { right = condition(code.items[2]); });
        // Of a variable that is always NULL nothing else is asked: its other types are not known yet.
        if (const auto* asked = null_test(code.items[1], kind == TK_OR)) {
          const Expr known = logical(kind == TK_OR, range);
          const Expr test = condition(*asked);
          right = kind == TK_OR ? TernaryIf::create(range, test, known, right) : TernaryIf::create(range, test, right, known);
        }
        if (before.empty()) return BinOp::create(range, kind, left, right);
        const std::string to = new_name();
        assign(to, left, range);
        const auto then = block([&] {
          for (const auto& it : before) add(it);
          assign(to, right, range);
        });
        const Expr asked = kind == TK_AND ? name(to, range) : Expr(UnaryOp::create(range, TK_NOT, name(to, range)));
        add(If::create(range, asked, list_of(then, range), list_of(block([&] { add(Pass::create(range)); }), range)));
        return name(to, range);
      }
    }
    if (code.kind == TS_CODE_LOGICAL && !std::isnan(code.number)) return logical(code.number != 0, range);
    return apply("inner:condition", range, {expression(code)});
  }

  // `a %||% b`: b where a is NULL.
  Expr or_else(const ts_code& code) {
    const ts_code* asked = &code.items[1];
    if (!known_constant(*asked)) {
      const std::string to = new_name();
      assign(to, expression(*asked), function_.range(*asked));
      asked = &written(*asked, TS_CODE_NAME, keep(to));
    }
    return expression(written_call(code, "if", {written_call(code, "is.null", {*asked}), code.items[2], *asked}));
  }

  const ts_code& piped(const ts_code& code) {
    const auto& right = code.items[2];
    if (right.kind == TS_CODE_NAME) return written_call(code, right.text, {code.items[1]});
    if (right.kind != TS_CODE_CALL || callee(right).empty()) refuse(code, "behind `%>%` stands a call");
    std::vector<ts_code> items(right.items, right.items + right.n);
    items.insert(items.begin() + 1, code.items[1]);
    std::vector<const char*> names(right.names, right.names + right.n);
    names.insert(names.begin() + 1, nullptr);
    items_.push_back(std::move(items));
    names_.push_back(std::move(names));
    codes_.push_back({TS_CODE_CALL, code.begin, code.end, 0, nullptr, items_.back().size(), items_.back().data(),
                      names_.back().data()});
    return codes_.back();
  }

  // --- calls -------------------------------------------------------------------------------------------------------

  struct Given {
    Exprs inputs;
    std::vector<Attribute> named;
  };

  void take(const ts_code& code, size_t i, Given& given) {
    const auto& value = code.items[i];
    const auto range = function_.range(value);
    if (is_name(value, "...")) {
      for (const auto& it : signature_.dots) {
        const auto constant_value = signature_.constants.find(it.second);
        const Expr passed =
            constant_value == signature_.constants.end() ? name(it.second, range) : constant(constant_value->second, range);
        if (it.first.empty()) {
          given.inputs.push_back(passed);
        } else {
          given.named.push_back(Attribute::create(range, Ident::create(range, it.first), passed));
        }
      }
      return;
    }
    if (code.names[i]) {
      given.named.push_back(Attribute::create(range, Ident::create(range, code.names[i]), expression(value)));
    } else {
      given.inputs.push_back(expression(value));
    }
  }

  // What a function inside reads of this one goes with each call.
  void take_captured(Function& called_function, const SourceRange& range, Given& given) {
    for (const auto& captured : called_function.captured) {
      if (!knows(captured)) continue;
      const auto known = signature_.constants.find(captured);
      if (known != signature_.constants.end()) {
        given.named.push_back(Attribute::create(range, Ident::create(range, captured), constant(known->second, range)));
        continue;
      }
      given.named.push_back(Attribute::create(range, Ident::create(range, captured), variable(captured, range)));
    }
  }

  // The name by which `code` is called where its head is a name, or a function that is written here.
  std::string target_of(const ts_code& code, const SourceRange& range, Given& given) {
    if (code.kind == TS_CODE_FUNCTION) {
      auto& inner = *function_.inner.at(code.items);
      take_captured(inner, range, given);
      return "local:" + std::to_string(numbers_.number_of(inner));
    }
    std::string text = is_name(code) ? code.text : callee(code);
    if (const auto found = aliases_.find(text); found != aliases_.end()) text = found->second;
    if (auto* inner = function_.function_named(text)) {
      for (auto* around = &function_; around; around = around->parent)
        if (around == inner) refuse(code, "`" + text + "` calls itself: recursion is not compiled; write a loop");
      take_captured(*inner, range, given);
      return "local:" + std::to_string(numbers_.number_of(*inner));
    }
    return "call:" + text;
  }

  Expr call(const ts_code& code) {
    const auto range = function_.range(code);
    Given given;
    for (size_t i = 1; i < code.n; ++i) take(code, i, given);
    const auto& head = code.items[0];
    std::string target;
    if (is_name(head) && !is_own(head.text) && knows(head.text) && !aliases_.count(head.text)) {
      // A variable may be a module.
      given.inputs.insert(given.inputs.begin(), variable(head.text, range));
      target = "invoke:" + std::string(head.text);
    } else if (is_name(head)) {
      target = target_of(head, range, given);
    } else {
      target = "call:" + callee(code);
    }
    return apply(target, range, given.inputs, given.named);
  }

  // `x$method(a)`, `(function(x) x)(a)`.
  Expr call_expression(const ts_code& code) {
    const auto range = function_.range(code);
    const auto& head = code.items[0];
    Given given;
    if (is_call(head, "$")) {
      given.inputs.push_back(expression(head.items[1]));
      for (size_t i = 1; i < code.n; ++i) take(code, i, given);
      return apply("method:" + field_of(head), range, given.inputs, given.named);
    }
    if (head.kind == TS_CODE_FUNCTION || (is_call(head, "(") && head.items[1].kind == TS_CODE_FUNCTION)) {
      for (size_t i = 1; i < code.n; ++i) take(code, i, given);
      const auto& made = head.kind == TS_CODE_FUNCTION ? head : head.items[1];
      return apply(target_of(made, range, given), range, given.inputs, given.named);
    }
    // `self$layers[[2]](x)`: a module.
    given.inputs.push_back(expression(head));
    for (size_t i = 1; i < code.n; ++i) take(code, i, given);
    return apply("invoke:", range, given.inputs, given.named);
  }

  Expr fork(const ts_code& code) {
    const auto range = function_.range(code);
    Given given;
    for (size_t i = 2; i < code.n; ++i) take(code, i, given);
    const std::string target = target_of(argument(code, 1), range, given);
    given.inputs.insert(given.inputs.begin(), name("R:" + target, range));
    return Apply::create(range, name("R:fork", range), List<Expr>::create(range, given.inputs),
                         List<Attribute>::create(range, given.named));
  }

  // --- functions of functions --------------------------------------------------------------------------------------

  struct ApplyForm {
    Expr (Lower::*lower)(const ts_code&);
  };
  const ApplyForm* apply_form(const std::string& head) {
    static const std::unordered_map<std::string, ApplyForm> forms = {
        {"lapply", {&Lower::each}}, {"sapply", {&Lower::each}},     {"vapply", {&Lower::each}},
        {"Map", {&Lower::each_of}}, {"mapply", {&Lower::each_of}},  {"Filter", {&Lower::filter}},
        {"Reduce", {&Lower::fold}}, {"do.call", {&Lower::do_call}},
    };
    const auto found = forms.find(head);
    return found == forms.end() ? nullptr : &found->second;
  }

  // Arguments by the names of R's formals; what is left goes to the function.
  std::vector<const ts_code*> bind(const ts_code& code, const std::vector<std::string>& formals, std::vector<size_t>* rest) {
    std::vector<const ts_code*> bound(formals.size(), nullptr);
    std::vector<size_t> open;
    for (size_t i = 1; i < code.n; ++i) {
      size_t at = formals.size();
      if (code.names[i])
        for (size_t f = 0; f < formals.size(); ++f)
          if (formals[f] == code.names[i]) at = f;
      if (at < formals.size()) {
        bound[at] = &code.items[i];
      } else {
        open.push_back(i);
      }
    }
    size_t next = 0;
    for (const size_t i : open) {
      while (next < formals.size() && bound[next]) ++next;
      if (!code.names[i] && next < formals.size()) {
        bound[next] = &code.items[i];
      } else if (rest) {
        rest->push_back(i);
      } else {
        refuse(code.items[i], "`" + callee(code) + "()` has no such argument in a program");
      }
    }
    return bound;
  }

  Expr apply_to(const ts_code& what, const Exprs& items, const ts_code& code, const std::vector<size_t>& rest) {
    const auto range = function_.range(code);
    Given given;
    given.inputs = items;
    for (const size_t i : rest) take(code, i, given);
    return apply(target_of(what, range, given), range, given.inputs, given.named);
  }

  const ts_code& needed(const ts_code* code, const ts_code& where, const char* formal) {
    if (!code) refuse(where, std::string("`") + formal + "` is missing here");
    return *code;
  }

  Expr each(const ts_code& code) {
    const auto range = function_.range(code);
    std::vector<size_t> rest;
    std::vector<std::string> formals = {"X", "FUN"};
    if (callee(code) == "vapply") formals.push_back("FUN.VALUE");
    auto bound = bind(code, formals, &rest);
    std::vector<size_t> given;
    for (const size_t i : rest)
      if (!code.names[i] || (std::string(code.names[i]) != "USE.NAMES" && std::string(code.names[i]) != "simplify"))
        given.push_back(i);
    const std::string item = new_name();
    const Expr over = iterated(needed(bound[0], code, "X"));
    const Expr element = apply_to(needed(bound[1], code, "FUN"), {name(item, range)}, code, given);
    return apply("inner:whole", range, {ListComp::create(range, element, name(item, range), over)});
  }

  Expr each_of(const ts_code& code) {
    const auto range = function_.range(code);
    std::vector<size_t> rest;
    const bool is_map = callee(code) == "Map";
    const auto bound = bind(code, {is_map ? "f" : "FUN"}, &rest);
    Exprs over, items;
    for (const size_t i : rest) {
      if (code.names[i]) refuse(code.items[i], "`" + callee(code) + "()` takes its lists without names in a program");
      over.push_back(iterated(code.items[i]));
      items.push_back(name(new_name(), range));
    }
    if (over.empty()) refuse(code, "there is no list to go through");
    const Expr element = apply_to(needed(bound[0], code, "f"), items, code, {});
    if (over.size() == 1) return ListComp::create(range, element, items[0], over[0]);
    const Expr zipped = Apply::create(range, name("zip", range), List<Expr>::create(range, over),
                                      List<Attribute>::create(range, {}));
    return ListComp::create(range, element, TupleLiteral::create(range, List<Expr>::create(range, items)), zipped);
  }

  Expr filter(const ts_code& code) {
    const auto range = function_.range(code);
    const auto bound = bind(code, {"f", "x"}, nullptr);
    const std::string to = new_name(), item = new_name(), over = new_name();
    assign(over, expression(needed(bound[1], code, "x")), range);
    assign(to, apply("inner:empty_like", range, {name(over, range)}), range);
    const auto body = block([&] {
      const Expr test = apply("inner:condition", range, {apply_to(needed(bound[0], code, "f"), {name(item, range)}, code, {})});
      const auto then = block([&] { add(ExprStmt::create(range, apply("inner:push", range, {name(to, range), name(item, range)}))); });
      add(If::create(range, test, list_of(then, range), list_of(block([&] { add(Pass::create(range)); }), range)));
    });
    add(For::create(range, List<Expr>::create(range, {name(item, range)}),
                    List<Expr>::create(range, {apply("inner:items", range, {name(over, range)})}), list_of(body, range)));
    return name(to, range);
  }

  Expr fold(const ts_code& code) {
    const auto range = function_.range(code);
    const auto bound = bind(code, {"f", "x", "init"}, nullptr);
    const auto& what = needed(bound[0], code, "f");
    const std::string to = new_name(), item = new_name(), over = new_name();
    assign(over, expression(needed(bound[1], code, "x")), range);
    Expr rest = name(over, range);
    if (bound[2]) {
      assign(to, expression(*bound[2]), range);
    } else {
      assign(to, apply("inner:first", range, {name(over, range)}), range);
      rest = apply("inner:rest", range, {name(over, range)});
    }
    const auto body = block([&] { assign(to, apply_to(what, {name(to, range), name(item, range)}, code, {}), range); });
    add(For::create(range, List<Expr>::create(range, {name(item, range)}),
                    List<Expr>::create(range, {apply("inner:items", range, {rest})}), list_of(body, range)));
    return name(to, range);
  }

  Expr do_call(const ts_code& code) {
    const auto range = function_.range(code);
    const auto bound = bind(code, {"what", "args"}, nullptr);
    const auto& arguments = needed(bound[1], code, "args");
    if (!is_call(arguments, "list")) refuse(arguments, "the arguments of `do.call()` must be written as a `list()` in a program");
    Given given;
    for (size_t i = 1; i < arguments.n; ++i) take(arguments, i, given);
    const auto& what = needed(bound[0], code, "what");
    return apply(target_of(what.kind == TS_CODE_STRING ? written(what, TS_CODE_NAME, what.text) : what, range, given), range,
                 given.inputs, given.named);
  }

  // --- indices -----------------------------------------------------------------------------------------------------

  // The entries between the brackets as a pattern and the values in it: m missing, v value, p a position that is surely one
  // from 1, s slice (start, end, step), e `..`, a `newaxis`.
  void entries(const ts_code& code, bool one, std::string& pattern, Exprs& values, bool& keep_dims) {
    const bool was = in_index_;
    for (size_t i = 2; i < code.n; ++i) {
      const auto& entry = code.items[i];
      if (code.names[i] && std::string(code.names[i]) == "drop") {
        if (entry.kind != TS_CODE_LOGICAL || std::isnan(entry.number)) refuse(entry, "`drop` must be TRUE or FALSE in a program");
        keep_dims = entry.number == 0;
        continue;
      }
      if (code.names[i]) refuse(entry, "an index has no name");
      in_index_ = true;
      read_entry(entry, pattern, values);
      in_index_ = was;
    }
    if (one && pattern != "v" && pattern != "p") refuse(code, "`[[` takes one position or name");
  }

  void read_entry(const ts_code& entry, std::string& pattern, Exprs& values) {
    const auto range = function_.range(entry);
    if (entry.kind == TS_CODE_MISSING) {
      pattern += 'm';
    } else if (is_name(entry, "..")) {
      pattern += 'e';
    } else if (entry.kind == TS_CODE_NULL || (is_name(entry, "newaxis") && !knows("newaxis"))) {
      pattern += 'a';
    } else if (is_call(entry, ":") && entry.n == 3) {
      const bool steps = is_call(entry.items[1], ":") && entry.items[1].n == 3;
      const auto& ends = steps ? entry.items[1] : entry;
      pattern += 's';
      values.push_back(expression(ends.items[1]));
      values.push_back(expression(ends.items[2]));
      values.push_back(steps ? expression(entry.items[2]) : number(1, true, range));
    } else {
      pattern += is_name(entry) && function_.counters.count(entry.text) ? 'p' : 'v';
      values.push_back(expression(entry));
    }
  }

  Expr indexed(const ts_code& code, bool one) {
    const auto range = function_.range(code);
    std::string pattern;
    bool keep_dims = false;
    Exprs values = {expression(argument(code, 1))};
    entries(code, one, pattern, values, keep_dims);
    return apply((one ? "get2:" : keep_dims ? "keep:" : "get:") + pattern, range, values);
  }

  Function& function_;
  const Signature& signature_;
  Numbers& numbers_;
  std::vector<Stmt>* out_ = nullptr;
  std::set<std::string> defined_, defined_here_;  // variables that have a value, and those that got it in this block
  bool in_index_ = false;
  size_t n_names_ = 0;
  std::deque<ts_code> codes_;
  std::deque<std::vector<ts_code>> items_;
  std::deque<std::vector<const char*>> names_;
  std::deque<std::string> texts_;
  std::map<std::string, std::string> aliases_;  // variables that are functions from elsewhere
};

}  // namespace

Expr type_expression(const std::string& key) {
  const auto source = std::make_shared<Source>(key, std::string("<type>"), 1);
  const SourceRange range(source, 0, key.size());
  return Var::create(range, Ident::create(range, key));
}

Def lower(Function& function, const Signature& signature, Numbers& numbers) {
  return Lower(function, signature, numbers).run();
}

}  // namespace shim::script
