// The host's names of members, methods and arguments. A file can hold only identifiers of Python, and not even all of
// these. Any other name is given an identifier, and an attribute of the module tells which name that stands for.
#pragma once
#include <torch/csrc/jit/api/module.h>

#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace shim {

// A different identifier for each name. Throws if a name can have none.
std::vector<std::string> identifiers(const std::vector<std::string>& names);
// An identifier for the name of a class.
std::string class_identifier(const std::string& name);

// The names that the attribute of one module holds.
class Names {
 public:
  static constexpr const char* kAttribute = "_r_names";

  explicit Names(const torch::jit::Module& module);

  // The name of an identifier of a member or a method, and the other way round. Without an entry both are the same.
  const std::string& name_of(const std::string& identifier) const;
  const std::string& identifier_of(const std::string& name) const;
  // Whether an identifier stands for another name than itself.
  bool stands_in(const std::string& identifier) const { return name_of(identifier) != identifier; }
  // The names of the arguments of a method, by its identifier. NULL if they are the names in its schema.
  const std::vector<std::string>* arguments_of(const std::string& method) const;

  // Gives a new member or method an identifier and stores what it stands for.
  std::string add(torch::jit::Module& module, const std::string& name);
  void set_arguments(torch::jit::Module& module, const std::string& method, std::vector<std::string> names);
  // Attributes, by their identifiers, whose values the code of the methods holds.
  bool is_constant(const std::string& identifier) const;
  void set_constants(torch::jit::Module& module, std::vector<std::string> identifiers);

 private:
  void write(torch::jit::Module& module) const;

  std::vector<std::pair<std::string, std::string>> members_;  // identifiers and names
  std::vector<std::pair<std::string, std::vector<std::string>>> methods_;
  std::vector<std::string> constants_;
};

// The identifier of the member or method of this name; nothing if there is none.
std::optional<std::string> find_member(const torch::jit::Module& module, const std::string& name);
std::optional<std::string> find_method(const torch::jit::Module& module, const std::string& name);
// The same for one that is about to be written: a new one is given an identifier.
std::string member_to_set(torch::jit::Module& module, const std::string& name);
std::string method_to_set(torch::jit::Module& module, const std::string& name);

}  // namespace shim
