// Strings that are put together, and what is told to the user.
#include "script/meaning.h"

namespace shim::script {

using namespace torch::jit;
using c10::TypeKind;

namespace {

Value* text_of(Call& call, Value* value) {
  if (value->type()->kind() == TypeKind::StringType) return value;
  return call.builtin("as.character", {value});
}

Value* pasted(Call& call, const std::vector<Value*>& values, const std::string& between) {
  if (values.empty()) return call.constant(std::string());
  Value* text = nullptr;
  for (auto* value : values) {
    auto* next = text_of(call, value);
    if (text && !between.empty()) text = call.op("aten::add", {text, call.constant(between)});
    text = text ? call.op("aten::add", {text, next}) : next;
  }
  return text;
}

Value* take_named(Call& call, const std::string& name) {
  for (auto it = call.named.begin(); it != call.named.end(); ++it) {
    if (it->first != name) continue;
    auto* value = it->second;
    call.named.erase(it);
    return value;
  }
  return nullptr;
}

}  // namespace

std::string word(Call& call, Value* value, const std::string& what) {
  const auto it = known_value(value);
  if (!it || !it->isString()) call.fail("`" + what + "` must be written as a string in a program");
  return it->toStringRef();
}

SugaredValuePtr paste(Call& call) {
  std::string between = call.payload == "paste0" ? "" : " ";
  if (auto* given = take_named(call, "sep")) between = word(call, given, "sep");
  if (auto* given = take_named(call, "collapse")) {
    const auto joint = word(call, given, "collapse");
    if (call.inputs.size() != 1 || !is_list(call.inputs[0]) || element_type(call.inputs[0])->kind() != TypeKind::StringType)
      call.fail("`collapse` is for one vector of strings in a program");
    return call.give(call.op("aten::join", {call.constant(joint), call.inputs[0]}));
  }
  for (auto* value : call.inputs)
    if (is_list(value)) call.fail("`" + call.payload + "()` takes single values in a program; `collapse` joins strings");
  return call.give(pasted(call, call.inputs, between));
}

SugaredValuePtr error(Call& call) {
  take_named(call, "call.");
  return std::make_shared<ExceptionMessageValue>(pasted(call, call.inputs, ""));
}

SugaredValuePtr warn(Call& call) {
  for (const char* name : {"call.", "class", "call"}) take_named(call, name);
  call.op("aten::warn", {pasted(call, call.inputs, ""), call.constant(int64_t{2})});
  return call.give(call.constant(c10::IValue()));
}

SugaredValuePtr show(Call& call) {
  std::vector<Value*> values;
  std::string between = call.payload == "cat" ? " " : "";
  if (auto* given = take_named(call, "sep")) between = word(call, given, "sep");
  for (auto* value : call.inputs) {
    const auto text = known_value(value);
    // What is printed ends its line anyway.
    if (call.payload == "cat" && text && text->isString() && text->toStringRef() == "\n") continue;
    values.push_back(value);
  }
  auto* node = call.graph().insertNode(call.graph().create(c10::prim::Print, {pasted(call, values, between)}, 0));
  node->setSourceRange(call.place);
  return call.give(call.constant(c10::IValue()));
}

SugaredValuePtr format_text(Call& call) {
  return call.give(call.op("aten::percentFormat", std::vector<NamedValue>(call.inputs.begin(), call.inputs.end())));
}

}  // namespace shim::script
