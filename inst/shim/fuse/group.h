// A group of operators that runs as kernels, and the entry that puts a graph's operators into groups.
#pragma once
#include "fuse/fused.h"
#include "fuse/launch.h"

#include <map>
#include <unordered_map>

namespace shim::fuse {

// A node of the kind `torchshim::fused`, whose subgraph is the group's, in a plan of LibTorch's. What becomes of a call is
// decided when it comes, by its arguments: kernels run for plain tensors on the CPU, LibTorch's operators for all else, and
// while kernels are being compiled. Any thread.
class Group : public Fused, public std::enable_shared_from_this<Group> {
 public:
  // function: what messages call the function that the group is a part of.
  Group(std::shared_ptr<torch::jit::Graph> graph, std::string name, const std::string& function, bool exact);

  void run(torch::jit::Stack& stack, const std::vector<at::Tensor>* into = nullptr) override;
  // Runs the group by LibTorch's operators alone.
  void run_plainly(torch::jit::Stack& stack) const;

 private:
  friend struct Gradient;
  using Key = std::vector<int64_t>;
  struct KeyHash {
    size_t operator()(const Key& key) const;
  };
  // The kernels for arguments of certain dtypes, sizes and strides.
  struct Entry {
    std::shared_ptr<Plan> forward;
    std::string why;  // the reason if there is no plan
    // The plans of the gradients, by which arguments want one and which results have none: a bit each.
    struct Backward {
      std::shared_ptr<const Program> program;
      std::string why;
      std::unordered_map<Key, std::shared_ptr<Plan>, KeyHash> plans;  // by the gradients' strides
    };
    std::map<std::pair<uint64_t, uint64_t>, Backward> backward;
    std::vector<Argument> probe;
    Real real;
    std::vector<Place> places;
    // What the plan of gradients gets beside the arguments: results and products as they were computed.
    std::vector<Place> made_places() const;
  };

  // The reason why a call can't run as kernels; NULL if it can, with its key.
  const char* why_not(const torch::jit::Stack& stack, size_t first, Key& key, bool& wants_gradient, uint64_t& wanted) const;
  std::shared_ptr<Entry> entry(const Key& key, const torch::jit::Stack& stack, size_t first);
  Entry::Backward& backward(Entry& entry, uint64_t wanted, uint64_t missing = 0);
  std::shared_ptr<Plan> backward_plan(Entry& entry, Entry::Backward& backward, const std::vector<Place>& more);

  bool exact_;
  torch::jit::Code code_;
  std::unordered_map<Key, std::shared_ptr<Entry>, KeyHash> entries_;
  // Programs by dtypes and by which sizes are equal; if the graph has sizes as numbers, by the sizes themselves.
  std::unordered_map<Key, std::shared_ptr<const Program>, KeyHash> programs_;
  bool asks_for_sizes_ = false, reshapes_ = false;
  std::shared_ptr<const Entry> told_;  // of the call that the report is about
};

// Whether the fuser is on and nothing among the arguments of a program, modules included, is on a GPU, where LibTorch's own
// fuser is at home.
bool may_fuse(const torch::jit::Stack& arguments);
// What becomes of products of matrices: they join groups; or those of linear layers are taken apart, so that a group gets the
// bias; or they stay as they are.
enum class Products { join, split, stay };
// Puts operators of a graph, which LibTorch has not made a plan of yet, into groups; and before that, its loops.
// function: what messages call the graph.
void form_groups(const std::shared_ptr<torch::jit::Graph>& graph, const std::string& function, Products products);
void form_groups_and_loops(const std::shared_ptr<torch::jit::Graph>& graph, const std::string& function);

}  // namespace shim::fuse
