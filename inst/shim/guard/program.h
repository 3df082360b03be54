// The text of a program, checked before LibTorch reads it. LibTorch trusts it to be nested no deeper than its stack carries;
// whatever else is wrong with it LibTorch finds itself. The program's values are looked at in guard/pickle.h.
#pragma once
#include <string>
#include <unordered_map>
#include <vector>

namespace shim {

// TorchScript text of one program, as far as its depth goes.
class Code {
 public:
  // `whose` code it is, for messages: "its", "The source's".
  explicit Code(const char* whose) : whose_(whose) {}

  // One text more, with classes in a package such as "__torch__.net". Throws if an expression, a type or a block is
  // nested deeper than any program's is, or if an index has nothing in it.
  void read(const std::string& text, const std::string& package);
  // Throws if the classes' fields are nested too deeply, or without end.
  void check_classes() const;
  // Bytes that LibTorch's parser and compiler need for all of it if each definition leads to the next: theirs is
  // recursion.
  size_t stack() const { return stack_; }

 private:
  void check_cycles() const;

  const char* whose_;
  size_t stack_ = 0;
  std::unordered_map<std::string, std::vector<std::string>> fields_;  // what the fields of each class mention
};

}  // namespace shim
