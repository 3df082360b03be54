// Loops over numbers: LibTorch's interpreter takes 65 ns for each of their operators, machine code less than one.
#pragma once
#include <optional>
#include <unordered_map>

#include "fuse/fused.h"
#include "fuse/library.h"

#include <torch/csrc/jit/runtime/interpreter.h>

namespace shim::fuse {

// A place where machine code calls LibTorch's operators: they raise an error there, or a formula does not hold.
struct Site {
  struct Input {
    int argument;  // which argument of the loop, or -1 for the next one of the numbers
    char kind;
    at::ScalarType dtype;  // the dtype of a tensor that is made of a number
  };
  std::shared_ptr<torch::jit::Graph> graph;
  std::vector<Input> inputs;
  std::string outputs;  // kinds, as in kind_of()
  bool changes_lists = false;
};

struct LoopSource {
  std::string text;
  std::vector<Site> sites;
  std::vector<c10::IValue> lists;  // constant lists, which machine code finds behind those among the arguments
  std::vector<size_t> written;     // the tensors of which elements are written
  std::vector<size_t> kept;        // the tensors that are read once, before elements of others are written
  std::vector<at::ScalarType> results;  // the dtypes of results that are tensors
};

// What the C depends on of a tensor among the arguments.
struct TensorKind {
  at::ScalarType dtype;
  int64_t dim;
};

// The kind of a type: 'i', 'd', 'b' for whole numbers, numbers and logicals, capitals for lists of these, 'T' for tensors, 0 for
// all else.
char kind_of(const torch::jit::Value& value);
// Writes the C of a graph that holds a loop. tensors: those among the arguments. exact: only formulas that round as LibTorch's
// operators do. Throws Unfusable.
LoopSource loop_source(const torch::jit::Graph& graph, const std::vector<TensorKind>& tensors, bool exact);
// Whether a node can be written as C, and whether it may change something, fail, or never end.
struct Abilities {
  bool computes = false, has_effects = false;
};
Abilities abilities_of(const torch::jit::Node& node);

class Loop : public Fused {
 public:
  // function: the name of the function that the loop is part of, for messages.
  Loop(std::shared_ptr<torch::jit::Graph> graph, std::string name, const std::string& function, bool exact);
  void run(torch::jit::Stack& stack, const std::vector<at::Tensor>* into = nullptr) override;

 private:
  struct Host;
  struct SiteCode {
    torch::jit::Code code;
    // The operator of a site that has only one; which inputs of the site it gets, and constants.
    torch::jit::Operation operation;
    std::vector<std::pair<int, c10::IValue>> arguments;
  };
  // The machine code for tensors of certain kinds.
  struct Entry {
    LoopSource source;
    std::vector<SiteCode> sites;
    Compiled* compiled = nullptr;
    std::string why;
  };
  // How far the interpreter has come: the number of turns, and the values that the next one starts from.
  struct Progress {
    int64_t turns = 0;
    std::vector<c10::IValue> values;
  };
  void run_plainly(torch::jit::Stack& stack) const;
  // Interprets turns until there is machine code, or no turn is left. Whether turns are left.
  bool run_until(const Compiled& compiled, const c10::IValue* arguments, Progress& progress);
  std::shared_ptr<Entry> entry(const std::vector<TensorKind>& tensors);

  std::string function_;
  bool exact_;
  torch::jit::Code code_;
  std::optional<torch::jit::Code> some_turns_;
  std::string kinds_, results_;  // the kinds of arguments and results
  std::unordered_map<std::string, std::shared_ptr<Entry>> entries_;
};

// Puts the loops of a graph that compute with numbers alone into nodes of their own.
void form_loops(const std::shared_ptr<torch::jit::Graph>& graph, const std::string& function);
// Makes one turn of several, of loops whose turns are a few operators on tensors.
void unroll_loops(torch::jit::Graph& graph, bool exact);

}  // namespace shim::fuse
