# Adam and its kin.

#' @include optim-step.R
NULL

adam_rule <- function(name, fused, decay) {
  new_rule(
    name,
    decay = decay,
    update = function(params, grads, state, group) {
      mean <- kept_mean(state, "exp_avg", grads, group$betas[[1L]])
      square <- kept_square(state, "exp_avg_sq", grads, group$betas[[2L]])
      if (group$amsgrad) {
        each_maximum_(kept(state, "max_exp_avg_sq", params), square)
        square <- state$max_exp_avg_sq
      }
      root <- torch__foreach_sqrt(square)
      scale_(root, 1 / sqrt(1 - group$betas[[2L]]^state$step))
      torch__foreach_add_(root, scalar = group$eps)
      add_quotient_(params, mean, root, -group$lr / (1 - group$betas[[1L]]^state$step))
    },
    fused = function(params, grads, state, group, steps) {
      # PyTorch's Adam can have the decay of AdamW, and its state dicts can ask for it.
      if (isTRUE(group$decoupled_weight_decay)) fused <- torch__fused_adamw_
      fused(
        params, grads, kept(state, "exp_avg", params), kept(state, "exp_avg_sq", params),
        if (group$amsgrad) kept(state, "max_exp_avg_sq", params) else list(), steps,
        lr = group$lr, beta1 = group$betas[[1L]], beta2 = group$betas[[2L]], weight_decay = group$weight_decay,
        eps = group$eps, amsgrad = group$amsgrad, maximize = group$maximize
      )
    }
  )
}

adam_formals <- alist(
  params = , lr = 1e-3, betas = c(0.9, 0.999), eps = 1e-8, weight_decay = 0, amsgrad = FALSE, maximize = FALSE
)

#' Adam
#'
#' Gradient descent with steps scaled by running means of the gradient and of its square. With gradient \eqn{g}, in step
#' \eqn{t}:
#' \deqn{m \leftarrow \beta_1 m + (1 - \beta_1) g, \quad v \leftarrow \beta_2 v + (1 - \beta_2) g^2, \quad
#'   \theta \leftarrow \theta - lr \frac{m / (1 - \beta_1^t)}{\sqrt{v / (1 - \beta_2^t)} + eps}}
#' `optim_adamw()` multiplies the parameters by `1 - lr * weight_decay` instead of adding `weight_decay` times the
#' parameters to the gradient.
#'
#' @param params a tensor, a list of tensors, or a list of groups: named lists with an element `params` and, where a
#'   group differs, hyperparameters.
#' @param lr learning rate.
#' @param betas weights of the old values in the two running means, from 0 to below 1.
#' @param eps added to the divisor.
#' @param weight_decay factor of the penalty on the size of the parameters.
#' @param amsgrad whether to divide by the largest mean square so far.
#' @param maximize whether to go up instead of down.
#' @returns An optimizer, see [optimizer()]. State of a parameter: `step`, `exp_avg`, `exp_avg_sq` and, with `amsgrad`,
#'   `max_exp_avg_sq`.
#' @section Errors:
#' Hyperparameters out of their range are `value_error`s, and so are sparse gradients.
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
optim_adam <- rule_optimizer(adam_formals, adam_rule("optim_adam", function(...) torch__fused_adam_(...), "gradient"))

#' @rdname optim_adam
#' @export
optim_adamw <- rule_optimizer(
  replace(adam_formals, "weight_decay", 1e-2),
  adam_rule("optim_adamw", function(...) torch__fused_adamw_(...), "parameter")
)

#' Adam with the largest gradient, with Nesterov's momentum, and rectified
#'
#' Kin of [optim_adam()].
#'
#' * `optim_adamax()` divides by a running maximum instead of the root of a running mean of squares:
#'   \eqn{u \leftarrow \max(\beta_2 u, |g| + eps)}, \eqn{\theta \leftarrow \theta - lr \, m / ((1 - \beta_1^t) u)}.
#' * `optim_nadam()` looks ahead along the running mean, by momenta
#'   \eqn{\mu_t = \beta_1 (1 - 0.96^{t \cdot momentum\_decay} / 2)}:
#'   \eqn{\theta \leftarrow \theta - lr \, (\frac{\mu_{t+1} m}{1 - \prod_{i \le t+1} \mu_i} +
#'   \frac{(1 - \mu_t) g}{1 - \prod_{i \le t} \mu_i}) / (\sqrt{v / (1 - \beta_2^t)} + eps)}.
#' * `optim_radam()` takes steps of \eqn{lr \, m / (1 - \beta_1^t)} as long as too few gradients were seen for their
#'   mean square, and scales by that, with a correction for its variance, later.
#'
#' @inheritParams optim_adam
#' @param momentum_decay how fast the momentum grows to `betas[1]`.
#' @param decoupled_weight_decay whether the decay shrinks the parameters, as in [optim_adamw()].
#' @returns An optimizer, see [optimizer()]. State of a parameter: `step`, `exp_avg` and `exp_inf` (Adamax) or
#'   `exp_avg_sq`; for NAdam `mu_product` besides.
#' @inheritSection optim_adam Errors
#' @source Kingma and Ba (2014), Adam: a method for stochastic optimization; Dozat (2016), Incorporating Nesterov
#'   momentum into Adam; Liu and others (2019), On the variance of the adaptive learning rate and beyond.
#' @examplesIf torch::torch_is_installed()
#' x <- torch_tensor(1, requires_grad = TRUE)
#' opt <- optim_nadam(x)
#' (x^2)$backward()
#' opt$step()
#' x
#' @export
optim_adamax <- rule_optimizer(
  alist(params = , lr = 2e-3, betas = c(0.9, 0.999), eps = 1e-8, weight_decay = 0, maximize = FALSE),
  new_rule("optim_adamax", update = function(params, grads, state, group) {
    mean <- kept_mean(state, "exp_avg", grads, group$betas[[1L]])
    size <- torch__foreach_abs(grads)
    torch__foreach_add_(size, scalar = group$eps)
    bound <- kept(state, "exp_inf", params)
    torch__foreach_mul_(bound, scalar = group$betas[[2L]])
    each_maximum_(bound, size)
    add_quotient_(params, mean, bound, -group$lr / (1 - group$betas[[1L]]^state$step))
  })
)

#' @rdname optim_adamax
#' @export
optim_nadam <- rule_optimizer(
  alist(
    params = , lr = 2e-3, betas = c(0.9, 0.999), eps = 1e-8, weight_decay = 0, momentum_decay = 4e-3,
    decoupled_weight_decay = FALSE, maximize = FALSE
  ),
  new_rule("optim_nadam", numbers = c("step", "mu_product"), update = function(params, grads, state, group) {
    mu <- function(step) group$betas[[1L]] * (1 - 0.5 * 0.96^(step * group$momentum_decay))
    now <- mu(state$step)
    ahead <- mu(state$step + 1)
    state$mu_product <- (state$mu_product %||% 1) * now
    mean <- kept_mean(state, "exp_avg", grads, group$betas[[1L]])
    root <- torch__foreach_sqrt(kept_square(state, "exp_avg_sq", grads, group$betas[[2L]]))
    scale_(root, 1 / sqrt(1 - group$betas[[2L]]^state$step))
    torch__foreach_add_(root, scalar = group$eps)
    add_quotient_(params, grads, root, -group$lr * (1 - now) / (1 - state$mu_product))
    add_quotient_(params, mean, root, -group$lr * ahead / (1 - state$mu_product * ahead))
  })
)

#' @rdname optim_adamax
#' @export
optim_radam <- rule_optimizer(
  alist(
    params = , lr = 1e-3, betas = c(0.9, 0.999), eps = 1e-8, weight_decay = 0, decoupled_weight_decay = FALSE,
    maximize = FALSE
  ),
  new_rule("optim_radam", update = function(params, grads, state, group) {
    mean <- kept_mean(state, "exp_avg", grads, group$betas[[1L]])
    square <- kept_square(state, "exp_avg_sq", grads, group$betas[[2L]])
    # How many gradients the mean square stands for, now and in the end.
    remembered <- group$betas[[2L]]^state$step
    most <- 2 / (1 - group$betas[[2L]]) - 1
    so_far <- most - 2 * state$step * remembered / (1 - remembered)
    enough <- so_far > 5
    variance <- (so_far - 4) * (so_far - 2) * most / ((most - 4) * (most - 2) * so_far)
    rectified <- sqrt(larger_of(variance, 0) * (1 - remembered))
    lr <- group$lr / (1 - group$betas[[1L]]^state$step)
    factor <- root_plus(square, group$eps)
    torch__foreach_reciprocal_(factor)
    scale_(factor, either(enough, -lr * rectified, 0))
    shift_(factor, either(enough, 0, -lr))
    torch__foreach_addcmul_(params, mean, factor)
  })
)

#' Adam for sparse gradients
#'
#' As [optim_adam()], for parameters whose gradients are sparse, such as the weight of `nn_embedding(sparse = TRUE)`:
#' only the rows that the gradient holds are touched, in the means too.
#'
#' @inheritParams optim_adam
#' @returns An optimizer, see [optimizer()]. State of a parameter: `step`, `exp_avg` and `exp_avg_sq`.
#' @section Errors:
#' Hyperparameters out of their range are `value_error`s, and so are gradients that are not sparse.
#' @source Kingma and Ba (2014), Adam: a method for stochastic optimization; the lazy form is that of PyTorch's
#'   `SparseAdam`.
#' @examplesIf torch::torch_is_installed()
#' words <- nn_embedding(10, 3, sparse = TRUE)
#' opt <- optim_sparse_adam(words$parameters)
#' words(torch_tensor(c(1L, 3L)))$sum()$backward()
#' opt$step()
#' @export
optim_sparse_adam <- rule_optimizer(
  alist(params = , lr = 1e-3, betas = c(0.9, 0.999), eps = 1e-8, maximize = FALSE),
  new_rule(
    "optim_sparse_adam",
    decay = "own", number_in_dict = as.integer,
    update = function(params, grads, state, group) {
      value_error("`optim_sparse_adam` needs sparse gradients: use `optim_adam()` for others.")
    },
    sparse = function(param, grad, state, group) {
      grad <- grad$coalesce()
      if (grad$values()$numel() == 0) return()
      means <- Map(function(name, x, beta) {
        mean <- kept(state, name, param)
        old <- values_at(mean, grad)
        change <- x$sub(old)$mul_(1 - beta)
        mean$add_(with_values(grad, change))
        change$add_(old)
      }, c("exp_avg", "exp_avg_sq"), list(grad$values(), grad$values()$pow(2)), group$betas)
      step <- group$lr * sqrt(1 - group$betas[[2L]]^state$step) / (1 - group$betas[[1L]]^state$step)
      param$add_(with_values(grad, means[[1L]]$div_(means[[2L]]$sqrt_()$add_(group$eps))$mul_(-step)))
    }
  )
)
