#include "script/code.h"

#include <torch/csrc/jit/frontend/error_report.h>

#include <algorithm>

#include "script/flow.h"

namespace shim::script {

using torch::jit::ErrorReport;

std::string callee(const ts_code& code) {
  if (code.kind != TS_CODE_CALL) return "";
  const auto& head = code.items[0];
  // rlang has another name for `is.null()`.
  if (is_name(head, "is_null")) return "is.null";
  if (is_name(head)) return head.text;
  if (head.kind == TS_CODE_CALL && head.n == 3 && is_name(head.items[0], "::") && is_name(head.items[1]) &&
      is_name(head.items[2]))
    return std::string(head.items[1].text) + "::" + head.items[2].text;
  return "";
}

std::string cited(const torch::jit::SourceRange& place) {
  const auto at = place.file_line_col();
  if (!at) return "";
  const std::string text = place.text().str();
  const auto end = text.find('\n');
  const std::string first = end == std::string::npos ? text : text.substr(0, text.find_last_not_of(" \n{", end) + 1) + " ...";
  return "`" + first + "` (line " + std::to_string(std::get<1>(*at)) + ")";
}

bool is_assignment(const ts_code& code) {
  const std::string name = callee(code);
  return code.n == 3 && (name == "<-" || name == "=");
}

const ts_code* base_of(const ts_code& place) {
  const ts_code* at = &place;
  while (at->kind == TS_CODE_CALL) {
    if (at->n < 2) return nullptr;
    at = &at->items[1];
  }
  return is_name(*at) ? at : nullptr;
}

Function::Function(const ts_closure& home, const ts_code& code, Function* parent, std::string name, bool is_method)
    : home(home), code(code), parent(parent), name(std::move(name)) {
  source = parent ? parent->source
                  : std::make_shared<torch::jit::Source>(std::string(home.text), std::string(home.file),
                                                         static_cast<size_t>(home.line));
  if (is_method) locals.insert("self");
  for (size_t i = 0; i + 1 < code.n; ++i) {
    formals.emplace_back(code.names[i]);
    locals.insert(formals.back());
    met_.insert(formals.back());
    other_.insert(formals.back());
  }
  for (const auto& formal : formals) ++given[formal];
  count_given(body(), 1);
  // A function that is written in this one may read what is assigned further down.
  for (const auto& [variable, times] : given)
    if (!variable.empty() && written_once_[variable] != 1) locals.insert(variable);
  for (size_t i = 0; i + 1 < code.n; ++i) read(default_of(i));
  read(body());
  for (const auto& variable : other_) counters.erase(variable);
  // All variables of this function are known now. Other names that it reads may be variables of the functions around.
  std::vector<std::string> names;
  names.swap(captured);
  early = early_reads(*this);
  for (const auto& it : early) names.push_back(it.first);
  std::set<std::string> seen;
  for (const auto& variable : names) {
    if ((locals.count(variable) && !early.count(variable)) || !seen.insert(variable).second) continue;
    // A variable that is one function need not be handed on: what that function reads was noted where it is written.
    // A name that is only called means a function, unless a variable of that name comes before.
    const bool is_read = read_.count(variable) || early.count(variable);
    const auto has = [&](const Function& it) { return (is_read ? it.locals : it.met_).count(variable) > 0; };
    auto* around = parent;
    while (around && !around->functions.count(variable) && !has(*around)) around = around->parent;
    if (!around) outside.insert(variable);
    if (around && !around->functions.count(variable)) captured.push_back(variable);
  }
}

torch::jit::SourceRange Function::range(const ts_code& part) const {
  const size_t size = source->size();
  const size_t begin = std::min(part.begin, size);
  return {source, begin, std::min(std::max(part.end, begin), size)};
}

const ts_known* Function::known(const std::string& outside) const {
  const auto* end = home.known + home.n_known;
  const auto* found = std::find_if(home.known, end, [&](const ts_known& it) { return outside == it.name; });
  return found == end ? nullptr : found;
}

bool Function::is_users(const std::string& outside) const {
  const auto* it = known(outside);
  return it && it->is_function && !it->builtin && !it->refused && it->operator_at < 0 && (it->closure_at >= 0 || it->callable);
}

Function* Function::function_named(const std::string& variable) const {
  for (auto* around = this; around; around = around->parent) {
    const auto found = around->functions.find(variable);
    if (found != around->functions.end()) return found->second;
    if (around->locals.count(variable)) return nullptr;
  }
  return nullptr;
}

// Notes the variable of a `for` loop, and whether it is always a position.
void Function::count(const ts_code& loop) {
  const auto& variable = loop.items[1];
  const auto& over = loop.items[2];
  locals.insert(variable.text);
  met_.insert(variable.text);
  assigned.insert(variable.text);
  const std::string head = callee(over);
  const bool is_own = function_named(head) || is_users(head);
  const bool upwards = !is_own && (head == "seq_len" || head == "seq_along");
  const bool from_one = !is_own && head == ":" && over.n == 3 && over.items[1].number >= 1 &&
                        (over.items[1].kind == TS_CODE_DOUBLE || over.items[1].kind == TS_CODE_INTEGER);
  // `1:n` runs downwards to 0 where n is 0.
  const bool may_turn = from_one && !(over.items[2].kind == TS_CODE_DOUBLE && over.items[2].number >= 1);
  if (upwards || (from_one && !may_turn)) {
    counters.insert(variable.text);
  } else {
    other_.insert(variable.text);
  }
}

void Function::use(const std::string& variable) { captured.push_back(variable); }

void Function::read_function(const ts_code& part, const std::string& variable) {
  auto& made = inner[part.items];
  made = std::make_unique<Function>(home, part, this, variable.empty() ? name + "_inner" : variable);
  // What an inner function reads of the functions around this one, this one must be given.
  for (const auto& read : made->captured)
    if (!locals.count(read)) {
      use(read);
      if (made->read_.count(read)) read_.insert(read);
    }
  if (!variable.empty() && written_once_[variable] == 1 && !other_.count(variable))
    functions.emplace(variable, made.get());
}

void Function::count_given(const ts_code& part, int times) {
  if (part.kind != TS_CODE_CALL) return;
  const std::string head = callee(part);
  if (head == "for" || head == "while" || head == "repeat") times = 2;
  if (head == "for" && part.n == 4) given[part.items[1].text] += times;
  if (is_assignment(part)) {
    const auto* base = base_of(part.items[1]);
    const std::string variable = base ? base->text : part.items[1].kind == TS_CODE_STRING ? part.items[1].text : "";
    given[variable] += times;
    // An assignment in a loop gives the same function each time, so that it counts once here.
    written_once_[variable] += part.items[2].kind == TS_CODE_FUNCTION ? 1 : 2;
  }
  for (size_t i = 0; i < part.n; ++i) count_given(part.items[i], times);
}

void Function::assign(const ts_code& place) {
  if (is_name(place) || place.kind == TS_CODE_STRING) {
    locals.insert(place.text);
    met_.insert(place.text);
    assigned.insert(place.text);
    other_.insert(place.text);
    return;
  }
  const auto* base = base_of(place);
  if (!base) throw ErrorReport(range(place)) << "this is no place to assign to: it is part of no variable";
  locals.insert(base->text);
  met_.insert(base->text);
  assigned.insert(base->text);
  changed.insert(base->text);
  if (!is_name(place.items[1])) deep.insert(base->text);
  read(place);
}

// Notes variables that are changed in place: `x$add_(1)`, `torch_relu_(x)`.
void Function::note_written(const ts_code& part, const std::string& head) {
  const auto& method = part.items[0];
  const bool is_method = head.empty() && is_call(method, "$") && method.n == 3 && method.items[2].text;
  const std::string name = is_method ? method.items[2].text : head;
  if (name.empty() || name.back() != '_') return;
  const ts_code* of = is_method ? &method.items[1] : part.n > 1 ? &part.items[1] : nullptr;
  if (of && is_name(*of)) written.insert(of->text);
}

void Function::read(const ts_code& part) {
  switch (part.kind) {
    case TS_CODE_NAME:
      use(is_name(part, "private") ? "self" : part.text);
      read_.insert(part.text);
      return;
    case TS_CODE_FUNCTION:
      read_function(part, "");
      return;
    case TS_CODE_CALL:
      break;
    default:
      return;
  }
  const std::string head = callee(part);
  if (is_assignment(part)) {
    const bool is_variable = is_name(part.items[1]) || part.items[1].kind == TS_CODE_STRING;
    if (is_variable && part.items[2].kind == TS_CODE_FUNCTION)
      read_function(part.items[2], part.items[1].text);
    else
      read(part.items[2]);
    assign(part.items[1]);
    return;
  }
  if (head == "for" && part.n == 4) {
    count(part);
    read(part.items[2]);
    read(part.items[3]);
    return;
  }
  if (head == "$" || head == "@" || head == "::") {
    if (head != "::") read(part.items[1]);
    return;
  }
  // A variable that is called may hold a function.
  if (!head.empty()) {
    called.insert(head);
    use(head);
  }
  note_written(part, head);
  // The variables that an inner function reads must be there where it is called.
  if (auto* known = head.empty() ? nullptr : function_named(head))
    for (const auto& variable : known->captured) {
      use(variable);
      if (known->read_.count(variable)) read_.insert(variable);
    }
  for (size_t i = 0; i < part.n; ++i)
    if (i > 0 || head.empty()) read(part.items[i]);
}

}  // namespace shim::script
