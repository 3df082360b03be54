# Distributions made of distributions: transformed, independent, mixtures.

#' @include distributions.R distributions-transforms.R
NULL

is_distribution <- function(x) inherits(x, "torch_Distribution")

check_distribution <- function(x, arg, call = caller_env()) {
  if (!is_distribution(x)) value_error(sprintf("`%s` must be a distribution, not %s.", arg, friendly_type(x)), call)
}

check_ndims <- function(n, base, call) {
  if (!is_whole_number(n) || n < 0 || n > length(base$batch_shape)) {
    value_error(sprintf(
      "`reinterpreted_batch_ndims` must be a whole number from 0 to %d, the dimensions of `base_distribution`, not %s.",
      length(base$batch_shape), if (is.numeric(n)) toString(n) else friendly_type(n)
    ), call)
  }
}

#' Distributions made of distributions
#'
#' `distr_transformed()` is the distribution of `t(X)`, where `X` is a draw from another distribution and `t` one or several
#' [transforms][transform_function]. `distr_independent()` takes dimensions of a batch for dimensions of one draw: the log
#' probability of a draw is the sum over them. `distr_mixture_same_family()` draws one of several components of the same
#' kind, and from that one.
#'
#' @section Parameters:
#' Shape of one draw: `distr_independent()` moves the last `reinterpreted_batch_ndims` of `$batch_shape` to
#' `$event_shape`; that of `distr_transformed()` is as large as its transforms make it. The last dimension of
#' `component_distribution`'s batch goes over the components and has as many as `mixture_distribution` has
#' probabilities; it is gone from the mixture's batch.
#'
#' @param base_distribution,component_distribution a distribution.
#' @param transforms a transform, or a list of transforms that are applied in turn.
#' @param reinterpreted_batch_ndims number of dimensions, counted from the last.
#' @param mixture_distribution a [distr_categorical()].
#' @param validate_args whether parameters and values are checked; `NULL` is the option `torch.validate_args`, else `TRUE`.
#' @returns A distribution, see [distribution()]. A transformed one has `$base_dist` and `$transforms`, an independent one
#'   `$base_dist`.
#' @section Errors:
#' Arguments that are no distributions, or whose shapes do not fit, are `value_error`s.
#' @source `torch.distributions`. The mixture's variance is by the law of total variance.
#' @examplesIf torch::torch_is_installed()
#' d <- distr_transformed(distr_normal(0, 1), list(transform_affine(1, 2), transform_exp()))
#' d$log_prob(3)
#' distr_independent(distr_normal(torch_zeros(4, 3), 1), 1)$log_prob(torch_zeros(4, 3))
#' two <- distr_mixture_same_family(distr_categorical(c(0.3, 0.7)), distr_normal(c(-1, 1), 0.5))
#' two$log_prob(c(-1, 0, 1))
#' two$mean
#' @export
distr_transformed <- distribution(
  "TransformedDistribution",
  parameters = list(base_distribution = NULL, transforms = NULL),
  prepare = function(values, call) {
    check_distribution(values$base_distribution, "base_distribution", call)
    values$transforms <- check_transforms(values$transforms, "transforms", call)
    values
  },
  derived = list(
    transform = function() transform_compose(transforms),
    # The base distribution, expanded to the sizes that the transforms make. The dimensions that they mix belong to
    # one draw.
    base_dist = function() {
      batch <- base_distribution$batch_shape
      event <- base_distribution$event_shape
      shape <- c(batch, event)
      full <- transform$inverse_shape(transform$forward_shape(shape))
      base <- if (identical(as.integer(plain_sizes(full)), as.integer(plain_sizes(shape)))) {
        base_distribution
      } else {
        base_distribution$expand(leading_sizes(full, length(event)))
      }
      mixed <- dims_in(transform) - length(event)
      if (mixed > 0L) distr_independent(base, mixed) else base
    },
    full_shape = function() transform$forward_shape(c(base_dist$batch_shape, base_dist$event_shape)),
    event_ndim = function() dims_out(transform) + max(length(base_dist$event_shape) - dims_in(transform), 0L)
  ),
  batch_shape = function() {
    if (length(private$.tensors)) parameters_batch_shape(self, private) else leading_sizes(full_shape, event_ndim)
  },
  event_shape = function() if (length(private$.tensors)) integer() else trailing_sizes(full_shape, event_ndim),
  expand = function(batch_shape) {
    if (length(private$.tensors)) return(expand_parameters(self, private, batch_shape))
    inner <- c(batch_shape, self$event_shape)
    inner <- transform$inverse_shape(inner)
    base <- base_dist$expand(leading_sizes(inner, length(base_dist$event_shape)))
    instance_of(private$.class, list(base_distribution = base, transforms = transforms), private$.validate)
  },
  has_rsample = function() base_dist$has_rsample,
  support = function() {
    last <- if (length(transforms)) transform_parts(transforms[[length(transforms)]])$codomain else base_dist$support
    with_event_dim(last, length(self$event_shape))
  },
  rsample = function(shape) {
    transform(base_dist$rsample(leading_sizes(shape, length(self$batch_shape) + length(self$event_shape))))
  },
  sample = function(shape) {
    transform(base_dist$sample(leading_sizes(shape, length(self$batch_shape) + length(self$event_shape))))
  },
  log_prob = function(value) {
    n <- length(self$event_shape)
    total <- 0
    for (part in rev(transforms)) {
      before <- inverse_function(part)(value)
      n <- n + dims_in(part) - dims_out(part)
      total <- total - sum_last(determinant_function(part)(before, value), n - dims_in(part))
      value <- before
    }
    total + sum_last(formulas_of(base_dist)$log_prob(value), n - length(base_dist$event_shape))
  },
  cdf = function(value) upwards(formulas_of(base_dist)$cdf(inverse_function(transform)(value)), transform),
  icdf = function(value) transform(formulas_of(base_dist)$icdf(upwards(value, transform)))
)

# A decreasing transform turns a probability of at most a value into one of at least a value.
upwards <- function(p, transform) {
  sign <- transform_parts(transform)$sign
  if (is.null(sign)) {
    not_implemented_error("This distribution has no `cdf` and no `icdf`: its transforms don't go up or down everywhere.")
  }
  if (identical(sign, 1)) p else sign * (p - 0.5) + 0.5
}

#' @rdname distr_transformed
#' @export
distr_independent <- distribution(
  "Independent",
  parameters = list(base_distribution = NULL, reinterpreted_batch_ndims = NULL),
  prepare = function(values, call) {
    check_distribution(values$base_distribution, "base_distribution", call)
    check_ndims(values$reinterpreted_batch_ndims, values$base_distribution, call)
    values$reinterpreted_batch_ndims <- as.integer(values$reinterpreted_batch_ndims)
    values
  },
  derived = list(base_dist = function() base_distribution),
  batch_shape = function() leading_sizes(base_distribution$batch_shape, reinterpreted_batch_ndims),
  event_shape = function() {
    c(trailing_sizes(base_distribution$batch_shape, reinterpreted_batch_ndims), base_distribution$event_shape)
  },
  expand = function(batch_shape) {
    inner <- trailing_sizes(base_distribution$batch_shape, reinterpreted_batch_ndims)
    base <- base_distribution$expand(c(batch_shape, inner))
    values <- list(base_distribution = base, reinterpreted_batch_ndims = reinterpreted_batch_ndims)
    instance_of(private$.class, values, private$.validate)
  },
  has_rsample = function() base_distribution$has_rsample,
  has_enumerate_support = function() reinterpreted_batch_ndims == 0L && base_distribution$has_enumerate_support,
  values = function() {
    if (reinterpreted_batch_ndims > 0L) refuse_formula("enumerate_support")
    formulas_of(base_distribution)$values()
  },
  support = function() {
    with_event_dim(base_distribution$support, base_distribution$support$event_dim + reinterpreted_batch_ndims)
  },
  log_prob = function(value) sum_last(formulas_of(base_distribution)$log_prob(value), reinterpreted_batch_ndims),
  entropy = function() sum_last(base_distribution$entropy(), reinterpreted_batch_ndims),
  mean = function() base_distribution$mean,
  variance = function() base_distribution$variance,
  mode = function() base_distribution$mode,
  rsample = function(shape) formulas_of(base_distribution)$rsample(shape),
  sample = function(shape) formulas_of(base_distribution)$sample(shape)
)

#' @rdname distr_transformed
#' @export
distr_mixture_same_family <- distribution(
  "MixtureSameFamily",
  parameters = list(mixture_distribution = NULL, component_distribution = NULL),
  prepare = function(values, call) {
    mixture <- values$mixture_distribution
    component <- values$component_distribution
    if (!inherits(mixture, "torch_Categorical")) {
      value_error(sprintf(
        "`mixture_distribution` must be a categorical distribution, not %s.", friendly_type(mixture)
      ), call)
    }
    check_distribution(component, "component_distribution", call)
    n <- plain_sizes(trailing_sizes(mixture$param_shape, 1L))
    batch <- plain_sizes(component$batch_shape)
    if (!length(batch) || trailing_sizes(batch, 1L) != n) {
      value_error(sprintf(
        "The last size of `component_distribution`'s batch must be that of `mixture_distribution`, %s, but it is (%s).",
        format(n), toString(batch)
      ), call)
    }
    if (!do_broadcast(mixture$batch_shape, leading_sizes(batch, 1L))) {
      value_error(sprintf(
        "The batches of `mixture_distribution`, of shape (%s), and of `component_distribution`, of shape (%s), don't fit.",
        toString(mixture$batch_shape), toString(batch)
      ), call)
    }
    values
  },
  derived = list(
    event_ndim = function() length(component_distribution$event_shape),
    # The dimension of the components, counted from the last.
    component_dim = function() -1L - event_ndim,
    # Probabilities with a dimension for each one of the event.
    weights = function() {
      probs <- mixture_distribution$probs
      for (i in seq_len(event_ndim)) probs <- torch_unsqueeze(probs, -1L)
      probs
    }
  ),
  .pad = function(x) torch_unsqueeze(x, component_dim),
  batch_shape = function() leading_sizes(component_distribution$batch_shape, 1L),
  event_shape = function() component_distribution$event_shape,
  expand = function(batch_shape) {
    n <- trailing_sizes(component_distribution$batch_shape, 1L)
    values <- list(
      mixture_distribution = mixture_distribution$expand(batch_shape),
      component_distribution = component_distribution$expand(c(batch_shape, n))
    )
    instance_of(private$.class, values, private$.validate)
  },
  support = function() mixture_support(component_distribution$support, component_dim),
  log_prob = function(value) {
    each <- formulas_of(component_distribution)$log_prob(self$.pad(value))
    torch_logsumexp(each + torch_log_softmax(mixture_distribution$logits, dim = -1L), dim = -1L)
  },
  cdf = function(value) {
    torch_sum(formulas_of(component_distribution)$cdf(self$.pad(value)) * mixture_distribution$probs, dim = -1L)
  },
  mean = function() torch_sum(weights * component_distribution$mean, dim = component_dim),
  variance = function() {
    between <- (component_distribution$mean - self$.pad(self$mean))^2
    torch_sum(weights * (component_distribution$variance + between), dim = component_dim)
  },
  sample = function(shape) {
    drawn <- leading_sizes(shape, length(self$batch_shape) + event_ndim)
    mixture <- mixture_distribution
    if (length(mixture$batch_shape) < length(self$batch_shape)) mixture <- mixture$expand(self$batch_shape)
    which <- mixture$sample(drawn)
    each <- component_distribution$sample(drawn)
    for (i in seq_len(event_ndim + 1L)) which <- torch_unsqueeze(which, -1L)
    which <- which$expand(c(leading_sizes(shape, event_ndim), 1L, trailing_sizes(shape, event_ndim)))
    torch_squeeze(torch_gather(each, component_dim, which), component_dim)
  }
)

# The components' support, of values that have no dimension of the components.
mixture_support <- function(support, component_dim) {
  check <- function(value) {
    flags <- support$check(torch_unsqueeze(value, component_dim))
    torch_all(flags, dim = component_dim + support$event_dim)
  }
  new_constraint(
    "MixtureSameFamilyConstraint", function() constraint_words(support), check, support$event_dim, support$is_discrete,
    base_constraint = support
  )
}
