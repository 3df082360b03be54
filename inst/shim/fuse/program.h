// What a group of operators computes, as expressions over numbers, and the kernels that compute it.
#pragma once
#include "core/pch.h"

#include <string>
#include <vector>

namespace shim::fuse {

// A group can't be computed by kernels, for these types and sizes: LibTorch computes it.
struct Unfusable {
  const char* why;
};

using Id = int;
using Sizes = std::vector<int64_t>;

enum class Reduction { none, sum, max, min };

// Where a value lives: at each element of the space that a kernel goes through, once a row (its last dimension reduced), or
// once in all.
enum class Extent { full, row, whole };

struct Expr {
  // columns: sums over all dimensions but the last.
  enum Kind { tensor, number, count, formula, reduce, product, columns } kind;
  int slot = -1;       // tensor: the place in the table; number: among the numbers
  bool integer = false;  // number
  std::string text;    // formula
  bool block = false;  // `text` is the name of a function over blocks
  std::string names;   // of the arguments, a letter each
  std::vector<Id> args;
  at::ScalarType compute = at::kFloat, dtype = at::kFloat;
  Reduction reduction = Reduction::none;
  Extent extent = Extent::full;
  Sizes shape;         // of the value, as seen in the probe
  Sizes space;         // of what was reduced
  bool closed = false; // its last dimension is gone: only a result
  bool turned[2] = {false, false};  // product: an operand is read with its dimensions exchanged
  int level = 0;       // kernels that have to run before
};

// A tensor that kernels read or write: arguments first, then what is between kernels, and results.
struct Slot {
  Id made_by = -1;         // expression, or -1 for arguments
  at::ScalarType dtype = at::kFloat;
  Sizes shape;             // in the probe
  bool unsqueeze = false;  // argument: kernels see one dimension more at the end
  bool mean = false;       // reduced to one number: divided by how many there were
  Sizes of;                // the shape of what was summed to `shape` after a kernel computed it; or empty
};

// A number that kernels get beside the tensors.
struct Number {
  int input = -1;    // among the group's inputs; or
  double d = 0;      // a constant
  int64_t i = 0;
  Sizes of;          // or one over how many elements that shape has, if `inverse`
  bool inverse = false;
};

// What is computed by one kernel: all that has the same space and can be had at the same time; or a step by itself, which is no
// loop written for it: a product of two matrices or the sums of columns.
struct Kernel {
  bool by_itself = false;
  std::vector<int> arguments;  // slots that it reads
  std::vector<int> results;    // slots that it writes
  std::vector<Id> values;      // of the results
  bool rows = false;           // something lives once a row
  bool whole = false;          // something is reduced to one number
  bool block = false;          // uses functions over blocks
  Sizes space;                 // in the probe: how many dimensions
  int heavy = 0, light = 0;    // operations an element, the costly ones apart
};

struct Program {
  bool exact = false;  // each operation is rounded as LibTorch rounds it
  std::vector<Expr> exprs;
  std::vector<Slot> slots;
  std::vector<int> arguments;   // slots of what is given, in its order
  std::vector<Number> numbers;
  std::vector<Kernel> kernels;  // in the order in which they run
  std::vector<int> products;  // slots, in the order of the graph
  std::vector<bool> reached;  // of gradients: which results of the group follow from a wanted argument
  std::vector<int> results;  // slots, one for each output of the group (or each gradient that is wanted; -1 for none)
};

// How the inner loop steps through an operand.
enum class Step : char { none, one, any };

// C source of a kernel: a function `kernel` that uses those of kernel-math.h, for rows of at least `lanes` elements, which it
// computes so many at a time. `scratch` tells how many bytes an element of a row it keeps.
std::string source_of(const Program& program, const Kernel& kernel, const std::vector<Step>& steps, int lanes, size_t& scratch);
// The C types in which a value is stored and computed.
const char* stored(at::ScalarType type);
const char* computed(at::ScalarType type);
// The C of a formula: `name = ...;`, with `args` in place of its letters. Not of one over blocks.
std::string assignment(const Expr& expr, const std::string& name, const std::vector<std::string>& args);
// The type in which partial results of a reduction are kept.
at::ScalarType accumulator(const Expr& expr);

}  // namespace shim::fuse
