# Gradients.

#' Switch the recording of gradients
#'
#' `with_*()` for a piece of code, `local_*()` until the calling function ends; the mode before is restored after an
#' error too.
#'
#' @param code Code to run.
#' @param .env The frame at whose end the mode before is restored.
#' @param enabled Whether operations are recorded.
#' @return `with_*()` the value of `code`.
#' @examplesIf torch::torch_is_installed()
#' x <- torch_tensor(1, requires_grad = TRUE)
#' with_no_grad((x * 2)$requires_grad)
#' @export
with_no_grad <- function(code) {
  before <- .Call(C_grad_mode, FALSE)
  on.exit(.Call(C_grad_mode, before))
  force(code)
}

#' @rdname with_no_grad
#' @export
with_enable_grad <- function(code) {
  before <- .Call(C_grad_mode, TRUE)
  on.exit(.Call(C_grad_mode, before))
  force(code)
}

#' @rdname with_no_grad
#' @export
local_no_grad <- function(.env = parent.frame()) {
  before <- .Call(C_grad_mode, FALSE)
  withr::defer(.Call(C_grad_mode, before), envir = .env)
  invisible(before)
}

#' @rdname with_no_grad
#' @export
local_enable_grad <- function(.env = parent.frame()) {
  before <- .Call(C_grad_mode, TRUE)
  withr::defer(.Call(C_grad_mode, before), envir = .env)
  invisible(before)
}

#' @rdname with_no_grad
#' @export
autograd_set_grad_mode <- function(enabled) {
  if (!is_bool(enabled)) type_error(sprintf("`enabled` must be TRUE or FALSE, not %s.", friendly_type(enabled)))
  invisible(.Call(C_grad_mode, enabled))
}

#' Gradients
#'
#' `autograd_backward()` adds the gradients of `tensors` to the `$grad` of all leaves; `autograd_grad()` gives those of
#' `outputs` with respect to `inputs`. `x$backward()` is the first for one tensor.
#'
#' `h <- x$register_hook(f)` makes `f` be called with each gradient of `x`, and `h$remove()` ends that. If `f` returns
#' a tensor, visibly, that replaces the gradient. Any other value is ignored, and so is an invisible one, such as that
#' of an assignment. A hook runs on R's main thread and may compute gradients itself. Its errors are errors of
#' `backward()`. What it does is recorded if `create_graph` is `TRUE`. A hook of a leaf, with all that its environment
#' holds, lives until it is removed or the leaf is gone. A hook of an intermediate result lives as long as R has that
#' tensor or the graph is not used up. LibTorch before 2.0 does not call hooks of `inputs` in `autograd_grad()`.
#'
#' `x$grad_fn` is the node of the graph that made `x`, `NULL` for a leaf. It has the fields `$name` and
#' `$next_functions`, a list of the nodes to which its gradient goes.
#'
#' Source: LibTorch's `torch::autograd::backward` and `torch::autograd::grad`.
#'
#' @param tensors,outputs A tensor or a list of tensors; scalars unless gradients are given.
#' @param inputs A tensor or a list of tensors.
#' @param grad_tensors,grad_outputs Gradients of `tensors` or `outputs`, of their shapes; `NULL` means 1.
#' @param retain_graph Whether the graph is kept for another backward; `NULL` means as `create_graph` says.
#' @param create_graph Whether the gradients are themselves recorded.
#' @param allow_unused Whether inputs without influence are allowed; their gradient is an undefined tensor.
#' @return `autograd_grad()` a list with one tensor for each input; `autograd_backward()` nothing.
#' @examplesIf torch::torch_is_installed()
#' x <- torch_tensor(3, requires_grad = TRUE)
#' autograd_grad(x^2, x)
#' @export
autograd_backward <- function(tensors, grad_tensors = NULL, retain_graph = create_graph, create_graph = FALSE) {
  invisible(.Call(C_backward, tensors, grad_tensors, NULL, retain_graph, create_graph, c("tensors", "grad_tensors")))
}

#' @rdname autograd_backward
#' @export
autograd_grad <- function(outputs, inputs, grad_outputs = NULL, retain_graph = create_graph, create_graph = FALSE,
                          allow_unused = FALSE) {
  cpp_gradients(
    outputs, inputs, grad_outputs, retain_graph, create_graph, allow_unused, c("outputs", "grad_outputs")
  )
}

# Shortcuts that optimisers and modules use.
tensors_zero_grad <- function(params, set_to_none = FALSE) invisible(.Call(C_zero_grad, params, set_to_none))
tensor_address <- function(x) cpp_tensor_address(x)
