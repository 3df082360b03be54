# Initial values of parameters. All functions fill a tensor in place, without recording gradients, and return it.

#' Initial values of parameters
#'
#' The functions fill a tensor in place.
#'
#' * `nn_init_uniform_()`, `nn_init_normal_()`: from the distribution on `[a, b]`, or with this mean and deviation.
#'   `nn_init_trunc_normal_()`: normal, restricted to `[a, b]`.
#' * `nn_init_constant_()`, `nn_init_zeros_()`, `nn_init_ones_()`, `nn_init_eye_()`: fixed values.
#' * `nn_init_xavier_uniform_()`, `nn_init_xavier_normal_()` (Glorot and Bengio 2010): variance
#'   `gain^2 * 2 / (fan_in + fan_out)`.
#' * `nn_init_kaiming_uniform_()`, `nn_init_kaiming_normal_()` (He et al. 2015): variance `gain^2 / fan`.
#' * `nn_init_orthogonal_()` (Saxe et al. 2013): a (semi-)orthogonal matrix times `gain`.
#' * `nn_init_dirac_()`: the weight of a convolution that passes its input channels on, in each of `groups`.
#' * `nn_init_sparse_()` (Martens 2010): normal, with a fraction `sparsity` of zeros in each column.
#' * `nn_init_calculate_gain()`: the recommended gain for an activation function.
#'
#' The fans are the numbers of inputs and outputs of a layer with this weight: the sizes of the second and the first
#' dimension, times the product of the others.
#'
#' @param tensor a tensor of a floating type.
#' @param a,b bounds; for the kaiming functions `a` is the negative slope of the leaky ReLU.
#' @param mean,std mean and standard deviation.
#' @param val a number.
#' @param gain factor of the standard deviation.
#' @param mode `"fan_in"` keeps the variance of the values, `"fan_out"` that of the gradients.
#' @param nonlinearity name of the activation function after the layer, such as `"relu"`, `"leaky_relu"`, `"tanh"`,
#'   `"sigmoid"`, `"selu"`, `"linear"`.
#' @param param parameter of the activation function: the negative slope of `"leaky_relu"`.
#' @param groups groups of channels of the convolution.
#' @param sparsity a fraction from 0 to 1.
#' @returns `tensor`; `nn_init_calculate_gain()`: a number.
#' @examplesIf torch::torch_is_installed()
#' w <- torch_empty(3, 5)
#' nn_init_kaiming_uniform_(w, nonlinearity = "relu")
#' @name nn_init
NULL

#' @rdname nn_init
#' @export
nn_init_uniform_ <- function(tensor, a = 0, b = 1) {
  check_tensor(tensor, "tensor")
  with_no_grad(tensor$uniform_(a, b))
}

#' @rdname nn_init
#' @export
nn_init_normal_ <- function(tensor, mean = 0, std = 1) {
  check_tensor(tensor, "tensor")
  with_no_grad(tensor$normal_(mean, std))
}

#' @rdname nn_init
#' @export
nn_init_constant_ <- function(tensor, val) {
  check_tensor(tensor, "tensor")
  with_no_grad(tensor$fill_(val))
}

#' @rdname nn_init
#' @export
nn_init_zeros_ <- function(tensor) nn_init_constant_(tensor, 0)

#' @rdname nn_init
#' @export
nn_init_ones_ <- function(tensor) nn_init_constant_(tensor, 1)

#' @rdname nn_init
#' @export
nn_init_eye_ <- function(tensor) {
  check_dims(tensor, exactly = 2L)
  eye <- torch_eye(tensor$shape[[1L]], tensor$shape[[2L]], dtype = tensor$dtype, device = tensor$device)
  with_no_grad(tensor$copy_(eye))
}

#' @rdname nn_init
#' @export
nn_init_trunc_normal_ <- function(tensor, mean = 0, std = 1, a = -2, b = 2) {
  check_tensor(tensor, "tensor")
  # The inverse of the distribution function, at uniform points between its values at the bounds. erfinv() takes
  # 2 * p - 1.
  bounds <- 2 * stats::pnorm(c(a, b), mean, std) - 1
  with_no_grad({
    tensor$uniform_(bounds[[1L]], bounds[[2L]])
    tensor$erfinv_()$mul_(std * sqrt(2))$add_(mean)$clamp_(min = a, max = b)
  })
}

#' @rdname nn_init
#' @export
nn_init_xavier_uniform_ <- function(tensor, gain = 1) {
  bound <- gain * sqrt(6) * scale_of_fan(sum(fans(tensor)))
  nn_init_uniform_(tensor, -bound, bound)
}

#' @rdname nn_init
#' @export
nn_init_xavier_normal_ <- function(tensor, gain = 1) nn_init_normal_(tensor, 0, gain * sqrt(2) * scale_of_fan(sum(fans(tensor))))

#' @rdname nn_init
#' @export
nn_init_kaiming_uniform_ <- function(tensor, a = 0, mode = "fan_in", nonlinearity = "leaky_relu") {
  bound <- sqrt(3) * kaiming_std(tensor, a, mode, nonlinearity)
  nn_init_uniform_(tensor, -bound, bound)
}

#' @rdname nn_init
#' @export
nn_init_kaiming_normal_ <- function(tensor, a = 0, mode = "fan_in", nonlinearity = "leaky_relu") {
  nn_init_normal_(tensor, 0, kaiming_std(tensor, a, mode, nonlinearity))
}

kaiming_std <- function(tensor, a, mode, nonlinearity, call = caller_env()) {
  if (!mode %in% c("fan_in", "fan_out")) {
    value_error(sprintf("`mode` must be \"fan_in\" or \"fan_out\", not \"%s\".", mode), call = call)
  }
  nn_init_calculate_gain(nonlinearity, a) * scale_of_fan(fans(tensor, call)[[mode]])
}

#' @rdname nn_init
#' @export
nn_init_orthogonal_ <- function(tensor, gain = 1) {
  check_dims(tensor, at_least = 2L)
  shape <- tensor$shape
  rows <- shape[[1L]]
  columns <- prod(shape[-1L])
  flat <- torch_randn(max(rows, columns), min(rows, columns), dtype = tensor$dtype, device = tensor$device)
  qr <- linalg_qr(flat)
  # With the signs of the diagonal of R, Q is uniform over the orthogonal matrices.
  q <- qr[[1L]] * qr[[2L]]$diag()$sign()
  if (rows < columns) {
    q <- q$t()
  }
  with_no_grad(tensor$copy_(q$reshape(shape))$mul_(gain))
}

#' @rdname nn_init
#' @export
nn_init_dirac_ <- function(tensor, groups = 1) {
  check_dims(tensor, exactly = 3:5)
  shape <- tensor$shape
  if (!is_whole_number(groups) || groups < 1 || shape[1] %% groups != 0) {
    value_error(sprintf("`groups` must be a whole number that divides the channels, %d, not %s.", shape[1], friendly_type(groups)))
  }
  of_group <- shape[1] %/% groups
  kept <- seq_len(min(of_group, shape[2]))
  # The middle of the kernel; where two elements are in the middle, the later one.
  centre <- lapply(shape[-(1:2)] %/% 2L + 1L, torch_tensor)
  with_no_grad({
    tensor$zero_()
    for (group in seq_len(groups)) {
      at <- c(list(torch_tensor(kept + as.integer((group - 1) * of_group)), torch_tensor(kept)), centre)
      tensor$index_put_(at, torch_ones(1, dtype = tensor$dtype, device = tensor$device))
    }
  })
  tensor
}

#' @rdname nn_init
#' @export
nn_init_sparse_ <- function(tensor, sparsity, std = 0.01) {
  check_dims(tensor, exactly = 2L)
  if (!is_number(sparsity) || sparsity < 0 || sparsity > 1) {
    value_error(sprintf("`sparsity` must be a fraction from 0 to 1, not %s.", friendly_type(sparsity)))
  }
  rows <- tensor$shape[1]
  zeros <- ceiling(sparsity * rows)
  with_no_grad({
    tensor$normal_(0, std)
    for (column in seq_len(tensor$shape[2])) {
      order <- torch_randperm(rows)
      if (zeros > 0) tensor$select(2, column)$index_fill_(1, order[1:zeros] + 1L, 0)
    }
  })
  tensor
}

#' @rdname nn_init
#' @export
nn_init_calculate_gain <- function(nonlinearity, param = NULL) {
  switch(nonlinearity,
    linear = , sigmoid = ,
    conv1d = , conv2d = , conv3d = ,
    conv_transpose1d = , conv_transpose2d = , conv_transpose3d = 1,
    tanh = 5 / 3,
    relu = sqrt(2),
    leaky_relu = sqrt(2 / (1 + (param %||% 0.01)^2)),
    selu = 3 / 4,
    value_error(sprintf("`nonlinearity` must be the name of an activation function, not \"%s\".", nonlinearity))
  )
}

# A layer without inputs has no weights, and a bias of zeros.
scale_of_fan <- function(fan) if (fan > 0) 1 / sqrt(fan) else 0

fans <- function(tensor, call = caller_env()) {
  check_dims(tensor, at_least = 2L, call = call)
  shape <- tensor$shape
  field <- prod(shape[-(1:2)])
  c(fan_in = shape[[2L]] * field, fan_out = shape[[1L]] * field)
}

check_dims <- function(tensor, exactly = NULL, at_least = 0L, call = caller_env()) {
  check_tensor(tensor, "tensor", call)
  dims <- length(tensor$shape)
  if (dims < at_least || !dims %in% (exactly %||% dims)) {
    wanted <- if (is.null(exactly)) paste("at least", at_least) else paste(exactly, collapse = " or ")
    value_error(sprintf("`tensor` must have %s dimensions, not %d.", wanted, dims), call = call)
  }
}
