// Nodes of the graph of gradients. How LibTorch counts references to them depends on its version.
#pragma once
#include "core/pch.h"

#include <torch/csrc/autograd/function.h>

namespace shim {

using NodePtr = decltype(torch::autograd::Edge::function);

template <class T>
NodePtr pointer_to(T& node) {
  if constexpr (requires { node.getptr(); })
    return node.getptr();
  else
    return node.shared_from_this();
}

template <class T, class... Arguments>
auto new_node(Arguments&&... arguments) {
  if constexpr (std::is_same_v<NodePtr, std::shared_ptr<torch::autograd::Node>>)
    // deleteNode() is LibTorch's own way, which frees a long graph without recursion. It is found by the type of its
    // argument.
    return std::shared_ptr<T>(new T(std::forward<Arguments>(arguments)...), [](auto* node) { deleteNode(node); });
  else
    return c10::make_intrusive<T>(std::forward<Arguments>(arguments)...);
}

}  // namespace shim

struct ts_node {
  shim::NodePtr node;
};
