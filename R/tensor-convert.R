# Tensors as R values.

#' Tensors as R arrays
#'
#' 0-d and 1-d tensors give a vector, others an array with the same subscripts. Floating dtypes become double, int32
#' and smaller integer, bool logical, uint8 raw, complex complex. int64 becomes integer if every value fits, otherwise
#' double, or `integer64` if a value is beyond 2^53. No number becomes NA: if a value is -2^31, which is R's NA, int32
#' gives doubles. An int64 of -2^63, which is the NA of `integer64`, gives doubles if these hold all values.
#' `as.matrix()`, `as.vector()` and `as.numeric()`, with which base R computes, give doubles in place of `integer64`
#' and warn of lost digits. Quantized tensors give the numbers that they stand for. A tensor on a GPU is copied from
#' there. `requires_grad` does not matter.
#'
#' @param x A tensor, or anything that `as.array()` takes.
#' @return A vector or an array.
#' @examplesIf torch::torch_is_installed()
#' as_array(torch_tensor(matrix(1:6, 2)))
#' @export
as_array <- function(x) UseMethod("as_array")
#' @export
as_array.default <- function(x) as.array(x)
#' @export
as_array.torch_tensor <- function(x) .Call(C_to_r, x)
#' @export
as.array.torch_tensor <- function(x, ...) .Call(C_to_r, x)
quantized_array <- function(x) as_array(torch_dequantize(x))
# Makes an array that base R can compute with. Base R takes the bytes of an integer64 for those of a double. bit64
# warns if digits are lost.
as_plain_array <- function(x) {
  value <- .Call(C_to_r, x)
  if (!inherits(value, "integer64")) return(value)
  plain <- as.double(value)
  dim(plain) <- dim(value)
  plain
}

#' @export
as.vector.torch_tensor <- function(x, mode = "any") {
  if (mode == "list") return(as.list.torch_tensor(x))
  as.vector(as_plain_array(x), mode)
}
#' @export
as.list.torch_tensor <- function(x, ...) {
  value <- .Call(C_to_r, x)
  if (inherits(value, "integer64")) lapply(seq_along(value), function(i) value[[i]]) else as.list(value)
}
#' @export
as.matrix.torch_tensor <- function(x, ...) as.matrix(as_plain_array(x))
#' @export
as.double.torch_tensor <- function(x, ...) as.double(.Call(C_to_r, x))
#' @export
as.integer.torch_tensor <- function(x, ...) as.integer(.Call(C_to_r, x))
#' @export
as.logical.torch_tensor <- function(x, ...) as.logical(.Call(C_to_r, x))
#' @export
as.complex.torch_tensor <- function(x, ...) as.complex(as_plain_array(x))
#' @export
as.character.torch_tensor <- function(x, ...) as.character(.Call(C_to_r, x))
#' @export
as.raw.torch_tensor <- function(x) as.raw(as_plain_array(x))
#' @export
as.data.frame.torch_tensor <- function(x, ...) {
  value <- .Call(C_to_r, x)
  if (length(dim(value)) != 2) dim(value) <- c(length(value), 1L)
  as.data.frame(value, ...)
}
#' @export
xtfrm.torch_tensor <- function(x) {
  value <- .Call(C_to_r, x)
  if (!inherits(value, "integer64")) return(xtfrm(as.vector(value)))
  # Different numbers of these dtypes may become equal doubles.
  sorted <- torch_sort(torch_flatten(x))
  ranks <- torch_unique_consecutive(sorted[[1]], return_inverse = TRUE)[[2]]
  as.double(torch_empty_like(ranks)$scatter(1, sorted[[2]], ranks))
}
#' @export
summary.torch_tensor <- function(object, ...) summary(as.vector(as_plain_array(object)), ...)
#' @exportS3Method bit64::as.integer64
as.integer64.torch_tensor <- function(x, keep.names = FALSE, ...) cpp_tensor_to_integer64(x)
