// Lower makes LibTorch's tree of one function (lower.h). Its members are defined in lower*.cpp: statements,
// expressions, calls, indices.
#pragma once
#include <torch/csrc/jit/frontend/error_report.h>

#include <deque>
#include <optional>

#include "script/lower.h"

namespace shim::script {

using namespace torch::jit;

class Lower {
 public:
  Lower(Function& function, const Signature& signature, Numbers& numbers)
      : function_(function), signature_(signature), numbers_(numbers) {}
  Def run();

 private:
  using Exprs = std::vector<Expr>;

  // Trees.
  [[noreturn]] void refuse(const ts_code& code, const std::string& why) {
    throw ErrorReport(function_.range(code)) << why;
  }
  Expr name(const std::string& text, const SourceRange& place) {
    return Var::create(place, Ident::create(place, text));
  }
  Expr variable(const std::string& text, const SourceRange& place) { return name(variable_name(text), place); }
  Expr apply(const std::string& what, const SourceRange& place, const Exprs& inputs,
             const std::vector<Attribute>& named = {});
  Expr none(const SourceRange& place) { return Expr(Compound::create(TK_NONE, place, {})); }
  Expr logical(bool value, const SourceRange& place);
  Expr number(double value, bool whole, const SourceRange& place);
  Expr string(const std::string& text, const SourceRange& place) { return StringLiteral::create(place, text); }
  Expr constant(const c10::IValue& value, const SourceRange& place);
  const ts_code& written(const ts_code& like, int32_t kind, const char* text = nullptr, double value = 0);
  const ts_code& written_call(const ts_code& like, const char* head, std::vector<ts_code> arguments);
  const char* keep(std::string text);
  std::string new_name() { return "R.v" + std::to_string(++n_names_); }

  // Statements.
  void begin_variables();
  void add(const Stmt& statement) { out_->push_back(statement); }
  template <class Body>
  std::vector<Stmt> block(Body&& body) {
    std::vector<Stmt> made;
    auto* outer = out_;
    const auto defined = defined_;
    const auto within = within_;
    const auto certain = certain_;
    std::set<std::string> here;
    here.swap(defined_here_);
    out_ = &made;
    ++blocks_;
    body();
    --blocks_;
    out_ = outer;
    defined_ = defined;
    within_ = within;
    certain_ = certain;
    defined_here_.swap(here);
    return made;
  }
  List<Stmt> list_of(const std::vector<Stmt>& statements, const SourceRange& place);
  void assign(const std::string& to, const Expr& value, const SourceRange& place, bool owned = false);
  void mark(const std::string& variable, bool has_value, const SourceRange& place);
  static std::string mark_of(const std::string& variable) { return "R.has." + variable; }
  void assign_to(const ts_code& place, const Expr& value, const SourceRange& range, bool owned = false);
  Expr assigned_value(const ts_code& code);
  bool keeps_element(const std::string& variable, const ts_code& value);
  std::string field_of(const ts_code& code);
  bool is_own(const std::string& head) { return function_.function_named(head) || function_.is_users(head); }
  void statement(const ts_code& code);
  bool is_late(size_t formal);
  void compute_default(size_t formal);
  void ask_for_defaults(const ts_code& code);
  static bool raises(const std::string& head);
  void leave_loop(bool ends, const SourceRange& range);
  void leave_function(const ts_code& code);
  void leave_by(const Stmt& statement);
  void when(const Expr& asked, const SourceRange& range, const std::function<void()>& body);
  void one_turn(const SourceRange& range, const std::function<void()>& body);
  void with_grad_mode(const ts_code& code, const std::function<void()>& body);
  void check(const ts_code& condition_code, const char* message);
  std::optional<c10::IValue> known_constant(const ts_code& code);
  std::optional<c10::IValue> known_variable(const std::string& text);
  void note_known(const std::string& variable, const ts_code& value);
  std::optional<bool> is_missing(const ts_code& code);
  std::optional<bool> known_test(const ts_code& code);
  template <class Then, class Otherwise>
  void branch(const ts_code& code, Then&& then, Otherwise&& otherwise) {
    const auto range = function_.range(code);
    if (const auto known = known_test(code.items[1])) {
      if (*known) return then(code.items[2]);
      if (code.n > 3) return then(code.items[3]);
      return otherwise();
    }
    const Expr asked = condition(code.items[1]);
    const auto where = [&](const char* is) { within_ = "where " + cited(function_.range(code.items[1])) + is; };
    const auto yes = block([&] {
      where(" is TRUE");
      then(code.items[2]);
    });
    const auto no = block([&] {
      where(" is FALSE");
      if (code.n > 3)
        then(code.items[3]);
      else
        otherwise();
    });
    add(If::create(range, asked, list_of(yes, range), list_of(no, range)));
  }
  Expr iterated(const ts_code& code, const char* items = "inner:items");
  // The statements of a loop's body, which `body` makes.
  template <class Body>
  List<Stmt> repeated(Body&& body, const SourceRange& place) {
    ++loops_;
    std::string outer;
    outer.swap(left_by_);
    const auto made = block([&] {
      within_ = "in the loop " + cited(place);
      body();
    });
    left_by_.swap(outer);
    --loops_;
    return list_of(made, place);
  }
  void add_loop(const Stmt& loop);
  void loop(const ts_code& code);
  void for_loop(const ts_code& code);
  void go_through(const Expr& over, const std::string& item, const SourceRange& range, const std::function<void()>& body);
  void while_loop(const ts_code& asked, const ts_code& body_code, const SourceRange& range);
  void give(const Expr& value, const SourceRange& range);
  void tail(const ts_code& code);
  void keep_value(const ts_code& code, const std::string& to);
  const ts_code& chosen(const ts_code& code, const std::string& word);
  const ts_code& choice(const ts_code& code);

  // Expressions.
  Expr expression(const ts_code& code);
  Expr named_value(const ts_code& code);
  Expr value_of(const std::string& text, const SourceRange& range);
  [[noreturn]] void refuse_without_value(const ts_code& code);
  // Whether the variable has a value here, whatever way led here.
  bool surely(const std::string& variable) const {
    return (signature_.open.count(variable) ? certain_ : defined_).count(variable) > 0;
  }
  std::string not_found(const std::string& variable);
  Expr function_value(Function& inner, const ts_code& code, bool kept = true);
  bool knows(const std::string& text);
  Expr computed(const ts_code& code);
  Expr called(const ts_code& code);
  const ts_code& argument(const ts_code& code, size_t i);
  bool is_test(const ts_code& code);
  const ts_code* null_test(const ts_code& code, bool any);
  Expr condition(const ts_code& code);
  Expr or_else(const ts_code& code);
  Expr asked_for_null(const ts_code& code);
  ts_code without_dot(const ts_code& code, const ts_code& dot);
  const ts_code& piped(const ts_code& code);

  // Calls.
  struct Given {
    Exprs inputs;
    std::vector<Attribute> named;
  };
  void take(const ts_code& code, size_t i, Given& given);
  Expr argument_value(const ts_code& call, const ts_code& value);
  void take_captured(Function& called_function, const SourceRange& range, Given& given);
  std::string target_of(const ts_code& code, const SourceRange& range, Given& given);
  bool is_refused(const ts_code& code);
  Expr call(const ts_code& code);
  const ts_code* chosen_call(const ts_code& code);
  const ts_code& with_head(const ts_code& call, const ts_code& head);
  std::string known_part(const ts_code& code);
  Expr call_expression(const ts_code& code);
  Expr fork(const ts_code& code);

  // Functions of functions.
  struct ApplyForm {
    Expr (Lower::*lower)(const ts_code&);
  };
  const ApplyForm* apply_form(const std::string& head);
  std::vector<const ts_code*> bind(const ts_code& code, const std::vector<std::string>& formals,
                                   std::vector<size_t>* rest);
  Expr apply_to(const ts_code& what, const Exprs& items, const ts_code& code, const std::vector<size_t>& rest);
  const ts_code& needed(const ts_code* code, const ts_code& where, const char* formal);
  bool flag(const ts_code* code, const char* formal);
  bool is_nothing(const ts_code& code);
  Expr like_value(const ts_code& code);
  Expr with_names(const Expr& all, const Expr& from, const ts_code& code);
  Expr each(const ts_code& code);
  Expr each_of(const ts_code& code);
  Expr filter(const ts_code& code);
  Expr first_of(const ts_code& code);
  Expr fold(const ts_code& code);
  Expr do_call(const ts_code& code);

  // Indices.
  void entries(const ts_code& code, bool one, std::string& pattern, Exprs& values, bool& keep_dims);
  void read_entry(const ts_code& entry, std::string& pattern, Exprs& values);
  Expr indexed(const ts_code& code, bool one);

  Function& function_;
  const Signature& signature_;
  Numbers& numbers_;
  std::vector<Stmt>* out_ = nullptr;
  std::set<std::string> defined_, defined_here_;  // variables that have a value, and those that got it in this block
  std::set<std::string> met_;                     // variables that are given a value somewhere before in the text
  std::set<std::string> certain_;                 // variables that have got a value on the way to here
  std::set<std::string> begun_;                   // variables that begin with a value from around the function
  std::string within_;                            // the innermost branch or loop, in words
  std::map<std::string, std::vector<std::string>> only_in_;  // of open variables: the branches and loops that give values
  std::set<size_t> waiting_;                      // formals whose defaults are not computed yet
  std::vector<std::string> computing_;            // formals whose defaults are being computed
  bool in_index_ = false;
  bool has_grad_mode_ = false;                // whether `with_no_grad()` or its like is called anywhere
  // Inside of `with_no_grad()`: the variables that tell how a loop around it is left, whether the function is left, and
  // what it then gives. "" where LibTorch's own statements can leave.
  std::string left_by_, returns_by_, returned_;
  int loops_ = 0;                             // how many loops are around the statement
  int blocks_ = 0;                            // how many loops and branches are around the statement
  std::map<std::string, c10::IValue> known_;  // values of variables that have one value only
  // Of variables that hold one of several modules or functions: these, and the variable that holds the position.
  std::map<std::string, std::pair<const ts_code*, std::string>> elements_;
  size_t n_names_ = 0;
  std::deque<ts_code> codes_;
  std::deque<std::vector<ts_code>> items_;
  std::deque<std::vector<const char*>> names_;
  std::deque<std::string> texts_;
};

}  // namespace shim::script
