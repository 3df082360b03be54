# Tensors as R values.

#' Tensors as R arrays
#'
#' 0-d and 1-d tensors give a vector, others an array with the same subscripts. Floating dtypes become double, int32 and
#' smaller integer, bool logical, uint8 raw, complex complex; int64 becomes integer where every value fits, else double,
#' and `integer64` where a value is past 2^53. No number becomes NA: with -2^31, R's NA, int32 gives doubles too, as int64
#' does with -2^63 where doubles hold all values. Quantized tensors give the numbers they stand for. Moves from the GPU and
#' ignores `requires_grad`.
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
#' @export
as.vector.torch_tensor <- function(x, mode = "any") as.vector(.Call(C_to_r, x), mode)
#' @export
as.matrix.torch_tensor <- function(x, ...) as.matrix(.Call(C_to_r, x))
#' @export
as.double.torch_tensor <- function(x, ...) as.double(.Call(C_to_r, x))
#' @export
as.integer.torch_tensor <- function(x, ...) as.integer(.Call(C_to_r, x))
#' @export
as.logical.torch_tensor <- function(x, ...) as.logical(.Call(C_to_r, x))
#' @export
as.complex.torch_tensor <- function(x, ...) as.complex(.Call(C_to_r, x))
#' @export
as.character.torch_tensor <- function(x, ...) as.character(.Call(C_to_r, x))
#' @export
as.raw.torch_tensor <- function(x) as.raw(.Call(C_to_r, x))
#' @export
as.data.frame.torch_tensor <- function(x, ...) as.data.frame(as.matrix.torch_tensor(x), ...)
#' @export
xtfrm.torch_tensor <- function(x) xtfrm(as.vector(.Call(C_to_r, x)))
#' @export
summary.torch_tensor <- function(object, ...) summary(as.vector(.Call(C_to_r, object)), ...)
#' @exportS3Method bit64::as.integer64
as.integer64.torch_tensor <- function(x, keep.names = FALSE, ...) cpp_tensor_to_integer64(x)
