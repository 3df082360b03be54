#include "script/builtins.h"

namespace shim::script {

const char* const kBuiltinsOfLists = R"(
## inner:as_numbers
def f(x: List[int]) -> List[float]:
  return [float(one) for one in x]
def f(x: List[bool]) -> List[float]:
  return [float(one) for one in x]
## inner:as_whole_numbers
def f(x: List[float]) -> List[int]:
  out: List[int] = []
  for one in x:
    if math.isnan(one):
      raise Exception("NA or NaN, where a whole number is needed")
    n = int(one)
    if float(n) != one:
      raise Exception(str(one) + " is no whole number")
    out.append(n)
  return out
def f(x: List[bool]) -> List[int]:
  return [int(one) for one in x]
## inner:own
def f(x: List[T]) -> List[T]:
  return x[:]
def f(x: Dict[K, T]) -> Dict[K, T]:
  return x.copy()
def f(x: Tensor) -> Tensor:
  return x.clone()
def f(x: Optional[Tensor]) -> Optional[Tensor]:
  if x is None:
    return None
  return x.clone()
def f(x: Optional[List[T]]) -> Optional[List[T]]:
  if x is None:
    return None
  return x[:]
def f(x: Optional[Dict[K, T]]) -> Optional[Dict[K, T]]:
  if x is None:
    return None
  return x.copy()
## inner:defined
def f(x: Optional[T], message: str) -> T:
  if x is None:
    raise Exception(message)
  return x
## inner:marked
def f(x: T, has_value: bool, message: str) -> T:
  if not has_value:
    raise Exception(message)
  return x
## inner:not_null
def f(x: Optional[T]) -> T:
  if x is None:
    raise Exception("NULL, where a value is needed")
  return x
## inner:no_gaps
def f(x: List[Optional[T]]) -> List[T]:
  out: List[T] = []
  for i in range(len(x)):
    one = x[i]
    if one is None:
      raise Exception("element " + str(i + 1) + " of the list is NULL: no value was put there")
    else:
      out.append(one)
  return out
## inner:with_gaps
def f(x: List[T]) -> List[Optional[T]]:
  out: List[Optional[T]] = []
  for one in x:
    out.append(one)
  return out
## inner:push
def f(x: List[T], value: T) -> List[T]:
  x.append(value)
  return x
## inner:empty_like
def f(x: List[T]) -> List[T]:
  out: List[T] = []
  return out
## inner:first
def f(x: List[T]) -> T:
  if len(x) == 0:
    raise Exception("there is nothing to reduce, and no `init`")
  return x[0]
def f(x: Tensor) -> Tensor:
  return x[0]
## inner:same_length
def f(x: List[T], y: List[K]) -> bool:
  if len(x) != len(y):
    raise Exception("lists of " + str(len(x)) + " and " + str(len(y)) + " elements: only single values are recycled")
  return True
## inner:all_of_length
def f(x: List[List[T]], n: int) -> bool:
  for one in x:
    if len(one) != n:
      raise Exception("`FUN.VALUE` is of length " + str(n) + ", and the function gives " + str(len(one)) + " elements")
  return True
def f(x: List[T], n: int) -> bool:
  if n != 1 and len(x) > 0:
    raise Exception("`FUN.VALUE` is of length " + str(n) + ", and the function gives one")
  return True
## inner:rest
def f(x: List[T]) -> List[T]:
  return x[1:]
def f(x: Tensor) -> Tensor:
  return x[1:]
## jit_dict
def f(keys: List[K], values: List[T]) -> Dict[K, T]:
  if len(keys) != len(values):
    raise Exception("`values` must be as many as `keys`: " + str(len(keys)) + ", not " + str(len(values)) + ".")
  out: Dict[K, T] = {}
  for i in range(len(keys)):
    out[keys[i]] = values[i]
  if len(out) < len(keys):
    raise Exception("`keys` must not hold a key twice.")
  return out
## inner:no_keys
def f(keys: List[K]) -> bool:
  if len(keys) != 0:
    raise Exception("`values` must be as many as `keys`: " + str(len(keys)) + ", not 0.")
  return True
## :
def f(from_: int, to: int) -> List[int]:
  if to >= from_:
    return [one for one in range(from_, to + 1)]
  return [one for one in range(from_, to - 1, -1)]
## seq_len
def f(length_out: int) -> List[int]:
  if length_out < 0:
    raise Exception("`seq_len()` needs a number from 0 on, not " + str(length_out))
  return [one for one in range(1, length_out + 1)]
## seq seq.int
def f(from_: int, to: int) -> List[int]:
  if to >= from_:
    return [one for one in range(from_, to + 1)]
  return [one for one in range(from_, to - 1, -1)]
def f(from_: int, to: int, by: int) -> List[int]:
  if by == 0 and to == from_:
    return [from_]
  if by == 0 or (to - from_) * by < 0:
    raise Exception("`seq()`: `by` has the wrong sign")
  end = to + 1
  if by < 0:
    end = to - 1
  return [one for one in range(from_, end, by)]
def f(from_: float, to: float, by: float) -> List[float]:
  if by == 0.0 and to == from_:
    return [from_]
  if by == 0.0 or (to - from_) / by < 0.0:
    raise Exception("`seq()`: `by` has the wrong sign")
  n = int((to - from_) / by + 1e-10)
  return [from_ + float(i) * by for i in range(n + 1)]
def f(from_: float, to: float, *, length_out: int) -> List[float]:
  if length_out < 0:
    raise Exception("`seq()`: `length.out` must not be negative")
  if length_out == 1:
    return [from_]
  by = (to - from_) / float(length_out - 1)
  out = [from_ + float(i) * by for i in range(length_out)]
  if length_out > 0:
    out[length_out - 1] = to
  return out
def f(from_: int, *, by: int, length_out: int) -> List[int]:
  return [from_ + i * by for i in range(length_out)]
def f(from_: float, *, by: float, length_out: int) -> List[float]:
  return [from_ + float(i) * by for i in range(length_out)]
def f(*, to: float, by: float, length_out: int) -> List[float]:
  return [to - float(length_out - 1 - i) * by for i in range(length_out)]
def f(from_: int, *, length_out: int) -> List[int]:
  return [from_ + i for i in range(length_out)]
def f(from_: float, *, length_out: int) -> List[float]:
  return [from_ + float(i) for i in range(length_out)]
def f(*, to: int, length_out: int) -> List[int]:
  return [to - length_out + 1 + i for i in range(length_out)]
def f(*, length_out: int) -> List[int]:
  return [one for one in range(1, length_out + 1)]
def f(*, along_with: List[T]) -> List[int]:
  return [one for one in range(1, len(along_with) + 1)]
def f(from_: float, to: float) -> List[float]:
  n = int(abs(to - from_) + 1e-10)
  return [from_ + float(i if to >= from_ else -i) for i in range(n + 1)]
def f(from_: int) -> List[int]:
  if from_ >= 1:
    return [one for one in range(1, from_ + 1)]
  return [one for one in range(1, from_ - 1, -1)]
## length
def f(x: List[T]) -> int:
  return len(x)
def f(x: Dict[K, T]) -> int:
  return len(x)
def f(x: Tensor) -> int:
  return x.numel()
def f(x: Optional[int]) -> int:
  return 0 if x is None else 1
def f(x: Optional[float]) -> int:
  return 0 if x is None else 1
def f(x: Optional[bool]) -> int:
  return 0 if x is None else 1
def f(x: Optional[str]) -> int:
  return 0 if x is None else 1
## rev
def f(x: List[T]) -> List[T]:
  out: List[T] = []
  for i in range(len(x) - 1, -1, -1):
    out.append(x[i])
  return out
def f(x: Tensor) -> Tensor:
  return torch.flip(x, [0])
## inner:inserted
def f(x: List[T], values: List[T], after: int) -> List[T]:
  if after < 0:
    raise Exception("`append()` puts values behind a position from 0 on, not " + str(after))
  return x[:after] + values + x[after:]
## head
def f(x: List[T], n: int = 6) -> List[T]:
  return x[:n]
def f(x: Tensor, n: int = 6) -> Tensor:
  return x[:n]
## tail
def f(x: List[T], n: int = 6) -> List[T]:
  return x[max(len(x) - n, 0):] if n >= 0 else x[-n:]
def f(x: Tensor, n: int = 6) -> Tensor:
  return x[max(x.size(0) - n, 0):] if n >= 0 else x[-n:]
## any
def f(x: List[bool]) -> bool:
  for one in x:
    if one:
      return True
  return False
def f(x: Tensor) -> Tensor:
  return torch.any(x)
## all
def f(x: List[bool]) -> bool:
  for one in x:
    if not one:
      return False
  return True
def f(x: Tensor) -> Tensor:
  return torch.all(x)
## inner:size
def f(n: int) -> int:
  if n < 0:
    raise Exception("a length must be 0 or more, not " + str(n))
  return n
## inner:some
def f(n: int) -> int:
  if n == 0:
    raise Exception("R makes NA of elements that are not there, which a program can't hold")
  return n
## numeric double
def f(length: int = 0) -> List[float]:
  return [0.0] * size(length)
## integer
def f(length: int = 0) -> List[int]:
  return [0] * size(length)
## logical
def f(length: int = 0) -> List[bool]:
  return [False] * size(length)
## character
def f(length: int = 0) -> List[str]:
  return [""] * size(length)
## rep_len
def f(x: List[T], length_out: int) -> List[T]:
  return [x[i % some(len(x))] for i in range(size(length_out))]
## rep rep.int
def f(x: List[T], times: int) -> List[T]:
  return x * size(times)
def f(x: List[T], times: List[int]) -> List[T]:
  if len(times) != len(x):
    raise Exception("`rep()` needs one number of times for each of " + str(len(x)) + " elements, not " + str(len(times)))
  out: List[T] = []
  for i in range(len(x)):
    for j in range(size(times[i])):
      out.append(x[i])
  return out
def f(x: List[T], *, each: int) -> List[T]:
  out: List[T] = []
  for one in x:
    for i in range(size(each)):
      out.append(one)
  return out
def f(x: List[T], times: int, *, each: int) -> List[T]:
  out: List[T] = []
  for one in x:
    for i in range(size(each)):
      out.append(one)
  return out * size(times)
def f(x: List[T], *, length_out: int) -> List[T]:
  return [x[i % some(len(x))] for i in range(size(length_out))]
## inner:one_or_none
def f(x: Optional[T]) -> List[T]:
  out: List[T] = []
  if x is not None:
    out.append(x)
  return out
## inner:or_empty
def f(x: Optional[Dict[K, T]]) -> Dict[K, T]:
  if x is None:
    out: Dict[K, T] = {}
    return out
  return x
def f(x: Optional[List[T]]) -> List[T]:
  if x is None:
    out: List[T] = []
    return out
  return x
## names
def f(x: Dict[K, T]) -> List[K]:
  return list(x.keys())
## anyNA
def f(x: float) -> bool:
  return math.isnan(x)
def f(x: List[float]) -> bool:
  for one in x:
    if math.isnan(one):
      return True
  return False
def f(x: Tensor) -> bool:
  return bool(torch.isnan(x).any())
def f(x: List[T]) -> bool:
  return False
## inner:grad_mode
def f() -> bool:
  return torch.is_grad_enabled()
## inner:surely
def f() -> bool:
  return torch.is_grad_enabled() | True
## unname identity
def f(x: T) -> T:
  return x
## unlist
def f(x: Dict[K, S]) -> List[S]:
  return list(x.values())
def f(x: List[S]) -> List[S]:
  return x
def f(x: List[bool]) -> List[bool]:
  return x
def f(x: List[List[T]]) -> List[T]:
  out: List[T] = []
  for one in x:
    out.extend(one)
  return out
## inner:written
def f(x: Optional[List[T]]) -> bool:
  if x is not None:
    x.extend(x[:0])
  return True
def f(x: Optional[Dict[K, T]]) -> bool:
  if x is not None:
    none: Dict[K, T] = {}
    x.update(none)
  return True
def f(x: Optional[Tensor]) -> bool:
  if x is not None:
    x.requires_grad_(x.requires_grad)
  return True
## inner:get_or_null
def f(x: Dict[K, T], i: K) -> Optional[T]:
  return x[i] if i in x else None
## inner:as_many
def f(x: List[T], n: int) -> bool:
  if len(x) != n:
    raise Exception("a vector with names gets no elements by positions: it has " + str(n))
  return True
## inner:take_away
def f(x: List[T], i: int) -> List[T]:
  if i < 1:
    raise Exception("`x[[i]] <- NULL` takes an element away at a position from 1 on, not " + str(i))
  if i <= len(x):
    x.pop(i - 1)
  return x
def f(x: Dict[K, T], i: K) -> Dict[K, T]:
  if i in x:
    x.pop(i)
  return x
## inner:all_or_none
def f(x: List[T], i: bool) -> List[T]:
  return x if i else x[:0]
## inner:without_many
def f(x: List[T], i: List[int]) -> List[T]:
  out: List[T] = []
  keep = is_leaving_out(i)
  for at in range(len(x)):
    if (-at - 1 in i) if keep else (at + 1 not in i):
      out.append(x[at])
  return out
def f(x: List[T], i: List[bool]) -> List[T]:
  if len(i) != len(x):
    raise Exception("a mask of " + str(len(i)) + " for " + str(len(x)) + " elements")
  out: List[T] = []
  for at in range(len(x)):
    if not i[at]:
      out.append(x[at])
  return out
## inner:range_at
def f(from_: int, to: int, i: int) -> int:
  n = abs(to - from_) + 1
  if i < 1 or i > n:
    raise Exception("subscript out of bounds: position " + str(i) + " of " + str(n))
  return from_ + i - 1 if to >= from_ else from_ - i + 1
## inner:get2
def f(x: List[T], i: int) -> T:
  if i < 1 or i > len(x):
    raise Exception("subscript out of bounds: position " + str(i) + " of " + str(len(x)))
  return x[i - 1]
def f(x: Dict[str, T], i: int) -> T:
  if i < 1 or i > len(x):
    raise Exception("subscript out of bounds: position " + str(i) + " of " + str(len(x)))
  return list(x.values())[i - 1]
def f(x: Dict[K, T], i: K) -> T:
  if i not in x:
    raise Exception("there is no such name in the dictionary, so that this is NULL in R: ask `is.null()` before")
  return x[i]
## inner:within
def f(i: int, n: int) -> int:
  if i < 1 or i > n:
    raise Exception("subscript out of bounds: position " + str(i) + " of " + str(n))
  return i
## inner:get_vector
def f(x: List[T], i: int) -> T:
  if i < 0:
    raise Exception("a negative position leaves an element out where its minus is written: `x[-i]`")
  if i < 1 or i > len(x):
    raise Exception("subscript out of bounds: position " + str(i) + " of " + str(len(x)))
  return x[i - 1]
## inner:without
def f(x: List[T], i: int) -> List[T]:
  if i < 0:
    if -i > len(x):
      raise Exception("subscript out of bounds: position " + str(-i) + " of " + str(len(x)))
    return x[-i - 1:-i]
  if i == 0:
    return x[:0]
  if i > len(x):
    return x
  return x[:i - 1] + x[i:]
## inner:is_leaving_out
def f(i: List[int]) -> bool:
  if len(i) == 0 or min(i) >= 0:
    return False
  if max(i) > 0:
    raise Exception("negative positions leave elements out: they can't stand beside positive ones")
  return True
## inner:get_many
def f(x: List[T], i: List[int]) -> List[T]:
  out: List[T] = []
  if is_leaving_out(i):
    for at in range(len(x)):
      if -at - 1 not in i:
        out.append(x[at])
    return out
  for at in i:
    if at > len(x):
      raise Exception("subscript out of bounds: position " + str(at) + " of " + str(len(x)))
    if at > 0:
      out.append(x[at - 1])
  return out
def f(x: List[T], i: List[bool]) -> List[T]:
  if len(i) != len(x):
    raise Exception("a mask of " + str(len(i)) + " for " + str(len(x)) + " elements")
  out: List[T] = []
  for at in range(len(x)):
    if i[at]:
      out.append(x[at])
  return out
## inner:get_slice
def f(x: List[T], a: int, b: int, step: int) -> List[T]:
  if is_leaving_out([a, b]):
    return x[:max(-max(a, b), 1) - 1] + x[-min(a, b):]
  if max(a, b) > len(x):
    raise Exception("subscript out of bounds: " + str(a) + ":" + str(b) + " of " + str(len(x)))
  if b < a:
    out: List[T] = []
    for i in range(a, max(b, 1) - 1, -1):
      out.append(x[i - 1])
    return out
  return x[max(a - 1, 0):b:step]
## inner:put2
def f(x: List[float], i: int, value: float) -> List[float]:
  if i < 1:
    raise Exception("subscript out of bounds: position " + str(i) + " of " + str(len(x)))
  while i > len(x):
    x.append(nan)
  x[i - 1] = value
  return x
def f(x: List[T], i: int, value: T) -> List[T]:
  if i == len(x) + 1:
    x.append(value)
  elif i > len(x):
    raise Exception("position " + str(i) + " of " + str(len(x)) + ": R would put NA or NULL between, which a program can't hold here")
  elif i < 1:
    raise Exception("subscript out of bounds: position " + str(i) + " of " + str(len(x)))
  else:
    x[i - 1] = value
  return x
def f(x: Dict[K, T], i: K, value: T) -> Dict[K, T]:
  x[i] = value
  return x
## inner:put_many
def f(x: List[T], i: List[int], values: List[T]) -> List[T]:
  places = i
  if is_leaving_out(i):
    places = [0][:0]
    for at in range(len(x)):
      if -at - 1 not in i:
        places.append(at + 1)
  elif len(i) > 0 and min(i) == 0:
    places = [0][:0]
    for at in i:
      if at > 0:
        places.append(at)
  if len(places) > 0 and (len(values) == 0 or len(places) % len(values) != 0):
    raise Exception(str(len(values)) + " values for " + str(len(places)) + " elements")
  for k in range(len(places)):
    at = places[k]
    if at == len(x) + 1:
      x.append(values[k % len(values)])
    elif at < 1 or at > len(x):
      raise Exception("subscript out of bounds: position " + str(at) + " of " + str(len(x)))
    else:
      x[at - 1] = values[k % len(values)]
  return x
def f(x: List[T], i: List[bool], values: List[T]) -> List[T]:
  if len(i) != len(x):
    raise Exception("a mask of " + str(len(i)) + " for " + str(len(x)) + " elements")
  n = 0
  for one in i:
    n += int(one)
  if n > 0 and (len(values) == 0 or n % len(values) != 0):
    raise Exception(str(len(values)) + " values for " + str(n) + " elements")
  k = 0
  for at in range(len(x)):
    if i[at]:
      x[at] = values[k % len(values)]
      k += 1
  return x
)";

}  // namespace shim::script
