// The host's names of members, methods and arguments. A file can only hold identifiers of Python, and of those not all:
// what else there is gets one, and the name that it stands for travels in an attribute of the module.
#pragma once
#include <torch/csrc/jit/api/module.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace shim {

// One identifier for each name, no two the same. Throws if a name can be made none.
std::vector<std::string> identifiers(const std::vector<std::string>& names);
// For the name of a class.
std::string class_identifier(const std::string& name);

// What one module's attribute says.
class Names {
 public:
  static constexpr const char* kAttribute = "_r_names";

  explicit Names(const torch::jit::Module& module);

  // Of a member or a method; themselves where nothing else is known.
  const std::string& name_of(const std::string& identifier) const;
  const std::string& identifier_of(const std::string& name) const;
  // Whether the identifier stands for another name.
  bool stands_in(const std::string& identifier) const { return name_of(identifier) != identifier; }
  // Of the arguments of a method, by its identifier; NULL if they are the names of its schema.
  const std::vector<std::string>* arguments_of(const std::string& method) const;

  // Gives a new member or method an identifier, and writes down what it stands for.
  std::string add(torch::jit::Module& module, const std::string& name);
  void set_arguments(torch::jit::Module& module, const std::string& method, std::vector<std::string> names);

 private:
  void write(torch::jit::Module& module) const;

  std::vector<std::pair<std::string, std::string>> members_;  // identifier, name
  std::vector<std::pair<std::string, std::vector<std::string>>> methods_;
};

// What a member or method of this name is called in the program; nothing if there is none.
std::optional<std::string> find_member(const torch::jit::Module& module, const std::string& name);
std::optional<std::string> find_method(const torch::jit::Module& module, const std::string& name);
// The same of one to be written, which is given an identifier if it is new.
std::string member_to_set(torch::jit::Module& module, const std::string& name);
std::string method_to_set(torch::jit::Module& module, const std::string& name);

}  // namespace shim
