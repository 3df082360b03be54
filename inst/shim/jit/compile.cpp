// TorchScript text: units of functions and classes.
#include "core/callable.h"
#include "core/stack.h"
#include "jit/compiler.h"
#include "jit/parse.h"

#include <sstream>

namespace shim {
namespace {

using namespace torch::jit;

c10::FunctionSchema without_self(const c10::FunctionSchema& schema) {
  const auto& arguments = schema.arguments();
  return c10::FunctionSchema(schema.name(), schema.overload_name(), {arguments.begin() + 1, arguments.end()},
                             schema.returns());
}

std::string text_of(const c10::FunctionSchema& schema) {
  std::ostringstream text;
  text << schema;
  return text.str();
}

// The fields of a NamedTuple as arguments. LibTorch stores the position of each field where the length of a list
// argument would stand, and would print it; here it is left out.
std::vector<c10::Argument> fields_of(const c10::TupleTypePtr& type) {
  std::vector<c10::Argument> fields;
  for (const auto& field : type->schema()->arguments()) {
    const std::decay_t<decltype(field.N())> any_length{};
    fields.emplace_back(field.name(), field.type(), any_length, field.default_value());
  }
  return fields;
}

// A function that makes a NamedTuple of its fields. It is made once in each unit.
torch::jit::Function* tuple_maker(Unit& unit, const std::string& name, const c10::TupleTypePtr& type) {
  const c10::QualifiedName maker(qualified(name), "new");
  if (auto* known = unit.find_function(maker)) return known;
  auto graph = std::make_shared<Graph>();
  std::vector<Value*> values;
  for (const auto& field : type->schema()->arguments())
    values.push_back(graph->addInput(field.name())->setType(field.type()));
  auto* node = graph->insertNode(graph->createTuple(values, type));
  graph->registerOutput(node->output());
  auto* function = unit.create_function(maker, graph);
  function->setSchema(c10::FunctionSchema(name, "", fields_of(type), {c10::Argument("", type)}));
  return function;
}

std::vector<std::string> describe(Unit& unit, const std::string& name) {
  if (auto* function = unit.find_function(qualified(name))) return {"function", text_of(function->getSchema())};
  const auto type = unit.get_type(qualified(name));
  if (const auto tuple = type->cast<c10::TupleType>())
    return {"NamedTuple", text_of(tuple_maker(unit, name, tuple)->getSchema())};
  std::vector<std::string> lines;
  if (const auto members = type->cast<c10::EnumType>()) {
    lines = {"enum", name};
    for (const auto& member : members->enumNamesValues()) lines.push_back(member.first);
    return lines;
  }
  const auto it = type->expect<c10::ClassType>();
  lines = {"class", name};
  for (auto* method : it->methods()) {
    if (method->name() == "__init__")
      lines[1] = text_of(ts_callable(it, nullptr).constructor_schema());
    else
      lines.push_back(text_of(without_self(method->getSchema())));
  }
  return lines;
}

}  // namespace
}  // namespace shim

struct ts_unit {
  std::shared_ptr<shim::Unit> unit;
};

using shim::Arena;
using shim::guarded;
using shim::guarded_result;

int ts_unit_compile(const char* source, const char* file, int line, const ts_use* uses, size_t n_uses, ts_unit** out) {
  return guarded([&] {
    auto unit = std::make_shared<shim::Unit>();
    std::vector<shim::Use> known;
    for (size_t i = 0; i < n_uses; ++i) {
      const auto& use = uses[i];
      TORCH_CHECK(use.unit || use.function->function, "an operator can't be used in a unit");
      known.push_back({use.name, use.unit ? use.unit->unit : nullptr, use.unit ? nullptr : use.function->function});
      unit->uses.push_back(use.unit ? use.unit->unit : use.function->unit);
    }
    shim::with_stack(shim::compile_stack(source), [&] {
      shim::compile_into(unit, std::move(known), shim::parse(source, file, line, /*methods=*/false));
      shim::check_text(*unit);
    });
    *out = new ts_unit{unit};
  });
}

int ts_unit_list(ts_unit* handle, ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, Arena& own) {
    const auto& names = handle->unit->names;
    value.tag = TS_DICT;
    value.len = static_cast<int64_t>(names.size());
    value.as.items = own.get().new_items(2 * names.size());
    for (size_t i = 0; i < names.size(); ++i) {
      value.as.items[2 * i] = shim::string_value(names[i], own);
      value.as.items[2 * i + 1] = shim::string_list(shim::describe(*handle->unit, names[i]), own);
    }
  });
}

int ts_unit_function(ts_unit* handle, const char* name, ts_callable** out) {
  return guarded([&] {
    auto& unit = *handle->unit;
    if (auto* function = unit.find_function(shim::qualified(name))) {
      *out = new ts_callable(function, handle->unit);
      return;
    }
    const auto type = unit.get_type(shim::qualified(name));
    TORCH_CHECK(type, "this unit defines no `", name, "`");
    if (const auto tuple = type->cast<c10::TupleType>()) {
      *out = new ts_callable(shim::tuple_maker(unit, name, tuple), handle->unit);
    } else {
      *out = new ts_callable(type->expect<c10::ClassType>(), handle->unit);
    }
  });
}

int ts_unit_enum(ts_unit* handle, const char* name, ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, Arena& own) {
    const auto named = handle->unit->get_type(shim::qualified(name));
    TORCH_CHECK(named && named->cast<c10::EnumType>(), "`", name, "` is no enum");
    const auto type = named->expect<c10::EnumType>();
    const auto members = type->enumNamesValues();
    value.tag = TS_DICT;
    value.len = static_cast<int64_t>(members.size());
    value.as.items = own.get().new_items(2 * members.size());
    size_t i = 0;
    for (const auto& member : members) {
      value.as.items[i++] = shim::string_value(member.first, own);
      shim::from_ivalue(c10::IValue(c10::make_intrusive<c10::ivalue::EnumHolder>(type, member.first, member.second)),
                        value.as.items[i++], own);
    }
  });
}

void ts_unit_release(ts_unit* unit) { delete unit; }
