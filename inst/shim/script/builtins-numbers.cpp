#include "script/builtins.h"

namespace shim::script {

const char* const kBuiltinsOfNumbers = R"(
## inner:whole_number
def f(x: float) -> int:
  if math.isnan(x):
    raise Exception("NA or NaN, where a whole number is needed")
  n = int(x)
  if float(n) != x:
    raise Exception(str(x) + " is no whole number")
  return n
## inner:position
def f(x: int) -> int:
  if x == 0:
    raise Exception("Indexing in R is 1-based and found a 0.")
  if x > 0:
    return x - 1
  return x
## inner:step
def f(a: int, b: int) -> int:
  if b >= a:
    return 1
  return -1
## inner:count
def f(n: int) -> int:
  if n < 0:
    raise Exception("`seq_len()` needs a number from 0 on, not " + str(n))
  return n
## inner:condition
def f(x: bool) -> bool:
  return x
def f(x: int) -> bool:
  return x != 0
def f(x: float) -> bool:
  if math.isnan(x):
    raise Exception("a condition is NaN, where TRUE or FALSE is needed")
  return x != 0.0
def f(x: Tensor) -> bool:
  return bool(x)
def f(x: List[bool]) -> bool:
  if len(x) != 1:
    raise Exception("a condition must be one TRUE or FALSE, not " + str(len(x)) + ": ask `any()` or `all()`")
  return x[0]
def f(x: List[N]) -> bool:
  if len(x) != 1:
    raise Exception("a condition must be one TRUE or FALSE, not " + str(len(x)) + " numbers")
  if is_nan(x[0]):
    raise Exception("a condition is NaN, where TRUE or FALSE is needed")
  return x[0] != 0
## inner:negative_zero
def f() -> float:
  # LibTorch takes the constants 0.0 and -0.0 for one. So this is none: where gradients are on can't be known before.
  return math.copysign(0.0, float(torch.is_grad_enabled()) - 2.0)
## inner:nan
def f() -> float:
  return nan
## inner:inf
def f() -> float:
  return inf
## + [each]
def f(e1: N, e2: N) -> N:
  return e1 + e2
def f(e1: N) -> N:
  return e1
## - [each]
def f(e1: N, e2: N) -> N:
  return e1 - e2
def f(e1: N) -> N:
  return -e1
## * [each]
def f(e1: N, e2: N) -> N:
  return e1 * e2
## / [each]
def f(e1: float, e2: float) -> float:
  if e2 == 0.0:
    if e1 == 0.0 or math.isnan(e1):
      return nan
    return math.copysign(inf, e1) * math.copysign(1.0, e2)
  return e1 / e2
## ^ ** [each]
def f(e1: float, e2: float) -> float:
  if e1 == 1.0 or e2 == 0.0:
    return 1.0
  if math.isnan(e1) or math.isnan(e2):
    return nan
  if e1 == 0.0:
    return 0.0 if e2 > 0.0 else inf
  if math.isinf(e2):
    if e1 < 0.0:
      return nan
    return inf if (e1 >= 1.0) == (e2 > 0.0) else 0.0
  if e1 < 0.0:
    if math.fmod(e2, 1.0) != 0.0:
      return nan
    if math.isinf(e1):
      return 0.0 if e2 < 0.0 else (-e1 if math.fmod(e2, 2.0) == 0.0 else e1)
  return e1 ** e2
## %% [each]
def f(e1: int, e2: int) -> int:
  return e1 % e2
def f(e1: float, e2: float) -> float:
  if e2 == 0.0 or math.isnan(e1) or math.isnan(e2) or math.isinf(e1) or math.isinf(e1 / e2):
    return nan
  if e1 == 0.0 and abs(e2) > 9223372036854775807.0:
    return e1
  part = math.fmod(e1, e2)
  if part != 0.0 and (e2 < 0.0) != (part < 0.0):
    part += e2
    if part == e2 and not math.isinf(e2):
      return 0.0
  return part + 0.0
## %/% [each]
def f(e1: int, e2: int) -> int:
  return e1 // e2
def f(e1: float, e2: float) -> float:
  if e2 == 0.0:
    if e1 == 0.0 or math.isnan(e1):
      return nan
    return math.copysign(inf, e1) * math.copysign(1.0, e2)
  if math.isnan(e1) or math.isnan(e2):
    return nan
  if math.isinf(e1):
    return e1 / e2
  if math.isinf(e2):
    if e1 == 0.0 or (e1 < 0.0) == (e2 < 0.0):
      return 0.0
    return -1.0
  part = math.fmod(e1, e2)
  times = (e1 - part) / e2
  if part != 0.0 and (e2 < 0.0) != (part < 0.0):
    times -= 1.0
  if abs(times) > 4503599627370496.0:
    return times
  low = float(math.floor(times))
  if times - low > 0.5:
    low += 1.0
  return low + 0.0
def f(e1: Tensor, e2: Tensor) -> Tensor:
  return torch.div(e1, e2, rounding_mode="floor")
## inner:compared
def f(x: bool) -> bool:
  if not x:
    raise Exception("a comparison with NaN is NA in R, and a program's logicals are TRUE or FALSE: ask `is.nan()` before")
  return False
## inner:without_nan
def f(x: List[float]) -> List[float]:
  out: List[float] = []
  for one in x:
    if not math.isnan(one):
      out.append(one)
  return out
## inner:ordered
def f(x: float, y: float) -> bool:
  # LibTorch takes `x == x` for true, and `x < x` for false, so that these can't tell.
  return compared(not math.isnan(x) and not math.isnan(y))
## == [each]
def f(e1: bool, e2: bool) -> bool:
  return e1 == e2
def f(e1: int, e2: int) -> bool:
  return e1 == e2
def f(e1: float, e2: float) -> bool:
  return ordered(e1, e2) or e1 == e2
def f(e1: str, e2: str) -> bool:
  return e1 == e2
def f(e1: Device, e2: Device) -> bool:
  return e1 == e2
## != [each]
def f(e1: bool, e2: bool) -> bool:
  return e1 != e2
def f(e1: int, e2: int) -> bool:
  return e1 != e2
def f(e1: float, e2: float) -> bool:
  return ordered(e1, e2) or e1 != e2
def f(e1: str, e2: str) -> bool:
  return e1 != e2
def f(e1: Device, e2: Device) -> bool:
  return not e1 == e2
## < [each]
def f(e1: int, e2: int) -> bool:
  return e1 < e2
def f(e1: float, e2: float) -> bool:
  return ordered(e1, e2) or e1 < e2
def f(e1: str, e2: str) -> bool:
  return e1 < e2
## > [each]
def f(e1: int, e2: int) -> bool:
  return e1 > e2
def f(e1: float, e2: float) -> bool:
  return ordered(e1, e2) or e1 > e2
def f(e1: str, e2: str) -> bool:
  return e1 > e2
## <= [each]
def f(e1: int, e2: int) -> bool:
  return e1 <= e2
def f(e1: float, e2: float) -> bool:
  return ordered(e1, e2) or e1 <= e2
def f(e1: str, e2: str) -> bool:
  return e1 <= e2
## >= [each]
def f(e1: int, e2: int) -> bool:
  return e1 >= e2
def f(e1: float, e2: float) -> bool:
  return ordered(e1, e2) or e1 >= e2
def f(e1: str, e2: str) -> bool:
  return e1 >= e2
## ! [each]
def f(x: bool) -> bool:
  return not x
def f(x: float) -> bool:
  return ordered(x, x) or x == 0.0
def f(x: Tensor) -> Tensor:
  return torch.logical_not(x)
## & [each]
def f(e1: bool, e2: bool) -> bool:
  return e1 and e2
## | [each]
def f(e1: bool, e2: bool) -> bool:
  return e1 or e2
## xor [each]
def f(x: bool, y: bool) -> bool:
  return x != y
def f(x: Tensor, y: Tensor) -> Tensor:
  return torch.logical_xor(x, y)
## isTRUE
def f(x: bool) -> bool:
  return x
def f(x: Optional[bool]) -> bool:
  return x is not None and x
## isFALSE
def f(x: bool) -> bool:
  return not x
## is.nan is.na [each]
def f(x: float) -> bool:
  return math.isnan(x)
def f(x: int) -> bool:
  return False
def f(x: str) -> bool:
  return False
def f(x: Tensor) -> Tensor:
  return torch.isnan(x)
## is.finite [each]
def f(x: float) -> bool:
  return math.isfinite(x)
def f(x: Tensor) -> Tensor:
  return torch.isfinite(x)
## is.infinite [each]
def f(x: float) -> bool:
  return math.isinf(x)
def f(x: Tensor) -> Tensor:
  return torch.isinf(x)
## inner:number
def f(x: str) -> float:
  text = x.strip()
  digits = False
  for i in range(len(text)):
    digits = digits or text[i] in "0123456789"
    if text[i] not in "0123456789.eE+-":
      raise Exception("\"" + x + "\" is no number")
  if not digits:
    raise Exception("\"" + x + "\" is no number")
  return float(text)
## as.integer [each]
def f(x: int) -> int:
  return x
def f(x: float) -> int:
  if math.isnan(x) or abs(x) > 9007199254740992.0:
    raise Exception(str(x) + " has no whole number")
  return int(x)
def f(x: bool) -> int:
  return int(x)
def f(x: str) -> int:
  return int(number(x))
def f(x: Tensor) -> int:
  return int(x)
## as.numeric as.double [each]
def f(x: float) -> float:
  return x
def f(x: bool) -> float:
  return float(x)
def f(x: str) -> float:
  return number(x)
def f(x: Tensor) -> float:
  return float(x)
## as.logical [each]
def f(x: bool) -> bool:
  return x
def f(x: float) -> bool:
  return ordered(x, x) or x != 0.0
def f(x: Tensor) -> bool:
  return bool(x)
## identical
def f(x: Tensor, y: Tensor) -> bool:
  return x is y
def f(x: S, y: S) -> bool:
  return x == y or (is_nan(x) and is_nan(y))
def f(x: bool, y: bool) -> bool:
  return x == y
def f(x: Device, y: Device) -> bool:
  return x == y
def f(x: List[S], y: List[S]) -> bool:
  if len(x) != len(y):
    return False
  for i in range(len(x)):
    if x[i] != y[i] and not (is_nan(x[i]) and is_nan(y[i])):
      return False
  return True
def f(x: List[bool], y: List[bool]) -> bool:
  return x == y
## bitwAnd [each]
def f(a: int, b: int) -> int:
  return a & b
## bitwOr [each]
def f(a: int, b: int) -> int:
  return a | b
## bitwNot [each]
def f(a: int) -> int:
  return -a - 1
## bitwXor [each]
def f(a: int, b: int) -> int:
  return a ^ b
)";

}  // namespace shim::script
