#include "script/builtins.h"

namespace shim::script {

// Densities, distribution functions and quantiles, and functions of samples. Parameters without defaults may be vectors;
// so a function has a form for each number of parameters that is given.
const char* const kBuiltinsOfStatistics = R"(
## inner:density
def f(log_density: float, log: bool) -> float:
  return log_density if log else math.exp(log_density)
## inner:tail
def f(p: float, lower_tail: bool) -> float:
  return p if lower_tail else 1.0 - p
## inner:log_beta
def f(a: float, b: float) -> float:
  return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
## inner:x_log_y
def f(x: float, y: float) -> float:
  if x == 0.0:
    return 0.0
  if y == 0.0:
    return -inf if x > 0.0 else inf
  return x * math.log(y)
## inner:log_normal
def f(x: float, mean: float, sd: float) -> float:
  z = (x - mean) / sd
  return -0.91893853320467274178 - math.log(sd) - 0.5 * z * z
## inner:of_normal
def f(q: float, lower_tail: bool) -> float:
  return 0.5 * math.erfc((-q if lower_tail else q) * 0.70710678118654752440)
## inner:normal_quantile
def f(p: float) -> float:
  return float(torch.ops.aten.special_ndtri(torch.full([1], p, dtype=torch.float64)))
## inner:of_logistic
def f(q: float, lower_tail: bool) -> float:
  if not lower_tail:
    q = -q
  if q >= 0.0:
    return 1.0 / (1.0 + math.exp(-q))
  return math.exp(q) / (1.0 + math.exp(q))
## dnorm [each]
def f(x: float, *, log: bool = False) -> float:
  return density(log_normal(x, 0.0, 1.0), log)
def f(x: float, mean: float, *, log: bool = False) -> float:
  return density(log_normal(x, mean, 1.0), log)
def f(x: float, *, sd: float, log: bool = False) -> float:
  return density(log_normal(x, 0.0, sd), log)
def f(x: float, mean: float, sd: float, log: bool = False) -> float:
  return density(log_normal(x, mean, sd), log)
## pnorm [each]
def f(q: float, *, lower_tail: bool = True) -> float:
  return of_normal(q, lower_tail)
def f(q: float, mean: float, *, lower_tail: bool = True) -> float:
  return of_normal(q - mean, lower_tail)
def f(q: float, *, sd: float, lower_tail: bool = True) -> float:
  return of_normal(q / sd, lower_tail)
def f(q: float, mean: float, sd: float, lower_tail: bool = True) -> float:
  return of_normal((q - mean) / sd, lower_tail)
## qnorm [each]
def f(p: float) -> float:
  return normal_quantile(p)
def f(p: float, mean: float) -> float:
  return mean + normal_quantile(p)
def f(p: float, *, sd: float) -> float:
  return sd * normal_quantile(p)
def f(p: float, mean: float, sd: float) -> float:
  return mean + sd * normal_quantile(p)
## plogis [each]
def f(q: float, *, lower_tail: bool = True) -> float:
  return of_logistic(q, lower_tail)
def f(q: float, location: float, scale: float, lower_tail: bool = True) -> float:
  return of_logistic((q - location) / scale, lower_tail)
## qlogis [each]
def f(p: float) -> float:
  if p == 0.0:
    return -inf
  if p == 1.0:
    return inf
  return math.log(p) - math.log1p(-p) if p > 0.0 and p < 1.0 else nan
## dexp [each]
def f(x: float, rate: float = 1.0, log: bool = False) -> float:
  return density(math.log(rate) - rate * x if x >= 0.0 else -inf, log)
## pexp [each]
def f(q: float, rate: float = 1.0, lower_tail: bool = True) -> float:
  p = -math.expm1(-rate * q) if q > 0.0 else 0.0
  return p if lower_tail else (math.exp(-rate * q) if q > 0.0 else 1.0)
## qexp [each]
def f(p: float, rate: float = 1.0) -> float:
  if p == 1.0:
    return inf
  return -math.log1p(-p) / rate if p >= 0.0 and p < 1.0 else nan
## dunif [each]
def f(x: float, min: float = 0.0, max: float = 1.0, log: bool = False) -> float:
  return density(-math.log(max - min) if x >= min and x <= max else -inf, log)
## punif [each]
def f(q: float, min: float = 0.0, max: float = 1.0, lower_tail: bool = True) -> float:
  p = (q - min) / (max - min)
  return tail(0.0 if p < 0.0 else (1.0 if p > 1.0 else p), lower_tail)
## qunif [each]
def f(p: float, min: float = 0.0, max: float = 1.0) -> float:
  return min + p * (max - min) if p >= 0.0 and p <= 1.0 else nan
## dgamma [each]
def f(x: float, shape: float, rate: float, log: bool = False) -> float:
  if x < 0.0 or (x == 0.0 and shape > 1.0):
    return density(-inf, log)
  return density(shape * math.log(rate) + x_log_y(shape - 1.0, x) - rate * x - math.lgamma(shape), log)
def f(x: float, shape: float, *, scale: float, log: bool = False) -> float:
  if x < 0.0 or (x == 0.0 and shape > 1.0):
    return density(-inf, log)
  return density(x_log_y(shape - 1.0, x) - x / scale - math.lgamma(shape) - shape * math.log(scale), log)
## dbeta [each]
def f(x: float, shape1: float, shape2: float, log: bool = False) -> float:
  if x < 0.0 or x > 1.0:
    return density(-inf, log)
  return density(x_log_y(shape1 - 1.0, x) + x_log_y(shape2 - 1.0, 1.0 - x) - log_beta(shape1, shape2), log)
## dt [each]
def f(x: float, df: float, *, log: bool = False) -> float:
  scale = math.lgamma(0.5 * (df + 1.0)) - math.lgamma(0.5 * df) - 0.5 * math.log(df * math.pi)
  return density(scale - 0.5 * (df + 1.0) * math.log1p(x * x / df), log)
## dcauchy [each]
def f(x: float, location: float = 0.0, scale: float = 1.0, log: bool = False) -> float:
  z = (x - location) / scale
  return density(-math.log(math.pi * scale) - math.log1p(z * z), log)
## dpois [each]
def f(x: float, lambda_: float, log: bool = False) -> float:
  if x < 0.0 or x % 1.0 != 0.0:
    return density(-inf, log)
  return density(x_log_y(x, lambda_) - lambda_ - math.lgamma(x + 1.0), log)
## dbinom [each]
def f(x: float, size: float, prob: float, log: bool = False) -> float:
  if x < 0.0 or x > size or x % 1.0 != 0.0:
    return density(-inf, log)
  ways = math.lgamma(size + 1.0) - math.lgamma(x + 1.0) - math.lgamma(size - x + 1.0)
  return density(ways + x_log_y(x, prob) + x_log_y(size - x, 1.0 - prob), log)
## choose [each]
def f(n: float, k: float) -> float:
  times = int(k + 0.5) if k >= 0.0 else -1
  if times < 0:
    return 0.0
  out = 1.0
  for i in range(times):
    out = out * (n - float(i)) / float(i + 1)
  return float(math.floor(out + 0.5)) if n % 1.0 == 0.0 and abs(out) < 4503599627370496.0 else out
## lchoose [each]
def f(n: float, k: float) -> float:
  return math.lgamma(n + 1.0) - math.lgamma(k + 1.0) - math.lgamma(n - k + 1.0)
## beta [each]
def f(a: float, b: float) -> float:
  return math.exp(log_beta(a, b))
## lbeta [each]
def f(a: float, b: float) -> float:
  return log_beta(a, b)
## lfactorial [each]
def f(x: float) -> float:
  return math.lgamma(x + 1.0)
## digamma [each]
def f(x: float) -> float:
  return float(torch.digamma(torch.full([1], x, dtype=torch.float64)))
def f(x: Tensor) -> Tensor:
  return torch.digamma(x)
## inner:trigamma_of
def f(x: float) -> float:
  # By its recurrence up to where the asymptotic series holds; LibTorch's is right to seven digits only.
  out = 0.0
  while x < 12.0:
    out += 1.0 / (x * x)
    x += 1.0
  y = 1.0 / (x * x)
  series = 1.0 / 6.0 - y * (1.0 / 30.0 - y * (1.0 / 42.0 - y * (1.0 / 30.0 - y * 5.0 / 66.0)))
  return out + 1.0 / x + 0.5 * y + series * y / x
## trigamma [each]
def f(x: float) -> float:
  if x > 0.0:
    return trigamma_of(x)
  if x % 1.0 == 0.0:
    return inf
  reflected = math.pi / math.sin(math.pi * x)
  return reflected * reflected - trigamma_of(1.0 - x)
def f(x: Tensor) -> Tensor:
  return torch.polygamma(1, x)
## inner:quantile_of
def f(x: List[float], prob: float) -> float:
  if prob < 0.0 or prob > 1.0:
    raise Exception("a probability must lie between 0 and 1")
  sorted_x = sorted(x)
  if len(x) == 0 or math.isnan(sum(x) * 0.0):
    for one in x:
      if math.isnan(one):
        raise Exception("`quantile()` of numbers with NaN")
    if len(x) == 0:
      return nan
  at = float(len(x) - 1) * prob
  low = int(at + 4e-15)
  part = at - float(low)
  if abs(part) < 4e-15 or sorted_x[low] == sorted_x[low + 1]:
    return sorted_x[low]
  return (1.0 - part) * sorted_x[low] + part * sorted_x[low + 1]
## quantile
def f(x: List[float], probs: float) -> float:
  return quantile_of(x, probs)
def f(x: List[float], probs: List[float]) -> List[float]:
  return [quantile_of(x, one) for one in probs]
def f(x: List[float]) -> List[float]:
  return [quantile_of(x, one) for one in [0.0, 0.25, 0.5, 0.75, 1.0]]
## inner:middle
def f(x: List[float]) -> float:
  for one in x:
    if math.isnan(one):
      return nan
  n = len(x)
  if n == 0:
    return nan
  sorted_x = sorted(x)
  if n % 2 == 1:
    return sorted_x[n // 2]
  return (0.0 + sorted_x[n // 2 - 1] + sorted_x[n // 2]) / 2.0
## median
def f(x: List[float]) -> float:
  return middle(x)
## IQR
def f(x: List[float]) -> float:
  return quantile_of(x, 0.75) - quantile_of(x, 0.25)
## mad
def f(x: List[float], *, constant: float = 1.4826) -> float:
  center = middle(x)
  return constant * middle([abs(one - center) for one in x])
## weighted.mean
def f(x: List[float], w: List[float]) -> float:
  if len(x) != len(w):
    raise Exception("`weighted.mean()` needs as many weights as numbers")
  total = 0.0
  weights = 0.0
  for one in w:
    weights += one
  for i in range(len(x)):
    if w[i] != 0.0:
      total += x[i] * (w[i] / weights)
  return total
## inner:covariance
def f(x: List[float], y: List[float]) -> float:
  if len(x) != len(y):
    raise Exception("vectors of " + str(len(x)) + " and " + str(len(y)) + " elements")
  n = len(x)
  if n < 2:
    return nan
  mean_x = 0.0
  mean_y = 0.0
  for i in range(n):
    mean_x += x[i]
    mean_y += y[i]
  mean_x /= float(n)
  mean_y /= float(n)
  total = 0.0
  for i in range(n):
    total += (x[i] - mean_x) * (y[i] - mean_y)
  return total / float(n - 1)
## cov
def f(x: List[float], y: List[float]) -> float:
  return covariance(x, y)
## cor
def f(x: List[float], y: List[float]) -> float:
  size = math.sqrt(covariance(x, x)) * math.sqrt(covariance(y, y))
  return covariance(x, y) / size if size != 0.0 else nan
## rank
def f(x: List[float]) -> List[float]:
  keys: List[Tuple[float, int]] = []
  for i in range(len(x)):
    if math.isnan(x[i]):
      raise Exception("`rank()` of numbers with NaN")
    keys.append((x[i], i))
  keys.sort()
  out = [0.0] * len(x)
  first = 0
  # Equal numbers have the mean of their places.
  for i in range(len(keys)):
    if i + 1 == len(keys) or keys[i + 1][0] != keys[i][0]:
      for k in range(first, i + 1):
        out[keys[k][1]] = float(first + i) / 2.0 + 1.0
      first = i + 1
  return out
## tabulate
def f(bin: List[int], nbins: int) -> List[int]:
  out = [0] * nbins
  for one in bin:
    if one >= 1 and one <= nbins:
      out[one - 1] += 1
  return out
def f(bin: List[int]) -> List[int]:
  n = 1
  for one in bin:
    n = max(n, one)
  out = [0] * n
  for one in bin:
    if one >= 1:
      out[one - 1] += 1
  return out
## diff
def f(x: List[N]) -> List[N]:
  return [x[i] - x[i - 1] for i in range(1, len(x))]
## cumprod
def f(x: Tensor) -> Tensor:
  return torch.cumprod(x, 0)
def f(x: List[float]) -> List[float]:
  out: List[float] = []
  n = 1.0
  for one in x:
    n *= one
    out.append(n)
  return out
## inner:extremes
def f(x: List[N], largest: bool) -> List[N]:
  out: List[N] = []
  for one in x:
    last = out[-1] if len(out) > 0 else one
    out.append(one if is_nan(one) or (one >= last if largest else one <= last) else last)
  return out
## cummax
def f(x: Tensor) -> Tensor:
  return torch.cummax(x, 0)[0]
def f(x: List[N]) -> List[N]:
  return extremes(x, True)
## cummin
def f(x: Tensor) -> Tensor:
  return torch.cummin(x, 0)[0]
def f(x: List[N]) -> List[N]:
  return extremes(x, False)
## cumsum
def f(x: List[N]) -> List[N]:
  out: List[N] = []
  n = N(0)
  for one in x:
    n += one
    out.append(n)
  return out
def f(x: Tensor) -> Tensor:
  return torch.cumsum(x, 0)
## var
def f(x: List[float]) -> float:
  if len(x) < 2:
    return nan
  mean = 0.0
  for one in x:
    mean += one
  mean /= float(len(x))
  n = 0.0
  for one in x:
    n += (one - mean) * (one - mean)
  return n / float(len(x) - 1)
## sd
def f(x: List[float]) -> float:
  if len(x) < 2:
    return nan
  mean = 0.0
  for one in x:
    mean += one
  mean /= float(len(x))
  n = 0.0
  for one in x:
    n += (one - mean) * (one - mean)
  return math.sqrt(n / float(len(x) - 1))
def f(x: Tensor) -> Tensor:
  return torch.std(as_real(x))
)";

}  // namespace shim::script
