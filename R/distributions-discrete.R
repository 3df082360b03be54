# Discrete distributions.

#' @include distributions.R distributions-composed.R distributions-continuous.R
NULL

# Probabilities of 0 and 1 have no finite logits.
inside_open_interval <- function(probs) {
  eps <- eps_of(probs)
  torch_clamp(probs, eps, 1 - eps)
}
logit_of <- function(probs) {
  probs <- inside_open_interval(probs)
  torch_log(probs) - torch_log1p(-probs)
}

positive_probability <- new_constraint(
  "Interval", "greater than 0 and at most 1", function(value) (value > 0) & (value <= 1), lower_bound = 0, upper_bound = 1
)

# k times x, and 0 where k is 0, even if x is infinite.
times <- function(k, x) k * torch_where((k == 0) & torch_isinf(x), 0, x)

# For distributions with a probability of success. Probabilities of 0 or 1 that were given make an event impossible or
# sure. For infinite logits the formulas hold.
success_probability <- list(
  probs = function() torch_sigmoid(logits),
  logits = function() logit_of(probs),
  log_success = function() nnf_logsigmoid(logits),
  log_failure = function() nnf_logsigmoid(-logits),
  never = function() if ("probs" %in% private$.given) probs == 0,
  always = function() if ("probs" %in% private$.given) probs == 1
)

# The log probability of `value` successes and `failures`, with that of the sure and the impossible.
with_certainty <- function(log_prob, value, failures, never, always) {
  if (is.null(never)) return(log_prob)
  impossible <- (never & (value > 0)) | (always & (failures > 0))
  torch_where(impossible, -Inf, torch_where(never | always, 0, log_prob))
}

# For distributions with a probability of each of several outcomes, along the last dimension.
outcome_probabilities <- list(
  probs = function() torch_softmax(logits, dim = -1L),
  # A probability of 0 takes no part in gradients.
  logits = function() torch_where(probs == 0, -Inf, torch_log(torch_where(probs == 0, 1, probs))),
  n_outcomes = function() event_size(if ("probs" %in% private$.given) probs else logits, -1L)
)

# Probabilities become such that sum to 1, and so do logits.
normalized <- function(values, call) {
  for (name in names(values)[names(values) %in% c("probs", "logits")]) {
    x <- as_numbers(values[[name]], name, call = call)
    if (x$ndim < 1L) value_error(sprintf("`%s` must have at least 1 dimension, for the outcomes.", name), call)
    values[[name]] <- if (name == "logits") {
      # An infinite logit leaves the others no probability.
      x <- torch_where(torch_any(x == Inf, dim = -1L, keepdim = TRUE), torch_where(x == Inf, 0, -Inf), x)
      x - torch_logsumexp(x, dim = -1L, keepdim = TRUE)
    } else {
      if (!x$is_floating_point()) x <- x$to(dtype = torch_get_default_dtype())
      x / torch_sum(x, dim = -1L, keepdim = TRUE)
    }
  }
  values
}

check_total_count <- function(values, call) {
  n <- values$total_count
  if (is_torch_tensor(n) && n$numel() == 1) values$total_count <- n <- as.numeric(n)
  if (!is_whole_number(n) || n < 0) {
    value_error(sprintf(
      "`total_count` must be a whole number that is not negative, not %s.", friendly_type(n)
    ), call)
  }
  values
}

# The entropy is the same for p and 1 - p. A finite logit of which no exponential is left stands for infinite ones.
entropy_of_success <- function(logits, never, always) {
  below <- torch_clamp(torch_where(logits > 0, -logits, logits), min = -1000)
  entropy <- nnf_softplus(below) - torch_sigmoid(below) * below
  if (is.null(never)) entropy else torch_where(never | always, 0, entropy)
}
log_choose <- function(n, k) torch_lgamma(n + 1) - torch_lgamma(k + 1) - torch_lgamma(n - k + 1)

#' Discrete distributions
#'
#' Distributions of whole numbers, and of one outcome among several. Of `probs` and `logits` exactly one is given; the
#' other is derived from it. [distribution()] tells what a distribution can do.
#'
#' @section Probabilities:
#' `p` stands for `probs`; `logits` of a success are log odds, \eqn{\log(p / (1 - p))}, those of outcomes logarithms of
#' probabilities, up to a constant.
#'
#' | distribution | parameters | a draw | probability |
#' |---|---|---|---|
#' | `distr_bernoulli` | `probs` from 0 to 1 | 0 or 1 | \eqn{p^x (1-p)^{1-x}} |
#' | `distr_binomial` | `total_count` = n, `probs` | successes of n | \eqn{{n \choose x} p^x (1-p)^{n-x}} |
#' | `distr_geometric` | `probs` > 0 | failures before the first success | \eqn{p (1-p)^x} |
#' | `distr_negative_binomial` | `total_count` = r, `probs` below 1 | successes before r failures | \eqn{{x+r-1 \choose x} p^x (1-p)^r} |
#' | `distr_poisson` | `rate` >= 0 | count | \eqn{rate^x e^{-rate} / x!} |
#' | `distr_categorical` | `probs`, a vector | an outcome, counted from 1 | \eqn{p_x} |
#' | `distr_one_hot_categorical` | `probs`, a vector | a vector of zeros with a one | \eqn{p_i} where the one is |
#' | `distr_one_hot_categorical_straight_through` | the same | the same, with gradients | the same |
#' | `distr_multinomial` | `total_count` = n, `probs`, a vector | a vector of counts that sum to n | \eqn{n! \prod p_i^{x_i} / x_i!} |
#' | `distr_relaxed_bernoulli` | `temperature` > 0, `probs` | a number from 0 to 1 | nearly a Bernoulli draw, with gradients |
#' | `distr_relaxed_one_hot_categorical` | `temperature` > 0, `probs`, a vector | a vector that sums to 1 | nearly a one, with gradients |
#'
#' The probabilities of outcomes, the last dimension of `probs`, are divided by their sum. Infinite `logits` mean
#' probabilities of 0 and 1. Outcomes whose logits are `Inf` share all the probability equally. The `probs` of
#' `distr_negative_binomial` are `1 - prob` of R's [dnbinom()].
#'
#' A relaxed distribution is a continuous one that comes close to the discrete one when `temperature` goes to zero, and
#' whose draws have gradients by `probs`.
#'
#' @param probs probability of a success, or probabilities of the outcomes along the last dimension.
#' @param logits the same as log odds, or as logarithms.
#' @param total_count number of trials; of `distr_negative_binomial` the number of failures that end them, not negative.
#'   For `distr_multinomial` an R number.
#' @param rate mean of the count, not negative.
#' @param temperature how far the relaxed distribution is from the discrete one.
#' @param validate_args whether parameters and values are checked; `NULL` is the option `torch.validate_args`, else `TRUE`.
#' @returns A distribution, see [distribution()]. Draws are of the dtype of the parameters, those of `distr_categorical`
#'   int64.
#' @section Errors:
#' Both or none of `probs` and `logits`, and a parameter that is not what the table says, are `value_error`s.
#' @source Names and parameters are those of `torch.distributions`, where categorical outcomes count from 0; a seed gives the
#'   draws that it gives there. Maddison, Mnih and Teh (2017), The concrete distribution; Jang, Gu and Poole (2017),
#'   Categorical reparameterization with Gumbel-softmax; Bengio, Léonard and Courville (2013), Estimating or propagating
#'   gradients through stochastic neurons for conditional computation.
#' @seealso [distr_normal()] and its page for continuous ones, [distr_multivariate_normal()], [kl_divergence()]
#' @examplesIf torch::torch_is_installed()
#' distr_bernoulli(probs = c(0.2, 0.9))$sample(5)
#' d <- distr_categorical(logits = torch_zeros(3))
#' d$sample(4)
#' d$log_prob(torch_tensor(3L))
#' distr_poisson(4)$log_prob(c(0, 4))
#' @export
distr_bernoulli <- distribution(
  "Bernoulli",
  parameters = list(probs = constraint_unit_interval, logits = constraint_real),
  one_of = c("probs", "logits"),
  support = constraint_boolean,
  derived = success_probability,
  log_prob = function(value) {
    with_certainty(times(value, log_success) + times(1 - value, log_failure), value, 1 - value, never, always)
  },
  cdf = function(value) torch_where(value < 0, 0, torch_where(value < 1, 1 - probs, 1)),
  entropy = function() entropy_of_success(logits, never, always),
  mean = function() probs,
  mode = function() torch_where(probs == 0.5, NaN, (probs > 0.5)$to(dtype = probs$dtype)),
  variance = function() probs * (1 - probs),
  sample = function(shape) torch_bernoulli(probs$expand(shape)),
  values = function() torch_tensor(c(0, 1), dtype = probs$dtype, device = probs$device),
  natural_params = function() list(logits),
  log_normalizer = function(x) nnf_softplus(x)
)

#' @rdname distr_bernoulli
#' @export
distr_binomial <- distribution(
  "Binomial",
  parameters = list(
    total_count = constraint_nonnegative_integer, probs = constraint_unit_interval, logits = constraint_real
  ),
  defaults = list(total_count = 1),
  one_of = c("probs", "logits"),
  support = function() constraint_integer_interval(0, total_count),
  derived = success_probability,
  log_prob = function(value) {
    failures <- total_count - value
    log_prob <- log_choose(total_count, value) + times(value, log_success) + times(failures, log_failure)
    with_certainty(log_prob, value, failures, never, always)
  },
  cdf = function(value) {
    k <- torch_floor(value)
    inside <- (k >= 0) & (k < total_count)
    below <- incomplete_beta(torch_where(inside, total_count - k, 1), torch_where(inside, k + 1, 1), 1 - probs)
    torch_where(inside, below, (k >= 0)$to(dtype = probs$dtype))
  },
  entropy = function() {
    value <- self$enumerate_support(expand = FALSE)
    log_prob <- private$log_prob(value)
    -torch_sum(torch_exp(log_prob) * torch_where(log_prob == -Inf, 0, log_prob), dim = 1L)
  },
  mean = function() total_count * probs,
  mode = function() torch_minimum(torch_floor((total_count + 1) * probs), total_count),
  variance = function() total_count * probs * (1 - probs),
  sample = function(shape) torch_binomial(total_count$expand(shape), probs$expand(shape)),
  values = function() {
    n <- as.numeric(torch_amax(total_count))
    if (as.logical(torch_any(total_count != n))) {
      not_implemented_error("All values can't be listed: `total_count` differs within the batch.")
    }
    torch_tensor(as.double(seq(0, n)), dtype = total_count$dtype, device = total_count$device)
  }
)

#' @rdname distr_bernoulli
#' @export
distr_geometric <- distribution(
  "Geometric",
  parameters = list(
    probs = positive_probability, logits = constraint_real
  ),
  one_of = c("probs", "logits"),
  support = constraint_nonnegative_integer,
  derived = override(success_probability, list(
    log_success = function() if ("probs" %in% private$.given) torch_log(probs) else nnf_logsigmoid(logits),
    log_failure = function() if ("probs" %in% private$.given) torch_log1p(-probs) else nnf_logsigmoid(-logits),
    odds_against = function() if ("probs" %in% private$.given) 1 / probs - 1 else torch_exp(-logits)
  )),
  log_prob = function(value) times(value, log_failure) + log_success,
  cdf = function(value) -torch_expm1(times(torch_floor(value) + 1, log_failure)),
  entropy = function() {
    most <- -log(eps_of(probs))
    odds <- if ("probs" %in% private$.given) odds_against else torch_exp(torch_clamp(-logits, max = most))
    # Beyond these ends the product is its limit, 0 or 1.
    odds <- torch_clamp(odds, sqrt(tiny_of(probs)), exp(most))
    odds * torch_log1p(1 / odds) - log_success
  },
  mean = function() odds_against,
  mode = function() torch_zeros_like(probs),
  variance = function() odds_against * (1 + odds_against),
  sample = function(shape) {
    u <- torch_clamp(standard_uniform(shape, probs), min = tiny_of(probs))
    torch_floor(torch_log(u) / torch_log1p(-probs))
  }
)

#' @rdname distr_bernoulli
#' @export
distr_negative_binomial <- distribution(
  "NegativeBinomial",
  parameters = list(
    total_count = constraint_nonnegative, probs = constraint_half_open_interval(0, 1), logits = constraint_real
  ),
  one_of = c("probs", "logits"),
  support = constraint_nonnegative_integer,
  derived = success_probability,
  log_prob = function(value) {
    log_ways <- torch_lgamma(total_count + value) - torch_lgamma(value + 1) - torch_lgamma(total_count)
    # If there are no failures to wait for, 0 is the only draw.
    log_ways <- torch_where(total_count + value == 0, torch_zeros_like(log_ways), log_ways)
    log_prob <- times(total_count, log_failure) + times(value, log_success) + log_ways
    with_certainty(log_prob, value, torch_zeros_like(value), never, always)
  },
  cdf = function(value) {
    is_none <- total_count == 0
    torch_where(is_none, 1, incomplete_beta(torch_where(is_none, 1, total_count), torch_floor(value) + 1, torch_sigmoid(-logits)))
  },
  mean = function() times(total_count, torch_exp(logits)),
  mode = function() torch_clamp(torch_floor(times(total_count - 1, torch_exp(logits))), min = 0),
  variance = function() times(total_count, torch_exp(logits) * (1 + torch_exp(logits))),
  sample = function(shape) {
    draw_poisson(at_least_tiny(standard_gamma(shape, total_count) / torch_exp(-logits)))
  }
)

#' @rdname distr_bernoulli
#' @export
distr_poisson <- distribution(
  "Poisson",
  parameters = list(rate = constraint_nonnegative),
  support = constraint_nonnegative_integer,
  log_prob = function(value) torch_xlogy(value, rate) - rate - torch_lgamma(value + 1),
  cdf = function(value) torch_special_gammaincc(torch_floor(value) + 1, rate),
  mean = function() rate,
  mode = function() torch_floor(rate),
  variance = function() rate,
  entropy = function() entropy_of_poisson(rate),
  sample = function(shape) draw_poisson(rate$expand(shape)),
  natural_params = function() list(torch_log(rate)),
  log_normalizer = function(x) torch_exp(x)
)

# LibTorch makes a whole number of an infinite rate.
draw_poisson <- function(rate) torch_where(rate == Inf, Inf, torch_poisson(rate))

# An infinite sum, of which those terms are added that matter; for large rates a series.
entropy_of_poisson <- function(rate) {
  is_large <- rate > 500
  large <- torch_where(is_large, rate, 500)
  series <- 0.5 * torch_log(2 * pi * exp(1) * large) - (1 / 12 + (1 / 24 + 19 / (360 * large)) / large) / large
  small <- torch_unsqueeze(torch_where(is_large | (rate == 0), 1, rate), -1L)
  # The rate tells how many terms are needed. A trace can't follow that, so it takes a fixed number.
  most <- if (cpp_is_tracing()) 500 else if (rate$numel() == 0) 1 else as.numeric(torch_max(small$detach()))
  k <- torch_arange(0, ceiling(most + 12 * sqrt(most) + 40), dtype = rate$dtype, device = rate$device)
  log_prob <- k * torch_log(small) - small - torch_lgamma(k + 1)
  torch_where(is_large, series, torch_where(rate == 0, 0, -torch_sum(torch_exp(log_prob) * log_prob, dim = -1L)))
}

#' @rdname distr_bernoulli
#' @export
distr_categorical <- distribution(
  "Categorical",
  parameters = list(probs = constraint_simplex, logits = constraint_real_vector),
  one_of = c("probs", "logits"),
  prepare = normalized,
  support = function() constraint_integer_interval(1, n_outcomes),
  derived = outcome_probabilities,
  log_prob = function(value) {
    place <- torch_unsqueeze(value$to(dtype = torch_long()), -1L)
    both <- torch_broadcast_tensors(list(place, logits))
    torch_squeeze(torch_gather(both[[2]], -1L, both[[1]]$narrow(-1L, 1L, 1L)), -1L)
  },
  entropy = function() -torch_sum(torch_clamp(logits, min = torch_finfo(logits$dtype)$min) * probs, dim = -1L),
  mean = function() nan_like(torch_select(probs, -1L, 1L)),
  mode = function() torch_argmax(probs, dim = -1L),
  variance = function() nan_like(torch_select(probs, -1L, 1L)),
  sample = function(shape) {
    n <- as.integer(prod(leading_sizes(shape, length(private$batch_shape()))))
    draws <- torch_multinomial(probs$reshape(c(-1L, n_outcomes)), n, TRUE)
    draws$t()$reshape(shape)
  },
  values = function() torch_tensor(seq_len(n_outcomes), dtype = torch_long(), device = probs$device)
)

#' @rdname distr_bernoulli
#' @export
distr_one_hot_categorical <- distribution(
  "OneHotCategorical",
  parameters = list(probs = constraint_simplex, logits = constraint_real_vector),
  one_of = c("probs", "logits"),
  prepare = normalized,
  support = constraint_one_hot,
  derived = c(outcome_probabilities, list(categorical = function() distr_categorical(probs, validate_args = FALSE))),
  event_shape = function() n_outcomes,
  log_prob = function(value) torch_sum(torch_where(value == 1, logits, 0), dim = -1L),
  entropy = function() categorical$entropy(),
  mean = function() probs,
  mode = function() nnf_one_hot(categorical$mode, n_outcomes)$to(dtype = probs$dtype),
  variance = function() probs * (1 - probs),
  sample = function(shape) {
    place <- formulas_of(categorical)$sample(leading_sizes(shape, 1L))
    nnf_one_hot(place, n_outcomes)$to(dtype = probs$dtype)
  },
  values = function() torch_eye(n_outcomes, dtype = probs$dtype, device = probs$device)
)

#' @rdname distr_bernoulli
#' @export
distr_one_hot_categorical_straight_through <- distribution(
  "OneHotCategoricalStraightThrough",
  parameters = list(probs = constraint_simplex, logits = constraint_real_vector),
  one_of = c("probs", "logits"),
  prepare = normalized,
  inherit = distr_one_hot_categorical,
  # The gradient of a draw is taken to be that of the probabilities.
  rsample = function(shape) with_no_grad(private$sample(shape)) + (probs - probs$detach())
)

#' @rdname distr_bernoulli
#' @export
distr_multinomial <- distribution(
  "Multinomial",
  parameters = list(total_count = NULL, probs = constraint_simplex, logits = constraint_real_vector),
  defaults = list(total_count = 1),
  one_of = c("probs", "logits"),
  prepare = function(values, call) normalized(check_total_count(values, call), call),
  support = function() constraint_multinomial(total_count),
  derived = c(outcome_probabilities, list(
    categorical = function() distr_categorical(probs, validate_args = FALSE),
    binomial = function() distr_binomial(total_count, probs, validate_args = FALSE)
  )),
  event_shape = function() n_outcomes,
  log_prob = function(value) {
    # It is sure that an impossible outcome is not drawn.
    counted <- torch_where((value == 0) & (logits == -Inf), 0, value * logits)
    torch_lgamma(torch_sum(value, dim = -1L) + 1) + torch_sum(counted - torch_lgamma(value + 1), dim = -1L)
  },
  entropy = function() {
    counts <- torch_tensor(as.double(seq_len(total_count)), dtype = probs$dtype, device = probs$device)
    for (i in seq_len(probs$ndim)) counts <- torch_unsqueeze(counts, -1L)
    log_factorials <- torch_exp(formulas_of(binomial)$log_prob(counts)) * torch_lgamma(counts + 1)
    total_count * categorical$entropy() - lgamma(total_count + 1) + torch_sum(log_factorials, dim = c(1L, -1L))
  },
  mean = function() probs * total_count,
  variance = function() total_count * probs * (1 - probs),
  sample = function(shape) {
    drawn <- formulas_of(categorical)$sample(c(as.integer(total_count), leading_sizes(shape, 1L)))
    counts <- torch_zeros(shape, dtype = probs$dtype, device = probs$device)
    place <- torch_movedim(drawn, 1L, -1L)
    counts$scatter_add_(-1L, place, torch_ones_like(place, dtype = probs$dtype))
  }
)

# ---- Continuous relaxations ----

#' @rdname distr_bernoulli
#' @export
distr_relaxed_bernoulli <- distribution(
  "RelaxedBernoulli",
  parameters = list(
    temperature = constraint_positive, probs = constraint_unit_interval, logits = constraint_real
  ),
  one_of = c("probs", "logits"),
  inherit = distr_transformed,
  support = constraint_unit_interval,
  derived = c(success_probability, list(
    base_distribution = function() distr_logit_relaxed_bernoulli(temperature, logits = logits, validate_args = FALSE),
    transforms = function() list(transform_sigmoid())
  ))
)

# The logit of a relaxed Bernoulli draw: a logistic distribution around the logits.
distr_logit_relaxed_bernoulli <- distribution(
  "LogitRelaxedBernoulli",
  parameters = list(
    temperature = constraint_positive, probs = constraint_unit_interval, logits = constraint_real
  ),
  one_of = c("probs", "logits"),
  support = constraint_real,
  derived = success_probability,
  log_prob = function(value) {
    z <- logits - value * temperature
    torch_log(temperature) + nnf_logsigmoid(z) + nnf_logsigmoid(-z)
  },
  rsample = function(shape) {
    u <- inside_open_interval(standard_uniform(shape, logits))
    (logit_of(u) + logit_of(probs)) / temperature
  }
)

#' @rdname distr_bernoulli
#' @export
distr_relaxed_one_hot_categorical <- distribution(
  "RelaxedOneHotCategorical",
  parameters = list(
    temperature = constraint_positive, probs = constraint_simplex, logits = constraint_real_vector
  ),
  one_of = c("probs", "logits"),
  prepare = normalized,
  inherit = distr_transformed,
  support = constraint_simplex,
  derived = c(outcome_probabilities, list(
    base_distribution = function() {
      distr_exp_relaxed_categorical(temperature, logits = logits, validate_args = FALSE)
    },
    transforms = function() list(transform_exp())
  )),
  event_shape = function() n_outcomes
)

# The logarithm of a relaxed one-hot draw.
distr_exp_relaxed_categorical <- distribution(
  "ExpRelaxedCategorical",
  parameters = list(
    temperature = constraint_positive, probs = constraint_simplex, logits = constraint_real_vector
  ),
  one_of = c("probs", "logits"),
  prepare = normalized,
  support = constraint_real_vector,
  derived = c(outcome_probabilities, list(warmth = function() torch_unsqueeze(temperature, -1L))),
  event_shape = function() n_outcomes,
  log_prob = function(value) {
    score <- logits - value * warmth
    score <- torch_sum(score - torch_logsumexp(score, dim = -1L, keepdim = TRUE), dim = -1L)
    score + lgamma(n_outcomes) + (n_outcomes - 1) * torch_log(temperature)
  },
  rsample = function(shape) {
    u <- inside_open_interval(standard_uniform(shape, logits))
    torch_log_softmax((logits - torch_log(-torch_log(u))) / warmth, dim = -1L)
  }
)
