# Adam and AdamW.

#' @include optim.R optim-step.R
NULL

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
