// What became of a callable's operators, for those who want to know.
#include "core/callable.h"
#include "fuse/formulas.h"
#include "fuse/fused.h"
#include "fuse/translator.h"

#include <torch/csrc/jit/api/function_impl.h>

#include <sstream>

namespace shim::fuse {
namespace {

using torch::jit::Block;
using torch::jit::Node;

void gather(Block* block, std::vector<Node*>& found) {
  for (Node* node : block->nodes()) {
    found.push_back(node);
    for (Block* inner : node->blocks()) gather(inner, found);
  }
}

c10::IValue groups_of(const ts_callable& callable) {
  c10::impl::GenericList out(c10::AnyType::get());
  auto* function = callable.function ? torch::jit::tryToGraphFunction(*callable.function) : nullptr;
  if (!function) return out;
  std::vector<Node*> nodes;
  gather(function->optimized_graph()->block(), nodes);
  for (const Node* node : nodes) {
    const auto group = fused_of(*node);
    if (!group) continue;
    c10::List<std::string> operators;
    std::vector<Node*> inside;
    gather(group->graph()->block(), inside);
    for (const Node* inner : inside)
      if (inner->kind() != c10::prim::Constant) operators.push_back(inner->kind().toQualString());
    std::ostringstream text;
    text << *group->graph();
    const Fused::Report report = group->report();
    out.push_back(c10::ivalue::Tuple::create({operators, text.str(), report.why, static_cast<int64_t>(report.kernels),
                                                report.source, group->name(), report.operations}));
  }
  return out;
}

std::string reason_of(const std::string& kind) {
  const auto symbol = c10::Symbol::fromQualString(kind);
  if (!symbol.is_aten()) return "";
  if (kind.size() > 2 && kind.back() == '_' && kind[kind.size() - 2] != '_') return "it writes into its argument";
  const Composite* const composite = composite_of(symbol);
  if (gives_parts(symbol) || (composite && composite->is(inside)))
    return "it only shows memory in another way";
  if (has_kernel(symbol)) return "";
  return "kernels do not compute it";
}

}  // namespace
}  // namespace shim::fuse

int ts_fuser_groups(const ts_callable* callable, ts_value* out, ts_arena** arena) {
  return shim::guarded_result(out, arena, [&](ts_value& value, shim::Arena& own) {
    shim::from_ivalue(shim::fuse::groups_of(*callable), value, own);
  });
}

int ts_fuser_reason(const char* kind, ts_value* out, ts_arena** arena) {
  return shim::guarded_result(out, arena, [&](ts_value& value, shim::Arena& own) {
    value = shim::string_value(shim::fuse::reason_of(kind), own);
  });
}
