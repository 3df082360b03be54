#include "guard/rules.h"

#include <torch/csrc/jit/ir/ir.h>

#include <unordered_map>

namespace shim {
namespace {

// Rules by names of operators without overloads, and by namespaces, which end in "::".
std::unordered_map<std::string, ts_rule_kind>& rules() {
  static auto& all = *new std::unordered_map<std::string, ts_rule_kind>();
  return all;
}

const ts_rule_kind* rule_of(const std::string& name) {
  const auto& all = rules();
  const auto end = name.find("::");
  for (const std::string& key : {name, end == std::string::npos ? name : name.substr(0, end + 2)}) {
    const auto found = all.find(key);
    if (found != all.end()) return &found->second;
  }
  return nullptr;
}

void check_block(const torch::jit::Block* block, bool allow_files, const char* whose) {
  for (const auto* node : block->nodes()) {
    const std::string name = node->kind().toQualString();
    if (const auto* rule = rule_of(name)) {
      TORCH_CHECK(*rule != TS_RULE_REFUSED, whose, " holds the operator `", name,
                  "`, which trusts its arguments: wrong ones would end the process");
      TORCH_CHECK(*rule != TS_RULE_FILES || allow_files, whose, " holds the operator `", name,
                  "`, which reaches files. `allow_files = TRUE` lets it");
    }
    for (const auto* inner : node->blocks()) check_block(inner, allow_files, whose);
    if (node->hasAttribute(c10::attr::Subgraph)) check_operators(*node->g(c10::attr::Subgraph), allow_files, whose);
  }
}

}  // namespace

bool may_name_prim(const std::string& name) {
  const auto* rule = rule_of("prim::" + name);
  return rule && *rule == TS_RULE_NAMED;
}

void check_operators(const torch::jit::Graph& graph, bool allow_files, const char* whose) {
  check_block(graph.block(), allow_files, whose);
}

}  // namespace shim

int ts_set_rules(const ts_rule* rules, size_t n) {
  return shim::guarded([&] {
    shim::rules().clear();
    for (size_t i = 0; i < n; ++i) shim::rules()[rules[i].operator_name] = rules[i].kind;
  });
}
