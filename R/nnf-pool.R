# Pooling, and the way back.

#' Pooling
#'
#' Maximum, mean or norm over windows.
#'
#' * `nnf_max_pool*d()`, `nnf_avg_pool*d()`: the maximum and the mean.
#' * `nnf_lp_pool*d()`: \eqn{(\sum x^p)^{1/p}} with p the `norm_type`.
#' * `nnf_adaptive_*_pool*d()`: windows are chosen so that the result has the size `output_size`.
#' * `nnf_fractional_max_pool*d()`: the windows' places are random; the result has the size `output_size`, or `output_ratio`
#'   times that of the input.
#' * `nnf_max_unpool*d()`: the way back from `nnf_max_pool*d(return_indices = TRUE)`: the maxima at their places, zeros
#'   elsewhere.
#'
#' @param input tensor of shape `(N, C, ...)`, or `(C, ...)`.
#' @param kernel_size,stride,padding,dilation one number, or one for each dimension of space; `stride` is `kernel_size`
#'   if `NULL`.
#' @param ceil_mode whether a last, incomplete window counts.
#' @param return_indices whether to return the positions of the maxima too, which count from 1 in the flattened space.
#' @param count_include_pad whether the padding takes part in the mean.
#' @param divisor_override divisor to use instead of the size of the window.
#' @param output_size sizes of the result, one number or one for each dimension of space. In adaptive pooling, a size that is
#'   `NULL` or `NA` stays what it is. In `nnf_max_unpool*d()`, `NULL` means the smallest size that fits.
#' @param output_ratio sizes of the result over those of the input, between 0 and 1.
#' @param random_samples numbers from 0 to 1, of shape `(N, C, 2)` or `(N, C, 3)`, that place the windows; drawn if `NULL`.
#' @param norm_type exponent of the norm.
#' @param indices what the max pooling gave.
#' @returns A tensor of shape `(N, C, ...)`; with `return_indices` a list of it and an int64 tensor of the same shape.
#' @examplesIf torch::torch_is_installed()
#' nnf_max_pool1d(torch_randn(1, 1, 6), 2)
#' @export
nnf_max_pool1d <- function(input, kernel_size, stride = NULL, padding = 0, dilation = 1, ceil_mode = FALSE,
                           return_indices = FALSE) {
  pool <- if (return_indices) torch_max_pool1d_with_indices else torch_max_pool1d
  pool(input, kernel_size, stride %||% kernel_size, padding, dilation, ceil_mode)
}

#' @rdname nnf_max_pool1d
#' @export
nnf_max_pool2d <- function(input, kernel_size, stride = kernel_size, padding = 0, dilation = 1, ceil_mode = FALSE,
                           return_indices = FALSE) {
  pool <- if (return_indices) torch_max_pool2d_with_indices else torch_max_pool2d
  pool(input, kernel_size, stride %||% kernel_size, padding, dilation, ceil_mode)
}

#' @rdname nnf_max_pool1d
#' @export
nnf_max_pool3d <- function(input, kernel_size, stride = NULL, padding = 0, dilation = 1, ceil_mode = FALSE,
                           return_indices = FALSE) {
  pool <- if (return_indices) torch_max_pool3d_with_indices else torch_max_pool3d
  pool(input, kernel_size, stride %||% kernel_size, padding, dilation, ceil_mode)
}

#' @rdname nnf_max_pool1d
#' @export
nnf_avg_pool1d <- function(input, kernel_size, stride = NULL, padding = 0, ceil_mode = FALSE,
                           count_include_pad = TRUE) {
  torch_avg_pool1d(input, kernel_size, stride %||% kernel_size, padding, ceil_mode, count_include_pad)
}

#' @rdname nnf_max_pool1d
#' @export
nnf_avg_pool2d <- function(input, kernel_size, stride = NULL, padding = 0, ceil_mode = FALSE,
                           count_include_pad = TRUE, divisor_override = NULL) {
  torch_avg_pool2d(
    input, kernel_size, stride %||% kernel_size, padding, ceil_mode, count_include_pad, divisor_override
  )
}

#' @rdname nnf_max_pool1d
#' @export
nnf_avg_pool3d <- function(input, kernel_size, stride = NULL, padding = 0, ceil_mode = FALSE,
                           count_include_pad = TRUE, divisor_override = NULL) {
  torch_avg_pool3d(
    input, kernel_size, stride %||% kernel_size, padding, ceil_mode, count_include_pad, divisor_override
  )
}

#' @rdname nnf_max_pool1d
#' @export
nnf_adaptive_max_pool1d <- function(input, output_size, return_indices = FALSE) {
  first_unless(torch_adaptive_max_pool1d(input, sizes_to_fill(output_size, input, 1L)), return_indices)
}

#' @rdname nnf_max_pool1d
#' @export
nnf_adaptive_max_pool2d <- function(input, output_size, return_indices = FALSE) {
  first_unless(torch_adaptive_max_pool2d(input, sizes_to_fill(output_size, input, 2L)), return_indices)
}

#' @rdname nnf_max_pool1d
#' @export
nnf_adaptive_max_pool3d <- function(input, output_size, return_indices = FALSE) {
  first_unless(torch_adaptive_max_pool3d(input, sizes_to_fill(output_size, input, 3L)), return_indices)
}

first_unless <- function(results, all) if (all) results else results[[1L]]

#' @rdname nnf_max_pool1d
#' @export
nnf_adaptive_avg_pool1d <- function(input, output_size) torch_adaptive_avg_pool1d(input, sizes_to_fill(output_size, input, 1L))

#' @rdname nnf_max_pool1d
#' @export
nnf_adaptive_avg_pool2d <- function(input, output_size) torch_adaptive_avg_pool2d(input, sizes_to_fill(output_size, input, 2L))

#' @rdname nnf_max_pool1d
#' @export
nnf_adaptive_avg_pool3d <- function(input, output_size) torch_adaptive_avg_pool3d(input, sizes_to_fill(output_size, input, 3L))

# A number for each dimension of space.
for_each_dim <- function(x, ndim) if (length(x) == 1L) rep(x, ndim) else x

# ---- norms ----

#' @rdname nnf_max_pool1d
#' @export
nnf_lp_pool1d <- function(input, norm_type, kernel_size, stride = NULL, ceil_mode = FALSE) {
  lp_pool(nnf_avg_pool1d, 1L, input, norm_type, kernel_size, stride, ceil_mode)
}

#' @rdname nnf_max_pool1d
#' @export
nnf_lp_pool2d <- function(input, norm_type, kernel_size, stride = NULL, ceil_mode = FALSE) {
  lp_pool(nnf_avg_pool2d, 2L, input, norm_type, kernel_size, stride, ceil_mode)
}

#' @rdname nnf_max_pool1d
#' @export
nnf_lp_pool3d <- function(input, norm_type, kernel_size, stride = NULL, ceil_mode = FALSE) {
  lp_pool(nnf_avg_pool3d, 3L, input, norm_type, kernel_size, stride, ceil_mode)
}

# The mean times the number of elements is the sum; a negative sum, of odd powers, counts as PyTorch has it, with its sign.
lp_pool <- function(avg_pool, ndim, input, norm_type, kernel_size, stride, ceil_mode) {
  mean <- avg_pool(torch_pow(input, norm_type), kernel_size, stride, 0, ceil_mode)
  sum <- torch_mul(mean, prod(for_each_dim(kernel_size, ndim)))
  torch_pow(torch_sign(mean) * torch_relu(torch_abs(sum)), 1 / norm_type)
}

# ---- random windows ----

#' @rdname nnf_max_pool1d
#' @export
nnf_fractional_max_pool2d <- function(input, kernel_size, output_size = NULL, output_ratio = NULL, return_indices = FALSE,
                                      random_samples = NULL) {
  fractional_max_pool(
    torch_fractional_max_pool2d, 2L, input, kernel_size, output_size, output_ratio, return_indices, random_samples
  )
}

#' @rdname nnf_max_pool1d
#' @export
nnf_fractional_max_pool3d <- function(input, kernel_size, output_size = NULL, output_ratio = NULL, return_indices = FALSE,
                                      random_samples = NULL) {
  fractional_max_pool(
    torch_fractional_max_pool3d, 3L, input, kernel_size, output_size, output_ratio, return_indices, random_samples
  )
}

fractional_max_pool <- function(pool, ndim, input, kernel_size, output_size, output_ratio, return_indices, random_samples,
                                call = caller_env()) {
  if (is.null(output_size) == is.null(output_ratio)) {
    value_error("Exactly one of `output_size` and `output_ratio` must be given.", call)
  }
  shape <- .Call(C_shape, input)
  if (!length(shape) %in% (ndim + 1:2)) {
    value_error(sprintf("`input` must have %d or %d dimensions, not %d.", ndim + 1L, ndim + 2L, length(shape)), call)
  }
  space <- utils::tail(shape, ndim)
  if (is.null(output_size)) output_size <- floor(space * for_each_dim(output_ratio, ndim))
  if (is.null(random_samples)) {
    batch <- if (length(shape) == ndim + 2L) shape[1:2] else c(1L, shape[1L])
    random_samples <- torch_rand(c(batch, ndim), dtype = input$dtype, device = input$device)
  }
  out <- pool(input, for_each_dim(kernel_size, ndim), for_each_dim(output_size, ndim), random_samples)
  first_unless(out, return_indices)
}

# ---- the way back ----

#' @rdname nnf_max_pool1d
#' @export
nnf_max_unpool1d <- function(input, indices, kernel_size, stride = NULL, padding = 0, output_size = NULL) {
  size <- unpooled_size(input, 1L, kernel_size, stride, padding, output_size)
  torch_squeeze(torch_max_unpool2d(torch_unsqueeze(input, -1L), torch_unsqueeze(indices, -1L), c(size, 1)), -1L)
}

#' @rdname nnf_max_pool1d
#' @export
nnf_max_unpool2d <- function(input, indices, kernel_size, stride = NULL, padding = 0, output_size = NULL) {
  torch_max_unpool2d(input, indices, unpooled_size(input, 2L, kernel_size, stride, padding, output_size))
}

#' @rdname nnf_max_pool1d
#' @export
nnf_max_unpool3d <- function(input, indices, kernel_size, stride = NULL, padding = 0, output_size = NULL) {
  size <- unpooled_size(input, 3L, kernel_size, stride, padding, output_size)
  stride <- for_each_dim(stride %||% kernel_size, 3L)
  torch_max_unpool3d(input, indices, size, stride, for_each_dim(padding, 3L))
}

unpooled_size <- function(input, ndim, kernel_size, stride, padding, output_size, call = caller_env()) {
  check_tensor(input, "input", call)
  kernel_size <- for_each_dim(kernel_size, ndim)
  stride <- for_each_dim(stride %||% kernel_size, ndim)
  # A trace follows these sizes.
  n <- length(.Call(C_shape, input))
  space <- input$shape[seq(n - ndim + 1L, n)]
  smallest <- (space - 1) * stride + (kernel_size - 2 * for_each_dim(padding, ndim))
  if (is.null(output_size)) return(smallest)
  size <- utils::tail(as.numeric(output_size), ndim)
  if (length(size) != ndim || any(abs(size - smallest) >= stride)) {
    value_error(sprintf(
      "`output_size` must be %s, with less than %s more or less, not %s.",
      toString(smallest), toString(stride), toString(size)
    ), call)
  }
  size
}

# Sizes in space: one, or one for each of `ndim` dimensions; NULL or NA in the place of a size stands for that of the input.
sizes_to_fill <- function(sizes, input, ndim, call = caller_env()) {
  if (!is.null(sizes)) {
    if (is_torch_tensor(sizes) || (is.numeric(sizes) && !anyNA(sizes))) return(sizes)
  }
  check_sizes_to_fill(sizes, input, ndim, call)
  space <- utils::tail(input$shape, ndim)
  if (is.null(sizes)) return(space)
  given <- rep_len(as.list(sizes), ndim)
  is_open <- vapply(given, is_open_size, NA)
  if (all(is_open)) return(space)
  # A size of a traced tensor stays a size, so that the program follows it.
  if (any(is_open)) do.call(c, lapply(seq_len(ndim), function(i) if (is_open[i]) space[i] else given[[i]])) else unlist(given)
}

is_open_size <- function(size) is.null(size) || (length(size) == 1L && is.na(size))

check_sizes_to_fill <- function(sizes, input, ndim, call) {
  check_tensor(input, "input", call)
  given <- if (is.null(sizes)) list(NULL) else as.list(sizes)
  if (length(given) %in% c(1L, ndim) && all(vapply(given, function(size) is_open_size(size) || is_whole_number(size), NA))) return()
  value_error(sprintf(
    "`output_size` must be a whole number or %d of them, with NULL or NA for a size that stays, not %s.", ndim, describe_value(sizes)
  ), call)
}
