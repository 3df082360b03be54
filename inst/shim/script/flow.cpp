#include "script/flow.h"

#include <algorithm>

namespace shim::script {
namespace {

// What is known of the variables at a place of the code.
struct State {
  std::set<std::string> sure, maybe;  // variables that have a value on all ways to here, and on some
  bool left = false;                  // no way leads here: behind `return()`, `break` and their like
};

State either(const State& one, const State& other) {
  if (one.left) return other;
  if (other.left) return one;
  State both;
  for (const auto& it : one.sure)
    if (other.sure.count(it)) both.sure.insert(it);
  both.maybe = one.maybe;
  both.maybe.insert(other.maybe.begin(), other.maybe.end());
  return both;
}

// Goes through the code in the order in which it runs. A loop is gone through once: what its first turn finds without
// a value is what matters.
class Flow {
 public:
  explicit Flow(const Function& function) : function_(function) {}

  std::map<std::string, EarlyRead> run() {
    for (const auto& formal : function_.formals) give(formal);
    // A method has its module.
    give("self");
    give("private");
    // R computes a default when it is first asked for, which may be later.
    for (size_t i = 0; i < function_.formals.size(); ++i) walk(function_.default_of(i));
    for (auto& it : found_) it.second.certain = false;
    walk(function_.body());
    return found_;
  }

 private:
  void give(const std::string& variable) {
    now_.sure.insert(variable);
    now_.maybe.insert(variable);
    met_.insert(variable);
  }

  void read(const std::string& variable, const ts_code& code) {
    if (now_.left || !function_.locals.count(variable) || now_.sure.count(variable)) return;
    auto& it = found_.emplace(variable, EarlyRead{false, &code}).first->second;
    it.certain = it.certain || !now_.maybe.count(variable);
  }

  // What a function reads where it is called.
  void read_of(const Function& inner, const ts_code& code) {
    for (const auto& variable : inner.captured) read(variable, code);
  }

  void name(const ts_code& code) {
    if (const auto* inner = function_.function_named(code.text)) return read_of(*inner, code);
    read(code.text, code);
  }

  // A loop that may have no turns, or one that ends at a `break` only.
  void loop(const ts_code& body, bool may_be_left_out) {
    State outer = now_;
    outer.left = !may_be_left_out;
    std::swap(outer, breaks_);
    const State before = now_;
    walk(body);
    now_ = breaks_;
    breaks_ = outer;
    if (may_be_left_out) {
      now_ = before;
      now_.maybe.insert(met_.begin(), met_.end());
    }
  }

  void branch(const ts_code& code) {
    walk(code.items[1]);
    State other = now_;
    walk(code.items[2]);
    std::swap(now_, other);
    if (code.n > 3) walk(code.items[3]);
    now_ = either(now_, other);
  }

  void choice(const ts_code& code) {
    walk(code.items[1]);
    const State before = now_;
    State after = before;
    after.left = true;
    bool by_name = false, has_rest = false;
    for (size_t i = 2; i < code.n; ++i) by_name = by_name || code.names[i];
    for (size_t i = 2; i < code.n; ++i) {
      if (code.items[i].kind == TS_CODE_MISSING) continue;
      has_rest = has_rest || (by_name && !code.names[i]);
      now_ = before;
      walk(code.items[i]);
      after = either(after, now_);
    }
    now_ = has_rest ? after : either(after, before);
  }

  void assignment(const ts_code& code) {
    const auto& place = code.items[1];
    const auto& value = code.items[2];
    const bool is_variable = is_name(place) || place.kind == TS_CODE_STRING;
    if (is_variable && function_.functions.count(place.text)) return;
    walk(value);
    if (is_variable) return give(place.text);
    walk(place);
    if (const auto* base = base_of(place)) give(base->text);
  }

  void walk(const ts_code& code) {
    if (code.kind == TS_CODE_NAME) return name(code);
    if (code.kind == TS_CODE_FUNCTION) return read_of(*function_.inner.at(code.items), code);
    if (code.kind != TS_CODE_CALL) return;
    const std::string head = callee(code);
    if (function_.functions.count(head)) return arguments(code, head);
    if (is_assignment(code)) return assignment(code);
    if (head == "if" && code.n > 2) return branch(code);
    if (head == "switch" && code.n > 2) return choice(code);
    if (head == "for" && code.n == 4) {
      walk(code.items[2]);
      // A loop without turns leaves NULL in its variable.
      give(code.items[1].text);
      return loop(code.items[3], true);
    }
    if (head == "while" && code.n == 3) {
      const bool is_endless = code.items[1].kind == TS_CODE_LOGICAL && code.items[1].number == 1;
      walk(code.items[1]);
      return loop(code.items[2], !is_endless);
    }
    if (head == "repeat" && code.n == 2) return loop(code.items[1], false);
    if ((head == "&&" || head == "||") && code.n == 3) {
      walk(code.items[1]);
      const State before = now_;
      walk(code.items[2]);
      now_ = either(now_, before);
      return;
    }
    if (head == "missing" || head == "::") return;
    if (head == "$" || head == "@") return walk(code.items[1]);
    arguments(code, head);
    if (head == "break") breaks_ = either(breaks_, now_);
    static const std::set<std::string> leaves = {"return", "stop", "break", "next"};
    if (leaves.count(head)) now_.left = true;
  }

  void arguments(const ts_code& code, const std::string& head) {
    if (head.empty()) walk(code.items[0]);
    for (size_t i = 1; i < code.n; ++i) walk(code.items[i]);
    if (const auto* inner = head.empty() ? nullptr : function_.function_named(head)) read_of(*inner, code);
  }

  const Function& function_;
  State now_, breaks_;
  std::set<std::string> met_;  // variables that are given a value somewhere before in the code
  std::map<std::string, EarlyRead> found_;
};

}  // namespace

std::map<std::string, EarlyRead> early_reads(const Function& function) { return Flow(function).run(); }

}  // namespace shim::script
