// Lowers expressions and conditions.
#include <algorithm>
#include <cmath>

#include "script/lowering.h"

namespace shim::script {

Expr Lower::expression(const ts_code& code) {
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
      return function_value(*function_.inner.at(code.items), code);
    case TS_CODE_MISSING:
      refuse(code, "an argument is left out here");
    default:
      refuse(code, std::string(code.text) + " can't be in a program");
  }
}

Expr Lower::named_value(const ts_code& code) {
  const auto range = function_.range(code);
  const std::string text = code.text;
  if (text.rfind("R.", 0) == 0) return name(text, range);
  if (auto* inner = function_.function_named(text)) return function_value(*inner, code);
  if (in_index_ && text == "N" && !function_.locals.count("N")) return number(-1, true, range);
  if (const auto value = known_constant(code)) return constant(*value, range);
  if (text == "private" && knows("self")) return variable("self", range);
  if (function_.locals.count(text) && !met_.count(text))
    refuse_without_value(code);
  if (knows(text)) return value_of(text, range);
  return name("R:var:" + text, range);
}

void Lower::refuse_without_value(const ts_code& code) {
  const std::string text = code.text;
  const auto* outside = function_.early.count(text) ? function_.known(text) : nullptr;
  if (!outside || outside->is_function) refuse(code, no_value(text));
  refuse(code, "`" + text + "` begins with the value outside of the function, which " +
                   (outside->refused ? outside->refused : "a program can't hold as a constant: give it as an argument"));
}

// The value of a variable. The program looks whether it has one, if that is not certain.
Expr Lower::value_of(const std::string& text, const SourceRange& range) {
  const auto open = signature_.open.find(text);
  if (open == signature_.open.end()) return variable(text, range);
  const auto message = string(not_found(text), range);
  if (open->second.isNone()) return apply("defined", range, {variable(text, range), message});
  if (certain_.count(text)) return variable(text, range);
  return apply("inner:marked", range, {variable(text, range), name(mark_of(text), range), message});
}

// What is said where the variable has no value yet.
std::string Lower::not_found(const std::string& variable) {
  std::string places;
  for (const auto& it : only_in_[variable]) places += (places.empty() ? "" : ", or ") + it;
  return "object '" + variable + "' not found" + (places.empty() ? "" : ": it gets a value only " + places);
}

// A function as a value: it holds the variables that it reads as they are now. `kept`: it may be called later, when R
// would read other values, so that these may not change.
Expr Lower::function_value(Function& inner, const ts_code& code, bool kept) {
  for (auto* around = &function_; around; around = around->parent)
    if (around == &inner)
      refuse(code, "`" + inner.name + "` passes itself on: recursion is not compiled; write a loop");
  for (const auto& variable : inner.captured) {
    const auto found = function_.given.find(variable);
    if (kept && found != function_.given.end() && found->second + begun_.count(variable) > 1)
      refuse(code, "this function reads `" + variable +
                       "`, which has several values in the function around: R would read the "
                       "one at the time of the call. Give it as an argument");
  }
  const auto range = function_.range(code);
  Given given;
  take_captured(inner, range, given);
  return apply("function:" + std::to_string(numbers_.number_of(inner)), range, {}, given.named);
}

bool Lower::knows(const std::string& text) {
  if (function_.locals.count(text)) return true;
  for (const auto& captured : function_.captured)
    if (captured == text) return true;
  return false;
}

// The value of an expression that needs statements, such as `if`. They go before the statement that it is part of.
Expr Lower::computed(const ts_code& code) {
  const std::string to = new_name();
  keep_value(code, to);
  return name(to, function_.range(code));
}

Expr Lower::called(const ts_code& code) {
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
  if (head == "invisible" && code.n < 3) return code.n == 2 ? expression(code.items[1]) : none(range);
  if (is_assignment(code)) return assigned_value(code);
  if (head == "<<-") refuse(code, "`<<-` is not compiled: give the value back, and assign it where it is wanted");
  if (head == "if") return computed(code);
  if (head == "switch") return expression(choice(code));
  if (head == "&&" || head == "||" || (head == "!" && is_test(code.items[1])) || head == "is.null")
    return condition(code);
  if (head == "with_no_grad" || head == "with_enable_grad") {
    const std::string to = new_name();
    with_grad_mode(code, [&] { keep_value(code.items[1], to); });
    return name(to, range);
  }
  static const std::set<std::string> statements = {"return", "break", "next", "repeat",
                                                   "while",  "for",   "stop", "stopifnot"};
  if (statements.count(head) || raises(head)) {
    statement(code);
    return none(range);
  }
  if (const auto outside = known_part(code); !outside.empty()) return name("R:var:" + outside, range);
  if (head == "$") return apply("field:" + field_of(code), range, {expression(argument(code, 1))});
  if (head == "@") refuse(code, "`@` is not compiled");
  if (head == "[" || head == "[[" || head == ".subset2") return indexed(code, head != "[");
  if (head == "~") refuse(code, "a formula can't be in a program");
  if (head == "%>%" && code.n == 3) return expression(piped(code));
  if (head == "%||%" && code.n == 3) return or_else(code);
  // Layers of this package ask for a shape in this way.
  if (head == ".Call" && code.n == 3 && is_name(code.items[1], "C_shape"))
    return apply("call:dim", range, {expression(code.items[2])});
  if (head == ".Call" && code.n == 3 && is_name(code.items[1], "C_grad_mode"))
    return apply("inner:grad_mode", range, {});
  if (head == "cpp_is_tracing") return logical(false, range);
  // These calls serve messages only.
  if (head == "caller_env" || head == "parent.frame" || head == "sys.call" || head == "entry_call") return none(range);
  if (head == "jit_fork") return fork(code);
  if (head == "missing" && code.n == 2) {
    if (const auto known = is_missing(code.items[1])) return logical(*known, range);
    refuse(code, "a program can't tell a default from the same value given: make it NULL, and ask `is.null()`");
  }
  // Positions have the names of what they are positions of.
  static const std::set<std::string> places = {"which.max", "which.min", "which"};
  const auto* of = head == "names" && code.n == 2 && code.items[1].kind == TS_CODE_CALL ? &code.items[1] : nullptr;
  if (of && of->n == 2 && places.count(callee(*of)) && !is_own(callee(*of)) && is_name(of->items[1]))
    return expression(written_call(code, "[", {written_call(code, "names", {of->items[1]}), *of}));
  if (const auto* form = apply_form(head)) return (this->*form->lower)(code);
  return call(code);
}

// The path of `unit$Color$RED` or `settings$rate`, if it starts outside of the function and the host knows the part. ""
// for all else.
std::string Lower::known_part(const ts_code& code) {
  std::string path;
  const ts_code* at = &code;
  for (; at->kind == TS_CODE_CALL; at = &at->items[1]) {
    const bool is_part = (is_call(*at, "$") || is_call(*at, "[[")) && at->n == 3;
    if (!is_part || !at->items[2].text || (is_call(*at, "[[") && at->items[2].kind != TS_CODE_STRING)) return "";
    path = std::string("$") + at->items[2].text + path;
  }
  if (path.empty() || !is_name(*at) || is_name(*at, "super") || knows(at->text)) return "";
  path = at->text + path;
  return function_.known(path) ? path : "";
}

const ts_code& Lower::argument(const ts_code& code, size_t i) {
  if (i >= code.n) refuse(code, "`" + callee(code) + "` needs an argument");
  return code.items[i];
}

// Whether the code is made of `is.null()`, `&&`, `||` and `!`. Then `!` can be LibTorch's own, which learns from
// `!is.null(x)`.
bool Lower::is_test(const ts_code& code) {
  const std::string head = callee(code);
  if (is_own(head)) return false;
  if (head == "(" && code.n == 2) return is_test(code.items[1]);
  return head == "is.null" || head == "&&" || head == "||" || (head == "!" && code.n == 2 && is_test(code.items[1]));
}

// The `is.null(x)` on the left of `||`, or the `!is.null(x)` on the left of `&&`. NULL if there is none.
const ts_code* Lower::null_test(const ts_code& code, bool any) {
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

// A condition in the form that LibTorch's compiler understands: it learns from `is None` that a variable is no NULL.
Expr Lower::condition(const ts_code& code) {
  const auto range = function_.range(code);
  const std::string head = callee(code);
  if (code.kind == TS_CODE_CALL && !is_own(head)) {
    if (head == "(" && code.n == 2) return condition(code.items[1]);
    if (head == "!" && code.n == 2) return UnaryOp::create(range, TK_NOT, condition(code.items[1]));
    if (head == "is.null" && code.n == 2)
      return BinOp::create(range, TK_IS, asked_for_null(code.items[1]), none(range));
    if ((head == "&&" || head == "||") && code.n == 3) {
      const int kind = head == "&&" ? TK_AND : TK_OR;
      const Expr left = condition(code.items[1]);
      Expr right = left;
      const auto before = block([&] { right = condition(code.items[2]); });
      // Where the variable is always NULL so far, the other side can't be compiled: its type is not known yet.
      if (const auto* asked = null_test(code.items[1], kind == TK_OR)) {
        const Expr known = logical(kind == TK_OR, range);
        const Expr test = condition(*asked);
        right =
            kind == TK_OR ? TernaryIf::create(range, test, known, right) : TernaryIf::create(range, test, right, known);
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

Expr Lower::asked_for_null(const ts_code& code) {
  const bool is_element = is_call(code, "[[") && !is_own("[[") && code.n == 3 && !code.names[2] &&
                          code.items[2].kind != TS_CODE_MISSING && known_part(code).empty();
  if (is_element)
    return apply("get2_or_null:v", function_.range(code), {expression(code.items[1]), expression(code.items[2])});
  if (!is_call(code, "$") || is_own("$") || code.n != 3 || !known_part(code).empty()) return expression(code);
  return apply("field_or_null:" + field_of(code), function_.range(code), {expression(code.items[1])});
}

// `a %||% b` is b where a is NULL.
Expr Lower::or_else(const ts_code& code) {
  const ts_code* asked = &code.items[1];
  if (!known_constant(*asked)) {
    const std::string to = new_name();
    assign(to, asked_for_null(*asked), function_.range(*asked));
    asked = &written(*asked, TS_CODE_NAME, keep(to));
  }
  return expression(written_call(code, "if", {written_call(code, "is.null", {*asked}), code.items[2], *asked}));
}

// What stands for the dot of `%>%` in the code. A function has a dot of its own, as has what stands behind another `%>%`.
static bool has_dot(const ts_code& code) {
  if (is_name(code, ".")) return true;
  if (code.kind != TS_CODE_CALL) return false;
  if (is_call(code, "%>%")) return !is_name(code.items[1], ".") && has_dot(code.items[1]);
  for (size_t i = 0; i < code.n; ++i)
    if (has_dot(code.items[i])) return true;
  return false;
}

// The code with another expression for the dot.
ts_code Lower::without_dot(const ts_code& code, const ts_code& dot) {
  if (is_name(code, ".")) return dot;
  if (!has_dot(code)) return code;
  std::vector<ts_code> items(code.items, code.items + code.n);
  const size_t n = is_call(code, "%>%") ? 2 : code.n;
  for (size_t i = 0; i < n; ++i) items[i] = without_dot(items[i], dot);
  items_.push_back(std::move(items));
  ts_code made = code;
  made.items = items_.back().data();
  return made;
}

// `x %>% f(y)` is `f(x, y)`. Where a dot stands among the arguments, it is x, and else comes first; inside of the arguments it
// is x as well. What stands in brackets is a function.
const ts_code& Lower::piped(const ts_code& code) {
  const auto& left = code.items[1];
  const ts_code* right = &code.items[2];
  if (is_name(left, ".") && !knows("."))
    refuse(code, "`. %>% f` makes a function, which is not compiled: write `function(x) x %>% f`");
  if (right->kind == TS_CODE_FUNCTION) refuse(*right, "a function behind `%>%` stands in brackets, as in `x %>% (\\(z) z)`");
  if (right->kind == TS_CODE_NAME) return written_call(code, right->text, {left});
  if (right->kind != TS_CODE_CALL) refuse(*right, "behind `%>%` stands the name or a call of a function");
  const bool in_brackets = is_call(*right, "(");
  while (is_call(*right, "(") && right->n == 2) right = &right->items[1];
  std::vector<ts_code> items;
  std::vector<const char*> names;
  if (in_brackets) {
    items = {*right, left};
    names = {nullptr, nullptr};
  } else {
    items.assign(right->items, right->items + right->n);
    names.assign(right->names, right->names + right->n);
    const bool is_used = has_dot(*right);
    const bool is_given = std::any_of(items.begin() + 1, items.end(), [](const ts_code& it) { return is_name(it, "."); });
    const ts_code* dot = &left;
    if (is_used) {
      const std::string to = new_name();
      assign(to, expression(left), function_.range(left));
      dot = &written(left, TS_CODE_NAME, keep(to));
      for (auto& item : items) item = without_dot(item, *dot);
    }
    if (!is_given && !is_call(*right, "{")) {
      items.insert(items.begin() + 1, *dot);
      names.insert(names.begin() + 1, nullptr);
    }
  }
  items_.push_back(std::move(items));
  names_.push_back(std::move(names));
  codes_.push_back({TS_CODE_CALL, code.begin, code.end, 0, nullptr, items_.back().size(), items_.back().data(),
                    names_.back().data()});
  return codes_.back();
}

}  // namespace shim::script
