// Integer division. On x86 processors two kinds of operands raise a signal that ends the process: a divisor of 0, and
// the smallest integer divided by -1. LibTorch's operators on tensors check for the first kind only, those on
// TorchScript's numbers for neither. All of them are replaced by operators that check. This serves programs, constants
// that are folded while text is compiled, and derivatives.
#include "guard/division.h"

#include <ATen/CPUFunctions.h>
#include <torch/library.h>

#include <limits>

#include "guard/operators.h"

namespace shim {
namespace {

// --- tensors ---------------------------------------------------------------------------------------------------------

struct Found {
  bool zero = false, minus_one = false;
};

template <class T>
Found look_at(const at::Tensor& divisor) {
  const at::Tensor flat = divisor.contiguous();
  const T* values = static_cast<const T*>(flat.data_ptr());
  Found found;
  for (int64_t i = 0; i < flat.numel(); ++i) {
    found.zero |= values[i] == T(0);
    found.minus_one |= values[i] == T(-1);
  }
  return found;
}

Found look_at(const at::Tensor& divisor) {
  switch (divisor.scalar_type()) {
    case at::kByte: return look_at<uint8_t>(divisor);
    case at::kChar: return look_at<int8_t>(divisor);
    case at::kShort: return look_at<int16_t>(divisor);
    case at::kInt: return look_at<int32_t>(divisor);
    case at::kLong: return look_at<int64_t>(divisor);
    default: return {};
  }
}

constexpr const char* kByZero = "an integer can't be divided by 0";

// A safe divisor: `other`, with 1 in place of each -1 by which the smallest integer would be divided. The quotient is
// then that integer again, as on other processors, and the remainder is 0.
at::Tensor divisor(const at::Tensor& self, const at::Tensor& other) {
  if (!at::isIntegralType(self.scalar_type(), /*includeBool=*/true) || self.numel() == 0) return other;
  const Found found = look_at(other);
  TORCH_CHECK(!found.zero, kByZero);
  if (!found.minus_one) return other;
  const at::ScalarType type = at::result_type(self, other);
  if (type != at::kInt && type != at::kLong) return other;
  const at::Scalar smallest =
      type == at::kInt ? int64_t{std::numeric_limits<int32_t>::min()} : std::numeric_limits<int64_t>::min();
  const at::Tensor is_smallest = self.to(type).eq(smallest);
  if (!is_smallest.any().item<bool>()) return other;
  const at::Tensor by = other.to(type);
  return at::where(is_smallest.logical_and(by.eq(-1)), at::ones_like(by), by);
}

// The type of a rounding mode has different names in versions of LibTorch.
template <class R, class A, class B, class C>
C third(R (*)(A, B, C));
using Rounding = decltype(third(static_cast<at::_ops::div_Tensor_mode::schema*>(nullptr)));

at::Tensor div(const at::Tensor& self, const at::Tensor& other, Rounding mode) {
  return at::cpu::div(self, mode ? divisor(self, other) : other, mode);
}
at::Tensor& div_(at::Tensor& self, const at::Tensor& other, Rounding mode) {
  return at::cpu::div_(self, mode ? divisor(self, other) : other, mode);
}
at::Tensor& div_out(const at::Tensor& self, const at::Tensor& other, Rounding mode, at::Tensor& out) {
  return at::cpu::div_outf(self, mode ? divisor(self, other) : other, mode, out);
}

#define SHIM_DIVISION(name)                                                                        \
  at::Tensor name(const at::Tensor& self, const at::Tensor& other) {                               \
    return at::cpu::name(self, divisor(self, other));                                              \
  }                                                                                                \
  at::Tensor& name##_(at::Tensor& self, const at::Tensor& other) {                                 \
    return at::cpu::name##_(self, divisor(self, other));                                           \
  }                                                                                                \
  at::Tensor& name##_out(const at::Tensor& self, const at::Tensor& other, at::Tensor& out) {       \
    return at::cpu::name##_outf(self, divisor(self, other), out);                                  \
  }
SHIM_DIVISION(floor_divide)
SHIM_DIVISION(remainder)
SHIM_DIVISION(fmod)
#undef SHIM_DIVISION

void replace_on_tensors() {
  // The registration lasts as long as this object, which is never destroyed.
  auto& library = *new torch::Library(torch::Library::IMPL, "aten", c10::DispatchKey::CPU, __FILE__, __LINE__);
  library.impl("div.Tensor_mode", TORCH_FN(div));
  library.impl("div_.Tensor_mode", TORCH_FN(div_));
  library.impl("div.out_mode", TORCH_FN(div_out));
  library.impl("floor_divide", TORCH_FN(floor_divide));
  library.impl("floor_divide_.Tensor", TORCH_FN(floor_divide_));
  library.impl("floor_divide.out", TORCH_FN(floor_divide_out));
  library.impl("remainder.Tensor", TORCH_FN(remainder));
  library.impl("remainder_.Tensor", TORCH_FN(remainder_));
  library.impl("remainder.Tensor_out", TORCH_FN(remainder_out));
  library.impl("fmod.Tensor", TORCH_FN(fmod));
  library.impl("fmod_.Tensor", TORCH_FN(fmod_));
  library.impl("fmod.Tensor_out", TORCH_FN(fmod_out));
}

// --- numbers of TorchScript ------------------------------------------------------------------------------------------

void check_operands(torch::jit::Stack& stack) {
  const c10::IValue& dividend = stack[stack.size() - 2];
  c10::IValue& divisor = stack.back();
  if (!dividend.isInt() || !divisor.isInt()) return;
  TORCH_CHECK(divisor.toInt() != 0, kByZero);
  // Dividing by 1 gives the same quotient as on other processors, and no remainder.
  if (divisor.toInt() == -1 && dividend.toInt() == std::numeric_limits<int64_t>::min()) divisor = int64_t{1};
}

// gcd() divides one number by the other. A sign makes no difference to the result, so -1 becomes 1.
void check_gcd(torch::jit::Stack& stack) {
  for (size_t i = stack.size() - 2; i < stack.size(); ++i)
    if (stack[i].toInt() == -1) stack[i] = int64_t{1};
}

void replace_on_numbers(const char* name, void (*check)(torch::jit::Stack&)) {
  replace_operator(c10::Symbol::fromQualString(name), [check](const torch::jit::Operator& op) -> torch::jit::Operation {
    if (op.isC10Op()) return nullptr;
    return [check, run = op.getOperation()](torch::jit::Stack& stack) mutable {
      check(stack);
      run(stack);
    };
  });
}

}  // namespace

void replace_divisions() {
  replace_on_tensors();
  for (const char* name : {"aten::floordiv", "aten::remainder", "aten::divmod", "aten::__round_to_zero_floordiv"})
    replace_on_numbers(name, check_operands);
  replace_on_numbers("aten::gcd", check_gcd);
}

}  // namespace shim
