// Lowers what stands between the brackets of `x[...]` and `x[[...]]`.
#include <cmath>

#include "script/lowering.h"

namespace shim::script {

// The entries between the brackets as a pattern and the values in it: m missing, v value, p a position that is surely
// one from 1, s slice (start, end, step), e `..`, a `newaxis`.
void Lower::entries(const ts_code& code, bool one, std::string& pattern, Exprs& values, bool& keep_dims) {
  const bool was = in_index_;
  for (size_t i = 2; i < code.n; ++i) {
    const auto& entry = code.items[i];
    if (code.names[i] && std::string(code.names[i]) == "drop") {
      if (entry.kind != TS_CODE_LOGICAL || std::isnan(entry.number))
        refuse(entry, "`drop` must be TRUE or FALSE in a program");
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

void Lower::read_entry(const ts_code& entry, std::string& pattern, Exprs& values) {
  const auto range = function_.range(entry);
  if (entry.kind == TS_CODE_MISSING) {
    pattern += 'm';
  } else if (is_name(entry, "..")) {
    pattern += 'e';
  } else if (entry.kind == TS_CODE_NULL || (is_name(entry, "newaxis") && !knows("newaxis"))) {
    pattern += 'a';
  } else if (is_call(entry, ":") && entry.n == 3 && !is_own(":")) {
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

Expr Lower::indexed(const ts_code& code, bool one) {
  const auto range = function_.range(code);
  std::string pattern;
  bool keep_dims = false;
  const ts_code* whole = &argument(code, 1);
  while (is_call(*whole, "(") && whole->n == 2) whole = &whole->items[1];
  const std::string maker = callee(*whole);
  // Of a range no vector is made if one number of it is asked for.
  if (!is_own(maker) && ((maker == ":" && whole->n == 3) || (maker == "seq_len" && whole->n == 2 && !whole->names[1]))) {
    Exprs values;
    for (size_t i = 1; i < whole->n; ++i) values.push_back(expression(whole->items[i]));
    entries(code, one, pattern, values, keep_dims);
    return apply("of_range:" + std::string(one ? "[[" : "[") + maker + ":" + pattern, range, values);
  }
  Exprs values = {expression(argument(code, 1))};
  entries(code, one, pattern, values, keep_dims);
  return apply((one ? "get2:" : keep_dims ? "keep:" : "get:") + pattern, range, values);
}

}  // namespace shim::script
