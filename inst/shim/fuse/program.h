// What a group of operators computes, as expressions over numbers, and the kernels that compute it.
#pragma once
#include "core/pch.h"

#include <map>
#include <string>
#include <tuple>
#include <vector>

namespace shim::fuse {

// Thrown where a group can't be computed by kernels for these types and sizes. LibTorch's operators compute it then.
struct Unfusable {
  const char* why;
};

using Id = int;
using Sizes = std::vector<int64_t>;

enum class Reduction { none, sum, max, min };

// Where a value lives: at each element of the space that a kernel goes through, once a row (its last dimension reduced), or
// once in all.
enum class Extent { full, row, whole };

// How a kernel computes: by a loop that is written for it; or as a step of its own kind, for a product of matrices, for the sums
// of columns, for a view, which computes nothing and shows memory in another way, or for values that are put side by side.
enum class Work { loop, product, columns, view, joined };

// A part of a value: of one dimension every `step`th place from `start` on.
struct Cut {
  int64_t dim = 0, start = 0, step = 1;
};

struct Expr {
  // position: that of an element in its row. columns: sums over dimensions that lie together, the last not among them.
  enum Kind { tensor, number, position, formula, reduce, product, columns, view, joined } kind;
  int slot = -1;       // of a tensor its place in Program::slots, of a number in Program::numbers
  bool integer = false;  // whether a number is a whole one
  std::string text;    // the formula
  bool block = false;  // `text` is the name of a function over blocks
  std::string names;   // the letters of the arguments in `text`
  std::vector<Id> args;
  at::ScalarType compute = at::kFloat, dtype = at::kFloat;
  bool rounded = false;  // half precision: the value is that of an operator, which LibTorch rounds
  Reduction reduction = Reduction::none;
  Extent extent = Extent::full;
  Sizes shape;         // the sizes of the value in the probe
  Sizes space;         // the sizes of what a reduction reads
  bool closed = false; // a reduction without its last dimension, which only a result may be
  bool turned[2] = {false, false};  // product: an operand is read with its last two dimensions exchanged
  bool batched = false;             // product: the dimensions before the last two count matrices, of which one may be repeated
  std::vector<int64_t> order;       // view: the dimensions in their new order; if it is empty, memory is read in another shape
  bool packed = false;              // view: what is read lies without gaps, in the order of its dimensions
  int64_t begin = 0, end = 0;       // columns: the dimensions that are summed over, up to `end`
  std::vector<Cut> cuts;            // view: the part that is shown, if it is one; joined: where each argument goes
  bool gaps = false;                // joined: something is left, which is zero
  int level = 0;       // kernels that have to run before
};

// A tensor that kernels read or write: arguments first, then what is between kernels, and results.
struct Slot {
  Id made_by = -1;         // the expression that makes it, -1 for arguments
  at::ScalarType dtype = at::kFloat;
  Sizes shape;             // its sizes in the probe
  bool unsqueeze = false;  // kernels see an argument with one dimension of size 1 more at its end
  bool mean = false;       // the sum of all elements is divided by their number
  Sizes of;                // what a kernel gives is of this shape, and summed to `shape` afterwards; empty if it is not
  std::vector<int64_t> order;  // a product's dimensions as they lie in memory, from the outermost; empty if as they are
};

// A number that kernels get beside the tensors.
struct Number {
  int input = -1;    // the input of the group that it is, or -1
  double d = 0;      // its value, if it is a constant
  int64_t i = 0;
  // What it is of the number of elements of a shape: that number itself, one over it, or it over what is left of it without `d`.
  enum Of { nothing, count, inverse, corrected } of = nothing;
  Sizes shape;
};

// What is computed by one kernel: all that has the same space and can be had at the same time; or one step of another kind.
struct Kernel {
  Work work = Work::loop;
  std::vector<int> arguments;  // slots that it reads
  std::vector<int> results;    // slots that it writes
  std::vector<Id> values;      // the expressions of the results
  bool rows = false;           // some value lives once a row
  bool whole = false;          // some value is reduced to one number
  bool block = false;          // it calls functions over blocks
  Sizes space;                 // the sizes in the probe that it goes through
  int heavy = 0, light = 0;    // how many costly and how many cheap operations an element takes
};

// How the loop over a row steps through an operand.
enum class Step : char { none, one, any };

struct Compiled;

// The C of a kernel, and its machine code.
struct Source {
  std::string text;
  size_t scratch = 0;  // bytes that it keeps of an element of a row
  const Compiled* compiled = nullptr;
};

// Numbers of an argument that pick an element of a row. among: how long the row is in the probe. none: a negative number that picks
// nothing.
struct Choice {
  int slot;
  int64_t among, none;
};

struct Program {
  bool exact = false;  // each operation is rounded as LibTorch rounds it
  std::vector<Expr> exprs;
  std::vector<Slot> slots;
  std::vector<int> arguments;   // the slots of the program's arguments
  std::vector<Number> numbers;
  std::vector<Kernel> kernels;  // in the order in which they run
  std::vector<Choice> choices;
  std::vector<int> products;  // slots, in the order of the graph
  std::vector<bool> reached;  // in a program of gradients: which results of the group depend on a wanted argument
  std::vector<int> results;   // the slot of each output of the group, or of each wanted gradient, -1 for none
  // By kernel, steps and lanes: plans for most sizes share them. Who makes a plan holds the lock of the group.
  mutable std::map<std::tuple<const Kernel*, std::vector<Step>, int>, Source> sources;
};

// C source of a kernel: a function `kernel` that uses those of kernel-math.h, for rows of at least `lanes` elements, which it
// computes so many at a time. `scratch` tells how many bytes an element of a row it keeps.
std::string source_of(const Program& program, const Kernel& kernel, const std::vector<Step>& steps, int lanes, size_t& scratch);
// The C types in which a value is stored and computed.
const char* stored(at::ScalarType type);
const char* computed(at::ScalarType type);
// The C of a formula, `name = ...;`, with `args` in place of its letters. Functions over blocks have another form.
std::string assignment(const Expr& expr, const std::string& name, const std::vector<std::string>& args);
// The C type in which partial results of a reduction are kept.
at::ScalarType accumulator(const Expr& expr);

}  // namespace shim::fuse
