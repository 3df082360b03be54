#include "script/builtins.h"

#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/frontend/parser.h>
#include <torch/csrc/jit/frontend/resolver.h>
#include <torch/csrc/jit/frontend/script_type_parser.h>

#include <algorithm>
#include <map>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <unordered_map>

#include "core/nodes.h"
#include "jit/builtins.h"
#include "jit/inline.h"
#include "script/meaning.h"

namespace shim::script {
namespace {

using namespace torch::jit;

struct Formal {
  std::string name;
  std::string type;
  bool has_default, by_name;  // by_name: it can't be given by its position
};

struct Form {
  std::string text;
  std::vector<Formal> formals;
  std::map<std::string, GraphFunction*> made = {};  // by the types that T and K stand for
  std::optional<size_t> each = std::nullopt;        // of vectors: the form that it calls for each element
  size_t letter = 0;                                // which of the types it is that N or S stands for
};

// Holds the forms that were compiled. Graphs point into it, so that it is never freed.
CompilationUnit& unit() {
  static auto& it = *new std::shared_ptr<CompilationUnit>(new CompilationUnit());
  return *it;
}

using Stands = std::map<std::string, TypePtr>;  // what T and K stand for

// Looks for a type of this name in `type` and its parts. NULL if there is none.
TypePtr part_named(const TypePtr& type, const std::string& name) {
  if (const auto named = type->cast<c10::NamedType>())
    if (named->name() && named->name()->qualifiedName() == name) return type;
  for (const auto& part : type->containedTypes())
    if (auto found = part_named(part, name)) return found;
  return nullptr;
}

// Two programs may have types of the same name: the addresses tell them apart.
std::string identity(const TypePtr& type) {
  std::string text;
  if (type->cast<c10::NamedType>()) text += std::to_string(reinterpret_cast<uintptr_t>(type.get()));
  for (const auto& part : type->containedTypes()) text += identity(part);
  return text;
}

GraphFunction* helper(const std::string& name, size_t letter);

// The names that a form may use. `each`: the form for single values, which a form for vectors calls. `letter`: a helper
// with N or S is called for the type that the form itself is for.
struct FormNames : Resolver {
  FormNames(const Stands& stands, GraphFunction* each, size_t letter) : stands(stands), each(each), letter(letter) {}
  TypePtr resolveType(const std::string& name, const SourceRange&) override {
    for (const auto& it : stands)
      if (auto found = part_named(it.second, name)) return found;
    return nullptr;
  }
  SugaredValuePtr resolveValue(const std::string& name, GraphFunction& function, const SourceRange& place) override {
    if (name == "each" && each) return std::make_shared<FunctionValue>(each);
    if (auto known = builtin_name(name, function, place)) return known;
    auto* found = helper("inner:" + name, letter);
    return found ? std::make_shared<FunctionValue>(found) : nullptr;
  }
  Stands stands;
  GraphFunction* each;
  size_t letter;
};

Form form_of(std::string text) {
  Form form;
  const std::string mark = "*, ";
  const auto star = text.find(mark);
  const size_t n_positions = star == std::string::npos ? SIZE_MAX : std::count(text.begin(), text.begin() + star, ':');
  if (star != std::string::npos) text.erase(star, mark.size());
  form.text = text;
  Parser parser(std::make_shared<Source>(text, std::string("R"), 1));
  const Def def(parser.parseFunction(/*is_method=*/false));
  for (const auto& parameter : def.decl().params())
    form.formals.push_back({parameter.ident().name(), std::string(parameter.type().get().range().text().str()),
                            parameter.defaultValue().present(), form.formals.size() >= n_positions});
  return form;
}

// The text of a form for vectors, made of a form for single values. "" if that one takes or gives anything else.
// Arguments with defaults stay single values.
std::string each_text(const Form& form) {
  static const std::set<std::string> single = {"int", "float", "bool", "str"};
  const auto arrow = form.text.find(" -> "), end = form.text.find(":\n");
  const std::string result = form.text.substr(arrow + 4, end - arrow - 4);
  if (!single.count(result)) return "";
  std::string formals, arguments, sizes, checks;
  const Formal* one = nullptr;
  size_t n_vectors = 0;
  for (const auto& formal : form.formals) {
    if (!single.count(formal.type)) return "";
    if (!formals.empty()) {
      formals += ", ";
      arguments += ", ";
    }
    if (formal.has_default) {
      const auto at = form.text.find(formal.name + ": " + formal.type + " = ");
      formals += form.text.substr(at, form.text.find_first_of(",)", at) - at);
      arguments += formal.name;
      continue;
    }
    ++n_vectors;
    one = &formal;
    const std::string length = "len(" + formal.name + ")";
    formals += formal.name + ": List[" + formal.type + "]";
    arguments += formal.name + "[i % " + length + "]";
    sizes += "  if " + length + " != 1:\n    longest = " + length + "\n";
    checks += "  if " + length + " != 1 and " + length + " != longest:\n    raise Exception(\"vectors of \" + str(" +
              length + ") + \" and \" + str(longest) + \" elements: only single numbers are recycled\")\n";
  }
  if (!one) return "";
  const std::string head = "def f(" + formals + ") -> List[" + result + "]:\n";
  if (n_vectors == 1) {
    arguments = std::regex_replace(arguments, std::regex(one->name + "\\[i % len\\(" + one->name + "\\)\\]"), "one");
    return head + "  return [each(" + arguments + ") for one in " + one->name + "]\n";
  }
  return head + "  longest = 1\n" + sizes + checks + "  return [each(" + arguments + ") for i in range(longest)]\n";
}

// The texts of all forms that one definition with N or S stands for.
std::vector<std::string> spelled_out(const std::string& def) {
  // What a message has between backticks is no type.
  static const std::regex letter("\\b[NS]\\b(?!`)");
  if (def.empty()) return {};
  std::smatch found;
  if (!std::regex_search(def, found, letter)) return {def};
  std::vector<std::string> types = {"int", "float"};
  if (found.str() == "S") types.push_back("str");
  std::vector<std::string> forms;
  static const std::regex is_nan("\\bis_nan(\\(\\w+(\\[\\w+\\])?\\))");
  for (const auto& type : types) {
    const auto text = std::regex_replace(def, letter, type);
    forms.push_back(std::regex_replace(text, is_nan, type == "float" ? "math.isnan$1" : "False"));
  }
  return forms;
}

using Table = std::unordered_map<std::string, std::shared_ptr<std::vector<Form>>>;

void read(const char* text, Table& table) {
  std::istringstream lines(text);
  std::string line, def;
  std::shared_ptr<std::vector<Form>> forms;
  bool each = false;
  const auto finish = [&] {
    const auto texts = spelled_out(def);
    for (size_t i = 0; i < texts.size(); ++i) {
      forms->push_back(form_of(texts[i]));
      forms->back().letter = i;
    }
    def.clear();
  };
  const auto finish_builtin = [&] {
    finish();
    for (size_t i = 0, n = each ? forms->size() : 0; i < n; ++i) {
      const std::string text = each_text((*forms)[i]);
      if (text.empty()) continue;
      forms->push_back(form_of(text));
      forms->back().each = i;
    }
    each = false;
  };
  while (std::getline(lines, line)) {
    if (line.rfind("## ", 0) == 0) {
      finish_builtin();
      forms = std::make_shared<std::vector<Form>>();
      std::istringstream names(line.substr(3));
      for (std::string name; names >> name;) {
        if (name == "[each]")
          each = true;
        else
          table[name] = forms;
      }
    } else {
      if (line.rfind("def ", 0) == 0) finish();
      if (!line.empty()) def += line + "\n";
    }
  }
  finish_builtin();
}

const Table& table() {
  static const Table& it = *new Table([] {
    Table made;
    for (const char* text :
         {kBuiltinsOfNumbers, kBuiltinsOfFunctions, kBuiltinsOfLists, kBuiltinsOfSets, kBuiltinsOfStatistics, kBuiltinsOfStrings,
          kBuiltinsOfTensors})
      read(text, made);
    return made;
  }());
  return it;
}

bool holds_variable(const std::string& type) {
  static const std::regex variable("\\b[TK]\\b");
  return std::regex_search(type, variable);
}

// Splits `List[T]`, `Dict[K, T]`, `Optional[T]` into the word and the types in its brackets.
bool parts_of(const std::string& type, std::string* head, std::vector<std::string>* parts) {
  const auto open = type.find('[');
  if (open == std::string::npos || type.back() != ']') return false;
  *head = type.substr(0, open);
  int depth = 0;
  std::string part;
  for (size_t i = open + 1; i + 1 < type.size(); ++i) {
    const char c = type[i];
    depth += c == '[' ? 1 : c == ']' ? -1 : 0;
    if (c == ',' && depth == 0) {
      parts->push_back(part);
      part.clear();
    } else if (c != ' ') {
      part += c;
    }
  }
  parts->push_back(part);
  return true;
}

bool stand_for(const std::string& pattern, const TypePtr& type, Stands& stands) {
  if (pattern == "T" || pattern == "K") {
    if (type->kind() == TypeKind::NoneType) return false;
    const auto found = stands.emplace(pattern, type);
    return found.second || type->isSubtypeOf(*found.first->second);
  }
  std::string head;
  std::vector<std::string> parts;
  if (!holds_variable(pattern)) return ScriptTypeParser().parseType(pattern)->isSubtypeOf(*type);
  if (!parts_of(pattern, &head, &parts)) return false;
  if (head == "List" && type->kind() == TypeKind::ListType)
    return stand_for(parts[0], type->expectRef<ListType>().getElementType(), stands);
  if (head == "Dict" && type->kind() == TypeKind::DictType)
    return stand_for(parts[0], type->expectRef<DictType>().getKeyType(), stands) &&
           stand_for(parts[1], type->expectRef<DictType>().getValueType(), stands);
  if (head == "Optional") {
    if (const auto optional = type->cast<OptionalType>())
      return stand_for(parts[0], optional->getElementType(), stands);
    return stand_for(parts[0], type, stands);
  }
  return false;
}

std::string with_types(const std::string& text, const Stands& stands) {
  std::string made = text;
  for (const auto& it : stands)
    made = std::regex_replace(made, std::regex("\\b" + it.first + "\\b"), it.second->annotation_str());
  return made;
}

// R's name of a formal. Where that is one of Python's words, the form has it with a line at its end: `from_`.
std::string r_name(const std::string& name) { return name.back() == '_' ? name.substr(0, name.size() - 1) : name; }

std::string plain(std::string name) {
  std::replace(name.begin(), name.end(), '.', '_');
  return name;
}

// Finds the value of each formal, NULL where none is given. False if the arguments do not fit the formals.
bool bind_values(const Form& form, const Call& call, std::vector<Value*>& values) {
  values.assign(form.formals.size(), nullptr);
  for (const auto& given : call.named) {
    size_t at = 0;
    while (at < form.formals.size() && r_name(form.formals[at].name) != plain(given.first)) ++at;
    // The beginning of one formal's name is enough, as in `rep(x, t = 3)`.
    if (at == form.formals.size()) {
      const auto begins = [&](const Formal& it) { return r_name(it.name).rfind(plain(given.first), 0) == 0; };
      const auto found = std::find_if(form.formals.begin(), form.formals.end(), begins);
      if (std::count_if(found, form.formals.end(), begins) == 1) at = found - form.formals.begin();
    }
    if (at == form.formals.size() || values[at]) return false;
    values[at] = given.second;
  }
  size_t next = 0;
  for (auto* value : call.inputs) {
    while (next < values.size() && values[next]) ++next;
    if (next == values.size() || form.formals[next].by_name) return false;
    values[next] = value;
  }
  for (size_t i = 0; i < values.size(); ++i)
    if (!values[i] && !form.formals[i].has_default) return false;
  return true;
}

// Whether it is a function that R itself has.
bool is_function_of_r(const std::string& name) {
  for (const char* other : {"inner:", "$", "torch_", "nnf_", "linalg_"})
    if (name.rfind(other, 0) == 0) return false;
  return true;
}

// Strings that name a dtype become the number that LibTorch has for it.
void read_words(const Form& form, const Call& call, std::vector<Value*>& values) {
  for (size_t i = 0; i < values.size(); ++i)
    if (values[i] && form.formals[i].name == "dtype") values[i] = dtype_value(call, values[i]);
}

GraphFunction* made(const std::string& builtin, std::vector<Form>& forms, Form& form, const Stands& stands) {
  std::string key;
  for (const auto& it : stands) key += it.second->annotation_str() + identity(it.second) + ";";
  auto& function = form.made[key];
  if (!function) {
    auto* each = form.each ? made(builtin, forms, forms[*form.each], {}) : nullptr;
    static size_t n = 0;
    std::string name;
    for (const char c : builtin.substr(builtin.find(':') + 1))
      name += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
    name = "r_" + name + "_" + std::to_string(n++);
    const auto text =
        std::regex_replace(with_types(form.text, stands), std::regex("^def [A-Za-z_0-9]+"), "def " + name);
    Parser parser(std::make_shared<Source>(text, std::string("R"), 1));
    const auto all = unit().define(c10::QualifiedName("__torch__.R"), {}, {}, {Def(parser.parseFunction(false))},
                                   {std::make_shared<FormNames>(stands, each, form.letter)}, nullptr);
    function = static_cast<GraphFunction*>(all.front());
  }
  return function;
}

// A builtin's form for a type that N or S stands for; the first form if it has none of these. NULL if there is no builtin
// of this name.
GraphFunction* helper(const std::string& name, size_t letter) {
  const auto found = table().find(name);
  if (found == table().end()) return nullptr;
  auto& forms = *found->second;
  return made(name, forms, forms[letter < forms.size() ? letter : 0], {});
}

// Gives the place of the call to all nodes from `before` on to where new ones are inserted, and to the nodes inside of
// them.
void set_place(Node* before, const Call& call) {
  std::vector<Node*> open;
  for (Node* node = before->next(); node != call.graph().insertPoint(); node = node->next()) open.push_back(node);
  while (!open.empty()) {
    Node* node = open.back();
    open.pop_back();
    node->setSourceRange(call.place);
    for (auto* inner : node->blocks())
      for (auto* it : inner->nodes()) open.push_back(it);
  }
}

// If all arguments are constants, the builtin is computed now: branches that are never taken then need not compile.
Value* folded(const Call& call, GraphFunction& callee, const std::vector<Value*>& values) {
  Stack stack;
  for (const auto* value : values) {
    const auto known = known_value(value);
    if (!known || known->isTensor()) return nullptr;
    stack.push_back(*known);
  }
  if (values.empty()) return nullptr;
  try {
    const auto result = callee(std::move(stack));
    const bool plain = result.isBool() || result.isInt() || result.isDouble() || result.isString() || result.isNone();
    return plain ? call.constant(result) : nullptr;
  } catch (const std::exception&) {
    // If the builtin fails, it shall fail when the program runs.
    return nullptr;
  }
}

bool is_loop(const Node& node) { return node.kind() == c10::prim::Loop; }
// Such a loop needs a barrier behind it: see Lower::add_loop().
bool is_loop_of_one(const Node& node) { return is_loop(node) && node.outputs().size() == 1; }

// Whether a graph loops, itself or in what it calls.
template <class Predicate>
bool any_called(const Graph& graph, Predicate&& predicate) {
  return any_node(*graph.block(), [&](const Node& node) {
    if (predicate(node)) return true;
    if (node.kind() != c10::prim::CallFunction) return false;
    auto* callee = tryToGraphFunction(*node.input(0)->type()->expectRef<c10::FunctionType>().function());
    return callee && any_called(*callee->graph(), predicate);
  });
}

// Copies the nodes of a builtin into the caller: they are few, and errors then tell the caller's line. A builtin with
// loops is called instead, since loops have another form in a graph that is still being compiled.
Value* inserted(const Call& call, GraphFunction& callee, const std::vector<Value*>& values) {
  auto& graph = call.graph();
  if (auto* value = folded(call, callee, values)) return value;
  if (any_called(*callee.graph(), is_loop)) {
    const std::vector<NamedValue> inputs(values.begin(), values.end());
    auto* value =
        FunctionValue(&callee).call(call.place, call.function, inputs, {}, 1)->asValue(call.place, call.function);
    if (any_called(*callee.graph(), is_loop_of_one)) call.barrier();
    return value;
  }
  // What the builtin calls is copied too, so that all of it has the caller's line.
  const auto body = callee.graph()->copy();
  inline_calls(*body);
  // This node marks where the copied ones begin.
  Node* before = graph.insertNode(graph.createNone());
  const auto outputs = insertGraph(graph, *body, values);
  set_place(before, call);
  before->destroy();
  return outputs.at(0);
}

}  // namespace

Value* dtype_value(const Call& call, Value* value) {
  const auto word = known_value(value);
  if (!word || !word->isString()) return value;
  const auto named =
      builtin_name("torch", call.function, call.place)->attr(call.place, call.function, word->toStringRef());
  auto* number = named ? named->asValue(call.place, call.function) : nullptr;
  if (!number || number->type()->kind() != TypeKind::IntType) call.fail("`" + word->toStringRef() + "` is no dtype");
  return number;
}

bool has_builtin(const std::string& name) { return table().count(name) > 0; }

std::vector<std::string> builtin_names() {
  std::vector<std::string> names;
  for (const auto& it : table())
    if (it.first.find(':') == std::string::npos || it.first == ":") names.push_back(it.first);
  std::sort(names.begin(), names.end());
  return names;
}

Value* call_builtin(Call& call, std::string* why) {
  const auto found = table().find(call.payload);
  if (found == table().end()) return nullptr;
  if (is_function_of_r(call.payload)) {
    for (auto*& value : call.inputs) value = call.or_empty(value);
    for (auto& given : call.named) given.second = call.or_empty(given.second);
  }
  Form* best = nullptr;
  int least = 0;
  std::vector<Value*> best_values;
  Stands best_stands;
  for (auto& form : *found->second) {
    std::vector<Value*> values;
    if (!bind_values(form, call, values)) continue;
    read_words(form, call, values);
    int total = 0;
    Stands stands;
    for (size_t i = 0; i < values.size() && total >= 0; ++i) {
      if (!values[i]) continue;
      const auto& type = form.formals[i].type;
      int price;
      if (holds_variable(type)) {
        price = stand_for(type, values[i]->type(), stands) ? 1 : -1;
        // As R's numbers are vectors of one, a single value is taken for a list of one. A tensor is a vector itself.
        const bool is_vector = type == "List[T]" || type == "List[K]";
        if (price < 0 && is_vector && is_single(values[i]->type()) && stand_for(type.substr(5, 1), values[i]->type(), stands))
          price = 12;
      } else {
        const auto wanted = ScriptTypeParser().parseType(type);
        price = cost(values[i], wanted);
        // Such a list costs less than a tensor.
        if (const auto list = wanted->cast<ListType>(); list && *list->getElementType() == *values[i]->type()) price = 5;
      }
      total = price < 0 ? -1 : total + price;
    }
    if (total < 0 || (best && total >= least)) continue;
    best = &form;
    least = total;
    best_values = std::move(values);
    best_stands = std::move(stands);
  }
  if (!best) {
    // A list whose elements are known may be taken for one of which all are of one type.
    Call other = call;
    bool any = false;
    for (auto*& value : other.inputs)
      if (auto* list = as_one_kind(call, value)) {
        value = list;
        any = true;
      }
    if (any) return call_builtin(other, why);
    if (why) *why = call.misfit(call.payload);
    return nullptr;
  }
  auto* function = made(call.payload, *found->second, *best, best_stands);
  const auto& arguments = function->getSchema().arguments();
  auto* tensor = first_tensor(best_values);
  for (size_t i = 0; i < best_values.size(); ++i)
    best_values[i] = best_values[i] ? call.as_beside(best_values[i], arguments[i].type(), tensor)
                                    : call.constant(*arguments[i].default_value());
  return inserted(call, *function, best_values);
}

}  // namespace shim::script
