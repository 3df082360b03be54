// Lowers statements: control flow, assignments, what the function gives.
#include <algorithm>
#include <cmath>

#include "script/lowering.h"

namespace shim::script {

// Whether the name stands somewhere in the code.
static bool names_anywhere(const ts_code& code, const std::string& name) {
  if (is_name(code)) return code.text == name;
  for (size_t i = 0; i < code.n; ++i)
    if (names_anywhere(code.items[i], name)) return true;
  return false;
}

List<Stmt> Lower::list_of(const std::vector<Stmt>& statements, const SourceRange& place) {
  return List<Stmt>::create(place, statements);
}

// Assigns a value to a variable. `owned`: the value is what the variable holds already, with a part changed.
void Lower::assign(const std::string& to, const Expr& value, const SourceRange& place, bool owned) {
  const auto declared = signature_.declared.find(to);
  const bool annotate = declared != signature_.declared.end() && !defined_.count(to);
  const auto type =
      annotate ? Maybe<Expr>::create(place, type_expression(declared->second)) : Maybe<Expr>::create(place);
  // A value from inside of a loop or branch must be of the type that the variable has outside.
  const bool inside = defined_.count(to) && !defined_here_.count(to);
  const Expr noted = apply((owned ? "reassign:" : inside ? "assign_inside:" : "assign:") + to, place, {value});
  add(Assign::create(place, List<Expr>::create(place, {variable(to, place)}), Maybe<Expr>::create(place, noted), type));
  mark(to, true, place);
  certain_.insert(to);
  met_.insert(to);
  if (!within_.empty() && signature_.open.count(to)) {
    auto& places = only_in_[to];
    if (std::find(places.begin(), places.end(), within_) == places.end()) places.push_back(within_);
  }
  defined_.insert(to);
  defined_here_.insert(to);
  if (loops_ && !owned && (function_.changed.count(to) || function_.written.count(to)))
    add(ExprStmt::create(place, apply("inner:written", place, {variable(to, place)})));
}

// Notes whether an open variable has a value, if what it holds does not tell.
void Lower::mark(const std::string& variable, bool has_value, const SourceRange& place) {
  const auto open = signature_.open.find(variable);
  if (open == signature_.open.end() || open->second.isNone()) return;
  add(Assign::create(place, List<Expr>::create(place, {name(mark_of(variable), place)}),
                     Maybe<Expr>::create(place, logical(has_value, place)), Maybe<Expr>::create(place)));
}

// Lowers `place <- value`. As in R, `x[i] <- value` is `x <- "[<-"(x, i, value)`.
void Lower::assign_to(const ts_code& place, const Expr& value, const SourceRange& range, bool owned) {
  if (is_name(place) || place.kind == TS_CODE_STRING) return assign(place.text, value, range, owned);
  const auto& of = place.items[1];
  const Expr whole = expression(of);
  // A variable owns what it holds, so that it is changed in place.
  const std::string target = is_name(of) ? std::string(of.text) : "";
  const std::string head = callee(place);
  Exprs inputs = {whole};
  std::string what;
  if (head == "[" || head == "[[") {
    std::string pattern;
    bool keep_dims = false;
    entries(place, head == "[[", pattern, inputs, keep_dims);
    what = (head == "[" ? "put:" : "put2:") + pattern + ":" + target;
  } else if (head == "names" && place.n == 2 && !is_own("names")) {
    what = "inner:set_names";
  } else if (head == "$") {
    what = "putfield:" + field_of(place) + ":" + target;
  } else {
    refuse(place, "`" + head + "() <- ` is not compiled: parts are given values by `[`, `[[` and `$`");
  }
  inputs.push_back(value);
  assign_to(of, apply(what, range, inputs), range, /*owned=*/true);
}

// The value of an assignment is what is assigned: that of `x[2] <- 5` is 5.
Expr Lower::assigned_value(const ts_code& code) {
  const auto range = function_.range(code);
  const auto& place = code.items[1];
  if (is_name(place) || place.kind == TS_CODE_STRING) {
    statement(code);
    return expression(written(place, TS_CODE_NAME, place.text));
  }
  const std::string to = new_name();
  assign(to, expression(code.items[2]), range);
  assign_to(place, name(to, range), range);
  return name(to, range);
}

std::string Lower::field_of(const ts_code& code) {
  const auto& field = code.items[2];
  if (!is_name(field) && field.kind != TS_CODE_STRING) refuse(code, "what stands behind `$` must be a name");
  return field.text;
}

// Whether the code gives the variable a value once, and does nothing with it but call it.
static bool is_only_called(const ts_code& code, const std::string& variable, int& times) {
  if (is_name(code)) return code.text != variable;
  size_t from = code.kind == TS_CODE_CALL && is_name(code.items[0]) ? 1 : 0;
  if (is_assignment(code) && is_name(code.items[1], variable.c_str())) {
    if (++times > 1) return false;
    from = 2;
  }
  if (code.kind == TS_CODE_FUNCTION)
    for (size_t i = 0; i < code.n; ++i)
      if (names_anywhere(code.items[i], variable)) return false;
  for (size_t i = from; i < code.n; ++i)
    if (!is_only_called(code.items[i], variable, times)) return false;
  return true;
}

// `layer <- self$layers[[i]]` of a variable that is called further down: no variable can hold one of several modules or
// functions, but each call can choose one of them. What it needs for that is noted; false if the variable is another one.
bool Lower::keeps_element(const std::string& variable, const ts_code& value) {
  if (!is_call(value, "[[") || is_own("[[") || value.n != 3 || value.names[2]) return false;
  const auto& index = value.items[2];
  if (index.kind != TS_CODE_NAME && index.kind != TS_CODE_CALL) return false;
  const auto& whole = value.items[1];
  const bool is_constant = is_name(whole) ? function_.locals.count(whole.text) && function_.given[whole.text] == 1
                                          : is_call(whole, "$") && is_name(whole.items[1], "self");
  int times = 0;
  if (!is_constant || function_.early.count(variable) || !function_.called.count(variable) ||
      !is_only_called(function_.body(), variable, times))
    return false;
  const std::string at = new_name();
  assign(at, expression(index), function_.range(index));
  elements_[variable] = {&whole, at};
  return true;
}

void Lower::statement(const ts_code& code) {
  const auto range = function_.range(code);
  const std::string head = callee(code);
  if (!blocks_ && head != "{") ask_for_defaults(code);
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
    // Calls of a variable that is one function know it already.
    if (is_variable && value.kind == TS_CODE_FUNCTION && function_.functions.count(code.items[1].text)) return;
    if (is_variable && keeps_element(code.items[1].text, value)) return;
    assign_to(code.items[1], expression(value), range);
    if (is_variable) note_known(code.items[1].text, value);
  } else if (head == "if") {
    branch(
        code, [this](const ts_code& part) { statement(part); }, [] {});
  } else if (head == "switch") {
    statement(choice(code));
  } else if (head == "for" || head == "while" || head == "repeat") {
    loop(code);
  } else if (head == "break" || head == "next") {
    if (!loops_) refuse(code, "`" + head + "` stands in no loop");
    leave_loop(head == "break", range);
  } else if (head == "return") {
    if (code.n > 2) refuse(code, "`return()` takes one value");
    leave_function(code);
  } else if (head == "stop") {
    add(Raise::create(range, call(code)));
  } else if (raises(head)) {
    const bool plain = code.n > 1 && code.items[1].kind == TS_CODE_STRING;
    const std::string text = plain ? code.items[1].text : "an argument is not what it must be";
    add(Raise::create(range, apply("inner:error", range, {string(text, range)})));
  } else if (head == "stopifnot") {
    for (size_t i = 1; i < code.n; ++i) check(code.items[i], code.names[i]);
  } else if (head == "with_no_grad" || head == "with_enable_grad") {
    with_grad_mode(code, [&] { statement(code.items[1]); });
  } else if (head == "library" || head == "require") {
    refuse(code, "`" + head + "()` can't be in a program; it belongs before");
  } else {
    add(ExprStmt::create(range, expression(code)));
  }
}

// Whether it is one of this package's own functions that raise errors.
bool Lower::raises(const std::string& head) {
  return head == "value_error" || head == "type_error" || head == "runtime_error" || head == "not_implemented_error";
}

// Whether the code leaves a loop around it.
static bool leaves_loop(const ts_code& code) {
  if (code.kind != TS_CODE_CALL) return false;
  const std::string head = callee(code);
  if (head == "break" || head == "next") return true;
  if (head == "for" || head == "while" || head == "repeat") return false;
  return std::any_of(code.items, code.items + code.n, leaves_loop);
}

static bool leaves_function(const ts_code& code) {
  if (code.kind != TS_CODE_CALL) return false;
  return is_call(code, "return") || std::any_of(code.items, code.items + code.n, leaves_function);
}

// Adds a statement that leaves what is around it. Where that stands in a branch, LibTorch's compiler puts what comes behind
// into the other one, and loses values if it copies a `with` on the way. It copies nothing where it can't know that the
// branch leaves for sure.
void Lower::leave_by(const Stmt& statement) {
  if (!has_grad_mode_) return add(statement);
  const auto range = statement.range();
  when(apply("inner:surely", range, {}), range, [&] { add(statement); });
}

void Lower::leave_loop(bool ends, const SourceRange& range) {
  if (!left_by_.empty()) {
    assign(left_by_, number(ends ? 1 : 2, true, range), range);
    ends = true;
  }
  leave_by(ends ? Stmt(Break::create(range)) : Stmt(Continue::create(range)));
}

void Lower::leave_function(const ts_code& code) {
  const auto range = function_.range(code);
  if (!returns_by_.empty()) {
    assign(returned_, code.n > 1 ? expression(code.items[1]) : none(range), range);
    assign(returns_by_, logical(true, range), range);
    leave_by(Break::create(range));
  } else if (has_grad_mode_) {
    leave_by(Return::create(range, apply("return", range, {code.n > 1 ? expression(code.items[1]) : none(range)})));
  } else if (code.n > 1) {
    tail(code.items[1]);
  } else {
    give(none(range), range);
  }
}

void Lower::when(const Expr& asked, const SourceRange& range, const std::function<void()>& body) {
  const auto then = block(body);
  const auto otherwise = block([&] { add(Pass::create(range)); });
  add(If::create(range, asked, list_of(then, range), list_of(otherwise, range)));
}

// Adds a loop of one turn, which the body may end before.
void Lower::one_turn(const SourceRange& range, const std::function<void()>& body) {
  const auto turn = repeated(
      [&] {
        body();
        add(Break::create(range));
      },
      range);
  add_loop(While::create(range, logical(true, range), turn));
}

// LibTorch's compiler can't leave a loop or a function from inside of a `with`. So the body is a loop of one turn, which
// `break`, `next` and `return()` leave, and what they mean comes behind the `with`.
void Lower::with_grad_mode(const ts_code& code, const std::function<void()>& body) {
  const auto range = function_.range(code);
  if (code.n != 2 || code.names[1]) refuse(code, "`" + callee(code) + "()` takes the code to run, and nothing else");
  const std::string mode = callee(code) == "with_no_grad" ? "no_grad" : "enable_grad";
  const bool leaves = leaves_loop(code.items[1]), returns = leaves_function(code.items[1]);
  const bool is_outer = returns_by_.empty();
  const std::string how = leaves ? new_name() : "";
  if (leaves) assign(how, number(0, true, range), range);
  if (returns && is_outer) {
    returns_by_ = new_name();
    returned_ = new_name();
    assign(returns_by_, logical(false, range), range);
  }
  const auto inside = [&] {
    left_by_ = how;
    body();
  };
  const auto item = WithItem::create(range, apply("inner:" + mode, range, {}), Maybe<Var>::create(range));
  const auto made = block([&] { leaves || returns ? one_turn(range, inside) : body(); });
  add(With::create(range, List<WithItem>::create(range, {item}), list_of(made, range)));
  if (leaves)
    for (const int what : {1, 2})
      when(BinOp::create(range, TK_EQ, name(how, range), number(what, true, range)), range,
           [&] { leave_loop(what == 1, range); });
  if (!returns) return;
  const Expr gone = name(returns_by_, range);
  if (!is_outer) return when(gone, range, [&] { leave_by(Break::create(range)); });
  returns_by_.clear();
  if (signature_.never.count(returned_)) return;
  when(gone, range, [&] { leave_by(Return::create(range, apply("return", range, {value_of(returned_, range)}))); });
}

void Lower::check(const ts_code& condition_code, const char* message) {
  const auto range = function_.range(condition_code);
  const std::string text = message ? message : range.text().str() + " is not TRUE";
  when(UnaryOp::create(range, TK_NOT, condition(condition_code)), range,
       [&] { add(Raise::create(range, apply("inner:error", range, {string(text, range)}))); });
}

std::optional<c10::IValue> Lower::known_constant(const ts_code& code) {
  if (is_call(code, "$") && signature_.setting &&
      (is_name(code.items[1], "self") || is_name(code.items[1], "private")) && code.items[2].text)
    return signature_.setting(code.items[2].text);
  if (!is_name(code)) return std::nullopt;
  return known_variable(code.text);
}

std::optional<c10::IValue> Lower::known_variable(const std::string& text) {
  const auto given = signature_.constants.find(text);
  if (given != signature_.constants.end()) return given->second;
  const auto found = known_.find(text);
  if (found != known_.end()) return found->second;
  return std::nullopt;
}

// Notes a variable that is assigned once, outside of loops and branches, if the value is known: it then decides about
// branches.
void Lower::note_known(const std::string& variable, const ts_code& value) {
  if (blocks_ || function_.given[variable] != 1 || function_.changed.count(variable)) return;
  if (value.kind == TS_CODE_STRING) {
    known_[variable] = std::string(value.text);
  } else if (const auto constant_value = known_constant(value)) {
    if (constant_value->isBool() || constant_value->isString()) known_[variable] = *constant_value;
  } else if (const auto test = known_test(value)) {
    known_[variable] = *test;
  }
}

// `missing(x)`. Nothing if only the call of the program tells.
std::optional<bool> Lower::is_missing(const ts_code& code) {
  if (!is_name(code)) return std::nullopt;
  if (signature_.missing.count(code.text)) return true;
  for (const auto& parameter : signature_.parameters)
    if (parameter.name == code.text && parameter.default_value) return std::nullopt;
  return false;
}

// The value of a condition that is known now, so that only one branch is compiled. Nothing if it is not known.
std::optional<bool> Lower::known_test(const ts_code& code) {
  const std::string head = callee(code);
  if (code.kind == TS_CODE_LOGICAL && !std::isnan(code.number)) return code.number != 0;
  if (const auto value = known_constant(code))
    return value->isBool() ? std::optional<bool>(value->toBool()) : std::nullopt;
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
  if (head == "missing" && code.n == 2) return is_missing(code.items[1]);
  if ((head == "isTRUE" || head == "isFALSE") && code.n == 2) {
    if (const auto value = known_constant(code.items[1]))
      return value->isBool() && value->toBool() == (head == "isTRUE");
    return std::nullopt;
  }
  // A program has no packed sequences, and is never traced.
  if (head == "is_packed_sequence" || head == "cpp_is_tracing") return false;
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

// What a loop runs over. Ranges stay ranges: no vector is made.
Expr Lower::iterated(const ts_code& code, const char* items) {
  const auto range = function_.range(code);
  const std::string head = callee(code);
  if (!is_own(head)) {
    if (head == "(" && code.n == 2) return iterated(code.items[1], items);
    if (head == ":" && code.n == 3)
      return apply("inner:range", range, {expression(code.items[1]), expression(code.items[2])});
    if (head == "seq_len" && code.n == 2) return apply("inner:seq_len", range, {expression(code.items[1])});
    if (head == "seq_along" && code.n == 2) return apply("inner:seq_along", range, {expression(code.items[1])});
  }
  if (!is_own(head) && head == "as.list" && code.n == 2) return iterated(code.items[1], "inner:elements");
  return apply(items, range, {expression(code)});
}

// Adds a loop with a barrier behind it. LibTorch's interpreter may move a loop of one result to where that is used,
// behind other inputs of that place, and then frees what both read in the loop's first turn. It moves nothing past an
// operator with effects. In the same way a branch of one result is moved into the values that a loop begins with, behind
// others of these: a barrier stands before each loop as well.
void Lower::add_loop(const Stmt& loop) {
  const auto barrier = [&] { add(ExprStmt::create(loop.range(), apply("inner:barrier", loop.range(), {}))); };
  barrier();
  add(loop);
  barrier();
}

void Lower::go_through(const Expr& over, const std::string& item, const SourceRange& range, const std::function<void()>& body) {
  const auto turn = repeated(body, range);
  add_loop(For::create(range, List<Expr>::create(range, {name(item, range)}), List<Expr>::create(range, {over}), turn));
}

void Lower::loop(const ts_code& code) {
  const auto range = function_.range(code);
  const std::string head = callee(code);
  if (head == "for") {
    for_loop(code);
  } else if (head == "while") {
    while_loop(code.items[1], code.items[2], range);
  } else {
    add_loop(While::create(range, logical(true, range), repeated([&] { statement(code.items[1]); }, range)));
  }
  // Inside of `with_no_grad()` a `return()` leaves one loop after the other.
  if (!returns_by_.empty() && leaves_function(code))
    when(name(returns_by_, range), range, [&] { leave_by(Break::create(range)); });
}

void Lower::for_loop(const ts_code& code) {
  const auto range = function_.range(code);
  const std::string variable_of = code.items[1].text;
  if (is_nothing(code.items[2])) return;
  const Expr over = iterated(code.items[2]);
  // LibTorch's loop gets a variable of its own: R's may hold a value of another type before the loop.
  const std::string item = new_name();
  go_through(over, item, range, [&] {
    assign(variable_of, name(item, range), function_.range(code.items[1]));
    statement(code.items[3]);
  });
}

void Lower::while_loop(const ts_code& asked, const ts_code& body_code, const SourceRange& range) {
  Expr test = logical(true, range);
  const auto before = block([&] { test = condition(asked); });
  if (before.empty()) {
    add_loop(While::create(range, test, repeated([&] { statement(body_code); }, range)));
    return;
  }
  const auto body = repeated(
      [&] {
        for (const auto& it : before) add(it);
        when(UnaryOp::create(range, TK_NOT, test), range, [&] { add(Break::create(range)); });
        statement(body_code);
      },
      range);
  add_loop(While::create(range, logical(true, range), body));
}

void Lower::give(const Expr& value, const SourceRange& range) {
  add(Return::create(range, apply("return", range, {value})));
}

// Lowers a statement whose value is what the function gives.
void Lower::tail(const ts_code& code) {
  const auto range = function_.range(code);
  const std::string head = callee(code);
  if (!blocks_ && head != "{") ask_for_defaults(code);
  if (code.kind != TS_CODE_CALL || is_own(head)) return give(expression(code), range);
  if (head == "{") {
    for (size_t i = 1; i + 1 < code.n; ++i) statement(code.items[i]);
    if (code.n == 1) return give(none(range), range);
    return tail(code.items[code.n - 1]);
  }
  if ((head == "(" || head == "invisible" || head == "return") && code.n == 2) return tail(code.items[1]);
  if (head == "if") {
    return branch(
        code, [this](const ts_code& part) { tail(part); }, [&] { give(none(range), range); });
  }
  if (head == "switch") return tail(choice(code));
  if (head == "stop" || raises(head)) return statement(code);
  if (is_assignment(code)) return give(assigned_value(code), range);
  static const std::set<std::string> without = {"for", "while", "repeat", "break", "next", "return", "stopifnot"};
  if (without.count(head)) {
    statement(code);
    if (head != "return" && head != "break" && head != "next") give(none(range), range);
    return;
  }
  give(expression(code), range);
}

// Lowers a statement, and keeps its value in the variable `to`.
void Lower::keep_value(const ts_code& code, const std::string& to) {
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
      return branch(
          code, [&](const ts_code& part) { keep_value(part, to); }, [&] { assign(to, none(range), range); });
    }
    if (head == "switch") return keep_value(choice(code), to);
  }
  assign(to, expression(code), range);
}

// The value that `switch()` chooses for a word that is known now.
const ts_code& Lower::chosen(const ts_code& code, const std::string& word) {
  const ts_code* rest = nullptr;
  bool found = false;
  for (size_t i = 2; i < code.n; ++i) {
    if (!code.names[i]) rest = &code.items[i];
    found = found || (code.names[i] && word == code.names[i]);
    if (found && code.items[i].kind != TS_CODE_MISSING) return code.items[i];
  }
  return rest ? *rest : written(code, TS_CODE_NULL);
}

// `switch()` as a chain of `if`.
const ts_code& Lower::choice(const ts_code& code) {
  if (code.n < 3) refuse(code, "`switch()` needs something to choose from");
  if (const auto value = known_constant(code.items[1]); value && value->isString())
    return chosen(code, value->toStringRef());
  const std::string asked = new_name();
  const auto range = function_.range(code.items[1]);
  bool by_name = false;
  for (size_t i = 2; i < code.n; ++i) by_name = by_name || code.names[i];
  // A number chooses by its whole part.
  const Expr wanted = expression(code.items[1]);
  assign(asked, by_name ? wanted : apply("call:trunc", range, {wanted}), range);
  const auto& asked_code = written(code.items[1], TS_CODE_NAME, keep(asked));
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

}  // namespace shim::script
