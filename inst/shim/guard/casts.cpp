#include "guard/casts.h"

#include <torch/csrc/jit/frontend/lexer.h>
#include <torch/csrc/jit/ir/ir.h>
#include <torch/csrc/jit/runtime/custom_operator.h>

#include <algorithm>

#include "core/boundary.h"
#include "guard/rules.h"

namespace shim {
namespace {

using torch::jit::Token;

// Stands for a cast. The first argument only carries the type. The operator is declared to have any effect, so that
// LibTorch does not run it when it folds constants while it compiles.
const char* const kCast = "torchshim::cast";
const torch::jit::RegisterOperators registered({torch::jit::Operator(
    "torchshim::cast(t type, Any x) -> t",
    [](torch::jit::Stack&) { TORCH_CHECK(false, "torchshim::cast only stands for a cast while a file is read"); },
    c10::AliasAnalysisKind::CONSERVATIVE)});

// The tokens of a text by LibTorch's own lexer: we must not take for text what LibTorch takes for code.
std::vector<Token> tokens_of(const std::string& text, const std::string& file) {
  torch::jit::Lexer lexer(std::make_shared<torch::jit::Source>(text, file, 1));
  std::vector<Token> tokens;
  do tokens.push_back(lexer.next());
  while (tokens.back().kind != torch::jit::TK_EOF);
  return tokens;
}

class CastFinder {
 public:
  CastFinder(const std::string& text, const std::string& file) : text_(text), tokens_(tokens_of(text, file)) {}

  SafeText run() {
    for (size_t i = 0; i < tokens_.size(); ++i) {
      if (tokens_[i].kind != torch::jit::TK_IDENT || is_own_name(i)) continue;
      const std::string name = text(i);
      if (name == "unchecked_cast") {
        change_cast(i);
      } else if (name == "uninitialized") {
        require(kind(i + 1) == '(', i);
      } else if (name == "ops") {
        check_operator(i);
      }
    }
    return finish();
  }

 private:
  struct Change {
    size_t from, to;  // positions in the old text
    const char* text;
  };

  // Whether the identifier is the name of an attribute, a field, a method or an argument, which may be any word.
  bool is_own_name(size_t i) const {
    const int before = i > 0 ? kind(i - 1) : torch::jit::TK_NEWLINE, next = kind(i + 1);
    return before == '.' || before == torch::jit::TK_DEF || next == ':' || next == '=';
  }

  // The token is copied: in old LibTorch its text() is not const.
  std::string text(size_t i) const { return Token(tokens_[i]).text(); }

  int kind(size_t i) const { return i < tokens_.size() ? tokens_[i].kind : torch::jit::TK_EOF; }

  void require(bool holds, size_t i) const {
    TORCH_CHECK(holds, "its code uses `", text(i), "` in a way that LibTorch never writes");
  }

  // Changes `unchecked_cast(T, x)` into `ops.torchshim.cast(uninitialized(T), x)`.
  void change_cast(size_t i) {
    require(kind(i + 1) == '(', i);
    int depth = 1;
    size_t at = i + 2;
    for (; at < tokens_.size() && depth > 0; ++at) {
      const int it = tokens_[at].kind;
      if (it == '(' || it == '[' || it == '{') ++depth;
      if (it == ')' || it == ']' || it == '}') --depth;
      if (it == ',' && depth == 1) break;
    }
    require(kind(at) == ',' && depth == 1, i);
    changes_.push_back({tokens_[i].range.start(), tokens_[i + 1].range.end(), "ops.torchshim.cast(uninitialized("});
    changes_.push_back({tokens_[at].range.start(), tokens_[at].range.end(), "),"});
  }

  // Checks a call `ops.namespace.name(`.
  void check_operator(size_t i) const {
    require(kind(i + 1) == '.' && kind(i + 3) == '.' && kind(i + 5) == '(', i);
    const std::string space = text(i + 2), name = text(i + 4);
    require(space != "torchshim", i + 2);
    TORCH_CHECK(space != "prim" || may_name_prim(name), "its code calls `prim::", name,
                "`, which trusts its arguments: wrong ones would end the process");
  }

  SafeText finish() {
    std::sort(changes_.begin(), changes_.end(), [](const Change& a, const Change& b) { return a.from < b.from; });
    SafeText out;
    size_t done = 0;
    for (const Change& change : changes_) {
      out.text.append(text_, done, change.from - done).append(change.text);
      done = change.to;
      out.moves.push_back({out.text.size(), static_cast<ptrdiff_t>(out.text.size()) - static_cast<ptrdiff_t>(done)});
    }
    out.text.append(text_, done, std::string::npos);
    return out;
  }

  const std::string& text_;
  std::vector<Token> tokens_;
  std::vector<Change> changes_;
};

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

// Makes a cast that fails at run time if the value is not of the type. The cast stands inside a branch, so that
// LibTorch can't draw conclusions from it where the check fails.
Node* checked_cast(Graph& graph, Value* value, const c10::TypePtr& type) {
  auto* is = graph.insertNode(graph.createIsInstance(value, {type}));
  auto* branch = graph.create(c10::prim::If, {is->output()}, 1);
  {
    auto* block = branch->addBlock();
    const torch::jit::WithInsertPoint inside(block);
    auto* cast = graph.insertNode(graph.create(c10::prim::unchecked_cast, {value}));
    cast->output()->setType(type);
    block->registerOutput(cast->output());
  }
  auto* block = branch->addBlock();
  const torch::jit::WithInsertPoint inside(block);
  auto* text = graph.insertConstant(c10::str("Expected a value of type ", type->repr_str(), "."));
  auto* none = graph.insertConstant(c10::IValue());
  graph.insertNode(graph.create(c10::prim::RaiseException, {text, none}, 0));
  auto* nothing = graph.insertNode(graph.create(c10::prim::Uninitialized, 1));
  nothing->output()->setType(type);
  block->registerOutput(nothing->output());
  return branch;
}

void settle(Graph& graph, Node* node) {
  Value* value = node->input(1);
  const auto from = value->type(), to = node->output()->type();
  const torch::jit::WithInsertPoint here(node);
  Node* made;
  if (from->isSubtypeOf(*to)) {
    made = graph.create(c10::prim::unchecked_cast, {value});
  } else {
    TORCH_CHECK(to->isSubtypeOf(*from), "its code takes a value of type ", from->repr_str(), " to be of type ",
                to->repr_str(), ", which it can't be");
    const auto optional = from->cast<c10::OptionalType>();
    const bool is_unwrapped = optional && *optional->getElementType() == *to;
    made = is_unwrapped ? graph.create(c10::aten::_unwrap_optional, {value}) : checked_cast(graph, value, to);
  }
  made->output()->setType(to);
  made->copyMetadata(node);
  graph.insertNode(made);
  made->output()->copyMetadata(node->output());
  node->output()->replaceAllUsesWith(made->output());
  Node* type = node->input(0)->node();
  node->destroy();
  if (type->kind() == c10::prim::Uninitialized && !type->hasUses()) type->destroy();
}

void add_casts(torch::jit::Block* block, std::vector<Node*>& casts) {
  static const auto cast = c10::Symbol::fromQualString(kCast);
  for (Node* node : block->nodes()) {
    if (node->kind() == cast) casts.push_back(node);
    for (auto* inner : node->blocks()) add_casts(inner, casts);
    if (node->hasAttribute(c10::attr::Subgraph)) settle_casts(*node->g(c10::attr::Subgraph));
  }
}

}  // namespace

size_t SafeText::before(size_t at) const {
  const auto next = std::upper_bound(moves.begin(), moves.end(), at, [](size_t a, const Move& b) { return a < b.at; });
  return next == moves.begin() ? at : static_cast<size_t>(static_cast<ptrdiff_t>(at) - (next - 1)->offset);
}

SafeText with_safe_casts(const std::string& text, const std::string& file) { return CastFinder(text, file).run(); }

void settle_casts(Graph& graph) {
  std::vector<Node*> casts;
  add_casts(graph.block(), casts);
  for (Node* node : casts) settle(graph, node);
}

}  // namespace shim
