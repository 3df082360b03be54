// Casts in the code of files. LibTorch writes `unchecked_cast(T, x)` where its compiler has proved that x is a T, and
// believes whoever else writes it: a number is then read as a list. The type of x is known when the code is compiled,
// but by then LibTorch has run what it could of it. So the text is changed before: each cast becomes a call of an
// operator of ours that nothing runs, and in the compiled graph that becomes a check, a cast that needs none, or an
// error.
#pragma once
#include <memory>
#include <string>
#include <vector>

namespace torch::jit {
struct Graph;
}

namespace shim {

// Text of a file with its casts changed, and where what stands in it stood before.
struct SafeText {
  std::string text;
  size_t before(size_t at) const;

  struct Move {
    size_t at;         // in the new text
    ptrdiff_t offset;  // from there on: how much further ahead it is than in the old one
  };
  std::vector<Move> moves;
};

// Throws if the text uses names of LibTorch's reader otherwise than LibTorch writes them, or operators that a program
// may not name.
SafeText with_safe_casts(const std::string& text, const std::string& file);

// Settles the casts of one graph.
void settle_casts(torch::jit::Graph& graph);

}  // namespace shim
