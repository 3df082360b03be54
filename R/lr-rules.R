# The schedulers of the package.

#' @include lr-scheduler.R optim-step.R
NULL

# The generator of a rule's schedulers: `initialize` keeps the arguments in fields of their names. `checks`: of
# arguments, as `must_be()` makes them. `factor`, a function(self, epoch), gives what the first learning rate is
# multiplied by, and so what the last one is: by the ratio to the factor before, so that schedulers can be chained.
# `moves_first`: also when training is taken up at a later epoch.
lr_rule <- function(name, formals, checks = list(), factor = NULL, moves_first = FALSE, ...) {
  formals <- c(alist(optimizer = ), formals, alist(last_epoch = -1, verbose = FALSE))
  fields <- setdiff(names(formals), c("optimizer", "last_epoch", "verbose"))
  assignments <- lapply(fields, function(field) bquote(self[[.(field)]] <- .(as.name(field))))
  body <- as.call(c(
    quote(`{`), assignments, quote(check_fields(self, private$.checks)),
    quote(super$initialize(optimizer, last_epoch, verbose))
  ))
  methods <- list(initialize = new_function(as.pairlist(formals), body), ...)
  if (!is.null(factor)) {
    methods$.lr_at <- function(epoch) self$base_lrs * private$.factor(self, epoch)
    methods$get_lr <- function() next_by_factor(self, private)
  }
  r6_private <- list(.checks = checks, .factor = factor, .moves_first = moves_first)
  new_generator(
    name, LRScheduler, function() LRScheduler, methods, r6_private, NULL, topenv(), "lr_scheduler_generator"
  )
}

check_fields <- function(self, checks, call = caller_env(2)) {
  for (name in names(checks)) {
    value <- plain_number(self[[name]])
    if (!identical(value, self[[name]])) self[[name]] <- value
    if (!checks[[name]]$ok(value)) {
      is <- if (is.numeric(value)) toString(value) else describe_value(value)
      value_error(sprintf("`%s` must be %s, not %s.", name, checks[[name]]$must, is), call = call)
    }
  }
}

next_by_factor <- function(self, private) {
  lrs <- group_values(self$optimizer, "lr")
  epoch <- self$last_epoch
  now <- private$.factor(self, epoch)
  if (epoch == 0) return(lrs * now)
  if (private$.is_first && !private$.moves_first) return(lrs)
  before <- private$.factor(self, epoch - 1)
  if (now == before) lrs else if (before == 0) self$base_lrs * now else lrs * (now / before)
}

# One value for each group.
for_groups <- function(x, name, optimizer, call = caller_env(2)) {
  n <- length(optimizer$param_groups)
  if (!length(x) %in% c(1L, n)) {
    value_error(
      sprintf("`%s` must be one value or one for each of the %d groups, not %d.", name, n, length(x)), call = call
    )
  }
  rep_len(x, n)
}

set_group_values <- function(optimizer, ...) {
  values <- list(...)
  for (name in names(values)) {
    for (i in seq_along(optimizer$param_groups)) optimizer$param_groups[[i]][[name]] <- values[[name]][[i]]
  }
}

positive_count <- must_be("a positive whole number", function(x) is_whole_number(x) && x > 0)
count <- must_be("a whole number that is not negative", function(x) is_whole_number(x) && x >= 0)
fraction <- must_be("a number from 0 to 1", function(x) is_number(x) && x >= 0 && x <= 1)
numeric_one <- must_be("a number", is_number)
positive_number <- must_be("a number above 0", function(x) is_number(x) && x > 0)
group_numbers <- must_be("a number or one for each group", function(x) is.numeric(x) && length(x) > 0L && !anyNA(x))

#' Learning rates that fall by steps, or by the same factor in every epoch
#'
#' The learning rates before the first epoch are multiplied, in epoch \eqn{t}, by
#'
#' * `lr_step()`: \eqn{gamma^{\lfloor t / step\_size \rfloor}},
#' * `lr_multi_step()`: \eqn{gamma^k}, where \eqn{k} of the milestones are at or before \eqn{t},
#' * `lr_exponential()`: \eqn{gamma^t},
#' * `lr_constant()`: `factor` until epoch `total_iters`, then by 1,
#' * `lr_linear()`: a factor that goes from `start_factor` to `end_factor` in `total_iters` epochs,
#' * `lr_polynomial()`: \eqn{(1 - t / total\_iters)^{power}}, down to 0.
#'
#' The learning rate at hand is multiplied by the ratio of two such factors, so that schedulers can work on one
#' optimizer together ([lr_chained()]).
#'
#' @param optimizer an optimizer.
#' @param step_size number of epochs until the next fall.
#' @param gamma factor.
#' @param milestones epochs at which the learning rate falls.
#' @param factor,start_factor,end_factor factors from 0 to 1, the first of `lr_linear()` above 0.
#' @param total_iters number of epochs.
#' @param power the exponent.
#' @param last_epoch the epoch after which training is taken up; -1: it begins.
#' @param verbose whether to give a message with each learning rate that is set.
#' @returns A scheduler, see [lr_scheduler()].
#' @section Errors:
#' Arguments out of their range are `value_error`s; what is no optimizer is a `type_error`.
#' @source PyTorch's `torch.optim.lr_scheduler`, against which the curves are tested.
#' @examplesIf torch::torch_is_installed()
#' opt <- optim_sgd(torch_ones(1, requires_grad = TRUE), lr = 1)
#' scheduler <- lr_step(opt, step_size = 2, gamma = 0.5)
#' for (epoch in 1:4) {
#'   opt$step()
#'   scheduler$step()
#'   print(scheduler$get_last_lr())
#' }
#' @export
lr_step <- lr_rule(
  "lr_step", alist(step_size = , gamma = 0.1), list(step_size = positive_count, gamma = numeric_one),
  factor = function(self, epoch) self$gamma^(epoch %/% self$step_size), moves_first = TRUE
)

#' @rdname lr_step
#' @export
lr_multi_step <- lr_rule(
  "lr_multi_step", alist(milestones = , gamma = 0.1),
  list(milestones = must_be("whole numbers", function(x) is_integerish(x)), gamma = numeric_one),
  factor = function(self, epoch) self$gamma^sum(self$milestones <= epoch), moves_first = TRUE,
  # PyTorch counts how often a milestone is given.
  state_dict = function() {
    state <- super$state_dict()
    counts <- table(state$milestones)
    state$milestones <- structure(as.list(set_names(as.integer(counts), names(counts))), int_keys = TRUE)
    state
  },
  load_state_dict = function(state_dict) {
    counts <- state_dict$milestones
    if (is.list(counts)) state_dict$milestones <- rep(as.numeric(names(counts)), unlist(counts))
    super$load_state_dict(state_dict)
  }
)

#' @rdname lr_step
#' @export
lr_multistep <- lr_multi_step

#' @rdname lr_step
#' @export
lr_exponential <- lr_rule(
  "lr_exponential", alist(gamma = ), list(gamma = numeric_one), factor = function(self, epoch) self$gamma^epoch
)

#' @rdname lr_step
#' @export
lr_constant <- lr_rule(
  "lr_constant", alist(factor = 1 / 3, total_iters = 5), list(factor = fraction, total_iters = count),
  factor = function(self, epoch) if (epoch >= self$total_iters) 1 else self$factor, moves_first = TRUE
)

#' @rdname lr_step
#' @export
lr_linear <- lr_rule(
  "lr_linear", alist(start_factor = 1 / 3, end_factor = 1, total_iters = 5),
  list(
    start_factor = must_be("a number above 0, to 1", function(x) is_number(x) && x > 0 && x <= 1),
    end_factor = fraction, total_iters = positive_count
  ),
  factor = function(self, epoch) {
    self$start_factor + (self$end_factor - self$start_factor) * min(epoch, self$total_iters) / self$total_iters
  }
)

#' @rdname lr_step
#' @export
lr_polynomial <- lr_rule(
  "lr_polynomial", alist(total_iters = 5, power = 1), list(total_iters = positive_count, power = numeric_one),
  factor = function(self, epoch) (1 - min(epoch, self$total_iters) / self$total_iters)^self$power
)

#' Learning rates along a cosine
#'
#' In epoch \eqn{t} the learning rate is \eqn{eta\_min + (lr - eta\_min) (1 + \cos(\pi t / T\_max)) / 2}: it falls to
#' `eta_min` in `T_max` epochs, and rises again. With warm restarts it begins anew after `T_0` epochs, then after
#' `T_mult` times as many, and so on.
#'
#' @inheritParams lr_step
#' @param T_max number of epochs in which the learning rate falls.
#' @param eta_min smallest learning rate.
#' @param T_0 number of epochs until the first restart.
#' @param T_mult by how much the time until the next restart grows with each.
#' @returns A scheduler, see [lr_scheduler()].
#' @inheritSection lr_step Errors
#' @source Loshchilov and Hutter (2016), SGDR: stochastic gradient descent with warm restarts.
#' @examplesIf torch::torch_is_installed()
#' opt <- optim_sgd(torch_ones(1, requires_grad = TRUE), lr = 1)
#' scheduler <- lr_cosine_annealing(opt, T_max = 3)
#' for (epoch in 1:3) scheduler$step()
#' scheduler$get_last_lr()
#' @export
lr_cosine_annealing <- lr_rule(
  "lr_cosine_annealing", alist(T_max = , eta_min = 0), list(T_max = positive_count, eta_min = numeric_one),
  get_lr = function() {
    lrs <- group_values(self$optimizer, "lr")
    if (private$.is_first) return(lrs)
    height <- function(epoch) (1 + cos(pi * epoch / self$T_max)) / 2
    # From the bottom, where there is nothing to multiply.
    if ((self$last_epoch - 1 - self$T_max) %% (2 * self$T_max) == 0) {
      return(lrs + (self$base_lrs - self$eta_min) * height(self$T_max - 1))
    }
    height(self$last_epoch) / height(self$last_epoch - 1) * (lrs - self$eta_min) + self$eta_min
  },
  .lr_at = function(epoch) self$eta_min + (self$base_lrs - self$eta_min) * (1 + cos(pi * epoch / self$T_max)) / 2
)

#' @rdname lr_cosine_annealing
#' @export
lr_cosine_annealing_warm_restarts <- lr_rule(
  "lr_cosine_annealing_warm_restarts", alist(T_0 = , T_mult = 1, eta_min = 0),
  list(T_0 = positive_count, T_mult = positive_count, eta_min = numeric_one),
  # `T_cur`: epochs since the last restart, of `T_i`.
  T_cur = NULL,
  T_i = NULL,
  get_lr = function() {
    self$eta_min + (self$base_lrs - self$eta_min) * (1 + cos(pi * self$T_cur / self$T_i)) / 2
  },
  step = function() {
    if (private$.is_first) {
      self$T_cur <- self$last_epoch
      self$T_i <- self$T_0
    }
    self$T_cur <- self$T_cur + 1
    if (self$T_cur >= self$T_i) {
      self$T_cur <- self$T_cur %% self$T_i
      self$T_i <- self$T_i * self$T_mult
    }
    super$step()
  }
)

#' Learning rates by a function of yours
#'
#' `lr_lambda()` multiplies the learning rate before the first epoch by what the function gives for the epoch, from 0;
#' `lr_multiplicative()` multiplies the last one.
#'
#' @inheritParams lr_step
#' @param lr_lambda a function of the epoch, or a list of them, one for each group. They are not part of the state dict.
#' @returns A scheduler, see [lr_scheduler()].
#' @inheritSection lr_step Errors
#' @source PyTorch's `torch.optim.lr_scheduler`, against which the curves are tested.
#' @examplesIf torch::torch_is_installed()
#' opt <- optim_sgd(torch_ones(1, requires_grad = TRUE), lr = 1)
#' scheduler <- lr_lambda(opt, function(epoch) 0.9^epoch)
#' scheduler$step()
#' scheduler$get_last_lr()
#' @export
lr_lambda <- lr_scheduler(
  "lr_lambda",
  initialize = function(optimizer, lr_lambda, last_epoch = -1, verbose = FALSE) {
    private$.lambdas <- lambdas_for(lr_lambda, optimizer)
    super$initialize(optimizer, last_epoch, verbose)
  },
  get_lr = function() self$base_lrs * call_lambdas(private$.lambdas, self$last_epoch),
  state_dict = function() c(super$state_dict(), list(lr_lambdas = no_state_of(private$.lambdas)))
)

#' @rdname lr_lambda
#' @export
lr_multiplicative <- lr_scheduler(
  "lr_multiplicative",
  initialize = function(optimizer, lr_lambda, last_epoch = -1, verbose = FALSE) {
    private$.lambdas <- lambdas_for(lr_lambda, optimizer)
    super$initialize(optimizer, last_epoch, verbose)
  },
  get_lr = function() {
    lrs <- group_values(self$optimizer, "lr")
    if (private$.is_first) lrs else lrs * call_lambdas(private$.lambdas, self$last_epoch)
  },
  state_dict = function() c(super$state_dict(), list(lr_lambdas = no_state_of(private$.lambdas)))
)

# PyTorch wants a place for each function, and keeps nothing of plain ones.
no_state_of <- function(lambdas) vector("list", length(lambdas))

lambdas_for <- function(lr_lambda, optimizer, call = caller_env(2)) {
  check_optimizer(optimizer, call)
  lambdas <- if (is.list(lr_lambda)) lr_lambda else list(lr_lambda)
  if (!all(vapply(lambdas, is.function, NA))) {
    type_error("`lr_lambda` must be a function or a list of functions.", call)
  }
  for_groups(lambdas, "lr_lambda", optimizer, call)
}

call_lambdas <- function(lambdas, epoch) {
  vapply(lambdas, function(f) {
    factor <- plain_number(f(epoch))
    if (is_number(factor)) return(as.numeric(factor))
    value_error(sprintf("`lr_lambda` must give a number: for epoch %s it gives %s.", format(epoch), describe_value(factor)), NULL)
  }, 0)
}

# --- by what is measured ---------------------------------------------------------------------------------------------

#' Smaller learning rates when training stops getting better
#'
#' `$step(metrics)` takes the loss, or another number that says how good the model is. When it has not been better than
#' the best so far for more than `patience` epochs, the learning rates are multiplied by `factor`.
#'
#' @inheritParams lr_step
#' @param mode whether `"min"` or `"max"` is better.
#' @param factor below 1.
#' @param patience number of epochs without improvement that are borne.
#' @param threshold how much better a number must be to count, and
#' @param threshold_mode whether that is a share of the best (`"rel"`) or a difference (`"abs"`).
#' @param cooldown number of epochs after a fall that do not count.
#' @param min_lr smallest learning rate, one or one for each group.
#' @param eps a fall by less is not made.
#' @returns A scheduler, see [lr_scheduler()].
#' @inheritSection lr_step Errors
#' @source PyTorch's `torch.optim.lr_scheduler`, against which the curves are tested.
#' @examplesIf torch::torch_is_installed()
#' opt <- optim_sgd(torch_ones(1, requires_grad = TRUE), lr = 1)
#' scheduler <- lr_reduce_on_plateau(opt, patience = 1)
#' for (loss in c(3, 2, 2, 2)) scheduler$step(loss)
#' scheduler$get_last_lr()
#' @export
lr_reduce_on_plateau <- lr_scheduler(
  "lr_reduce_on_plateau",
  initialize = function(optimizer, mode = "min", factor = 0.1, patience = 10, threshold = 1e-4, threshold_mode = "rel",
                        cooldown = 0, min_lr = 0, eps = 1e-8, verbose = FALSE) {
    self$optimizer <- check_optimizer(optimizer, caller_env())
    for (name in c("mode", "factor", "patience", "threshold", "threshold_mode", "cooldown", "eps", "verbose")) {
      self[[name]] <- get(name)
    }
    check_fields(self, list(
      mode = must_be("\"min\" or \"max\"", function(x) is_string(x) && x %in% c("min", "max")),
      threshold_mode = must_be("\"rel\" or \"abs\"", function(x) is_string(x) && x %in% c("rel", "abs")),
      factor = must_be("a number below 1", function(x) is_number(x) && x < 1), patience = count, cooldown = count,
      threshold = numeric_one, eps = numeric_one, verbose = true_or_false
    ))
    check_setting("min_lr", min_lr, group_numbers)
    self$min_lrs <- for_groups(min_lr, "min_lr", optimizer)
    self$last_epoch <- 0
    self$.last_lr <- group_values(optimizer, "lr")
    self$.init_is_better(mode, threshold, threshold_mode)
    self$.reset()
  },
  step = function(metrics) {
    if (missing(metrics)) value_error("`metrics` is missing: give `$step()` the number that is to get better.")
    if (!is_one_number(metrics) && !identical(metrics, NA)) {
      value_error(sprintf("`metrics` must be one number, not %s.", friendly_type(metrics)))
    }
    metrics <- as.numeric(metrics)
    self$last_epoch <- self$last_epoch + 1
    self$num_bad_epochs <- self$num_bad_epochs + 1
    if (isTRUE(self$.is_better(metrics, self$best))) {
      self$best <- metrics
      self$num_bad_epochs <- 0
    }
    if (self$.in_cooldown()) {
      self$cooldown_counter <- self$cooldown_counter - 1
      self$num_bad_epochs <- 0
    }
    if (self$num_bad_epochs > self$patience) {
      self$cooldown_counter <- self$cooldown
      self$num_bad_epochs <- 0
      self$.reduce_lr(self$last_epoch)
    }
    self$.last_lr <- group_values(self$optimizer, "lr")
    invisible(self)
  },
  .reset = function() {
    self$best <- self$mode_worse
    self$cooldown_counter <- 0
    self$num_bad_epochs <- 0
  },
  .reduce_lr = function(epoch) {
    lrs <- group_values(self$optimizer, "lr")
    least <- self$min_lrs
    # One for all is for groups that were added, too.
    if (length(unique(least)) == 1L) least <- least[[1L]]
    lower <- pmax(lrs * self$factor, for_groups(least, "min_lr", self$optimizer))
    self$.set_lr(ifelse(lrs - lower > self$eps, lower, lrs))
  },
  .in_cooldown = function() self$cooldown_counter > 0,
  .is_better = function(a, best) {
    by <- self$threshold * if (self$threshold_mode == "rel") best else 1
    # Nothing is a share of the first, infinite one.
    if (is.infinite(best)) by <- 0
    if (self$mode == "min") a < best - by else a > best + by
  },
  .init_is_better = function(mode, threshold, threshold_mode) {
    self$mode <- mode
    self$threshold <- threshold
    self$threshold_mode <- threshold_mode
    self$mode_worse <- if (mode == "min") Inf else -Inf
  }
)
