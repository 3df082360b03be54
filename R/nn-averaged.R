# Averages of a model over its training.

#' @include nn-module.R
NULL

#' Averaged models
#'
#' `nn_averaged_model()` holds a copy of a model; `$update_parameters(model)`, called after a step or an epoch, brings
#' the copy's parameters to the mean of those that were seen (stochastic weight averaging), or with `decay` to their
#' exponential moving average: \eqn{\bar\theta \leftarrow decay \, \bar\theta + (1 - decay) \, \theta}. Called, it
#' computes what the copy does.
#'
#' The running statistics of batch normalisation belong to the model, not to the average: `nn_utils_update_bn()`
#' computes them anew by one pass over the data. [lr_swa()] keeps the learning rate large meanwhile.
#'
#' @param model a module.
#' @param decay weight of the average so far, from 0 to 1; `NULL`: all models weigh the same.
#' @param avg_fn instead of these a function of the average so far, the parameter and the number of models averaged,
#'   which gives the new average.
#' @param use_buffers whether buffers are averaged too; if not, they are those of the last model.
#' @param device where the average is kept; `NULL`: with the model.
#' @param loader a data loader, or a list of batches; of a batch that is a list the first element is the input.
#' @returns `nn_averaged_model()`: a module with the copy as `$module` and the number of models averaged as
#'   `$n_averaged`; its state dict is that of PyTorch's `AveragedModel`. `nn_utils_update_bn()`: the model, invisibly.
#' @section Errors:
#' A `decay` out of its range, both of `decay` and `avg_fn`, and a model with other parameters than the averaged one are
#'   `value_error`s.
#' @source Izmailov and others (2018), Averaging weights leads to wider optima and better generalization; Polyak and
#'   Juditsky (1992), Acceleration of stochastic approximation by averaging.
#' @examplesIf torch::torch_is_installed()
#' model <- nn_linear(2, 1)
#' average <- nn_averaged_model(model, decay = 0.9)
#' opt <- optim_sgd(model$parameters, lr = 0.1)
#' for (i in 1:3) {
#'   opt$zero_grad()
#'   (model(torch_ones(4, 2))^2)$mean()$backward()
#'   opt$step()
#'   average$update_parameters(model)
#' }
#' average(torch_ones(1, 2))
#' @export
nn_averaged_model <- nn_module(
  "nn_averaged_model",
  initialize = function(model, decay = NULL, avg_fn = NULL, use_buffers = FALSE, device = NULL) {
    if (!is.null(decay) && !(is_number(decay) && decay >= 0 && decay <= 1)) {
      value_error(sprintf("`decay` must be a number from 0 to 1, or NULL, not %s.", friendly_type(decay)))
    }
    if (!is.null(decay) && !is.null(avg_fn)) value_error("`decay` and `avg_fn` can't both be given.")
    self$module <- clone_module(model, deep = TRUE)
    if (!is.null(device)) self$module$to(device = device)
    self$n_averaged <- nn_buffer(torch_tensor(0L, dtype = torch_long(), device = device))
    self$decay <- decay
    self$avg_fn <- avg_fn
    self$use_buffers <- use_buffers
  },
  forward = function(...) self$module(...),
  update_parameters = function(model) {
    check_same_tensors(self$module, model)
    with_no_grad(update_average(self, model))
    invisible(self)
  }
)

check_same_tensors <- function(average, model, call = caller_env()) {
  if (!is_nn_module(model)) type_error(sprintf("`model` must be a module, not %s.", friendly_type(model)), call)
  shapes <- function(module) lapply(c(module$parameters, module$buffers), function(x) .Call(C_shape, x))
  mine <- shapes(average)
  given <- shapes(model)
  differs <- c(setdiff(names(mine), names(given)), setdiff(names(given), names(mine)))
  if (!length(differs)) differs <- names(mine)[!as.logical(mapply(identical, mine, given[names(mine)]))]
  if (!length(differs)) return()
  value_error(sprintf("`model` must have the parameters and buffers of the averaged model, but differs in `%s`.", differs[1]), call)
}

update_average <- function(self, model) {
  n <- self$n_averaged$item()
  average <- unname(c(self$module$parameters, if (self$use_buffers) self$module$buffers))
  current <- unname(c(model$parameters, if (self$use_buffers) model$buffers))
  current <- Map(function(x, to) x$detach()$to(device = to$device), current, average)
  copy <- function(to, from) Map(function(to, from) to$copy_(from), to, from)
  if (n == 0) {
    copy(average, current)
  } else if (is.null(self$avg_fn)) {
    weight <- if (is.null(self$decay)) 1 / (as.numeric(n) + 1) else 1 - self$decay
    # Counts have a mean too, rounded down.
    floats <- vapply(average, function(x) x$is_floating_point() || x$is_complex(), NA)
    if (any(floats)) each_lerp_(average[floats], current[floats], weight)
    double <- function(x) x$to(dtype = torch_double())
    copy(average[!floats], Map(function(x, y) double(x)$lerp_(double(y), weight), average[!floats], current[!floats]))
  } else {
    copy(average, Map(function(x, y) self$avg_fn(x$detach(), y, n), average, current))
  }
  if (!self$use_buffers) copy(unname(self$module$buffers), unname(model$buffers))
  self$n_averaged$add_(1L)
}

#' @rdname nn_averaged_model
#' @export
nn_utils_update_bn <- function(loader, model, device = NULL) {
  norms <- Filter(function(module) inherits(module, "nn_batch_norm_"), model$modules)
  if (length(norms) == 0L) return(invisible(model))
  momenta <- lapply(norms, function(norm) norm$momentum)
  was_training <- model$training
  on.exit({
    Map(function(norm, momentum) norm$momentum <- momentum, norms, momenta)
    model$train(was_training)
  })
  model$train()
  for (norm in norms) {
    norm$reset_running_stats()
    # Without a momentum the statistics are plain means over all batches.
    norm$momentum <- NULL
  }
  see <- function(batch) {
    input <- if (is.list(batch)) batch[[1L]] else batch
    model(if (is.null(device)) input else input$to(device = device))
  }
  with_no_grad(loop(for (batch in loader) see(batch)))
  invisible(model)
}
