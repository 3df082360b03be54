# Schedulers that go up and down: cycles of learning rate and momentum, and the way to averaged weights.

#' @include lr-rules.R
NULL

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
    check_setting("last_epoch", last_epoch, epoch_before)
    check_setting("three_phase", three_phase, true_or_false)
    for (name in c("base_momentum", "max_momentum")) check_setting(name, get(name), group_numbers)
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
    max_lr <- plain_setting(max_lr)
    check_setting("max_lr", max_lr, group_numbers)
    check_setting("div_factor", div_factor, positive_number)
    check_setting("final_div_factor", final_div_factor, positive_number)
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
    check_setting("last_epoch", last_epoch, epoch_before)
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
    for (name in c("base_lr", "max_lr", "base_momentum", "max_momentum")) check_setting(name, get(name), group_numbers)
    check_setting("step_size_up", step_size_up, positive_number)
    check_setting("step_size_down", step_size_down, optional(positive_number))
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
  },
  # PyTorch wants a place for the function, and keeps nothing of a plain one.
  state_dict = function() c(super$state_dict(), list(`_scale_fn_custom` = NULL))
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
