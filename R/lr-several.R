# Schedulers made of schedulers.

#' @include lr-rules.R
NULL

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
    milestones <- plain_setting(milestones)
    check_setting("milestones", milestones, must_be("whole numbers", function(x) is_integerish(x, finite = TRUE)))
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
    # PyTorch's has no count of its own.
    if (is.null(state_dict$last_epoch)) state_dict <- c(state_dict, list(last_epoch = private$.schedulers[[1L]]$last_epoch))
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
