#include "script/builtins.h"

namespace shim::script {

const char* const kBuiltinsOfNumbers = R"(
## inner:whole_number
def f(x: float) -> int:
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
## inner:nan
def f() -> float:
  return nan
## inner:inf
def f() -> float:
  return inf
## +
def f(e1: int, e2: int) -> int:
  return e1 + e2
def f(e1: float, e2: float) -> float:
  return e1 + e2
def f(e1: int) -> int:
  return e1
def f(e1: float) -> float:
  return e1
def f(e1: List[int], e2: List[int]) -> List[int]:
  n = len(e2) if len(e1) == 1 else len(e1)
  if len(e1) != len(e2) and len(e1) != 1 and len(e2) != 1:
    raise Exception("vectors of " + str(len(e1)) + " and " + str(len(e2)) + " elements: only single numbers are recycled")
  return [e1[i % len(e1)] + e2[i % len(e2)] for i in range(n)]
def f(e1: List[float], e2: List[float]) -> List[float]:
  n = len(e2) if len(e1) == 1 else len(e1)
  if len(e1) != len(e2) and len(e1) != 1 and len(e2) != 1:
    raise Exception("vectors of " + str(len(e1)) + " and " + str(len(e2)) + " elements: only single numbers are recycled")
  return [e1[i % len(e1)] + e2[i % len(e2)] for i in range(n)]
## -
def f(e1: int, e2: int) -> int:
  return e1 - e2
def f(e1: float, e2: float) -> float:
  return e1 - e2
def f(e1: int) -> int:
  return -e1
def f(e1: float) -> float:
  return -e1
def f(e1: List[int], e2: List[int]) -> List[int]:
  n = len(e2) if len(e1) == 1 else len(e1)
  if len(e1) != len(e2) and len(e1) != 1 and len(e2) != 1:
    raise Exception("vectors of " + str(len(e1)) + " and " + str(len(e2)) + " elements: only single numbers are recycled")
  return [e1[i % len(e1)] - e2[i % len(e2)] for i in range(n)]
def f(e1: List[float], e2: List[float]) -> List[float]:
  n = len(e2) if len(e1) == 1 else len(e1)
  if len(e1) != len(e2) and len(e1) != 1 and len(e2) != 1:
    raise Exception("vectors of " + str(len(e1)) + " and " + str(len(e2)) + " elements: only single numbers are recycled")
  return [e1[i % len(e1)] - e2[i % len(e2)] for i in range(n)]
def f(e1: List[int]) -> List[int]:
  return [-one for one in e1]
def f(e1: List[float]) -> List[float]:
  return [-one for one in e1]
## *
def f(e1: int, e2: int) -> int:
  return e1 * e2
def f(e1: float, e2: float) -> float:
  return e1 * e2
def f(e1: List[int], e2: List[int]) -> List[int]:
  n = len(e2) if len(e1) == 1 else len(e1)
  if len(e1) != len(e2) and len(e1) != 1 and len(e2) != 1:
    raise Exception("vectors of " + str(len(e1)) + " and " + str(len(e2)) + " elements: only single numbers are recycled")
  return [e1[i % len(e1)] * e2[i % len(e2)] for i in range(n)]
def f(e1: List[float], e2: List[float]) -> List[float]:
  n = len(e2) if len(e1) == 1 else len(e1)
  if len(e1) != len(e2) and len(e1) != 1 and len(e2) != 1:
    raise Exception("vectors of " + str(len(e1)) + " and " + str(len(e2)) + " elements: only single numbers are recycled")
  return [e1[i % len(e1)] * e2[i % len(e2)] for i in range(n)]
## /
def f(e1: float, e2: float) -> float:
  if e2 == 0.0:
    if e1 == 0.0 or math.isnan(e1):
      return nan
    return math.copysign(inf, e1) * math.copysign(1.0, e2)
  return e1 / e2
def f(e1: List[float], e2: List[float]) -> List[float]:
  n = len(e2) if len(e1) == 1 else len(e1)
  if len(e1) != len(e2) and len(e1) != 1 and len(e2) != 1:
    raise Exception("vectors of " + str(len(e1)) + " and " + str(len(e2)) + " elements: only single numbers are recycled")
  return [e1[i % len(e1)] / e2[i % len(e2)] for i in range(n)]
## ^ **
def f(e1: float, e2: float) -> float:
  if e1 == 1.0 or e2 == 0.0:
    return 1.0
  if e1 == 0.0 and e2 < 0.0:
    return inf
  if e1 < 0.0 and not math.isinf(e2) and float(math.floor(e2)) != e2:
    return nan
  return e1 ** e2
## %%
def f(e1: int, e2: int) -> int:
  return e1 % e2
def f(e1: float, e2: float) -> float:
  if e2 == 0.0 or math.isnan(e1) or math.isnan(e2) or math.isinf(e1):
    return nan
  part = math.fmod(e1, e2)
  if part != 0.0 and (e2 < 0.0) != (part < 0.0):
    part += e2
  return part + 0.0
## %/%
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
## ==
def f(e1: bool, e2: bool) -> bool:
  return e1 == e2
def f(e1: int, e2: int) -> bool:
  return e1 == e2
def f(e1: float, e2: float) -> bool:
  return e1 == e2
def f(e1: str, e2: str) -> bool:
  return e1 == e2
def f(e1: List[float], e2: List[float]) -> List[bool]:
  n = len(e2) if len(e1) == 1 else len(e1)
  if len(e1) != len(e2) and len(e1) != 1 and len(e2) != 1:
    raise Exception("vectors of " + str(len(e1)) + " and " + str(len(e2)) + " elements: only single numbers are recycled")
  return [e1[i % len(e1)] == e2[i % len(e2)] for i in range(n)]
## !=
def f(e1: bool, e2: bool) -> bool:
  return e1 != e2
def f(e1: int, e2: int) -> bool:
  return e1 != e2
def f(e1: float, e2: float) -> bool:
  return e1 != e2
def f(e1: str, e2: str) -> bool:
  return e1 != e2
def f(e1: List[float], e2: List[float]) -> List[bool]:
  n = len(e2) if len(e1) == 1 else len(e1)
  if len(e1) != len(e2) and len(e1) != 1 and len(e2) != 1:
    raise Exception("vectors of " + str(len(e1)) + " and " + str(len(e2)) + " elements: only single numbers are recycled")
  return [e1[i % len(e1)] != e2[i % len(e2)] for i in range(n)]
## <
def f(e1: int, e2: int) -> bool:
  return e1 < e2
def f(e1: float, e2: float) -> bool:
  return e1 < e2
def f(e1: str, e2: str) -> bool:
  return e1 < e2
def f(e1: List[float], e2: List[float]) -> List[bool]:
  n = len(e2) if len(e1) == 1 else len(e1)
  if len(e1) != len(e2) and len(e1) != 1 and len(e2) != 1:
    raise Exception("vectors of " + str(len(e1)) + " and " + str(len(e2)) + " elements: only single numbers are recycled")
  return [e1[i % len(e1)] < e2[i % len(e2)] for i in range(n)]
## >
def f(e1: int, e2: int) -> bool:
  return e1 > e2
def f(e1: float, e2: float) -> bool:
  return e1 > e2
def f(e1: str, e2: str) -> bool:
  return e1 > e2
def f(e1: List[float], e2: List[float]) -> List[bool]:
  n = len(e2) if len(e1) == 1 else len(e1)
  if len(e1) != len(e2) and len(e1) != 1 and len(e2) != 1:
    raise Exception("vectors of " + str(len(e1)) + " and " + str(len(e2)) + " elements: only single numbers are recycled")
  return [e1[i % len(e1)] > e2[i % len(e2)] for i in range(n)]
## <=
def f(e1: int, e2: int) -> bool:
  return e1 <= e2
def f(e1: float, e2: float) -> bool:
  return e1 <= e2
def f(e1: str, e2: str) -> bool:
  return e1 <= e2
def f(e1: List[float], e2: List[float]) -> List[bool]:
  n = len(e2) if len(e1) == 1 else len(e1)
  if len(e1) != len(e2) and len(e1) != 1 and len(e2) != 1:
    raise Exception("vectors of " + str(len(e1)) + " and " + str(len(e2)) + " elements: only single numbers are recycled")
  return [e1[i % len(e1)] <= e2[i % len(e2)] for i in range(n)]
## >=
def f(e1: int, e2: int) -> bool:
  return e1 >= e2
def f(e1: float, e2: float) -> bool:
  return e1 >= e2
def f(e1: str, e2: str) -> bool:
  return e1 >= e2
def f(e1: List[float], e2: List[float]) -> List[bool]:
  n = len(e2) if len(e1) == 1 else len(e1)
  if len(e1) != len(e2) and len(e1) != 1 and len(e2) != 1:
    raise Exception("vectors of " + str(len(e1)) + " and " + str(len(e2)) + " elements: only single numbers are recycled")
  return [e1[i % len(e1)] >= e2[i % len(e2)] for i in range(n)]
## !
def f(x: bool) -> bool:
  return not x
def f(x: float) -> bool:
  return x == 0.0
def f(x: Tensor) -> Tensor:
  return torch.logical_not(x)
## &
def f(e1: bool, e2: bool) -> bool:
  return e1 and e2
## |
def f(e1: bool, e2: bool) -> bool:
  return e1 or e2
## xor
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
## is.nan is.na
def f(x: float) -> bool:
  return math.isnan(x)
def f(x: int) -> bool:
  return False
def f(x: str) -> bool:
  return False
def f(x: Tensor) -> Tensor:
  return torch.isnan(x)
## is.finite
def f(x: float) -> bool:
  return math.isfinite(x)
def f(x: Tensor) -> Tensor:
  return torch.isfinite(x)
## is.infinite
def f(x: float) -> bool:
  return math.isinf(x)
def f(x: Tensor) -> Tensor:
  return torch.isinf(x)
## abs
def f(x: int) -> int:
  return abs(x)
def f(x: float) -> float:
  return abs(x)
def f(x: Tensor) -> Tensor:
  return torch.abs(x)
## sqrt
def f(x: float) -> float:
  if x < 0.0:
    return nan
  return math.sqrt(x)
def f(x: Tensor) -> Tensor:
  return torch.sqrt(x)
## exp
def f(x: float) -> float:
  return math.exp(x)
def f(x: Tensor) -> Tensor:
  return torch.exp(x)
## expm1
def f(x: float) -> float:
  return math.expm1(x)
def f(x: Tensor) -> Tensor:
  return torch.expm1(x)
## log
def f(x: float) -> float:
  if x == 0.0:
    return -inf
  if x < 0.0:
    return nan
  return math.log(x)
def f(x: float, base: float) -> float:
  return math.log(x) / math.log(base)
def f(x: Tensor) -> Tensor:
  return torch.log(x)
## log1p
def f(x: float) -> float:
  return math.log1p(x)
def f(x: Tensor) -> Tensor:
  return torch.log1p(x)
## log2
def f(x: float) -> float:
  return math.log(x) / math.log(2.0)
def f(x: Tensor) -> Tensor:
  return torch.log2(x)
## log10
def f(x: float) -> float:
  return math.log10(x)
def f(x: Tensor) -> Tensor:
  return torch.log10(x)
## sin
def f(x: float) -> float:
  return math.sin(x)
def f(x: Tensor) -> Tensor:
  return torch.sin(x)
## cos
def f(x: float) -> float:
  return math.cos(x)
def f(x: Tensor) -> Tensor:
  return torch.cos(x)
## tan
def f(x: float) -> float:
  return math.tan(x)
def f(x: Tensor) -> Tensor:
  return torch.tan(x)
## asin
def f(x: float) -> float:
  return math.asin(x)
def f(x: Tensor) -> Tensor:
  return torch.asin(x)
## acos
def f(x: float) -> float:
  return math.acos(x)
def f(x: Tensor) -> Tensor:
  return torch.acos(x)
## atan
def f(x: float) -> float:
  return math.atan(x)
def f(x: Tensor) -> Tensor:
  return torch.atan(x)
## atan2
def f(y: float, x: float) -> float:
  return math.atan2(y, x)
def f(y: Tensor, x: Tensor) -> Tensor:
  return torch.atan2(y, x)
## sinh
def f(x: float) -> float:
  return math.sinh(x)
def f(x: Tensor) -> Tensor:
  return torch.sinh(x)
## cosh
def f(x: float) -> float:
  return math.cosh(x)
def f(x: Tensor) -> Tensor:
  return torch.cosh(x)
## tanh
def f(x: float) -> float:
  return math.tanh(x)
def f(x: Tensor) -> Tensor:
  return torch.tanh(x)
## gamma
def f(x: float) -> float:
  return math.gamma(x)
## lgamma
def f(x: float) -> float:
  return math.lgamma(x)
def f(x: Tensor) -> Tensor:
  return torch.lgamma(x)
## floor
def f(x: float) -> float:
  if math.isinf(x) or math.isnan(x) or abs(x) > 4503599627370496.0:
    return x
  return float(math.floor(x))
def f(x: Tensor) -> Tensor:
  return torch.floor(x)
## ceiling
def f(x: float) -> float:
  if math.isinf(x) or math.isnan(x) or abs(x) > 4503599627370496.0:
    return x
  return math.copysign(float(math.ceil(x)), x)
def f(x: Tensor) -> Tensor:
  return torch.ceil(x)
## trunc
def f(x: float) -> float:
  if math.isinf(x) or math.isnan(x) or abs(x) > 4503599627370496.0:
    return x
  return math.copysign(float(int(x)), x)
def f(x: Tensor) -> Tensor:
  return torch.trunc(x)
## round
def f(x: float, digits: int = 0) -> float:
  if math.isinf(x) or math.isnan(x) or abs(x) > 4503599627370496.0:
    return x
  scale = 10.0 ** float(digits)
  y = x * scale
  low = float(math.floor(y))
  part = y - low
  if part > 0.5 or (part == 0.5 and low % 2.0 == 1.0):
    low = low + 1.0
  return math.copysign(low / scale, x)
def f(x: Tensor, digits: int = 0) -> Tensor:
  return torch.round(x, decimals=digits)
## sign
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
## factorial
def f(x: float) -> float:
  return float(math.floor(math.gamma(x + 1.0) + 0.5))
## min
def f(x: List[int]) -> int:
  return min(x)
def f(x: List[float]) -> float:
  for one in x:
    if math.isnan(one):
      return nan
  return min(x)
def f(x: int, y: int) -> int:
  return min(x, y)
def f(x: float, y: float) -> float:
  if math.isnan(x) or math.isnan(y):
    return nan
  return min(x, y)
def f(x: int, y: int, z: int) -> int:
  return min(min(x, y), z)
def f(x: float, y: float, z: float) -> float:
  if math.isnan(x) or math.isnan(y) or math.isnan(z):
    return nan
  return min(min(x, y), z)
def f(x: Tensor) -> Tensor:
  return torch.min(x)
## max
def f(x: List[int]) -> int:
  return max(x)
def f(x: List[float]) -> float:
  for one in x:
    if math.isnan(one):
      return nan
  return max(x)
def f(x: int, y: int) -> int:
  return max(x, y)
def f(x: float, y: float) -> float:
  if math.isnan(x) or math.isnan(y):
    return nan
  return max(x, y)
def f(x: int, y: int, z: int) -> int:
  return max(max(x, y), z)
def f(x: float, y: float, z: float) -> float:
  if math.isnan(x) or math.isnan(y) or math.isnan(z):
    return nan
  return max(max(x, y), z)
def f(x: Tensor) -> Tensor:
  return torch.max(x)
## sum
def f(x: List[int]) -> int:
  n = 0
  for one in x:
    n += one
  return n
def f(x: List[float]) -> float:
  n = 0.0
  for one in x:
    n += one
  return n
def f(x: List[bool]) -> int:
  n = 0
  for one in x:
    n += int(one)
  return n
def f(x: int, y: int) -> int:
  return x + y
def f(x: float, y: float) -> float:
  return x + y
def f(x: Tensor) -> Tensor:
  return torch.sum(x)
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
  return torch.mean(x)
## ifelse
def f(test: bool, yes: int, no: int) -> int:
  if test:
    return yes
  return no
def f(test: bool, yes: float, no: float) -> float:
  if test:
    return yes
  return no
def f(test: bool, yes: str, no: str) -> str:
  if test:
    return yes
  return no
def f(test: Tensor, yes: Tensor, no: Tensor) -> Tensor:
  return torch.where(test, yes, no)
## as.integer
def f(x: int) -> int:
  return x
def f(x: float) -> int:
  if math.isnan(x) or abs(x) > 9007199254740992.0:
    raise Exception(str(x) + " has no whole number")
  return int(x)
def f(x: bool) -> int:
  return int(x)
def f(x: str) -> int:
  return int(x)
def f(x: Tensor) -> int:
  return int(x)
## as.numeric as.double
def f(x: float) -> float:
  return x
def f(x: bool) -> float:
  return float(x)
def f(x: str) -> float:
  return float(x)
def f(x: Tensor) -> float:
  return float(x)
def f(x: List[float]) -> List[float]:
  return x
def f(x: List[int]) -> List[float]:
  return [float(one) for one in x]
## as.logical
def f(x: bool) -> bool:
  return x
def f(x: float) -> bool:
  return x != 0.0
def f(x: Tensor) -> bool:
  return bool(x)
## identical
def f(x: Tensor, y: Tensor) -> bool:
  return x is y
def f(x: int, y: int) -> bool:
  return x == y
def f(x: float, y: float) -> bool:
  return x == y
def f(x: bool, y: bool) -> bool:
  return x == y
def f(x: str, y: str) -> bool:
  return x == y
def f(x: List[int], y: List[int]) -> bool:
  return x == y
def f(x: List[float], y: List[float]) -> bool:
  return x == y
def f(x: List[bool], y: List[bool]) -> bool:
  return x == y
def f(x: List[str], y: List[str]) -> bool:
  return x == y
## bitwAnd
def f(a: int, b: int) -> int:
  return a & b
## bitwOr
def f(a: int, b: int) -> int:
  return a | b
## bitwXor
def f(a: int, b: int) -> int:
  return a ^ b
)";

}  // namespace shim::script
