// The lists of handlers: which function compiles which kind of name, and which of R's functions.
#include "script/meaning.h"

#include <unordered_map>

#include "script/builtins.h"

namespace shim::script {

using namespace torch::jit;
using c10::TypeKind;

namespace {

// This package's own checks of arguments are left out: LibTorch's operators check them again.
SugaredValuePtr unchecked(Call& call) {
  return call.give(call.inputs.empty() ? call.constant(c10::IValue()) : call.inputs[0]);
}

// Values of different kinds are never identical: `identical(2L, 2)` is FALSE.
SugaredValuePtr identical(Call& call) {
  const auto kind_in = [](const Value* value) { return is_list(value) ? element_type(value)->kind() : value->type()->kind(); };
  const auto is_known = [](const Value* value) {
    if (value->type()->kind() == TypeKind::NoneType) return true;
    return is_single(value->type()) || (is_list(value) && is_single(element_type(value)) && !is_made_empty(value));
  };
  if (call.inputs.size() == 2 && call.named.empty() && is_known(call.inputs[0]) && is_known(call.inputs[1])) {
    const auto one = kind_in(call.inputs[0]), other = kind_in(call.inputs[1]);
    if (one != other || one == TypeKind::NoneType) return call.give(call.constant(one == other));
  }
  std::string why;
  auto* made = call_builtin(call, &why);
  if (!made) call.fail(why);
  return call.give(made);
}

// `unlist()` of a list of several kinds is `c()` of its elements.
SugaredValuePtr unlist(Call& call) {
  const auto* value = call.inputs.size() == 1 ? call.inputs[0] : nullptr;
  if (value && value->type()->kind() == TypeKind::TupleType && !is_function(value->type())) {
    Call all = call.with("c", {});
    for (const auto& part : parts_with_names(call, call.inputs[0])) all.inputs.push_back(part.second);
    return combine(all);
  }
  std::string why;
  auto* made = call_builtin(call, &why);
  if (!made) call.fail(why);
  return call.give(made);
}

// `torch_device(type, index)`.
SugaredValuePtr make_device(Call& call) {
  std::vector<Value*> values = call.inputs;
  for (const auto& it : call.named) values.push_back(it.second);
  if (values.empty() || values.size() > 2) call.fail("`torch_device()` takes a type, and an index");
  std::string type = word(call, values[0], "type");
  const auto index = values.size() == 2 ? known_value(values[1]) : std::nullopt;
  if (values.size() == 2 && !(index && (index->isInt() || index->isDouble())))
    call.fail("the index of a device must be written as a number in a program");
  if (index) type += ":" + std::to_string(index->isInt() ? index->toInt() : static_cast<int64_t>(index->toDouble()));
  return call.give(call.constant(c10::Device(type)));
}

SugaredValuePtr wait(Call& call) { return call.give(call.op("aten::wait", {call.inputs.at(0)})); }

const std::unordered_map<std::string, Handler>& handlers() {
  static const std::unordered_map<std::string, Handler> all = {{"list", make_list},
                                                               {"jit_dict", make_dict},
                                                               {"c", combine},
                                                               {"append", append},
                                                               {"vector", make_vector},
                                                               {"paste", paste},
                                                               {"paste0", paste},
                                                               {"stop", error},
                                                               {"warning", warn},
                                                               {"warn", warn},
                                                               {"cat", show},
                                                               {"print", show},
                                                               {"message", show},
                                                               {"sprintf", format_text},
                                                               {"jit_wait", wait},
                                                               {"identical", identical},
                                                               {"unlist", unlist},
                                                               {"torch_zeros", of_size},
                                                               {"torch_ones", of_size},
                                                               {"torch_rand", of_size},
                                                               {"torch_randn", of_size},
                                                               {"torch_empty", of_size},
                                                               {"jit_tuple", make_list},
                                                               {"unchecked", unchecked},
                                                               {"is.numeric", is_kind},
                                                               {"is.integer", is_kind},
                                                               {"is.double", is_kind},
                                                               {"is.logical", is_kind},
                                                               {"is.character", is_kind},
                                                               {"is.atomic", is_kind},
                                                               {"is.vector", is_kind},
                                                               {"is.list", is_kind},
                                                               {"is.function", is_kind},
                                                               {"is_torch_tensor", is_kind},
                                                               {"as.list", as_list},
                                                               {"length", length_of},
                                                               {"seq_along", positions_along},
                                                               {"names", names_of},
                                                               {"setNames", set_names},
                                                               {"rev", reversed},
                                                               {"intToUtf8", letters},
                                                               {"class", class_of},
                                                               {"typeof", class_of},
                                                               {"mode", class_of},
                                                               {"storage.mode", class_of},
                                                               {"inherits", inherits},
                                                               {"torch_device", make_device}};
  return all;
}

SugaredValuePtr barrier(Call& call) {
  call.barrier();
  return call.give(call.constant(c10::IValue()));
}

Handler inner_handler_of(const std::string& name) {
  static const std::unordered_map<std::string, Handler> handlers = {
      {"range", range},       {"seq_len", seq_len},         {"seq_along", seq_along}, {"items", items},
      {"elements", elements}, {"same_length", same_length}, {"error", error},         {"push", push},
      {"barrier", barrier},   {"written", written},         {"detached", detach},
      {"forked", forked},     {"each_like", each_like},     {"none_like", none_like},
      {"named_like", named_like}, {"named_by", named_like}, {"set_names", set_names},   {"one_kind", one_kind}};
  const auto found = handlers.find(name);
  return found == handlers.end() ? nullptr : found->second;
}

SugaredValuePtr get(Call& call) { return call.give(get_part(call, false)); }

SugaredValuePtr keep(Call& call) { return call.give(get_part(call, true)); }

SugaredValuePtr get2(Call& call) { return call.give(get_element(call)); }

SugaredValuePtr get2_or_null(Call& call) { return call.give(get_element_or_null(call)); }

SugaredValuePtr put(Call& call) { return call.give(put_part(call)); }

SugaredValuePtr put2(Call& call) { return call.give(put_element(call)); }

SugaredValuePtr inner(Call& call) {
  if (const auto handler = inner_handler_of(call.payload)) return handler(call);
  if (call.payload == "whole") return call.give(call.inputs.at(0));
  if (call.payload == "condition") {
    auto* value = call.inputs.at(0);
    if (value->type()->kind() == TypeKind::BoolType) return call.give(value);
    call.payload = "inner:condition";
    if (auto* made = call_builtin(call)) return call.give(made);
    call.fail("a condition must be TRUE or FALSE, not " + call.words_of(value));
  }
  for (auto*& value : call.inputs) value = call.or_empty(value);
  const auto inputs = call.inputs;
  return call.give(call.builtin("inner:" + call.payload, inputs));
}

}  // namespace

Handler handler_of(const std::string& name) {
  const auto found = handlers().find(name);
  return found == handlers().end() ? nullptr : found->second;
}

std::vector<std::string> special_names() {
  std::vector<std::string> names;
  for (const auto& it : handlers()) names.push_back(it.first);
  return names;
}

SugaredValuePtr emit(const std::string& kind, Call& call) {
  static const std::unordered_map<std::string, Handler> kinds = {{"assign", assign},
                                                                 {"assign_inside", assign_inside},
                                                                 {"reassign", reassign},
                                                                 {"begin", begin},
                                                                 {"may_begin", may_begin},
                                                                 {"defined", defined},
                                                                 {"return", give_back},
                                                                 {"call", call_function},
                                                                 {"local", call_local},
                                                                 {"invoke", invoke},
                                                                 {"invoke_element", invoke_element},
                                                                 {"super", call_super},
                                                                 {"function", function_value},
                                                                 {"spread", spread},
                                                                 {"field", field},
                                                                 {"field_or_null", field_or_null},
                                                                 {"method", method},
                                                                 {"get", get},
                                                                 {"keep", keep},
                                                                 {"get2", get2},
                                                                 {"get2_or_null", get2_or_null},
                                                                 {"of_range", part_of_range},
                                                                 {"put", put},
                                                                 {"put2", put2},
                                                                 {"putfield", put_field},
                                                                 {"inner", inner}};
  const auto found = kinds.find(kind);
  TORCH_INTERNAL_ASSERT(found != kinds.end(), "no meaning of kind ", kind);
  return found->second(call);
}

}  // namespace shim::script
