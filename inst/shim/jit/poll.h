// Programs that can be stopped. What allocates looks for the host's wish to stop by itself; a loop over numbers does not,
// nor does what waits for a task, nor a task, which runs on a thread of LibTorch's.
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

// What is known of a function from one call to the next.
struct Polls {
  std::weak_ptr<torch::jit::Graph> graph;  // what was seen to at the last call
  bool none = false;                       // no graph at all
  bool tasks = false;                      // it may start tasks
};

// Sees to it that what LibTorch runs of the function looks for the wish to stop: in each loop, where it waits for a task,
// in tasks, and in what it calls through interfaces; and puts operators into groups that run as kernels, if the arguments
// are such. Before its first run. The graph that is shown and saved stays as it is.
void add_polls(torch::jit::Function& function, Polls& polls, const std::vector<c10::IValue>& arguments);

// The same for loops of a block that the caller runs himself.
void add_polls(torch::jit::Block* block);
// Throws HostStop if the program that runs on this thread is to stop.
void look_in_program();

// While one lives, what this thread starts is stopped when the host asks for it, on whatever thread it runs, and also when
// nobody waits for it any more.
class Tasks {
 public:
  Tasks();

 private:
  c10::DebugInfoGuard guard_;
};

// Until the task is done; it may be stopped.
void wait_for(c10::ivalue::Future& future);

// A node that does any of this, and a graph as text without these: they are nothing of the program.
bool is_poll(const torch::jit::Node& node);
std::string text_without_polls(const torch::jit::Graph& graph);

}  // namespace shim
