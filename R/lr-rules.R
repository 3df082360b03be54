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

positive_count <- must_be("a positive whole number", function(x) is_whole_number(x) && x > 0)
count <- must_be("a whole number that is not negative", function(x) is_whole_number(x) && x >= 0)
fraction <- must_be("a number from 0 to 1", function(x) is_number(x) && x >= 0 && x <= 1)
numeric_one <- must_be("a number", is_number)

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
  factor = function(self, epoch) self$gamma^sum(self$milestones <= epoch), moves_first = TRUE
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
  get_lr = function() self$base_lrs * call_lambdas(private$.lambdas, self$last_epoch)
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
  }
)

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

# --- cycles of learning rate and momentum ----------------------------------------------------------------------------

# The momentum of a group is `momentum`, or the first of `betas`.
set_momentum <- function(optimizer, values) {
  for (i in seq_along(optimizer$param_groups)) {
    if (is.null(optimizer$defaults$betas)) {
      optimizer$param_groups[[i]]$momentum <- values[[i]]
    } else {
      optimizer$param_groups[[i]]$betas[[1L]] <- values[[i]]
    }
  }
}

check_momentum <- function(optimizer, call = caller_env(2)) {
  if (!any(c("betas", "momentum") %in% names(optimizer$defaults))) {
    value_error("`cycle_momentum` must be FALSE for an optimizer that has neither `momentum` nor `betas`.", call = call)
  }
}

set_group_values <- function(optimizer, ...) {
  values <- list(...)
  for (name in names(values)) {
    for (i in seq_along(optimizer$param_groups)) optimizer$param_groups[[i]][[name]] <- values[[name]][[i]]
  }
}

# From `start` to `end`, where `at` is from 0 to 1.
annealings <- list(
  cos = function(start, end, at) end + (start - end) / 2 * (1 + cos(pi * at)),
  linear = function(start, end, at) start + (end - start) * at
)

#' One cycle of learning rate and momentum
#'
#' A scheduler for batches: `$step()` follows each of the optimizer's steps. The learning rate rises from
#' `max_lr / div_factor` to `max_lr` in the share `pct_start` of all steps, and falls to `final_div_factor` times less
#' than it began with; the momentum goes the other way.
#'
#' @inheritParams lr_step
#' @param max_lr largest learning rate, one or one for each group.
#' @param total_steps number of steps, or
#' @param epochs,steps_per_epoch whose product it is.
#' @param pct_start share of the steps in which the learning rate rises, from 0 to 1.
#' @param anneal_strategy `"cos"` or `"linear"`.
#' @param cycle_momentum whether the momentum, or the first of `betas`, goes from `max_momentum` to `base_momentum` and
#'   back.
#' @param base_momentum,max_momentum its smallest and largest value, one or one for each group.
#' @param div_factor,final_div_factor see above.
#' @param three_phase whether the learning rate falls to where it began in as many steps as it rose, and then to its
#'   end.
#' @returns A scheduler, see [lr_scheduler()].
#' @section Errors:
#' Arguments out of their range are `value_error`s, and so is a step more than there are.
#' @source Smith and Topin (2017), Super-convergence: very fast training of neural networks using large learning rates.
#' @examplesIf torch::torch_is_installed()
#' opt <- optim_adam(torch_ones(1, requires_grad = TRUE))
#' scheduler <- lr_one_cycle(opt, max_lr = 0.1, total_steps = 10)
#' for (step in 1:9) {
#'   opt$step()
#'   scheduler$step()
#' }
#' scheduler$get_last_lr()
#' @export
lr_one_cycle <- lr_scheduler(
  "lr_one_cycle",
  initialize = function(optimizer, max_lr, total_steps = NULL, epochs = NULL, steps_per_epoch = NULL, pct_start = 0.3,
                        anneal_strategy = "cos", cycle_momentum = TRUE, base_momentum = 0.85, max_momentum = 0.95,
                        div_factor = 25, final_div_factor = 1e4, last_epoch = -1, verbose = FALSE,
                        three_phase = FALSE) {
    check_optimizer(optimizer, caller_env())
    if (is.null(total_steps) && (is.null(epochs) || is.null(steps_per_epoch))) {
      value_error("`total_steps` must be given, or both of `epochs` and `steps_per_epoch`.")
    }
    self$total_steps <- total_steps %||% (epochs * steps_per_epoch)
    self$pct_start <- pct_start
    self$anneal_strategy <- anneal_strategy
    self$cycle_momentum <- cycle_momentum
    check_fields(self, list(
      total_steps = positive_count, pct_start = fraction, cycle_momentum = true_or_false,
      anneal_strategy = must_be("\"cos\" or \"linear\"", function(x) is_string(x) && x %in% names(annealings))
    ))
    up <- pct_start * self$total_steps
    # Where each phase ends, and between what it goes.
    self$.phases <- if (three_phase) {
      list(
        list(up - 1, c("initial_lr", "max_lr"), c("max_momentum", "base_momentum")),
        list(2 * up - 2, c("max_lr", "initial_lr"), c("base_momentum", "max_momentum")),
        list(self$total_steps - 1, c("initial_lr", "min_lr"), c("max_momentum", "max_momentum"))
      )
    } else {
      list(
        list(up - 1, c("initial_lr", "max_lr"), c("max_momentum", "base_momentum")),
        list(self$total_steps - 1, c("max_lr", "min_lr"), c("base_momentum", "max_momentum"))
      )
    }
    if (cycle_momentum) check_momentum(optimizer, caller_env())
    if (last_epoch == -1) {
      max_lr <- for_groups(max_lr, "max_lr", optimizer)
      set_group_values(
        optimizer, initial_lr = max_lr / div_factor, max_lr = max_lr, min_lr = max_lr / div_factor / final_div_factor
      )
      if (cycle_momentum) {
        set_group_values(
          optimizer, max_momentum = for_groups(max_momentum, "max_momentum", optimizer),
          base_momentum = for_groups(base_momentum, "base_momentum", optimizer)
        )
      }
    }
    super$initialize(optimizer, last_epoch, verbose)
  },
  get_lr = function() {
    if (self$last_epoch > self$total_steps) {
      value_error(sprintf("`total_steps` is %d: there is no step after these.", as.integer(self$total_steps)))
    }
    ends <- vapply(self$.phases, `[[`, 0, 1L)
    i <- min(which(self$last_epoch <= c(ends[-length(ends)], Inf)))
    start <- c(0, ends)[[i]]
    at <- (self$last_epoch - start) / (ends[[i]] - start)
    between <- function(names) {
      anneal <- if (self$anneal_strategy == "cos") self$.annealing_cos else self$.annealing_linear
      anneal(group_values(self$optimizer, names[[1L]]), group_values(self$optimizer, names[[2L]]), at)
    }
    if (self$cycle_momentum) set_momentum(self$optimizer, between(self$.phases[[i]][[3L]]))
    between(self$.phases[[i]][[2L]])
  },
  .format_param = function(name, optimizer, param) for_groups(param, name, optimizer),
  .annealing_cos = function(start, end, pct) annealings$cos(start, end, pct),
  .annealing_linear = function(start, end, pct) annealings$linear(start, end, pct)
)

#' Cycles of learning rate and momentum
#'
#' A scheduler for batches: `$step()` follows each of the optimizer's steps. The learning rate goes from `base_lr` to
#' `max_lr` in `step_size_up` steps and back in `step_size_down`; the momentum goes the other way. The height of the
#' cycles stays (`mode = "triangular"`), is halved with each (`"triangular2"`) or falls with every step by `gamma`
#' (`"exp_range"`).
#'
#' @inheritParams lr_one_cycle
#' @param base_lr,max_lr smallest and largest learning rate, one or one for each group.
#' @param step_size_up,step_size_down numbers of steps; the second is the first if it is `NULL`.
#' @param mode see above.
#' @param gamma factor for `"exp_range"`.
#' @param scale_fn instead of a mode a function that gives the height, of the number of the cycle, from 1
#'   (`scale_mode = "cycle"`), or of the step, from 0 (`"iterations"`).
#' @param scale_mode see there.
#' @returns A scheduler, see [lr_scheduler()].
#' @inheritSection lr_step Errors
#' @source Smith (2015), Cyclical learning rates for training neural networks.
#' @examplesIf torch::torch_is_installed()
#' opt <- optim_sgd(torch_ones(1, requires_grad = TRUE), lr = 0.1, momentum = 0.9)
#' scheduler <- lr_cyclic(opt, base_lr = 0.01, max_lr = 0.1, step_size_up = 5)
#' for (step in 1:5) scheduler$step()
#' scheduler$get_last_lr()
#' @export
lr_cyclic <- lr_scheduler(
  "lr_cyclic",
  initialize = function(optimizer, base_lr, max_lr, step_size_up = 2000, step_size_down = NULL, mode = "triangular",
                        gamma = 1, scale_fn = NULL, scale_mode = "cycle", cycle_momentum = TRUE, base_momentum = 0.8,
                        max_momentum = 0.9, last_epoch = -1, verbose = FALSE) {
    check_optimizer(optimizer, caller_env())
    self$mode <- mode
    self$gamma <- gamma
    self$cycle_momentum <- cycle_momentum
    by_mode <- if (identical(mode, "exp_range")) "iterations" else "cycle"
    self$scale_mode <- if (is.null(scale_fn)) by_mode else scale_mode
    check_fields(self, list(
      mode = must_be("\"triangular\", \"triangular2\" or \"exp_range\"", function(x) {
        is_string(x) && x %in% c("triangular", "triangular2", "exp_range")
      }),
      scale_mode = must_be("\"cycle\" or \"iterations\"", function(x) is_string(x) && x %in% c("cycle", "iterations")),
      gamma = numeric_one, cycle_momentum = true_or_false
    ))
    numbers <- must_be("a number or one for each group", function(x) is.numeric(x) && length(x) > 0L && !anyNA(x))
    positive <- must_be("a number above 0", function(x) is_number(x) && x > 0)
    for (name in c("base_lr", "max_lr", "base_momentum", "max_momentum")) check_setting(name, get(name), numbers)
    check_setting("step_size_up", step_size_up, positive)
    check_setting("step_size_down", step_size_down, optional(positive))
    if (!is.null(scale_fn) && !is.function(scale_fn)) {
      type_error(sprintf("`scale_fn` must be a function or NULL, not %s.", friendly_type(scale_fn)))
    }
    private$.scale <- scale_fn %||% switch(mode,
      triangular = function(x) 1, triangular2 = function(x) 2^(1 - x), exp_range = function(x) self$gamma^x
    )
    self$max_lrs <- for_groups(max_lr, "max_lr", optimizer)
    self$total_size <- step_size_up + (step_size_down %||% step_size_up)
    self$step_ratio <- step_size_up / self$total_size
    base_lrs <- for_groups(base_lr, "base_lr", optimizer)
    if (last_epoch == -1) set_group_values(optimizer, lr = base_lrs)
    if (cycle_momentum) {
      check_momentum(optimizer, caller_env())
      self$base_momentums <- for_groups(base_momentum, "base_momentum", optimizer)
      self$max_momentums <- for_groups(max_momentum, "max_momentum", optimizer)
      if (last_epoch == -1) {
        set_group_values(optimizer, max_momentum = self$max_momentums, base_momentum = self$base_momentums)
      }
    }
    super$initialize(optimizer, last_epoch, verbose)
    self$base_lrs <- base_lrs
  },
  get_lr = function() {
    cycle <- floor(1 + self$last_epoch / self$total_size)
    x <- 1 + self$last_epoch / self$total_size - cycle
    height <- if (x <= self$step_ratio) x / self$step_ratio else (x - 1) / (self$step_ratio - 1)
    height <- height * private$.scale(if (self$scale_mode == "cycle") cycle else self$last_epoch)
    if (self$cycle_momentum) {
      set_momentum(self$optimizer, self$max_momentums - (self$max_momentums - self$base_momentums) * height)
    }
    self$base_lrs + (self$max_lrs - self$base_lrs) * height
  }
)

#' Learning rates for averaged models
#'
#' Brings the learning rates to `swa_lr` in `anneal_epochs` epochs, and keeps them there, for [nn_averaged_model()].
#'
#' @inheritParams lr_step
#' @param swa_lr learning rate in the end, one or one for each group.
#' @param anneal_epochs number of epochs on the way.
#' @param anneal_strategy `"cos"` or `"linear"`.
#' @returns A scheduler, see [lr_scheduler()].
#' @inheritSection lr_step Errors
#' @source Izmailov and others (2018), Averaging weights leads to wider optima and better generalization.
#' @examplesIf torch::torch_is_installed()
#' opt <- optim_sgd(torch_ones(1, requires_grad = TRUE), lr = 1)
#' scheduler <- lr_swa(opt, swa_lr = 0.05, anneal_epochs = 2)
#' for (epoch in 1:3) scheduler$step()
#' scheduler$get_last_lr()
#' @export
lr_swa <- lr_scheduler(
  "lr_swa",
  initialize = function(optimizer, swa_lr, anneal_epochs = 10, anneal_strategy = "cos", last_epoch = -1,
                        verbose = FALSE) {
    check_optimizer(optimizer, caller_env())
    self$anneal_epochs <- anneal_epochs
    self$anneal_strategy <- anneal_strategy
    check_fields(self, list(
      anneal_epochs = count,
      anneal_strategy = must_be("\"cos\" or \"linear\"", function(x) is_string(x) && x %in% names(annealings))
    ))
    set_group_values(optimizer, swa_lr = for_groups(swa_lr, "swa_lr", optimizer))
    super$initialize(optimizer, last_epoch, verbose)
  },
  get_lr = function() {
    step <- self$.step_count - 1
    if (self$anneal_epochs == 0) step <- max(1, step)
    share <- function(step) {
      annealings[[self$anneal_strategy]](0, 1, max(0, min(1, step / max(1, self$anneal_epochs))))
    }
    goal <- group_values(self$optimizer, "swa_lr")
    lrs <- group_values(self$optimizer, "lr")
    # Where the learning rates came from.
    done <- share(step - 1)
    from <- if (done == 1) goal else (lrs - done * goal) / (1 - done)
    goal * share(step) + from * (1 - share(step))
  }
)

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
      threshold = numeric_one, eps = numeric_one
    ))
    self$min_lrs <- for_groups(min_lr, "min_lr", optimizer)
    self$last_epoch <- 0
    self$.last_lr <- group_values(optimizer, "lr")
    self$.init_is_better(mode, threshold, threshold_mode)
    self$.reset()
  },
  step = function(metrics) {
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

# --- several schedulers ----------------------------------------------------------------------------------------------

#' Several schedulers for one optimizer
#'
#' `lr_sequential()` has one scheduler after the other: the next takes over, from its own beginning, at each milestone.
#' `lr_chained()` steps all of them, so that their factors are multiplied.
#'
#' @inheritParams lr_step
#' @param schedulers a list of schedulers of one optimizer; none of them [lr_reduce_on_plateau()].
#' @param milestones epochs at which the next scheduler takes over, one less than there are schedulers.
#' @returns A scheduler, see [lr_scheduler()]. Its state dict holds those of the schedulers.
#' @section Errors:
#' Schedulers of another optimizer, or that need a metric, and milestones of another number are `value_error`s.
#' @source PyTorch's `torch.optim.lr_scheduler`, against which the curves are tested.
#' @examplesIf torch::torch_is_installed()
#' opt <- optim_sgd(torch_ones(1, requires_grad = TRUE), lr = 1)
#' warm_up <- lr_linear(opt, start_factor = 0.1, total_iters = 3)
#' scheduler <- lr_sequential(opt, list(warm_up, lr_exponential(opt, gamma = 0.5)), milestones = 3)
#' for (epoch in 1:4) scheduler$step()
#' scheduler$get_last_lr()
#' @export
lr_sequential <- lr_scheduler(
  "lr_sequential",
  initialize = function(optimizer, schedulers, milestones, last_epoch = -1, verbose = FALSE) {
    check_schedulers(schedulers, optimizer)
    if (length(milestones) != length(schedulers) - 1L) {
      value_error(sprintf(
        "`milestones` must be %d numbers, one less than there are schedulers, not %d.", length(schedulers) - 1L,
        length(milestones)
      ))
    }
    self$optimizer <- optimizer
    self$verbose <- verbose
    private$.schedulers <- schedulers
    self$.milestones <- milestones
    self$last_epoch <- last_epoch + 1
    # All of them made their first step when they were made; only that of the first one is to be left.
    set_group_values(optimizer, lr = group_values(optimizer, "initial_lr"))
    self$.take_back()
    first <- current_scheduler(self, private$.schedulers)
    first$.first_step()
    self$.last_lr <- first$get_last_lr()
  },
  step = function() {
    self$last_epoch <- self$last_epoch + 1
    scheduler <- current_scheduler(self, private$.schedulers)
    if (self$last_epoch %in% self$.milestones) scheduler$.restart() else scheduler$step()
    self$.last_lr <- scheduler$get_last_lr()
    invisible(self)
  },
  .take_back = function() for (scheduler in private$.schedulers) take_back(scheduler),
  state_dict = function() {
    state_of_schedulers(super$state_dict(), private$.schedulers, `_milestones` = self$.milestones)
  },
  load_state_dict = function(state_dict) {
    load_schedulers(private$.schedulers, state_dict)
    super$load_state_dict(state_dict[names(state_dict) != "_schedulers"])
  }
)

#' @rdname lr_sequential
#' @export
lr_chained <- lr_scheduler(
  "lr_chained",
  initialize = function(schedulers, optimizer = NULL) {
    if (is.null(optimizer) && is.list(schedulers) && inherits(schedulers[1L][[1L]], "LRScheduler")) optimizer <- schedulers[[1L]]$optimizer
    check_schedulers(schedulers, optimizer)
    self$optimizer <- optimizer
    private$.schedulers <- schedulers
    self$.last_lr <- group_values(optimizer, "lr")
    self$last_epoch <- schedulers[[1L]]$last_epoch
  },
  step = function() {
    for (scheduler in private$.schedulers) scheduler$step()
    self$last_epoch <- self$last_epoch + 1
    self$.last_lr <- group_values(self$optimizer, "lr")
    invisible(self)
  },
  .take_back = function() for (scheduler in private$.schedulers) take_back(scheduler),
  state_dict = function() state_of_schedulers(super$state_dict(), private$.schedulers),
  load_state_dict = function(state_dict) {
    load_schedulers(private$.schedulers, state_dict)
    super$load_state_dict(state_dict[names(state_dict) != "_schedulers"])
  }
)

check_schedulers <- function(schedulers, optimizer, call = caller_env(2)) {
  if (!is.list(schedulers) || length(schedulers) == 0L || !all(vapply(schedulers, inherits, NA, "LRScheduler"))) {
    value_error(
      sprintf("`schedulers` must be a list of schedulers, and not empty, not %s.", friendly_type(schedulers)), call = call
    )
  }
  if (any(vapply(schedulers, inherits, NA, "lr_reduce_on_plateau"))) {
    value_error("`schedulers` must not hold `lr_reduce_on_plateau()`: its steps need a metric.", call = call)
  }
  if (!all(vapply(schedulers, function(scheduler) identical(scheduler$optimizer, optimizer), NA))) {
    value_error("`schedulers` must all be of `optimizer`.", call = call)
  }
}

current_scheduler <- function(self, schedulers) schedulers[[sum(self$.milestones <= self$last_epoch) + 1L]]

take_back <- function(scheduler) {
  if (is.function(scheduler$.take_back)) scheduler$.take_back() else scheduler$last_epoch <- scheduler$last_epoch - 1
}

state_of_schedulers <- function(state, schedulers, ...) {
  c(state, list(..., `_schedulers` = lapply(schedulers, function(scheduler) scheduler$state_dict())))
}

load_schedulers <- function(schedulers, state_dict, call = caller_env()) {
  if (length(state_dict$`_schedulers`) != length(schedulers)) {
    value_error(sprintf("`state_dict` must hold the state of %d schedulers.", length(schedulers)), call = call)
  }
  Map(function(scheduler, state) scheduler$load_state_dict(state), schedulers, state_dict$`_schedulers`)
}
