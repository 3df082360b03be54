# Distribution functions and quantiles for which LibTorch has no operator.

# The continued fraction of the incomplete beta function, by Lentz's method: in each round the even and the odd term. A
# program, so that a trace holds the loop.
beta_fraction_program <- "
def guard(x: Tensor) -> Tensor:
    return torch.where(x.abs() < 1e-30, torch.full_like(x, 1e-30), x)

def fraction(a: Tensor, b: Tensor, x: Tensor, eps: float) -> Tensor:
    c = torch.ones_like(x)
    d = 1 / guard(1 - (a + b) * x / (a + 1))
    value = d
    m = 1
    going = True
    while going and m < 1000:
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        d = 1 / guard(1 + even * d)
        c = guard(1 + even / c)
        value = value * d * c
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        d = 1 / guard(1 + odd * d)
        c = guard(1 + odd / c)
        value = value * d * c
        going = bool(((d * c - 1).abs() > eps).any())
        m += 1
    return value
"

# The regularized incomplete beta function, which is the distribution function of a beta distribution. `y` is 1 - x
# for callers who know it better than by subtraction.
incomplete_beta <- function(a, b, x, y = 1 - x) {
  args <- torch_broadcast_tensors(list(a, b, x, y))
  a <- args[[1]]
  b <- args[[2]]
  x <- args[[3]]
  y <- args[[4]]
  if (is.null(the$beta_fraction)) the$beta_fraction <- jit_compile(beta_fraction_program)$fraction
  # Beyond the mean the fraction converges slowly; there the other tail is computed.
  flip <- x > (a + 1) / (a + b + 2)
  p <- torch_where(flip, b, a)
  q <- torch_where(flip, a, b)
  z <- torch_where(flip, y, x)
  rest <- torch_where(flip, x, y)
  # At the end of the interval the gradient of the logarithm is infinite, but that of the power is not.
  is_end <- z == 0
  at_end <- torch_pow(torch_where(is_end, z, 0.25), p)
  z <- torch_where(is_end, 0.25, z)
  # A number near 1 has its logarithm computed from its distance to 1. Each of the two formulas gets a harmless value
  # where the other one counts.
  is_small <- z < 0.5
  log_z <- torch_where(is_small, torch_xlogy(p, z), torch_special_xlog1py(p, -torch_where(is_small, 0.25, rest)))
  log_rest <- torch_where(is_small, torch_special_xlog1py(q, -torch_where(is_small, z, 0.25)), torch_xlogy(q, rest))
  log_tail <- torch_where(is_end, 0, log_z + log_rest) - log_beta(p, q)
  tail <- torch_exp(log_tail) / p * torch_where(is_end, at_end, the$beta_fraction(p, q, z, 4 * eps_of(z)))
  torch_where(flip, 1 - tail, tail)
}

# log(gamma(a + b) / gamma(a)) for b up to a. For large numbers the two logarithms of gamma agree in most of their
# digits, so Stirling's formula gives their difference.
log_gamma_ratio <- function(a, b) {
  args <- torch_broadcast_tensors(list(a, b))
  a <- args[[1]]
  b <- args[[2]]
  is_large <- a > 100
  large <- torch_where(is_large, a, 100)
  rest <- function(x) (1 / 12 - (1 / 360 - (1 / 1260 - 1 / (1680 * x^2)) / x^2) / x^2) / x
  by_stirling <- (large + b - 0.5) * torch_log1p(b / large) + b * torch_log(large) - b + rest(large + b) - rest(large)
  torch_where(is_large, by_stirling, torch_lgamma(a + b) - torch_lgamma(a))
}

# The quantile of probability `p`, where `cdf` has that value. Halving an interval finds it. The last step is one of
# Newton's, through which the gradients go: those of a quantile are those of `cdf`, divided by the density.
# `from_log` carries the numbers from -709 to 709, of which exp() is a number that doubles hold, onto the support, whose ends
# are `ends`: the quantiles of heavy tails, and those near 0, have any size.
search_quantile <- function(p, cdf, log_prob, from_log, ends) {
  wide <- p$detach()$to(dtype = torch_double())
  found <- with_no_grad({
    low <- torch_full_like(wide, -709)
    high <- torch_full_like(wide, 709)
    for (i in seq_len(60L)) {
      middle <- (low + high) / 2
      is_low <- cdf(from_log(middle)) < wide
      low <- torch_where(is_low, middle, low)
      high <- torch_where(is_low, high, middle)
    }
    middle <- (low + high) / 2
    x <- from_log(middle)
    # What is further out is no number any more.
    is_end <- list((p == 0) | (middle < -708), (p == 1) | (middle > 708))
    list(is_end = is_end, x = x$to(dtype = p$dtype), density = torch_exp(log_prob(x))$to(dtype = p$dtype))
  })
  step <- (cdf(found$x) - p) / found$density
  # Newton's step is left out where the density is 0 or infinite.
  x <- torch_where(torch_isfinite(step), found$x - step, found$x)
  torch_where(found$is_end[[1]], ends[1], torch_where(found$is_end[[2]], ends[2], x))
}

# log(1 + x^2), also where the square is beyond all numbers.
log1p_square <- function(x) {
  is_small <- torch_abs(x) < 1
  small <- torch_where(is_small, x, 1)
  large <- torch_where(is_small, 1, x)
  torch_where(is_small, torch_log1p(small * small), 2 * torch_log(torch_abs(large)) + torch_log1p(1 / (large * large)))
}
