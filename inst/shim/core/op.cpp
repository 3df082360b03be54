// The registry of operators.
#include "core/callable.h"

#include <mutex>
#include <sstream>
#include <unordered_map>

namespace shim {
namespace {

using Overloads = std::vector<const ts_callable*>;

// Names of all overloads, by the name of the operator. The index is read anew when a name is unknown, since a library
// that was loaded later may have brought it.
std::vector<std::string> overload_names(const std::string& name) {
  static std::unordered_map<std::string, std::vector<std::string>> index;
  auto found = index.find(name);
  if (found == index.end()) {
    index.clear();
    for (auto& op : c10::Dispatcher::singleton().getAllOpNames())
      if (c10::Dispatcher::singleton().findSchema(op)) index[op.name].push_back(op.overload_name);
    for (auto& entry : index) std::sort(entry.second.begin(), entry.second.end());
    found = index.find(name);
  }
  return found == index.end() ? std::vector<std::string>() : found->second;
}

// Adds the overloads that only the JIT has. An operator that needs a node of a graph, or has no fixed schema, can't be
// called and is left out.
void add_jit_overloads(const std::string& name, Overloads& found) {
  if (name.find("::") == std::string::npos) return;
  for (const auto& op : torch::jit::getAllOperatorsFor(c10::Symbol::fromQualString(name)))
    if (op->hasOperation() && !op->schema().is_vararg() &&
        !c10::Dispatcher::singleton().findSchema({name, op->schema().overload_name()}))
      found.push_back(new ts_callable(op));
}

Overloads find_overloads(const std::string& name, bool all) {
  Overloads found;
  for (const auto& overload : overload_names(name))
    found.push_back(new ts_callable(*c10::Dispatcher::singleton().findSchema({name, overload})));
  if (all || found.empty()) add_jit_overloads(name, found);
  return found;
}

int find(const char* name, bool all, const ts_callable* const** overloads, size_t* n) {
  return guarded([&] {
    // The host keeps what it is given for the whole session, so this is never freed.
    static auto* known = new std::unordered_map<std::string, Overloads>[2];
    static std::mutex lock;
    const std::lock_guard<std::mutex> hold(lock);
    auto& of_kind = known[all];
    auto found = of_kind.find(name);
    if (found == of_kind.end()) {
      auto overloads_of_name = find_overloads(name, all);
      if (overloads_of_name.empty()) {
        *n = 0;
        return;
      }
      found = of_kind.emplace(name, std::move(overloads_of_name)).first;
    }
    *overloads = found->second.data();
    *n = found->second.size();
  });
}

std::string schema_text(const c10::FunctionSchema& schema) {
  std::ostringstream text;
  text << schema;
  return text.str();
}

}  // namespace
}  // namespace shim

int ts_operator_find(const char* name, const ts_callable* const** overloads, size_t* n) {
  return shim::find(name, false, overloads, n);
}

int ts_operator_find_all(const char* name, const ts_callable* const** overloads, size_t* n) {
  return shim::find(name, true, overloads, n);
}

int ts_operator_kinds(const char* name, ts_value* out, ts_arena** arena) {
  return shim::guarded_result(out, arena, [&](ts_value& value, shim::Arena& own) {
    const auto all = torch::jit::getAllOperatorsFor(c10::Symbol::fromQualString(name));
    TORCH_CHECK(!all.empty(), "there is no operator ", name);
    const auto kind = [](const c10::Argument& argument) { return c10::typeKindToString(argument.type()->kind()); };
    const auto& schema = all[0]->schema();
    value.tag = TS_TUPLE;
    value.len = 2;
    value.as.items = own.get().new_items(2);
    ts_value& arguments = value.as.items[0];
    arguments.tag = TS_DICT;
    arguments.len = static_cast<int64_t>(schema.arguments().size());
    arguments.as.items = own.get().new_items(2 * schema.arguments().size());
    for (size_t i = 0; i < schema.arguments().size(); ++i) {
      arguments.as.items[2 * i] = shim::string_value(schema.arguments()[i].name(), own);
      arguments.as.items[2 * i + 1] = shim::string_value(kind(schema.arguments()[i]), own);
    }
    std::vector<std::string> results;
    for (const auto& result : schema.returns()) results.push_back(kind(result));
    value.as.items[1] = shim::string_list(results, own);
  });
}

int ts_operator_schemas(int registry, ts_value* out, ts_arena** arena) {
  return shim::guarded_result(out, arena, [&](ts_value& value, shim::Arena& own) {
    std::vector<std::string> texts;
    auto& dispatcher = c10::Dispatcher::singleton();
    if (registry == TS_REGISTRY_DISPATCHER) {
      for (const auto& name : dispatcher.getAllOpNames())
        if (const auto op = dispatcher.findSchema(name))
          texts.push_back(shim::schema_text(op->schema()));
    } else {
      for (const auto& op : torch::jit::getAllOperators())
        if (!dispatcher.findSchema({op->schema().name(), op->schema().overload_name()}))
          texts.push_back(shim::schema_text(op->schema()));
    }
    std::sort(texts.begin(), texts.end());
    value = shim::string_list(texts, own);
  });
}
