# How the optimisers of the package make a step: all by the same code, by rules that say how parameters are updated.
#
# A rule is written once, over lists with one element for each parameter and LibTorch's operators for lists
# (`_foreach_*`, those that LibTorch 1.13 has): one call for all parameters of a group. Where LibTorch has the whole
# update in one operator for such parameters, the rule names that too. What is kept for the parameters lies in columns
# meanwhile: a list of tensors or a vector of numbers. These columns are a plan, made once and held until the
# parameters, or which of them have gradients, change.

#' @include optim.R
NULL

# A rule: a list. Its functions are called with the parameters, their gradients, `state` and the group. `state` is an
# environment that they read and write: what it holds after a step is there at the next, at first nothing but `step`,
# which counts. Numbers in it are one for all parameters as long as they are equal.
#   update    by lists; gradients come with their sign for `maximize` and with the weight decay added
#   fused     by LibTorch's one operator, which sees to `maximize` and the decay; the last argument: steps, as tensors
#   sparse    one parameter with a sparse gradient
#   numbers   names of the numbers in `state`; `number_in_dict` makes of one what state dicts hold
#   kind      function(param): only parameters for which it gives the same numbers are updated together
#   decay     of the weights: "gradient", "parameter" (decoupled) or "own" (the rule's functions see to it)
#   checks    of its own hyperparameters, as in `hyperparameter_checks`; `check`: a function of a group
#   initial   function(param, group): what state dicts hold of a parameter that no step has seen yet
#   renamed   PyTorch's names of hyperparameters that have another one here
new_rule <- function(name, update, fused = NULL, sparse = NULL, numbers = "step", number_in_dict = number_as_tensor,
                     kind = function(param) NULL, decay = "gradient", checks = list(), check = function(group) NULL,
                     initial = NULL, renamed = NULL) {
  as.list(environment())
}

# The generator of a rule's optimizers. `formals` are those of `initialize`: after `params` come the hyperparameters
# with their defaults.
rule_optimizer <- function(formals, rule, inherit = Optimizer) {
  names <- setdiff(names(formals), "params")
  defaults <- as.call(c(quote(list), set_names(lapply(names, as.symbol), names)))
  initialize <- new_function(as.pairlist(formals), bquote(super$initialize(params, .(defaults))))
  optimizer(rule$name, inherit, initialize = initialize, private = list(.rule = rule), parent_env = topenv())
}

# --- steps -----------------------------------------------------------------------------------------------------------

step_groups <- function(state, groups, rule, settings, call = caller_env()) {
  for (i in seq_along(groups)) {
    group <- groups[[i]]
    grads <- grads_of(group$params)
    has_grad <- !vapply(grads, is.null, NA)
    plan <- state$plans[i][[1L]]
    if (!identical(plan$has_grad, has_grad) || !identical(plan$params, group$params)) {
      plan <- state$plans[[i]] <- plan_step(state$settled(), group, grads, has_grad, rule)
    }
    # Settings may have been changed since, in `$param_groups`. In a recording they are numbers that note what is computed of them.
    if (is.null(the$numbers)) {
      if (!identical(plan$given, group)) {
        plan <- state$plans[[i]] <- replace(plan, c("given", "group"), list(group, checked_group(group, rule, settings, call)))
      }
      group <- plan$group
    }
    for (part in plan$parts) step_part(part, grads[part$of], group, rule)
  }
}

# The gradients of the parameters; NULL for a parameter that has none.
grads_of <- function(params) .Call(C_grads, params)

step_part <- function(part, grads, group, rule) {
  state <- part$state
  if ("step" %in% rule$numbers) state$step <- (state$step %||% 0) + 1
  if (part$is_fused) {
    return(rule$fused(part$params, grads, state, group, fused_steps(part)))
  }
  if (part$is_complex) grads <- lapply(grads, torch_view_as_real)
  if (isTRUE(group$maximize)) grads <- if (part$is_sparse) lapply(grads, torch_neg) else torch__foreach_neg(grads)
  if (rule$decay != "own" && group$weight_decay != 0) {
    if (rule$decay == "parameter" || isTRUE(group$decoupled_weight_decay)) {
      torch__foreach_mul_(part$params, scalar = 1 - group$lr * group$weight_decay)
    } else {
      grads <- torch__foreach_add(grads, part$params, alpha = group$weight_decay)
    }
  }
  if (part$is_sparse) {
    rule$sparse(part$params[[1L]], grads[[1L]], state, group)
  } else {
    rule$update(part$params, grads, state, group)
  }
}

# The counts of steps in the form that fused operators want: a tensor for each parameter, the same one where counts
# are equal. A plan makes them once, and they count along.
fused_steps <- function(part) {
  counts <- part$counts
  if (!is.null(counts$own)) {
    torch__foreach_add_(counts$own, scalar = 1)
  } else if (!is.null(part$state$step)) {
    device <- part$params[[1L]]$device
    counts$own <- lapply(part$state$step, function(x) torch_scalar_tensor(x, dtype = torch_float(), device = device))
    counts$all <- rep_len(counts$own, length(part$params))
  }
  counts$all
}

# --- plans -----------------------------------------------------------------------------------------------------------

# Parameters of one type, on one device and with the same kept values can be updated together. They are a part of the
# plan.
plan_step <- function(states, group, grads, has_grad, rule) {
  kinds <- vapply(which(has_grad), function(i) {
    param <- group$params[[i]]
    is_sparse <- grads[[i]]$is_sparse()
    kept <- sort(names(states[[tensor_address(param)]]))
    # Sparse gradients have different sizes, so each is a part of its own.
    kind <- c(as.character(param$dtype), as.character(param$device), if (is_sparse) i, rule$kind(param), kept)
    paste(kind, collapse = " ")
  }, "")
  parts <- lapply(split(which(has_grad), kinds), function(of) {
    plan_part(states, group, of, grads[[of[[1L]]]]$is_sparse(), rule)
  })
  list(params = group$params, has_grad = has_grad, parts = unname(parts))
}

plan_part <- function(states, group, of, is_sparse, rule) {
  params <- group$params[of]
  if (is_sparse) check_sparse(group, rule)
  is_complex <- params[[1L]]$is_complex()
  kept <- mget(addresses(params), envir = states, ifnotfound = list(NULL))
  columns <- lapply(set_names(as.character(names(kept[[1L]]))), function(name) {
    column <- unname(lapply(kept, `[[`, name))
    if (name %in% rule$numbers) {
      column <- vapply(column, as.numeric, 0)
      return(if (length(unique(column)) == 1L) column[[1L]] else column)
    }
    if (is_complex) column <- lapply(column, real_view)
    if (is_sparse) column[[1L]] else column
  })
  is_fused <- !is_sparse && has_fused(rule, params[[1L]], group)
  if (is_fused) check_kept(kept, params)
  if (is_complex) params <- lapply(params, torch_view_as_real)
  list(
    of = of, params = params, state = new_environment(columns), is_complex = is_complex,
    is_fused = is_fused, is_sparse = is_sparse, counts = new_environment()
  )
}

real_view <- function(x) if (is_torch_tensor(x) && x$is_complex()) torch_view_as_real(x) else x

# The fused operators assume that what is kept has the shape of the parameter.
check_kept <- function(kept, params, call = caller_env(4)) {
  Map(function(entries, param) {
    shape <- .Call(C_shape, param)
    for (name in names(entries)) {
      x <- entries[[name]]
      if (!is_torch_tensor(x) || !length(.Call(C_shape, x)) || identical(.Call(C_shape, x), shape)) next
      value_error(sprintf(
        "The state `%s` of a parameter must have its shape, (%s), not (%s).", name, toString(shape), toString(.Call(C_shape, x))
      ), call)
    }
  }, kept, params)
}

check_sparse <- function(group, rule, call = caller_env(4)) {
  if (is.null(rule$sparse)) {
    value_error(sprintf(
      "`%s` can't use sparse gradients: `optim_sgd()`, `optim_adagrad()` and `optim_sparse_adam()` can.", rule$name
    ), call)
  }
  if (isTRUE(group$weight_decay != 0)) {
    value_error("`weight_decay` must be 0 for parameters with sparse gradients.", call)
  }
}

# What a part keeps, by the keys of its parameters.
states_of_part <- function(part, keys) {
  columns <- as.list(part$state, sorted = TRUE)
  states <- lapply(seq_along(keys), function(i) {
    lapply(columns, function(column) {
      x <- if (part$is_sparse) column else if (length(column) == 1L) column[[1L]] else column[[i]]
      if (part$is_complex && is_torch_tensor(x)) torch_view_as_complex(x) else x
    })
  })
  set_names(states, keys)[lengths(states) > 0L]
}

# Whether LibTorch has the rule's operator for such parameters. The first time for each type and device, this runs the
# operator on tensors with one element.
has_fused <- function(rule, param, group) {
  if (is.null(rule$fused)) return(FALSE)
  key <- paste(rule$name, as.character(param$dtype), as.character(param$device))
  if (is.null(the$fused[[key]])) {
    params <- list(torch_zeros(1, dtype = param$dtype, device = param$device))
    probe <- list(params = params, state = new_environment(list(step = 1)), counts = new_environment())
    the$fused[[key]] <- tryCatch({
      rule$fused(params, list(torch_zeros_like(params[[1L]])), new_environment(), group, fused_steps(probe))
      TRUE
    }, error = function(e) FALSE)
  }
  the$fused[[key]]
}

# --- parts of rules --------------------------------------------------------------------------------------------------

# A column of tensors. The first step makes them.
kept <- function(state, name, params, first = torch_zeros_like) {
  if (is.null(state[[name]])) state[[name]] <- if (is.list(params)) lapply(params, first) else first(params)
  state[[name]]
}

# The running mean of `x`, and that of its square, in which the old values weigh `beta`.
kept_mean <- function(state, name, x, beta) {
  mean <- kept(state, name, x)
  each_lerp_(mean, x, 1 - beta)
  mean
}

kept_square <- function(state, name, x, beta) {
  mean <- kept(state, name, x)
  torch__foreach_mul_(mean, scalar = beta)
  torch__foreach_addcmul_(mean, x, x, value = 1 - beta)
  mean
}

# sqrt(x) + eps
root_plus <- function(x, eps) {
  root <- torch__foreach_sqrt(x)
  torch__foreach_add_(root, scalar = eps)
  root
}

# `by`, `value`: one number for all, or one for each.
scale_ <- function(x, by) {
  if (length(by) == 1L) torch__foreach_mul_(x, scalar = by) else torch__foreach_mul_(x, scalars = by)
}

shift_ <- function(x, by) {
  if (length(by) == 1L) torch__foreach_add_(x, scalar = by) else torch__foreach_add_(x, scalars = by)
}

add_quotient_ <- function(x, numerator, divisor, value) {
  if (length(value) == 1L) {
    torch__foreach_addcdiv_(x, numerator, divisor, value = value)
  } else {
    torch__foreach_addcdiv_(x, numerator, divisor, scalars = value)
  }
}

add_scaled_ <- function(x, other, by) {
  if (length(by) == 1L) return(torch__foreach_add_(x, other, alpha = by))
  torch__foreach_add_(x, torch__foreach_mul(other, scalars = by))
}

# LibTorch 1.13 has no operators for these. `weight`: one number for all, or one for each.
each_lerp_ <- function(x, end, weight) {
  if (!libtorch_has_lists() || length(weight) > 1L) {
    return(Map(function(x, end, weight) x$lerp_(end, weight), x, end, weight))
  }
  torch__foreach_lerp_(x, end, weight = weight)
}

each_maximum_ <- function(x, other) {
  if (!libtorch_has_lists()) return(Map(function(x, other) x$copy_(torch_maximum(x, other)), x, other))
  torch__foreach_maximum_(x, other = other)
}

each_sign <- function(x) if (libtorch_has_lists()) torch__foreach_sign(x) else lapply(x, torch_sign)

each_clamp_ <- function(x, min, max) {
  if (!libtorch_has_lists()) return(lapply(x, function(x) x$clamp_(min, max)))
  torch__foreach_clamp_min_(x, scalar = min)
  if (max < Inf) torch__foreach_clamp_max_(x, scalar = max)
}

libtorch_has_lists <- function() {
  if (is.null(the$has_lists)) the$has_lists <- any(grepl("^aten::_foreach_sign[.(]", operator_schemas("dispatcher")))
  the$has_lists
}

# A sparse tensor of the places of `x`, coalesced, with other values; and the values of a dense one there.
with_values <- function(x, values) torch_sparse_coo_tensor(x$indices(), values, x$shape)
values_at <- function(dense, x) dense$sparse_mask(x)$coalesce()$values()

# --- hyperparameters -------------------------------------------------------------------------------------------------

must_be <- function(must, ok) list(must = must, ok = ok)

is_number <- function(x) is.numeric(x) && length(x) == 1L && !is.na(x)

not_negative <- must_be("a number that is not negative", function(x) is_number(x) && x >= 0)
two_fractions <- must_be("two numbers from 0 to below 1", function(x) {
  is.numeric(x) && length(x) == 2L && isTRUE(all(x >= 0 & x < 1))
})
true_or_false <- must_be("TRUE or FALSE", is_bool)
any_number <- must_be("a number", is_number)

hyperparameter_checks <- list(
  lr = not_negative, eps = not_negative, weight_decay = not_negative, momentum = not_negative, lr_decay = not_negative,
  initial_accumulator_value = not_negative, momentum_decay = not_negative, dampening = any_number, lambda = any_number,
  alpha = any_number, t0 = any_number,
  betas = two_fractions, nesterov = true_or_false, amsgrad = true_or_false, centered = true_or_false,
  maximize = true_or_false, decoupled_weight_decay = true_or_false
)

# A number may be a tensor of one element. `settings` are names that must be there.
checked_group <- function(group, rule, settings = NULL, call = caller_env(2)) {
  hyper <- setdiff(names(group), "params")
  group[hyper] <- lapply(group[hyper], plain_number)
  checks <- c(rule$checks, hyperparameter_checks)
  for (name in intersect(union(names(group), settings), names(checks))) {
    check <- checks[[name]]
    if (!check$ok(group[[name]])) {
      is <- if (is.numeric(group[[name]])) toString(group[[name]]) else describe_value(group[[name]])
      value_error(sprintf("`%s` must be %s, not %s.", name, check$must, is), call = call)
    }
  }
  rule$check(group)
  group
}
