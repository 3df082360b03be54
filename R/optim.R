# Optimisers: update parameters from their gradients. Here is what all have in common; how a step is made is in
# optim-step.R, and each rule has a file.

# What an optimizer keeps for its parameters: a list for each of them, under the address of its tensor. While steps
# are made, the plans of optim-step.R hold the same in another form. It is brought back before anyone looks.
OptimizerState <- R6::R6Class(
  "State",
  public = list(
    plans = list(),
    initialize = function() {
      private$map <- new_environment()
      private$owners <- new_environment()
    },
    get = function(key) self$settled()[[state_key(key)]],
    set = function(key, value) self$set_many(state_key(key), list(value), if (is_torch_tensor(key)) list(key)),
    set_many = function(keys, values, tensors = NULL) {
      list2env(set_names(values, keys), self$settled())
      if (!is.null(tensors)) list2env(set_names(tensors, keys), private$owners)
      self$plans <- list()
      invisible(self)
    },
    drop = function(keys) {
      map <- self$settled()
      rm(list = intersect(keys, ls(map, sorted = FALSE)), envir = map)
      self$plans <- list()
    },
    keys = function() ls(self$settled(), sorted = FALSE),
    settled = function() {
      private$find_owners()
      for (plan in self$plans) {
        keys <- addresses(plan$params)
        list2env(set_names(plan$params, keys), private$owners)
        for (part in plan$parts) list2env(states_of_part(part, keys[part$of]), private$map)
      }
      private$map
    }
  ),
  private = list(
    map = NULL,
    # The tensors whose addresses are the keys. `home` is the address that `map` had when the keys were made.
    owners = NULL,
    home = NULL,
    # The tensors of an optimizer that was read from a file have other addresses than before.
    find_owners = function() {
      if (identical(private$home, obj_address(private$map))) return()
      was <- ls(private$owners, sorted = FALSE)
      tensors <- mget(was, private$owners)
      states <- mget(was, private$map, ifnotfound = list(NULL))
      rm(list = was, envir = private$owners)
      rm(list = intersect(was, ls(private$map)), envir = private$map)
      now <- addresses(tensors)
      list2env(set_names(tensors, now), private$owners)
      list2env(compact(set_names(states, now)), private$map)
      private$home <- obj_address(private$map)
    },
    deep_clone = function(name, value) {
      switch(name,
        plans = list(), map = list2env(lapply(as.list(self$settled()), copy_state)), owners = list2env(as.list(value)), value
      )
    }
  )
)

state_key <- function(key, call = caller_env()) {
  if (is_torch_tensor(key)) return(tensor_address(key))
  if (is_string(key)) return(key)
  type_error(sprintf("`key` must be a parameter, not %s.", friendly_type(key)), call)
}

Optimizer <- R6::R6Class(
  "torch_optimizer",
  lock_objects = FALSE,
  public = list(
    param_groups = list(),
    defaults = list(),
    state = NULL,
    initialize = function(params, defaults) {
      if (!is.list(defaults)) type_error(sprintf("`defaults` must be a list of settings, not %s.", friendly_type(defaults)))
      self$defaults <- defaults
      self$state <- OptimizerState$new()
      for (group in as_param_groups(params)) {
        self$add_param_group(group)
      }
    },
    add_param_group = function(param_group) {
      group <- complete_group(param_group, self$defaults)
      known <- unlist(lapply(self$param_groups, function(group) addresses(group$params)))
      if (anyDuplicated(addresses(group$params))) {
        warn("A parameter stands in `params` more than once: it is updated as often.")
      }
      if (any(addresses(group$params) %in% known)) {
        value_error("`param_group` must not hold parameters that the optimizer has already.")
      }
      if (!is.null(private$.rule)) group <- checked_group(group, private$.rule)
      self$param_groups <- c(self$param_groups, list(group))
      invisible(self)
    },
    zero_grad = function(set_to_none = FALSE) {
      for (group in self$param_groups) tensors_zero_grad(group$params, set_to_none)
      invisible(self)
    },
    step = function(closure = NULL) {
      if (is.null(private$.rule)) not_implemented_error("This optimizer has no `step` method.")
      loss <- loss_of_closure(closure)
      call <- current_env()
      with_no_grad(step_groups(self$state, self$param_groups, private$.rule, names(self$defaults), call))
      invisible(loss)
    },
    state_dict = function() {
      keys <- unlist(lapply(self$param_groups, function(group) addresses(group$params)))
      groups <- lapply(self$param_groups, function(group) {
        group$params <- structure(match(addresses(group$params), keys), python_order = attr(group$params, "python_order"))
        rename_members(group, names(private$.rule$renamed), private$.rule$renamed)
      })
      states <- mget(keys, envir = self$state$settled(), ifnotfound = list(NULL))
      if (!is.null(private$.rule$initial)) states <- Map(`%||%`, states, initial_states(self$param_groups, private$.rule))
      state <- set_names(lapply(states, dict_of_state, private$.rule), seq_along(keys))
      list(param_groups = groups, state = state[lengths(state) > 0L])
    },
    load_state_dict = function(state_dict, ..., .refer_to_state_dict = FALSE) {
      load_optimizer(self, private$.rule, state_dict, .refer_to_state_dict)
      invisible(self)
    }
  ),
  private = list(
    # How an optimizer of the package steps, see optim-step.R.
    .rule = NULL,
    # For methods `step` that go parameter by parameter. Calls `loop_fun` for each parameter that has a gradient, with
    # its group and the numbers of group and parameter. Gives the closure's value.
    step_helper = function(closure, loop_fun) {
      loss <- loss_of_closure(closure)
      with_no_grad({
        for (g in seq_along(self$param_groups)) {
          group <- self$param_groups[[g]]
          has_grad <- !vapply(grads_of(group$params), is.null, NA)
          for (p in which(has_grad)) loop_fun(group, group$params[[p]], g, p)
        }
      })
      invisible(loss)
    },
    deep_clone = function(name, value) if (name == "state") value$clone(deep = TRUE) else value
  )
)

loss_of_closure <- function(closure, call = caller_env()) {
  if (is.null(closure)) return()
  if (!is.function(closure)) {
    type_error(sprintf("`closure` must be a function that gives the loss, or NULL, not %s.", friendly_type(closure)), call)
  }
  with_enable_grad(closure())
}

as_param_groups <- function(params, call = caller_env(2)) {
  if (is_torch_tensor(params)) {
    params <- list(params)
  }
  if (!is.list(params) || length(params) == 0L) {
    value_error("`params` must be a tensor, a list of tensors or a list of groups, and not empty.", call = call)
  }
  tensors <- vapply(params, is_torch_tensor, NA)
  groups <- vapply(params, function(x) is.list(x) && !is.null(x$params), NA)
  if (all(tensors)) return(list(list(params = params)))
  if (all(groups)) return(params)
  odd <- which(!tensors & !groups)
  if (!length(odd)) value_error("`params` must hold tensors or groups, not both.", call = call)
  value_error(sprintf(
    "`params` must hold tensors, or groups with an element `params`: element %d is %s.", odd[1L], friendly_type(params[[odd[1L]]])
  ), call = call)
}

complete_group <- function(group, defaults, call = caller_env(2)) {
  if (!is.list(group)) {
    type_error(sprintf("`param_group` must be a list with an element `params`, not %s.", friendly_type(group)), call = call)
  }
  if (is_torch_tensor(group$params)) {
    group$params <- list(group$params)
  }
  order <- if (is.list(group$params)) python_order(group$params)
  group$params <- structure(unname(group$params), python_order = if (is.unsorted(order)) order)
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

rename_members <- function(x, from, to) {
  hit <- match(names(x), from)
  names(x)[!is.na(hit)] <- to[hit[!is.na(hit)]]
  x
}

initial_states <- function(groups, rule) {
  unlist(lapply(groups, function(group) lapply(group$params, rule$initial, group)), recursive = FALSE)
}

# In a state dict the numbers that a rule keeps for a parameter are tensors of no dimension, as PyTorch has them.
dict_of_state <- function(state, rule) {
  numbers <- intersect(names(state), rule$numbers)
  if (length(numbers)) state[numbers] <- lapply(state[numbers], rule$number_in_dict)
  state
}

number_as_tensor <- function(x) {
  is_double <- torch_get_default_dtype() == torch_double()
  if (is_torch_tensor(x)) x else torch_scalar_tensor(x, dtype = if (is_double) torch_double() else torch_float())
}

# Positions of parameters count from 1; in a state dict of PyTorch's from 0, and parameters stand in its order.
load_optimizer <- function(self, rule, state_dict, refer, call = caller_env()) {
  groups <- if (is.list(state_dict)) state_dict$param_groups
  ok <- is.list(groups) && all(vapply(groups, is.list, NA)) && (is.null(state_dict$state) || is.list(state_dict$state))
  if (!ok) value_error("`state_dict` must be a list that an optimizer's `$state_dict()` gave.", call = call)
  sizes <- function(groups) lapply(groups, function(group) length(group$params))
  if (!identical(sizes(groups), sizes(self$param_groups))) {
    value_error("`state_dict` must have as many groups, with as many parameters, as the optimizer.", call = call)
  }
  positions <- lapply(groups, function(group) as.integer(unlist(group$params)))
  if (0L %in% unlist(positions)) {
    positions <- Map(function(there, group) {
      there[in_python_order(seq_along(there), group$params)] <- there
      there
    }, positions, self$param_groups)
  }
  positions <- unlist(positions)
  params <- unlist(lapply(self$param_groups, `[[`, "params"), recursive = FALSE)
  state <- state_dict$state
  own <- match(as.integer(names(state)), positions)
  if (anyNA(own)) {
    value_error(
      sprintf("`state_dict` has state of a parameter, %s, that no group has.", names(state)[is.na(own)][[1L]]), call
    )
  }
  state <- lapply(state, compact)
  groups <- Map(function(new, old) {
    new <- rename_members(new, rule$renamed, names(rule$renamed))
    new$params <- old$params
    new <- c(new, old[setdiff(names(old), names(new))])
    if (is.null(rule)) new else checked_group(new, rule, call = call)
  }, unname(groups), self$param_groups)
  group_of <- rep(seq_along(groups), lengths(lapply(groups, `[[`, "params")))
  if (!is.null(rule$update)) check_loaded_states(state, params[own], groups[group_of[own]], rule, call)
  if (!refer) {
    state <- Map(function(state, param) lapply(state, copy_state, param), state, params[own])
  }
  self$param_groups <- groups
  self$state$drop(addresses(params))
  self$state$set_many(addresses(params[own]), unname(state), params[own])
}

# A parameter without any state never had a gradient. A parameter with half of its state would go on with zeros in the
# rest, so that is an error.
check_loaded_states <- function(states, params, groups, rule, call) {
  known <- list()
  for (i in which(lengths(states) > 0L)) {
    param <- params[[i]]
    if (param$is_complex()) next
    kind <- paste(param$ndim, as.character(param$dtype), obj_address(groups[[i]]))
    if (is.null(known[[kind]])) known[[kind]] <- kept_by_rule(rule, param, groups[[i]])
    missing <- setdiff(names(known[[kind]]), names(states[[i]]))
    if (length(missing)) {
      value_error(sprintf("`state_dict` has no `%s` in the state of parameter %s.", missing[[1L]], names(states)[[i]]), call)
    }
    for (name in names(which(known[[kind]]))) {
      shape <- dim(states[[i]][[name]])
      if (!is_torch_tensor(states[[i]][[name]]) || identical(shape, dim(param))) next
      value_error(sprintf(
        "`state_dict` has `%s` of shape (%s) in the state of parameter %s, whose shape is (%s).", name, toString(shape), names(states)[[i]],
        toString(dim(param))
      ), call)
    }
  }
}

# The names of what a rule keeps for such a parameter, each with a flag that tells whether it has the parameter's
# shape. A step of a small parameter shows them.
kept_by_rule <- function(rule, param, group) {
  small <- torch_zeros(seq_len(param$ndim) + 1L, dtype = param$dtype)
  kept <- new_environment()
  if ("step" %in% rule$numbers) kept$step <- 1
  rule$update(list(small), list(torch_zeros_like(small)), kept, group)
  vapply(mget(ls(kept), kept), function(x) {
    if (is.list(x)) x <- x[[1L]]
    is_torch_tensor(x) && param$ndim > 0L && identical(dim(x), dim(small))
  }, NA)
}

# Copies one entry of a parameter's state. Floating tensors get the type and the device of the parameter; a tensor of no
# dimension, such as a count of steps, keeps its own.
copy_state <- function(x, param = NULL) {
  if (is.list(x)) return(lapply(x, copy_state, param))
  if (!is_torch_tensor(x)) return(x)
  x <- x$detach()$clone()
  to_param <- !is.null(param) && x$ndim > 0L && param$dtype$is_floating_point && x$dtype$is_floating_point
  if (to_param) x$to(dtype = param$dtype, device = param$device) else x
}

#' Make an optimizer
#'
#' `optimizer()` makes a class of optimizers: a function that creates them. The optimizers of the package are
#' [optim_adam()], [optim_adamw()], [optim_adamax()], [optim_nadam()], [optim_radam()], [optim_sparse_adam()],
#' [optim_adagrad()], [optim_adadelta()], [optim_rmsprop()], [optim_adafactor()], [optim_sgd()], [optim_asgd()],
#' [optim_rprop()], [optim_muon()] and [optim_lbfgs()].
#'
#' `initialize` calls `super$initialize(params, defaults)`, where `defaults` is a list of hyperparameters; each of
#' `self$param_groups` then holds these and its parameters, as element `params`. A default `optim_required()` means that
#' the user must give a value. In `step`, `state(param)` is a list that the optimizer keeps for a parameter, `NULL` at
#' first, and `state(param) <- value` replaces it; `self$state$get(param)` and `self$state$set(param, value)` do the
#' same. `private$step_helper(closure, loop_fun)` runs the closure and calls `loop_fun(group, param, g, p)` for each
#' parameter that has a gradient, the `p`-th of group `g`.
#'
#' @section Methods of an optimizer:
#' * `$step(closure = NULL)`: updates the parameters that have a gradient. A closure is called first, with gradients on;
#'   its value is returned.
#' * `$zero_grad(set_to_none = FALSE)`: sets the gradients to zero, or removes them.
#' * `$add_param_group(list(params = , ...))`: adds parameters with hyperparameters of their own.
#' * `$param_groups[[i]]$lr <- value`: changes a hyperparameter. `$defaults`: those of new groups.
#' * `$state_dict()`, `$load_state_dict(state_dict)`: hyperparameters and state, by the names that they have in PyTorch.
#'   Parameters are positions, from 1; a state dict of PyTorch's, from 0, is taken as well. A parameter that has no state in it
#'   begins anew; [save_state_dict()] writes state dicts to files of PyTorch's, [load_state_dict()] reads them.
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

# The methods of an optimizer find these functions as `state()` and `state<-`. The optimizer is the `self` of the
# method that calls.
optimizer_state <- function(param) get("self", envir = parent.frame())$state$get(param)

`optimizer_state<-` <- function(param, value) {
  get("self", envir = parent.frame())$state$set(param, value)
  param
}

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
