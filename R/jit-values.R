# Values on their way to TorchScript and back that R has no type of its own for.

#' Mark values for TorchScript
#'
#' `jit_scalar()` makes a vector of length 1 a scalar (else it is a list of one element); `jit_tuple()` makes a list a
#' tuple, a named one a named tuple.
#'
#' @param x An atomic vector of length 1, or a list.
#' @return `x` with a class added.
#' @examples
#' jit_scalar(1L)
#' @export
jit_scalar <- function(x) {
  if (!is.atomic(x) || length(x) != 1) {
    runtime_error(sprintf("`x` must be scalar atomic (a vector of length 1), not %s.", friendly_type(x)))
  }
  class(x) <- c(class(x), "jit_scalar")
  x
}

#' @rdname jit_scalar
#' @export
jit_tuple <- function(x) {
  if (!is.list(x)) runtime_error(sprintf("`x` must be a list, not %s.", friendly_type(x)))
  class(x) <- c(class(x), "jit_tuple")
  x
}

# A TorchScript dict whose keys are no strings, and a member of a TorchScript enum.
new_torch_dict <- function(keys, values) structure(list(keys = keys, values = values), class = "torch_dict")
new_torch_enum <- function(parts) structure(list(class = parts[[1]], name = parts[[2]], value = parts[[3]]), class = "torch_enum")
