# Functions whose derivative is an R function of the user's.


#' Functions with a derivative of their own
#'
#' Makes a function whose gradient is computed by `backward` instead of being recorded operator by operator: for a
#' derivative that is cheaper or more exact than the recorded one, or for code that leaves torch on its way.
#'
#' `forward` runs unrecorded. Its first argument, the context, carries what `backward` needs:
#'
#' * `ctx$save_for_backward(...)` keeps tensors (and other R objects), named or not; `ctx$saved_variables` gives them back
#'   in that order, as a list. Keep inputs and outputs in no other way: a tensor in a field of `ctx` (`ctx$x <- x`) may
#'   never be freed.
#' * `ctx$needs_input_grad` is a named list that says of each argument whether it is a tensor whose gradient is wanted.
#' * `ctx$mark_dirty(...)` names inputs that `forward` changed in place; they must be among its results.
#' * `ctx$mark_non_differentiable(...)` names results without a derivative.
#' * `ctx$set_materialize_grads(FALSE)`: a result that nothing depends on has an undefined tensor as its gradient,
#'   not zeros.
#'
#' `backward` runs recorded where the gradient is itself to be differentiated (`create_graph = TRUE`): if it uses torch's
#' operators only, second derivatives need nothing more. It always runs on R's main thread.
#'
#' A trace ([jit_trace()]) records the operators of `forward`, not `backward`. A warning says so if a gradient is
#' wanted.
#'
#' Source: LibTorch's `torch::autograd::Node`, PyTorch's `torch.autograd.Function`.
#'
#' @param forward A function of the context and any arguments; gives a tensor or a list. What is no tensor in that list
#'   is passed on.
#' @param backward A function of the context and the gradients of the results, one argument each, or all in one list if
#'   it has a single one. Gives a list of the gradients of `forward`'s arguments, by their names; what is no tensor or
#'   needs no gradient may be missing or `NULL`. Where only one argument is a tensor its gradient alone will do.
#' @return A function with the arguments of `forward` but for the first.
#' @section Errors:
#' An error of `forward` or `backward` arrives as it is. A gradient for an argument that does not exist or is no tensor
#' is a `value_error`, one of another shape than the argument an error of LibTorch.
#' @examplesIf torch::torch_is_installed()
#' exponential <- autograd_function(
#'   forward = function(ctx, x) {
#'     y <- torch_exp(x)
#'     ctx$save_for_backward(y = y)
#'     y
#'   },
#'   backward = function(ctx, grad) {
#'     list(x = grad * ctx$saved_variables$y)
#'   }
#' )
#' x <- torch_tensor(c(0, 1), requires_grad = TRUE)
#' sum(exponential(x))$backward()
#' x$grad
#' @export
autograd_function <- function(forward, backward) {
  check_context_function(forward, "forward")
  check_context_function(backward, "backward")
  arguments <- formals(forward)[-1]
  given <- lapply(set_names(names(arguments)), as.name)
  names(given)[names(given) == "..."] <- ""
  # Defaults are looked up where `forward` was written.
  home <- new_environment(
    list(forward = forward, .backward = backward, .record = record_function),
    parent = environment(forward) %||% baseenv()
  )
  new_function(arguments, expr(.record(.backward, list(!!!given), function(ctx) forward(ctx, !!!given))), home)
}

check_context_function <- function(f, arg, call = caller_env()) {
  if (!is.function(f)) type_error(sprintf("`%s` must be a function, not %s.", arg, friendly_type(f)), call)
  if (is.primitive(f) || !length(formals(f))) {
    value_error(sprintf("`%s` must take the context as its first argument.", arg), call)
  }
}

# Runs `forward` and records its results with their derivative. `arguments` are what the user gave, and `run(ctx)` calls
# `forward` on them.
record_function <- function(backward, arguments, run, call = caller_env()) {
  # An argument without a name is known by its position.
  if (length(arguments) && !all(nzchar(names2(arguments)))) {
    names(arguments) <- ifelse(nzchar(names2(arguments)), names2(arguments), paste0("..", seq_along(arguments)))
  }
  inputs <- .Call(C_tensor_positions, arguments)
  needs <- .Call(C_needs_gradient, arguments)
  ctx <- new_autograd_context(needs)
  recording <- .Call(C_grad_mode, FALSE)
  on.exit(.Call(C_grad_mode, recording))
  results <- run(ctx)
  if (!recording || !any_true(needs)) return(results)
  if (cpp_is_tracing()) {
    warn_of_trace(
      look(user_place(sys.nframe())),
      "has a derivative of its own, which the program does not hold: its gradient is that of the recorded operations."
    )
  }
  if (!is_torch_tensor(results) && !is.list(results)) {
    type_error(sprintf("`forward` must give a tensor or a list, not %s.", friendly_type(results)), call)
  }
  shape <- NULL
  if (is.list(results) && any(vapply(results, is_plain_list, NA))) {
    shape <- results
    results <- tensors_within(results)
  }
  saved <- ctx$saved_variables
  kept_at <- .Call(C_tensor_positions, saved)
  kept <- saved[kept_at]
  saved[kept_at] <- list(NULL)
  marks <- take_marks(ctx)
  .Call(C_grad_mode, TRUE)
  out <- .Call(
    C_autograd_record, new_derivative(ctx, backward, saved, kept_at, names(arguments), inputs), marks[[1]],
    arguments[inputs], results, kept, marks[[2]], marks[[3]]
  )
  if (is.null(shape)) out else with_tensors(shape, out)
}

# Results may lie in lists within the list. LibTorch's node knows them one behind the other.
is_plain_list <- function(x) is.list(x) && !is.object(x)
tensors_within <- function(x) {
  if (is_torch_tensor(x)) list(x) else if (is_plain_list(x)) do.call(c, lapply(unname(x), tensors_within))
}
with_tensors <- function(shape, tensors) {
  fill <- function(x) {
    if (is_plain_list(x)) {
      x[] <- lapply(x, fill)
    } else if (is_torch_tensor(x)) {
      x <- tensors[[1]]
      tensors <<- tensors[-1]
    }
    x
  }
  fill(shape)
}

any_true <- function(flags) {
  for (flag in flags) if (flag) return(TRUE)
  FALSE
}

# The function that the node of the graph calls. It must hold no tensor of the graph: the two would keep each other alive
# for ever. LibTorch keeps the tensors that were saved, and hands them to this function.
new_derivative <- function(ctx, backward, saved, kept_at, names, inputs) {
  # An argument that is not evaluated would keep the frame that it came from, and the tensors there.
  list(ctx, backward, saved, kept_at, names, inputs)
  function(values) {
    n <- length(values) - length(kept_at)
    saved[kept_at] <- values[n + seq_along(kept_at)]
    ctx$saved_variables <- saved
    on.exit(ctx$saved_variables <- NULL)
    gradients_of_arguments(call_backward(backward, ctx, values[seq_len(n)]), names, inputs)
  }
}

call_backward <- function(backward, ctx, gradients) {
  takes_list <- length(formals(backward)) == 2 && names(formals(backward))[2] != "..."
  if (length(gradients) == 1) return(backward(ctx, gradients[[1]]))
  if (takes_list) return(backward(ctx, gradients))
  eval(call2("backward", quote(ctx), !!!lapply(seq_along(gradients), function(i) call2("[[", quote(gradients), i))))
}

# What `backward` gave, as a list of gradients in the order of those arguments that are tensors.
gradients_of_arguments <- function(given, names, inputs) {
  if (is_torch_tensor(given) && length(inputs) == 1) return(list(given))
  wanted <- names[inputs]
  if (is.list(given) && identical(names(given), wanted) && length(.Call(C_tensor_positions, given)) == length(wanted)) {
    names(given) <- NULL
    return(given)
  }
  expected <- sprintf("`backward` must give a list with a gradient for each of: %s", paste0("`", wanted, "`", collapse = ", "))
  if (!is.list(given)) type_error(sprintf("%s; it gave %s.", expected, friendly_type(given)), NULL)
  if (is.null(names(given)) && length(given) == length(names)) names(given) <- names
  if (length(given) && !is_named(given)) value_error(sprintf("%s; its elements must have these names.", expected), NULL)
  for (name in names(given)) {
    gradient <- given[[name]]
    if (is.null(gradient)) next
    if (!name %in% names) value_error(sprintf("%s; `%s` is none of them.", expected, name), NULL)
    # An argument that is no tensor has no gradient. One that is given all the same is left out.
    if (!name %in% wanted) next
    if (!is_torch_tensor(gradient)) {
      type_error(sprintf("The gradient of `%s` must be a tensor or NULL, not %s.", name, friendly_type(gradient)), NULL)
    }
  }
  lapply(wanted, function(name) given[[name]])
}

# The context is the frame of this function. Its methods assign in that frame what `forward` tells them.
new_autograd_context <- function(needs_input_grad) {
  # An argument that is not evaluated would keep the frame that it came from, and the tensors there.
  force(needs_input_grad)
  saved_variables <- .dirty <- .fixed <- list()
  .materialize <- TRUE
  save_for_backward <- function(...) {
    saved_variables <<- list(...)
    invisible()
  }
  mark_dirty <- function(...) {
    .dirty <<- check_tensors(...)
    invisible()
  }
  mark_non_differentiable <- function(...) {
    .fixed <<- check_tensors(...)
    invisible()
  }
  set_materialize_grads <- function(value) {
    if (!is_bool(value)) type_error(sprintf("`value` must be TRUE or FALSE, not %s.", friendly_type(value)))
    .materialize <<- value
    invisible()
  }
  .self <- environment()
  class(.self) <- "torch_autograd_context"
  .self
}

# Takes what `forward` told the context out of it, since the context must hold no tensor when the graph holds the context.
take_marks <- function(ctx) {
  marks <- list(ctx$.materialize, ctx$.dirty, ctx$.fixed)
  ctx$saved_variables <- ctx$.dirty <- ctx$.fixed <- NULL
  marks
}

check_tensors <- function(..., call = caller_env()) {
  all <- list(...)
  for (x in all) if (!is_torch_tensor(x)) type_error(sprintf("`...` must be tensors, not %s.", friendly_type(x)), call)
  all
}

#' @export
print.torch_autograd_context <- function(x, ...) {
  cat("<torch_autograd_context> with", paste(sort(ls(x)), collapse = ", "), "\n")
  invisible(x)
}
