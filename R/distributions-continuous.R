# Continuous distributions of numbers.
#
# Of each: the arguments and what they must be, the support, the formulas. A draw is made of the same noise, in the same
# order, as PyTorch makes it of, so that a seed gives the same draws.

#' @include distributions.R distributions-composed.R distributions-special.R
NULL

# ---- Noise, of the dtype and on the device of a parameter ----

standard_normal <- function(shape, like) torch_randn(shape, dtype = like$dtype, device = like$device)
standard_uniform <- function(shape, like) torch_rand(shape, dtype = like$dtype, device = like$device)
standard_exponential <- function(shape, like) torch_empty(shape, dtype = like$dtype, device = like$device)$exponential_()
tiny_of <- function(x) torch_finfo(x$dtype)$tiny
eps_of <- function(x) torch_finfo(x$dtype)$eps

# Draws that came out as 0, where only positive numbers are draws; the gradient stays.
at_least_tiny <- function(x) {
  x$detach()$clamp_(min = tiny_of(x))
  x
}

standard_gamma <- function(shape, concentration) torch__standard_gamma(concentration$expand(shape))

log_beta <- function(a, b) torch_lgamma(torch_minimum(a, b)) - log_gamma_ratio(torch_maximum(a, b), torch_minimum(a, b))
nan_like <- function(x) torch_full_like(x, NaN)
euler_gamma <- -digamma(1)

#' Continuous distributions
#'
#' Distributions of real numbers. Parameters are tensors or numbers and are broadcast against each other; each place of
#' the result is a distribution of its own. [distribution()] tells what a distribution can do.
#'
#' @section Densities:
#' `z` is `(x - loc) / scale`, `B` the beta function.
#'
#' | distribution | parameters | support | density |
#' |---|---|---|---|
#' | `distr_normal` | `loc` real, `scale` > 0 | real | \eqn{e^{-z^2/2} / (scale \sqrt{2\pi})} |
#' | `distr_log_normal` | `loc` real, `scale` > 0 | x > 0 | of \eqn{e^Y}, Y normal |
#' | `distr_half_normal` | `scale` > 0 | x >= 0 | of \eqn{|Y|}, Y normal with mean 0 |
#' | `distr_uniform` | `low` < `high` | from `low` to `high` | \eqn{1 / (high - low)} |
#' | `distr_exponential` | `rate` > 0 | x >= 0 | \eqn{rate\, e^{-rate\, x}} |
#' | `distr_gamma` | `concentration`, `rate` > 0 | x >= 0 | \eqn{\propto x^{concentration - 1} e^{-rate\, x}} |
#' | `distr_chi2` | `df` > 0 | x >= 0 | gamma with `df / 2` and 1/2 |
#' | `distr_inverse_gamma` | `concentration`, `rate` > 0 | x > 0 | of \eqn{1/Y}, Y gamma |
#' | `distr_beta` | `concentration1`, `concentration0` > 0 | 0 to 1 | \eqn{x^{concentration1 - 1} (1-x)^{concentration0 - 1} / B} |
#' | `distr_kumaraswamy` | `concentration1` = a, `concentration0` = b > 0 | 0 to 1 | \eqn{a b x^{a-1} (1 - x^a)^{b-1}} |
#' | `distr_student_t` | `df` > 0, `loc` real, `scale` > 0 | real | \eqn{\propto (1 + z^2/df)^{-(df+1)/2}} |
#' | `distr_cauchy` | `loc` real, `scale` > 0 | real | \eqn{1 / (\pi\, scale (1 + z^2))} |
#' | `distr_half_cauchy` | `scale` > 0 | x >= 0 | of \eqn{|Y|}, Y Cauchy around 0 |
#' | `distr_laplace` | `loc` real, `scale` > 0 | real | \eqn{e^{-|z|} / (2\, scale)} |
#' | `distr_gumbel` | `loc` real, `scale` > 0 | real | \eqn{e^{-z - e^{-z}} / scale} |
#' | `distr_weibull` | `scale`, `concentration` = k > 0 | x > 0 | \eqn{k/scale\,(x/scale)^{k-1} e^{-(x/scale)^k}} |
#' | `distr_pareto` | `scale`, `alpha` > 0 | x >= `scale` | \eqn{alpha\, scale^{alpha} / x^{alpha + 1}} |
#' | `distr_generalized_pareto` | `loc` real, `scale` > 0, `concentration` = c real | z >= 0; up to -1/c if c < 0 | \eqn{(1 + c z)^{-1/c - 1} / scale} |
#' | `distr_fisher_snedecor` | `df1`, `df2` > 0 | x > 0 | of a ratio of chi2s, each divided by its degrees of freedom |
#' | `distr_von_mises` | `loc` an angle, `concentration` = k > 0 | angles | \eqn{e^{k \cos(x - loc)} / (2\pi I_0(k))} |
#' | `distr_continuous_bernoulli` | `probs` = p from 0 to 1, or `logits` | 0 to 1 | \eqn{\propto p^x (1-p)^{1-x}} |
#'
#' `$mean`, `$variance` and `$mode` are NaN or infinite where there is none. Quantiles, `$icdf()`, of gamma and chi2, beta,
#' Student's and Fisher's distributions are found by search; LibTorch has no derivative of the gamma distribution function
#' by `concentration`. `distr_von_mises` has no `$cdf()`, its variance is the circular one, and its draws have no gradients.
#'
#' In R's own functions: the `rate` of `distr_gamma` is that of [dgamma()]; `distr_weibull(scale, concentration)` is
#' `dweibull(shape = concentration, scale)`; `distr_log_normal(loc, scale)` is `dlnorm(meanlog, sdlog)`.
#'
#' @param loc location.
#' @param scale scale, positive; of `distr_normal` the standard deviation.
#' @param low,high bounds.
#' @param rate rate, positive: the inverse of a scale.
#' @param concentration,concentration1,concentration0,alpha shape, positive; of `distr_generalized_pareto` any number.
#' @param df,df1,df2 degrees of freedom, positive, not necessarily whole.
#' @param probs,logits the parameter as a number from 0 to 1 or as log odds; one of them.
#' @param lims between these, around 0.5, a series takes the place of formulas that divide by zero there.
#' @param validate_args whether parameters and values are checked; `NULL` is the option `torch.validate_args`, else `TRUE`.
#' @returns A distribution, see [distribution()].
#' @section Errors:
#' A parameter that is not what the table says is a `value_error` that names it.
#' @source Names and parameters are those of `torch.distributions`; a seed gives the draws that it gives there. Student's t with
#'   very many degrees of freedom: Hill (1970), Algorithm 395: Student's t-distribution. Von Mises:
#'   Best and Fisher (1979), Efficient simulation of the von Mises distribution. Continuous Bernoulli: Loaiza-Ganem and
#'   Cunningham (2019), The continuous Bernoulli: fixing a pervasive error in variational autoencoders.
#' @seealso [distr_bernoulli()] and its page for discrete ones, [distr_multivariate_normal()] for vectors and matrices,
#'   [distr_transformed()], [kl_divergence()]
#' @examplesIf torch::torch_is_installed()
#' d <- distr_normal(loc = 0, scale = c(1, 2))
#' d$log_prob(0.5)
#' d$sample(3)
#' # Maximum likelihood: the gradient of the log probability of data.
#' scale <- torch_tensor(1, requires_grad = TRUE)
#' distr_laplace(0, scale)$log_prob(torch_tensor(c(-2, 1, 3)))$sum()$backward()
#' scale$grad
#' @export
distr_normal <- distribution(
  "Normal",
  parameters = list(loc = constraint_real, scale = constraint_positive),
  support = constraint_real,
  log_prob = function(value) {
    z <- (value - loc) / scale
    -0.5 * (z * z) - torch_log(scale) - log(2 * pi) / 2
  },
  # LibTorch's `special_ndtr` is 0 in the lower tail.
  cdf = function(value) torch_erfc((loc - value) / (scale * sqrt(2))) / 2,
  icdf = function(value) loc + scale * torch_special_ndtri(value),
  entropy = function() torch_log(scale) + (1 + log(2 * pi)) / 2,
  mean = function() loc,
  mode = function() loc,
  variance = function() scale^2,
  rsample = function(shape) loc + standard_normal(shape, loc) * scale,
  natural_params = function() list(loc / scale^2, -0.5 / scale^2),
  log_normalizer = function(x, y) -0.25 * x^2 / y + torch_log(-pi / y) / 2
)

#' @rdname distr_normal
#' @export
distr_log_normal <- distribution(
  "LogNormal",
  parameters = list(loc = constraint_real, scale = constraint_positive),
  inherit = distr_transformed,
  support = constraint_positive,
  derived = list(
    base_distribution = function() distr_normal(loc, scale, validate_args = FALSE),
    transforms = function() list(transform_exp())
  ),
  entropy = function() base_distribution$entropy() + loc,
  mean = function() torch_exp(loc + scale^2 / 2),
  mode = function() torch_exp(loc - scale^2),
  variance = function() torch_expm1(scale^2) * torch_exp(2 * loc + scale^2)
)

# Of the absolute value of a draw from `base`, which is symmetric around 0.
half_distribution <- function(name, base, ...) {
  force(base)
  distribution(
    name,
    parameters = list(scale = constraint_positive),
    inherit = distr_transformed,
    support = constraint_nonnegative,
    derived = list(
      base_distribution = function() base(torch_zeros_like(scale), scale, validate_args = FALSE),
      transforms = function() list(transform_abs())
    ),
    log_prob = function(value) torch_where(value >= 0, formulas_of(base_distribution)$log_prob(value) + log(2), -Inf),
    entropy = function() base_distribution$entropy() - log(2),
    mode = function() torch_zeros_like(scale),
    ...
  )
}

#' @rdname distr_normal
#' @export
distr_half_normal <- half_distribution(
  "HalfNormal", distr_normal,
  cdf = function(value) torch_erf(value / (scale * sqrt(2))),
  icdf = function(value) scale * sqrt(2) * torch_erfinv(value),
  mean = function() scale * sqrt(2 / pi),
  variance = function() scale^2 * (1 - 2 / pi)
)

#' @rdname distr_normal
#' @export
distr_uniform <- distribution(
  "Uniform",
  parameters = list(low = constraint_real, high = function() constraint_greater_than(low)),
  support = function() constraint_interval(low, high),
  # The upper bound is never drawn.
  log_prob = function(value) {
    torch_where((value >= low) & (value < high), -torch_log(high - low), -Inf)
  },
  cdf = function(value) torch_clamp((value - low) / (high - low), 0, 1),
  icdf = function(value) low + value * (high - low),
  entropy = function() torch_log(high - low),
  mean = function() (low + high) / 2,
  mode = function() nan_like(high),
  variance = function() (high - low)^2 / 12,
  rsample = function(shape) low + standard_uniform(shape, low) * (high - low)
)

#' @rdname distr_normal
#' @export
distr_student_t <- distribution(
  "StudentT",
  parameters = list(df = constraint_positive, loc = constraint_real, scale = constraint_positive),
  defaults = list(loc = 0, scale = 1),
  support = constraint_real,
  log_prob = function(value) {
    z <- (value - loc) / scale
    log_gamma_ratio(df / 2, torch_full_like(df, 0.5)) - torch_log(df) / 2 - log(pi) / 2 - torch_log(scale) -
      (df + 1) / 2 * log1p_square(z * torch_rsqrt(df))
  },
  cdf = function(value) {
    z <- (value - loc) / scale
    # With very many degrees of freedom it is nearly normal, and the fraction of the beta function converges slowly.
    is_normal <- df > 1e5
    some <- torch_where(is_normal, 1, df)
    # Beyond this the square of `z` is all that counts, which may be beyond all numbers.
    is_far <- z * z > some / eps_of(z)
    near <- torch_where(is_far, 1, z)
    half <- torch_full_like(df, 0.5)
    tail <- incomplete_beta(some / 2, half, some / (some + near * near), near * near / (some + near * near)) / 2
    far <- torch_abs(torch_where(is_far, z, 1))
    far_tail <- torch_exp(some * (torch_log(some) / 2 - torch_log(far)) - log_beta(some / 2, half)) / some
    tail <- torch_where(is_far, far_tail, tail)
    torch_where(is_normal, torch_erfc(-normal_of_t(z, torch_where(is_normal, df, 1e5)) / sqrt(2)) / 2, torch_where(z < 0, tail, 1 - tail))
  },
  icdf = function(value) {
    search_quantile(value, private$cdf, private$log_prob, function(t) loc + scale * torch_sinh(t), c(-Inf, Inf))
  },
  entropy = function() {
    half <- (df + 1) / 2
    torch_log(scale) + half * (torch_digamma(half) - torch_digamma(df / 2)) + torch_log(df) / 2 +
      torch_lgamma(df / 2) + log(pi) / 2 - torch_lgamma(half)
  },
  mean = function() torch_where(df > 1, loc, NaN),
  mode = function() loc,
  variance = function() {
    finite <- torch_where(df > 2, scale^2 * df / (df - 2), Inf)
    torch_where(df > 1, finite, NaN)
  },
  rsample = function(shape) {
    z <- standard_normal(shape, df)
    chi2 <- at_least_tiny(2 * standard_gamma(shape, df / 2))
    loc + scale * z * torch_rsqrt(chi2 / df)
  }
)

#' @rdname distr_normal
#' @export
distr_cauchy <- distribution(
  "Cauchy",
  parameters = list(loc = constraint_real, scale = constraint_positive),
  support = constraint_real,
  log_prob = function(value) -log(pi) - torch_log(scale) - log1p_square((value - loc) / scale),
  cdf = function(value) {
    z <- (loc - value) / scale
    torch_atan2(torch_ones_like(z), z) / pi
  },
  icdf = function(value) quantile_of_cauchy(value, value - 0.5) * scale + loc,
  entropy = function() log(4 * pi) + torch_log(scale),
  mean = function() nan_like(loc),
  mode = function() loc,
  variance = function() torch_full_like(loc, Inf),
  rsample = function(shape) loc + torch_empty(shape, dtype = loc$dtype, device = loc$device)$cauchy_() * scale
)

# The normal quantile of the probability of `t` with `n` degrees of freedom, for large `n`.
normal_of_t <- function(t, n) {
  a <- n - 0.5
  b <- 48 * a^2
  square <- torch_where(t == 0, 1, t * t)
  y <- a * torch_log1p(square / n)
  more <- (((-0.4 * y - 3.3) * y - 24) * y - 85.5) / (0.8 * y^2 + 100 + b)
  t * torch_sqrt(y / square) * ((more + y + 3) / b + 1)
}

# `away` is how far `p` is from a half. Near an end the tangent of what is left is exact.
quantile_of_cauchy <- function(p, away) {
  near <- torch_where(away < -0.25, -1 / torch_tan(pi * p), torch_tan(pi * away))
  torch_where(away > 0.25, 1 / torch_tan(pi * (0.5 - away)), near)
}

#' @rdname distr_normal
#' @export
distr_half_cauchy <- half_distribution(
  "HalfCauchy", distr_cauchy,
  cdf = function(value) torch_atan(value / scale) * (2 / pi),
  icdf = function(value) scale * quantile_of_cauchy((value + 1) / 2, value / 2),
  mean = function() torch_full_like(scale, Inf),
  variance = function() torch_full_like(scale, Inf)
)

#' @rdname distr_normal
#' @export
distr_laplace <- distribution(
  "Laplace",
  parameters = list(loc = constraint_real, scale = constraint_positive),
  support = constraint_real,
  log_prob = function(value) -torch_log(2 * scale) - torch_abs(value - loc) / scale,
  cdf = function(value) {
    z <- (value - loc) / scale
    torch_where(z < 0, torch_exp(torch_clamp(z, max = 0)) / 2, 1 - torch_exp(-torch_clamp(z, min = 0)) / 2)
  },
  icdf = function(value) {
    lower <- value < 0.5
    loc + scale * torch_where(lower, 1, -1) * torch_log(2 * torch_where(lower, value, 1 - value))
  },
  entropy = function() 1 + torch_log(2 * scale),
  mean = function() loc,
  mode = function() loc,
  variance = function() 2 * scale^2,
  rsample = function(shape) {
    eps <- eps_of(loc)
    u <- standard_uniform(shape, loc) * (2 - eps) + (eps - 1)
    loc - scale * torch_sign(u) * torch_log1p(-torch_abs(u))
  }
)

#' @rdname distr_normal
#' @export
distr_gumbel <- distribution(
  "Gumbel",
  parameters = list(loc = constraint_real, scale = constraint_positive),
  inherit = distr_transformed,
  support = constraint_real,
  derived = list(
    # Neither 0 nor 1, whose quantiles are infinite.
    base_distribution = function() {
      low <- torch_full_like(loc, tiny_of(loc))
      distr_uniform(low, torch_full_like(loc, 1 - eps_of(loc)), validate_args = FALSE)
    },
    transforms = function() {
      list(transform_exp()$inv, transform_affine(0, -1), transform_exp()$inv, transform_affine(loc, -scale))
    }
  ),
  log_prob = function(value) {
    z <- (loc - value) / scale
    z - torch_exp(z) - torch_log(scale)
  },
  cdf = function(value) torch_exp(-torch_exp((loc - value) / scale)),
  icdf = function(value) loc - scale * torch_log(-torch_log(value)),
  entropy = function() torch_log(scale) + (1 + euler_gamma),
  mean = function() loc + scale * euler_gamma,
  mode = function() loc,
  variance = function() scale^2 * (pi^2 / 6)
)

#' @rdname distr_normal
#' @export
distr_von_mises <- distribution(
  "VonMises",
  parameters = list(loc = constraint_real, concentration = constraint_positive),
  support = constraint_real,
  log_prob = function(value) {
    # The Bessel function grows as exp(): what is called here is divided by that.
    concentration * (torch_cos(value - loc) - 1) - log(2 * pi) - torch_log(torch_special_i0e(concentration))
  },
  mean = function() loc,
  mode = function() loc,
  variance = function() 1 - torch_special_i1e(concentration) / torch_special_i0e(concentration),
  sample = function(shape) {
    draw <- draw_von_mises(shape, loc$to(dtype = torch_double()), concentration$to(dtype = torch_double()))
    draw$to(dtype = loc$dtype)
  }
)

# By rejection from a wrapped Cauchy distribution, all that are not accepted yet at once. A program, so that a trace holds
# the loop and not the rounds that the example took.
von_mises_program <- "
def draw(angle: Tensor, loc: Tensor, concentration: Tensor, r: Tensor) -> Tensor:
    done = torch.zeros_like(angle, dtype=torch.bool)
    while not bool(done.all()):
        u = torch.rand([3] + angle.size(), dtype=loc.dtype, device=loc.device)
        z = torch.cos(3.141592653589793 * u[0])
        f = (1 + r * z) / (r + z)
        c = concentration * (r - f)
        accept = torch.logical_or((c * (2 - c) - u[1]) > 0, (c / u[1]).log() + 1 - c >= 0)
        angle = torch.where(accept, (u[2] - 0.5).sign() * f.acos(), angle)
        done = torch.logical_or(done, accept)
    return angle
"

draw_von_mises <- function(shape, loc, concentration) {
  tau <- 1 + torch_sqrt(1 + 4 * concentration^2)
  rho <- (tau - torch_sqrt(2 * tau)) / (2 * concentration)
  # Its limit where the formula has lost all digits.
  r <- torch_where(concentration < 1e-5, 1 / concentration + concentration, (1 + rho^2) / (2 * rho))
  if (is.null(the$draw_von_mises)) the$draw_von_mises <- jit_compile(von_mises_program)$draw
  angle <- the$draw_von_mises(torch_zeros(shape, dtype = loc$dtype, device = loc$device), loc, concentration, r)
  torch_remainder(angle + pi + loc, 2 * pi) - pi
}
