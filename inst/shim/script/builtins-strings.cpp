#include "script/builtins.h"

namespace shim::script {

// TorchScript's strings are bytes, R's are letters of one to four of them: all but the first begin with 10.
const char* const kBuiltinsOfStrings = R"(
## inner:joined [each]
def f(x: str, between: str, y: str) -> str:
  return x + between + y
## as.character inner:text [each]
def f(x: str) -> str:
  return x
def f(x: int) -> str:
  return str(x)
def f(x: bool) -> str:
  if x:
    return "TRUE"
  return "FALSE"
def f(x: float) -> str:
  if math.isnan(x):
    return "NaN"
  if math.isinf(x):
    if x > 0.0:
      return "Inf"
    return "-Inf"
  if x == 0.0:
    return "0"
  sign = "-" if x < 0.0 else ""
  e = math.floor(math.log10(abs(x)))
  digits = 0
  for i in range(3):
    k = 14 - e
    y = abs(x)
    if k > 300:
      y *= 1e300
      k -= 300
    digits = math.floor((y * 10.0 ** float(k) if k >= 0 else y / 10.0 ** float(-k)) + 0.5)
    if digits >= 1000000000000000:
      e += 1
    elif digits < 100000000000000:
      e -= 1
  text = str(digits).rstrip("0")
  zeros = "00000000000000000000"
  n = len(text)
  right = max(n - e - 1, 0)
  fixed = max(e, 0) + 1 + (right + 1 if right > 0 else 0)
  scientific = (n + 1 if n > 1 else 1) + (5 if abs(e) >= 100 else 4)
  if fixed > scientific:
    power = str(abs(e))
    if len(power) < 2:
      power = "0" + power
    return sign + text[:1] + ("." + text[1:] if n > 1 else "") + ("e-" if e < 0 else "e+") + power
  if e < 0:
    return sign + "0." + zeros[:-e - 1] + text
  if n <= e + 1:
    return sign + text + zeros[:e + 1 - n]
  return sign + text[:e + 1] + "." + text[e + 1:]
def f(x: Tensor) -> str:
  return str(x)
def f(x: Dict[K, T]) -> str:
  return str(x)
## inner:shown
def f(x: List[T]) -> str:
  return str(x)
## nchar [each]
def f(x: str) -> int:
  n = 0
  for i in range(len(x)):
    if ord(x[i]) & 192 != 128:
      n += 1
  return n
## nzchar [each]
def f(x: str) -> bool:
  return len(x) > 0
## toupper [each]
def f(x: str) -> str:
  for i in range(len(x)):
    if ord(x[i]) > 127:
      raise Exception("`toupper()` knows the letters from a to z alone in a program")
  return x.upper()
## tolower [each]
def f(x: str) -> str:
  for i in range(len(x)):
    if ord(x[i]) > 127:
      raise Exception("`tolower()` knows the letters from A to Z alone in a program")
  return x.lower()
## substr substring [each]
def f(x: str, start: int, stop: int) -> str:
  n = 0
  begin = len(x)
  end = len(x)
  for i in range(len(x)):
    if ord(x[i]) & 192 != 128:
      n += 1
      if n == max(start, 1):
        begin = i
      if n == stop + 1:
        end = i
  if stop < 1 or begin >= end:
    return ""
  return x[begin:end]
## toString
def f(x: List[str]) -> str:
  return ", ".join(x)
def f(x: List[int]) -> str:
  return ", ".join([str(one) for one in x])
## startsWith [each]
def f(x: str, prefix: str) -> bool:
  return x.startswith(prefix)
## endsWith [each]
def f(x: str, suffix: str) -> bool:
  return x.endswith(suffix)
## trimws [each]
def f(x: str) -> str:
  return x.strip()
## strtoi [each]
def f(x: str) -> int:
  return int(x)
## strsplit
def f(x: str, split: str, fixed: bool = False) -> List[List[str]]:
  if not fixed:
    for i in range(len(split)):
      if split[i] in ".\\|()[{^$*+?":
        raise Exception("patterns are not compiled: say `fixed = TRUE` where \"" + split + "\" means itself")
  parts: List[str] = []
  if len(split) > 0:
    parts = x.split(split)
  else:
    for i in range(len(x)):
      if ord(x[i]) & 192 != 128:
        parts.append("")
      parts[-1] += x[i]
  if len(parts) > 0 and len(parts[-1]) == 0:
    parts.pop()
  return [parts]
)";

}  // namespace shim::script
