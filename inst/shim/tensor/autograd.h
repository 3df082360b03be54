// Nodes of the gradients' graph: LibTorch counts references to them in one way or another by its version.
#pragma once
#include "core/pch.h"

namespace shim {
using NodePtr = decltype(torch::autograd::Edge::function);
}

struct ts_node {
  shim::NodePtr node;
};
