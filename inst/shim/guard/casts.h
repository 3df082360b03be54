// Casts in the code of files. LibTorch writes `unchecked_cast(T, x)` where its compiler has proved that x is a T, and
// believes anybody else who writes it: a number would be read as a list. The type of x is known only when the code is
// compiled, and by then LibTorch has run the parts of it that it can. So the text is changed first: each cast becomes a
// call of an operator of the shim, which nothing runs. In the compiled graph that call becomes a checked cast, a plain
// cast where no check is needed, or an error.
#pragma once
#include <memory>
#include <string>
#include <vector>

namespace torch::jit {
struct Graph;
}

namespace shim {

// The text of a file with changed casts. before() tells where something in the new text stood in the old one.
struct SafeText {
  std::string text;
  size_t before(size_t at) const;

  struct Move {
    size_t at;         // position in the new text
    ptrdiff_t offset;  // how far text from there on has moved
  };
  std::vector<Move> moves;
};

// Changes the casts in a text. Throws if the text uses names of LibTorch's reader in a way that LibTorch never writes,
// or calls operators that a program may not name.
SafeText with_safe_casts(const std::string& text, const std::string& file);

// Replaces the casts in a compiled graph. Throws for one between types that have nothing in common.
void settle_casts(torch::jit::Graph& graph);

}  // namespace shim
