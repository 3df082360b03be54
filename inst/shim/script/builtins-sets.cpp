#include "script/builtins.h"

namespace shim::script {

// Order, sets, and positions of values. NaN equals NaN, as in R.
const char* const kBuiltinsOfSets = R"(
## sort
def f(x: List[S], decreasing: bool = False) -> List[S]:
  out: List[S] = []
  for one in x:
    if not is_nan(one):
      out.append(one)
  out.sort(decreasing)
  return out
def f(x: Tensor, decreasing: bool = False) -> Tensor:
  return torch.sort(x, 0, decreasing)[0]
## order
def f(x: List[S], decreasing: bool = False) -> List[int]:
  # Equal values stand in the order of their positions, and NaN last, whatever the order.
  keys: List[Tuple[S, int]] = []
  last: List[int] = []
  for i in range(len(x)):
    if is_nan(x[i]):
      last.append(i + 1)
    else:
      keys.append((x[i], -i - 1 if decreasing else i + 1))
  keys.sort(decreasing)
  return [abs(key[1]) for key in keys] + last
## inner:distinct
def f(x: List[S], left_out: List[S]) -> List[S]:
  out: List[S] = []
  seen: Dict[S, bool] = {}
  no_nan = True
  for one in left_out:
    if is_nan(one):
      no_nan = False
    else:
      seen[one] = True
  for one in x:
    if is_nan(one):
      if no_nan:
        out.append(one)
      no_nan = False
    elif one not in seen:
      seen[one] = True
      out.append(one)
  return out
## unique
def f(x: List[S]) -> List[S]:
  return distinct(x, x[:0])
## duplicated
def f(x: List[S]) -> List[bool]:
  out: List[bool] = []
  seen: Dict[S, bool] = {}
  no_nan = True
  for one in x:
    if is_nan(one):
      out.append(not no_nan)
      no_nan = False
    else:
      out.append(one in seen)
      seen[one] = True
  return out
## union
def f(x: List[S], y: List[S]) -> List[S]:
  return distinct(x + y, x[:0])
## intersect
def f(x: List[S], y: List[S]) -> List[S]:
  out: List[S] = []
  open: Dict[S, bool] = {}
  nan_open = False
  for one in y:
    if is_nan(one):
      nan_open = True
    else:
      open[one] = True
  for one in x:
    if is_nan(one):
      if nan_open:
        out.append(one)
      nan_open = False
    elif one in open:
      if open[one]:
        out.append(one)
      open[one] = False
  return out
## setdiff
def f(x: List[S], y: List[S]) -> List[S]:
  return distinct(x, y)
## %in% is.element
def f(x: S, table: List[S]) -> bool:
  if is_nan(x):
    for one in table:
      if is_nan(one):
        return True
  return x in table
def f(x: str, table: Dict[str, T]) -> bool:
  return x in table
def f(x: List[S], table: List[S]) -> List[bool]:
  seen: Dict[S, bool] = {}
  nan_in = False
  for one in table:
    if is_nan(one):
      nan_in = True
    else:
      seen[one] = True
  return [one in seen or (nan_in and is_nan(one)) for one in x]
## inner:found_at
def f(at: int) -> int:
  if at == 0:
    raise Exception("`Position()` finds nothing, which is NA in R: ask `any(sapply(x, f))` before")
  return at
## match
def f(x: S, table: List[S], nomatch: Optional[int] = None) -> int:
  for i in range(len(table)):
    if table[i] == x or (is_nan(x) and is_nan(table[i])):
      return i + 1
  if nomatch is None:
    raise Exception("`match()` finds nothing, which is NA in R: say `nomatch`, or ask `%in%` before")
  return nomatch
def f(x: List[S], table: List[S], nomatch: Optional[int] = None) -> List[int]:
  out: List[int] = []
  places: Dict[S, int] = {}
  place_of_nan = 0
  for i in range(len(table) - 1, -1, -1):
    if is_nan(table[i]):
      place_of_nan = i + 1
    else:
      places[table[i]] = i + 1
  for one in x:
    at = place_of_nan if is_nan(one) else 0
    if one in places:
      at = places[one]
    if at == 0:
      if nomatch is None:
        raise Exception("`match()` finds nothing, which is NA in R: say `nomatch`, or ask `%in%` before")
      at = nomatch
    out.append(at)
  return out
## findInterval
def f(x: float, vec: List[float]) -> int:
  n = 0
  for one in vec:
    if x >= one:
      n += 1
  return n
def f(x: List[float], vec: List[float]) -> List[int]:
  out: List[int] = []
  for at in x:
    n = 0
    for one in vec:
      if at >= one:
        n += 1
    out.append(n)
  return out
## which
def f(x: List[bool]) -> List[int]:
  out: List[int] = []
  for i in range(len(x)):
    if x[i]:
      out.append(i + 1)
  return out
def f(x: Tensor) -> Tensor:
  if x.dtype != torch.bool or x.dim() != 1:
    raise Exception("`which()` takes a bool tensor of one dimension. Use `torch_nonzero(x)`.")
  return torch.nonzero(x).squeeze(1) + 1
## inner:place_of
def f(x: List[float], largest: bool, name: str) -> int:
  at = -1
  for i in range(len(x)):
    if not math.isnan(x[i]) and (at < 0 or (x[i] > x[at] if largest else x[i] < x[at])):
      at = i
  if at < 0:
    raise Exception("`" + name + "()` of no numbers")
  return at + 1
## inner:row
def f(x: Tensor, name: str, other: str) -> Tensor:
  if x.dim() != 1:
    raise Exception("`" + name + "()` takes a tensor of one dimension. Use `" + other + "(x, dim = )`.")
  return x
## which.max
def f(x: List[float]) -> int:
  return place_of(x, True, "which.max")
def f(x: Tensor) -> Tensor:
  return torch.argmax(row(x, "which.max", "torch_argmax")) + 1
## which.min
def f(x: List[float]) -> int:
  return place_of(x, False, "which.min")
def f(x: Tensor) -> Tensor:
  return torch.argmin(row(x, "which.min", "torch_argmin")) + 1
)";

}  // namespace shim::script
