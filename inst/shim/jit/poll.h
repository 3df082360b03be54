// Programs that can be stopped. Code that allocates looks for the host's wish to stop by itself. Three things do not:
// loops over numbers, waiting for a task, and tasks, which run on threads of LibTorch's. These are given nodes that
// look.
#pragma once
#include <memory>
#include <string>

#include "core/stop.h"

#include <ATen/core/ivalue.h>
#include <c10/util/ThreadLocalDebugInfo.h>

namespace torch::jit {
struct Block;
struct Function;
struct Graph;
struct Node;
}

namespace shim {

// What add_polls() remembers of a function from one call to the next.
struct Polls {
  std::weak_ptr<torch::jit::Graph> graph;  // the graph that got its polls at the last call
  bool none = false;                       // the function has no graph
  bool tasks = false;                      // it may start tasks
};

// Makes the function look for the host's wish to stop: in each loop, where it waits for a task, in tasks, and in
// methods of interfaces. It also forms groups of operators that run as kernels, if the arguments allow that. To be
// called before each run. It changes the optimised graph that LibTorch runs; the graph that is shown and saved stays as
// it is.
void add_polls(torch::jit::Function& function, Polls& polls, const std::vector<c10::IValue>& arguments);

// Does the same to the loops of a block that the caller runs itself.
void add_polls(torch::jit::Block* block);
// Throws HostStop if the program that runs on this thread is to stop. May be called on any thread.
void look_in_program();

// While an object of this class lives, tasks that this thread starts can be stopped: when the host asks for it, they
// end on whatever thread they run, also when nobody waits for them any more.
class Tasks {
 public:
  Tasks();

 private:
  c10::DebugInfoGuard guard_;
};

// Waits until a task is done. The host may stop the waiting.
void wait_for(c10::ivalue::Future& future);

// Whether a node is one of those above, and the text of a graph without them: they are no part of the user's program.
bool is_poll(const torch::jit::Node& node);
std::string text_without_polls(const torch::jit::Graph& graph);

}  // namespace shim
