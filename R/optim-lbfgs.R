# Limited-memory BFGS.

#' @include optim-step.R
NULL

#' L-BFGS
#'
#' L-BFGS is a quasi-Newton method. The direction of a step is the gradient, multiplied by an estimate of the inverse
#' of the second derivatives, which comes from the last steps and the changes of the gradient in them. The method
#' needs gradients of the whole data, not of batches.
#'
#' A step is up to `max_iter` iterations, each of which calls the closure, so that `$step(closure)` needs one: a
#' function that sets the gradients to zero, computes the loss, calls `$backward()` on it and gives it back.
#'
#' @param params a tensor or a list of tensors; all are one group.
#' @param lr length of the step along the direction, or the first one that the line search tries.
#' @param max_iter largest number of iterations in a step.
#' @param max_eval largest number of calls of the closure in a step; `NULL`: a quarter more than `max_iter`.
#' @param tolerance_grad a step ends when no number of the gradient is larger.
#' @param tolerance_change a step ends when neither a parameter nor the loss changes by more.
#' @param history_size number of changes that are kept.
#' @param line_search_fn `NULL`, or `"strong_wolfe"` to look for a length that satisfies the strong Wolfe conditions.
#' @param maximize `TRUE` to look for a maximum of what the closure gives. PyTorch has it from 2.14 on.
#' @returns An optimizer, see [optimizer()]. State, of the first parameter: `func_evals`, `n_iter`, the direction `d`
#'   and the length `t` of the last step, the history in `old_dirs`, `old_stps` and `ro`, `H_diag`, `prev_flat_grad`,
#'   `prev_loss`.
#' @section Errors:
#' More than one group and hyperparameters out of their range are `value_error`s, and so is a step without a closure.
#' @source Liu and Nocedal (1989), On the limited memory BFGS method for large scale optimization; Nocedal and Wright
#'   (2006), Numerical optimization, algorithms 3.5 and 3.6.
#' @examplesIf torch::torch_is_installed()
#' x <- torch_tensor(c(-1.2, 1), requires_grad = TRUE)
#' opt <- optim_lbfgs(x, line_search_fn = "strong_wolfe")
#' rosenbrock <- function() {
#'   opt$zero_grad()
#'   loss <- (1 - x[1])^2 + 100 * (x[2] - x[1]^2)^2
#'   loss$backward()
#'   loss
#' }
#' for (i in 1:2) opt$step(rosenbrock)
#' x
#' @export
optim_lbfgs <- optimizer(
  "optim_lbfgs",
  initialize = function(params, lr = 1, max_iter = 20, max_eval = NULL, tolerance_grad = 1e-7, tolerance_change = 1e-9,
                        history_size = 100, line_search_fn = NULL, maximize = FALSE) {
    super$initialize(params, list(
      lr = lr, max_iter = max_iter, max_eval = max_eval %||% trunc(max_iter * 5 / 4), tolerance_grad = tolerance_grad,
      tolerance_change = tolerance_change, history_size = history_size, line_search_fn = line_search_fn, maximize = maximize
    ))
  },
  add_param_group = function(param_group) {
    if (length(self$param_groups) > 0L) value_error("`params` must be one group for `optim_lbfgs()`.")
    super$add_param_group(param_group)
  },
  step = function(closure) {
    if (missing(closure) || !is.function(closure)) {
      value_error("`closure` must be a function that gives the loss: `optim_lbfgs()` calls it many times in a step.")
    }
    group <- self$param_groups[[1L]]
    first <- group$params[[1L]]
    call <- current_env()
    done <- with_no_grad(lbfgs_step(self$state$get(first) %||% list(func_evals = 0, n_iter = 0), group, closure, call))
    self$state$set(first, done$state)
    invisible(done$loss)
  },
  private = list(.rule = local({
    at_least <- function(least) {
      must_be(sprintf("a whole number of at least %d", least), function(x) is_whole_number(x) && x >= least)
    }
    new_rule(
      "optim_lbfgs",
      update = NULL, numbers = character(),
      checks = list(
        max_iter = at_least(1), max_eval = at_least(1), history_size = at_least(1), tolerance_grad = not_negative,
        tolerance_change = not_negative,
        line_search_fn = must_be("NULL or \"strong_wolfe\"", function(x) is.null(x) || identical(x, "strong_wolfe"))
      )
    )
  }))
)

is_one_number <- function(x) if (is_torch_tensor(x)) x$numel() == 1 else is.numeric(x) && length(x) == 1L

# `state` after a step, and the first loss, as the closure gave it.
lbfgs_step <- function(state, group, closure, call) {
  params <- lapply(group$params, real_view)
  sizes <- vapply(params, function(x) as.integer(x$numel()), 0L)
  # Along `direction`, by views of it with the shapes of the parameters.
  move <- function(direction, by) {
    pieces <- torch_split(direction, sizes)
    Map(function(param, piece) param$add_(piece$view_as(param), alpha = by), params, pieces)
  }
  evaluate <- function() {
    value <- with_enable_grad(closure())
    if (!is_one_number(value)) {
      value_error(sprintf("`closure` must give the loss, one number, not %s.", friendly_type(value)), call)
    }
    # State dicts of older versions do not say which.
    sign <- if (isTRUE(group$maximize)) -1 else 1
    list(value = value, loss = sign * as.numeric(value), grad = flat_grad(group$params)$mul_(sign))
  }
  # Of no elements 0, so that there is nothing to do.
  largest <- function(x) if (x$numel() == 0L) 0 else x$abs()$max()$item()

  now <- evaluate()
  first_loss <- now$value
  evaluations <- 1
  old <- state$func_evals
  iterations <- 0
  # A comparison with NaN ends nothing.
  while (!isTRUE(largest(now$grad) <= group$tolerance_grad)) {
    iterations <- iterations + 1
    state$n_iter <- state$n_iter + 1
    state <- lbfgs_direction(state, now$grad, group$history_size)
    state$prev_flat_grad <- now$grad
    state$prev_loss <- now$loss
    state$t <- if (state$n_iter == 1) min(1, 1 / now$grad$abs()$sum()$item()) * group$lr else group$lr
    slope <- dot(now$grad, state$d)
    if (isTRUE(slope > -group$tolerance_change)) break

    if (is.null(group$line_search_fn)) {
      move(state$d, state$t)
      if (iterations < group$max_iter) {
        now <- evaluate()
        evaluations <- evaluations + 1
      }
    } else {
      origin <- lapply(params, torch_clone)
      at <- function(t) {
        move(state$d, t)
        there <- evaluate()
        Map(function(param, value) param$copy_(value), params, origin)
        list(t = t, loss = there$loss, grad = there$grad, slope = dot(there$grad, state$d))
      }
      from <- list(t = 0, loss = now$loss, grad = now$grad, slope = slope)
      most <- group$max_eval - evaluations
      found <- strong_wolfe(at, from, state$t, largest(state$d), group$tolerance_change, most)
      now <- found$point
      evaluations <- evaluations + found$evaluations
      state$t <- now$t
      move(state$d, state$t)
    }
    ends <- iterations >= group$max_iter || evaluations >= group$max_eval ||
      isTRUE(largest(state$d) * abs(state$t) <= group$tolerance_change) ||
      isTRUE(abs(now$loss - state$prev_loss) < group$tolerance_change)
    if (ends) break
  }
  state$func_evals <- old + evaluations
  list(loss = first_loss, state = state)
}

flat_grad <- function(params) {
  torch_cat(Map(function(param, grad) {
    if (is.null(grad)) grad <- torch_zeros_like(param)
    if (grad$is_sparse()) grad <- grad$to_dense()
    real_view(grad)$reshape(-1)
  }, params, grads_of(params)))
}

dot <- function(x, y) torch_dot(x, y)$item()

# The next direction, with the change of the last step in the history.
lbfgs_direction <- function(state, grad, history_size) {
  if (state$n_iter == 1) {
    state[c("d", "old_dirs", "old_stps", "ro", "H_diag")] <- list(grad$neg(), list(), list(), list(), 1)
    return(state)
  }
  change <- grad$sub(state$prev_flat_grad)
  step <- state$d$mul(state$t)
  curvature <- dot(change, step)
  if (isTRUE(curvature > 1e-10)) {
    recent <- function(x, last) utils::tail(c(x, list(last)), history_size)
    state$old_dirs <- recent(state$old_dirs, change)
    state$old_stps <- recent(state$old_stps, step)
    state$ro <- recent(state$ro, 1 / curvature)
    state$H_diag <- curvature / dot(change, change)
  }
  n <- length(state$ro)
  weight <- numeric(n)
  direction <- grad$neg()
  for (i in rev(seq_len(n))) {
    weight[i] <- dot(state$old_stps[[i]], direction) * as.numeric(state$ro[[i]])
    direction$add_(state$old_dirs[[i]], alpha = -weight[i])
  }
  direction$mul_(as.numeric(state$H_diag))
  for (i in seq_len(n)) {
    back <- dot(state$old_dirs[[i]], direction) * as.numeric(state$ro[[i]])
    direction$add_(state$old_stps[[i]], alpha = weight[i] - back)
  }
  state$d <- direction
  state
}

# A point on the line: a list of `t`, how far it is, `loss`, `grad`, and `slope`, the derivative of the loss along the
# line. Looks from `from`, first at `t`, for one with a loss that is small enough (`small`) and a slope that is
# (`flat`). `length`: of the direction. Gives the point and how often `at()` was called, `most` times and one.
strong_wolfe <- function(at, from, t, length, tolerance_change, most) {
  too_high <- function(point) isTRUE(point$loss > from$loss + 1e-4 * point$t * from$slope)
  is_flat <- function(point) isTRUE(abs(point$slope) <= -0.9 * from$slope)
  before <- from
  now <- at(t)
  evaluations <- 1
  low <- high <- NULL
  # First ahead, until there is a minimum between two points.
  while (evaluations <= most) {
    if (!too_high(now) && !(evaluations > 2 && isTRUE(now$loss >= before$loss))) {
      if (is_flat(now)) return(list(point = now, evaluations = evaluations))
      if (!isTRUE(now$slope >= 0)) {
        t <- cubic_minimum(before, now, now$t + 0.01 * (now$t - before$t), now$t * 10)
        before <- now
        now <- at(t)
        evaluations <- evaluations + 1
        next
      }
    }
    low <- before
    high <- now
    break
  }
  if (is.null(low)) {
    low <- from
    high <- now
  }
  ends <- list(low, high)
  lower <- function() if (isTRUE(ends[[1L]]$loss <= ends[[2L]]$loss)) 1L else 2L
  best <- lower()
  # Then between the two.
  stalled <- FALSE
  while (evaluations <= most) {
    t <- c(ends[[1L]]$t, ends[[2L]]$t)
    left <- min(t)
    right <- max(t)
    if (isTRUE((right - left) * length < tolerance_change)) break
    t <- cubic_minimum(ends[[1L]], ends[[2L]], left, right)
    margin <- 0.1 * (right - left)
    # Twice near the same end is no progress.
    is_near <- isTRUE(min(right - t, t - left) < margin)
    if (is_near && (stalled || isTRUE(t >= right) || isTRUE(t <= left))) {
      t <- if (isTRUE(abs(t - right) < abs(t - left))) right - margin else left + margin
      stalled <- FALSE
    } else {
      stalled <- is_near
    }
    now <- at(t)
    evaluations <- evaluations + 1
    other <- 3L - best
    if (too_high(now) || isTRUE(now$loss >= ends[[best]]$loss)) {
      ends[[other]] <- now
      best <- lower()
    } else {
      flat <- is_flat(now)
      if (!flat && isTRUE(now$slope * (ends[[other]]$t - ends[[best]]$t) >= 0)) ends[[other]] <- ends[[best]]
      ends[[best]] <- now
      if (flat) break
    }
  }
  list(point = ends[[best]], evaluations = evaluations)
}

# Where the cubic through two points with these slopes has its minimum, within bounds.
cubic_minimum <- function(a, b, least, most) {
  # Comparisons with NaN, of a loss that is none, end nothing.
  if (isTRUE(a$t > b$t)) return(cubic_minimum(b, a, least, most))
  d <- a$slope + b$slope - 3 * (a$loss - b$loss) / (a$t - b$t)
  square <- d^2 - a$slope * b$slope
  if (!isTRUE(square >= 0)) return((least + most) / 2)
  root <- sqrt(square)
  t <- b$t - (b$t - a$t) * (b$slope + root - d) / (b$slope - a$slope + 2 * root)
  min(max(t, least), most)
}
