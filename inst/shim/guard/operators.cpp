#include "guard/operators.h"

namespace shim {

using torch::jit::Operator;

void replace_operator(c10::Symbol name, const Replacement& replacement) {
  const auto known = torch::jit::getAllOperatorsFor(name);
  std::vector<Operator> all;
  bool any = false;
  for (const auto& op : known) {
    auto run = replacement(*op);
    if (!run) {
      all.push_back(*op);
      continue;
    }
    any = true;
    const auto& schema = op->schema();
    if (op->isC10Op())
      all.emplace_back(c10::Dispatcher::singleton().findSchemaOrThrow(schema.name().c_str(), schema.overload_name().c_str()),
                       std::move(run));
    else
      all.emplace_back(toString(schema), std::move(run), op->aliasAnalysisKind());
  }
  if (!any) return;
  // All overloads are registered anew, in their old order: the compiler prefers those that were registered first.
  for (const auto& op : known) torch::jit::deregisterOperator(op->schema());
  for (auto& op : all) torch::jit::registerOperator(std::move(op));
}

}  // namespace shim
