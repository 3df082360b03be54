// What a node `torchshim::fused` of a plan stands for: a part of a program that runs as machine code where it can.
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
  // Takes the arguments from the stack and leaves the results there. `into`: tensors that kernels write results into where
  // these have their sizes and strides; or NULL. Any thread.
  virtual void run(torch::jit::Stack& stack, const std::vector<at::Tensor>* into = nullptr) = 0;

  const std::shared_ptr<torch::jit::Graph>& graph() const { return graph_; }
  const std::string& name() const { return name_; }

  // Of the last call: why no kernel ran, or empty; how many kernels there are, and their sources.
  struct Report {
    std::string why, source;
    size_t kernels = 0;
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

// Why kernels can't read and write a tensor; null of one that is strided, on the CPU and of a usual dtype. And whether nothing
// is on, such as autocast, that changes what operators on such tensors do.
const char* why_not_plain(const at::Tensor& tensor);
bool is_plain_thread();

// Nodes of these kinds have a subgraph and a number; the second kind has effects, or may fail.
c10::Symbol fused();
c10::Symbol fused_with_effects();
// Makes what a node of `graph` stands for: `make` gets its name.
void settle(torch::jit::Node* node, const std::shared_ptr<torch::jit::Graph>& graph,
            const std::function<std::shared_ptr<Fused>(std::string)>& make);
// What a node stands for, or NULL.
std::shared_ptr<Fused> fused_of(const torch::jit::Node& node);

}  // namespace shim::fuse
