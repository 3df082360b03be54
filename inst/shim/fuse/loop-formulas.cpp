#include "fuse/loop-formulas.h"

#include <cstring>
#include <unordered_map>

#include "fuse/loop.h"

namespace shim::fuse {
namespace {

const std::vector<NumberFormula>& rows() {
  static const auto& all = *new std::vector<NumberFormula>{
      // arithmetic
      {"aten::add", {"n", "n"}, "a + b"},
      {"aten::sub", {"n", "n"}, "a - b"},
      {"aten::mul", {"n", "n"}, "a * b"},
      {"aten::div", {"n", "n"}, "(double)a / (double)b"},
      {"aten::neg", {"n"}, "-a"},
      {"aten::floordiv", {"i", "i"}, "floor_div(a, b)", "b == 0 || b == -1"},
      {"aten::floordiv", {"n", "n"}, "floor_d((double)a / (double)b)"},
      {"aten::remainder", {"i", "i"}, "floor_mod(a, b)", "b == 0 || b == -1"},
      {"aten::remainder", {"n", "n"}, "fmod((double)b + fmod((double)a, (double)b), (double)b)"},
      {"aten::fmod", {"n", "n"}, "fmod((double)a, (double)b)"},
      {"aten::__round_to_zero_floordiv", {"i", "i"}, "a / b", "b == 0 || b == -1"},
      {"aten::pow", {"n", "n"}, "call_pow((double)a, (double)b)", "!(a > 0)"},
      // logic
      {"aten::__not__", {"b"}, "!a"},
      {"aten::__and__", {"b", "b"}, "a & b"},
      {"aten::__or__", {"b", "b"}, "a | b"},
      {"aten::__xor__", {"b", "b"}, "a ^ b"},
      {"aten::__and__", {"i", "i"}, "a & b"},
      {"aten::__or__", {"i", "i"}, "a | b"},
      {"aten::__xor__", {"i", "i"}, "a ^ b"},
      {"aten::__lshift__", {"i", "i"}, "(int64_t)((uint64_t)a << b)", "b < 0 || b > 63"},
      {"aten::__rshift__", {"i", "i"}, "a >> b", "b < 0 || b > 63"},
      {"aten::eq", {"x", "x"}, "a == b"},
      {"aten::ne", {"x", "x"}, "a != b"},
      {"aten::lt", {"n", "n"}, "a < b"},
      {"aten::gt", {"n", "n"}, "a > b"},
      {"aten::le", {"n", "n"}, "a <= b"},
      {"aten::ge", {"n", "n"}, "a >= b"},
      {"aten::isnan", {"d"}, "a != a"},
      {"aten::isinf", {"d"}, "fabs_d(a) > 1.7976931348623157e308"},
      {"aten::isfinite", {"d"}, "fabs_d(a) <= 1.7976931348623157e308"},
      {"prim::IfThenElse", {"b", "x", "x"}, "a ? b : c"},
      // from one kind to another
      {"aten::Int", {"d"}, "(int64_t)a", "!(fabs_d(a) < 9e18)"},
      {"aten::Int", {"b"}, "a"},
      {"aten::Float", {"x"}, "(double)a"},
      {"aten::Bool", {"n"}, "a != 0"},
      {"aten::floor", {"d"}, "(int64_t)floor_d(a)", "!(fabs_d(a) < 9e18)"},
      {"aten::ceil", {"d"}, "(int64_t)ceil_d(a)", "!(fabs_d(a) < 9e18)"},
      {"aten::floor", {"i"}, "a"},
      {"aten::ceil", {"i"}, "a"},
      {"aten::round", {"d"}, "round_d(a)"},
      {"prim::unchecked_cast", {"x"}, "a"},
      // functions
      {"prim::abs", {"i"}, "a < 0 ? -a : a"},
      {"prim::abs", {"d"}, "fabs_d(a)"},
      {"aten::fabs", {"n"}, "fabs_d((double)a)"},
      {"prim::max", {"n", "n"}, "a > b ? a : b"},
      {"prim::min", {"n", "n"}, "a < b ? a : b"},
      {"aten::sqrt", {"n"}, "sqrt_d((double)a)"},
      {"aten::copysign", {"n", "n"}, "copysign_d((double)a, (double)b)"},
      {"aten::atan2", {"n", "n"}, "call_atan2((double)a, (double)b)"},
      {"aten::exp", {"n"}, "call_exp((double)a)"},
      {"aten::expm1", {"n"}, "call_expm1((double)a)"},
      {"aten::log", {"n"}, "call_log((double)a)"},
      {"aten::log1p", {"n"}, "call_log1p((double)a)"},
      {"aten::log10", {"n"}, "call_log10((double)a)"},
      {"aten::sin", {"n"}, "call_sin((double)a)"},
      {"aten::cos", {"n"}, "call_cos((double)a)"},
      {"aten::tan", {"n"}, "call_tan((double)a)"},
      {"aten::asin", {"n"}, "call_asin((double)a)"},
      {"aten::acos", {"n"}, "call_acos((double)a)"},
      {"aten::atan", {"n"}, "call_atan((double)a)"},
      {"aten::sinh", {"n"}, "call_sinh((double)a)"},
      {"aten::cosh", {"n"}, "call_cosh((double)a)"},
      {"aten::tanh", {"n"}, "call_tanh((double)a)"},
      {"aten::asinh", {"n"}, "call_asinh((double)a)"},
      {"aten::acosh", {"n"}, "call_acosh((double)a)"},
      {"aten::atanh", {"n"}, "call_atanh((double)a)"},
      {"aten::erf", {"n"}, "call_erf((double)a)"},
      {"aten::erfc", {"n"}, "call_erfc((double)a)"},
      {"aten::gamma", {"n"}, "call_tgamma((double)a)"},
      {"aten::lgamma", {"n"}, "call_lgamma((double)a)"},
      // loops
      {"aten::__range_length", {"i", "i", "i"}, "range_length(a, b, c)", "c == 0"},
      {"aten::__derive_index", {"i", "i", "i"}, "b + a * c"},
      // lists
      {"aten::len", {"IDB"}, "a->n"},
      {"aten::__getitem__", {"I", "i"}, "*(const int64_t*)item(a, b)", "out_of(a, b)"},
      {"aten::__getitem__", {"D", "i"}, "*(const double*)item(a, b)", "out_of(a, b)"},
      {"aten::__getitem__", {"B", "i"}, "*(const char*)item(a, b)", "out_of(a, b)"},
  };
  return all;
}

bool fits(const NumberFormula& row, const torch::jit::Node& node) {
  if (row.arguments.size() != node.inputs().size() || node.outputs().size() != 1 || !kind_of(*node.output())) return false;
  for (size_t i = 0; i < row.arguments.size(); ++i) {
    const char kind = kind_of(*node.input(i));
    const std::string kinds = *row.arguments[i] == 'n' ? "id" : *row.arguments[i] == 'x' ? "idb" : row.arguments[i];
    if (!kind || kinds.find(kind) == std::string::npos) return false;
  }
  return true;
}

}  // namespace

const NumberFormula* number_formula(const torch::jit::Node& node) {
  static const auto& by_name = *new auto([] {
    std::unordered_map<std::string, std::vector<const NumberFormula*>> map;
    for (const NumberFormula& row : rows()) map[row.name].push_back(&row);
    return map;
  }());
  const auto found = by_name.find(node.kind().toQualString());
  if (found == by_name.end()) return nullptr;
  for (const NumberFormula* row : found->second)
    if (fits(*row, node)) return row;
  return nullptr;
}

// The C library's functions are called by pointers that the compiler can't see through: its own knowledge of them, such as
// that pow(x, 2) is x * x, rounds otherwise than they do.
const char* const kNumberHelpers = R"KERNEL(
#if defined(__GNUC__) && !defined(__clang__)
#pragma GCC optimize("fp-contract=off")
#else
#pragma STDC FP_CONTRACT OFF
#endif
typedef union { double d; int64_t i; } number;
typedef struct host {
  int (*call)(struct host*, int64_t site, number*);
  int (*poll)(struct host*);
} host;
typedef struct { char* data; int64_t n; } list;
typedef struct { char* data; int64_t sizes[8], strides[8]; } tensor;
#ifdef __GNUC__
#define AT(type) typedef type __attribute__((may_alias)) at_##type;
#else
#define AT(type) typedef type at_##type;
#endif
AT(float) AT(double) AT(int64_t) AT(int32_t) AT(int16_t) AT(int8_t) AT(uint8_t)
static inline int64_t floor_div(int64_t a, int64_t b) { int64_t q = a / b; return q - (a % b != 0 && (a < 0) != (b < 0)); }
static inline int64_t floor_mod(int64_t a, int64_t b) { int64_t r = a % b; return r != 0 && (r < 0) != (b < 0) ? r + b : r; }
static inline int64_t range_length(int64_t a, int64_t b, int64_t c) {
  return c > 0 && a < b ? 1 + (b - 1 - a) / c : c < 0 && a > b ? 1 + (a - 1 - b) / (0 - c) : 0;
}
static inline char* item(const list* a, int64_t i) { return a->data + ITEM * (i < 0 ? i + a->n : i); }
static inline int out_of(const list* a, int64_t i) { return i >= a->n || i < -a->n; }
#define CALL1(f) static double (*const volatile call_##f)(double) = f;
#define CALL2(f) static double (*const volatile call_##f)(double, double) = f;
CALL1(exp) CALL1(expm1) CALL1(log) CALL1(log1p) CALL1(log10) CALL1(sin) CALL1(cos) CALL1(tan) CALL1(asin) CALL1(acos)
CALL1(atan) CALL1(sinh) CALL1(cosh) CALL1(tanh) CALL1(asinh) CALL1(acosh) CALL1(atanh) CALL1(erf) CALL1(erfc)
CALL1(tgamma) CALL1(lgamma) CALL2(pow) CALL2(atan2)
)KERNEL";

}  // namespace shim::fuse
