#include "train/work.h"

#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

namespace shim {
namespace {

using torch::jit::Graph;
using torch::jit::Node;
using torch::jit::Value;

// Thrown if a tape can't become a graph, or the graph would not do the same. The tape then runs as it is.
struct Ungraphable {};

// Makes a graph of a tape for the fuser, and work of what the fuser made of it.
class Fuser {
 public:
  Fuser(const ts_tape& tape, const std::vector<at::Tensor>& recorded)
      : tape_(tape), recorded_(recorded), graph_(std::make_shared<Graph>()), values_(tape.n_registers, nullptr) {
    for (size_t i = 0; i < tape.n_inputs; ++i) name(graph_->addInput(), static_cast<int>(i));
    for (const Instruction& it : tape.code) add(it);
    for (const Argument& result : tape.results)
      if (result.kind == Argument::tensor) graph_->registerOutput(of_register(result.from[0]));
  }

  std::vector<Work> work() {
    fuse::form_groups(graph_, "step", fuse::Products::join);
    std::vector<Work> out;
    std::vector<size_t> random;
    std::vector<bool> done(tape_.code.size(), false);
    for (const Node* node : graph_->nodes()) {
      if (auto group = fuse::fused_of(*node)) {
        for (const Node* inner : group->graph()->nodes()) {
          const int at = instruction_of(inner);
          if (at >= 0) done[static_cast<size_t>(at)] = true;
        }
        Work work{nullptr, std::move(group), {}, {}};
        for (const Value* input : node->inputs()) work.arguments.push_back(argument_of(input));
        for (const Value* output : node->outputs()) work.results.push_back(register_of(output));
        out.push_back(std::move(work));
        continue;
      }
      const int found = instruction_of(node);
      if (found < 0) continue;
      const auto at = static_cast<size_t>(found);
      done[at] = true;
      out.push_back({&tape_.code[at], nullptr, {}, {}});
      if (is_random(tape_.code[at])) random.push_back(at);
    }
    // The fuser may drop an operator whose result nobody reads, but not one that draws random numbers or writes. Random
    // numbers must be drawn in the recorded order.
    for (size_t i = 0; i < done.size(); ++i)
      if (!done[i] && (is_random(tape_.code[i]) || tape_.code[i].op.schema().is_mutable())) throw Ungraphable();
    if (!std::is_sorted(random.begin(), random.end())) throw Ungraphable();
    return out;
  }

 private:
  void name(Value* value, int at) {
    const at::Tensor& tensor = recorded_[static_cast<size_t>(at)];
    value->setType(c10::TensorType::create(tensor));
    value->setDebugName("r" + std::to_string(at));
    if (!values_[static_cast<size_t>(at)]) values_[static_cast<size_t>(at)] = value;
  }
  Value* of_register(int at) const {
    Value* value = values_[static_cast<size_t>(at)];
    if (!value) throw Ungraphable();
    return value;
  }
  // The register of a value is known by its name: a group's results keep the names of the values that they replace.
  static int register_of(const Value* value) {
    const std::string name = value->debugName();
    if (name.size() < 2 || name[0] != 'r') throw Ungraphable();
    return std::stoi(name.substr(1));
  }

  static bool is_random(const Instruction& it) { return it.op.hasTag(at::Tag::nondeterministic_seeded); }

  // The number of the instruction that a node stands for, or -1. It is an attribute, which copies of nodes keep.
  static c10::Symbol instruction() { return c10::Symbol::attr("instruction"); }
  static int instruction_of(const Node* node) {
    return node->hasAttribute(instruction()) ? static_cast<int>(node->i(instruction())) : -1;
  }

  Value* outside(const Argument& argument, const c10::TypePtr& type) {
    Value* value = graph_->addInput();
    value->setType(type);
    outside_.emplace(value, argument);
    return value;
  }

  Value* constant(const c10::IValue& it, const c10::TypePtr& type) {
    if (it.isTensor()) {
      const at::Tensor& tensor = it.toTensor();
      if (!tensor.defined()) return graph_->insertConstant(c10::IValue());
      return outside({Argument::constant, it, {}}, c10::TensorType::create(tensor));
    }
    if (const auto value = torch::jit::tryInsertConstant(*graph_, it)) return *value;
    return outside({Argument::constant, it, {}}, type);
  }

  Value* list(const Argument& it, const c10::TypePtr& type) {
    const auto element = type->expectRef<c10::ListType>().getElementType();
    std::vector<Value*> values;
    const auto items = it.value.toListRef();
    for (size_t i = 0; i < it.from.size(); ++i)
      values.push_back(it.from[i] >= 0 ? of_register(it.from[i]) : constant(items[i], element));
    return graph_->insertNode(graph_->createList(element, values))->output();
  }

  Value* read(const Argument& it, const c10::TypePtr& type, bool first) {
    switch (it.kind) {
      case Argument::tensor: return of_register(it.from[0]);
      case Argument::tensors: return list(it, type);
      case Argument::number: return outside(it, c10::FloatType::get());
      case Argument::numbers: return outside(it, type);
      // A number follows other rules of type promotion than a tensor: operators have forms for numbers.
      case Argument::wrapped_number:
        return first ? outside(it, c10::TensorType::create(it.value.toTensor()))
                     : outside({Argument::number, {}, it.from}, c10::FloatType::get());
      case Argument::constant:
        if (!first && it.value.isTensor() && it.value.toTensor().defined() &&
            it.value.toTensor().unsafeGetTensorImpl()->is_wrapped_number())
          return graph_->insertConstant(it.value.toTensor().item());
        return constant(it.value, type);
    }
    throw Ungraphable();
  }

  void add(const Instruction& it) {
    const auto& schema = it.op.schema();
    std::vector<Value*> inputs;
    for (size_t i = 0; i < it.arguments.size(); ++i) inputs.push_back(read(it.arguments[i], schema.arguments()[i].type(), i == 0));
    Node* node = graph_->insertNode(graph_->create(c10::Symbol::fromQualString(schema.name()), inputs, schema.returns().size()));
    size_t n = 0;
    for (size_t i = 0; i < schema.returns().size(); ++i) {
      const auto& type = schema.returns()[i].type();
      node->output(i)->setType(type);
      // Only the recording knows how many tensors a list holds, and only if the list is the operator's single result.
      if (type->kind() == c10::TypeKind::ListType) {
        if (schema.returns().size() > 1) throw Ungraphable();
        Node* parts = graph_->insertNode(graph_->createListUnpack(node->output(), it.results.size()));
        for (size_t k = 0; k < it.results.size(); ++k)
          if (it.results[k] >= 0) name(parts->output(k), it.results[k]);
      } else if (type->kind() == c10::TypeKind::TensorType) {
        if (n < it.results.size() && it.results[n] >= 0 && !values_[static_cast<size_t>(it.results[n])])
          name(node->output(i), it.results[n]);
        ++n;
      } else {
        throw Ungraphable();
      }
    }
    if (!node->maybeSchema()) throw Ungraphable();
    node->i_(instruction(), &it - tape_.code.data());
  }

  Argument argument_of(const Value* value) const {
    if (const auto it = torch::jit::toIValue(value)) return {Argument::constant, *it, {}};
    const auto known = outside_.find(value);
    if (known != outside_.end()) return known->second;
    return {Argument::tensor, {}, {register_of(value)}};
  }

  const ts_tape& tape_;
  const std::vector<at::Tensor>& recorded_;
  std::shared_ptr<Graph> graph_;
  std::vector<Value*> values_;  // the value in each register
  std::unordered_map<const Value*, Argument> outside_;
};

}  // namespace

std::vector<Work> work_of(const ts_tape& tape, const std::vector<at::Tensor>& recorded) {
  const bool on_cpu = std::all_of(recorded.begin(), recorded.end(), [](const at::Tensor& it) { return it.is_cpu(); });
  if (fuse::mode() != fuse::Mode::off && on_cpu) {
    try {
      return Fuser(tape, recorded).work();
    } catch (const Ungraphable&) {
    }
  }
  std::vector<Work> out;
  for (const Instruction& it : tape.code) out.push_back({&it, nullptr, {}, {}});
  return out;
}

}  // namespace shim
