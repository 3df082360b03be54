#include "script/builtins.h"

namespace shim::script {

// TorchScript's strings are bytes, R's are letters of one to four of them: all but the first begin with 10.
const char* const kBuiltinsOfStrings = R"(
## inner:joined [each]
def f(x: str, between: str, y: str) -> str:
  return x + between + y
## inner:or_blank
def f(x: List[str], n: int) -> List[str]:
  return [""] if n > 0 and len(x) == 0 else x
## inner:lost
def f(a: float, b: float, product: float) -> float:
  c = 134217729.0 * a
  d = 134217729.0 * b
  high_a = c - (c - a)
  high_b = d - (d - b)
  low_a = a - high_a
  low_b = b - high_b
  return ((high_a * high_b - product) + high_a * low_b + low_a * high_b) + low_a * low_b
## inner:decimal
def f(x: float, digits: int) -> Tuple[int, int]:
  e = 0 if x == 0.0 else math.floor(math.log10(x))
  n = 0
  for attempt in range(3):
    high = x
    low = 0.0
    power = digits - 1 - e
    while power != 0:
      step = min(max(power, -22), 22)
      scale = 10.0 ** float(abs(step))
      if step > 0:
        moved = high * scale
        low = lost(high, scale, moved) + low * scale
      else:
        unit = 18446744073709551616.0 if high > 1e290 else 1.0
        moved = high / unit / scale
        low = (low / unit - lost(moved, scale, high / unit)) / scale * unit
        moved = moved * unit
      high = moved
      power -= step
    n = math.floor(high)
    part = (high - float(n)) + low
    if part > 0.5 or (part == 0.5 and n % 2 == 1):
      n += 1
    if n >= int(10.0 ** float(digits)):
      e += 1
    elif x > 0.0 and n < int(10.0 ** float(digits - 1)):
      e -= 1
    else:
      return (n, e)
  return (n, e)
## inner:whole_text
def f(x: float) -> str:
  if x < 9223372036854774784.0:
    return str(math.floor(x))
  if x > 1e22:
    raise Exception("`sprintf()` writes numbers as large as this by `%e` and `%g` alone in a program")
  part = math.floor(x / 2048.0)
  low = (part % 1000000) * 2048
  return str((part // 1000000) * 2048 + low // 1000000) + str(low % 1000000).zfill(6)
## inner:power
def f(e: int) -> str:
  return ("e-" if e < 0 else "e+") + str(abs(e)).zfill(2)
## inner:number_text
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
  whole, e = decimal(abs(x), 15)
  text = str(whole).rstrip("0")
  n = len(text)
  right = max(n - e - 1, 0)
  plain = max(e, 0) + 1 + (right + 1 if right > 0 else 0)
  scientific = (n + 1 if n > 1 else 1) + (5 if abs(e) >= 100 else 4)
  if plain > scientific:
    return sign + text[:1] + ("." + text[1:] if n > 1 else "") + power(e)
  if e < 0:
    return sign + "0." + "".ljust(-e - 1, "0") + text
  if n <= e + 1:
    return sign + fixed(abs(x), 0, "")
  return sign + text[:e + 1] + "." + text[e + 1:]
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
  return number_text(x)
def f(x: Tensor) -> str:
  return str(x)
def f(x: Dict[K, T]) -> str:
  return str(x)
## inner:shown
def f(x: List[T]) -> str:
  return str(x)
## inner:is_plain
def f(x: str) -> bool:
  # One operator that looks for letters of one byte. A loop over bytes takes 100 ns for each.
  return len(x.lstrip("\t\n !\"#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[\\]^_`abcdefghijklmnopqrstuvwxyz{|}~")) == 0
## inner:letters
def f(x: str) -> int:
  if is_plain(x):
    return len(x)
  n = 0
  for i in range(len(x)):
    if ord(x[i]) & 192 != 128:
      n += 1
  return n
## nchar [each]
def f(x: str, type: str = "chars") -> int:
  if type == "bytes":
    return len(x)
  if type != "chars" and not (type == "width" and is_plain(x)):
    raise Exception("the `type` of `nchar()` must be \"chars\" or \"bytes\" in a program")
  return letters(x)
def f(x: int, type: str = "chars") -> int:
  return len(str(x))
def f(x: float, type: str = "chars") -> int:
  return len(number_text(x))
## nzchar [each]
def f(x: str) -> bool:
  return len(x) > 0
## toupper [each]
def f(x: str) -> str:
  if not is_plain(x):
    for i in range(len(x)):
      if ord(x[i]) > 127:
        raise Exception("`toupper()` knows the letters from a to z alone in a program")
  return x.upper()
## tolower [each]
def f(x: str) -> str:
  if not is_plain(x):
    for i in range(len(x)):
      if ord(x[i]) > 127:
        raise Exception("`tolower()` knows the letters from A to Z alone in a program")
  return x.lower()
## substring [each]
def f(text: str, first: int) -> str:
  return letters_of(text, first, 1000000)
def f(text: str, first: int, last: int) -> str:
  return letters_of(text, first, last)
## substr inner:letters_of [each]
def f(x: str, start: int, stop: int) -> str:
  if is_plain(x):
    first = max(start, 1) - 1
    return x[first:stop] if first < stop else ""
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
## strrep [each]
def f(x: str, times: int) -> str:
  if times < 0:
    raise Exception("`strrep()` needs a number from 0 on, not " + str(times))
  return "".join([x] * times)
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
def f(x: str, which: str = "both", whitespace: str = "[ \t\015\n]") -> str:
  if whitespace != "[ \t\015\n]":
    raise Exception("patterns are not compiled: `trimws()` takes blanks away, and has no `whitespace` in a program")
  if which == "left":
    return x.lstrip(" \t\015\n")
  if which == "right":
    return x.rstrip(" \t\015\n")
  if which != "both":
    raise Exception("the `which` of `trimws()` must be \"both\", \"left\" or \"right\"")
  return x.strip(" \t\015\n")
## strtoi inner:from_digits [each]
def f(x: str, base: int) -> int:
  text = x.lstrip().lower()
  minus = text.startswith("-")
  if minus or text.startswith("+"):
    text = text[1:]
  if (base == 0 or base == 16) and text.startswith("0x"):
    base = 16
    text = text[2:]
  elif base == 0:
    base = 8 if text.startswith("0") else 10
  n = 0 if len(text) > 0 else -1
  for i in range(len(text)):
    digit = "0123456789abcdefghijklmnopqrstuvwxyz".find(text[i])
    if digit < 0 or digit >= base or n < 0 or n > 2147483647:
      n = -1
    else:
      n = n * base + digit
  if n < 0 or n > 2147483647:
    raise Exception("`strtoi()` of \"" + x + "\" is NA in R, which is no whole number of a program's")
  return -n if minus else n
def f(x: str) -> int:
  return from_digits(x, 0)
## utf8ToInt
def f(x: str) -> List[int]:
  out: List[int] = []
  for i in range(len(x)):
    byte = ord(x[i])
    if byte & 192 == 128:
      out[-1] = out[-1] * 64 + (byte & 63)
    elif byte < 128:
      out.append(byte)
    else:
      out.append(byte & (7 if byte >= 240 else (15 if byte >= 224 else 31)))
  return out
## inner:letter
def f(code: int) -> str:
  if code < 0 or code > 1114111:
    raise Exception("`intToUtf8()` of " + str(code) + ", which is no letter")
  if code == 0:
    return ""
  if code < 128:
    return chr(code)
  if code < 2048:
    return chr(192 + code // 64) + chr(128 + code % 64)
  if code < 65536:
    return chr(224 + code // 4096) + chr(128 + code // 64 % 64) + chr(128 + code % 64)
  return chr(240 + code // 262144) + chr(128 + code // 4096 % 64) + chr(128 + code // 64 % 64) + chr(128 + code % 64)
## intToUtf8
def f(x: List[int]) -> str:
  return "".join([letter(one) for one in x])
## inner:letters_of_codes
def f(x: List[int]) -> List[str]:
  return [letter(one) for one in x]
## chartr [each]
def f(old: str, new: str, x: str) -> str:
  n = letters(old)
  if n > letters(new):
    raise Exception("`old` of `chartr()` is longer than `new`")
  out: List[str] = []
  for i in range(letters(x)):
    one = letters_of(x, i + 1, i + 1)
    for k in range(n, 0, -1):
      if letters_of(old, k, k) == letters_of(x, i + 1, i + 1):
        one = letters_of(new, k, k)
    out.append(one)
  return "".join(out)
## inner:plain_pattern
def f(pattern: str, fixed: bool) -> bool:
  if not fixed:
    for i in range(len(pattern)):
      if pattern[i] in ".\\|()[{^$*+?":
        raise Exception("patterns are not compiled: say `fixed = TRUE` where \"" + pattern + "\" means itself")
  return True
## grepl
def f(pattern: str, x: str, *, fixed: bool = False) -> bool:
  plain_pattern(pattern, fixed)
  return pattern in x
def f(pattern: str, x: List[str], *, fixed: bool = False) -> List[bool]:
  plain_pattern(pattern, fixed)
  return [pattern in one for one in x]
## gsub
def f(pattern: str, replacement: str, x: str, *, fixed: bool = False) -> str:
  plain_pattern(pattern, fixed)
  return x.replace(pattern, replacement)
def f(pattern: str, replacement: str, x: List[str], *, fixed: bool = False) -> List[str]:
  plain_pattern(pattern, fixed)
  return [one.replace(pattern, replacement) for one in x]
## sub
def f(pattern: str, replacement: str, x: str, *, fixed: bool = False) -> str:
  plain_pattern(pattern, fixed)
  at = x.find(pattern)
  if at < 0:
    return x
  return x[:at] + replacement + x[at + len(pattern):]
## inner:split_up
def f(x: str, split: str, fixed: bool) -> List[str]:
  plain_pattern(split, fixed)
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
  return parts
## strsplit
def f(x: str, split: str, fixed: bool = False) -> List[List[str]]:
  return [split_up(x, split, fixed)]
def f(x: List[str], split: str, fixed: bool = False) -> List[List[str]]:
  return [split_up(one, split, fixed) for one in x]
## inner:padded
def f(sign: str, text: str, flags: str, width: int) -> str:
  n = width - len(sign) - letters(text)
  if n <= 0:
    return sign + text
  if "-" in flags:
    return sign + text + "".ljust(n, " ")
  if "0" in flags:
    return sign + "".ljust(n, "0") + text
  return "".ljust(n, " ") + sign + text
## inner:sign
def f(minus: bool, flags: str) -> str:
  if minus:
    return "-"
  return "+" if "+" in flags else (" " if " " in flags else "")
## inner:format_string [each]
def f(x: str, flags: str = "", width: int = 0, digits: int = -1) -> str:
  text = letters_of(x, 1, digits) if digits >= 0 else x
  if width < 0:
    return padded("", text, "-", -width)
  return padded("", text, flags.replace("0", ""), width)
## inner:format_whole [each]
def f(x: int, kind: str = "d", flags: str = "", width: int = 0, digits: int = -1) -> str:
  text = ""
  if kind == "d":
    text = str(abs(x))
  else:
    if x < 0:
      raise Exception("`sprintf()` writes no negative numbers by `%" + kind + "` in a program")
    base = 8 if kind == "o" else 16
    n = x
    while n > 0 or len(text) == 0:
      digit = n % base
      text = ("0123456789ABCDEF" if kind == "X" else "0123456789abcdef")[digit:digit + 1] + text
      n = n // base
  if digits >= 0:
    text = text.zfill(digits)
  start = sign(x < 0, flags) if kind == "d" else ""
  if "#" in flags and kind != "d" and x != 0:
    start = "0" if kind == "o" else "0" + kind
  if width < 0:
    return padded(start, text, "-", -width)
  return padded(start, text, flags.replace("0", "") if digits >= 0 else flags, width)
## inner:fixed
def f(x: float, digits: int, flags: str) -> str:
  if x >= 4503599627370496.0:
    return whole_text(x) + ("." + "".ljust(digits, "0") if digits > 0 else ("." if "#" in flags else ""))
  whole = math.floor(x)
  scale = 10.0 ** float(digits)
  part = (x - float(whole)) * scale
  low = lost(x - float(whole), scale, part)
  n = math.floor(part)
  left = (part - float(n)) + low
  if left > 0.5 or (left == 0.5 and (whole if digits == 0 else n) % 2 == 1):
    n += 1
  if n >= int(scale):
    whole += 1
    n -= int(scale)
  if digits == 0:
    return str(whole) + ("." if "#" in flags else "")
  return str(whole) + "." + str(n).zfill(digits)
## inner:scientific
def f(n: int, e: int, digits: int, flags: str) -> str:
  text = str(n).zfill(digits + 1)
  return text[:1] + ("." if digits > 0 or "#" in flags else "") + text[1:] + power(e)
## inner:general
def f(x: float, digits: int, flags: str) -> str:
  n, e = decimal(x, digits)
  text = str(n).zfill(digits)
  if "#" not in flags:
    text = text.rstrip("0")
  size = len(text)
  if e < -4 or e >= digits:
    return text[:1] + ("." + text[1:] if size > 1 else "") + power(e)
  if e < 0:
    return "0." + "".ljust(-e - 1, "0") + text
  if size <= e + 1:
    return text.ljust(e + 1, "0") + ("." if "#" in flags else "")
  return text[:e + 1] + "." + text[e + 1:]
## inner:format_number [each]
def f(x: float, kind: str = "f", flags: str = "", width: int = 0, digits: int = 6) -> str:
  if width < 0:
    flags = flags + "-"
    width = -width
  if math.isnan(x):
    return padded("", " NaN" if " " in flags else "NaN", "-" if "-" in flags else "", width)
  start = sign(math.copysign(1.0, x) < 0.0, flags)
  if math.isinf(x):
    return padded(start, "Inf", flags.replace("0", ""), width)
  size = abs(x)
  lower = kind.lower()
  text = ""
  if lower == "f":
    text = fixed(size, digits, flags)
  elif lower == "e":
    n, e = decimal(size, digits + 1)
    text = scientific(n, e, digits, flags)
  else:
    text = general(size, max(digits, 1), flags)
  return padded(start, text.upper() if kind != lower else text, flags, width)
)";

}  // namespace shim::script
