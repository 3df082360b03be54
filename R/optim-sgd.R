# Stochastic gradient descent.

#' @include optim.R optim-step.R
NULL

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
