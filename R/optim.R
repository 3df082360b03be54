# Optimisers: update parameters from their gradients. Here is what all have in common; how a step is made is in
# optim-step.R, and each rule has a file.

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

# Copies one entry of a parameter's state. A tensor of the shape of the parameter gets the type and the device of the
# parameter; a counter keeps its own.
copy_state <- function(x, param) {
  if (!is_torch_tensor(x)) {
    return(x)
  }
  if (identical(x$shape, param$shape)) {
    x <- x$to(dtype = param$dtype, device = param$device)
  }
  x$detach()$clone()
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

# The methods of an optimizer find these as `state()` and `state<-`. The optimizer is the `self` of the method that calls.
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
print.torch_optimizer_generator <- function(x, ...) print_generator(x, "torch_optimizer_generator")

#' @export
print.torch_optimizer <- function(x, ...) {
  params <- unlist(lapply(x$param_groups, `[[`, "params"), recursive = FALSE)
  title <- sprintf(
    "<%s> of %s, %s", class(x)[[1L]], count_of(length(params), "parameter tensor"),
    count_of(tryCatch(number_of_values(params), error = function(e) NA), "number")
  )
  groups <- lapply(x$param_groups, function(group) describe_fields(group[names(group) != "params"]))
  if (length(groups) == 1L) return(print_object(x, title, groups[[1L]]))
  sizes <- vapply(x$param_groups, function(group) count_of(length(group$params), "tensor"), "")
  settings <- vapply(groups, function(group) paste(names(group), "=", group, collapse = ", "), "")
  print_object(x, title, set_names(settings, sprintf("group %d, %s", seq_along(groups), sizes)))
}

check_hyperparameter <- function(value, name, ok, must, call = caller_env()) {
  if (!inherits(value, "optim_required") && !(is.numeric(value) && isTRUE(all(ok(value))))) {
    value_error(sprintf("`%s` must be %s, not %s.", name, must, toString(format(value))), call = call)
  }
}

check_not_negative <- function(value, name, call = caller_env()) {
  check_hyperparameter(value, name, function(x) x >= 0, "a number that is not negative", call)
}
