#include "guard/program.h"

#include <c10/util/Exception.h>

#include <cstring>
#include <set>

#include "guard/depth.h"

namespace shim {
namespace {

// Programs are nested far less, and a stack of 8 MB carries far more.
constexpr int kDeepestBracket = 100, kLongestChain = 1000, kWidestIndent = 1000;
// Bytes of stack for one definition, and for each level of nesting in its text: twice what LibTorch's compiler was seen
// to need.
constexpr size_t kDefinitionStack = 16 * 1024, kStepStack = 5 * 1024;

bool is_word(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_'; }

}  // namespace

// A chain counts the operators, keywords and brackets that follow each other in an expression with no comma between
// them: LibTorch reads them as a tree of that depth. LibTorch itself writes short lines.
void Code::read(const std::string& code, const std::string& package) {
  const auto require = [&](bool holds) { TORCH_CHECK(holds, whose_, " code is nested too deeply"); };
  std::vector<int> chain{0};                   // length of the chain at each depth of brackets
  int links = 0, elifs = 0, indent = 0;        // links: the sum of all chains
  int deepest = 0;                             // deepest level of this definition
  // What comes before the current position: the end of an operand, the opening bracket of an index, or anything else.
  enum class Last { operand, index, other };
  Last last = Last::other;
  std::vector<std::string>* fields = nullptr;  // mentioned by fields of the class whose body this is
  bool in_type = false;                        // inside the type of a field
  int method = -1;                             // indent of the method of that class that this is in
  const auto measure = [&] {
    require(links <= kLongestChain && elifs <= kLongestChain && indent <= kWidestIndent);
    deepest = std::max(deepest, links + elifs + indent);
  };
  const auto link = [&] {
    ++chain.back();
    ++links;
    measure();
  };
  const auto reset = [&] {
    links -= chain.back();
    chain.back() = 0;
  };
  const auto end_definition = [&] {
    stack_ += kDefinitionStack + kStepStack * static_cast<size_t>(deepest);
    elifs = deepest = 0;
  };
  const auto word_at = [&](size_t from, bool dotted) {
    size_t end = from;
    while (end < code.size() && (is_word(code[end]) || (dotted && code[end] == '.'))) ++end;
    return code.substr(from, end - from);
  };
  const auto names_a_field = [&](size_t from) {
    const size_t next = code.find_first_not_of(" \t", from);
    return next != std::string::npos && code[next] == ':';
  };
  const auto line_at = [&](size_t at) {
    const size_t begin = code.find_first_not_of(" \t", code.rfind('\n', at) + 1);
    return code.substr(begin, std::min(code.find('\n', at), code.size()) - begin);
  };
  for (size_t at = 0; at < code.size(); ++at) {
    const char c = code[at];
    const Last before = last;
    if (c != ' ' && c != '\t' && c != '\r' && c != '#' && (c != '\n' || chain.size() == 1)) last = Last::other;
    if (c == '"' || c == '\'') {
      last = Last::operand;
      const bool is_long = code.compare(at, 3, std::string(3, c)) == 0;
      const std::string end(is_long ? 3 : 1, c);
      for (at += end.size(); at < code.size() && code.compare(at, end.size(), end) != 0; ++at)
        if (code[at] == '\\') ++at;
      at += end.size() - 1;
    } else if (c == '#') {
      at = std::min(code.find('\n', at), code.size()) - 1;
    } else if (is_word(c)) {
      const bool in_fields = fields && method < 0;
      const std::string word = word_at(at, in_fields);
      at += word.size() - 1;
      last = Last::operand;
      for (const char* keyword : {"return", "not", "and", "or", "if", "elif", "else", "in", "is", "del", "assert", "raise",
                                  "lambda", "for", "while", "with", "yield"})
        if (word == keyword) last = Last::other;
      if (word == "def" || word == "class") end_definition();
      if (word == "def") method = indent;
      if (word == "class") {
        const std::string name = word_at(std::min(code.find_first_not_of(" \t", at + 1), code.size()), false);
        fields = &fields_[package.empty() ? name : package + "." + name];
        method = -1;
      } else if (in_fields && names_a_field(at + 1)) {
        in_type = true;
      } else if (in_fields && in_type) {
        fields->push_back(word);
      }
      if (word == "elif") ++elifs;
      for (const char* keyword : {"not", "and", "or", "if", "else", "in", "is", "lambda", "for"})
        if (word == keyword) link();
    } else if (c == '(' || c == '[' || c == '{') {
      if (c == '[' && before == Last::operand) last = Last::index;
      link();
      chain.push_back(0);
      require(chain.size() <= kDeepestBracket);
    } else if (c == ')' || c == ']' || c == '}') {
      last = Last::operand;
      // LibTorch's compiler would read the index that is not there.
      TORCH_CHECK(c != ']' || before != Last::index, whose_, " code has an index with nothing in it: ", line_at(at));
      reset();
      if (chain.size() > 1) chain.pop_back();
    } else if (c == ',') {
      reset();
    } else if (c == '\n') {
      const size_t text = std::min(code.find_first_not_of(" \t\r", at + 1), code.size());
      indent = static_cast<int>(std::min(text - at - 1, size_t{kWidestIndent} + 1));
      if (chain.size() == 1) {
        in_type = false;
        reset();
      }
      if (chain.size() == 1 && text < code.size() && code[text] != '\n' && code[text] != '#' && indent <= method)
        method = -1;
      measure();
    } else if (std::strchr("+-*/%&|^~<>=!.@", c)) {
      link();
    }
  }
  end_definition();
}

// Takes away the classes that no other class holds, again and again. If some remain, they hold each other.
void Code::check_cycles() const {
  std::unordered_map<std::string, int> holders;
  for (const auto& it : fields_)
    for (const std::string& field : it.second)
      if (fields_.count(field)) ++holders[field];
  std::vector<std::string> free;
  for (const auto& it : fields_)
    if (!holders.count(it.first)) free.push_back(it.first);
  size_t taken = 0;
  for (; !free.empty(); ++taken) {
    const std::string name = std::move(free.back());
    free.pop_back();
    for (const std::string& field : fields_.at(name))
      if (fields_.count(field) && --holders[field] == 0) free.push_back(field);
  }
  if (taken == fields_.size()) return;
  std::set<std::string> names;
  for (const auto& it : holders)
    if (it.second > 0) names.insert("`" + it.first + "`");
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "" : ", ") + name;
  TORCH_CHECK(false, whose_, " classes hold each other without end: ", list);
}

void Code::check_classes() const {
  using ClassLevels = Levels<std::string>;
  ClassLevels levels([this](const std::string& name, int64_t&) {
    std::vector<ClassLevels::Edge> edges;
    for (const std::string& field : fields_.at(name))
      if (fields_.count(field)) edges.push_back({field});
    return edges;
  });
  check_cycles();
  for (const auto& it : fields_)
    TORCH_CHECK(levels.of(it.first) <= kMostLevels, whose_, " classes hold each other too deeply: more than ",
                kMostLevels, " levels");
}

}  // namespace shim
