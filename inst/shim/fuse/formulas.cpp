#include "fuse/formulas.h"

#include <unordered_map>
#include <unordered_set>

namespace shim::fuse {
namespace {

// A gradient of zero, of what is infinite or no number too.
constexpr const char* kNothing = "g < g ? g : 0";

using Constants = std::vector<std::optional<c10::IValue>>;

constexpr auto F = Formula::floating;
constexpr auto N = Formula::numeric;
constexpr auto L = Formula::logical;
constexpr const char* none = nullptr;  // such an argument has no derivative here: the gradient goes LibTorch's way

struct Row {
  size_t arguments;
  Formula formula;
};

// The table, by the names of operators. Overloads for numbers have the same arguments in the same places.
const std::unordered_map<std::string, Row>& table() {
  static const auto& rows = *new std::unordered_map<std::string, Row>{
      // arithmetic
      {"add", {3, {"a + c * b", {"g", "c * g"}, N}}},
      {"sub", {3, {"a - c * b", {"g", "-(c * g)"}, N}}},
      {"rsub", {3, {"b - c * a", {"-(c * g)", "g"}, N}}},
      {"mul", {2, {"a * b", {"g * b", "g * a"}}}},
      {"div", {2, {"a / b", {"g / b", "-(g * (r / b))"}, F}}},
      {"neg", {1, {"-a", {"-g"}, N}}},
      {"abs", {1, {"fabs$(a)", {"a > 0 ? g : a < 0 ? -g : 0 * g"}, F}}},
      {"square", {1, {"a * a", {"g * (a + a)"}, N}}},
      {"reciprocal", {1, {"1 / a", {"-(g * r * r)"}, F}}},
      {"sqrt", {1, {"sqrt$(a)", {"g / (r + r)"}, F}}},
      {"rsqrt", {1, {"1 / sqrt$(a)", {"K(-0.5) * g * (r * r * r)"}, F}}},
      {"addcmul", {4, {"a + d * b * c", {"g", "g * d * c", "g * d * b"}, N}}},
      {"addcdiv", {4, {"a + d * (b / c)", {"g", "g * d / c", "-(g * d * (b / (c * c)))"}, F}}},
      {"lerp",
       {3,
        {"fabs$(c) < K(0.5) ? a + c * (b - a) : b - (b - a) * (1 - c)", {"g * (1 - c)", "g * c", "g * (b - a)"}, F}}},
      {"fmod", {2, {"fmod", {"g", "-(g * trunc$(a / b))"}, F, true}}},
      {"remainder", {2, {"x = fmod(a, b); x != 0 && (b < 0) != (x < 0) ? x + b : x", {"g", "-(g * floor$(a / b))"}, F}}},
      {"hypot", {2, {"hypot", {"g * (a / r)", "g * (b / r)"}, F, true}}},
      // rounding
      {"floor", {1, {"floor$(a)", {kNothing}, F}}},
      {"ceil", {1, {"ceil$(a)", {kNothing}, F}}},
      {"trunc", {1, {"trunc$(a)", {kNothing}, F}}},
      {"round", {1, {"round$(a)", {kNothing}, F}}},
      {"frac", {1, {"a - trunc$(a)", {"g"}, F}}},
      {"sign", {1, {"(a > 0) - (a < 0)", {kNothing}, F}}},
      // elementary functions
      {"exp", {1, {"exp$(a)", {"g * r"}, F}}},
      {"exp2", {1, {"exp2", {"g * r * K(0.6931471805599453)"}, F, true}}},
      {"expm1", {1, {"expm1$(a)", {"g * (r + 1)"}, F}}},
      {"log", {1, {"log$(a)", {"g / a"}, F}}},
      {"log2", {1, {"log2", {"g / (a * K(0.6931471805599453))"}, F, true}}},
      {"log10", {1, {"log10", {"g / (a * K(2.302585092994046))"}, F, true}}},
      {"log1p", {1, {"log1p$(a)", {"g / (a + 1)"}, F}}},
      {"sin", {1, {"sin", {"x = cos(a); g * x"}, F, true}}},
      {"cos", {1, {"cos", {"x = sin(a); -(g * x)"}, F, true}}},
      {"tan", {1, {"tan", {"g * (1 + r * r)"}, F, true}}},
      {"asin", {1, {"asin", {"g / sqrt$(1 - a * a)"}, F, true}}},
      {"acos", {1, {"acos", {"-(g / sqrt$(1 - a * a))"}, F, true}}},
      {"atan", {1, {"atan", {"g / (a * a + 1)"}, F, true}}},
      {"sinh", {1, {"sinh", {"x = cosh(a); g * x"}, F, true}}},
      {"cosh", {1, {"cosh", {"x = sinh(a); g * x"}, F, true}}},
      {"tanh", {1, {"tanh$(a)", {"g * (1 - r * r)"}, F}}},
      {"asinh", {1, {"asinh", {"g / sqrt$(a * a + 1)"}, F, true}}},
      {"acosh", {1, {"acosh", {"g / sqrt$(a * a - 1)"}, F, true}}},
      {"atanh", {1, {"atanh", {"g / (1 - a * a)"}, F, true}}},
      {"atan2", {2, {"atan2", {"g * b / (a * a + b * b)", "-(g * a) / (a * a + b * b)"}, F, true}}},
      {"erf", {1, {"erf$(a)", {"g * K(1.1283791670955126) * exp$(-a * a)"}, F}}},
      {"erfc", {1, {"erfc", {"-(g * K(1.1283791670955126)) * exp$(-a * a)"}, F, true}}},
      {"xlogy",
       {2, {"b != b ? b : a == 0 ? 0 : a * log$(b)", {"a == 0 && b <= 0 ? 0 : g * log$(b)", "g * a / b"}, F}}},
      // activations
      {"sigmoid", {1, {"sigmoid$(a)", {"g * ((1 - r) * r)"}, F}}},
      {"log_sigmoid", {1, {"(a < 0 ? a : 0) - log1p$(exp$(-fabs$(a)))", {"g * sigmoid$(-a)"}, F}}},
      {"relu", {1, {"a <= 0 ? 0 : a", {"r <= 0 ? 0 : g"}, N}}},
      {"relu6", {1, {"a < 0 ? 0 : a > 6 ? 6 : a", {"a <= 0 || a >= 6 ? 0 : g"}, N}}},
      {"leaky_relu", {2, {"a > 0 ? a : a * b", {"a > 0 ? g : g * b"}, F}}},
      {"threshold", {3, {"a <= b ? c : a", {"a <= b ? 0 : g"}, N}}},
      {"elu", {4, {"a <= 0 ? expm1$(a * d) * (b * c) : a * c", {"a <= 0 ? g * (d * b * c) * exp$(a * d) : g * c"}, F}}},
      {"selu",
       {1,
        {"a > 0 ? K(1.0507009873554805) * a : K(1.7580993408473766) * expm1$(a)",
         {"a > 0 ? g * K(1.0507009873554805) : g * K(1.7580993408473766) * exp$(a)"},
         F}}},
      {"celu", {2, {"a > 0 ? a : b * expm1$(a / b)", {"a > 0 ? g : g * exp$(a / b)"}, F}}},
      {"silu", {1, {"a * sigmoid$(a)", {"x = sigmoid$(a); g * x * (1 + a * (1 - x))"}, F}}},
      {"mish",
       {1,
        {"a * tanh$(log1p$(exp$(a)))",
         {"x = tanh$(log1p$(exp$(a))); g * (x + a * sigmoid$(a) * (1 - x * x))"},
         F}}},
      {"softplus",
       {3, {"a * b > c ? a : log1p$(exp$(a * b)) / b", {"a * b > c ? g : g * sigmoid$(a * b)"}, F}}},
      {"hardtanh", {3, {"a < b ? b : a > c ? c : a", {"a <= b || a >= c ? 0 : g"}, N}}},
      {"hardsigmoid", {1, {"(a < -3 ? 0 : a > 3 ? 6 : a + 3) / 6", {"a > -3 && a < 3 ? g / 6 : 0"}, F}}},
      {"hardswish",
       {1, {"a * (a < -3 ? 0 : a > 3 ? 6 : a + 3) / 6", {"a < -3 ? 0 : a <= 3 ? g * (a / 3 + K(0.5)) : g"}, F}}},
      {"hardshrink", {2, {"a >= -b && a <= b ? 0 : a", {"a >= -b && a <= b ? 0 : g"}, F}}},
      // gradients, as a recorded training has them: the first argument is what arrives
      {"tanh_backward", {2, {"a * (1 - b * b)", {}, F}}},
      {"sigmoid_backward", {2, {"a * ((1 - b) * b)", {}, F}}},
      {"log_sigmoid_backward", {2, {"a * sigmoid$(-b)", {}, F}}},
      {"threshold_backward", {3, {"b <= c ? 0 : a", {}, N}}},
      {"leaky_relu_backward", {3, {"b > 0 ? a : a * c", {}, F}}},
      {"elu_backward",
       {6, {"f > 0 ? a * c : e != 0 ? a * d * (f + b * c) : a * (d * b * c) * exp$(f * d)", {}, F}}},
      {"silu_backward", {2, {"x = sigmoid$(b); a * x * (1 + b * (1 - x))", {}, F}}},
      {"mish_backward", {2, {"x = tanh$(log1p$(exp$(b))); a * (x + b * sigmoid$(b) * (1 - x * x))", {}, F}}},
      {"softplus_backward", {4, {"b * c > d ? a : a * sigmoid$(b * c)", {}, F}}},
      {"hardtanh_backward", {4, {"b <= c || b >= d ? 0 : a", {}, F}}},
      {"hardsigmoid_backward", {2, {"b > -3 && b < 3 ? a / 6 : 0", {}, F}}},
      {"hardswish_backward", {2, {"b < -3 ? 0 : b <= 3 ? a * (b / 3 + K(0.5)) : a", {}, F}}},
      // choices
      {"maximum",
       {2, {"a > b || a != a ? a : b", {"a == b ? g / 2 : a < b ? 0 : g", "a == b ? g / 2 : b < a ? 0 : g"}}}},
      {"minimum",
       {2, {"a < b || a != a ? a : b", {"a == b ? g / 2 : a > b ? 0 : g", "a == b ? g / 2 : b > a ? 0 : g"}}}},
      {"clamp_min", {2, {"a < b || b != b ? b : a", {"a >= b ? g : 0", none}, N}}},
      {"clamp_max", {2, {"a > b || b != b ? b : a", {"a <= b ? g : 0", none}, N}}},
      {"where", {3, {"a ? b : c", {none, "a ? g : 0", "a ? 0 : g"}}}},
      {"masked_fill", {3, {"b ? c : a", {"b ? 0 : g", none, none}}}},
      {"to", {1, {"a", {"g"}}}},
      // comparisons
      {"eq", {2, {"a == b", {}, L}}},
      {"ne", {2, {"a != b", {}, L}}},
      {"lt", {2, {"a < b", {}, L}}},
      {"le", {2, {"a <= b", {}, L}}},
      {"gt", {2, {"a > b", {}, L}}},
      {"ge", {2, {"a >= b", {}, L}}},
      {"logical_and", {2, {"(a != 0) & (b != 0)", {}, L}}},
      {"logical_or", {2, {"(a != 0) | (b != 0)", {}, L}}},
      {"logical_xor", {2, {"(a != 0) ^ (b != 0)", {}, L}}},
      {"logical_not", {1, {"a == 0", {}, L}}},
      {"isnan", {1, {"a != a", {}, L}}},
  };
  return rows;
}

const Formula* of_power(const c10::IValue& exponent) {
  static const Formula square{"a * a", {"g * (a + a)"}, N};
  static const Formula cube{"a * a * a", {"g * 3 * (a * a)"}, N};
  static const Formula root{"sqrt$(a)", {"g / (r + r)"}, F};
  static const Formula inverse{"1 / a", {"-(g * r * r)"}, F};
  static const Formula inverse_root{"1 / sqrt$(a)", {"K(-0.5) * g * (r * r * r)"}, F};
  static const Formula inverse_square{"1 / (a * a)", {"K(-2) * g * (r / a)"}, F};
  static const Formula power{
      "pow",
      {"a == 0 || a - a != 0 ? (b == 0 ? 0 : b == 1 ? g : a == 0 ? (b > 1 ? 0 : g * b * r / a) : b > 1 ? g * b * r : g * b / a)"
       " : g * b * r / a",
       "a == 0 && b >= 0 ? 0 : g * r * log$(a)"},
      F,
      true};
  if (!exponent.isDouble() && !exponent.isInt()) return &power;
  const double e = exponent.isDouble() ? exponent.toDouble() : static_cast<double>(exponent.toInt());
  // A fractional exponent makes fractions of whole numbers; these formulas give the type that LibTorch finds.
  return e == 2 ? &square : e == 3 ? &cube : e == 0.5 ? &root : e == -1 ? &inverse : e == -0.5 ? &inverse_root
         : e == -2 ? &inverse_square : &power;
}

// Names of operators that compute derivatives, and the derivative as a formula of what arrives, `a`, and of the argument, `b`.
#define GELU_SLOPE(g, a) \
  g " * (K(0.5) * (1 + erf$(" a " * K(0.7071067811865476))) + " a " * exp$(" a " * " a " * K(-0.5)) * K(0.3989422804014327))"
#define GELU_INNER(a) "tanh$(K(0.7978845608028654) * (" a " + K(0.044715) * " a " * " a " * " a "))"
#define TANH_GELU_SLOPE(g, a) \
  "x = " GELU_INNER(a) "; " g " * (K(0.5) * (1 + x) + K(0.5) * " a \
  " * (1 - x * x) * K(0.7978845608028654) * (1 + K(0.134145) * " a " * " a "))"

bool is_by_tanh(const c10::IValue& approximate) { return approximate.isString() && approximate.toStringRef() != "none"; }

const Formula* of_gelu(const c10::IValue& approximate) {
  static const Formula exact{"a * K(0.5) * (1 + erf$(a * K(0.7071067811865476)))", {GELU_SLOPE("g", "a")}, F};
  static const Formula by_tanh{"K(0.5) * a * (1 + " GELU_INNER("a") ")", {TANH_GELU_SLOPE("g", "a")}, F};
  return is_by_tanh(approximate) ? &by_tanh : &exact;
}

const Formula* of_gelu_backward(const c10::IValue& approximate) {
  static const Formula exact{GELU_SLOPE("a", "b"), {}, F};
  static const Formula by_tanh{TANH_GELU_SLOPE("a", "b"), {}, F};
  return is_by_tanh(approximate) ? &by_tanh : &exact;
}

const Formula* of_clamp(const c10::IValue& least, const c10::IValue& most) {
  static const Formula both{"a < b || b != b ? (b > c || c != c ? c : b) : a > c || c != c ? c : a",
                            {"a >= b && a <= c ? g : 0", none, none},
                            N};
  static const Formula below{"a > c || c != c ? c : a", {"a <= c ? g : 0", none, none}, N};
  static const Formula above{"a < b || b != b ? b : a", {"a >= b ? g : 0", none, none}, N};
  if (least.isNone() && most.isNone()) return nullptr;
  return least.isNone() ? &below : most.isNone() ? &above : &both;
}

const Row* row_of(c10::Symbol op) {
  if (!op.is_aten()) return nullptr;
  const auto found = table().find(op.toUnqualString());
  return found == table().end() ? nullptr : &found->second;
}

}  // namespace

const Formula* formula_of(c10::Symbol op, const Constants& constants) {
  const auto constant = [&](size_t i) {
    return i < constants.size() && constants[i] ? *constants[i] : c10::IValue(at::Tensor());
  };
  const std::string name = op.is_aten() ? op.toUnqualString() : "";
  if (name == "pow") return of_power(constant(1));
  if (name == "gelu") return of_gelu(constant(1));
  if (name == "gelu_backward") return of_gelu_backward(constant(2));
  if (name == "clamp") return of_clamp(constant(1), constant(2));
  // A division with a rounding mode.
  if (name == "div" && constants.size() > 2 && !constant(2).isNone()) return nullptr;
  if (name == "round" && constants.size() > 1) return nullptr;
  const Row* row = row_of(op);
  return row ? &row->formula : nullptr;
}

// LibTorch's square roots come from a library that rounds some in its own way.
bool is_exact(c10::Symbol op, const Constants& constants) {
  static const auto& names = *new std::unordered_set<std::string>{
      "mul",     "div",     "neg",       "abs",       "reciprocal", "floor",       "ceil",       "trunc",
      "round",   "sign",    "relu",      "relu6",     "threshold",  "hardtanh",   "maximum",     "minimum",    "clamp",
      "clamp_min", "clamp_max", "where", "masked_fill", "to",       "eq",         "ne",          "lt",         "le",
      "gt",      "ge",      "logical_and", "logical_or", "logical_xor", "logical_not", "isnan",  "hardshrink", "leaky_relu"};
  const std::string name = op.toUnqualString();
  if (names.count(name)) return true;
  // A factor may be rounded together with the sum.
  const bool adds = name == "add" || name == "sub" || name == "rsub";
  return adds && constants.size() > 2 && constants[2] && constants[2]->isInt() && constants[2]->toInt() == 1;
}

size_t arguments_of(c10::Symbol op) {
  if (!op.is_aten()) return 0;
  const std::string name = op.toUnqualString();
  if (name == "pow" || name == "gelu_backward") return 2;
  if (name == "gelu") return 1;
  if (name == "clamp") return 3;
  const Row* row = row_of(op);
  return row ? row->arguments : 0;
}

}  // namespace shim::fuse
