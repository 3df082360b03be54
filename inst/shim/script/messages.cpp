// `paste()`, and functions that tell the user something: `stop()`, `warning()`, `cat()`, `print()`, `message()`.
#include "script/builtins.h"
#include "script/meaning.h"

namespace shim::script {

using namespace torch::jit;
using c10::TypeKind;

namespace {

Value* text_of(Call& call, Value* value) {
  if (value->type()->kind() == TypeKind::StringType) return value;
  if (!is_list(value)) return call.builtin("as.character", {value});
  Call inner = call.with("as.character", {value});
  if (auto* texts = call_builtin(inner)) return call.op("aten::join", {call.constant(std::string(" ")), texts});
  return call.builtin("inner:shown", {value});
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

// Pastes vectors element by element.
Value* pasted_vectors(Call& call, const std::vector<Value*>& values, const std::string& between) {
  Value* text = nullptr;
  for (auto* value : values) {
    auto* next = call.builtin("as.character", {value});
    text = text ? call.builtin("inner:joined", {text, call.constant(between), next}) : next;
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
  auto* collapse = take_named(call, "collapse");
  bool vectors = false;
  for (const auto* value : call.inputs) vectors = vectors || is_list(value);
  auto* text = vectors ? pasted_vectors(call, call.inputs, between) : pasted(call, call.inputs, between);
  if (collapse && vectors) text = call.op("aten::join", {call.constant(word(call, collapse, "collapse")), text});
  return call.give(text);
}

SugaredValuePtr error(Call& call) {
  take_named(call, "call.");
  // By its class the host tells an error of the program's from one of LibTorch's.
  auto* of_class = call.constant(std::string("builtins.Exception"));
  return std::make_shared<ExceptionMessageValue>(pasted(call, call.inputs, ""), of_class);
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
    // TorchScript's print ends the line anyway.
    if (call.payload == "cat" && text && text->isString() && text->toStringRef() == "\n") continue;
    values.push_back(value);
  }
  auto* node = call.graph().insertNode(call.graph().create(c10::prim::Print, {pasted(call, values, between)}, 0));
  node->setSourceRange(call.place);
  return call.give(call.constant(c10::IValue()));
}

}  // namespace shim::script
