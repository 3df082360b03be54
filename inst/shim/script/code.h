// R functions as they are written: whose names are whose, before anything is compiled.
#pragma once
#include "core/pch.h"
#include "torch_shim.h"

#include <torch/csrc/jit/frontend/source_range.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace shim::script {

inline bool is_name(const ts_code& code) { return code.kind == TS_CODE_NAME; }
inline bool is_name(const ts_code& code, const char* name) { return is_name(code) && std::string(code.text) == name; }
// The name of what a call calls, "" if that is an expression; of `package::name(x)` that with the colons.
std::string callee(const ts_code& code);
inline bool is_call(const ts_code& code, const char* name) { return code.kind == TS_CODE_CALL && callee(code) == name; }
// Whether it gives a variable another value, as `<-` does.
bool is_assignment(const ts_code& code);
// The variable that a place such as `x$a[i]` is a part of; NULL if it is part of none.
const ts_code* base_of(const ts_code& place);

// A function that a program holds: the one that is compiled, one that it calls, or one written inside of another.
struct Function {
  Function(const ts_closure& home, const ts_code& code, Function* parent, std::string name, bool is_method = false);

  const ts_closure& home;
  const ts_code& code;
  Function* parent;  // the function that it is written in, or NULL
  std::string name;
  std::shared_ptr<torch::jit::Source> source;

  std::vector<std::string> formals;
  std::set<std::string> locals;    // formals, and what is assigned
  std::set<std::string> assigned;  // without formals that keep what they are given
  std::set<std::string> changed;   // of these, the ones of which parts are assigned: `x[i] <- 1`
  std::set<std::string> written;   // those that methods as `x$add_(1)` give other contents
  std::set<std::string> called;    // names before brackets
  std::set<std::string> counters;  // and those that only run from 1 or more upwards, in `for`
  // Functions that are written here, by the parts of the code that makes them, which copies of it share, and by the name of
  // the variable that is one. A variable that may be several is none of these: it holds functions as values.
  std::map<const ts_code*, std::unique_ptr<Function>> inner;
  std::map<std::string, Function*> functions;
  // How often variables are given a value, in loops twice.
  std::map<std::string, int> given;
  // Variables of the functions around it that it reads.
  std::vector<std::string> captured;

  const ts_code& body() const { return code.items[code.n - 1]; }
  const ts_code& default_of(size_t formal) const { return code.items[formal]; }
  // The function that a variable is here or in the functions around; NULL if it is none.
  Function* function_named(const std::string& variable);
  torch::jit::SourceRange range(const ts_code& part) const;

 private:
  void read(const ts_code& part);
  void read_function(const ts_code& part, const std::string& variable);
  void count_given(const ts_code& part, int times);
  void assign(const ts_code& place);
  void count(const ts_code& loop);
  void note_written(const ts_code& part, const std::string& head);
  void use(const std::string& variable);

  std::set<std::string> other_;  // variables that are given something else than such a count
  std::map<std::string, int> written_once_;  // 1 for those that are given one function and nothing else
};

}  // namespace shim::script
