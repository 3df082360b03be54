# Stochastic gradient descent, with averages, by signs, and with orthogonal steps.

#' @include optim-step.R
NULL

sgd_rule <- new_rule(
  "optim_sgd",
  numbers = character(),
  # LibTorch 1.13 has no operators for lists of sparse tensors.
  sparse = function(param, grad, state, group) {
    if (group$momentum != 0) {
      before <- state$momentum_buffer
      sum <- if (is.null(before)) grad$clone() else before$mul_(group$momentum)$add_(grad, alpha = 1 - group$dampening)
      state$momentum_buffer <- sum
      grad <- if (group$nesterov) grad$add(sum, alpha = group$momentum) else sum
    }
    param$add_(grad, alpha = -group$lr)
  },
  update = function(params, grads, state, group) {
    if (group$momentum != 0) {
      if (is.null(state$momentum_buffer)) {
        state$momentum_buffer <- lapply(grads, function(grad) grad$clone())
      } else {
        torch__foreach_mul_(state$momentum_buffer, scalar = group$momentum)
        torch__foreach_add_(state$momentum_buffer, grads, alpha = 1 - group$dampening)
      }
      grads <- if (group$nesterov) {
        torch__foreach_add(grads, state$momentum_buffer, alpha = group$momentum)
      } else {
        state$momentum_buffer
      }
    }
    torch__foreach_add_(params, grads, alpha = -group$lr)
  },
  fused = function(params, grads, state, group, steps) {
    is_first <- group$momentum != 0 && is.null(state$momentum_buffer)
    torch__fused_sgd_(
      params, grads, if (group$momentum != 0) kept(state, "momentum_buffer", params, torch_empty_like) else list(),
      weight_decay = group$weight_decay, momentum = group$momentum, lr = group$lr, dampening = group$dampening,
      nesterov = group$nesterov, maximize = group$maximize, is_first_step = is_first
    )
  },
  check = function(group) {
    if (group$nesterov && (group$momentum <= 0 || group$dampening != 0)) {
      value_error("`nesterov` needs a positive `momentum` and zero `dampening`.", call = caller_env(4))
    }
  }
)

#' Stochastic gradient descent
#'
#' Moves the parameters by `-lr` times the gradient \eqn{g}, or times a running sum of gradients:
#' \eqn{b \leftarrow momentum \cdot b + (1 - dampening) g}, with \eqn{b = g} in the first step, and
#' \eqn{\theta \leftarrow \theta - lr \, b}; with `nesterov` \eqn{g + momentum \cdot b} takes the place of \eqn{b}.
#'
#' @inheritParams optim_adam
#' @param lr learning rate; must be given.
#' @param momentum factor of the running sum.
#' @param dampening how much less of the gradient is added to it.
#' @param nesterov whether to use Nesterov's form; needs momentum and no dampening.
#' @returns An optimizer, see [optimizer()]. State of a parameter, with momentum: `momentum_buffer`.
#' @section Errors:
#' Hyperparameters out of their range are `value_error`s. Gradients may be sparse, without weight decay.
#' @source Sutskever, Martens, Dahl and Hinton (2013), On the importance of initialization and momentum in deep
#'   learning.
#' @examplesIf torch::torch_is_installed()
#' x <- torch_tensor(1, requires_grad = TRUE)
#' opt <- optim_sgd(x, lr = 0.1)
#' (x^2)$backward()
#' opt$step()
#' x
#' @export
optim_sgd <- rule_optimizer(
  alist(
    params = , lr = optim_required(), momentum = 0, dampening = 0, weight_decay = 0, nesterov = FALSE, maximize = FALSE
  ),
  sgd_rule
)

#' Averaged stochastic gradient descent
#'
#' Gradient descent with a learning rate \eqn{\eta_t = lr / (1 + lambda \cdot lr \cdot t)^{alpha}} and a decay of the
#' parameters by \eqn{1 - lambda \, \eta_t}. The state `ax` is the mean of the parameters over the steps after `t0`.
#'
#' @inheritParams optim_adam
#' @param lambda decay, in PyTorch `lambd`.
#' @param alpha power in the learning rate.
#' @param t0 the step after which the mean begins.
#' @returns An optimizer, see [optimizer()]. State of a parameter: `step`, `eta`, `mu` and the mean, `ax`.
#' @inheritSection optim_adam Errors
#' @source Polyak and Juditsky (1992), Acceleration of stochastic approximation by averaging.
#' @examplesIf torch::torch_is_installed()
#' x <- torch_tensor(1, requires_grad = TRUE)
#' opt <- optim_asgd(x)
#' (x^2)$backward()
#' opt$step()
#' x
#' @export
optim_asgd <- rule_optimizer(
  alist(params = , lr = 1e-2, lambda = 1e-4, alpha = 0.75, t0 = 1e6, weight_decay = 0, maximize = FALSE),
  new_rule(
    "optim_asgd",
    numbers = c("step", "eta", "mu"), renamed = c(lambda = "lambd"),
    update = function(params, grads, state, group) {
      eta <- state$eta %||% group$lr
      scale_(params, 1 - group$lambda * eta)
      add_scaled_(params, grads, -eta)
      mean <- kept(state, "ax", params)
      add_scaled_(mean, torch__foreach_sub(params, other = mean), state$mu %||% 1)
      state$eta <- group$lr / (1 + group$lambda * group$lr * state$step)^group$alpha
      state$mu <- 1 / larger_of(1, state$step - group$t0)
    }
  )
)

#' Resilient backpropagation
#'
#' Rprop uses only the signs of the gradients. Each number has a step size of its own. It grows while the sign of the
#' gradient stays, and shrinks when the sign changes; then that number is not moved. The method needs gradients of the
#' whole data, not of batches.
#'
#' @inheritParams optim_adam
#' @param lr the first step size.
#' @param etas two factors of the step size, below and above 1: where the sign changes, and where it stays.
#' @param step_sizes the smallest and the largest step size.
#' @returns An optimizer, see [optimizer()]. State of a parameter: `step`, the gradient before, `prev`, and `step_size`.
#' @inheritSection optim_adam Errors
#' @source Riedmiller and Braun (1993), A direct adaptive method for faster backpropagation learning: the RPROP
#'   algorithm.
#' @examplesIf torch::torch_is_installed()
#' x <- torch_tensor(1, requires_grad = TRUE)
#' opt <- optim_rprop(x)
#' (x^2)$backward()
#' opt$step()
#' x
#' @export
optim_rprop <- rule_optimizer(
  alist(params = , lr = 0.01, etas = c(0.5, 1.2), step_sizes = c(1e-6, 50), maximize = FALSE),
  new_rule(
    "optim_rprop",
    decay = "own",
    checks = list(
      etas = must_be("two numbers, between 0 and 1 and above 1", function(x) {
        is.numeric(x) && length(x) == 2L && isTRUE(all(x[1L] > 0, x[1L] < 1, x[2L] > 1))
      }),
      step_sizes = must_be("two numbers", function(x) is.numeric(x) && length(x) == 2L && !anyNA(x))
    ),
    update = function(params, grads, state, group) {
      size <- kept(state, "step_size", params, function(param) torch_full_like(param, group$lr))
      # `turn` is 1 where the sign stays, -1 where it changes, and 0 where a gradient is 0. `any` is `turn` without
      # its sign.
      turn <- each_sign(torch__foreach_mul(grads, other = kept(state, "prev", params)))
      any <- torch__foreach_abs(turn)
      # This factor is the second of the etas, the first of them, or 1.
      factor <- torch__foreach_mul(any, scalar = sum(group$etas) / 2 - 1)
      torch__foreach_add_(factor, turn, alpha = diff(group$etas) / 2)
      torch__foreach_add_(factor, scalar = 1)
      torch__foreach_mul_(size, other = factor)
      each_clamp_(size, group$step_sizes[[1L]], group$step_sizes[[2L]])
      # `moves` is 0 where the sign changes and 1 elsewhere.
      moves <- torch__foreach_sub(turn, other = any)
      torch__foreach_mul_(moves, scalar = 0.5)
      torch__foreach_add_(moves, scalar = 1)
      state$prev <- torch__foreach_mul(grads, other = moves)
      torch__foreach_addcmul_(params, each_sign(state$prev), size, value = -1)
    }
  )
)

#' Muon: momentum with orthogonal steps
#'
#' For parameters that are matrices: the step is the running mean of the gradients, with all of its singular values
#' brought near to 1 by a few Newton-Schulz iterations. Other parameters, and usually those of the first and last layer,
#' are left to [optim_adamw()].
#'
#' @inheritParams optim_adam
#' @param momentum weight of the old values in the running mean of the gradients.
#' @param nesterov whether to use Nesterov's form.
#' @param weight_decay the parameters are multiplied by `1 - lr * weight_decay`.
#' @param ns_coefficients the three coefficients of the iterations' polynomial.
#' @param eps smallest divisor when the step is scaled before the iterations.
#' @param ns_steps number of iterations.
#' @param adjust_lr_fn how the learning rate goes by the shape, n x m: `NULL` or `"original"`, by
#'   \eqn{\sqrt{\max(1, n / m)}}; `"match_rms_adamw"`, by \eqn{0.2 \sqrt{\max(n, m)}}.
#' @returns An optimizer, see [optimizer()]. State of a parameter: `momentum_buffer`.
#' @section Errors:
#' Hyperparameters out of their range and parameters that are no real matrices are `value_error`s.
#' @source Jordan (2024), Muon: an optimizer for hidden layers in neural networks; Liu and others (2025), Muon is
#'   scalable for LLM training. The iterations are in bfloat16.
#' @examplesIf torch::torch_is_installed()
#' model <- nn_linear(3, 2, bias = FALSE)
#' opt <- optim_muon(model$parameters)
#' model(torch_ones(1, 3))$sum()$backward()
#' opt$step()
#' @export
optim_muon <- rule_optimizer(
  alist(
    params = , lr = 1e-3, weight_decay = 0.1, momentum = 0.95, nesterov = TRUE,
    ns_coefficients = c(3.4445, -4.7750, 2.0315), eps = 1e-7, ns_steps = 5, adjust_lr_fn = NULL
  ),
  new_rule(
    "optim_muon",
    numbers = character(), decay = "parameter",
    checks = list(
      ns_coefficients = must_be("three numbers", function(x) is.numeric(x) && length(x) == 3L && !anyNA(x)),
      ns_steps = must_be("a whole number from 0 to 99", function(x) is_whole_number(x) && x >= 0 && x < 100),
      adjust_lr_fn = must_be("NULL, \"original\" or \"match_rms_adamw\"", function(x) {
        is.null(x) || (is_string(x) && x %in% c("original", "match_rms_adamw"))
      })
    ),
    check = function(group) {
      is_matrix <- vapply(group$params, function(x) x$ndim == 2L && !x$is_complex(), NA)
      if (!all(is_matrix)) {
        shape <- toString(group$params[!is_matrix][[1L]]$shape)
        value_error(
          sprintf("`params` must be real matrices for `optim_muon()`, not of shape (%s).", shape), call = caller_env(4)
        )
      }
    },
    # Matrices of one shape are multiplied together.
    kind = function(param) param$shape,
    update = function(params, grads, state, group) {
      steps <- kept_mean(state, "momentum_buffer", grads, group$momentum)
      if (group$nesterov) steps <- Map(function(grad, mean) torch_lerp(grad, mean, group$momentum), grads, steps)
      n <- params[[1L]]$shape
      by_rms <- identical(group$adjust_lr_fn, "match_rms_adamw")
      ratio <- if (by_rms) 0.2 * sqrt(max(n)) else sqrt(max(1, n[1L] / n[2L]))
      steps <- torch_unbind(near_orthogonal(torch_stack(steps), n[1L] > n[2L], group))
      torch__foreach_add_(params, steps, alpha = -group$lr * ratio)
    }
  )
)

# `x` is a stack of matrices.
near_orthogonal <- function(x, is_tall, group) {
  a <- group$ns_coefficients[[1L]]
  b <- group$ns_coefficients[[2L]]
  c <- group$ns_coefficients[[3L]]
  turned <- function(x) torch_transpose(x, 2L, 3L)
  y <- torch__to_copy(x, dtype = torch_bfloat16())
  if (is_tall) y <- turned(y)
  norms <- torch_stack(lapply(torch_unbind(y), torch_norm))
  y <- torch_div(y, torch_clamp(norms, min = group$eps)$view(c(-1L, 1L, 1L)))
  for (i in seq_len(group$ns_steps)) {
    square <- torch_bmm(y, turned(y))
    y <- torch_baddbmm(y, torch_baddbmm(square, square, square, beta = b, alpha = c), y, beta = a)
  }
  if (is_tall) turned(y) else y
}
