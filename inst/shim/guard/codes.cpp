#include "guard/codes.h"

#include <torch/csrc/jit/ir/constants.h>
#include <torch/csrc/jit/ir/ir.h>

namespace shim {
namespace {

struct Kind {
  const char* what;
  int64_t end;
};

template <class T>
constexpr int64_t number(T value) {
  return static_cast<int64_t>(value);
}

const Kind kDtype{"dtype", number(at::ScalarType::NumOptions)}, kLayout{"layout", number(at::Layout::NumOptions)},
    kMemoryFormat{"memory format", number(at::MemoryFormat::NumOptions)},
    kScheme{"quantisation scheme", c10::COMPILE_TIME_NUM_QSCHEMES};

const Kind* kind_of(const c10::Argument& argument) {
  auto type = argument.real_type();
  if (type->kind() == c10::TypeKind::OptionalType) type = type->containedTypes()[0];
  switch (type->kind()) {
    case c10::TypeKind::ScalarTypeType: return &kDtype;
    case c10::TypeKind::LayoutType: return &kLayout;
    case c10::TypeKind::MemoryFormatType: return &kMemoryFormat;
    case c10::TypeKind::QSchemeType: return &kScheme;
    // In operators that only TorchScript has, a dtype is an int.
    case c10::TypeKind::IntType: return argument.name() == "dtype" ? &kDtype : nullptr;
    default: return nullptr;
  }
}

void check_block(const torch::jit::Block* block) {
  for (const auto* node : block->nodes()) {
    for (const auto* inner : node->blocks()) check_block(inner);
    if (node->hasAttribute(c10::attr::Subgraph)) check_block(node->g(c10::attr::Subgraph)->block());
    if (const auto* schema = node->maybeSchema())
      if (const Codes codes(*schema); !codes.empty()) codes.check(*node);
  }
}

}  // namespace

Codes::Codes(const c10::FunctionSchema& schema) : n_arguments_(schema.arguments().size()) {
  for (size_t i = 0; i < n_arguments_; ++i) {
    const auto& argument = schema.arguments()[i];
    if (const auto* kind = kind_of(argument)) all_.push_back({i, argument.name(), kind->what, kind->end});
  }
}

void Codes::Code::check(const c10::IValue& value) const {
  if (!value.isInt()) return;
  TORCH_CHECK(value.toInt() >= 0 && value.toInt() < end, "`", name, "` is ", value.toInt(), ", which is no ", what);
}

void Codes::check(const torch::jit::Stack& stack) const {
  for (const auto& code : all_) code.check(stack[stack.size() - n_arguments_ + code.argument]);
}

void Codes::check(const torch::jit::Node& node) const {
  for (const auto& code : all_) {
    if (code.argument >= node.inputs().size()) return;
    if (const auto value = torch::jit::toIValue(node.input(code.argument))) code.check(*value);
  }
}

void check_codes(const torch::jit::Graph& graph) { check_block(graph.block()); }

}  // namespace shim
