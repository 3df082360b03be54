// Lowers calls, and the functions that call functions: `lapply()`, `Reduce()`, `do.call()`, ...
#include <cmath>
#include <unordered_map>

#include "script/lowering.h"

namespace shim::script {

void Lower::take(const ts_code& code, size_t i, Given& given) {
  const auto& value = code.items[i];
  const auto range = function_.range(value);
  if (is_name(value, "...")) {
    for (const auto& it : signature_.dots) {
      const auto constant_value = signature_.constants.find(it.second);
      const Expr passed = constant_value == signature_.constants.end() ? name(it.second, range)
                                                                       : constant(constant_value->second, range);
      if (it.first.empty()) {
        given.inputs.push_back(passed);
      } else {
        given.named.push_back(Attribute::create(range, Ident::create(range, it.first), passed));
      }
    }
    return;
  }
  const Expr passed = argument_value(code, value);
  if (code.names[i]) {
    given.named.push_back(Attribute::create(range, Ident::create(range, code.names[i]), passed));
  } else {
    given.inputs.push_back(passed);
  }
}

// An argument. A function that is only called by the callee may read variables that change later; one that is kept may
// not.
Expr Lower::argument_value(const ts_code& call, const ts_code& value) {
  static const std::set<std::string> keeping = {"list", "c", "append", "jit_dict"};
  const bool kept = keeping.count(callee(call)) > 0;
  if (value.kind == TS_CODE_FUNCTION) return function_value(*function_.inner.at(value.items), value, kept);
  if (auto* inner = is_name(value) ? function_.function_named(value.text) : nullptr)
    return function_value(*inner, value, kept);
  return expression(value);
}

// Adds the variables of this function that an inner function reads to the arguments of its call.
void Lower::take_captured(Function& called_function, const SourceRange& range, Given& given) {
  for (const auto& captured : called_function.captured) {
    if (!knows(captured)) continue;
    // A name that is called before the variable has a value is that of a function elsewhere.
    if (called_function.called.count(captured) && function_.locals.count(captured) && !defined_.count(captured))
      continue;
    for (auto* around = &function_; around && around != called_function.parent; around = around->parent)
      if (around->locals.count(captured))
        throw ErrorReport(range) << "`" << called_function.name << "()` reads `" << captured
                                 << "` of the function around, and `" << around->name
                                 << "()` has a variable of that name. Give one of them another name";
    // What the function may give a value itself need not have one here.
    const auto early = called_function.early.find(captured);
    if (early != called_function.early.end() && !early->second.certain && !surely(captured)) continue;
    if (const auto known = known_variable(captured)) {
      given.named.push_back(Attribute::create(range, Ident::create(range, captured), constant(*known, range)));
      continue;
    }
    given.named.push_back(Attribute::create(range, Ident::create(range, captured), value_of(captured, range)));
  }
}

// The name in the tree of the function that `code` stands for. If that is a value, it becomes the first argument.
std::string Lower::target_of(const ts_code& code, const SourceRange& range, Given& given) {
  if (code.kind == TS_CODE_FUNCTION) {
    auto& inner = *function_.inner.at(code.items);
    take_captured(inner, range, given);
    return "local:" + std::to_string(numbers_.number_of(inner));
  }
  const bool in_package = is_call(code, "::") && code.n == 3 && is_name(code.items[1]) && is_name(code.items[2]);
  const std::string text = is_name(code) || code.kind == TS_CODE_STRING ? code.text
                           : in_package  ? std::string(code.items[1].text) + "::" + code.items[2].text
                                         : "";
  if (auto* inner = function_.function_named(text)) {
    for (auto* around = &function_; around; around = around->parent)
      if (around == inner) refuse(code, "`" + text + "` calls itself: recursion is not compiled; write a loop");
    take_captured(*inner, range, given);
    return "local:" + std::to_string(numbers_.number_of(*inner));
  }
  if (const auto it = elements_.find(text); it != elements_.end()) {
    given.inputs.insert(given.inputs.begin(), {expression(*it->second.first), name(it->second.second, range)});
    return "invoke_element:" + text;
  }
  if (!text.empty() && !knows(text)) return "call:" + text;
  // Whether the variable holds a module, a function or neither shows when the call is compiled.
  given.inputs.insert(given.inputs.begin(), expression(code));
  return "invoke:" + text;
}

// Whether a function can't be compiled, and has no method for tensors either.
bool Lower::is_refused(const ts_code& code) {
  const std::string head = callee(code);
  if (is_own(head) || knows(head)) return false;
  const auto* it = function_.known(head);
  return it && it->is_function && it->refused && it->closure_at < 0;
}

Expr Lower::call(const ts_code& code) {
  const auto range = function_.range(code);
  Given given;
  // Its arguments may be code that only it understands. The call is refused when it is compiled: its branch may be dead.
  if (is_refused(code)) return apply("call:" + callee(code), range, given.inputs, given.named);
  for (size_t i = 1; i < code.n; ++i) take(code, i, given);
  // callee() gives R's name where rlang has another one.
  const auto& head = code.items[0];
  const std::string target =
      is_name(head, callee(code).c_str()) || !is_name(head) ? target_of(head, range, given) : "call:" + callee(code);
  return apply(target, range, given.inputs, given.named);
}

// Of `(if (slow) f else g)(x)` and `switch(n, f, g)(x)` it makes `if (slow) f(x) else g(x)`. NULL if nothing is chosen
// here.
const ts_code* Lower::chosen_call(const ts_code& code) {
  const ts_code* head = &code.items[0];
  while ((is_call(*head, "(") || is_call(*head, "{")) && head->n == 2) head = &head->items[1];
  if (is_own(callee(*head))) return nullptr;
  if (is_call(*head, "switch")) head = &choice(*head);
  if (!is_call(*head, "if")) return head == &code.items[0] ? nullptr : &with_head(code, *head);
  const auto branch = [&](size_t i) -> const ts_code& {
    const bool none = i >= head->n || head->items[i].kind == TS_CODE_NULL;
    return none ? written_call(code, "stop", {written(code, TS_CODE_STRING, "attempt to apply non-function")})
                : with_head(code, head->items[i]);
  };
  return &written_call(code, "if", {head->items[1], branch(2), branch(3)});
}

const ts_code& Lower::with_head(const ts_code& call, const ts_code& head) {
  items_.emplace_back(call.items, call.items + call.n);
  items_.back()[0] = head;
  codes_.push_back(call);
  codes_.back().items = items_.back().data();
  return codes_.back();
}

// `x$method(a)`, `(function(x) x)(a)`.
Expr Lower::call_expression(const ts_code& code) {
  const auto range = function_.range(code);
  const auto& head = code.items[0];
  Given given;
  if (const auto outside = known_part(head); !outside.empty()) {
    for (size_t i = 1; i < code.n; ++i) take(code, i, given);
    return apply("call:" + outside, range, given.inputs, given.named);
  }
  if (const auto* made = chosen_call(code)) return expression(*made);
  if (is_call(head, "$") && is_name(head.items[1], "super") && !knows("super")) {
    given.inputs.push_back(variable("self", range));
    for (size_t i = 1; i < code.n; ++i) take(code, i, given);
    return apply("super:" + field_of(head), range, given.inputs, given.named);
  }
  if (is_call(head, "$")) {
    given.inputs.push_back(expression(head.items[1]));
    for (size_t i = 1; i < code.n; ++i) take(code, i, given);
    return apply("method:" + field_of(head), range, given.inputs, given.named);
  }
  if (head.kind == TS_CODE_FUNCTION) {
    for (size_t i = 1; i < code.n; ++i) take(code, i, given);
    return apply(target_of(head, range, given), range, given.inputs, given.named);
  }
  // `self$layers[[2]](x)`, `functions[[1]](x)`.
  const bool of_element = is_call(head, "[[") && head.n == 3 && !head.names[2] && head.items[2].kind != TS_CODE_MISSING;
  given.inputs.push_back(expression(of_element ? head.items[1] : head));
  if (of_element) given.inputs.push_back(expression(head.items[2]));
  for (size_t i = 1; i < code.n; ++i) take(code, i, given);
  return apply(of_element ? "invoke_element:" : "invoke:", range, given.inputs, given.named);
}

Expr Lower::fork(const ts_code& code) {
  const auto range = function_.range(code);
  Given given;
  for (size_t i = 2; i < code.n; ++i) take(code, i, given);
  const std::string target = target_of(argument(code, 1), range, given);
  // What is changed afterwards must not change for the task.
  for (auto& input : given.inputs) input = apply("inner:forked", range, {input});
  for (auto& it : given.named)
    it = Attribute::create(range, it.name(), apply("inner:forked", range, {it.value()}));
  given.inputs.insert(given.inputs.begin(), name("R:" + target, range));
  return Apply::create(range, name("R:fork", range), List<Expr>::create(range, given.inputs),
                       List<Attribute>::create(range, given.named));
}

const Lower::ApplyForm* Lower::apply_form(const std::string& head) {
  static const std::unordered_map<std::string, ApplyForm> forms = {
      {"lapply", {&Lower::each}}, {"sapply", {&Lower::each}},     {"vapply", {&Lower::each}},
      {"Map", {&Lower::each_of}}, {"mapply", {&Lower::each_of}},  {"Filter", {&Lower::filter}},
      {"Reduce", {&Lower::fold}}, {"do.call", {&Lower::do_call}}, {"Find", {&Lower::first_of}},
      {"Position", {&Lower::first_of}},
  };
  const auto found = forms.find(head);
  return found == forms.end() ? nullptr : &found->second;
}

// Binds arguments to the formals of a function of R's. `rest`: the arguments that are left, which go to the function
// that is called.
std::vector<const ts_code*> Lower::bind(const ts_code& code, const std::vector<std::string>& formals,
                                        std::vector<size_t>* rest) {
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

Expr Lower::apply_to(const ts_code& what, const Exprs& items, const ts_code& code, const std::vector<size_t>& rest) {
  const auto range = function_.range(code);
  // `sapply(x, "[[", 1)`: what is no call in a program is written as it stands elsewhere.
  static const std::set<std::string> syntax = {"is.null", "[[", "["};
  const bool is_text = (is_name(what) || what.kind == TS_CODE_STRING) && syntax.count(what.text) && !is_own(what.text);
  if (is_text && items.size() == 1) {
    std::vector<ts_code> arguments = {written(what, TS_CODE_NAME, keep(Var(items[0]).name().name()))};
    for (const size_t i : rest) arguments.push_back(code.items[i]);
    return expression(written_call(code, what.text, arguments));
  }
  Given given;
  given.inputs = items;
  for (const size_t i : rest) take(code, i, given);
  return apply(target_of(what, range, given), range, given.inputs, given.named);
}

const ts_code& Lower::needed(const ts_code* code, const ts_code& where, const char* formal) {
  if (!code) refuse(where, std::string("`") + formal + "` is missing here");
  return *code;
}

// Whether there is nothing to go through: `NULL`, `list()`, `c()`. What the elements are is then not known, and the function
// is not compiled.
bool Lower::is_nothing(const ts_code& code) {
  const std::string head = callee(code);
  if ((head == "list" || head == "c") && code.n == 1 && !is_own(head)) return true;
  const auto known = known_constant(code);
  return code.kind == TS_CODE_NULL || (known && known->isNone());
}

// What `vapply()` wants each value to be like. Only types and lengths count.
Expr Lower::like_value(const ts_code& code) {
  static const std::unordered_map<std::string, int32_t> makers = {{"numeric", TS_CODE_DOUBLE},
                                                                  {"double", TS_CODE_DOUBLE},
                                                                  {"integer", TS_CODE_INTEGER},
                                                                  {"logical", TS_CODE_LOGICAL},
                                                                  {"character", TS_CODE_STRING}};
  const auto maker = makers.find(callee(code));
  const bool makes_one = maker != makers.end() && code.n == 2 && !code.names[1] && code.items[1].number == 1 &&
                         (code.items[1].kind == TS_CODE_DOUBLE || code.items[1].kind == TS_CODE_INTEGER);
  const int32_t kind = makes_one && !is_own(maker->first) ? maker->second : code.kind;
  if (kind == TS_CODE_STRING || kind == TS_CODE_NA_STRING) return string("", function_.range(code));
  if (kind == TS_CODE_DOUBLE || kind == TS_CODE_INTEGER || kind == TS_CODE_LOGICAL) return expression(written(code, kind));
  return expression(code);
}

Expr Lower::each(const ts_code& code) {
  const auto range = function_.range(code);
  std::vector<size_t> rest;
  std::vector<std::string> formals = {"X", "FUN"};
  const bool is_typed = callee(code) == "vapply";
  if (is_typed) formals.push_back("FUN.VALUE");
  auto bound = bind(code, formals, &rest);
  std::vector<size_t> given;
  for (const size_t i : rest)
    if (!code.names[i] || (std::string(code.names[i]) != "USE.NAMES" && std::string(code.names[i]) != "simplify"))
      given.push_back(i);
  const auto& like = is_typed ? needed(bound[2], code, "FUN.VALUE") : code;
  if (is_nothing(needed(bound[0], code, "X")))
    return is_typed ? apply("inner:none_like", range, {like_value(like)}) : apply("call:base::list", range, {});
  const std::string item = new_name();
  // What is written as a call is computed once.
  static const std::set<std::string> plain = {":", "seq_len", "seq_along", "as.list", "$", "[["};
  const ts_code* from = bound[0];
  if (!is_typed && from->kind == TS_CODE_CALL && !plain.count(callee(*from))) {
    const std::string list = new_name();
    assign(list, expression(*from), range);
    from = &written(*from, TS_CODE_NAME, keep(list));
  }
  const Expr over = iterated(*from, "inner:elements");
  const Expr given_back = apply_to(needed(bound[1], code, "FUN"), {name(item, range)}, code, given);
  const Expr element = apply("inner:detached", range, {given_back});
  const Expr all = ListComp::create(range, element, name(item, range), over);
  if (is_typed) return apply("inner:each_like", range, {all, like_value(like)});
  const bool is_range = from->kind == TS_CODE_CALL && callee(*from) != "$" && callee(*from) != "[[";
  return is_range ? apply("inner:whole", range, {all}) : with_names(all, expression(*from), code);
}

// What a function such as `lapply()` gives has the names of what it goes through.
Expr Lower::with_names(const Expr& all, const Expr& from, const ts_code& code) {
  bool by_strings = callee(code) != "lapply";
  for (size_t i = 1; i < code.n; ++i)
    if (code.names[i] && std::string(code.names[i]) == "USE.NAMES" && code.items[i].number == 0) by_strings = false;
  return apply(by_strings ? "inner:named_by" : "inner:named_like", function_.range(code), {all, from});
}

Expr Lower::each_of(const ts_code& code) {
  const auto range = function_.range(code);
  std::vector<size_t> rest;
  const bool is_map = callee(code) == "Map";
  const auto bound = bind(code, {is_map ? "f" : "FUN"}, &rest);
  Exprs lists, over, items;
  Given given;
  for (const size_t i : rest) {
    const std::string named = code.names[i] ? code.names[i] : "";
    const auto& value = code.items[i];
    if (!is_map && (named == "SIMPLIFY" || named == "USE.NAMES")) continue;
    if (!is_map && named == "MoreArgs") {
      if (!is_call(value, "list")) refuse(value, "`MoreArgs` must be written as `list(...)` in a program");
      for (size_t k = 1; k < value.n; ++k) take(value, k, given);
      continue;
    }
    if (is_nothing(value)) return apply("call:base::list", range, {});
    lists.push_back(name(new_name(), range));
    assign(Var(lists.back()).name().name(), expression(value), range);
    items.push_back(name(new_name(), range));
    if (named.empty()) {
      given.inputs.push_back(items.back());
    } else {
      given.named.push_back(Attribute::create(range, Ident::create(range, named), items.back()));
    }
  }
  if (lists.empty()) refuse(code, "there is no list to go through");
  // zip() would end with the shortest.
  if (lists.size() > 1) add(ExprStmt::create(range, apply("inner:same_length", range, lists)));
  for (const auto& list : lists) {
    Exprs with_all = {list};
    with_all.insert(with_all.end(), lists.begin(), lists.end());
    over.push_back(apply("inner:elements", range, with_all));
  }
  const std::string target = target_of(needed(bound[0], code, is_map ? "f" : "FUN"), range, given);
  const Expr element = apply("inner:detached", range, {apply(target, range, given.inputs, given.named)});
  if (over.size() == 1) return with_names(ListComp::create(range, element, items[0], over[0]), lists[0], code);
  const Expr zipped =
      Apply::create(range, name("zip", range), List<Expr>::create(range, over), List<Attribute>::create(range, {}));
  const Expr each = TupleLiteral::create(range, List<Expr>::create(range, items));
  return with_names(ListComp::create(range, element, each, zipped), lists[0], code);
}

Expr Lower::filter(const ts_code& code) {
  const auto range = function_.range(code);
  const auto bound = bind(code, {"f", "x"}, nullptr);
  if (is_nothing(needed(bound[1], code, "x"))) return expression(*bound[1]);
  const std::string to = new_name(), item = new_name(), over = new_name();
  assign(over, apply("inner:one_kind", range, {expression(*bound[1])}), range);
  add(ExprStmt::create(range, apply("inner:elements", range, {name(over, range)})));
  assign(to, apply("inner:empty_like", range, {name(over, range)}), range);
  go_through(apply("inner:elements", range, {name(over, range)}), item, range, [&] {
    when(apply("inner:condition", range, {apply_to(needed(bound[0], code, "f"), {name(item, range)}, code, {})}), range,
         [&] { add(ExprStmt::create(range, apply("inner:push", range, {name(to, range), name(item, range)}))); });
  });
  return name(to, range);
}

// `Find()` and `Position()`: the first element for which the function gives TRUE.
Expr Lower::first_of(const ts_code& code) {
  const auto range = function_.range(code);
  const bool wants_place = callee(code) == "Position";
  const auto bound = bind(code, {"f", "x"}, nullptr);
  const std::string to = new_name(), item = new_name(), over = new_name(), at = new_name();
  assign(over, expression(needed(bound[1], code, "x")), range);
  assign(to, wants_place ? number(0, true, range) : none(range), range);
  assign(at, number(0, true, range), range);
  go_through(apply("inner:elements", range, {name(over, range)}), item, range, [&] {
    assign(at, BinOp::create(range, '+', name(at, range), number(1, true, range)), range);
    when(apply("inner:condition", range, {apply_to(needed(bound[0], code, "f"), {name(item, range)}, code, {})}), range, [&] {
      assign(to, name(wants_place ? at : item, range), range);
      add(Break::create(range));
    });
  });
  return wants_place ? apply("inner:found_at", range, {name(to, range)}) : name(to, range);
}

// A flag that must be written as TRUE or FALSE. FALSE if it is not given.
bool Lower::flag(const ts_code* code, const char* formal) {
  if (!code) return false;
  if (code->kind != TS_CODE_LOGICAL || std::isnan(code->number))
    refuse(*code, std::string("`") + formal + "` must be TRUE or FALSE in a program");
  return code->number != 0;
}

Expr Lower::fold(const ts_code& code) {
  const auto range = function_.range(code);
  const auto bound = bind(code, {"f", "x", "init", "right", "accumulate"}, nullptr);
  const auto& what = needed(bound[0], code, "f");
  const bool from_right = flag(bound[3], "right"), all = flag(bound[4], "accumulate");
  const std::string to = new_name(), item = new_name(), over = new_name(), kept = new_name();
  const bool has_none = is_nothing(needed(bound[1], code, "x"));
  if (has_none && !bound[2]) return none(range);
  if (has_none && !all) return expression(*bound[2]);
  const Expr given = has_none ? apply("call:base::list", range, {}) : expression(*bound[1]);
  assign(over, from_right ? apply("call:rev", range, {given}) : given, range);
  Expr rest = name(over, range);
  if (bound[2]) {
    assign(to, expression(*bound[2]), range);
  } else {
    assign(to, apply("inner:first", range, {name(over, range)}), range);
    rest = apply("inner:rest", range, {name(over, range)});
  }
  if (all) assign(kept, apply("call:list", range, {name(to, range)}), range);
  go_through(apply("inner:elements", range, {rest}), item, range, [&] {
    Exprs both = {name(to, range), name(item, range)};
    if (from_right) std::swap(both[0], both[1]);
    assign(to, apply_to(what, both, code, {}), range);
    if (all) add(ExprStmt::create(range, apply("inner:push", range, {name(kept, range), name(to, range)})));
  });
  if (!all) return name(to, range);
  return from_right ? apply("call:rev", range, {name(kept, range)}) : Expr(name(kept, range));
}

Expr Lower::do_call(const ts_code& code) {
  const auto range = function_.range(code);
  const auto bound = bind(code, {"what", "args"}, nullptr);
  const auto& arguments = needed(bound[1], code, "args");
  const bool is_written = is_call(arguments, "list") && !is_own("list");
  Given given;
  for (size_t i = 1; is_written && i < arguments.n; ++i) take(arguments, i, given);
  const auto& what = needed(bound[0], code, "what");
  const std::string target = target_of(what, range, given);
  if (is_written) return apply(target, range, given.inputs, given.named);
  given.inputs.push_back(expression(arguments));
  return apply("spread:" + target, range, given.inputs, given.named);
}

}  // namespace shim::script
