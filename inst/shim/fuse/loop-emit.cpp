// Writes the C of numbers, lists and control flow in loops.
#include <cinttypes>
#include <cmath>
#include <cstdio>
#include <cstring>

#include "fuse/loop-emit.h"
#include "fuse/loop-formulas.h"

namespace shim::fuse {

using torch::jit::Block;
using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

char kind_of(const Value& value) {
  const auto kind_of_type = [](const c10::Type& type) -> char {
    switch (type.kind()) {
      case c10::TypeKind::IntType: return 'i';
      case c10::TypeKind::FloatType: return 'd';
      case c10::TypeKind::BoolType: return 'b';
      default: return 0;
    }
  };
  const c10::TypePtr& type = value.type();
  if (type->kind() == c10::TypeKind::TensorType) return 'T';
  if (type->kind() != c10::TypeKind::ListType) return kind_of_type(*type);
  const char item = kind_of_type(*type->expectRef<c10::ListType>().getElementType());
  return item ? static_cast<char>(item - 'a' + 'A') : '\0';
}

namespace {

// Whether a node can be a site: it computes numbers of numbers and lists, or changes lists.
bool is_left(const Node& node) {
  if (!node.kind().is_aten() || !node.blocks().empty() || node.hasSideEffects() || node.isNondeterministic()) return false;
  for (const Value* value : node.inputs())
    if (!kind_of(*value) || kind_of(*value) == 'T') return false;
  for (const Value* value : node.outputs())
    if (!is_number(kind_of(*value)) && (!kind_of(*value) || kind_of(*value) == 'T' || value->hasUses())) return false;
  return !node.inputs().empty();
}

// Whether a node is the barrier behind a loop, which only the interpreter needs.
bool is_mark(const Node& node) {
  static const auto kind = c10::Symbol::fromQualString("aten::is_grad_enabled");
  return node.kind() == kind && !node.hasUses();
}

bool raises(const Block& block) {
  for (const Node* node : block.nodes())
    if (node->kind() == c10::prim::RaiseException) return true;
  return false;
}

// Whether a block ends in an error.
bool is_part_of_message(const Node& node) {
  return node.blocks().empty() && (node.kind() == c10::prim::RaiseException || !node.hasSideEffects());
}

std::string read(const char* from, size_t i, bool floating) {
  return std::string(from) + "[" + std::to_string(i) + "]." + (floating ? "d" : "i");
}

std::string list(size_t i) { return "(lists + " + std::to_string(i) + ")"; }

bool can_be_results(at::ArrayRef<const Value*> values) {
  return std::all_of(values.begin(), values.end(), [](const Value* value) {
    return is_number(kind_of(*value)) || kind_of(*value) == 'T';
  });
}

}  // namespace

std::string literal(const c10::IValue& value) {
  char text[64];
  if (value.isBool()) return value.toBool() ? "1" : "0";
  if (value.isInt()) {
    if (value.toInt() == std::numeric_limits<int64_t>::min()) return "INT64_MIN";
    std::snprintf(text, sizeof text, "INT64_C(%" PRId64 ")", value.toInt());
    return text;
  }
  const double x = value.toDouble();
  uint64_t bits = 0;
  std::memcpy(&bits, &x, sizeof bits);
  if (std::isfinite(x)) std::snprintf(text, sizeof text, "(%a)", x);
  else std::snprintf(text, sizeof text, "from_bits_d(UINT64_C(%" PRIu64 "))", bits);
  return text;
}

const char* c_type(char kind) { return kind == 'd' ? "double" : kind == 'i' ? "int64_t" : "int"; }

LoopSource LoopEmitter::write() {
  size_t tensors = 0;
  for (size_t i = 0; i < graph_.inputs().size(); ++i) {
    const Value* input = graph_.inputs()[i];
    const char kind = kind_of(*input);
    arguments_[input] = static_cast<int>(i);
    if (is_number(kind)) {
      names_[input] = read("in", i, kind == 'd');
    } else if (kind == 'T') {
      Element& it = elements_[input];
      it.dtype = tensors_[tensors].dtype;
      it.tensor = tensors;
      it.pointer = "tensors[" + std::to_string(tensors) + "].data";
      for (int d = 0; d < tensors_[tensors].dim; ++d) it.dims.push_back(d);
      ++tensors;
    } else if (kind) {
      names_[input] = list(lists_++);
    }
  }
  block(*graph_.block());
  for (size_t i = 0; i < graph_.outputs().size(); ++i) {
    const Value* output = graph_.outputs()[i];
    const bool is_tensor = kind_of(*output) == 'T';
    if (is_tensor) source_.results.push_back(element(output).dtype);
    out_ << read("out", i, is_floating(output)) << " = " << (is_tensor ? number_of(output) : name(output)) << ";\n";
  }
  if (keeps_elements_ && !source_.written.empty()) throw Unfusable{"it keeps elements and writes others"};
  source_.text = "#define ITEM " + std::to_string(sizeof(c10::IValue)) + "\n" + kNumberHelpers +
                 "EXPORT int kernel(const number* in, number* out, const list* lists, const tensor* tensors,\n"
                 "           const number* from, host* h) {\n"
                 "HIDE_ZERO\nint64_t turns = 65536;\n" +
                 out_.str() + "return 0;\n}\n";
  return std::move(source_);
}

std::string LoopEmitter::name(const Value* value) {
  const auto found = names_.find(value);
  if (found != names_.end()) return found->second;
  if (value->node()->kind() == c10::prim::Uninitialized) return "0";
  const auto constant = torch::jit::toIValue(value);
  const char kind = kind_of(*value);
  if (!constant || !kind) throw Unfusable{"it is not made of numbers alone"};
  if (is_number(kind)) return literal(*constant);
  source_.lists.push_back(*constant);
  return names_[value] = list(lists_++);
}

void LoopEmitter::declare(const Value* value) { out_ << c_type(kind_of(*value)) << " " << fresh(value) << ";\n"; }

bool LoopEmitter::is_floating(const Value* value) {
  return kind_of(*value) == 'T' ? c10::isFloatingType(element(value).dtype) : kind_of(*value) == 'd';
}

std::optional<c10::IValue> LoopEmitter::known(const Value* value) const {
  const auto found = known_.find(value);
  if (found != known_.end()) return found->second;
  const auto constant = torch::jit::toIValue(value);
  return constant ? std::optional<c10::IValue>(*constant) : std::nullopt;
}

bool LoopEmitter::follows(const Node* node) {
  if (known_.empty() || !node->kind().is_aten() || node->outputs().size() != 1 || !is_number(kind_of(*node->output()))) return false;
  torch::jit::Stack stack;
  for (const Value* input : node->inputs()) {
    const auto value = known(input);
    if (!value) return false;
    stack.push_back(*value);
  }
  try {
    node->getOperation()(stack);
  } catch (const std::exception&) {
    return false;  // such a node fails when the program runs
  }
  known_[node->output()] = stack[0];
  names_[node->output()] = literal(stack[0]);
  return true;
}

void LoopEmitter::alias(const Value* to, const Value* from) {
  if (kind_of(*to) == 'T') {
    elements_[to] = element(from);
    return;
  }
  names_[to] = name(from);
  if (const auto value = known(from)) known_[to] = *value;
}

void LoopEmitter::leave(const Node* first, const Node* last, bool fails) {
  Site site;
  site.graph = std::make_shared<Graph>();
  std::unordered_map<const Value*, Value*> known;
  std::vector<const Value*> numbers;
  const std::function<Value*(Value*)> map = [&](Value* value) {
    const auto found = known.find(value);
    if (found != known.end()) return found->second;
    if (const auto constant = torch::jit::toIValue(value)) return known[value] = site.graph->insertConstant(*constant);
    if (value->node()->kind() == c10::prim::Uninitialized)
      return known[value] = site.graph->insertNode(site.graph->createUninitialized(value->type()))->output();
    const auto argument = arguments_.find(value);
    const auto part = elements_.find(value);
    if (argument == arguments_.end() && part != elements_.end() && part->second.value.empty())
      return known[value] = site.graph->insertNode(site.graph->createClone(const_cast<Node*>(value->node()), map))->output();
    const bool is_tensor = part != elements_.end();
    if (argument == arguments_.end() && !is_tensor && !is_number(kind_of(*value)))
      throw Unfusable{"it is not made of numbers alone"};
    site.changes_lists = site.changes_lists || is_list(kind_of(*value));
    site.inputs.push_back({argument == arguments_.end() ? -1 : argument->second, kind_of(*value),
                           is_tensor ? part->second.dtype : at::kDouble});
    if (argument == arguments_.end()) numbers.push_back(value);
    return known[value] = site.graph->addInput()->setType(value->type());
  };
  for (auto* node = const_cast<Node*>(first);; node = node->next()) {
    Node* copy = site.graph->insertNode(site.graph->createClone(node, map));
    for (size_t i = 0; i < node->outputs().size(); ++i) known[node->output(i)] = copy->output(i);
    if (node == last) break;
  }
  std::vector<const Value*> results;
  for (const Value* value : last->outputs()) {
    if (fails || !is_number(kind_of(*value))) continue;
    results.push_back(value);
    site.graph->registerOutput(known[value]);
    site.outputs += kind_of(*value);
  }
  const size_t n = std::max<size_t>({numbers.size(), results.size(), 1});
  out_ << "{ number s[" << n << "];\n";
  for (size_t i = 0; i < numbers.size(); ++i) {
    const bool is_tensor = kind_of(*numbers[i]) == 'T';
    out_ << read("s", i, is_floating(numbers[i])) << " = " << (is_tensor ? number_of(numbers[i]) : name(numbers[i])) << ";\n";
  }
  out_ << (fails ? "" : "if (") << "h->call(h, " << source_.sites.size() << ", s)" << (fails ? ";\n" : ")") << " return 1;\n";
  for (size_t i = 0; i < results.size(); ++i)
    out_ << names_[results[i]] << " = " << read("s", i, kind_of(*results[i]) == 'd') << ";\n";
  out_ << "}\n";
  source_.sites.push_back(std::move(site));
}

bool LoopEmitter::block(const Block& block) {
  const bool fails = raises(block);
  for (const Node* node : block.nodes()) {
    if (node->kind() == c10::prim::Constant || node->kind() == c10::prim::Uninitialized || is_mark(*node)) continue;
    if (fails && !abilities_of(*node).computes) {
      const Node* last = node;
      while (last->kind() != c10::prim::RaiseException) last = last->next();
      leave(node, last, true);
      return false;
    }
    write(node);
  }
  return true;
}

void LoopEmitter::write(const Node* node) {
  if (node->kind() == c10::prim::If) return write_if(node);
  if (node->kind() == c10::prim::Loop) return write_loop(node);
  if (follows(node) || write_element(node)) return;
  const NumberFormula* row = number_formula(*node);
  if (node->kind() == c10::aten::_set_item) {
    const std::string type = c_type(kind_of(*node->input(2)));
    out_ << "{ const list* a = " << name(node->input(0)) << "; const int64_t b = " << name(node->input(1)) << ";\nif (out_of(a, b)) ";
    leave(node, node, true);
    out_ << "*(" << (type == "int" ? "char" : type) << "*)item(a, b) = " << name(node->input(2)) << "; }\n";
    return;
  }
  if (!row && !is_left(*node)) throw Unfusable{"it is not made of numbers alone"};
  for (const Value* value : node->outputs())
    if (is_number(kind_of(*value))) declare(value);
  if (!row) return leave(node, node, false);
  out_ << "{ ";
  for (size_t i = 0; i < row->arguments.size(); ++i) {
    const char kind = kind_of(*node->input(i));
    out_ << "const " << (is_number(kind) ? c_type(kind) : "list*") << " " << static_cast<char>('a' + i) << " = "
         << name(node->input(i)) << "; ";
  }
  out_ << "\n";
  if (row->except) {
    out_ << "if (" << row->except << ") ";
    leave(node, node, false);
    out_ << "else ";
  }
  out_ << names_[node->output()] << " = " << row->formula << "; }\n";
}

void LoopEmitter::write_if(const Node* node) {
  if (const auto taken = known(node->input(0)); taken && taken->isBool()) {
    const Block& only = *node->blocks()[taken->toBool() ? 0 : 1];
    if (!block(only)) return;
    for (size_t i = 0; i < node->outputs().size(); ++i) alias(node->output(i), only.outputs()[i]);
    return;
  }
  // Whether a tensor is a number or a part of an argument shows when both branches are written.
  std::ostringstream before = std::move(out_);
  std::string texts[2];
  for (const Value* value : node->outputs()) fresh(value);
  for (size_t k = 0; k < 2; ++k) {
    const Block& branch = *node->blocks()[k];
    out_ = std::ostringstream();
    if (block(branch)) {
      for (size_t i = 0; i < node->outputs().size(); ++i) {
        const Value *to = node->output(i), *from = branch.outputs()[i];
        out_ << names_[to] << " = " << (kind_of(*to) == 'T' ? variable(to, from) : name(from)) << ";\n";
      }
    }
    texts[k] = out_.str();
  }
  out_ = std::move(before);
  for (const Value* value : node->outputs()) out_ << type_of(value) << " " << names_[value] << ";\n";
  out_ << "if (" << name(node->input(0)) << ") {\n" << texts[0] << "} else {\n" << texts[1] << "}\n";
}

void LoopEmitter::write_loop(const Node* node) {
  if (const auto goes = known(node->input(1)); goes && goes->isBool() && !goes->toBool()) {
    for (size_t i = 0; i < node->outputs().size(); ++i) alias(node->output(i), node->input(i + 2));
    return;
  }
  const Block& body = *node->blocks()[0];
  const std::string id = std::to_string(++last_);
  out_ << "const int64_t most" << id << " = " << name(node->input(0)) << ";\nint go" << id << " = " << name(node->input(1))
       << ";\n";
  for (size_t i = 0; i < node->outputs().size(); ++i) {
    const Value *to = node->output(i), *from = node->input(i + 2), *inside = body.inputs()[i + 1];
    const std::string it = fresh(to), start = kind_of(*to) == 'T' ? variable(to, from) : name(from);
    out_ << type_of(to) << " " << it << " = " << start << ";\n";
    names_[inside] = it;
    if (kind_of(*to) == 'T') elements_[inside] = elements_[to];
  }
  out_ << "int64_t n" << id << " = 0;\n";
  if (node->owningBlock() == graph_.block()) {
    // The interpreter has made the first turns.
    out_ << "if (from) { n" << id << " = from[0].i;";
    for (size_t i = 0; i < node->outputs().size(); ++i)
      out_ << " " << names_[node->output(i)] << " = " << read("from", i + 1, is_floating(node->output(i))) << ";";
    out_ << " }\n";
  }
  out_ << "for (; go" << id << " && n" << id << " < most" << id << "; ++n" << id << ") {\n"
       << "if (--turns == 0) { turns = 65536; if (h->poll(h)) return 1; }\n";
  names_[body.inputs()[0]] = "n" + id;
  if (block(body)) {
    // All that the next round starts from is read before it is changed.
    for (size_t i = 0; i < node->outputs().size(); ++i) {
      const Value *to = node->output(i), *from = body.outputs()[i + 1];
      const std::string next = kind_of(*to) == 'T' ? variable(to, from) : name(from);
      out_ << "const " << type_of(to) << " next" << id << "_" << i << " = " << next << ";\n";
    }
    out_ << "go" << id << " = " << name(body.outputs()[0]) << ";\n";
    for (size_t i = 0; i < node->outputs().size(); ++i)
      out_ << names_[node->output(i)] << " = next" << id << "_" << i << ";\n";
  }
  out_ << "}\n";
}

// Whether a loop goes on for as long as a condition holds. It may never end, and is not left out even if nobody needs its results.
static bool may_never_end(const Node& node) {
  if (node.kind() != c10::prim::Loop) return false;
  const auto goes_on = torch::jit::toIValue(node.blocks()[0]->outputs()[0]);
  return !goes_on || !goes_on->isBool() || !goes_on->toBool();
}

Abilities abilities_of(const Node& node) {
  if (node.kind() == c10::prim::Constant || node.kind() == c10::prim::Uninitialized || is_mark(node)) return {true, false};
  if (node.kind() == c10::prim::If || node.kind() == c10::prim::Loop) {
    Abilities all{can_be_results(node.outputs()), may_never_end(node)};
    for (const Block* block : node.blocks()) {
      const bool fails = raises(*block);
      all.has_effects = all.has_effects || fails;
      for (const Node* inner : block->nodes()) {
        const Abilities one = abilities_of(*inner);
        all.has_effects = all.has_effects || one.has_effects;
        all.computes = all.computes && (one.computes || (fails && is_part_of_message(*inner)));
      }
    }
    return all;
  }
  if (node.kind() == c10::aten::_set_item) {
    const char kind = kind_of(*node.input(0));
    return {kind && !is_number(kind), true};
  }
  if (const NumberFormula* row = number_formula(node)) return {true, row->except != nullptr};
  if (is_on_elements(node)) return {true, true};
  return {is_left(node), true};
}

LoopSource loop_source(const Graph& graph, const std::vector<TensorKind>& tensors, bool exact) {
  return LoopEmitter(graph, tensors, exact).write();
}

}  // namespace shim::fuse
