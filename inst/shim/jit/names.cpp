#include "jit/names.h"

#include <algorithm>
#include <functional>
#include <unordered_set>

#include "jit/module.h"

namespace shim {
namespace {

// Names that the package itself gives to the methods of a traced module.
bool is_own_method(const std::string& name) {
  return name == "forward" || name == "trainforward" || name == "evalforward";
}

using Taken = std::function<bool(const std::string&)>;

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; }

// Whether a word begins and ends with two underscores, as `__annotations__` does.
bool is_special(const std::string& word) {
  return word.size() > 4 && word.compare(0, 2, "__") == 0 && word.compare(word.size() - 2, 2, "__") == 0;
}

// Whether a word can't be a name: words of Python, and names with a meaning to LibTorch's reader or writer of files.
bool is_reserved(const std::string& word) {
  static const std::unordered_set<std::string> words = {
      "False",         "None",          "True",     "and",    "as",   "assert", "async",     "await",
      "break",         "class",         "continue", "def",    "del",  "elif",   "else",      "except",
      "finally",       "for",           "from",     "global", "if",   "import", "in",        "is",
      "lambda",        "nonlocal",      "not",      "or",     "pass", "raise",  "return",    "try",
      "while",         "with",          "yield",    "self",   "_",    "aten",   "attribute", "CONSTANTS",
      "fork",          "getattr",       "inf",      "nan",    "infj", "nanj",   "ops",       "torch",
      "uninitialized", "unchecked_cast"};
  return is_special(word) || words.count(word);
}

// Whether a word is a function that code in files calls by its bare name: an argument of that name would hide it.
bool is_function(const std::string& word) {
  static const std::unordered_set<std::string> words = {
      "annotate", "awaitable", "bool", "complex", "float", "hasattr", "int", "isinstance", "print", "rangelist", "str"};
  return words.count(word);
}

// The name with `_` in place of each character that is not an ASCII letter, a digit or `_`.
std::string plain(const std::string& name) {
  TORCH_CHECK(!name.empty(), "a name must have a character at least");
  std::string out;
  for (const char c : name) {
    if (is_letter(c) || is_digit(c))
      out += c;
    else if ((static_cast<unsigned char>(c) & 0xc0) != 0x80)
      out += '_';
  }
  return out;
}

std::string free_word(std::string word, const Taken& taken) {
  while (is_reserved(word) || taken(word)) word += is_special(word) ? 'x' : '_';
  return word;
}

std::string identifier(const std::string& name, const Taken& taken) {
  std::string word = plain(name);
  if (is_digit(word[0])) word.insert(0, "_");
  return free_word(std::move(word), [&](const std::string& it) { return is_function(it) || taken(it); });
}

// The attribute is text: a line for each item, with fields between tabs. A method's line holds its identifier and the
// names of its arguments; a member's an empty field, its identifier and its name. In fields tabs and newlines are
// escaped.
std::string escaped(const std::string& field) {
  std::string out;
  for (const char c : field) {
    if (c == '\\')
      out += "\\\\";
    else if (c == '\t')
      out += "\\t";
    else if (c == '\n')
      out += "\\n";
    else
      out += c;
  }
  return out;
}

std::vector<std::vector<std::string>> read_lines(const std::string& text) {
  std::vector<std::vector<std::string>> lines{{""}};
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '\n')
      lines.push_back({""});
    else if (text[i] == '\t')
      lines.back().emplace_back();
    else if (text[i] == '\\' && i + 1 < text.size())
      lines.back().back() += text[++i] == 't' ? '\t' : text[i] == 'n' ? '\n' : text[i];
    else
      lines.back().back() += text[i];
  }
  return lines;
}

}  // namespace

std::vector<std::string> identifiers(const std::vector<std::string>& names) {
  std::vector<std::string> out;
  for (const auto& name : names)
    out.push_back(identifier(
        name, [&](const std::string& word) { return std::find(out.begin(), out.end(), word) != out.end(); }));
  return out;
}

std::string class_identifier(const std::string& name) {
  return identifier(name, [](const std::string&) { return false; });
}

Names::Names(const torch::jit::Module& module) {
  const auto slot = module.type()->findAttributeSlot(kAttribute);
  if (!slot || *slot >= module._ivalue()->slots().size()) return;
  const c10::IValue value = module._ivalue()->getSlot(*slot);
  if (!value.isString()) return;
  for (auto& fields : read_lines(value.toStringRef())) {
    if (!fields[0].empty())
      methods_.emplace_back(fields[0], std::vector<std::string>(fields.begin() + 1, fields.end()));
    else if (fields.size() == 3)
      members_.emplace_back(fields[1], fields[2]);
    else if (fields.size() == 2)
      constants_.push_back(fields[1]);
  }
}

const std::string& Names::name_of(const std::string& identifier) const {
  for (const auto& member : members_)
    if (member.first == identifier) return member.second;
  return identifier;
}

const std::string& Names::identifier_of(const std::string& name) const {
  for (const auto& member : members_)
    if (member.second == name) return member.first;
  return name;
}

const std::vector<std::string>* Names::arguments_of(const std::string& method) const {
  for (const auto& it : methods_)
    if (it.first == method) return &it.second;
  return nullptr;
}

std::string Names::add(torch::jit::Module& module, const std::string& name) {
  const auto type = module.type();
  const std::string word = free_word(plain(name), [&](const std::string& it) {
    return type->hasAttribute(it) || type->hasConstant(it) || type->findMethod(it) || it == kAttribute ||
           is_own_method(it);
  });
  if (word != name) {
    members_.emplace_back(word, name);
    write(module);
  }
  return word;
}

void Names::set_arguments(torch::jit::Module& module, const std::string& method, std::vector<std::string> names) {
  methods_.emplace_back(method, std::move(names));
  write(module);
}

bool Names::is_constant(const std::string& identifier) const {
  return std::find(constants_.begin(), constants_.end(), identifier) != constants_.end();
}

void Names::set_constants(torch::jit::Module& module, std::vector<std::string> identifiers) {
  constants_ = std::move(identifiers);
  write(module);
}

void Names::write(torch::jit::Module& module) const {
  std::string text;
  const auto add = [&](const std::string& field, const char* before) { text += before + escaped(field); };
  for (const auto& member : members_) {
    add(member.first, text.empty() ? "\t" : "\n\t");
    add(member.second, "\t");
  }
  for (const auto& constant : constants_) add(constant, text.empty() ? "\t" : "\n\t");
  for (const auto& method : methods_) {
    add(method.first, text.empty() ? "" : "\n");
    for (const auto& name : method.second) add(name, "\t");
  }
  if (module.hasattr(kAttribute))
    module.setattr(kAttribute, text);
  else
    module.register_attribute(kAttribute, c10::StringType::get(), text);
}

std::optional<std::string> find_member(const torch::jit::Module& module, const std::string& name) {
  if (name == Names::kAttribute) return std::nullopt;
  const std::string identifier = Names(module).identifier_of(name);
  const auto type = module.type();
  const bool is_known = type->hasAttribute(identifier) || type->hasConstant(identifier) || type->findMethod(identifier);
  return is_known ? std::optional<std::string>(identifier) : std::nullopt;
}

std::string member_to_set(torch::jit::Module& module, const std::string& name) {
  const auto known = find_member(module, name);
  Names names(module);
  // `name` may be an identifier that stands for another name. That makes it no name of a member: a new member is added.
  const bool is_free = !known || (*known == name && names.stands_in(name));
  return is_free ? names.add(module, name) : *known;
}

std::optional<std::string> find_method(const torch::jit::Module& module, const std::string& name) {
  const Names names(module);
  const auto type = module.type();
  if (type->findMethod(name) && !names.stands_in(name)) return name;
  const std::string& identifier = names.identifier_of(name);
  return type->findMethod(identifier) ? std::optional<std::string>(identifier) : std::nullopt;
}

std::string method_to_set(torch::jit::Module& module, const std::string& name) {
  return is_own_method(name) ? name : member_to_set(module, name);
}

}  // namespace shim

using shim::guarded;
using shim::guarded_result;

int ts_identifiers(const char* const* names, size_t n, ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, shim::Arena& own) {
    value = shim::string_list(shim::identifiers({names, names + n}), own);
  });
}

int ts_module_set_arguments(ts_module* module, const char* method, const char* const* names, size_t n) {
  return guarded([&] {
    const auto member = shim::find_method(module->module, method);
    TORCH_CHECK(member, "the module has no method `", method, "`");
    shim::Names(module->module).set_arguments(module->module, *member, {names, names + n});
  });
}

int ts_module_set_constants(ts_module* module, const char* const* names, size_t n) {
  return guarded([&] {
    std::vector<std::string> identifiers;
    for (size_t i = 0; i < n; ++i)
      if (const auto member = shim::find_member(module->module, names[i])) identifiers.push_back(*member);
    shim::Names(module->module).set_constants(module->module, std::move(identifiers));
  });
}

int ts_module_arguments(ts_module* module, const char* method, ts_value* out, ts_arena** arena) {
  return guarded_result(out, arena, [&](ts_value& value, shim::Arena& own) {
    value.tag = TS_NONE;
    const auto member = shim::find_method(module->module, method);
    const shim::Names names(module->module);
    const auto* found = member ? names.arguments_of(*member) : nullptr;
    if (found) value = shim::string_list(*found, own);
  });
}
