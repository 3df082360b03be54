# Optimisers: update parameters from their gradients.
#
# A step is one operator call for all parameters of a group where LibTorch has a fused operator that handles them (it
# updates the parameters and the state in place), else a loop over the parameters. The operator takes the state as lists
# with one tensor for each parameter that has a gradient; these lists are a plan, made once and kept until the parameters,
# or which of them have gradients, change.

Optimizer <- R6::R6Class(
  "torch_optimizer",
  lock_objects = FALSE,
  public = list(
    param_groups = list(),
    initialize = function(params, defaults) {
      private$.defaults <- defaults
      private$.state <- new_environment()
      for (group in as_param_groups(params)) {
        self$add_param_group(group)
      }
    },
    add_param_group = function(param_group) {
      group <- complete_group(param_group, private$.defaults)
      if (any(addresses(group$params) %in% addresses(private$.params))) {
        value_error("`param_group` must not hold parameters that the optimizer has already.")
      }
      private$.params <- c(private$.params, group$params)
      self$param_groups <- c(self$param_groups, list(group))
      invisible(self)
    },
    zero_grad = function(set_to_none = FALSE) {
      tensors_zero_grad(private$.params, set_to_none)
      invisible(self)
    },
    step = function(closure = NULL) {
      not_implemented_error("This optimizer has no `step` method.")
    },
    state_dict = function() {
      positions <- set_names(seq_along(private$.params), addresses(private$.params))
      groups <- lapply(self$param_groups, function(group) {
        group$params <- unname(positions[addresses(group$params)])
        group
      })
      state <- lapply(names(positions), function(address) private$.state[[address]])
      names(state) <- positions
      list(param_groups = groups, state = compact(state))
    },
    load_state_dict = function(state_dict, ..., .refer_to_state_dict = FALSE) {
      load_optimizer(self, private, state_dict, .refer_to_state_dict)
      invisible(self)
    }
  ),
  private = list(
    .defaults = NULL,
    # All parameters, in the order of the groups.
    .params = list(),
    # Each parameter's state, a list, under the address of its tensor.
    .state = NULL,
    .plans = list()
  )
)

as_param_groups <- function(params, call = caller_env(2)) {
  if (is_torch_tensor(params)) {
    params <- list(params)
  }
  if (!is.list(params) || length(params) == 0L) {
    value_error("`params` must be a tensor, a list of tensors or a list of groups, and not empty.", call = call)
  }
  if (is_torch_tensor(params[[1L]])) list(list(params = params)) else params
}

complete_group <- function(group, defaults, call = caller_env(2)) {
  if (is_torch_tensor(group$params)) {
    group$params <- list(group$params)
  }
  group$params <- unname(group$params)
  if (length(group$params) == 0L || !all(vapply(group$params, is_torch_tensor, NA))) {
    value_error("A parameter group must have an element `params`, a list of tensors.", call = call)
  }
  if (!all(vapply(group$params, function(x) x$is_leaf, NA))) {
    value_error("`params` must be leaf tensors: can't optimize a non-leaf Tensor.", call = call)
  }
  group <- c(group, defaults[setdiff(names(defaults), names(group))])
  missing <- names(group)[vapply(group, inherits, NA, "optim_required")]
  if (length(missing) > 0L) {
    value_error(sprintf("`%s` must be given, for the optimizer or for each group.", missing[[1L]]), call = call)
  }
  group
}

addresses <- function(params) vapply(params, tensor_address, "")

compact <- function(x) x[!vapply(x, is.null, NA)]

load_optimizer <- function(self, private, state_dict, refer, call = caller_env(2)) {
  groups <- state_dict$param_groups
  if (!identical(lapply(groups, function(g) length(g$params)), lapply(self$param_groups, function(g) length(g$params)))) {
    value_error("`state_dict` must have as many groups, with as many parameters, as the optimizer.", call = call)
  }
  params <- list()
  for (i in seq_along(groups)) {
    params[unlist(groups[[i]]$params)] <- self$param_groups[[i]]$params
    groups[[i]]$params <- self$param_groups[[i]]$params
  }
  for (position in names(state_dict$state)) {
    param <- params[[as.integer(position)]]
    state <- state_dict$state[[position]]
    if (!refer) {
      state <- lapply(state, copy_state, param)
    }
    private$.state[[tensor_address(param)]] <- state
  }
  self$param_groups <- groups
  private$.plans <- list()
}

# What has the shape of the parameter gets its type and device; counters keep theirs.
copy_state <- function(x, param) {
  if (!is_torch_tensor(x)) {
    return(x)
  }
  if (identical(x$shape, param$shape)) {
    x <- x$to(dtype = param$dtype, device = param$device)
  }
  x$detach()$clone()
}

# ---- Steps ----

# A rule says how an optimizer updates parameters. A list:
#   name       names the fused operator, to remember whether LibTorch has it
#   new_state  function(state, param, group): completes a parameter's state, a list of tensors, NULL at first
#   fused      function(params, grads, state, group, first): updates all; `state` is a list of lists of tensors; `first`:
#              there was no state before
#   one        function(param, grad, state, group, first): updates one parameter
optimizer_step <- function(self, private, closure, rule) {
  loss <- if (!is.null(closure)) with_enable_grad(closure())
  with_no_grad(step_groups(private, self$param_groups, rule))
  loss
}

step_groups <- function(private, groups, rule) {
  for (i in seq_along(groups)) {
    group <- groups[[i]]
    grads <- grads_of(group$params)
    has_grad <- !vapply(grads, is.null, NA)
    plan <- private$.plans[i][[1L]]
    if (!identical(plan$all_params, group$params) || !identical(plan$has_grad, has_grad)) {
      plan <- plan_step(private$.state, group, has_grad, rule)
      private$.plans[[i]] <- replace(plan, "first", list(logical(length(plan$first))))
    }
    first <- plan$first
    if (length(first) == 0L) {
      next
    }
    # The operator begins the state of all parameters at once, or of none.
    if (plan$fused && all(first == first[[1L]])) {
      rule$fused(plan$params, grads[has_grad], plan$state, group, first[[1L]])
    } else {
      Map(function(param, grad, first, i) rule$one(param, grad, lapply(plan$state, `[[`, i), group, first),
        plan$params, grads[has_grad], first, seq_along(first))
    }
  }
}

# NULL for a parameter without a gradient.
grads_of <- function(params) .Call(C_grads, params)

plan_step <- function(states, group, has_grad, rule) {
  params <- group$params[has_grad]
  keys <- addresses(params)
  first <- !vapply(keys, exists, NA, envir = states, inherits = FALSE, USE.NAMES = FALSE)
  own <- Map(function(key, param) rule$new_state(states[[key]], param, group), keys, params)
  list2env(own, states)
  columns <- if (length(own) > 0L) names(own[[1L]])
  list(
    all_params = group$params,
    has_grad = has_grad,
    params = params,
    first = first,
    state = lapply(set_names(as.character(columns)), function(name) unname(lapply(own, `[[`, name))),
    fused = length(params) > 0L && has_fused(rule, params, group)
  )
}

# Whether LibTorch has the fused operator for such parameters. Asked by running it on tensors with one element, once for
# each type and device.
has_fused <- function(rule, params, group) {
  kind <- unique(vapply(params, function(x) paste(as.character(x$dtype), as.character(x$device)), ""))
  if (length(kind) > 1L) {
    return(FALSE)
  }
  key <- paste(rule$name, kind)
  if (is.null(the$fused[[key]])) {
    param <- torch_zeros(1, dtype = params[[1L]]$dtype, device = params[[1L]]$device)
    state <- lapply(rule$new_state(NULL, param, group), list)
    the$fused[[key]] <- tryCatch({
      rule$fused(list(param), list(torch_zeros_like(param)), state, group, TRUE)
      TRUE
    }, error = function(e) FALSE)
  }
  the$fused[[key]]
}

#' Make an optimizer
#'
#' `optimizer()` makes a class of optimizers: a function that creates them. The optimizers of the package are
#' [optim_adam()], [optim_adamw()] and [optim_sgd()].
#'
#' `initialize` calls `super$initialize(params, defaults)`, where `defaults` is a list of hyperparameters; each of
#' `self$param_groups` then holds these and its parameters, as element `params`. A default `optim_required()` means that
#' the user must give a value. In `step`, `state(param)` is a list that the optimizer keeps for a parameter, `NULL` at
#' first, and `state(param) <- value` replaces it.
#'
#' @section Methods of an optimizer:
#' * `$step(closure = NULL)`: updates the parameters that have a gradient. A closure is called first, with gradients on;
#'   its value is returned.
#' * `$zero_grad(set_to_none = FALSE)`: sets the gradients to zero, or removes them.
#' * `$add_param_group(list(params = , ...))`: adds parameters with hyperparameters of their own.
#' * `$param_groups[[i]]$lr <- value`: changes a hyperparameter.
#' * `$state_dict()`, `$load_state_dict(state_dict)`: hyperparameters and state. Parameters are positions, from 1.
#'
#' @section Errors:
#' Wrong hyperparameters, parameters that are no leaf tensors and state dicts of another form are `value_error`s.
#'
#' @param name name of the class, or `NULL`.
#' @param inherit a generator to inherit from.
#' @param ... methods and fields, among them `initialize` and `step`.
#' @param private,active lists of private members and of active bindings, as in [R6::R6Class()].
#' @param parent_env environment in which the methods are evaluated.
#' @returns A generator, a function that returns an optimizer; `is_optimizer()`: `TRUE` or `FALSE`.
#' @examplesIf torch::torch_is_installed()
#' optim_descent <- optimizer(
#'   "optim_descent",
#'   initialize = function(params, lr = optim_required()) {
#'     super$initialize(params, list(lr = lr))
#'   },
#'   step = function() {
#'     with_no_grad({
#'       for (group in self$param_groups) {
#'         for (param in group$params) {
#'           state(param) <- list(steps = c(state(param)$steps, 0)[[1]] + 1)
#'           param$sub_(group$lr * param$grad)
#'         }
#'       }
#'     })
#'   }
#' )
#' x <- torch_tensor(1, requires_grad = TRUE)
#' descent <- optim_descent(x, lr = 0.1)
#' (x^2)$backward()
#' descent$step()
#' x
#' @export
optimizer <- function(name = NULL, inherit = Optimizer, ..., private = NULL, active = NULL,
                      parent_env = parent.frame()) {
  new_generator(
    name, inherit, function() Optimizer, list2(...), private, active, parent_env, "torch_optimizer_generator",
    helpers = list(state = optimizer_state, `state<-` = `optimizer_state<-`)
  )
}

# Found by methods as `state()`; the optimizer is the `self` of the calling method.
optimizer_state <- function(param) states_of(parent.frame())[[tensor_address(param)]]

`optimizer_state<-` <- function(param, value) {
  assign(tensor_address(param), value, envir = states_of(parent.frame()))
  param
}

states_of <- function(env) get("private", envir = env)$.state

#' @rdname optimizer
#' @export
optim_required <- function() structure(list(), class = "optim_required")

#' @param x any object.
#' @rdname optimizer
#' @export
is_optimizer <- function(x) inherits(x, "torch_optimizer")

#' @export
print.torch_optimizer_generator <- function(x, ...) {
  cat(sprintf("<torch_optimizer_generator> %s\n", class(x)[[1L]]))
  invisible(x)
}

check_hyperparameter <- function(value, name, ok, must, call = caller_env()) {
  if (!inherits(value, "optim_required") && !(is.numeric(value) && isTRUE(all(ok(value))))) {
    value_error(sprintf("`%s` must be %s, not %s.", name, must, toString(format(value))), call = call)
  }
}

check_not_negative <- function(value, name, call = caller_env()) {
  check_hyperparameter(value, name, function(x) x >= 0, "a number that is not negative", call)
}

# ---- Adam ----

# State saved by other implementations has a plain number as `step`.
adam_state <- function(state, param, group) {
  if (!is_torch_tensor(state$step)) {
    state$step <- torch_scalar_tensor(state$step %||% 0, dtype = torch_float(), device = param$device)
  }
  for (name in c("exp_avg", "exp_avg_sq", if (group$amsgrad) "max_exp_avg_sq")) {
    state[[name]] <- state[[name]] %||% torch_zeros_like(param)
  }
  state
}

# `decoupled`: the weight decay acts on the parameters instead of the gradient.
adam_rule <- function(name, fused, decoupled) {
  list(
    name = name,
    new_state = adam_state,
    fused = function(params, grads, state, group, first) {
      torch__foreach_add_(state$step, scalar = 1)
      fused(
        params, grads, state$exp_avg, state$exp_avg_sq, state$max_exp_avg_sq %||% list(), state$step,
        lr = group$lr, beta1 = group$betas[[1L]], beta2 = group$betas[[2L]], weight_decay = group$weight_decay,
        eps = group$eps, amsgrad = group$amsgrad, maximize = FALSE
      )
    },
    one = function(param, grad, state, group, first) {
      beta1 <- group$betas[[1L]]
      beta2 <- group$betas[[2L]]
      step <- state$step$add_(1)$item()
      if (decoupled) {
        param$mul_(1 - group$lr * group$weight_decay)
      } else if (group$weight_decay != 0) {
        grad <- grad$add(param, alpha = group$weight_decay)
      }
      state$exp_avg$lerp_(grad, 1 - beta1)
      square <- state$exp_avg_sq$mul_(beta2)$addcmul_(grad, grad, value = 1 - beta2)
      if (group$amsgrad) {
        square <- state$max_exp_avg_sq$copy_(torch_maximum(state$max_exp_avg_sq, square))
      }
      divisor <- square$sqrt()$div_(sqrt(1 - beta2^step))$add_(group$eps)
      param$addcdiv_(state$exp_avg, divisor, value = -group$lr / (1 - beta1^step))
    }
  )
}

#' Adam
#'
#' Gradient descent with steps scaled by running means of the gradient and of its square. `optim_adamw()` shrinks the
#' parameters by `lr * weight_decay` instead of adding the decay to the gradient.
#'
#' @param params a tensor, a list of tensors, or a list of groups: named lists with an element `params` and, where a
#'   group differs, hyperparameters.
#' @param lr learning rate.
#' @param betas weights of the old values in the two running means, from 0 to below 1.
#' @param eps added to the divisor.
#' @param weight_decay factor of the penalty on the size of the parameters.
#' @param amsgrad whether to divide by the largest mean square so far.
#' @returns An optimizer, see [optimizer()]. State of a parameter: `step`, `exp_avg`, `exp_avg_sq` and, with `amsgrad`,
#'   `max_exp_avg_sq`.
#' @source Kingma and Ba (2014), Adam: a method for stochastic optimization; Loshchilov and Hutter (2017), Decoupled
#'   weight decay regularization; Reddi, Kale and Kumar (2018), On the convergence of Adam and beyond.
#' @examplesIf torch::torch_is_installed()
#' model <- nn_linear(3, 1)
#' opt <- optim_adam(model$parameters, lr = 0.01)
#' loss <- nnf_mse_loss(model(torch_ones(2, 3)), torch_zeros(2, 1))
#' opt$zero_grad()
#' loss$backward()
#' opt$step()
#' @export
optim_adam <- optimizer(
  "optim_adam",
  initialize = function(params, lr = 1e-3, betas = c(0.9, 0.999), eps = 1e-8, weight_decay = 0, amsgrad = FALSE) {
    check_not_negative(lr, "lr")
    check_hyperparameter(betas, "betas", function(x) length(x) == 2L & x >= 0 & x < 1, "two numbers from 0 to below 1")
    check_not_negative(eps, "eps")
    check_not_negative(weight_decay, "weight_decay")
    super$initialize(
      params, list(lr = lr, betas = betas, eps = eps, weight_decay = weight_decay, amsgrad = amsgrad)
    )
  },
  step = function(closure = NULL) {
    optimizer_step(self, private, closure, private$rule)
  },
  private = list(rule = adam_rule("adam", function(...) torch__fused_adam_(...), decoupled = FALSE))
)

#' @rdname optim_adam
#' @export
optim_adamw <- optimizer(
  "optim_adamw",
  optim_adam,
  initialize = function(params, lr = 1e-3, betas = c(0.9, 0.999), eps = 1e-8, weight_decay = 1e-2, amsgrad = FALSE) {
    super$initialize(params, lr, betas, eps, weight_decay, amsgrad)
  },
  private = list(rule = adam_rule("adamw", function(...) torch__fused_adamw_(...), decoupled = TRUE))
)

# ---- Gradient descent ----

sgd_rule <- list(
  name = "sgd",
  new_state = function(state, param, group) {
    if (group$momentum != 0 && is.null(state$momentum_buffer)) {
      state$momentum_buffer <- torch_zeros_like(param)
    }
    state %||% list()
  },
  fused = function(params, grads, state, group, first) {
    torch__fused_sgd_(
      params, grads, state$momentum_buffer %||% list(),
      weight_decay = group$weight_decay, momentum = group$momentum, lr = group$lr, dampening = group$dampening,
      nesterov = group$nesterov, maximize = FALSE, is_first_step = first
    )
  },
  one = function(param, grad, state, group, first) {
    if (group$weight_decay != 0) {
      grad <- grad$add(param, alpha = group$weight_decay)
    }
    buffer <- state$momentum_buffer
    if (!is.null(buffer)) {
      if (first) {
        buffer$copy_(grad)
      } else {
        buffer$mul_(group$momentum)$add_(grad, alpha = 1 - group$dampening)
      }
      grad <- if (group$nesterov) grad$add(buffer, alpha = group$momentum) else buffer
    }
    param$add_(grad, alpha = -group$lr)
  }
)

#' Stochastic gradient descent
#'
#' Moves the parameters by `-lr` times the gradient, or times a running sum of gradients: with momentum that sum is
#' multiplied by `momentum`, and the gradient, times `1 - dampening`, is added.
#'
#' @inheritParams optim_adam
#' @param lr learning rate; must be given.
#' @param momentum factor of the running sum.
#' @param dampening how much less of the gradient is added to it.
#' @param nesterov whether to use Nesterov's form; needs momentum and no dampening.
#' @returns An optimizer, see [optimizer()]. State of a parameter, with momentum: `momentum_buffer`.
#' @source Sutskever, Martens, Dahl and Hinton (2013), On the importance of initialization and momentum in deep learning.
#' @examplesIf torch::torch_is_installed()
#' x <- torch_tensor(1, requires_grad = TRUE)
#' opt <- optim_sgd(x, lr = 0.1)
#' (x^2)$backward()
#' opt$step()
#' x
#' @export
optim_sgd <- optimizer(
  "optim_sgd",
  initialize = function(params, lr = optim_required(), momentum = 0, dampening = 0, weight_decay = 0,
                        nesterov = FALSE) {
    check_not_negative(lr, "lr")
    check_not_negative(momentum, "momentum")
    check_not_negative(weight_decay, "weight_decay")
    if (nesterov && (momentum <= 0 || dampening != 0)) {
      value_error("`nesterov` needs a positive `momentum` and zero `dampening`.")
    }
    super$initialize(params, list(
      lr = lr, momentum = momentum, dampening = dampening, weight_decay = weight_decay, nesterov = nesterov
    ))
  },
  step = function(closure = NULL) optimizer_step(self, private, closure, sgd_rule)
)
