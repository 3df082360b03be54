# Optimisers that divide by the size of the gradients so far.

#' @include optim-step.R
NULL

#' Adagrad
#'
#' Steps scaled by the sum of the squared gradients \eqn{g} so far:
#' \deqn{s \leftarrow s + g^2, \quad
#'   \theta \leftarrow \theta - \frac{lr}{1 + (t - 1) \, lr\_decay} \frac{g}{\sqrt{s} + eps}}
#'
#' @inheritParams optim_adam
#' @param lr_decay how fast the learning rate falls.
#' @param initial_accumulator_value the sum before the first step.
#' @returns An optimizer, see [optimizer()]. State of a parameter: `step`, `sum`.
#' @inheritSection optim_sgd Errors
#' @source Duchi, Hazan and Singer (2011), Adaptive subgradient methods for online learning and stochastic optimization.
#' @examplesIf torch::torch_is_installed()
#' x <- torch_tensor(1, requires_grad = TRUE)
#' opt <- optim_adagrad(x)
#' (x^2)$backward()
#' opt$step()
#' x
#' @export
optim_adagrad <- rule_optimizer(
  alist(
    params = , lr = 0.01, lr_decay = 0, weight_decay = 0, initial_accumulator_value = 0, eps = 1e-10, maximize = FALSE
  ),
  new_rule(
    "optim_adagrad",
    update = function(params, grads, state, group) {
      squares <- adagrad_sum(state, params, group)
      torch__foreach_addcmul_(squares, grads, grads)
      add_quotient_(params, grads, root_plus(squares, group$eps), -adagrad_lr(state, group))
    },
    fused = function(params, grads, state, group, steps) {
      torch__fused_adagrad_(
        params, grads, adagrad_sum(state, params, group), steps, lr = group$lr, lr_decay = group$lr_decay,
        weight_decay = group$weight_decay, eps = group$eps, maximize = group$maximize
      )
    },
    sparse = function(param, grad, state, group) {
      grad <- grad$coalesce()
      squares <- adagrad_sum(state, param, group)
      squares$add_(with_values(grad, grad$values()$pow(2)))
      size <- values_at(squares, grad)$sqrt_()$add_(group$eps)
      param$add_(with_values(grad, grad$values() / size), alpha = -adagrad_lr(state, group))
    },
    initial = function(param, group) list(step = 0, sum = torch_full_like(param, group$initial_accumulator_value))
  )
)

adagrad_sum <- function(state, params, group) {
  kept(state, "sum", params, function(param) torch_full_like(param, group$initial_accumulator_value))
}

adagrad_lr <- function(state, group) group$lr / (1 + (state$step - 1) * group$lr_decay)

#' Adadelta
#'
#' Steps scaled by the ratio of two running means, of the squared steps \eqn{d} and of the squared gradients \eqn{g}:
#' \deqn{v \leftarrow rho \, v + (1 - rho) g^2, \quad d = \sqrt{\frac{u + eps}{v + eps}} g, \quad
#'   u \leftarrow rho \, u + (1 - rho) d^2, \quad \theta \leftarrow \theta - lr \, d}
#'
#' @inheritParams optim_adam
#' @param lr factor of the steps.
#' @param rho weight of the old values in the running means, from 0 to 1.
#' @param eps added to both means.
#' @returns An optimizer, see [optimizer()]. State of a parameter: `step`, `square_avg`, `acc_delta`.
#' @inheritSection optim_adam Errors
#' @source Zeiler (2012), ADADELTA: an adaptive learning rate method.
#' @examplesIf torch::torch_is_installed()
#' x <- torch_tensor(1, requires_grad = TRUE)
#' opt <- optim_adadelta(x)
#' (x^2)$backward()
#' opt$step()
#' x
#' @export
optim_adadelta <- rule_optimizer(
  alist(params = , lr = 1, rho = 0.9, eps = 1e-6, weight_decay = 0, maximize = FALSE),
  new_rule(
    "optim_adadelta",
    checks = list(rho = must_be("a number from 0 to 1", function(x) is_number(x) && x >= 0 && x <= 1)),
    update = function(params, grads, state, group) {
      size <- torch__foreach_add(kept_square(state, "square_avg", grads, group$rho), scalar = group$eps)
      step <- torch__foreach_add(kept(state, "acc_delta", params), scalar = group$eps)
      torch__foreach_sqrt_(size)
      torch__foreach_sqrt_(step)
      torch__foreach_div_(step, size)
      torch__foreach_mul_(step, other = grads)
      kept_square(state, "acc_delta", step, group$rho)
      torch__foreach_add_(params, step, alpha = -group$lr)
    }
  )
)

#' RMSprop
#'
#' Steps scaled by a running mean of the squared gradients \eqn{g}:
#' \deqn{v \leftarrow alpha \, v + (1 - alpha) g^2, \quad \theta \leftarrow \theta - lr \frac{g}{\sqrt{v} + eps}}
#' With `centered` the square of the gradients' running mean is taken from \eqn{v}; with `momentum` the quotients are
#' added up as in [optim_sgd()].
#'
#' @inheritParams optim_adam
#' @param alpha weight of the old values in the running means.
#' @param momentum factor of the running sum of steps.
#' @param centered whether to divide by an estimate of the standard deviation.
#' @returns An optimizer, see [optimizer()]. State of a parameter: `step`, `square_avg`, with momentum
#'   `momentum_buffer`, centered `grad_avg`.
#' @inheritSection optim_adam Errors
#' @source Tieleman and Hinton (2012), Lecture 6.5; Graves (2013), Generating sequences with recurrent neural networks.
#' @examplesIf torch::torch_is_installed()
#' x <- torch_tensor(1, requires_grad = TRUE)
#' opt <- optim_rmsprop(x)
#' (x^2)$backward()
#' opt$step()
#' x
#' @export
optim_rmsprop <- rule_optimizer(
  alist(
    params = , lr = 0.01, alpha = 0.99, eps = 1e-8, weight_decay = 0, momentum = 0, centered = FALSE, maximize = FALSE
  ),
  new_rule(
    "optim_rmsprop",
    checks = list(alpha = not_negative),
    update = function(params, grads, state, group) {
      square <- kept_square(state, "square_avg", grads, group$alpha)
      if (group$centered) {
        mean <- kept_mean(state, "grad_avg", grads, group$alpha)
        square <- torch__foreach_addcmul(square, mean, mean, value = -1)
      }
      root <- root_plus(square, group$eps)
      if (group$momentum == 0) return(add_quotient_(params, grads, root, -group$lr))
      sum <- kept(state, "momentum_buffer", params)
      torch__foreach_mul_(sum, scalar = group$momentum)
      torch__foreach_addcdiv_(sum, grads, root)
      torch__foreach_add_(params, sum, alpha = -group$lr)
    }
  )
)

#' Adafactor
#'
#' Of the mean squares of a matrix's gradients Adafactor keeps only those of its rows and of its columns, whose
#' product stands for all: n + m numbers instead of n x m. Steps are relative to the size of the parameter, and steps
#' that are larger than usual are cut.
#'
#' @inheritParams optim_adam
#' @param lr largest relative step; it falls as \eqn{\min(lr, 1 / \sqrt{t})}.
#' @param beta2_decay power, not positive, by which the weight of the newest gradient falls with the steps.
#' @param eps a list of two: the smallest mean square's root, `NULL` for the precision of the type; and the smallest
#'   size of a parameter.
#' @param d how many times the usual size a step may have, at least 1.
#' @param weight_decay the parameters are multiplied by `1 - lr * weight_decay`.
#' @returns An optimizer, see [optimizer()]. State of a parameter: `step` and `row_var`, `col_var`, or for vectors
#'   `variance`.
#' @inheritSection optim_adam Errors
#' @source Shazeer and Stern (2018), Adafactor: adaptive learning rates with sublinear memory cost.
#' @examplesIf torch::torch_is_installed()
#' model <- nn_linear(3, 2)
#' opt <- optim_adafactor(model$parameters)
#' model(torch_ones(1, 3))$sum()$backward()
#' opt$step()
#' @export
optim_adafactor <- rule_optimizer(
  alist(params = , lr = 0.01, beta2_decay = -0.8, eps = list(NULL, 1e-3), d = 1, weight_decay = 0, maximize = FALSE),
  new_rule(
    "optim_adafactor",
    decay = "own",
    checks = list(
      beta2_decay = must_be("a number that is not positive", function(x) is_number(x) && x <= 0),
      eps = must_be("a list of two numbers that are not negative, the first of which may be NULL", function(x) {
        length(x) == 2L && (is.null(x[[1L]]) || not_negative$ok(x[[1L]])) && not_negative$ok(x[[2L]])
      }),
      d = must_be("a number of at least 1", function(x) is_number(x) && x >= 1)
    ),
    check = function(group) {
      if (any(vapply(group$params, function(x) x$is_complex(), NA))) {
        value_error("`params` must be real for `optim_adafactor()`.", call = caller_env(4))
      }
    },
    kind = function(param) param$ndim > 1L,
    update = function(params, grads, state, group) {
      eps <- group$eps[[1L]] %||% torch_finfo(params[[1L]]$dtype)$eps
      weight <- 1 - state$step^group$beta2_decay
      roots <- torch_tensor(
        sqrt(vapply(params, function(x) as.numeric(x$numel()), 0)), dtype = params[[1L]]$dtype, device = params[[1L]]$device
      )
      sizes <- function(x) torch_stack(torch__foreach_norm(x)) / roots
      size <- torch_clamp(sizes(params), min = group$eps[[2L]]) * smaller_of(group$lr, 1 / sqrt(state$step))
      if (group$weight_decay != 0) torch__foreach_mul_(params, scalar = 1 - group$lr * group$weight_decay)
      squares <- torch__foreach_mul(grads, other = grads)
      means <- function(x, dim) lapply(x, function(x) torch_mean(x, dim = dim, keepdim = TRUE))
      if (params[[1L]]$ndim > 1L) {
        rows <- kept_mean(state, "row_var", means(squares, -1L), weight)
        columns <- kept_mean(state, "col_var", means(squares, -2L), weight)
        whole <- means(rows, -2L)
        each_clamp_(whole, eps, Inf)
        squares <- Map(torch_matmul, rows, columns)
        torch__foreach_div_(squares, whole)
      } else {
        squares <- torch__foreach_add(kept_mean(state, "variance", squares, weight), scalar = 0)
      }
      each_clamp_(squares, eps^2, Inf)
      torch__foreach_sqrt_(squares)
      steps <- torch__foreach_div(grads, squares)
      torch__foreach_mul_(steps, other = torch_unbind(-size / torch_clamp(sizes(steps) / group$d, min = 1)))
      torch__foreach_add_(params, steps)
    }
  )
)
