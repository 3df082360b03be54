#include "script/builtins.h"

namespace shim::script {

// TorchScript's strings are bytes, R's are letters of one to four of them: all but the first begin with 10.
const char* const kBuiltinsOfStrings = R"(
## as.character inner:text
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
  if abs(x) < 1e15 and float(int(x)) == x:
    return str(int(x))
  return str(x)
def f(x: Tensor) -> str:
  return str(x)
def f(x: List[T]) -> str:
  return str(x)
def f(x: Dict[K, T]) -> str:
  return str(x)
## nchar
def f(x: str) -> int:
  n = 0
  for i in range(len(x)):
    if ord(x[i]) & 192 != 128:
      n += 1
  return n
## nzchar
def f(x: str) -> bool:
  return len(x) > 0
## toupper
def f(x: str) -> str:
  for i in range(len(x)):
    if ord(x[i]) > 127:
      raise Exception("`toupper()` knows the letters from a to z alone in a program")
  return x.upper()
## tolower
def f(x: str) -> str:
  for i in range(len(x)):
    if ord(x[i]) > 127:
      raise Exception("`tolower()` knows the letters from A to Z alone in a program")
  return x.lower()
## substr substring
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
## startsWith
def f(x: str, prefix: str) -> bool:
  return x.startswith(prefix)
## endsWith
def f(x: str, suffix: str) -> bool:
  return x.endswith(suffix)
## trimws
def f(x: str) -> str:
  return x.strip()
## strtoi
def f(x: str) -> int:
  return int(x)
)";

}  // namespace shim::script
