#include "script/builtins.h"

namespace shim::script {

// Functions of numbers, and of tensors of the same names.
const char* const kBuiltinsOfFunctions = R"(
## abs [each]
def f(x: N) -> N:
  return abs(x)
def f(x: Tensor) -> Tensor:
  return torch.abs(x)
## sqrt [each]
def f(x: float) -> float:
  if x < 0.0:
    return nan
  return math.sqrt(x)
def f(x: Tensor) -> Tensor:
  return torch.sqrt(x)
## exp [each]
def f(x: float) -> float:
  return math.exp(x)
def f(x: Tensor) -> Tensor:
  return torch.exp(x)
## expm1 [each]
def f(x: float) -> float:
  return math.expm1(x)
def f(x: Tensor) -> Tensor:
  return torch.expm1(x)
## log [each]
def f(x: float) -> float:
  if x == 0.0:
    return -inf
  if x < 0.0:
    return nan
  return math.log(x)
def f(x: float, base: float) -> float:
  return math.log(x) / math.log(base)
def f(x: Tensor, base: float) -> Tensor:
  return torch.log(x) / math.log(base)
def f(x: Tensor) -> Tensor:
  return torch.log(x)
## log1p [each]
def f(x: float) -> float:
  return math.log1p(x)
def f(x: Tensor) -> Tensor:
  return torch.log1p(x)
## log2 [each]
def f(x: float) -> float:
  return math.log(x) / math.log(2.0)
def f(x: Tensor) -> Tensor:
  return torch.log2(x)
## log10 [each]
def f(x: float) -> float:
  return math.log10(x)
def f(x: Tensor) -> Tensor:
  return torch.log10(x)
## sin [each]
def f(x: float) -> float:
  return math.sin(x)
def f(x: Tensor) -> Tensor:
  return torch.sin(x)
## cos [each]
def f(x: float) -> float:
  return math.cos(x)
def f(x: Tensor) -> Tensor:
  return torch.cos(x)
## tan [each]
def f(x: float) -> float:
  return math.tan(x)
def f(x: Tensor) -> Tensor:
  return torch.tan(x)
## asin [each]
def f(x: float) -> float:
  return math.asin(x)
def f(x: Tensor) -> Tensor:
  return torch.asin(x)
## acos [each]
def f(x: float) -> float:
  return math.acos(x)
def f(x: Tensor) -> Tensor:
  return torch.acos(x)
## atan [each]
def f(x: float) -> float:
  return math.atan(x)
def f(x: Tensor) -> Tensor:
  return torch.atan(x)
## atan2 [each]
def f(y: float, x: float) -> float:
  return math.atan2(y, x)
def f(y: Tensor, x: Tensor) -> Tensor:
  return torch.atan2(y, x)
## sinh [each]
def f(x: float) -> float:
  return math.sinh(x)
def f(x: Tensor) -> Tensor:
  return torch.sinh(x)
## cosh [each]
def f(x: float) -> float:
  return math.cosh(x)
def f(x: Tensor) -> Tensor:
  return torch.cosh(x)
## tanh [each]
def f(x: float) -> float:
  return math.tanh(x)
def f(x: Tensor) -> Tensor:
  return torch.tanh(x)
## gamma [each]
def f(x: float) -> float:
  if x == 0.0 or (x < 0.0 and math.fmod(x, 1.0) == 0.0) or x == -inf:
    return nan
  return math.gamma(x)
def f(x: Tensor) -> Tensor:
  size = torch.exp(torch.lgamma(x))
  return torch.where((x < 0) & (torch.remainder(torch.floor(x), 2) != 0), -size, size)
## lgamma [each]
def f(x: float) -> float:
  return math.lgamma(x)
def f(x: Tensor) -> Tensor:
  return torch.lgamma(x)
## floor [each]
def f(x: float) -> float:
  if math.isinf(x) or math.isnan(x) or abs(x) > 4503599627370496.0:
    return x
  return math.copysign(float(math.floor(x)), x)
def f(x: Tensor) -> Tensor:
  return torch.floor(x)
## ceiling [each]
def f(x: float) -> float:
  if math.isinf(x) or math.isnan(x) or abs(x) > 4503599627370496.0:
    return x
  return math.copysign(float(math.ceil(x)), x)
def f(x: Tensor) -> Tensor:
  return torch.ceil(x)
## trunc [each]
def f(x: float) -> float:
  if math.isinf(x) or math.isnan(x) or abs(x) > 4503599627370496.0:
    return x
  return math.copysign(float(int(x)), x)
def f(x: Tensor) -> Tensor:
  return torch.trunc(x)
## round [each]
def f(x: float, digits: int = 0) -> float:
  if math.isinf(x) or math.isnan(x) or abs(x) > 4503599627370496.0:
    return x
  scale = 10.0 ** float(abs(digits))
  y = abs(x) * scale if digits >= 0 else abs(x) / scale
  if digits > 0 and y >= 1e15:
    return x
  low = float(math.floor(y))
  high = float(math.ceil(y))
  even = low % 2.0 == 0.0
  if digits == 0:
    nearer = low if y - low < 0.5 or (y - low == 0.5 and even) else high
    return math.copysign(nearer, x)
  # R asks which of the two decimal numbers is nearer, as numbers.
  low = low / scale if digits > 0 else low * scale
  high = high / scale if digits > 0 else high * scale
  below = abs(x) - low
  above = high - abs(x)
  return math.copysign(low if below < above or (below == above and even) else high, x)
def f(x: Tensor, digits: int = 0) -> Tensor:
  return torch.round(x, decimals=digits)
## signif [each]
def f(x: float, digits: int = 6) -> float:
  if x == 0.0 or math.isinf(x) or math.isnan(x):
    return x
  power = max(digits, 1) - 1 - math.floor(math.log10(abs(x)))
  if abs(power) > 300:
    return x
  scale = 10.0 ** float(abs(power))
  y = abs(x) * scale if power >= 0 else abs(x) / scale
  low = float(math.floor(y))
  if y - low > 0.5 or (y - low == 0.5 and low % 2.0 == 1.0):
    low += 1.0
  return math.copysign(low / scale if power >= 0 else low * scale, x)
## sign [each]
def f(x: int) -> int:
  if x > 0:
    return 1
  if x < 0:
    return -1
  return 0
def f(x: float) -> float:
  if x > 0.0:
    return 1.0
  if x < 0.0:
    return -1.0
  return x + 0.0
def f(x: Tensor) -> Tensor:
  return torch.sign(x)
## factorial [each]
def f(x: float) -> float:
  y = nan if x < 0.0 and (math.isinf(x) or math.fmod(x, 1.0) == 0.0) else math.gamma(x + 1.0)
  return float(math.floor(y + 0.5)) if math.fmod(x, 1.0) == 0.0 and abs(y) < 4503599627370496.0 else y
## inner:min_of_none
def f(n: int) -> int:
  raise Exception("`min()` of no numbers is Inf in R, which is no whole number")
def f(n: int) -> float:
  torch.ops.aten.warn("`min()` of no numbers is Inf", 2)
  return inf
## min
def f(x: List[N]) -> N:
  if len(x) == 0:
    return min_of_none(0)
  total = sum(x)
  if is_nan(total):
    for one in x:
      if is_nan(one):
        return one
  return min(x)
def f(x: List[str]) -> str:
  if len(x) == 0:
    raise Exception("`min()` of no strings")
  return sorted(x)[0]
def f(x: Tensor) -> Tensor:
  return torch.min(x)
## pmin [each]
def f(x: N, y: N) -> N:
  if is_nan(x):
    return x
  if is_nan(y):
    return y
  return y if y < x else x
def f(x: Tensor, y: Tensor) -> Tensor:
  return torch.minimum(x, y)
## inner:max_of_none
def f(n: int) -> int:
  raise Exception("`max()` of no numbers is -Inf in R, which is no whole number")
def f(n: int) -> float:
  torch.ops.aten.warn("`max()` of no numbers is -Inf", 2)
  return -inf
## max
def f(x: List[N]) -> N:
  if len(x) == 0:
    return max_of_none(0)
  total = sum(x)
  if is_nan(total):
    for one in x:
      if is_nan(one):
        return one
  return max(x)
def f(x: List[str]) -> str:
  if len(x) == 0:
    raise Exception("`max()` of no strings")
  return sorted(x)[-1]
def f(x: Tensor) -> Tensor:
  return torch.max(x)
## pmax [each]
def f(x: N, y: N) -> N:
  if is_nan(x):
    return x
  if is_nan(y):
    return y
  return y if y > x else x
def f(x: Tensor, y: Tensor) -> Tensor:
  return torch.maximum(x, y)
## range
def f(x: List[N]) -> List[N]:
  if len(x) == 0:
    return [min_of_none(0), max_of_none(0)]
  for one in x:
    if is_nan(one):
      return [one, one]
  return [min(x), max(x)]
def f(x: Tensor) -> Tensor:
  return torch.stack([torch.min(x), torch.max(x)])
## sum
def f(x: List[N]) -> N:
  n = N(0)
  for one in x:
    n += one
  return n
def f(x: List[bool]) -> int:
  n = 0
  for one in x:
    n += int(one)
  return n
def f(x: Tensor) -> Tensor:
  return torch.sum(x)
def f(x: Tensor, *, dim: List[int], keepdim: bool = False) -> Tensor:
  return torch.sum(x, all_positions(dim), keepdim)
## prod
def f(x: List[float]) -> float:
  n = 1.0
  for one in x:
    n *= one
  return n
def f(x: Tensor) -> Tensor:
  return torch.prod(x)
## mean
def f(x: List[float]) -> float:
  n = 0.0
  for one in x:
    n += one
  return n / float(len(x))
def f(x: Tensor) -> Tensor:
  return torch.mean(as_real(x))
def f(x: Tensor, dim: List[int], keepdim: bool = False) -> Tensor:
  return torch.mean(as_real(x), all_positions(dim), keepdim)
## ifelse [each]
def f(test: bool, yes: S, no: S) -> S:
  if test:
    return yes
  return no
def f(test: Tensor, yes: Tensor, no: Tensor) -> Tensor:
  return torch.where(test, yes, no)
def f(test: Tensor, yes: Tensor, no: N) -> Tensor:
  return torch.where(test, yes, no)
def f(test: Tensor, yes: N, no: Tensor) -> Tensor:
  return torch.where(test, yes, no)
)";

}  // namespace shim::script
