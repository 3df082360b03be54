#include "script/builtins.h"

namespace shim::script {

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
  return len(x)
## toupper
def f(x: str) -> str:
  return x.upper()
## tolower
def f(x: str) -> str:
  return x.lower()
## substr substring
def f(x: str, start: int, stop: int) -> str:
  return x[max(start - 1, 0):max(stop, 0)]
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
