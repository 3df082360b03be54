// Checks the text of a program before LibTorch reads it. LibTorch trusts that it is nested no deeper than the stack
// carries; all other errors LibTorch finds itself. The values of a program are checked by guard/pickle.h.
#pragma once
#include <string>
#include <unordered_map>
#include <vector>

namespace shim {

// Measures how deeply the TorchScript texts of one program are nested.
class Code {
 public:
  // `whose` begins the messages: "its", "The source's".
  explicit Code(const char* whose) : whose_(whose) {}

  // Reads another text. Its classes are in a package such as "__torch__.net". Throws if an expression, a type or a
  // block is nested deeper than in any real program, or if an index is empty.
  void read(const std::string& text, const std::string& package);
  // Throws if classes hold each other too deeply, or in a circle.
  void check_classes() const;
  // Bytes of stack that LibTorch's parser and compiler need at most. They work by recursion, and each definition may
  // lead to the next.
  size_t stack() const { return stack_; }

 private:
  void check_cycles() const;

  const char* whose_;
  size_t stack_ = 0;
  std::unordered_map<std::string, std::vector<std::string>> fields_;  // what the fields of each class mention
};

}  // namespace shim
