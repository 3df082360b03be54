# Compiled training: steps that run in the shim, without R. What the R code of a step does with tensors is recorded once
# for each form of batch, with the gradients. What the optimizer does is recorded once. Both recordings are tapes, which
# run one after the other.
#
# A tape does what R would do, as long as R does the same with other values. So a recording that reads values is refused,
# and the first further batch is computed both ways.

# What a training needs. `tapes` holds the tapes by the form of the batch. `update` is the tape of the optimizer, NULL
# until there is one. `program` is called instead of a model whose course depends on values. `call` is the frame of the
# user's call that runs.
new_trainer <- function(model, loss, optimizer, clip_norm, clip_value, call = caller_env()) {
  if (!is_nn_module(model) || inherits(model, "nn_module_generator")) {
    is <- if (inherits(model, "nn_module_generator")) "a class of modules: call it, as in `nn_relu()`" else friendly_type(model)
    type_error(sprintf("`model` must be an initialized nn_module, not %s.", is), call)
  }
  if (!is.null(loss) && !is.function(loss)) {
    type_error(sprintf("`loss` must be a function of output and target, or NULL, not %s.", friendly_type(loss)), call)
  }
  if (!is_optimizer(optimizer)) {
    type_error(sprintf("`optimizer` must be an optimizer, not %s.", friendly_type(optimizer)), call)
  }
  for (name in c("clip_norm", "clip_value")) {
    value <- get(name)
    if (!is.null(value) && !(is_number(value) && value > 0)) {
      value_error(sprintf("`%s` must be a positive number or NULL, not %s.", name, friendly_type(value)), call)
    }
  }
  load_torch()
  list2env(list(
    model = model, selves = selves_of(model), loss = loss, optimizer = optimizer, clip_norm = clip_norm, clip_value = clip_value, program = NULL,
    tapes = new_environment(), sizes = new_environment(), update = NULL, closure = needs_closure(optimizer), call = call
  ), parent = emptyenv())
}

selves_of <- function(model) compact(lapply(unname(model$modules), attr, "module", exact = TRUE))

# Such an optimizer calls for the loss itself, as often as it likes.
needs_closure <- function(optimizer) {
  closure <- formals(optimizer$step)["closure"]
  "closure" %in% names(formals(optimizer$step)) && is_missing(closure[[1L]])
}

params_of <- function(optimizer) unlist(lapply(optimizer$param_groups, `[[`, "params"), recursive = FALSE)

# --- the gradients of a batch ----------------------------------------------------------------------------------------

batch_loss <- function(trainer, batch) {
  model <- trainer$program %||% trainer$model
  if (!is.null(trainer$program)) on.exit(take_buffers(trainer$model, trainer$program))
  loss <- trainer$loss
  value <- if (is.null(loss)) {
    output_of(model, batch)
  } else {
    target <- batch[[length(batch)]]
    output <- output_of(model, batch[-length(batch)])
    loss(output, target)
  }
  if (!is_torch_tensor(value) || value$numel() != 1) {
    is <- friendly_type(value)
    if (is_torch_tensor(value)) is <- sprintf("a tensor of shape (%s)", toString(value$shape))
    value_error(sprintf("`loss` must give a tensor with one element, not %s.", is), trainer$call)
  }
  value
}

# A program that puts a tensor in the place of a buffer does so in its own module only.
take_buffers <- function(model, program) {
  own <- model$buffers
  made <- if (length(own)) program$buffers
  for (name in intersect(names(own), names(made))) {
    if (tensor_address(own[[name]]) == tensor_address(made[[name]])) next
    with_no_grad(own[[name]]$copy_(made[[name]]))
    cpp_module_refer(script_handle(program), name, own[[name]])
  }
}

# Errors show the arguments as `batch[[1]]`, not their values.
output_of <- function(model, batch) {
  if (length(batch) == 1L) return(model(batch[[1L]]))
  eval(as.call(c(quote(model), lapply(seq_along(batch), function(i) call("[[", quote(batch), i)))))
}

check_batch <- function(trainer, batch) {
  for (i in seq_along(batch)) {
    if (!is_torch_tensor(batch[[i]])) {
      type_error(sprintf("A batch must be made of tensors, and element %d is %s.", i, friendly_type(batch[[i]])), trainer$call)
    }
  }
  n_targets <- if (is.null(trainer$loss)) 0L else 1L
  takes <- formals(trainer$model)
  if (length(batch) - n_targets > length(takes) && !"..." %in% names(takes)) {
    value_error(sprintf(
      "The model takes %s, and the batch has %d%s.", count_of(length(takes), "input", "inputs"), length(batch) - n_targets,
      if (n_targets) " before its target" else ""
    ), trainer$call)
  }
  if (length(batch) > n_targets) return(batch)
  value_error(sprintf(
    "A batch must hold the inputs of the model%s, not %s.", if (is.null(trainer$loss)) "" else " and the target of `loss`",
    if (length(batch)) "one tensor only" else "nothing"
  ), trainer$call)
}

# The tensors of a step go by their positions. A name must not say another one.
check_batch_names <- function(trainer, names) {
  inputs <- setdiff(names(formals(trainer$model)), "...")
  there <- match(names, inputs)
  # The last one is the target, which may have the name of an argument that the model is not given.
  last <- length(there)
  if (!is.null(trainer$loss) && !isTRUE(there[last] < last)) there[last] <- NA
  wrong <- which(!is.na(there) & there != seq_along(there))
  if (!length(wrong)) return(invisible())
  value_error(sprintf(
    "The inputs of the model and then the target go by their positions: `%s` is input %d of the model, and stands at position %d.",
    names[wrong[1]], there[wrong[1]], wrong[1]
  ), trainer$call)
}

# Computes the gradients in R. Those of the batch replace the gradients that the parameters had.
gradients_in_R <- function(trainer, batch) {
  params <- params_of(trainer$optimizer)
  value <- with_enable_grad(batch_loss(trainer, batch))
  if (!value$requires_grad) value_error("The loss depends on no tensor that requires a gradient.", trainer$call)
  is_wanted <- vapply(params, function(param) param$requires_grad, NA)
  wanted <- params[is_wanted]
  # As in a loop: what was frozen keeps a gradient, of zeros.
  tensors_zero_grad(params[!is_wanted])
  cpp_gradients_anew(value, wanted)
  if (!is.null(trainer$clip_norm)) nn_utils_clip_grad_norm_(wanted, trainer$clip_norm)
  if (!is.null(trainer$clip_value)) nn_utils_clip_grad_value_(wanted, trainer$clip_value)
  value
}

tensors_of_trainer <- function(trainer) {
  tensors <- c(params_of(trainer$optimizer), trainer$model$parameters, trainer$model$buffers)
  tensors[!duplicated(addresses(tensors))]
}

# The tape of batches like this one, an environment of `tape`, `params`, `is_checked` and `uses`. It is a string if
# there can be none, which says why.
gradient_tape <- function(trainer, batch) {
  restore <- keep_training(trainer, batch)
  on.exit(restore())
  params <- params_of(trainer$optimizer)
  before <- tensors_in(trainer$model)
  value <- NULL
  has_grad <- NULL
  seed <- globalenv()$.Random.seed
  tape <- record_tape(batch, new_numbers(), value <- gradients_in_R(trainer, batch), function() {
    if (!identical(globalenv()$.Random.seed, seed)) return("it draws random numbers of R, which would be the same in each step")
    grads <- grads_of(params)
    has_grad <<- !vapply(grads, is.null, NA)
    # Tensors that the model put in the place of others.
    kept <- replaced_tensors(before, tensors_in(trainer$model))
    if (is_string(kept)) return(sub("it keeps", "the model keeps", kept))
    list(
      results = c(list(value), grads[has_grad], lapply(kept, `[[`, "new")),
      targets = c(vector("list", 1L + sum(has_grad)), lapply(kept, `[[`, "old"))
    )
  })
  if (is_string(tape)) return(tape)
  if (!any(has_grad)) {
    value_error("The loss depends on no parameter of `optimizer`: it must have been made of those of `model`.", trainer$call)
  }
  entry <- new_environment(list(tape = tape, params = params[has_grad], is_checked = FALSE, uses = 0L))
  after <- outcome(trainer, value)
  restore()
  wrong <- compare_run(trainer, entry, batch, after)
  if (is.null(wrong)) entry else sprintf("what was recorded gives another %s", wrong)
}

# A function that puts everything back that a batch changes.
keep_training <- function(trainer, batch) {
  of_model <- keep_module(trainer$model)
  others <- keep_state(c(params_of(trainer$optimizer), batch))
  function() {
    of_model()
    others()
  }
}

# All tensors in the fields of a model and of the modules in it.
tensors_in <- function(model) {
  unname(unlist(lapply(selves_of(model), own_members, "torch_tensor"), recursive = FALSE))
}

# What a batch leaves behind: loss, gradients, parameters, buffers and random numbers.
outcome <- function(trainer, value) {
  # The batch is computed here, and may put other tensors into the model.
  force(value)
  tensors <- tensors_of_trainer(trainer)
  list(
    loss = value$detach()$clone(), gradients = lapply(grads_of(params_of(trainer$optimizer)), copy_value),
    `values of the module` = lapply(tensors, function(x) x$detach()$clone()), `random state` = torch_get_rng_state()
  )
}

# Names the result that differs between the tape and R; NULL if all are the same.
compare_run <- function(trainer, entry, batch, expected) {
  loss <- train_tape(list(entry$tape, NULL), batch, entry$params, numeric())
  got <- outcome(trainer, loss)
  same <- vapply(names(expected), function(name) same_result(got[[name]], expected[[name]]), NA)
  if (!all(same)) names(expected)[!same][[1L]]
}

same_result <- function(a, b) {
  if (is.list(a)) return(all(mapply(same_result, a, b)))
  if (is.null(a) || is.null(b)) is.null(a) && is.null(b) else same_value(a, b, 1e-5)
}

# Runs the tapes on one whole batch.
train_tape <- function(tapes, batch, params, numbers) {
  .Call(C_train, tapes, batch, 0, NULL, 0, 1, params, numbers, NULL, numeric(1))
}

# --- the optimizer ---------------------------------------------------------------------------------------------------

# The places where an optimizer keeps what changes, each list(env, name) or list(env, key, name).
state_places <- function(optimizer) {
  self <- optimizer
  private <- self$.__enclos_env__$private
  if (!is.null(private$.rule)) {
    parts <- unlist(lapply(optimizer$state$plans, `[[`, "parts"), recursive = FALSE)
    return(unlist(lapply(parts, function(part) {
      c(places_in(part$state), places_in(part$counts))
    }), recursive = FALSE))
  }
  map <- optimizer$state$settled()
  of_params <- lapply(ls(map), function(key) {
    if (!is.list(map[[key]])) return(list(list(env = map, name = key)))
    lapply(seq_along(map[[key]]), function(i) list(env = map, key = key, name = i))
  })
  fields <- setdiff(ls(self), c("param_groups", "defaults", "state"))
  fields <- Filter(function(name) !is.function(self[[name]]), fields)
  own <- if (is.environment(private)) Filter(function(place) !is.function(place_value(place)), places_in(private))
  c(unlist(of_params, recursive = FALSE), lapply(fields, function(name) list(env = self, name = name)), own)
}

places_in <- function(env) lapply(ls(env), function(name) list(env = env, name = name))

place_value <- function(place) {
  value <- place$env[[place$key %||% place$name]]
  if (is.null(place$key)) value else value[[place$name]]
}

set_place <- function(place, value) {
  if (is.null(place$key)) {
    assign(place$name, value, envir = place$env)
  } else {
    place$env[[place$key]][[place$name]] <- value
  }
}

is_plain_number <- function(x) is.numeric(x) && length(x) == 1L && !is_recorded(x)

# The step of the optimizer as a tape, which uses the gradients that the parameters have: list(tape, places, ...). It
# is a string if there is none, which says why.
update_tape <- function(trainer) {
  optimizer <- trainer$optimizer
  params <- params_of(optimizer)
  has_grad <- !vapply(grads_of(params), is.null, NA)
  grads <- grads_of(params)[has_grad]
  places <- state_places(optimizer)
  restore <- keep_state(tensors_of_trainer(trainer))
  on.exit(restore())
  tapes <- list()
  for (by in c(0.3171828, 0.6139471)) {
    tape <- tryCatch(recorded_update(optimizer, grads, places, by), error = conditionMessage)
    if (is_string(tape)) return(tape)
    tapes <- c(tapes, list(tape))
  }
  difference <- cpp_tape_difference(tapes[[1L]], tapes[[2L]])
  if (nzchar(difference)) return(paste(difference, "from step to step in a way that can't be followed"))
  is_count <- vapply(places, function(place) is_plain_number(place_value(place)), NA)
  tensors <- places[!is_count]
  list(
    tape = tapes[[1L]], places = places[is_count], tensors = tensors, values = lapply(tensors, place_value),
    groups = optimizer$param_groups, settings = settings_of(optimizer$param_groups), memory = memory_of(optimizer),
    params = addresses(params[has_grad])
  )
}

# This differs as soon as the optimizer has begun anew.
memory_of <- function(optimizer) if (is_rule_optimizer(optimizer)) optimizer$state$plans else optimizer$state$keys()

is_rule_optimizer <- function(optimizer) !is.null(optimizer$.__enclos_env__$private$.rule)

settings_of <- function(groups) lapply(groups, function(group) group[!names(group) %in% c("lr", "params")])

# The recording uses numbers that are `by` off, so that it can recognise them.
recorded_update <- function(optimizer, grads, places, by) {
  numbers <- new_numbers()
  groups <- optimizer$param_groups
  before <- lapply(places, place_value)
  states <- optimizer$state
  plans <- states$plans
  on.exit({
    optimizer$param_groups <- groups
    Map(set_place, places, before)
    states$plans <- plans
  })
  probe <- function(x, by) {
    the$numbers <- numbers
    on.exit(the$numbers <- NULL)
    record_number("given", x + by)
  }
  is_count <- vapply(before, is_plain_number, NA)
  for (i in seq_along(groups)) {
    lr <- as.numeric(groups[[i]]$lr)
    optimizer$param_groups[[i]]$lr <- probe(lr, (if (lr == 0) 1e-3 else abs(lr) * 1e-2) * (by + i * 0.00137))
  }
  # No two of these numbers are equal.
  given <- Map(probe, before[is_count], by + seq_len(sum(is_count)) * 0.00137)
  Map(set_place, places[is_count], given)
  n_known <- length(state_places(optimizer))
  record_tape(grads, numbers, optimizer$step(), function() {
    if (length(numbers$open)) return("it compares numbers that change from step to step")
    if (length(state_places(optimizer)) != n_known) return("it keeps something new")
    after <- lapply(places, place_value)
    if (!all(vapply(after[is_count], is_recorded, NA))) {
      return("a number that it keeps changes in a way that can't be followed")
    }
    kept <- replaced_tensors(before[!is_count], after[!is_count])
    if (is_string(kept)) return(kept)
    list(
      results = lapply(kept, `[[`, "new"), targets = lapply(kept, `[[`, "old"),
      following = c(rep(0L, length(groups)), vapply(after[is_count], attr, 1L, "place"))
    )
  }, undo = TRUE)
}

# Pairs of an old tensor and the new one in its place. It is a string if anything else has changed, which says what.
replaced_tensors <- function(old, new) {
  if (is_bare_list(old) && is_bare_list(new) && length(old) == length(new)) {
    parts <- unname(Map(replaced_tensors, old, new))
    wrong <- Filter(is_string, parts)
    return(if (length(wrong)) wrong[[1L]] else unlist(parts, recursive = FALSE))
  }
  if (is_torch_tensor(old) && is_torch_tensor(new)) {
    if (tensor_address(old) == tensor_address(new)) return(list())
    if (!identical(old$shape, new$shape)) return("a tensor that it keeps changes its shape")
    return(list(list(old = old, new = new)))
  }
  if (identical(old, new)) list() else "something that it keeps changes"
}

# The numbers that the tape gets now. It is NULL if the optimizer has changed since it was recorded.
update_numbers <- function(trainer) {
  update <- trainer$update
  optimizer <- trainer$optimizer
  groups <- optimizer$param_groups
  if (!identical(groups, update$groups)) {
    if (length(groups) != length(update$groups) || !identical(settings_of(groups), update$settings)) return(NULL)
    update$groups <- groups
    trainer$update <- update
  }
  if (!identical(memory_of(optimizer), update$memory)) return(NULL)
  # A step in R may have replaced these tensors.
  if (!identical(lapply(update$tensors, place_value), update$values)) return(NULL)
  counts <- vapply(update$places, function(place) as.numeric(place_value(place)), 0)
  c(vapply(groups, function(group) as.numeric(group$lr), 0), counts)
}

put_numbers <- function(trainer, numbers) {
  update <- trainer$update
  n <- length(update$groups)
  for (i in seq_along(update$places)) {
    place <- update$places[[i]]
    value <- numbers[[n + i]]
    set_place(place, if (is.integer(place_value(place))) as.integer(value) else value)
  }
}

# Runs code that writes into `numbers` and then puts them into the optimizer, even if an interrupt ends the code. An
# interrupt that came while a tape ran may still wait when the tape has ended. It is held off here until the numbers
# are in their places.
with_numbers <- function(trainer, numbers, code) {
  suspendInterrupts(tryCatch(allowInterrupts(code), finally = put_numbers(trainer, numbers)))
}

# --- steps -----------------------------------------------------------------------------------------------------------

# Makes one step on a batch and gives the loss.
train_step <- function(trainer, batch) {
  if (trainer$closure) return(closure_step(trainer, batch))
  entry <- entry_of(trainer, batch)
  numbers <- if (!is.null(entry) && entry$is_checked) numbers_of(trainer, entry)
  if (!is.null(numbers)) {
    return(suspendInterrupts({
      value <- train_tape(list(entry$tape, trainer$update$tape), batch, entry$params, numbers)
      put_numbers(trainer, numbers)
      value
    }))
  }
  step_in_R(trainer, keep_module(trainer$model, trainer$model$buffers), function(own_step) {
    value <- batch_gradients(trainer, batch, entry)
    own_step(trainer$optimizer$step())
    value
  })
}

# Runs a step whose code is R's or a program's, and may never end. An interrupt ends it and calls `restore`, which
# undoes what it has changed. `step` is a function of `own_step()`, which evaluates the part that is made whole: there an
# interrupt waits.
step_in_R <- function(trainer, restore, step) {
  force(restore)
  is_made <- FALSE
  own_step <- function(code) {
    suspendInterrupts({
      code
      is_made <<- TRUE
    })
  }
  withCallingHandlers(step(own_step), interrupt = function(i) if (!is_made) suspendInterrupts(restore()))
}

# The gradients of a batch, by its tape where there is one.
batch_gradients <- function(trainer, batch, entry = entry_of(trainer, batch)) {
  if (!is.null(entry) && !entry$is_checked && entry$uses > 0L) {
    check_entry(trainer, batch, entry)
    if (!is.null(trainer$program)) entry <- NULL
  }
  if (is.null(entry)) return(gradients_in_R(trainer, batch)$detach())
  entry$uses <- entry$uses + 1L
  train_tape(list(entry$tape, NULL), batch, entry$params, numeric())
}

batch_key <- function(trainer, batch) .Call(C_batch_key, batch, trainer$selves, trainer$optimizer$param_groups)

# The tape of such batches. It is NULL where the model runs as a program, because its course depends on values.
entry_of <- function(trainer, batch) {
  if (!is.null(trainer$program)) return(NULL)
  key <- batch_key(trainer, batch)
  entry <- trainer$tapes[[key]]
  if (is.null(entry)) {
    entry <- gradient_tape(trainer, batch)
    if (is_string(entry)) {
      use_program(trainer, batch, entry)
      return(NULL)
    }
    trainer$tapes[[key]] <- entry
  }
  entry
}

use_program <- function(trainer, batch, why) {
  trainer$program <- tryCatch(
    do.call(jit_script, c(list(trainer$model), if (is.null(trainer$loss)) batch else batch[-length(batch)])),
    torch_error = function(e) {
      runtime_error(sprintf(
        "`model` can't be compiled. Recorded: %s. By `jit_script()`: %s", sub("[.]$", "", why), conditionMessage(e)
      ), trainer$call)
    }
  )
}

# Computes a batch both ways, and puts back what that changes.
check_entry <- function(trainer, batch, entry) {
  restore <- keep_training(trainer, batch)
  on.exit(restore())
  expected <- outcome(trainer, gradients_in_R(trainer, batch))
  restore()
  wrong <- compare_run(trainer, entry, batch, expected)
  if (!is.null(wrong)) return(use_program(trainer, batch, sprintf("with another batch R gives another %s", wrong)))
  entry$is_checked <- TRUE
}

# The numbers of the optimizer's tape, which is recorded if there is none yet. It is NULL if R must make the step.
numbers_of <- function(trainer, entry) {
  if (isFALSE(trainer$update)) return(NULL)
  numbers <- if (!is.null(trainer$update)) update_numbers(trainer)
  if (is.null(numbers)) {
    record_update(trainer, entry)
    if (!is.list(trainer$update)) return(NULL)
    numbers <- update_numbers(trainer)
  }
  if (identical(trainer$update$params, addresses(entry$params))) numbers
}

# The first step of an optimizer is made by R: before it, there is no state to record.
record_update <- function(trainer, entry) {
  optimizer <- trainer$optimizer
  params <- params_of(optimizer)
  has_grad <- !vapply(grads_of(params), is.null, NA)
  trainer$update <- NULL
  if (is_rule_optimizer(optimizer) && !length(optimizer$state$plans)) return()
  if (!any(has_grad) || !identical(addresses(params[has_grad]), addresses(entry$params))) return()
  update <- update_tape(trainer)
  if (is_string(update)) {
    inform(
      sprintf("The steps of this optimizer are made by R: %s.", sub("[.]$", "", update)),
      class = "torch_optimizer_not_compiled"
    )
    update <- FALSE
  }
  trainer$update <- update
}

# The optimizer moves the parameters before and between the calls of the closure, so they are put back too, and what it
# keeps of them.
closure_step <- function(trainer, batch) {
  of_training <- keep_training(trainer, batch)
  states <- trainer$optimizer$state$settled()
  before <- as.list(states, all.names = TRUE)
  restore <- function() {
    of_training()
    rm(list = setdiff(ls(states, all.names = TRUE), names(before)), envir = states)
    list2env(before, states)
  }
  step_in_R(trainer, restore, function(own_step) {
    trainer$optimizer$step(function() batch_gradients(trainer, batch))
  })
}

#' Training steps without R
#'
#' `jit_train_step()` makes a function of a model, a loss and an optimizer that makes one step of training on a batch:
#' output, loss, gradients, clipping and the optimizer's update, in one call without R code and without autograd.
#' `jit_train()` goes through epochs of data with it. Model, optimizer and random numbers are afterwards as if R had
#' run the loop `optimizer$zero_grad(); loss(model(x), y)$backward(); optimizer$step()`.
#'
#' # What is compiled
#'
#' The first batch of each form (shapes, dtypes, mode of the model) is computed by R, once more than needed, and
#' LibTorch's operators, those for the gradients included, are recorded as a flat list. Batches of the same form then
#' run that list. So any R code in the model and the loss works that does the same for other values. Code that does
#' not is found in two ways: it reads values of tensors (`as.logical(x > 0)`, `as.numeric(x)`) while it is recorded,
#' or the second batch comes out differently. Then the model is compiled by [jit_script()] instead, with gradients by
#' autograd; if that fails too, the error gives both reasons. Code that acts at some steps only, such as a counter of
#' its own in `forward`, is not noticed.
#'
#' One step of the optimizer is recorded, from its second step on; its numbers, such as learning rates and counts, are
#' followed. That holds for the package's optimizers and for those made by [optimizer()]. If a step can't be recorded,
#' R makes the steps, and a message says why. R also makes those of [optim_lbfgs()], whose closure is compiled.
#'
#' Between steps these changes are noticed: the modes of the model and of the modules in it, whether parameters require
#' gradients, learning rates, other hyperparameters, new groups and the state of the optimizer. Other changes of the model, such
#' as new layers, or another `p` of a dropout layer, need a new `jit_train_step()`. A model or a loss that draws random numbers of
#' R (`runif()`, ...) is not recorded; those of torch (`torch_rand()`, ...) are new in each step.
#'
#' @param model An initialised module; the optimizer has its parameters.
#' @param loss A function of the model's output and the last element of the batch that gives a tensor with one
#'   element; or `NULL`: the model itself gives the loss.
#' @param optimizer An optimizer, see [optimizer()].
#' @param clip_norm,clip_value Largest norm of all gradients ([nn_utils_clip_grad_norm_()]), largest size of each of
#'   their elements ([nn_utils_clip_grad_value_()]), or `NULL`.
#' @return `jit_train_step()`: a function `step(...)` of the tensors of a batch, the inputs of the model and then the
#'   target, that makes a step and gives the loss, a tensor without gradient.
#' @section Errors: A loss of more than one element is a `value_error`; a model that can't be compiled a
#' `runtime_error`.
#' @section Source: The operators are seen by a fallback of LibTorch's dispatcher, above autograd.
#' @seealso `vignette("training-compiled")`
#' @examplesIf torch::torch_is_installed()
#' model <- nn_sequential(nn_linear(3, 8), nn_relu(), nn_linear(8, 1))
#' step <- jit_train_step(model, nnf_mse_loss, optim_adam(model$parameters, lr = 0.01))
#' x <- torch_randn(64, 3)
#' y <- x$sum(2, keepdim = TRUE)
#' for (i in 1:50) loss <- step(x, y)
#' loss
#' @export
jit_train_step <- function(model, loss, optimizer, clip_norm = NULL, clip_value = NULL) {
  trainer <- new_trainer(model, loss, optimizer, clip_norm, clip_value)
  structure(function(...) {
    trainer$call <- environment()
    # The frame holds the batch.
    on.exit(trainer$call <- NULL)
    batch <- list(...)
    if (!is.null(names(batch))) check_batch_names(trainer, names(batch))
    train_step(trainer, check_batch(trainer, unname(batch)))
  }, class = "torch_train_step")
}

#' @export
print.torch_train_step <- function(x, ...) {
  trainer <- environment(x)$trainer
  cat(sprintf("<torch_train_step> of <%s> by <%s>\n", class(trainer$model)[[1L]], class(trainer$optimizer)[[1L]]))
  invisible(x)
}
