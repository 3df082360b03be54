#include "jit/parse.h"

#include "guard/codes.h"
#include "guard/depth.h"
#include "guard/program.h"
#include "guard/rules.h"

#include <torch/csrc/jit/api/compilation_unit.h>
#include <torch/csrc/jit/api/function_impl.h>
#include <torch/csrc/jit/frontend/parser.h>

namespace shim {
namespace {

using namespace torch::jit;

// How messages about nesting that is too deep begin.
constexpr const char* kSource = "The source's";

// Skips an import of a Python module whose names TorchScript knows without it, so that a pasted source compiles.
void skip_import(Lexer& lexer) {
  const Token first = lexer.next();
  const std::string module = lexer.cur().text();
  if (module != "torch" && module != "math" && module != "typing" && module != "enum")
    lexer.reportError("only torch, math, typing and enum can be imported, and need not be", first);
  while (lexer.cur().kind != TK_NEWLINE && lexer.cur().kind != TK_EOF) lexer.next();
}

// Turns `for i, x in y` into `for (i, x) in y`: LibTorch's compiler can't unroll the first form, as over children.
TreeRef with_single_targets(const TreeRef& tree) {
  const TreeRef whole = tree->map([](TreeRef inner) { return with_single_targets(inner); });
  if (whole->kind() != TK_FOR) return whole;
  const For loop(whole);
  const auto targets = loop.targets();
  if (targets.size() < 2) return whole;
  const auto tuple = TupleLiteral::create(targets.range(), targets);
  return For::create(loop.range(), List<Expr>::create(targets.range(), {tuple}), loop.itrs(), loop.body()).tree();
}

}  // namespace

std::vector<TreeRef> parse(const char* source, const char* file, int line, bool methods) {
  Parser parser(std::make_shared<Source>(std::string(source), std::string(file), static_cast<size_t>(line)));
  auto& lexer = parser.lexer();
  std::vector<TreeRef> definitions;
  while (lexer.cur().kind != TK_EOF) {
    const int kind = lexer.cur().kind;
    if (kind == TK_DEF)
      definitions.push_back(with_single_targets(parser.parseFunction(methods)));
    else if (kind == TK_CLASS_DEF && !methods)
      definitions.push_back(with_single_targets(parser.parseClass()));
    else if (kind == TK_NEWLINE || kind == TK_STRINGLITERAL)
      lexer.next();
    else if (kind == TK_IMPORT || (kind == TK_IDENT && lexer.cur().text() == "from"))
      skip_import(lexer);
    else
      lexer.expected(methods ? "`def`" : "`def` or `class`");
  }
  return definitions;
}

size_t compile_stack(const char* source) {
  Code code(kSource);
  code.read(source, "");
  code.check_classes();
  return code.stack();
}

void check_text(const CompilationUnit& unit) {
  check_calls(unit, kSource);
  for (auto* function : unit.get_functions()) {
    // The unit has a null pointer in the place of a function that was removed.
    auto* with_graph = function ? tryToGraphFunction(*function) : nullptr;
    if (!with_graph) continue;
    check_operators(*with_graph->graph(), /*allow_files=*/true, "The source");
    check_codes(*with_graph->graph());
  }
}

}  // namespace shim
