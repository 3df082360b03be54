// Writes a loop as C. Numbers and lists are in loop-emit.cpp, elements of tensors in loop-elements.cpp.
#pragma once
#include <map>
#include <optional>
#include <sstream>

#include "core/pch.h"
#include "fuse/loop.h"
#include "fuse/program.h"

namespace shim::fuse {

inline bool is_number(char kind) { return kind >= 'a'; }
inline bool is_list(char kind) { return kind == 'I' || kind == 'D' || kind == 'B'; }

class LoopEmitter {
 public:
  LoopEmitter(const torch::jit::Graph& graph, const std::vector<TensorKind>& tensors, bool exact)
      : graph_(graph), tensors_(tensors), exact_(exact) {}
  LoopSource write();

 private:
  using Value = torch::jit::Value;
  using Node = torch::jit::Node;

  // A tensor inside of a loop: an argument or a part of one, or a tensor without dimensions, which is a number here.
  struct Element {
    at::ScalarType dtype = at::kFloat;
    std::string value;      // the number in C; empty for a part of an argument
    size_t tensor = 0;      // the argument that it is part of
    std::string pointer;    // its address in C
    std::vector<int> dims;  // the dimensions of the argument that are left
  };

  std::string name(const Value* value);
  std::string fresh(const Value* value) { return names_[value] = "v" + std::to_string(++last_); }
  void declare(const Value* value);
  bool is_floating(const Value* value);
  // A number that is known while the C is written: how many dimensions a tensor has, and what follows from that.
  std::optional<c10::IValue> known(const Value* value) const;
  bool follows(const Node* node);
  // Makes `to` another name of `from`.
  void alias(const Value* to, const Value* from);
  // Leaves nodes to LibTorch's operators, up to `last`.
  void leave(const Node* first, const Node* last, bool fails);
  // Writes a block. Whether its end can be reached.
  bool block(const torch::jit::Block& block);
  void write(const Node* node);
  void write_if(const Node* node);
  void write_loop(const Node* node);

  const Element& element(const Value* value);
  // The number in C that a tensor without dimensions is.
  std::string number_of(const Value* value);
  // The C that assigns to `to`, a tensor.
  std::string variable(const Value* to, const Value* from);
  std::string type_of(const Value* value);
  bool write_element(const Node* node);
  void write_select(const Node* node);
  void write_fill(const Node* node);
  void write_copy(const Node* node);
  void compute(const Node* node);

  const torch::jit::Graph& graph_;
  const std::vector<TensorKind>& tensors_;
  bool exact_;
  LoopSource source_;
  std::ostringstream out_;
  std::unordered_map<const Value*, std::string> names_;
  std::unordered_map<const Value*, int> arguments_;
  std::unordered_map<const Value*, Element> elements_;
  std::unordered_map<const Value*, c10::IValue> known_;
  bool keeps_elements_ = false;  // elements are copied when they are read, since they may be written later
  size_t lists_ = 0;
  int last_ = 0;
};

// Whether an operator reads or writes elements of tensors, and whether it computes with tensors without dimensions.
bool is_on_elements(const torch::jit::Node& node);
const char* c_type(char kind);
// A constant as C.
std::string literal(const c10::IValue& value);

}  // namespace shim::fuse
