// How deeply programs are nested. LibTorch compiles, inlines, prints and writes programs by recursion: calls, classes
// and values that are nested deeply enough overflow the stack and end the process.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <unordered_map>
#include <utility>
#include <vector>

namespace torch::jit {
struct CompilationUnit;
}

namespace shim {

// The most levels of calls, and of classes that hold each other. A stack of 8 MB was seen to carry three times as many.
constexpr int kMostLevels = 1000;

// Counts the levels of a directed graph below a node, without recursion. An edge back to a node on the way closes a
// circle, and adds no level.
template <class Node>
class Levels {
 public:
  struct Edge {
    Node to;
    int weight = 1;
  };
  // Gives the edges of a node. Its second argument, which is 1 at first, takes the levels that the node has without
  // them.
  using Edges = std::function<std::vector<Edge>(const Node&, int64_t&)>;

  explicit Levels(Edges edges) : edges_(std::move(edges)) {}

  int64_t of(const Node& start) {
    if (!known_.count(start)) enter(start);
    while (!way_.empty()) {
      Open& top = way_.back();
      if (top.edges.empty()) {
        known_[top.node] = top.levels;
        way_.pop_back();
        continue;
      }
      const Edge edge = top.edges.back();
      const auto known = known_.find(edge.to);
      if (known == known_.end()) {
        enter(edge.to);
        continue;
      }
      top.levels = std::max(top.levels, edge.weight + known->second);
      top.edges.pop_back();
    }
    return known_[start];
  }

 private:
  struct Open {
    Node node;
    std::vector<Edge> edges;
    int64_t levels = 1;
  };
  void enter(const Node& node) {
    known_[node] = 0;
    Open open{node, {}, 1};
    open.edges = edges_(node, open.levels);
    way_.push_back(std::move(open));
  }

  Edges edges_;
  std::unordered_map<Node, int64_t> known_;
  std::vector<Open> way_;
};

// Throws if calls and blocks of the unit's functions are nested so deeply that inlining, running or saving them would
// overflow an ordinary stack. `whose` begins the message: "its", "The source's".
void check_calls(const torch::jit::CompilationUnit& unit, const char* whose);

}  // namespace shim
