# Probability distributions: what all of them have in common.
#
# A distribution is its parameters with their constraints, formulas, a sampler, and the shape of one draw. `distribution()`
# makes a generator of that. Formulas are functions that see the parameters, and what is derived from them, as plain
# variables; `log_prob = function(value) ...` is the mathematics alone. What comes before and after it is here: numbers
# become tensors, parameters are broadcast and checked, values are checked, shapes are put together, gradients switched off.
#
# An object is made of the plan of its class by src/instance.cpp, as modules are: a public face (`self`), the formulas
# (`private`), and between them the scope in which formulas are evaluated and parameters live. What is derived is an
# active binding in that scope.

#' @include distributions-constraints.R given.R
NULL

# ---- Formulas ----

refuse_formula <- function(what, call = entry_call(sys.nframe() - 1L)) {
  # A field has no call that a user would know.
  if (is.call(call) && is.function(call[[1L]])) call <- NULL
  not_implemented_error(sprintf("This distribution has no `%s`.", what), call)
}

# What a class of distributions does not define: functions that need nothing of the object, which all objects share, and
# such that do. The latter are evaluated where the formulas of the class are, below the user's environment:
# distribution_levels() puts there what they call.
shared_formulas <- list(
  log_prob = function(value) refuse_formula("log_prob"),
  cdf = function(value) refuse_formula("cdf"),
  icdf = function(value) refuse_formula("icdf"),
  mean = function() refuse_formula("mean"),
  variance = function() refuse_formula("variance"),
  mode = function() refuse_formula("mode"),
  support = function() refuse_formula("support"),
  # Of draws, with and without gradients; `shape` is that of the result.
  rsample = function(shape) refuse_formula("rsample"),
  has_rsample = function() FALSE,
  # All values of a single event, along the first dimension.
  values = function() refuse_formula("enumerate_support"),
  has_enumerate_support = function() FALSE,
  event_shape = function() integer(),
  natural_params = function() refuse_formula("natural_params"),
  log_normalizer = function(...) refuse_formula("log_normalizer"),
  mean_carrier_measure = function() 0
)
own_formulas <- list(
  entropy = function() exponential_family_entropy(self, private),
  sample = function(shape) private$rsample(shape),
  batch_shape = function() parameters_batch_shape(self, private),
  expand = function(batch_shape) expand_parameters(self, private, batch_shape)
)

# All parameters have the same batch.
parameters_batch_shape <- function(self, private) {
  name <- private$.tensors[[1L]]
  leading_sizes(scope_of(self)[[name]]$shape, private$.class$event_dims[[name]])
}

expand_parameters <- function(self, private, batch_shape) {
  values <- mget(private$.given, envir = scope_of(self))
  for (name in private$.tensors) {
    event <- trailing_sizes(values[[name]]$shape, private$.class$event_dims[[name]])
    values[[name]] <- values[[name]]$expand(c(batch_shape, event))
  }
  instance_of(private$.class, values, private$.validate, private$.unexpanded)
}

scope_of <- function(distribution) distribution[[".__enclos_env__"]]
formulas_of <- function(distribution) scope_of(distribution)$private

leading_sizes <- function(shape, n) if (n == 0L) shape else shape[seq_len(length(shape) - n)]
trailing_sizes <- function(shape, n) shape[seq_len(n) + length(shape) - n]
event_dim_of <- function(constraint) if (is.function(constraint)) 0L else constraint$event_dim

# What users call.
distribution_methods <- list(
  log_prob = function(value) private$log_prob(checked_value(self, private, value)),
  cdf = function(value) private$cdf(checked_value(self, private, value, closed = TRUE)),
  icdf = function(value) private$icdf(as_value(self, value)),
  entropy = function() private$entropy(),
  perplexity = function() torch_exp(private$entropy()),
  sample = function(sample_shape = NULL) {
    shape <- extended_shape(self, sample_shape)
    with_no_grad(private$sample(shape))
  },
  rsample = function(sample_shape = NULL) {
    if (!private$has_rsample()) {
      not_implemented_error("This distribution has no `rsample`: its draws have no gradients. Use `sample`.")
    }
    private$rsample(extended_shape(self, sample_shape))
  },
  enumerate_support = function(expand = TRUE) {
    values <- private$values()
    batch <- private$batch_shape()
    event <- private$event_shape()
    values <- values$reshape(c(values$size(1), rep(1L, length(batch)), event))
    if (expand) values$expand(c(values$size(1), batch, event)) else values
  },
  expand = function(batch_shape, .instance = NULL) private$expand(as_shape(batch_shape, "batch_shape")),
  .extended_shape = function(sample_shape = NULL) extended_shape(self, sample_shape),
  .validate_sample = function(value) check_value(self, private, value),
  print = function() print.torch_Distribution(self)
)

# Classes take them before the functions of the package come to ask.
distribution_methods <- lapply(distribution_methods, asking)

distribution_fields <- local({
  formula <- function(name) new_function(alist(value = ), expr({
    if (!missing(value)) refuse_parameter(!!name)
    private[[!!name]]()
  }))
  names <- c(
    "mean", "variance", "mode", "support", "batch_shape", "event_shape", "has_rsample", "has_enumerate_support"
  )
  c(lapply(set_names(names), formula), list(
    stddev = function(value) torch_sqrt(self$variance),
    arg_constraints = function(value) private$.class$parameters[private$.class$tensors],
    .arg_constraints = function(value) self$arg_constraints,
    .support = function(value) self$support,
    .validate_args = function(value) private$.validate,
    param_shape = function(value) scope_of(self)[[private$.tensors[[1L]]]]$shape,
    .natural_params = function(value) private$natural_params(),
    .mean_carrier_measure = function(value) private$mean_carrier_measure(),
    ._mean_carrier_measure = function(value) private$mean_carrier_measure()
  ))
})

# These two call some arguments as PyTorch does, which has other names there.
methods_of_class <- list(
  Categorical = list(expand = function(batch_shape, instance = NULL, ...) private$expand(as_shape(batch_shape, "batch_shape"))),
  MixtureSameFamily = list(
    expand = function(batch_shape, instance = NULL, ...) private$expand(as_shape(batch_shape, "batch_shape")),
    log_prob = function(x, value = x) private$log_prob(checked_value(self, private, value)),
    cdf = function(x, value = x) private$cdf(checked_value(self, private, value, closed = TRUE))
  )
)

refuse_parameter <- function(name) {
  value_error(sprintf("`%s` of a distribution can't be assigned: make a new distribution.", name), call = NULL)
}

# ---- Values and shapes ----

as_shape <- function(shape, arg, call = caller_env()) {
  if (is.null(shape)) return(integer())
  if (is_size(shape)) return(shape)
  if (is.list(shape)) shape <- unlist(shape)
  if (length(shape) && !(is.numeric(shape) && all(is.finite(shape)) && all(shape == trunc(shape)) && all(shape >= 0))) {
    value_error(sprintf("`%s` must be whole numbers that are not negative, not %s.", arg, friendly_type(shape)), call)
  }
  as.integer(shape)
}

extended_shape <- function(self, sample_shape, call = caller_env()) {
  c(as_shape(sample_shape, "sample_shape", call), self$batch_shape, self$event_shape)
}

# A tensor of numbers; a single number has no dimension, so that it fits every batch.
as_numbers <- function(x, arg, like = NULL, call = caller_env()) {
  if (is_torch_tensor(x)) return(x)
  if (!is.numeric(x) && !is.logical(x)) {
    type_error(sprintf("`%s` must be a tensor or numbers, not %s.", arg, friendly_type(x)), call)
  }
  dtype <- if (is.null(like)) torch_get_default_dtype() else like$dtype
  x <- if (length(x) == 1L && is.null(dim(x))) {
    torch_scalar_tensor(as.double(x), dtype = dtype)
  } else {
    torch_tensor(x, dtype = dtype)
  }
  if (is.null(like)) x else x$to(device = like$device)
}

as_value <- function(self, value, call = caller_env()) {
  if (is_torch_tensor(value)) value else as_numbers(value, "value", first_tensor(self), call)
}

# Some tensor among the parameters, which tells dtype and device.
first_tensor <- function(distribution) {
  scope <- scope_of(distribution)
  for (name in scope$private$.given) {
    value <- scope[[name]]
    if (inherits(value, "torch_Distribution")) value <- first_tensor(value)
    if (is_torch_tensor(value)) return(value)
  }
  NULL
}

checked_value <- function(self, private, value, closed = FALSE) {
  value <- as_value(self, value)
  if (private$.validate && !cpp_is_tracing()) check_value(self, private, value, closed)
  value
}

# `closed`: the end of an open support counts as well. A distribution function is known there.
check_value <- function(self, private, value, closed = FALSE, call = caller_env()) {
  if (!is_torch_tensor(value)) type_error(sprintf("`value` must be a tensor, not %s.", friendly_type(value)), call)
  event <- private$event_shape()
  shape <- .Call(C_shape, value)
  if (length(shape) < length(event) || !all(trailing_sizes(shape, length(event)) == event)) {
    value_error(sprintf(
      "The last sizes of `value` must be (%s), the shape of one draw, but its shape is (%s).",
      toString(event), toString(shape)
    ), call)
  }
  batch <- private$batch_shape()
  if (!do_broadcast(leading_sizes(shape, length(event)), batch)) {
    value_error(sprintf(
      "`value` of shape (%s) doesn't fit the distribution's batch of shape (%s).", toString(shape), toString(batch)
    ), call)
  }
  support <- private$support()
  if (closed && identical(support, constraint_positive)) support <- constraint_nonnegative
  flags <- support$check(value)
  if (!as.logical(torch_all(flags))) {
    value_error(sprintf(
      "`value` must be in the support of the distribution, %s%s", constraint_words(support), offence(value, flags)
    ), call)
  }
}

# Numbers to compare, which a trace need not follow.
plain_sizes <- function(shape) if (is.object(shape)) size_parts(shape)$numbers else shape

# The size of an event is a constant of a trace; the batch is free.
event_size <- function(x, dim) plain_sizes(x$size(dim))

do_broadcast <- function(a, b) {
  n <- min(length(a), length(b))
  if (n == 0L || identical(a, b)) return(TRUE)
  a <- trailing_sizes(plain_sizes(a), n)
  b <- trailing_sizes(plain_sizes(b), n)
  all(a == b | a == 1L | b == 1L)
}

# The end of a sentence that says what `value` must be: which of its values are not.
offence <- function(value, flags) {
  n <- flags$numel()
  bad <- n - as.numeric(torch_sum(flags))
  of_all <- if (n > 1) sprintf(" %s of %s are not", format_count(bad), format_count(n))
  if (value$ndim != flags$ndim) return(if (is.null(of_all)) "." else paste0(":", of_all, "."))
  first <- as.numeric(torch_masked_select(value$detach(), torch_logical_not(flags))[1])
  if (is.null(of_all)) sprintf(", not %s.", format(first)) else sprintf(":%s, the first is %s.", of_all, format(first))
}

sum_last <- function(x, n) if (n == 0L) x else torch_sum(x, dim = -seq_len(n))

# ---- Parameters ----

# A floating tensor of each parameter that was given.
parameter_tensors <- function(values, call) {
  like <- NULL
  for (name in names(values)) {
    value <- values[[name]]
    if (!is_torch_tensor(value)) next
    if (!value$is_floating_point()) {
      if (value$is_complex()) value_error(sprintf("`%s` must hold real numbers, not complex ones.", name), call)
      values[[name]] <- value <- value$to(dtype = torch_get_default_dtype())
    }
    if (is.null(like)) like <- value
  }
  for (name in names(values)) {
    if (!is_torch_tensor(values[[name]])) values[[name]] <- as_numbers(values[[name]], name, like, call)
  }
  values
}

# All of them with the same batch. `event_dims` tells how many of the last dimensions belong to one event.
broadcast_parameters <- function(values, event_dims, constraints, call) {
  are_numbers <- all(event_dims == 0L)
  if (!are_numbers) check_event_dims(values, event_dims, constraints, call)
  if (length(values) < 2L || (are_numbers && have_same_shape(values))) return(values)
  # A trace follows the operator.
  if (are_numbers && cpp_is_tracing()) return(set_names(torch_broadcast_tensors(unname(values)), names(values)))
  if (all(vapply(values, function(x) x$ndim, 0L) == event_dims)) return(values)
  shapes <- lapply(values, function(x) x$shape)
  batches <- Map(leading_sizes, shapes, event_dims)
  batch <- integer()
  for (one in batches) {
    if (!do_broadcast(one, batch)) {
      texts <- sprintf("`%s` has shape (%s)", names(values), vapply(shapes, toString, ""))
      value_error(paste0("The parameters don't fit together: ", paste(texts, collapse = ", "), "."), call)
    }
    batch <- broadcast_sizes(one, batch)
  }
  Map(function(x, shape, event_dim) x$expand(c(batch, trailing_sizes(shape, event_dim))), values, shapes, event_dims)
}

have_same_shape <- function(tensors) {
  first <- .Call(C_shape, tensors[[1L]])
  for (x in tensors) if (!identical(.Call(C_shape, x), first)) return(FALSE)
  # What has equal sizes in the example of a trace may have others later.
  length(first) == 0L || !cpp_is_tracing()
}

check_event_dims <- function(values, event_dims, constraints, call) {
  for (name in names(event_dims)[event_dims > 0L]) {
    if (values[[name]]$ndim < event_dims[[name]]) {
      value_error(sprintf(
        "`%s` must have at least %s: it is %s.", name, count_of(event_dims[[name]], "dimension"),
        constraint_words(constraints[[name]])
      ), call)
    }
  }
}

broadcast_sizes <- function(a, b) {
  if (!length(a)) return(b)
  n <- max(length(a), length(b))
  a <- c(rep(1L, n - length(a)), a)
  b <- c(rep(1L, n - length(b)), b)
  is_one <- plain_sizes(a) == 1L
  do.call(c, lapply(seq_len(n), function(i) if (is_one[[i]]) b[[i]] else a[[i]]))
}

check_parameter <- function(name, value, constraint, call) {
  flags <- constraint$check(value)
  if (!as.logical(torch_all(flags))) {
    value_error(sprintf("`%s` must be %s%s", name, constraint_words(constraint), offence(value, flags)), call)
  }
}

# ---- Objects ----

# Of the values that the frame of a generator holds.
new_distribution <- function(class, frame) {
  call <- frame
  values <- mget(names(class$parameters), frame)
  for (name in names(values)) {
    if (identical(values[[name]], quote(expr = ))) value_error(sprintf("`%s` is missing.", name), call)
  }
  validate <- !isFALSE(frame$validate_args %||% getOption("torch.validate_args"))
  if (length(class$one_of)) {
    is_given <- !vapply(values[class$one_of], is.null, NA)
    given <- class$one_of[is_given]
    if (length(given) != 1L) {
      words <- paste0("`", class$one_of, "`", collapse = ", ")
      value_error(sprintf(
        "Exactly one of %s must be given, not %s.", words,
        if (length(given)) paste0("`", given, "`", collapse = " and ") else "none"
      ), call)
    }
    values[class$one_of[!is_given]] <- NULL
  }
  if (!is.null(class$prepare)) values[] <- class$prepare(values, call)
  tensors <- names(values)[names(values) %in% class$tensors]
  unexpanded <- list()
  if (length(tensors)) {
    unexpanded <- parameter_tensors(values[tensors], call)
    values[tensors] <- broadcast_parameters(unexpanded, class$event_dims[tensors], class$parameters, call)
  }
  self <- instance_of(class, values, validate, unexpanded)
  if (validate && !cpp_is_tracing()) {
    for (name in tensors) {
      constraint <- class$parameters[[name]]
      if (is.function(constraint)) constraint <- run_in(constraint, scope_of(self))
      check_parameter(name, unexpanded[[name]], constraint, call)
    }
  }
  self
}

no_members <- structure(list(), names = character())

run_in <- function(f, scope) {
  environment(f) <- scope
  f()
}

# Of parameters that are ready. What is dear to compute, such as the factor of a matrix, is computed of what was given,
# `unexpanded`, and not once for each place of the batch.
instance_of <- function(class, values, validate = TRUE, unexpanded = list()) {
  given <- names(values)
  private <- c(class$shared, list(
    .class = class, .given = given, .tensors = given[given %in% class$tensors], .unexpanded = unexpanded,
    .validate = validate
  ))
  self <- cpp_new_instance(class$levels, no_members, private, NULL)
  scope <- scope_of(self)
  list2env(values, scope)
  has_graph <- any(vapply(values, may_have_graph, NA))
  for (name in names(class$derived)) if (!name %in% given) derive(name, class$derived[[name]], scope, has_graph)
  class(self) <- class$names
  self
}

# Computed when it is first asked for, and with gradients wherever that is.
# A backward pass frees the graph behind a value; after it the value is computed anew.
derive <- function(name, f, scope, has_graph) {
  environment(f) <- scope
  kept <- NULL
  passes <- -1
  makeActiveBinding(name, function() {
    now <- if (cpp_is_tracing()) NA else if (has_graph) .Call(C_backward_passes) else 0
    if (!identical(now, passes) || is.na(now)) {
      kept <<- if (is.na(now)) f() else with_enable_grad(f())
      passes <<- now
    }
    kept
  }, scope)
}

# Whether what is computed of a parameter may have a graph: distributions and transforms may hold tensors.
may_have_graph <- function(parameter) if (is_torch_tensor(parameter)) parameter$requires_grad else is.environment(parameter) || is.list(parameter)

#' Make a class of distributions
#'
#' `distribution()` makes a class of probability distributions: a function that creates them. All distributions of the
#' package, such as [distr_normal()], are made by it; a new one needs its parameters, what it knows of its formulas, and
#' a sampler.
#'
#' Formulas are functions that find the parameters as variables: tensors that are broadcast against each other. None
#' has to be there; what is missing is a `not_implemented_error` where it is asked for.
#'
#' | formula | gives |
#' |---|---|
#' | `log_prob(value)` | logarithm of the density or probability |
#' | `cdf(value)`, `icdf(value)` | probability of at most `value`; quantile of the probability `value` |
#' | `mean()`, `variance()`, `mode()`, `entropy()` | tensors of the batch's shape |
#' | `rsample(shape)` | draws with gradients by the parameters; `shape` is that of the whole result |
#' | `sample(shape)` | draws, where there are none with gradients or others are cheaper |
#' | `values()` | all values, along dimension 1, for `$enumerate_support()` |
#' | `event_shape()` | the shape of one draw, where it is not a number |
#' | `natural_params()`, `log_normalizer(...)` | of an exponential family: entropy and divergences follow |
#'
#' @section Members of a distribution:
#' * `$sample(sample_shape)`, `$rsample(sample_shape)`: draws, a tensor of shape `c(sample_shape, batch_shape,
#'   event_shape)`, without and with gradients.
#' * `$log_prob(value)`, `$cdf(value)`, `$icdf(value)`: of tensors, or of numbers.
#' * `$mean`, `$variance`, `$stddev`, `$mode`, `$entropy()`, `$perplexity()`.
#' * `$batch_shape`, `$event_shape`: how many distributions it holds, and the shape of one draw from each.
#' * `$support`, `$arg_constraints`: [constraints][constraint_real] of draws and of parameters.
#' * `$expand(batch_shape)`: the same distribution for a larger batch, without copies.
#' * `$enumerate_support(expand = TRUE)`: all values of a discrete distribution, along dimension 1.
#' * `$has_rsample`, `$has_enumerate_support`: whether it has these.
#' * the parameters and what is derived from them, by name.
#'
#' Parameters are tensors, or R numbers, which take dtype and device of the tensors beside them. With `validate_args` they
#' and the values given to `$log_prob()` and `$cdf()` are checked. That is the default unless
#' `options(torch.validate_args = FALSE)`; a trace checks nothing.
#'
#' @section Errors:
#' A parameter or value that is not what it must be is a `value_error` that names it; what a distribution does not have
#' is a `not_implemented_error`.
#'
#' @param name name of the distribution; the class of its objects is `torch_<name>`.
#' @param parameters named list: the arguments of the generator, in their order, with the
#'   [constraint][constraint_real] of each, or a function that gives one (it sees the other parameters). An argument that
#'   is no tensor has `NULL` in its place.
#' @param ... formulas. A function of any other name becomes a method.
#' @param support constraint of draws, or a function that gives it.
#' @param defaults named list of default values of the arguments.
#' @param one_of names of parameters of which exactly one is to be given; `derived` computes the others from it.
#' @param derived named list of functions: values that are computed from the parameters when they are first needed.
#' @param prepare function of the list of arguments that were given and of the call for its errors; gives the list,
#'   changed.
#' @param inherit a generator whose formulas and derived values hold where there is none of the same name.
#' @returns A generator, a function that returns a distribution: an object of class `torch_<name>` and
#'   `torch_Distribution`.
#' @source Names and behaviour are those of `torch.distributions.Distribution`.
#' @seealso [distr_normal()], [distr_bernoulli()], [distr_multivariate_normal()], [distr_transformed()],
#'   [kl_divergence()]
#' @examplesIf torch::torch_is_installed()
#' distr_rayleigh <- distribution(
#'   "Rayleigh",
#'   parameters = list(scale = constraint_positive),
#'   support = constraint_nonnegative,
#'   log_prob = function(value) torch_log(value / scale^2) - (value / scale)^2 / 2,
#'   cdf = function(value) 1 - torch_exp(-(value / scale)^2 / 2),
#'   mean = function() scale * sqrt(pi / 2),
#'   rsample = function(shape) scale * torch_sqrt(-2 * torch_log(torch_rand(shape)))
#' )
#' d <- distr_rayleigh(scale = c(1, 2))
#' d
#' d$log_prob(1.5)
#' d$sample(3)
#' @export
distribution <- function(name, parameters = list(), ..., support = NULL, defaults = list(), one_of = NULL,
                         derived = list(), prepare = NULL, inherit = NULL) {
  if (!is_string(name)) value_error(sprintf("`name` must be a string, not %s.", friendly_type(name)))
  parent <- if (!is.null(inherit)) distribution_class_of(inherit)
  members <- list2(...)
  for (member in names(members)) {
    if (!is.function(members[[member]])) {
      value_error(sprintf("`%s` must be a function, not %s.", member, friendly_type(members[[member]])))
    }
  }
  members$support <- if (is_constraint(support)) new_function(NULL, support) else support
  if (!is.null(members$rsample)) members$has_rsample <- members$has_rsample %||% function() TRUE
  if (!is.null(members$values)) members$has_enumerate_support <- members$has_enumerate_support %||% function() TRUE
  members <- override(parent$members, members)
  derived <- override(parent$derived, derived)
  is_family <- "log_normalizer" %in% names(members)
  names <- c(
    paste0("torch_", name), setdiff(parent$names, common_class_names), if (is_family) common_class_names[[1L]],
    common_class_names[-1L]
  )
  tensors <- names(parameters)[!vapply(parameters, is.null, NA)]
  class <- list(
    name = name, names = names, parameters = parameters, tensors = tensors, one_of = one_of, derived = derived,
    event_dims = vapply(parameters[tensors], event_dim_of, 0L), prepare = prepare, members = members,
    shared = shared_formulas[setdiff(names(shared_formulas), names(members))],
    levels = distribution_levels(name, members, union(names(parameters), names(derived)), parent.frame())
  )
  optional <- set_names(rep(list(NULL), length(one_of)), one_of)
  required <- set_names(rep(list(quote(expr = )), length(parameters)), names(parameters))
  formals <- required
  formals[names(optional)] <- optional
  formals[names(defaults)] <- defaults
  make <- function(frame) new_distribution(class, frame)
  structure(
    new_function(c(formals, list(validate_args = NULL)), quote(.make(environment())), new_environment(
      list(.make = make), parent = topenv()
    )),
    class = "distribution_generator", distribution = class
  )
}

override <- function(inherited, own) as.list(c(inherited[setdiff(names(inherited), names(own))], own))

common_class_names <- c("torch_ExponentialFamily", "torch_Distribution", "R6")

distribution_class_of <- function(generator, arg = "inherit", call = caller_env()) {
  class <- attr(generator, "distribution", exact = TRUE)
  if (is.null(class)) {
    value_error(sprintf("`%s` must be a generator of distributions, not %s.", arg, friendly_type(generator)), call)
  }
  class
}

# For cpp_new_instance(): what all distributions have, evaluated in the package, and what this one has, where it was
# written. What can be read of an object by name are its parameters.
distribution_levels <- function(class, members, names, home) {
  is_formula <- names(members) %in% c(names(shared_formulas), names(own_formulas))
  read <- lapply(set_names(setdiff(names, names(distribution_fields))), function(name) {
    new_function(alist(value = ), expr({
      if (!missing(value)) refuse_parameter(!!name)
      !!as.name(name)
    }))
  })
  members <- list(override(no_members, members[!is_formula]), override(own_formulas, members[is_formula]))
  # In the package one scope does for both.
  if (identical(topenv(home), topenv())) {
    return(list(list(
      home, c(override(distribution_methods, methods_of_class[[class]]), members[[1L]]), members[[2L]], c(distribution_fields, read)
    )))
  }
  helpers <- c("refuse_parameter", "parameters_batch_shape", "expand_parameters", "exponential_family_entropy")
  scope <- new_environment(mget(helpers, topenv()), parent = home)
  list(
    list(topenv(), distribution_methods, no_members, distribution_fields), list(scope, members[[1L]], members[[2L]], read)
  )
}

is_exponential_family <- function(x) inherits(x, "torch_ExponentialFamily")

# The derivatives of the log-normalizer are the means of the sufficient statistics.
exponential_family_means <- function(formulas) {
  params <- formulas$natural_params()
  is_free <- vapply(params, function(x) x$requires_grad, NA)
  params[!is_free] <- lapply(params[!is_free], function(x) x$detach()$requires_grad_(TRUE))
  with_enable_grad({
    normalizer <- do.call(formulas$log_normalizer, params)
    means <- autograd_grad(list(torch_sum(normalizer)), params, create_graph = TRUE)
  })
  out <- list(params = params, normalizer = list(normalizer), means = means)
  if (any(is_free)) out else lapply(out, lapply, function(x) x$detach())
}

exponential_family_entropy <- function(self, private) {
  if (!is_exponential_family(self)) refuse_formula("entropy")
  family <- exponential_family_means(private)
  batch <- length(private$batch_shape())
  terms <- Map(function(param, mean) sum_last(param * mean, param$ndim - batch), family$params, family$means)
  Reduce(`-`, terms, family$normalizer[[1L]]) - private$mean_carrier_measure()
}

#' @export
print.distribution_generator <- function(x, ...) {
  cat(sprintf("<distribution_generator> %s\n", attr(x, "distribution", exact = TRUE)$name))
  invisible(x)
}

#' @export
format.torch_Distribution <- function(x, ...) {
  scope <- scope_of(x)
  given <- scope$private$.given
  values <- vapply(given, function(name) describe_parameter(scope[[name]]), "")
  paste0("<", class(x)[[1L]], ">", if (length(given)) " ", paste(given, "=", values, collapse = ", "))
}

describe_parameter <- function(x) {
  if (is.list(x)) return(sprintf("list(%s)", paste(vapply(x, describe_parameter, ""), collapse = ", ")))
  if (inherits(x, c("torch_Distribution", "torch_Transform"))) return(format(x))
  if (!is_torch_tensor(x)) return(describe_value(x))
  if (x$ndim > 1L || x$numel() > 4 || x$device$type == "meta") return(describe_value(x))
  deparse1(signif(as.numeric(x), 5))
}

#' @export
print.torch_Distribution <- function(x, ...) {
  cat(format(x), "\n", sep = "")
  invisible(x)
}
