// What a program's files say, checked before LibTorch reads them. LibTorch trusts them in three things that end the
// process if they are wrong: that a tensor's bytes are all there, that values are not nested without end, and that
// text is not. Whatever else is wrong with them LibTorch finds itself.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <unordered_map>
#include <vector>

namespace shim {

// Throws if the pickle is none that LibTorch can have written. `record_size`: bytes of the record of this name, -1 if
// there is none.
void check_pickle(const std::string& pickle, const std::function<int64_t(const std::string&)>& record_size);

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
