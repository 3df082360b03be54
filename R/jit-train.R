# Training over epochs: batches go from the shim to the shim where the data are tensors in memory.

#' @param data What to train on: a list of tensors with as many rows, inputs before the target; a [dataset()]; or a
#'   [dataloader()]. Rows of tensors in memory (a list, a [tensor_dataset()]) are taken without R.
#' @param epochs How often to go through the data.
#' @param batch_size,shuffle,drop_last As in [dataloader()]; where `data` is one, its own hold.
#' @param valid_data Data of the same kinds: after each epoch the loss on them is computed, in evaluation mode.
#' @param metrics A named list of functions of output and target that give a number; means over the batches of
#'   `valid_data`, weighted by rows.
#' @param scheduler A scheduler of `optimizer`, see [lr_scheduler()].
#' @param scheduler_by Whether the scheduler's `$step()` is called after each epoch (with the loss on `valid_data`, or
#'   else that of training, if it takes one) or each step.
#' @param callback A function that is called as `callback(state)` after every `every` steps, and after the last one of
#'   an epoch. `state` is a list of `epoch`, `step` (in the epoch), `n_steps`, `loss` (mean of the steps since the
#'   last call), `model` and `optimizer`. If it gives `FALSE` the training ends.
#' @param every A number of steps, `Inf` for whole epochs.
#' @param patience The training ends after so many epochs without a smaller loss on `valid_data` (or of training),
#'   `Inf` for never.
#' @param checkpoint `NULL`, or the path of a file that is written after each epoch by [torch_save()]: a list of
#'   `epoch`, `model` and `optimizer`, their state dicts, and `history`. `"%d"` in it stands for the epoch.
#' @param progress Whether to show a bar.
#' @return `jit_train()`: a data frame, one row an epoch: `epoch`, `loss` (mean of the steps), `valid_loss`, the
#'   metrics, `lr` (of the first group, in the epoch), `seconds`.
#' @section Interrupts: An interrupt ends the training: model, optimizer and random numbers are
#'   those after whole steps. A step that R or a program makes is undone if it has not come to the optimizer.
#' @examplesIf torch::torch_is_installed()
#'
#' model <- nn_sequential(nn_linear(3, 8), nn_relu(), nn_dropout(0.1), nn_linear(8, 1))
#' optimizer <- optim_sgd(model$parameters, lr = 0.05)
#' jit_train(model, list(x, y), nnf_mse_loss, optimizer, epochs = 3, batch_size = 16)
#' @rdname jit_train_step
#' @export
jit_train <- function(model, data, loss, optimizer, epochs = 1, batch_size = 32, shuffle = TRUE, drop_last = FALSE,
                      valid_data = NULL, metrics = list(), scheduler = NULL, scheduler_by = c("epoch", "step"),
                      clip_norm = NULL, clip_value = NULL, callback = NULL, every = Inf, patience = Inf,
                      checkpoint = NULL, progress = FALSE) {
  trainer <- new_trainer(model, loss, optimizer, clip_norm, clip_value)
  loader <- training_loader(data, "data", batch_size, shuffle, drop_last)
  epochs <- as_count(epochs, "epochs", least = 0)
  if (!(identical(every, Inf) || (is_whole_number(every) && every >= 1))) {
    value_error(sprintf("`every` must be a positive whole number or Inf, not %s.", friendly_type(every)))
  }
  if (!is_number(patience) || patience < 1) {
    value_error(sprintf("`patience` must be at least 1, not %s.", friendly_type(patience)))
  }
  if (!is.null(callback) && !is.function(callback)) {
    type_error(sprintf("`callback` must be a function or NULL, not %s.", friendly_type(callback)))
  }
  if (!is.null(scheduler) && !inherits(scheduler, "LRScheduler")) {
    type_error(sprintf("`scheduler` must be a learning rate scheduler or NULL, not %s.", friendly_type(scheduler)))
  }
  if (!is.list(metrics) || (length(metrics) && !is_named(metrics)) || !all(vapply(metrics, is.function, NA))) {
    type_error(sprintf("`metrics` must be a named list of functions, not %s.", friendly_type(metrics)))
  }
  if (length(metrics) && is.null(valid_data)) value_error("`metrics` needs `valid_data`, on which they are computed.")
  if (!is.null(checkpoint) && !is_string(checkpoint)) {
    type_error(sprintf("`checkpoint` must be a path or NULL, not %s.", friendly_type(checkpoint)))
  }
  if (!is.null(checkpoint) && !dir.exists(dirname(checkpoint))) {
    value_error(sprintf("`checkpoint` must be a path in a folder that is there, not \"%s\".", checkpoint))
  }
  if (!is_bool(progress)) value_error(sprintf("`progress` must be TRUE or FALSE, not %s.", friendly_type(progress)))
  scheduler_by <- arg_match(scheduler_by)
  valid <- if (!is.null(valid_data)) training_loader(valid_data, "valid_data", batch_size, FALSE, FALSE)

  by_step <- if (!is.null(scheduler) && scheduler_by == "step") scheduler
  bar <- if (progress) cli::cli_progress_bar(name = "training", total = epochs)
  history <- list()
  best <- Inf
  since_best <- 0
  for (epoch in seq_len(epochs)) {
    start <- proc.time()[["elapsed"]]
    lr <- as.numeric(optimizer$param_groups[[1L]]$lr)
    after_steps <- if (!is.null(callback)) {
      function(step, n_steps, losses) {
        callback(list(
          epoch = epoch, step = step, n_steps = n_steps, loss = mean(losses), model = model, optimizer = optimizer
        ))
      }
    }
    run <- train_epoch(trainer, loader, every, after_steps, by_step)
    row <- list(epoch = epoch, loss = mean(run$losses))
    if (!is.null(valid)) row <- c(row, evaluate_model(trainer, valid, metrics))
    watched <- row$valid_loss %||% row$loss
    history[[epoch]] <- as.data.frame(c(row, list(lr = lr, seconds = proc.time()[["elapsed"]] - start)))
    if (!is.null(scheduler) && scheduler_by == "epoch") {
      if (length(formals(scheduler$step))) scheduler$step(watched) else scheduler$step()
    }
    if (!is.null(checkpoint)) save_checkpoint(checkpoint, epoch, model, optimizer, do.call(rbind, history))
    if (progress) cli::cli_progress_update(id = bar)
    since_best <- if (isTRUE(watched < best)) 0 else since_best + 1
    best <- min(best, watched, na.rm = TRUE)
    if (run$stopped || since_best >= patience) break
  }
  if (length(history)) do.call(rbind, history) else data.frame(epoch = integer(), loss = numeric())
}

save_checkpoint <- function(path, epoch, model, optimizer, history) {
  if (grepl("%d", path, fixed = TRUE)) path <- sub("%d", format(epoch), path, fixed = TRUE)
  state <- list(epoch = epoch, model = model$state_dict(), optimizer = optimizer$state_dict(), history = history)
  torch_save(state, path)
}

training_loader <- function(data, arg, batch_size, shuffle, drop_last, call = caller_env()) {
  if (is_dataloader(data)) return(data)
  if (is_torch_tensor(data)) data <- list(data)
  are_tensors <- is_bare_list(data) && length(data) && all(vapply(data, is_torch_tensor, NA))
  if (are_tensors) data <- inject(tensor_dataset(!!!data))
  if (!inherits(data, "dataset")) {
    if (is_bare_list(data) && length(data)) {
      i <- which(!vapply(data, is_torch_tensor, NA))[1L]
      type_error(sprintf("`%s[[%d]]` must be a tensor, not %s.", arg, i, friendly_type(data[[i]])), call)
    }
    is <- friendly_type(data)
    type_error(sprintf("`%s` must be a list of tensors, a dataset or a data loader, not %s.", arg, is), call)
  }
  dataloader(data, batch_size = batch_size, shuffle = shuffle, drop_last = drop_last)
}

# The tensors of a loader that takes batches as rows of them. It is NULL for other loaders, and in the middle of a
# run.
resident_tensors <- function(loader) {
  dataset <- loader$dataset
  plain <- inherits(dataset, "tensor_dataset") && identical(body(dataset$.getbatch), tensor_rows_body()) &&
    identical(loader$collate_fn, convert_batch) && loader$num_workers == 0 && !isTRUE(loader$pin_memory) &&
    is.null(loader$.resumed) &&
    identical(class(loader$batch_sampler)[1L], "utils_sampler_batch") &&
    is.function(loader$batch_sampler$sampler$.order)
  if (plain) unname(dataset$tensors)
}

tensor_rows_body <- function() body(tensor_dataset(torch_zeros(1))$.getbatch)

# One epoch: losses of the steps, and whether the callback ended the training.
train_epoch <- function(trainer, loader, every, after_steps, scheduler) {
  tensors <- if (!trainer$closure) resident_tensors(loader)
  if (is.null(tensors)) return(train_batches(trainer, loader, every, after_steps, scheduler))
  train_rows(trainer, loader, check_batch(trainer, tensors), every, after_steps, scheduler)
}

train_batches <- function(trainer, loader, every, after_steps, scheduler) {
  losses <- list()
  told <- 0L
  stopped <- FALSE
  n_steps <- length_or_na(loader)
  tell <- function() {
    if (is.null(after_steps) || told == length(losses)) return(FALSE)
    new <- vapply(losses[seq(told + 1L, length(losses))], as.numeric, 0)
    told <<- length(losses)
    isFALSE(after_steps(told, n_steps, new))
  }
  iterator <- as_iterator(loader)
  on.exit(close_iterator(iterator))
  while (!stopped && !is_exhausted(batch <- iterator())) {
    losses[[length(losses) + 1L]] <- train_step(trainer, batch_tensors(trainer, batch))
    if (!is.null(scheduler)) scheduler$step()
    if (length(losses) %% every == 0) stopped <- tell()
  }
  if (!stopped) stopped <- tell()
  list(losses = vapply(losses, as.numeric, 0), stopped = stopped)
}

batch_tensors <- function(trainer, batch) {
  if (is_torch_tensor(batch)) batch <- list(batch)
  if (is.list(batch)) return(check_batch(trainer, unname(batch)))
  type_error(sprintf("A batch of `data` must be a list of tensors, not %s.", friendly_type(batch)), trainer$call)
}

# Draws the order of the rows as the loader draws it. Compiled steps run in the shim, as many at once as possible
# until R has something to do.
train_rows <- function(trainer, loader, tensors, every, after_steps, scheduler) {
  draw_torch_seed()
  order <- torch_tensor(loader$batch_sampler$sampler$.order() - 1L, dtype = torch_long(), device = tensors[[1L]]$device)
  n <- order$numel()
  size <- loader$batch_sampler$batch_size
  n_steps <- if (loader$batch_sampler$drop_last) n %/% size else ceiling(n / size)
  losses <- numeric(n_steps)
  done <- 0
  told <- 0
  stopped <- FALSE
  most <- if (is.null(scheduler)) every else 1
  while (done < n_steps && !stopped) {
    rows <- min(size, n - done * size)
    whole <- if (rows < size) 1 else n %/% size - done
    wanted <- min(whole, if (is.finite(most)) most - done %% most else whole)
    new <- rows_steps(trainer, tensors, order, done * size, rows, wanted)
    losses[done + seq_along(new)] <- new
    done <- done + length(new)
    if (!is.null(scheduler)) scheduler$step()
    if (!is.null(after_steps) && (done %% every == 0 || done == n_steps)) {
      stopped <- isFALSE(after_steps(done, n_steps, losses[seq(told + 1, done)]))
      told <- done
    }
  }
  list(losses = losses[seq_len(done)], stopped = stopped)
}

# Makes up to `wanted` steps on batches of `rows` rows, of which the first begins behind `from`; gives their losses.
rows_steps <- function(trainer, tensors, order, from, rows, wanted) {
  key <- paste(rows, batch_key(trainer, list()))
  entry <- if (is.null(trainer$program)) trainer$sizes[[key]]
  numbers <- if (!is.null(entry) && entry$is_checked) numbers_of(trainer, entry)
  if (is.null(numbers)) {
    which <- order$narrow(1L, from + 1, rows) + 1L
    batch <- lapply(tensors, function(x) torch_index_select(x, 1L, which))
    loss <- as.numeric(train_step(trainer, batch))
    if (is.null(trainer$program)) trainer$sizes[[key]] <- entry_of(trainer, batch)
    return(loss)
  }
  losses <- numeric(wanted)
  done <- numeric(1)
  tapes <- list(entry$tape, trainer$update$tape)
  with_numbers(trainer, numbers, {
    .Call(C_train, tapes, tensors, rows, order, from, wanted, entry$params, numbers, losses, done)
  })
  losses
}

# The loss and the metrics of a model in evaluation mode. Each module gets its mode back afterwards.
evaluate_model <- function(trainer, loader, metrics) {
  model <- trainer$model
  modules <- unname(model$modules)
  modes <- lapply(modules, function(module) module$training)
  on.exit(Map(function(module, was) module$training <- was, modules, modes))
  model$eval()
  sums <- numeric(1L + length(metrics))
  rows <- 0
  iterator <- as_iterator(loader)
  on.exit(close_iterator(iterator), add = TRUE)
  while (!is_exhausted(batch <- iterator())) {
    batch <- batch_tensors(trainer, batch)
    n <- length(batch)
    size <- batch[[1L]]$shape[1L]
    values <- with_no_grad({
      if (is.null(trainer$loss)) {
        as.numeric(output_of(model, batch))
      } else {
        output <- output_of(model, batch[-n])
        vapply(c(trainer$loss, metrics), function(metric) as.numeric(metric(output, batch[[n]])), 0)
      }
    })
    sums <- sums + size * values
    rows <- rows + size
  }
  set_names(as.list(sums / rows), c("valid_loss", names(metrics)))
}
