// `paste()`, and functions that tell the user something: `stop()`, `warning()`, `cat()`, `print()`, `message()`.
#include "script/builtins.h"
#include "script/meaning.h"

namespace shim::script {

using namespace torch::jit;
using c10::TypeKind;

namespace {

// A value as text, or as a vector of texts.
Value* texts_of(Call& call, Value* value) {
  if (value->type()->kind() == TypeKind::OptionalType)
    call.fail("what is written here may be NULL: it is " + call.words_of(value) + ". Ask `is.null()` before");
  Call inner = call.with("as.character", {value});
  if (auto* texts = call_builtin(inner)) return texts;
  if (is_list(value)) return call.builtin("inner:shown", {value});
  call.fail("`" + call.payload + "()` can't write " + call.words_of(value) + " in a program: write its parts");
}

Value* text_of(Call& call, Value* value) {
  if (value->type()->kind() == TypeKind::StringType) return value;
  if (value->type()->kind() == TypeKind::NoneType) return call.constant(std::string(call.payload == "print" ? "NULL" : ""));
  auto* texts = texts_of(call, value);
  return is_list(texts) ? call.op("aten::join", {call.constant(std::string(" ")), texts}) : texts;
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

// Pastes vectors element by element. Beside others one without elements counts as "".
Value* pasted_vectors(Call& call, const std::vector<Value*>& values, const std::string& between) {
  std::vector<Value*> texts;
  Value* most = call.constant(int64_t{0});
  for (auto* value : values) {
    const bool is_null = value->type()->kind() == TypeKind::NoneType;
    texts.push_back(is_null ? list_of(call, c10::StringType::get(), {}) : texts_of(call, value));
    auto* n = is_list(texts.back()) ? call.builtin("length", {texts.back()}) : call.constant(int64_t{1});
    most = call.op("aten::add", {most, n});
  }
  Value* text = nullptr;
  for (auto* next : texts) {
    if (is_list(next)) next = call.builtin("inner:or_blank", {next, most});
    text = text ? call.builtin("inner:joined", {text, call.constant(between), next}) : next;
  }
  return text;
}

// What `cat()` writes: the elements of all values, with `between` in between.
Value* written_out(Call& call, const std::vector<Value*>& values, const std::string& between) {
  auto* all = list_of(call, c10::StringType::get(), {});
  for (auto* value : values) {
    auto* texts = texts_of(call, value);
    all = call.op("aten::add", {all, is_list(texts) ? texts : list_of(call, c10::StringType::get(), {texts})});
  }
  return call.op("aten::join", {call.constant(between), all});
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
  for (auto*& value : call.inputs) {
    value = call.or_empty(value);
    if (auto* vector = as_vector(call, value)) value = vector;
    vectors = vectors || is_list(value) || value->type()->kind() == TypeKind::NoneType;
  }
  auto* text = vectors ? pasted_vectors(call, call.inputs, between) : pasted(call, call.inputs, between);
  if (collapse && vectors) text = call.op("aten::join", {call.constant(word(call, collapse, "collapse")), text});
  return call.give(text);
}

// `intToUtf8(codes, multiple)`.
SugaredValuePtr letters(Call& call) {
  auto* multiple = take_named(call, "multiple");
  if (!multiple && call.inputs.size() == 2) {
    multiple = call.inputs.back();
    call.inputs.pop_back();
  }
  const auto known = multiple ? known_value(multiple) : std::optional<c10::IValue>(false);
  if (!known || !known->isBool()) call.fail("`multiple` must be TRUE or FALSE in a program");
  call.payload = known->toBool() ? "inner:letters_of_codes" : "intToUtf8";
  std::string why;
  if (auto* made = call_builtin(call, &why)) return call.give(made);
  call.fail(why);
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
  const bool is_cat = call.payload == "cat";
  std::string between = is_cat ? " " : "";
  if (auto* given = take_named(call, "sep")) between = word(call, given, "sep");
  bool vectors = false;
  for (auto* value : call.inputs) {
    if (auto* vector = is_cat ? as_vector(call, value) : nullptr) value = vector;
    // NULL writes nothing.
    if (is_cat && value->type()->kind() == TypeKind::NoneType) continue;
    vectors = vectors || (is_cat && is_list(value));
    const auto text = known_value(value);
    // TorchScript's print ends the line anyway.
    if (call.payload == "cat" && text && text->isString() && text->toStringRef() == "\n") continue;
    values.push_back(value);
  }
  auto* node = call.graph().insertNode(
      call.graph().create(c10::prim::Print, {vectors ? written_out(call, values, between) : pasted(call, values, between)}, 0));
  node->setSourceRange(call.place);
  return call.give(call.constant(c10::IValue()));
}

}  // namespace shim::script
