# Schedulers: change the learning rates of an optimizer's groups from epoch to epoch. What all have in common; the rules
# are in lr-rules.R, lr-cycles.R and lr-several.R.

#' @include optim.R
NULL

LRScheduler <- R6::R6Class(
  "LRScheduler",
  lock_objects = FALSE,
  public = list(
    optimizer = NULL,
    base_lrs = NULL,
    last_epoch = -1,
    verbose = FALSE,
    .step_count = 0,
    .last_lr = NULL,
    initialize = function(optimizer, last_epoch = -1, verbose = FALSE) {
      self$optimizer <- check_optimizer(optimizer)
      check_setting("last_epoch", last_epoch, epoch_before)
      check_setting("verbose", verbose, true_or_false)
      for (i in seq_along(optimizer$param_groups)) {
        group <- optimizer$param_groups[[i]]
        if (!is.null(group$initial_lr)) next
        if (last_epoch != -1) {
          value_error(sprintf(
            "`last_epoch` must be -1: group %d has no `initial_lr`, which a scheduler before would have left.", i
          ))
        }
        optimizer$param_groups[[i]]$initial_lr <- group$lr
      }
      self$base_lrs <- group_values(optimizer, "initial_lr")
      self$last_epoch <- last_epoch
      self$verbose <- verbose
      self$.first_step()
    },
    get_lr = function() {
      not_implemented_error("This scheduler has no `get_lr` method.")
    },
    get_last_lr = function() self$.last_lr,
    step = function() {
      self$.step_count <- self$.step_count + 1
      self$last_epoch <- self$last_epoch + 1
      self$.set_lr(self$get_lr())
    },
    print_lr = function(is_verbose, group, lr) {
      if (is_verbose) message(sprintf("Learning rate of group %d: %s", group, format(lr, digits = 4)))
    },
    state_dict = function() {
      fields <- public_fields(self)
      fields <- fields[setdiff(names(fields), c("optimizer", "verbose"))]
      # Counts are whole numbers in PyTorch too, and functions of the user's get them.
      fields$last_epoch <- as.integer(fields$last_epoch)
      # One that has no count of its own steps, as of several schedulers, keeps none.
      c(fields, if (self$.step_count > 0) list(`_step_count` = as.integer(self$.step_count)), list(`_last_lr` = self$.last_lr))
    },
    load_state_dict = function(state_dict) {
      load_scheduler(self, state_dict)
      invisible(self)
    },
    # Epoch 0, or the one after `last_epoch`.
    .first_step = function() {
      self$.step_count <- 0
      private$.is_first <- TRUE
      on.exit(private$.is_first <- FALSE)
      self$step()
    },
    # Where `lr_sequential()` begins with a scheduler.
    .restart = function() {
      self$last_epoch <- 0
      self$.set_lr(self$.lr_at(0) %||% self$get_lr())
    },
    # By a formula of the epoch, if there is one.
    .lr_at = function(epoch) NULL,
    .set_lr = function(lrs) {
      optimizer <- self$optimizer
      lrs <- checked_lrs(lrs, length(optimizer$param_groups))
      for (i in seq_along(optimizer$param_groups)) {
        optimizer$param_groups[[i]]$lr <- lrs[[i]]
        self$print_lr(isTRUE(self$verbose), i, lrs[[i]])
      }
      self$.last_lr <- group_values(optimizer, "lr")
      invisible(self)
    }
  ),
  private = list(.is_first = FALSE)
)

epoch_before <- must_be("a whole number from -1 on", function(x) is_whole_number(x) && x >= -1)

# What a scheduler's `get_lr()` gave, as numbers.
checked_lrs <- function(lrs, n, call = NULL) {
  values <- if (is.list(lrs) && length(lrs) == n) lapply(lrs, plain_number) else lapply(as.list(lrs), plain_number)
  if (length(values) == n && all(vapply(values, is_number, NA))) return(unlist(values))
  value_error(sprintf(
    "`get_lr()` must give a learning rate for %s, not %s.", if (n == 1L) "the one group" else sprintf("each of the %d groups", n), describe_value(lrs)
  ), call)
}

# A tensor of one element and a 64-bit integer are numbers too.
plain_number <- function(x) {
  if (inherits(x, "integer64")) return(as.double(x))
  if (is_torch_tensor(x) && x$numel() == 1) as.numeric(x) else x
}

check_optimizer <- function(optimizer, call = caller_env(2)) {
  if (!is_optimizer(optimizer)) {
    type_error(sprintf("`optimizer` must be an optimizer, not %s.", friendly_type(optimizer)), call)
  }
  optimizer
}

group_values <- function(optimizer, name) vapply(optimizer$param_groups, function(group) as.numeric(group[[name]]), 0)

# Names of PyTorch's come with an underscore. What it keeps beside the numbers is not taken.
load_scheduler <- function(self, state_dict, call = caller_env()) {
  if (!is.list(state_dict) || is.null(state_dict$last_epoch)) {
    value_error("`state_dict` must be a list that a scheduler's `$state_dict()` gave.", call = call)
  }
  for (name in setdiff(names(state_dict), c("_get_lr_called_within_step", "_is_initial", "lr_lambdas", "_scale_fn_custom"))) {
    value <- state_dict[[name]]
    numbers <- is.list(value) && length(value) > 0L && all(vapply(value, is.numeric, NA))
    assign(sub("^_", ".", name), if (numbers) unlist(value) else value, envir = self)
  }
}

#' Make a scheduler of learning rates
#'
#' `lr_scheduler()` makes a class of schedulers: a function that creates them for an optimizer. Those of the package are
#' [lr_step()], [lr_multi_step()], [lr_constant()], [lr_linear()], [lr_exponential()], [lr_polynomial()],
#' [lr_cosine_annealing()], [lr_cosine_annealing_warm_restarts()], [lr_lambda()], [lr_multiplicative()],
#' [lr_one_cycle()], [lr_cyclic()], [lr_reduce_on_plateau()], [lr_swa()], [lr_sequential()] and [lr_chained()].
#'
#' A scheduler sets the learning rates of epoch 0 when it is made. `$step()`, after the optimizer's steps of an epoch,
#' sets those of the next. Of a class of your own `get_lr()` gives them, one for each group; it finds `self$last_epoch`,
#' `self$base_lrs`, the learning rates before the first epoch, and `self$optimizer$param_groups`.
#'
#' @section Methods of a scheduler:
#' * `$step()`: the next epoch.
#' * `$get_last_lr()`: the learning rates that were set last, one for each group.
#' * `$state_dict()`, `$load_state_dict(state_dict)`: what to keep to go on later, by the names that it has in PyTorch.
#'   The learning rates themselves are in the optimizer's.
#'
#' @param classname name of the class, or `NULL`.
#' @param inherit a generator to inherit from.
#' @param ... methods and fields, among them `initialize`, which calls `super$initialize(optimizer, last_epoch,
#'   verbose)`, and `get_lr`.
#' @param parent_env environment in which the methods are evaluated.
#' @returns A generator, a function that returns a scheduler.
#' @examplesIf torch::torch_is_installed()
#' lr_inverse <- lr_scheduler(
#'   "lr_inverse",
#'   initialize = function(optimizer, last_epoch = -1, verbose = FALSE) {
#'     super$initialize(optimizer, last_epoch, verbose)
#'   },
#'   get_lr = function() self$base_lrs / (1 + self$last_epoch)
#' )
#' opt <- optim_sgd(torch_ones(1, requires_grad = TRUE), lr = 1)
#' scheduler <- lr_inverse(opt)
#' scheduler$step()
#' scheduler$get_last_lr()
#' @export
lr_scheduler <- function(classname = NULL, inherit = LRScheduler, ..., parent_env = parent.frame()) {
  new_generator(
    classname, inherit, function() LRScheduler, list2(...), list(), NULL, parent_env, "lr_scheduler_generator"
  )
}

#' @export
`$.lr_scheduler_generator` <- function(x, name) generator_member(x, name)

#' @export
print.lr_scheduler_generator <- function(x, ...) print_generator(x, "lr_scheduler_generator")

#' @export
print.LRScheduler <- function(x, ...) {
  title <- sprintf("<%s> at epoch %s, learning rate %s", class(x)[[1L]], x$last_epoch, toString(signif(x$.last_lr, 4L)))
  fields <- public_fields(x)
  print_object(x, title, describe_fields(fields[setdiff(names(fields), c("optimizer", "last_epoch", "verbose"))]))
}
