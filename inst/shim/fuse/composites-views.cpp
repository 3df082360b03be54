// What shows memory in another way, as expressions: views, parts of tensors, and tensors that are put side by side.
#include <ATen/Functions.h>
#include <numeric>

#include "fuse/fused.h"
#include "fuse/translator.h"

namespace shim::fuse {

using torch::jit::Node;

namespace {

bool adds(const Node& node) { return node.kind() == c10::aten::addmm || node.kind() == c10::aten::baddbmm; }
bool multiplies(const Node& node) {
  const Composite* composite = composite_of(node.kind());
  return composite && composite->is(multiplied);
}
// Whether all that read a value multiply it as a matrix.
bool is_multiplied(const torch::jit::Value* value) {
  for (const auto& use : value->uses()) {
    if (use.user->kind() == fused()) {
      if (!is_multiplied(use.user->g(c10::attr::Subgraph)->inputs()[use.offset])) return false;
    } else if (!multiplies(*use.user) || (use.user->kind() == c10::aten::linear ? use.offset == 2 : adds(*use.user) && use.offset == 0)) {
      return false;
    }
  }
  return true;
}

size_t place_of(const c10::IValue& dim, int64_t rank) { return static_cast<size_t>(dim.toInt() < 0 ? dim.toInt() + rank : dim.toInt()); }

}  // namespace

Id Translator::expand(Node* node, const at::Tensor& out) { return b_.expanded(arg(node, 0), out.sizes().vec()); }

Id Translator::pack(Node* node, const at::Tensor& out) { return b_.view(needed(node), {}, out.sizes().vec(), true); }

// Where only products read a matrix, these exchange its dimensions.
Id Translator::permute(Node* node, const at::Tensor& out) {
  const int64_t rank = out.dim();
  std::vector<int64_t> order(static_cast<size_t>(rank));
  std::iota(order.begin(), order.end(), 0);
  if (constant(node, 1).isIntList()) {
    const auto dims = constant(node, 1).toIntVector();
    for (size_t d = 0; d < dims.size(); ++d) order[d] = dims[d] < 0 ? dims[d] + rank : dims[d];
  } else if (node->inputs().size() == 3) {
    std::swap(order[place_of(constant(node, 1), rank)], order[place_of(constant(node, 2), rank)]);
  } else if (rank == 2) {
    std::swap(order[0], order[1]);
  }
  std::vector<int64_t> same(order.size());
  std::iota(same.begin(), same.end(), 0);
  if (order == same) return arg(node, 0);
  std::swap(same[same.size() - 1], same[same.size() - 2]);
  if (order == same && is_multiplied(node->output())) {
    const auto twice = turned_.find(node->input(0));
    if (twice != turned_.end()) return twice->second;
    turned_[node->output()] = arg(node, 0);
    return -1;
  }
  return b_.view(needed(node), std::move(order), out.sizes().vec());
}

Id Translator::reshape(Node* node, const at::Tensor& out) {
  // A dimension of size 1 at the end of what was reduced stands for the one that is gone.
  const auto open = open_.find(arg(node, 0));
  if (open != open_.end() && b_.at(open->second).shape == out.sizes().vec()) return open->second;
  return b_.view(needed(node), {}, out.sizes().vec());
}

Id Translator::whole(const Node* node) {
  const Id id = needed(node);
  Sizes sizes = probed(node->input(0)).sizes().vec();
  return b_.at(id).shape == sizes && !b_.at(id).closed ? id : b_.view(id, {}, std::move(sizes));
}

Id Translator::select(Node* node, const at::Tensor& out) {
  const at::Tensor from = probed(node->input(0));
  const size_t dim = place_of(constant(node, 1), from.dim());
  Cut cut{static_cast<int64_t>(dim), constant(node, 2).toInt()};
  if (cut.start < 0) cut.start += from.size(cut.dim);
  Sizes one = from.sizes().vec();
  one[dim] = 1;
  return b_.view(b_.part(whole(node), cut, std::move(one)), {}, out.sizes().vec());
}

// slice: from, to, step. narrow: from, size.
Id Translator::slice(Node* node, const at::Tensor& out) {
  if (out.numel() == 0) throw Unfusable{"nothing is left"};
  const at::Tensor from = probed(node->input(0));
  if (!constant(node, 1).isInt()) throw Unfusable{"its dimension is no number"};
  Cut cut{static_cast<int64_t>(place_of(constant(node, 1), from.dim()))};
  const c10::IValue start = constant(node, 2), step = constant(node, 4);
  if (!(start.isInt() || start.isNone())) throw Unfusable{"its beginning is no number"};
  const int64_t size = from.size(cut.dim);
  if (start.isInt()) cut.start = std::clamp<int64_t>(start.toInt() < 0 ? start.toInt() + size : start.toInt(), 0, size);
  if (step.isInt()) cut.step = step.toInt();
  if (out.sizes() == from.sizes()) return whole(node);
  return b_.part(whole(node), cut, out.sizes().vec());
}

void Translator::unpack(Node* node) {
  const Node* maker = node->input()->node();
  const auto list = probe_.at(node->input()).toTensorVector();
  if (list.size() != node->outputs().size()) throw Unfusable{"it has another number of parts"};
  const at::Tensor from = probed(maker->input(0));
  const bool one_each = maker->kind() == c10::aten::unbind;
  Cut cut{static_cast<int64_t>(place_of(constant(maker, one_each ? 1 : 2), from.dim()))};
  for (size_t i = 0; i < list.size(); ++i) {
    Sizes sizes = list[i].sizes().vec();
    if (one_each) sizes.insert(sizes.begin() + cut.dim, 1);
    const int64_t n = sizes[static_cast<size_t>(cut.dim)];
    if (n == 0) throw Unfusable{"nothing is left"};
    const torch::jit::Value* output = node->outputs()[i];
    probe_[output] = list[i];
    if (output->hasUses()) {
      const Id id = b_.part(whole(maker), cut, std::move(sizes));
      id_[output] = one_each ? b_.view(id, {}, list[i].sizes().vec()) : id;
    }
    cut.start += n;
  }
}

Id Translator::cat(Node* node, const at::Tensor& out) {
  const bool stacks = node->kind() == c10::aten::stack;
  const int64_t dim = static_cast<int64_t>(place_of(constant(node, 1), out.dim()));
  std::vector<Id> parts;
  std::vector<Cut> cuts;
  int64_t start = 0;
  for (const torch::jit::Value* value : node->input(0)->node()->inputs()) {
    const auto known = id_.find(value);
    if (known == id_.end()) throw Unfusable{"an argument that it needs is missing"};
    Sizes sizes = probed(value).sizes().vec();
    if (stacks) sizes.insert(sizes.begin() + dim, 1);
    if (static_cast<int64_t>(sizes.size()) != out.dim()) throw Unfusable{"it skips what is empty"};
    cuts.push_back({dim, start});
    start += sizes[static_cast<size_t>(dim)];
    const Id part = cast(known->second, out.scalar_type());
    parts.push_back(b_.at(part).shape == sizes && !b_.at(part).closed ? part : b_.view(part, {}, std::move(sizes)));
  }
  return b_.joined(parts, std::move(cuts), out.sizes().vec(), false);
}

// The first argument, as a value that may lie in memory.
Id Translator::needed(const Node* node) const {
  const Id id = arg(node, 0);
  if (id < 0) throw Unfusable{"an argument that it needs is missing"};
  return id;
}

}  // namespace shim::fuse
