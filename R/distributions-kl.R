# Kullback-Leibler divergences.
#
# Most pairs follow from one identity: the divergence of q from p is the mean under p of -log q, less p's entropy. The log
# density of q is a sum of few functions of x, such as x, x^2 and log(x); so each q says which means it needs, and each p
# says which means it knows. Pairs for which that would be dearer or is not possible have a formula of their own.

#' @include distributions-continuous.R distributions-positive.R distributions-discrete.R distributions-multivariate.R
NULL

# ---- Means under p ----

x_log_x <- function(x) torch_xlogy(x, x)

# Of numbers between the bounds.
mean_log_between <- function(low, high) (x_log_x(high) - x_log_x(low)) / (high - low) - 1

# Class of p -> the means that it knows beside `mean` and `variance`: `log` of log(x), `log1m` of log(1 - x), `exp` of
# exp(-t x), `distance` of |x - center|.
known_means <- list(
  Normal = list(
    exp = function(p, t) torch_exp(t^2 * p$scale^2 / 2 - t * p$loc),
    distance = function(p, center) {
      off <- (p$loc - center) / p$scale
      p$scale * (sqrt(2 / pi) * torch_exp(-off^2 / 2) + off * torch_erf(off / sqrt(2)))
    }
  ),
  Laplace = list(
    distance = function(p, center) {
      off <- torch_abs(p$loc - center)
      off + p$scale * torch_exp(-off / p$scale)
    }
  ),
  Gumbel = list(exp = function(p, t) torch_exp(torch_lgamma(1 + t * p$scale) - t * p$loc)),
  Exponential = list(
    log = function(p) -euler_gamma - torch_log(p$rate),
    exp = function(p, t) p$rate / (p$rate + t)
  ),
  Gamma = list(
    log = function(p) torch_digamma(p$concentration) - torch_log(p$rate),
    exp = function(p, t) (1 + t / p$rate)^(-p$concentration)
  ),
  Pareto = list(log = function(p) torch_log(p$scale) + 1 / p$alpha),
  Beta = list(
    log = function(p) torch_digamma(p$concentration1) - torch_digamma(p$total),
    log1m = function(p) torch_digamma(p$concentration0) - torch_digamma(p$total)
  ),
  ContinuousBernoulli = list(),
  Uniform = list(
    log = function(p) mean_log_between(p$low, p$high),
    log1m = function(p) mean_log_between(1 - p$high, 1 - p$low),
    exp = function(p, t) (torch_exp(-t * p$low) - torch_exp(-t * p$high)) / (t * (p$high - p$low)),
    # The integral of |x - center| is the difference of x |x| / 2 at the ends.
    distance = function(p, center) {
      low <- p$low - center
      high <- p$high - center
      (high * torch_abs(high) - low * torch_abs(low)) / (2 * (high - low))
    }
  )
)

# Class of q -> the means that it needs, and the mean of log q by them. `m$log()` is the mean of log(x) under p.
mean_log_densities <- list(
  Normal = list("variance", function(q, m) {
    -(m$variance() + (m$mean() - q$loc)^2) / (2 * q$scale^2) - torch_log(q$scale) - log(2 * pi) / 2
  }),
  Laplace = list("distance", function(q, m) -m$distance(q$loc) / q$scale - torch_log(2 * q$scale)),
  Gumbel = list("exp", function(q, m) {
    (q$loc - m$mean()) / q$scale - torch_exp(q$loc / q$scale) * m$exp(1 / q$scale) - torch_log(q$scale)
  }),
  Exponential = list("mean", function(q, m) torch_log(q$rate) - q$rate * m$mean()),
  Gamma = list("log", function(q, m) {
    q$concentration * torch_log(q$rate) - torch_lgamma(q$concentration) + (q$concentration - 1) * m$log() -
      q$rate * m$mean()
  }),
  Pareto = list("log", function(q, m) torch_log(q$alpha) + q$alpha * torch_log(q$scale) - (q$alpha + 1) * m$log()),
  Beta = list(c("log", "log1m"), function(q, m) {
    (q$concentration1 - 1) * m$log() + (q$concentration0 - 1) * m$log1m() -
      log_beta(q$concentration1, q$concentration0)
  }),
  ContinuousBernoulli = list("mean", function(q, m) m$mean() * q$logits - nnf_softplus(q$logits) + q$log_norm),
  Uniform = list(character(), function(q, m) -torch_log(q$high - q$low))
)

kl_by_means <- function(p, q, p_class, q_class) {
  known <- known_means[[p_class]]
  rule <- mean_log_densities[[q_class]]
  outside <- (lower_end(p) < lower_end(q)) | (upper_end(p) > upper_end(q))
  is_known <- all(rule[[1L]] %in% c("mean", "variance", names(known)))
  if (isTRUE(outside) || (!is_known && as.logical(all(outside)))) return(torch_full_like(p$mean + q$mean, Inf))
  if (!is_known) return(NULL)
  means <- c(
    list(mean = function() p$mean, variance = function() p$variance),
    lapply(known, function(f) function(...) f(p, ...))
  )
  value <- -p$entropy() - rule[[2L]](q, means)
  if (is.logical(outside)) value else torch_where(outside, Inf, value)
}

# Ends of a support, numbers or tensors.
lower_end <- function(distribution) distribution$support$lower_bound %||% -Inf
upper_end <- function(distribution) distribution$support$upper_bound %||% Inf

# ---- Pairs with a formula of their own ----

infinite <- function(p, q) torch_full_like(p$mean + q$mean, Inf)

# Where a probability of p is 0 nothing is added; where only q's is 0 the divergence is infinite.
kl_term <- function(p_prob, q_prob, log_ratio) {
  torch_where(p_prob == 0, 0, torch_where(q_prob == 0, Inf, p_prob * log_ratio))
}

kl_categorical <- function(p, q) torch_sum(kl_term(p$probs, q$probs, p$logits - q$logits), dim = -1L)
kl_bernoulli <- function(p, q) {
  kl_term(p$probs, q$probs, p$log_success - q$log_success) + kl_term(1 - p$probs, 1 - q$probs, p$log_failure - q$log_failure)
}

# Of normal distributions of vectors: twice half the logarithm of the determinant, and the squared lengths of columns after
# the covariance matrix is taken out of them.
half_log_det_of <- function(d) if (is_low_rank(d)) d$log_det / 2 else half_log_det(d$factor)
is_low_rank <- function(d) inherits(d, "torch_LowRankMultivariateNormal")
squares <- function(x) torch_sum(x^2, dim = c(-2L, -1L))
whitened_squares <- function(d, columns) {
  if (!is_low_rank(d)) return(squares(linalg_solve_triangular(d$factor, columns, upper = FALSE)))
  low_rank <- linalg_solve_triangular(d$capacitance, torch_matmul(d$W_by_D, columns), upper = FALSE)
  squares(columns / torch_unsqueeze(torch_sqrt(d$D), -1L)) - squares(low_rank)
}
# A matrix whose product with its transpose is the covariance matrix.
root_of <- function(d) if (is_low_rank(d)) torch_cat(list(d$W, torch_diag_embed(torch_sqrt(d$D))), -1L) else d$factor

kl_multivariate_normal <- function(p, q) {
  half_log_det_of(q) - half_log_det_of(p) +
    (whitened_squares(q, root_of(p)) + whitened_squares(q, torch_unsqueeze(q$loc - p$loc, -1L)) - p$n) / 2
}

# Bregman's divergence of the log-normalizer.
kl_exponential_family <- function(p, q) {
  if (class(p)[[1L]] != class(q)[[1L]]) return(NULL)
  family <- exponential_family_means(formulas_of(p))
  q_params <- formulas_of(q)$natural_params()
  batch <- length(p$batch_shape)
  terms <- Map(function(p_param, q_param, mean) {
    sum_last((q_param - p_param) * mean, p_param$ndim - batch)
  }, family$params, q_params, family$means)
  Reduce(`-`, terms, do.call(formulas_of(q)$log_normalizer, q_params) - family$normalizer[[1L]])
}

# Classes of p and q -> the divergence. NULL says that there is none for these two.
kl_formulas <- list(
  "Normal Normal" = function(p, q) {
    ratio <- (p$scale / q$scale)^2
    (ratio - 1 - torch_log(ratio) + ((p$loc - q$loc) / q$scale)^2) / 2
  },
  "HalfNormal HalfNormal" = function(p, q) kl_divergence(p$base_dist, q$base_dist),
  "Cauchy Cauchy" = function(p, q) {
    torch_log(((p$scale + q$scale)^2 + (p$loc - q$loc)^2) / (4 * p$scale * q$scale))
  },
  "Dirichlet Dirichlet" = function(p, q) {
    more <- p$concentration - q$concentration
    mean_log <- torch_digamma(p$concentration) - torch_unsqueeze(torch_digamma(p$total), -1L)
    torch_lgamma(p$total) - torch_lgamma(q$total) +
      torch_sum(torch_lgamma(q$concentration) - torch_lgamma(p$concentration) + more * mean_log, dim = -1L)
  },
  "MultivariateNormal MultivariateNormal" = kl_multivariate_normal,
  "MultivariateNormal LowRankMultivariateNormal" = kl_multivariate_normal,
  "LowRankMultivariateNormal MultivariateNormal" = kl_multivariate_normal,
  "LowRankMultivariateNormal LowRankMultivariateNormal" = kl_multivariate_normal,
  "Bernoulli Bernoulli" = kl_bernoulli,
  "Bernoulli Poisson" = function(p, q) q$rate - p$probs * torch_log(q$rate) - p$entropy(),
  "Binomial Binomial" = function(p, q) {
    # The mean of a ratio of binomial coefficients has no closed form.
    if (as.logical(torch_any(p$total_count < q$total_count))) return(NULL)
    torch_where(p$total_count > q$total_count, Inf, times(p$total_count, kl_bernoulli(p, q)))
  },
  "Categorical Categorical" = kl_categorical,
  "OneHotCategorical OneHotCategorical" = kl_categorical,
  "Geometric Geometric" = function(p, q) -p$entropy() - q$log_success - times(p$odds_against, q$log_failure),
  "Poisson Poisson" = function(p, q) torch_xlogy(p$rate, p$rate / q$rate) - p$rate + q$rate,
  "Poisson Bernoulli" = infinite,
  "Poisson Binomial" = infinite,
  "ExponentialFamily ExponentialFamily" = kl_exponential_family,
  "Independent Independent" = function(p, q) {
    if (p$reinterpreted_batch_ndims != q$reinterpreted_batch_ndims) return(NULL)
    sum_last(kl_divergence(p$base_dist, q$base_dist), p$reinterpreted_batch_ndims)
  },
  # A transform that both have changes nothing.
  "TransformedDistribution TransformedDistribution" = function(p, q) {
    if (!same_transform(p$transform, q$transform)) return(NULL)
    kl_divergence(p$base_dist, q$base_dist)
  }
)

kl_formulas <- local({
  pairs <- expand.grid(p = names(known_means), q = names(mean_log_densities), stringsAsFactors = FALSE)
  by_means <- Map(
    function(p_class, q_class) function(p, q) kl_by_means(p, q, p_class, q_class), pairs$p, pairs$q
  )
  list2env(override(set_names(by_means, paste(pairs$p, pairs$q)), kl_formulas), envir = new_environment())
})

# The formula for the nearest classes of the two, kept for the session.
find_kl <- function(p, q) {
  pair <- paste(class(p)[[1L]], class(q)[[1L]])
  known <- the$kl_found[[pair]]
  if (!is.null(known)) return(known)
  keys <- outer(kl_class_names(class(p)), kl_class_names(class(q)), paste)
  for (key in keys[order(row(keys) + col(keys))]) {
    formula <- the$kl_formulas[[key]] %||% kl_formulas[[key]]
    if (!is.null(formula)) {
      the$kl_found[[pair]] <- formula
      return(formula)
    }
  }
  NULL
}

kl_class_names <- function(classes) sub("^torch_", "", classes[startsWith(classes, "torch_")])

#' Kullback-Leibler divergence
#'
#' `kl_divergence(p, q)` is the mean, under `p`, of the difference of the log densities of `p` and `q`. It is infinite
#' where `p` may draw what `q` never does. `register_kl()` adds a formula for a pair of classes.
#'
#' @section Pairs:
#' * Any two of normal, Laplace, Gumbel, exponential, gamma (and chi2), Pareto, beta, continuous Bernoulli and uniform,
#'   unless a mean that is needed has no closed form, as for Laplace from gamma.
#' * Two of the same: Bernoulli, binomial, categorical, one-hot categorical, geometric, Poisson; Cauchy, half-normal;
#'   Dirichlet, multivariate normal (also with one of low rank), Wishart; Bernoulli and Poisson.
#' * Independent distributions of such, and transformed ones, log-normal among them, whose transforms are the same.
#'
#' @param p,q distributions whose shapes fit; for `register_kl()` their generators.
#' @param formula function of two distributions that gives the divergence, or `NULL` if there is none for these two.
#' @returns A tensor of the shape of the batch, in nats. `register_kl()`: nothing.
#' @section Errors:
#' A pair without a formula is a `not_implemented_error`; events of different shapes are a `value_error`.
#' @source `torch.distributions.kl`. Normal from Laplace and the like: Gil, Alajaji and Linder (2013), Rényi divergence
#'   measures for commonly used univariate continuous distributions. Cauchy: Chyzak and Nielsen (2019), A closed-form formula
#'   for the Kullback-Leibler divergence between Cauchy distributions.
#' @examplesIf torch::torch_is_installed()
#' kl_divergence(distr_normal(0, 1), distr_normal(c(0, 1), 2))
#' kl_divergence(distr_uniform(0, 1), distr_beta(2, 2))
#' @export
kl_divergence <- function(p, q) {
  check_distribution(p, "p")
  check_distribution(q, "q")
  if (!identical(plain_sizes(p$event_shape), plain_sizes(q$event_shape))) {
    value_error(sprintf(
      "`p` and `q` must draw events of the same shape, not (%s) and (%s).", toString(p$event_shape),
      toString(q$event_shape)
    ))
  }
  formula <- find_kl(p, q)
  value <- if (!is.null(formula)) formula(p, q)
  if (is.null(value)) {
    not_implemented_error(sprintf(
      "There is no formula for the divergence of %s from %s.", class(q)[[1L]], class(p)[[1L]]
    ))
  }
  value
}

#' @rdname kl_divergence
#' @export
register_kl <- function(p, q, formula) {
  key <- paste(distribution_class_of(p, arg = "p")$name, distribution_class_of(q, arg = "q")$name)
  if (!is.function(formula)) {
    type_error(sprintf("`formula` must be a function of two distributions, not %s.", friendly_type(formula)))
  }
  the$kl_formulas[[key]] <- formula
  the$kl_found <- NULL
  invisible()
}
