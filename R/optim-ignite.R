# Optimisers by the names of those that the CRAN package torch has from LibTorch's C++ classes.

#' @include optim-adagrad.R optim-adam.R optim-sgd.R
NULL

#' Optimizers under their ignite names
#'
#' In the CRAN package torch the `optim_ignite_*()` are faster than the optimizers of the plain names. Here both are the
#' same, and as fast: [optim_adam()], [optim_adamw()], [optim_sgd()], [optim_rmsprop()] and [optim_adagrad()].
#'
#' @param params,lr,lr_decay,weight_decay,initial_accumulator_value,eps,maximize,betas,amsgrad As the optimizer of the
#'   name without `ignite` has them.
#' @param alpha,momentum,centered,dampening,nesterov Likewise.
#' @param ... Methods and fields, as for [optimizer()].
#' @inheritParams optimizer
#' @returns An optimizer of class `OptimizerIgnite`; `optimizer_ignite()` a generator of such. `OptimizerIgnite` is the
#'   R6 class.
#' @examplesIf torch::torch_is_installed()
#' x <- torch_tensor(1, requires_grad = TRUE)
#' opt <- optim_ignite_adam(x, lr = 0.1)
#' (x^2)$backward()
#' opt$step()
#' @name optim_ignite
NULL

#' @rdname optim_ignite
#' @format NULL
#' @export
OptimizerIgnite <- R6::R6Class("OptimizerIgnite", inherit = Optimizer, lock_objects = FALSE)

#' @rdname optim_ignite
#' @export
optimizer_ignite <- function(name = NULL, ..., private = NULL, active = NULL, parent_env = parent.frame()) {
  new_generator(
    name, OptimizerIgnite, function() OptimizerIgnite, list2(...), private, active, parent_env,
    "torch_optimizer_generator", helpers = list(state = optimizer_state, `state<-` = `optimizer_state<-`)
  )
}

with_ignite_name <- function(generator) {
  rule <- generator_member(generator, "private_fields")$.rule
  rule$name <- sub("optim_", "optim_ignite_", rule$name)
  rule_optimizer(formals(generator), rule, OptimizerIgnite)
}

#' @rdname optim_ignite
#' @export
optim_ignite_adagrad <- with_ignite_name(optim_adagrad)

#' @rdname optim_ignite
#' @export
optim_ignite_adam <- with_ignite_name(optim_adam)

#' @rdname optim_ignite
#' @export
optim_ignite_adamw <- with_ignite_name(optim_adamw)

#' @rdname optim_ignite
#' @export
optim_ignite_rmsprop <- with_ignite_name(optim_rmsprop)

#' @rdname optim_ignite
#' @export
optim_ignite_sgd <- with_ignite_name(optim_sgd)
