# Continuous distributions of positive numbers, and of numbers between 0 and 1.

#' @include distributions-continuous.R
NULL

#' @rdname distr_normal
#' @export
distr_exponential <- distribution(
  "Exponential",
  parameters = list(rate = constraint_positive),
  support = constraint_nonnegative,
  log_prob = function(value) torch_log(rate) - rate * value,
  cdf = function(value) -torch_expm1(-rate * value),
  icdf = function(value) -torch_log1p(-value) / rate,
  entropy = function() 1 - torch_log(rate),
  mean = function() 1 / rate,
  mode = function() torch_zeros_like(rate),
  variance = function() rate^-2,
  rsample = function(shape) standard_exponential(shape, rate) / rate,
  natural_params = function() list(-rate),
  log_normalizer = function(x) -torch_log(-x)
)

#' @rdname distr_normal
#' @export
distr_gamma <- distribution(
  "Gamma",
  parameters = list(concentration = constraint_positive, rate = constraint_positive),
  support = constraint_nonnegative,
  log_prob = function(value) {
    torch_xlogy(concentration, rate) + torch_xlogy(concentration - 1, value) - rate * value - torch_lgamma(concentration)
  },
  cdf = function(value) torch_special_gammainc(concentration, rate * value),
  icdf = function(value) search_quantile(value, private$cdf, private$log_prob, torch_exp, c(0, Inf)),
  entropy = function() {
    concentration - torch_log(rate) + torch_lgamma(concentration) + (1 - concentration) * torch_digamma(concentration)
  },
  mean = function() concentration / rate,
  mode = function() torch_clamp((concentration - 1) / rate, min = 0),
  variance = function() concentration / rate^2,
  rsample = function(shape) at_least_tiny(standard_gamma(shape, concentration) / rate),
  natural_params = function() list(concentration - 1, -rate),
  log_normalizer = function(x, y) torch_lgamma(x + 1) - (x + 1) * torch_log(-y)
)

#' @rdname distr_normal
#' @export
distr_chi2 <- distribution(
  "Chi2",
  parameters = list(df = constraint_positive),
  inherit = distr_gamma,
  derived = list(concentration = function() df / 2, rate = function() torch_full_like(df, 0.5))
)

#' @rdname distr_normal
#' @export
distr_inverse_gamma <- distribution(
  "InverseGamma",
  parameters = list(concentration = constraint_positive, rate = constraint_positive),
  inherit = distr_transformed,
  support = constraint_positive,
  derived = list(
    base_distribution = function() distr_gamma(concentration, rate, validate_args = FALSE),
    transforms = function() list(transform_power(-1))
  ),
  cdf = function(value) torch_special_gammaincc(concentration, rate / value),
  entropy = function() {
    concentration + torch_log(rate) + torch_lgamma(concentration) - (1 + concentration) * torch_digamma(concentration)
  },
  mean = function() torch_where(concentration > 1, rate / (concentration - 1), Inf),
  mode = function() rate / (concentration + 1),
  variance = function() {
    torch_where(concentration > 2, rate^2 / ((concentration - 1)^2 * (concentration - 2)), Inf)
  }
)

#' @rdname distr_normal
#' @export
distr_beta <- distribution(
  "Beta",
  parameters = list(concentration1 = constraint_positive, concentration0 = constraint_positive),
  support = constraint_unit_interval,
  derived = list(
    total = function() concentration1 + concentration0,
    both = function() torch_stack(list(concentration1, concentration0), -1L)
  ),
  log_prob = function(value) {
    torch_xlogy(concentration1 - 1, value) + torch_special_xlog1py(concentration0 - 1, -value) -
      log_beta(concentration1, concentration0)
  },
  cdf = function(value) incomplete_beta(concentration1, concentration0, value),
  icdf = function(value) search_quantile(value, private$cdf, private$log_prob, torch_sigmoid, c(0, 1)),
  entropy = function() {
    log_beta(concentration1, concentration0) - (concentration1 - 1) * torch_digamma(concentration1) -
      (concentration0 - 1) * torch_digamma(concentration0) + (total - 2) * torch_digamma(total)
  },
  mean = function() concentration1 / total,
  # Two modes, if both are below 1, are none.
  mode = function() {
    above <- torch_clamp(concentration1 - 1, min = 0)
    above / (above + torch_clamp(concentration0 - 1, min = 0))
  },
  variance = function() concentration1 * concentration0 / (total^2 * (total + 1)),
  rsample = function(shape) torch_select(draw_dirichlet(both$expand(c(shape, 2L))), -1L, 1L),
  natural_params = function() list(concentration1, concentration0),
  log_normalizer = function(x, y) torch_lgamma(x) + torch_lgamma(y) - torch_lgamma(x + y)
)

#' @rdname distr_normal
#' @export
distr_kumaraswamy <- distribution(
  "Kumaraswamy",
  parameters = list(concentration1 = constraint_positive, concentration0 = constraint_positive),
  inherit = distr_transformed,
  support = constraint_unit_interval,
  derived = list(
    base_distribution = function() {
      distr_uniform(torch_zeros_like(concentration0), torch_ones_like(concentration0), validate_args = FALSE)
    },
    transforms = function() {
      list(transform_power(1 / concentration0), transform_affine(1, -1), transform_power(1 / concentration1))
    }
  ),
  log_prob = function(value) {
    torch_log(concentration1) + torch_log(concentration0) + torch_xlogy(concentration1 - 1, value) +
      torch_special_xlog1py(concentration0 - 1, -value^concentration1)
  },
  cdf = function(value) -torch_expm1(torch_special_xlog1py(concentration0, -value^concentration1)),
  entropy = function() {
    1 - 1 / concentration0 + (1 - 1 / concentration1) * (torch_digamma(concentration0 + 1) + euler_gamma) -
      torch_log(concentration1) - torch_log(concentration0)
  },
  mean = function() kumaraswamy_moment(concentration1, concentration0, 1),
  mode = function() {
    odds <- (concentration1 - 1) / (concentration1 * concentration0 - 1)
    torch_where((concentration1 >= 1) & (concentration0 >= 1) & (odds > 0), odds^(1 / concentration1), NaN)
  },
  variance = function() {
    kumaraswamy_moment(concentration1, concentration0, 2) - kumaraswamy_moment(concentration1, concentration0, 1)^2
  }
)

kumaraswamy_moment <- function(a, b, n) b * torch_exp(log_beta(1 + n / a, b))

#' @rdname distr_normal
#' @export
distr_weibull <- distribution(
  "Weibull",
  parameters = list(scale = constraint_positive, concentration = constraint_positive),
  inherit = distr_transformed,
  support = constraint_positive,
  derived = list(
    base_distribution = function() distr_exponential(torch_ones_like(scale), validate_args = FALSE),
    transforms = function() list(transform_power(1 / concentration), transform_affine(0, scale))
  ),
  log_prob = function(value) {
    z <- value / scale
    torch_log(concentration) - torch_log(scale) + (concentration - 1) * torch_log(z) - z^concentration
  },
  cdf = function(value) -torch_expm1(-(value / scale)^concentration),
  icdf = function(value) scale * (-torch_log1p(-value))^(1 / concentration),
  entropy = function() euler_gamma * (1 - 1 / concentration) + torch_log(scale / concentration) + 1,
  mean = function() scale * torch_exp(torch_lgamma(1 + 1 / concentration)),
  mode = function() scale * torch_clamp((concentration - 1) / concentration, min = 0)^(1 / concentration),
  variance = function() {
    scale^2 * (torch_exp(torch_lgamma(1 + 2 / concentration)) - torch_exp(2 * torch_lgamma(1 + 1 / concentration)))
  }
)

#' @rdname distr_normal
#' @export
distr_pareto <- distribution(
  "Pareto",
  parameters = list(scale = constraint_positive, alpha = constraint_positive),
  inherit = distr_transformed,
  support = function() constraint_greater_than_eq(scale),
  derived = list(
    base_distribution = function() distr_exponential(alpha, validate_args = FALSE),
    transforms = function() list(transform_exp(), transform_affine(0, scale))
  ),
  log_prob = function(value) torch_log(alpha) + alpha * torch_log(scale) - (alpha + 1) * torch_log(value),
  cdf = function(value) -torch_expm1(-alpha * torch_log1p((value - scale) / scale)),
  icdf = function(value) scale * torch_exp(-torch_log1p(-value) / alpha),
  entropy = function() torch_log(scale / alpha) + 1 + 1 / alpha,
  mean = function() torch_where(alpha > 1, alpha * scale / (alpha - 1), Inf),
  mode = function() scale,
  variance = function() torch_where(alpha > 2, scale^2 * alpha / ((alpha - 1)^2 * (alpha - 2)), Inf)
)

#' @rdname distr_normal
#' @export
distr_generalized_pareto <- distribution(
  "GeneralizedPareto",
  parameters = list(loc = constraint_real, scale = constraint_positive, concentration = constraint_real),
  support = function() {
    constraint_interval(loc, torch_where(concentration < 0, loc - scale / concentration, Inf))
  },
  derived = list(is_exponential = function() torch_abs(concentration) <= 1e-8),
  log_prob = function(value) {
    z <- (value - loc) / scale
    safe <- not_zero(concentration, is_exponential)
    power <- torch_where(is_exponential, z, (1 + 1 / safe) * torch_log1p(safe * z))
    # With a concentration of -1 it is uniform, and the bound itself has 0 times infinity.
    -torch_log(scale) - torch_where(safe == -1, torch_zeros_like(z), power)
  },
  cdf = function(value) {
    z <- (value - loc) / scale
    safe <- not_zero(concentration, is_exponential)
    -torch_expm1(-torch_where(is_exponential, z, torch_log1p(safe * z) / safe))
  },
  icdf = function(value) {
    z <- -torch_log1p(-value)
    safe <- not_zero(concentration, is_exponential)
    loc + scale * torch_where(is_exponential, z, torch_expm1(safe * z) / safe)
  },
  entropy = function() torch_log(scale) + concentration + 1,
  mean = function() torch_where(concentration < 1, loc + scale / (1 - concentration), NaN),
  mode = function() loc,
  variance = function() {
    torch_where(concentration < 0.5, scale^2 / ((1 - concentration)^2 * (1 - 2 * concentration)), NaN)
  },
  rsample = function(shape) private$icdf(standard_uniform(shape, loc))
)

# With a concentration of 0 it is the exponential distribution; there the formulas divide by 0.
not_zero <- function(x, is_zero) torch_where(is_zero, torch_ones_like(x), x)

#' @rdname distr_normal
#' @export
distr_fisher_snedecor <- distribution(
  "FisherSnedecor",
  parameters = list(df1 = constraint_positive, df2 = constraint_positive),
  support = constraint_positive,
  log_prob = function(value) {
    ratio <- df1 / df2
    df1 / 2 * torch_log(ratio) + (df1 / 2 - 1) * torch_log(value) - (df1 + df2) / 2 * torch_log1p(ratio * value) -
      log_beta(df1 / 2, df2 / 2)
  },
  cdf = function(value) {
    ratio <- torch_clamp(df1 / df2 * value, max = torch_finfo(value$dtype)$max / 2)
    incomplete_beta(df1 / 2, df2 / 2, ratio / (1 + ratio), 1 / (1 + ratio))
  },
  icdf = function(value) search_quantile(value, private$cdf, private$log_prob, torch_exp, c(0, Inf)),
  mean = function() torch_where(df2 > 2, df2 / (df2 - 2), NaN),
  mode = function() torch_where(df1 > 2, (df1 - 2) / df1 * df2 / (df2 + 2), NaN),
  variance = function() {
    torch_where(df2 > 4, 2 * df2^2 * (df1 + df2 - 2) / (df1 * (df2 - 2)^2 * (df2 - 4)), NaN)
  },
  rsample = function(shape) {
    first <- standard_gamma(shape, df1 / 2) / df1
    second <- at_least_tiny(standard_gamma(shape, df2 / 2) / df2)
    at_least_tiny(first / second)
  }
)

#' @rdname distr_normal
#' @export
distr_continuous_bernoulli <- distribution(
  "ContinuousBernoulli",
  parameters = list(probs = constraint_unit_interval, logits = constraint_real, lims = NULL),
  defaults = list(lims = c(0.499, 0.501)),
  one_of = c("probs", "logits"),
  support = constraint_unit_interval,
  derived = list(
    probs = function() torch_sigmoid(logits),
    logits = function() logit_of(probs),
    inner_probs = function() inside_open_interval(probs),
    inner_logits = function() torch_clamp(logits, log(eps_of(logits)), -log(eps_of(logits))),
    is_stable = function() (inner_probs <= lims[1]) | (inner_probs > lims[2]),
    # Where the closed formulas hold; elsewhere any value for which they are finite.
    cut = function() torch_where(is_stable, inner_probs, torch_full_like(inner_probs, lims[1])),
    log_odds = function() torch_log(cut) - torch_log1p(-cut),
    away = function() inner_probs - 0.5,
    log_norm = function() {
      closed <- torch_log(torch_abs(log_odds)) - torch_log(torch_abs(1 - 2 * cut))
      torch_where(is_stable, closed, log(2) + (4 / 3 + 104 / 45 * away^2) * away^2)
    }
  ),
  log_prob = function(value) value * inner_logits - nnf_softplus(inner_logits) + log_norm,
  cdf = function(value) {
    closed <- (cut^value * (1 - cut)^(1 - value) + cut - 1) / (2 * cut - 1)
    series <- value * (1 + inner_logits * (value - 1) / 2 + inner_logits^2 * (2 * value - 1) * (value - 1) / 12)
    torch_clamp(torch_where(is_stable, closed, series), 0, 1)
  },
  icdf = function(value) {
    closed <- (torch_log1p(-cut + value * (2 * cut - 1)) - torch_log1p(-cut)) / log_odds
    torch_where(is_stable, closed, value + value * (1 - value) * (inner_logits / 2 + inner_logits^2 * (1 - 2 * value) / 6))
  },
  entropy = function() {
    log_0 <- torch_log1p(-inner_probs)
    self$mean * (log_0 - torch_log(inner_probs)) - log_norm - log_0
  },
  mean = function() {
    torch_where(is_stable, cut / (2 * cut - 1) - 1 / log_odds, 0.5 + (1 / 3 + 16 / 45 * away^2) * away)
  },
  variance = function() {
    closed <- cut * (cut - 1) / (1 - 2 * cut)^2 + log_odds^-2
    torch_where(is_stable, closed, 1 / 12 - (1 / 15 - 128 / 945 * away^2) * away^2)
  },
  rsample = function(shape) private$icdf(standard_uniform(shape, inner_probs)),
  natural_params = function() list(logits),
  log_normalizer = function(x) {
    is_far <- torch_abs(x) > 2e-3
    safe <- torch_where(is_far, x, torch_ones_like(x))
    torch_where(is_far, torch_log(torch_expm1(safe) / safe), x / 2 + x^2 / 24 - x^4 / 2880)
  }
)
