// What can be told of an R function by reading it, before anything is compiled: which names are its variables, which of
// them it changes, and what it reads of the functions around it.
#pragma once
#include <torch/csrc/jit/frontend/source_range.h>

#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "core/pch.h"
#include "torch_shim.h"

namespace shim::script {

inline bool is_name(const ts_code& code) { return code.kind == TS_CODE_NAME; }
inline bool is_name(const ts_code& code, const char* name) { return is_name(code) && std::string(code.text) == name; }
// The name before the brackets of a call, with the package if there is one ("package::name"). "" if an expression is
// called.
std::string callee(const ts_code& code);
inline bool is_call(const ts_code& code, const char* name) { return code.kind == TS_CODE_CALL && callee(code) == name; }
// Whether the call is an assignment, as `<-` and `=` are.
bool is_assignment(const ts_code& code);
// The variable that a place such as `x$a[i]` is a part of; NULL if it is part of none.
const ts_code* base_of(const ts_code& place);

// Code as messages speak of it: "`y <- 1` (line 4)". A place without a source is cited as "".
std::string cited(const torch::jit::SourceRange& place);

// What is said of a variable that nothing can have given a value.
inline std::string no_value(const std::string& variable) {
  return "`" + variable + "` has no value here: it is given one further down, or in code that is never run. Give it one before";
}

// A read of a variable that the function may not have given a value yet, but gives one elsewhere.
struct EarlyRead {
  bool certain;  // the first time that the code runs no assignment can have come before
  const ts_code* read;
};

// A function that a program holds: the one that is compiled, one that it calls, or one written inside of another.
struct Function {
  Function(const ts_closure& home, const ts_code& code, Function* parent, std::string name, bool is_method = false);

  const ts_closure& home;
  const ts_code& code;
  Function* parent;  // the function that it is written in, or NULL
  std::string name;
  std::shared_ptr<torch::jit::Source> source;

  std::vector<std::string> formals;
  std::set<std::string> locals;    // all variables: the formals, and what is assigned
  std::set<std::string> assigned;  // variables that are assigned; a formal that keeps its value is none
  std::set<std::string> changed;   // variables of which parts are assigned: `x[i] <- 1`
  std::set<std::string> deep;      // those of which parts of parts are assigned: `x$a[i] <- 1`
  std::set<std::string> written;   // variables whose contents a method changes in place: `x$add_(1)`
  std::set<std::string> called;    // names that stand before brackets
  std::set<std::string> counters;  // variables of `for` that are 1 or more for sure: positions without a check
  // Functions that are written in this one. `inner` finds one by the items of the code that makes it: copies of the
  // tree share them. `functions` finds it by its variable. A variable that is given several functions is not in there:
  // it holds functions as values.
  std::map<const ts_code*, std::unique_ptr<Function>> inner;
  std::map<std::string, Function*> functions;
  // What a name means outside of the function that the host gave. NULL if it means nothing there.
  const ts_known* known(const std::string& outside) const;
  // Whether the name is that of a function of the user's, where R has one too: what the host knows of it is its code.
  bool is_users(const std::string& outside) const;
  // How many assignments a variable has. One inside of a loop counts twice.
  std::map<std::string, int> given;
  // Variables of the functions around this one that it reads, and other names that it reads and does not have.
  std::vector<std::string> captured;
  std::set<std::string> outside;
  // Variables that begin with the values that R finds around the function, if there are any.
  std::map<std::string, EarlyRead> early;

  const ts_code& body() const { return code.items[code.n - 1]; }
  const ts_code& default_of(size_t formal) const { return code.items[formal]; }
  // The function that a variable of this function, or of one around it, always is. NULL if it may be something else.
  Function* function_named(const std::string& variable) const;
  torch::jit::SourceRange range(const ts_code& part) const;

 private:
  void read(const ts_code& part);
  void read_function(const ts_code& part, const std::string& variable);
  void count_given(const ts_code& part, int times);
  void assign(const ts_code& place);
  void count(const ts_code& loop);
  void note_written(const ts_code& part, const std::string& head);
  void use(const std::string& variable);

  std::set<std::string>
      other_;  // variables that may be no position: a `for` from 0, or an assignment, gives them values
  std::set<std::string> met_;   // variables that are assigned somewhere before in the code, formals included
  std::set<std::string> read_;  // names that are read, not only called
  std::map<std::string, int> written_once_;  // 1 for a variable that is given one function and nothing else
};

}  // namespace shim::script
