// A node `torchshim::fused` in a plan of LibTorch's stands for a Fused: a group of operators or a loop that runs as machine code
// where it can. Here is what both have in common, and the table from nodes to them.
#pragma once
#include <memory>
#include <mutex>
#include <string>

#include <ATen/core/Tensor.h>
#include <torch/csrc/jit/ir/ir.h>

namespace shim::fuse {

class Fused {
 public:
  virtual ~Fused() = default;
  // Takes the arguments from the stack and leaves the results there. `into`: memory for the results, which is used where sizes
  // and strides fit; NULL if there is none. May be called by any thread.
  virtual void run(torch::jit::Stack& stack, const std::vector<at::Tensor>* into = nullptr) = 0;

  const std::shared_ptr<torch::jit::Graph>& graph() const { return graph_; }
  const std::string& name() const { return name_; }

  // About the last call: the reason why no kernel ran, or ""; how many kernels there are; their sources; how many operations of
  // floating point they take.
  struct Report {
    std::string why, source;
    size_t kernels = 0;
    double operations = 0;
  };
  Report report() {
    const std::lock_guard<std::mutex> hold(lock_);
    return report_;
  }

 protected:
  Fused(std::shared_ptr<torch::jit::Graph> graph, std::string name) : graph_(std::move(graph)), name_(std::move(name)) {}

  std::shared_ptr<torch::jit::Graph> graph_;
  std::string name_;
  std::mutex lock_;
  Report report_;
};

// Why kernels can't read and write a tensor; NULL if they can: it is strided, on the CPU and of a usual dtype. The second asks
// whether nothing is on that changes what operators do, such as autocast.
const char* why_not_plain(const at::Tensor& tensor);
bool is_plain_thread();

// The two kinds of nodes. Both have a subgraph and a number; the second kind has effects or may fail, so that LibTorch neither
// moves nor removes it.
c10::Symbol fused();
c10::Symbol fused_with_effects();
// Calls `make` with a name for the node, and keeps what it gives for as long as `graph` lives.
void settle(torch::jit::Node* node, const std::shared_ptr<torch::jit::Graph>& graph,
            const std::function<std::shared_ptr<Fused>(std::string)>& make);
// What a node stands for. NULL for all other nodes.
std::shared_ptr<Fused> fused_of(const torch::jit::Node& node);

}  // namespace shim::fuse
