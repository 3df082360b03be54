# Forward-mode derivatives, and the derivatives of functions in either mode.

#' Forward-mode derivatives
#'
#' Within `with_forward_ad()`, or after `local_forward_ad()` until the calling function ends, a tensor can carry a
#' tangent: the derivative of its values along one direction. `forward_ad_make_dual()` gives a view of `tensor` that
#' carries `tangent`. Operators compute the tangents of their results from those of their arguments. So a single run
#' of a function gives its value and its derivative along that direction, however many results it has.
#' `forward_ad_unpack_dual()` takes value and tangent apart. At the end all tangents are gone. [with_no_grad()] has no
#' effect on tangents.
#'
#' @param code Code to run.
#' @param .env The frame at whose end the tangents go.
#' @param tensor A floating-point or complex tensor.
#' @param tangent A tensor of the shape and dtype of `tensor`.
#' @return `with_forward_ad()` the value of `code`, `forward_ad_make_dual()` a tensor, `forward_ad_unpack_dual()` a list of
#'   `primal`, a tensor without tangent, and `tangent`, a tensor or `NULL` if there is none.
#' @section Errors:
#' A `value_error` where one of these regions lies in another, where duals are made or unpacked outside of one, or where
#' `tangent` does not fit; a `runtime_error` of LibTorch for an operator that has no forward-mode derivative.
#' @section Source:
#' LibTorch's `ForwardADLevel`, `_make_dual` and `_unpack_dual`; in Python `torch.autograd.forward_ad`.
#' @seealso [autograd_jvp()], [autograd_grad()]
#' @examplesIf torch::torch_is_installed()
#' with_forward_ad({
#'   x <- forward_ad_make_dual(torch_tensor(c(1, 2)), torch_tensor(c(1, 0)))
#'   forward_ad_unpack_dual(x^3)$tangent
#' })
#' @export
with_forward_ad <- function(code) {
  enter_forward_ad(environment())
  force(code)
}

#' @rdname with_forward_ad
#' @export
local_forward_ad <- function(.env = parent.frame()) invisible(enter_forward_ad(.env))

enter_forward_ad <- function(env, call = caller_env()) {
  if (!is.null(the$forward_level)) value_error("Regions of forward-mode derivatives can't lie in one another.", call)
  level <- cpp_forward_level(NULL)
  the$forward_level <- level
  withr::defer({
    the$forward_level <- NULL
    cpp_forward_level(level)
  }, envir = env)
}

#' @rdname with_forward_ad
#' @export
forward_ad_make_dual <- function(tensor, tangent) make_dual(tensor, tangent, "tensor", "tangent")

make_dual <- function(tensor, tangent, arg, tangent_arg, call = caller_env()) {
  check_tensor(tensor, arg, call)
  check_tensor(tangent, tangent_arg, call)
  if (!tensor$is_floating_point() && !tensor$is_complex()) {
    value_error(sprintf("`%s` must be floating-point or complex, not of dtype %s.", arg, format(tensor$dtype)), call)
  }
  if (tangent$dtype != tensor$dtype || !identical(dim(tangent), dim(tensor))) {
    value_error(sprintf(
      "`%s` must be as `%s`, of dtype %s and shape (%s), not of dtype %s and shape (%s).", tangent_arg, arg,
      format(tensor$dtype), toString(dim(tensor)), format(tangent$dtype), toString(dim(tangent))
    ), call)
  }
  torch__make_dual(tensor, tangent, forward_level(call))
}

#' @rdname with_forward_ad
#' @export
forward_ad_unpack_dual <- function(tensor) {
  check_tensor(tensor, "tensor")
  parts <- torch__unpack_dual(tensor, forward_level())
  list(primal = parts[[1]], tangent = if (!is_undefined_tensor(parts[[2]])) parts[[2]])
}

forward_level <- function(call = caller_env()) {
  if (is.null(the$forward_level)) value_error("A dual tensor needs a region: use `with_forward_ad()`.", call)
  the$forward_level
}

#' Derivatives of functions
#'
#' The functions compute derivatives of an R function of tensors. `autograd_jvp()` uses forward mode and gives the
#' derivative along `v`, that is the Jacobian times `v`. `autograd_vjp()` uses reverse mode and gives `v` times the
#' Jacobian. `autograd_jacobian()` gives the whole Jacobian. `autograd_hessian()` gives the second derivatives of a
#' function with a single number as its result, and `autograd_hvp()` gives these times `v`.
#'
#' `autograd_jacobian()` runs backwards once for each element of the result. If products with the Jacobian are all that you
#' need, `autograd_jvp()` and `autograd_vjp()` compute each of them in a single run.
#'
#' @param func A function of as many tensors as `inputs` has. It returns a tensor; for `autograd_jvp()` and
#'   `autograd_vjp()` it may return a list of tensors.
#' @param inputs A floating-point tensor or a list of such.
#' @param v A tensor or a list of tensors. For `autograd_jvp()` and `autograd_hvp()` they have the shapes of `inputs`,
#'   for `autograd_vjp()` those of the results; there `NULL` means 1.
#' @param create_graph Whether the derivatives are themselves recorded.
#' @return `autograd_jvp()`, `autograd_vjp()` and `autograd_hvp()`: a list of two, the value of `func` and the
#'   product. The product is a list if `inputs` is one (for `autograd_jvp()`: if the result is one).
#'   `autograd_jacobian()`: a tensor whose shape is that of the result followed by that of the input; for a list of
#'   inputs a list of such tensors. `autograd_hessian()`: a tensor whose shape is that of the input, twice; for a list
#'   of inputs a list of lists.
#' @section Errors:
#' A `type_error` for what is no function or no tensor, a `value_error` where `v` does not fit, and LibTorch's errors where an
#' operator has no such derivative.
#' @section Source:
#' In Python `torch.autograd.functional`.
#' @seealso [with_forward_ad()], [autograd_grad()]
#' @examplesIf torch::torch_is_installed()
#' x <- torch_tensor(c(1, 2, 3))
#' autograd_jvp(function(x) x^2, x, torch_tensor(c(1, 0, 0)))
#' autograd_jacobian(function(x) x^2, x)
#' autograd_hessian(function(x) torch_sum(x^3), x)
#' @export
autograd_jvp <- function(func, inputs, v) {
  given <- function_inputs(func, inputs)
  if (is_torch_tensor(v)) v <- list(v)
  if (length(v) != length(given)) {
    value_error(sprintf("`v` must have as many tensors as `inputs`, %d, not %d.", length(given), length(v)))
  }
  enter_forward_ad(environment())
  call <- environment()
  out <- call_function(func, Map(function(x, d) make_dual(x, d, "inputs", "v", call), given, v))
  parts <- lapply(if (is_torch_tensor(out)) list(out) else out, forward_ad_unpack_dual)
  tangents <- lapply(parts, function(part) if (is.null(part$tangent)) torch_zeros_like(part$primal) else part$tangent)
  primals <- lapply(parts, `[[`, "primal")
  if (is_torch_tensor(out)) list(primals[[1]], tangents[[1]]) else list(primals, tangents)
}

#' @rdname autograd_jvp
#' @export
autograd_vjp <- function(func, inputs, v = NULL, create_graph = FALSE) {
  leaves <- function_leaves(func, inputs, create_graph)
  out <- call_function(func, leaves)
  gradients <- leaf_gradients(out, leaves, v, create_graph)
  list(if (create_graph) out else detach_all(out), if (is_torch_tensor(inputs)) gradients[[1]] else gradients)
}

#' @rdname autograd_jvp
#' @export
autograd_hvp <- function(func, inputs, v) {
  leaves <- function_leaves(func, inputs, FALSE)
  out <- call_function(func, leaves)
  product <- leaf_gradients(leaf_gradients(out, leaves, NULL, TRUE), leaves, v, FALSE)
  list(detach_all(out), if (is_torch_tensor(inputs)) product[[1]] else product)
}

#' @rdname autograd_jvp
#' @export
autograd_jacobian <- function(func, inputs, create_graph = FALSE) {
  leaves <- function_leaves(func, inputs, create_graph)
  out <- call_function(func, leaves)
  if (!is_torch_tensor(out)) type_error(sprintf("`func` must give a tensor, not %s.", friendly_type(out)))
  elements <- if (out$numel() == 0) list() else torch_unbind(out$reshape(-1))
  rows <- lapply(elements, leaf_gradients, leaves, NULL, create_graph, retain_graph = TRUE)
  jacobians <- lapply(seq_along(leaves), function(i) {
    shape <- c(dim(out), dim(leaves[[i]]))
    if (!length(rows)) return(torch_zeros(shape, dtype = out$dtype, device = out$device))
    torch_stack(lapply(rows, `[[`, i))$reshape(shape)
  })
  if (is_torch_tensor(inputs)) jacobians[[1]] else jacobians
}

#' @rdname autograd_jvp
#' @export
autograd_hessian <- function(func, inputs, create_graph = FALSE) {
  part <- function(i) function(...) leaf_gradients(func(...), list(...), NULL, TRUE)[[i]]
  if (is_torch_tensor(inputs)) return(autograd_jacobian(part(1), inputs, create_graph))
  lapply(seq_along(inputs), function(i) autograd_jacobian(part(i), inputs, create_graph))
}

function_inputs <- function(func, inputs, call = caller_env()) {
  if (!is.function(func)) type_error(sprintf("`func` must be a function, not %s.", friendly_type(func)), call)
  if (is_torch_tensor(inputs)) return(list(inputs))
  if (!is.list(inputs)) type_error(sprintf("`inputs` must be a tensor or a list of tensors, not %s.", friendly_type(inputs)), call)
  for (i in seq_along(inputs)) check_tensor(inputs[[i]], sprintf("inputs[[%d]]", i), call)
  inputs
}

call_function <- function(func, inputs, call = caller_env()) {
  out <- with_enable_grad(do.call(func, unname(inputs)))
  for (x in if (is_torch_tensor(out)) list(out) else out) {
    if (!is_torch_tensor(x)) type_error(sprintf("`func` must give a tensor or a list of tensors, not %s.", friendly_type(x)), call)
  }
  out
}

# The tensors at which a new graph begins: views of the inputs if these are part of a graph that is to go on
# (`keep_graph`), and else tensors of their own on the same memory.
function_leaves <- function(func, inputs, keep_graph, call = caller_env()) {
  lapply(function_inputs(func, inputs, call), function(x) {
    if (keep_graph && x$requires_grad) x$view_as(x) else x$detach()$requires_grad_(TRUE)
  })
}

# The gradients of `outputs` by `leaves`. An input on which no output depends has a gradient of zeros.
leaf_gradients <- function(outputs, leaves, v, create_graph, retain_graph = create_graph) {
  if (is_torch_tensor(outputs)) outputs <- list(outputs)
  records <- vapply(outputs, function(x) x$requires_grad, NA)
  if (is_torch_tensor(v)) v <- list(v)
  gradients <- if (any(records)) {
    autograd_grad(outputs[records], leaves, v[records], retain_graph, create_graph, allow_unused = TRUE)
  }
  lapply(seq_along(leaves), function(i) {
    none <- is.null(gradients) || is_undefined_tensor(gradients[[i]])
    if (none) torch_zeros_like(leaves[[i]]$detach()) else gradients[[i]]
  })
}

detach_all <- function(x) if (is_torch_tensor(x)) x$detach() else lapply(x, detach_all)
