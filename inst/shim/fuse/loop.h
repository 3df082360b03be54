// Loops over numbers: LibTorch's interpreter takes 65 ns for each of their operators, machine code less than one.
#pragma once
#include <optional>
#include <unordered_map>

#include "fuse/fused.h"
#include "fuse/library.h"

#include <torch/csrc/jit/runtime/interpreter.h>

namespace shim::fuse {

// What machine code leaves to LibTorch's operators: what raises an error, and arguments for which a formula does not hold.
struct Site {
  struct Input {
    int argument;  // of the loop, or -1: the next of the numbers
    char kind;
    at::ScalarType dtype;  // of a tensor, which is made of a number
  };
  std::shared_ptr<torch::jit::Graph> graph;
  std::vector<Input> inputs;
  std::string outputs;  // kinds
  bool changes_lists = false;
};

struct LoopSource {
  std::string text;
  std::vector<Site> sites;
  std::vector<c10::IValue> lists;  // constants, behind the lists among the arguments
  std::vector<size_t> written;     // tensors of which elements are written, by their place among them
  std::vector<size_t> kept;        // tensors that are read once, before elements of others are written
  std::vector<at::ScalarType> results;  // of those that are tensors
};

// What is known of a tensor among the arguments.
struct TensorKind {
  at::ScalarType dtype;
  int64_t dim;
};

// 'i', 'd' or 'b' for whole numbers, numbers and logicals, in capitals for lists of them, 'T' for tensors; 0 for all else.
char kind_of(const torch::jit::Value& value);
// The C of a graph that holds a loop; tensors: those among the arguments, in their order. Throws Unfusable.
// exact: only what is rounded as LibTorch's operators round it.
LoopSource loop_source(const torch::jit::Graph& graph, const std::vector<TensorKind>& tensors, bool exact);
// Whether it computes a node on numbers, and whether that may change something, fail, or never end.
struct Abilities {
  bool computes = false, has_effects = false;
};
Abilities abilities_of(const torch::jit::Node& node);

class Loop : public Fused {
 public:
  // function: what messages say that it is part of.
  Loop(std::shared_ptr<torch::jit::Graph> graph, std::string name, const std::string& function, bool exact);
  void run(torch::jit::Stack& stack, const std::vector<at::Tensor>* into = nullptr) override;

 private:
  struct Host;
  struct SiteCode {
    torch::jit::Code code;
    // A site of one operator calls it: which inputs of the site it gets, or constants.
    torch::jit::Operation operation;
    std::vector<std::pair<int, c10::IValue>> arguments;
  };
  // What was made of it for tensors of some kinds.
  struct Entry {
    LoopSource source;
    std::vector<SiteCode> sites;
    Compiled* compiled = nullptr;
    std::string why;
  };
  // How far the interpreter has come: turns, and what the next one starts from.
  struct Progress {
    int64_t turns = 0;
    std::vector<c10::IValue> values;
  };
  void run_plainly(torch::jit::Stack& stack) const;
  // Interprets until there is machine code. Whether turns are left.
  bool run_until(const Compiled& compiled, const c10::IValue* arguments, Progress& progress);
  std::shared_ptr<Entry> entry(const std::vector<TensorKind>& tensors);

  std::string function_;
  bool exact_;
  torch::jit::Code code_;
  std::optional<torch::jit::Code> some_turns_;
  std::string kinds_, results_;  // of arguments and results
  std::unordered_map<std::string, std::shared_ptr<Entry>> entries_;
};

// Puts the loops of a graph that compute with numbers alone into nodes of their own.
void form_loops(const std::shared_ptr<torch::jit::Graph>& graph, const std::string& function);

}  // namespace shim::fuse
