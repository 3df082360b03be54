# Layers: modules with parameters. Each is its parameters and one call of a function.

#' @include nn-module.R nn-functional.R
NULL

#' Linear layers
#'
#' `nn_linear()` is \eqn{x W^T + b}, `nn_bilinear()` \eqn{x_1^T W_k x_2 + b_k} for each output k. Initial values are
#' uniform on \eqn{\pm 1 / \sqrt{in\_features}}.
#'
#' @param in_features,in1_features,in2_features,out_features sizes of the last dimension of inputs and output.
#' @param bias whether there is a bias.
#' @returns A module with the parameters `weight`, of shape `(out_features, in_features)` or
#'   `(out_features, in1_features, in2_features)`, and `bias`. Its `forward(input)` or `forward(input1, input2)` takes
#'   tensors of shape `(..., in_features)` and returns one of shape `(..., out_features)`: any dimensions may stand before.
#' @examplesIf torch::torch_is_installed()
#' layer <- nn_linear(3, 8)
#' layer(torch_randn(5, 3))$shape
#' @export
nn_linear <- nn_module(
  "nn_linear",
  initialize = function(in_features, out_features, bias = TRUE) {
    keep_settings(except = "bias")
    self$weight <- nn_parameter(torch_empty(out_features, in_features))
    self$bias <- if (bias) nn_parameter(torch_empty(out_features))
    self$reset_parameters()
  },
  reset_parameters = function() reset_weight_and_bias(self, in_features = self$in_features),
  forward = function(input) torch_linear(input, self$weight, self$bias)
)

#' @rdname nn_linear
#' @export
nn_bilinear <- nn_module(
  "nn_bilinear",
  initialize = function(in1_features, in2_features, out_features, bias = TRUE) {
    keep_settings(except = "bias")
    self$weight <- nn_parameter(torch_empty(out_features, in1_features, in2_features))
    self$bias <- if (bias) nn_parameter(torch_empty(out_features))
    self$reset_parameters()
  },
  reset_parameters = function() reset_weight_and_bias(self, in_features = self$weight$shape[[2L]]),
  forward = function(input1, input2) torch_bilinear(input1, input2, self$weight, self$bias)
)

reset_weight_and_bias <- function(self, in_features) {
  bound <- scale_of_fan(in_features)
  nn_init_uniform_(self$weight, -bound, bound)
  if (!is.null(self$bias)) {
    nn_init_uniform_(self$bias, -bound, bound)
  }
}

#' Embedding
#'
#' A table of vectors, looked up by position; see [nnf_embedding()].
#'
#' @param num_embeddings,embedding_dim number and length of the vectors.
#' @param padding_idx position, from 1, of a vector that is zero at the start and gets no gradient.
#' @param .weight a tensor to use as the table.
#' @inheritParams nnf_embedding
#' @returns A module with the parameter `weight`, from the standard normal distribution at the start. Its
#'   `forward(input)` takes integers that count from 1 and appends a dimension of size `embedding_dim`.
#' @examplesIf torch::torch_is_installed()
#' words <- nn_embedding(10, 3)
#' words(torch_tensor(c(1L, 10L)))
#' @export
nn_embedding <- nn_module(
  "nn_embedding",
  initialize = function(num_embeddings, embedding_dim, padding_idx = NULL, max_norm = NULL, norm_type = 2,
                        scale_grad_by_freq = FALSE, sparse = FALSE, .weight = NULL) {
    keep_settings(except = ".weight")
    if (!is.null(padding_idx) && !(is_whole_number(padding_idx) && padding_idx != 0 && abs(padding_idx) <= num_embeddings)) {
      value_error(sprintf("`padding_idx` must be a position from 1 to %s, or NULL, not %s.", format_count(num_embeddings), describe_value(padding_idx)))
    }
    self$weight <- nn_parameter(.weight %||% torch_empty(num_embeddings, embedding_dim))
    if (is.null(.weight)) {
      self$reset_parameters()
    }
  },
  reset_parameters = function() {
    nn_init_normal_(self$weight)
    if (!is.null(self$padding_idx)) {
      with_no_grad(self$weight[self$padding_idx, ]$zero_())
    }
  },
  forward = function(input) {
    nnf_embedding(
      input, self$weight, self$padding_idx, self$max_norm, self$norm_type, self$scale_grad_by_freq, self$sparse
    )
  }
)

#' Embedding by bags
#'
#' A table of vectors, looked up and reduced by bags; see [nnf_embedding_bag()].
#'
#' @inheritParams nn_embedding
#' @inheritParams nnf_embedding_bag
#' @returns A module with the parameter `weight`, from the standard normal distribution at the start. Its
#'   `forward(input, offsets = NULL, per_sample_weights = NULL)` returns a tensor of shape `(B, embedding_dim)` for B bags.
#' @examplesIf torch::torch_is_installed()
#' nn_embedding_bag(10, 3, mode = "sum")(torch_tensor(matrix(c(1L, 2L, 4L, 10L), 2)))$shape
#' @export
nn_embedding_bag <- nn_module(
  "nn_embedding_bag", nn_embedding,
  initialize = function(num_embeddings, embedding_dim, max_norm = NULL, norm_type = 2, scale_grad_by_freq = FALSE,
                        mode = "mean", sparse = FALSE, include_last_offset = FALSE, padding_idx = NULL, .weight = NULL) {
    self$mode <- check_choice(mode, c("sum", "mean", "max"), "mode")
    self$include_last_offset <- include_last_offset
    super$initialize(
      num_embeddings, embedding_dim, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse, .weight
    )
  },
  forward = function(input, offsets = NULL, per_sample_weights = NULL) {
    nnf_embedding_bag(
      input, self$weight, offsets, self$max_norm, self$norm_type, self$scale_grad_by_freq, self$mode, self$sparse,
      per_sample_weights, self$include_last_offset, self$padding_idx
    )
  }
)

# ---- Normalisation ----

#' Normalisation layers
#'
#' `nn_batch_norm*d()` normalises each channel over the batch, `nn_instance_norm*d()` each channel of each sample,
#' `nn_layer_norm()` over the last dimensions, `nn_group_norm()` over groups of channels; `nn_rms_norm()` and
#' `nn_local_response_norm()` divide only. See [nnf_batch_norm()].
#'
#' @param num_features,num_channels number of channels, the second dimension of the input.
#' @param eps added to the variance.
#' @param momentum weight of a batch in the running statistics; `NULL` for plain averages over all batches.
#' @param affine,elementwise_affine whether there are the parameters `weight`, at the start 1, and `bias`, 0.
#' @param track_running_stats whether running statistics are kept and used in evaluation.
#' @param normalized_shape sizes of the last dimensions.
#' @param num_groups number of groups; divides `num_channels`.
#' @param bias whether there is the parameter `bias`.
#' @inheritParams nnf_local_response_norm
#' @returns A module whose `forward(input)` returns a tensor of the shape of `input`. Batch norm takes shapes `(N, C)` or
#'   `(N, C, L)`, `(N, C, H, W)`, `(N, C, D, H, W)` (else a `value_error`) and has the buffers `running_mean`,
#'   `running_var` and `num_batches_tracked`.
#' @source Ioffe and Szegedy (2015); Ba, Kiros and Hinton (2016); Wu and He (2018).
#' @examplesIf torch::torch_is_installed()
#' norm <- nn_batch_norm1d(3)
#' norm(torch_randn(10, 3))$mean(dim = 1)
#' @name nn_norm
#' @aliases nn_batch_norm1d
NULL

# Running statistics, and a factor and a summand for each channel.
nn_norm_base_ <- nn_module(
  "nn_norm_base_",
  initialize = function(num_features, eps = 1e-5, momentum = 0.1, affine = TRUE, track_running_stats = TRUE) {
    keep_settings()
    self$weight <- if (affine) nn_parameter(torch_ones(num_features))
    self$bias <- if (affine) nn_parameter(torch_zeros(num_features))
    if (track_running_stats) {
      self$running_mean <- nn_buffer(torch_zeros(num_features))
      self$running_var <- nn_buffer(torch_ones(num_features))
      self$num_batches_tracked <- nn_buffer(torch_tensor(0L))
    }
  },
  reset_running_stats = function() {
    if (!is.null(self$running_mean)) {
      nn_init_zeros_(self$running_mean)
      nn_init_ones_(self$running_var)
      nn_init_zeros_(self$num_batches_tracked)
    }
  },
  reset_parameters = function() {
    self$reset_running_stats()
    reset_scale_and_shift(self)
  },
  check_input_dim = function(input) check_ndim(input, private$dims)
)

# Refuses input of other dimensions.
check_ndim <- function(input, allowed, call = caller_env()) {
  n <- length(.Call(C_shape, input))
  if (!n %in% allowed) {
    value_error(sprintf("`input` must have %s dimensions, not %d.", paste(allowed, collapse = " or "), n), call)
  }
}

nn_batch_norm_ <- nn_module(
  "nn_batch_norm_", nn_norm_base_,
  forward = function(input) {
    self$check_input_dim(input)
    momentum <- self$momentum
    if (self$training && !is.null(self$running_mean)) {
      self$num_batches_tracked$add_(1L)
      momentum <- momentum %||% (1 / self$num_batches_tracked$item())
    }
    nnf_batch_norm(
      input, self$running_mean, self$running_var, self$weight, self$bias,
      self$training || is.null(self$running_mean), momentum %||% 0, self$eps
    )
  }
)

nn_instance_norm_ <- nn_module(
  "nn_instance_norm_", nn_norm_base_,
  initialize = function(num_features, eps = 1e-5, momentum = 0.1, affine = FALSE, track_running_stats = FALSE) {
    super$initialize(num_features, eps, momentum, affine, track_running_stats)
  },
  forward = function(input) {
    self$check_input_dim(input)
    batched <- length(.Call(C_shape, input)) == private$dims[2]
    out <- nnf_instance_norm(
      if (batched) input else torch_unsqueeze(input, 1L), self$running_mean, self$running_var, self$weight, self$bias,
      self$training || is.null(self$running_mean), self$momentum %||% 0, self$eps
    )
    if (batched) out else torch_squeeze(out, 1L)
  }
)

#' @rdname nn_norm
#' @export
nn_batch_norm1d <- nn_module("nn_batch_norm1d", nn_batch_norm_, private = list(dims = 2:3))

#' @rdname nn_norm
#' @export
nn_batch_norm2d <- nn_module("nn_batch_norm2d", nn_batch_norm_, private = list(dims = 4L))

#' @rdname nn_norm
#' @export
nn_batch_norm3d <- nn_module("nn_batch_norm3d", nn_batch_norm_, private = list(dims = 5L))

#' @rdname nn_norm
#' @export
nn_instance_norm1d <- nn_module("nn_instance_norm1d", nn_instance_norm_, private = list(dims = 2:3))

#' @rdname nn_norm
#' @export
nn_instance_norm2d <- nn_module("nn_instance_norm2d", nn_instance_norm_, private = list(dims = 3:4))

#' @rdname nn_norm
#' @export
nn_instance_norm3d <- nn_module("nn_instance_norm3d", nn_instance_norm_, private = list(dims = 4:5))

#' @rdname nn_norm
#' @export
nn_rms_norm <- nn_module(
  "nn_rms_norm",
  initialize = function(normalized_shape, eps = NULL, elementwise_affine = TRUE) {
    keep_settings()
    self$weight <- if (elementwise_affine) nn_parameter(torch_ones(normalized_shape))
  },
  reset_parameters = function() if (!is.null(self$weight)) nn_init_ones_(self$weight),
  forward = function(input) nnf_rms_norm(input, self$normalized_shape, self$weight, self$eps)
)

#' @rdname nn_norm
#' @export
nn_local_response_norm <- functional_module(
  "nn_local_response_norm", nnf_local_response_norm, alist(size = , alpha = 1e-4, beta = 0.75, k = 1)
)

#' @rdname nn_norm
#' @export
nn_layer_norm <- nn_module(
  "nn_layer_norm",
  initialize = function(normalized_shape, eps = 1e-5, elementwise_affine = TRUE, bias = TRUE) {
    keep_settings(except = "bias")
    self$weight <- if (elementwise_affine) nn_parameter(torch_ones(normalized_shape))
    self$bias <- if (elementwise_affine && bias) nn_parameter(torch_zeros(normalized_shape))
  },
  reset_parameters = function() reset_scale_and_shift(self),
  forward = function(input) nnf_layer_norm(input, self$normalized_shape, self$weight, self$bias, self$eps)
)

#' @rdname nn_norm
#' @export
nn_group_norm <- nn_module(
  "nn_group_norm",
  initialize = function(num_groups, num_channels, eps = 1e-5, affine = TRUE) {
    keep_settings()
    if (num_channels %% num_groups != 0) value_error("`num_channels` must be divisible by `num_groups`.")
    self$weight <- if (affine) nn_parameter(torch_ones(num_channels))
    self$bias <- if (affine) nn_parameter(torch_zeros(num_channels))
  },
  reset_parameters = function() reset_scale_and_shift(self),
  forward = function(input) nnf_group_norm(input, self$num_groups, self$weight, self$bias, self$eps)
)

reset_scale_and_shift <- function(self) {
  if (!is.null(self$weight)) {
    nn_init_ones_(self$weight)
    if (!is.null(self$bias)) nn_init_zeros_(self$bias)
  }
}

# ---- Convolution ----

#' Convolution layers
#'
#' Convolution over 1, 2 or 3 dimensions of space; see [nnf_conv1d()]. Initial values are uniform on
#' \eqn{\pm 1 / \sqrt{in\_channels / groups \cdot \prod kernel\_size}}.
#'
#' @param in_channels,out_channels numbers of channels; divisible by `groups`, else a `value_error`.
#' @param kernel_size,stride,dilation one number, or one for each dimension of space.
#' @param padding likewise, or `"valid"` or `"same"`.
#' @param groups number of groups of channels that are convolved separately.
#' @param bias whether there is a bias.
#' @param padding_mode `"zeros"`, `"reflect"`, `"replicate"` or `"circular"`.
#' @returns A module with the parameters `weight`, of shape `(out_channels, in_channels / groups, ...)`, and `bias`. Its
#'   `forward(input)` takes a tensor of shape `(N, in_channels, ...)` and returns one of shape `(N, out_channels, ...)`.
#' @section Shapes:
#' `nn_conv1d()`: `(N, C, L)` gives `(N, out_channels, L_out)`; `nn_conv2d()`: `(N, C, H, W)` gives
#' `(N, out_channels, H_out, W_out)`; `nn_conv3d()` likewise with a depth before. The batch N may be missing. Each
#' dimension of space becomes
#' \deqn{L_{out} = \left\lfloor \frac{L + 2\,padding - dilation\,(kernel\_size - 1) - 1}{stride} \right\rfloor + 1,}{
#' L_out = floor((L + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1,}
#' and stays as it is with `padding = "same"`.
#' @examplesIf torch::torch_is_installed()
#' nn_conv2d(1, 4, kernel_size = 3)(torch_randn(2, 1, 8, 8))$shape
#' nn_conv2d(1, 4, kernel_size = 3, stride = 2, padding = 1)(torch_randn(2, 1, 8, 8))$shape
#' floor((8 + 2 * 1 - 1 * (3 - 1) - 1) / 2) + 1
#' @name nn_conv
#' @aliases nn_conv1d
NULL

nn_conv_nd <- nn_module(
  "nn_conv_nd",
  initialize = function(in_channels, out_channels, kernel_size, stride = 1, padding = 0, dilation = 1, transposed = FALSE,
                        output_padding = 0, groups = 1, bias = TRUE, padding_mode = "zeros") {
    keep_settings(except = "bias", if (!transposed) list(padding = whole_from(0, "whole numbers", c("same", "valid"))))
    if (in_channels %% groups != 0 || out_channels %% groups != 0) {
      value_error("`in_channels` and `out_channels` must be divisible by `groups`.")
    }
    private$check_spaces()
    self$kernel_size <- kernel_size <- rep_len(kernel_size, private$ndim)
    self$dilation <- rep_len(dilation, private$ndim)
    channels <- if (self$transposed) c(in_channels, out_channels / groups) else c(out_channels, in_channels / groups)
    self$weight <- nn_parameter(torch_empty(c(channels, kernel_size)))
    self$bias <- if (bias) nn_parameter(torch_empty(out_channels))
    self$reset_parameters()
  },
  reset_parameters = function() reset_weight_and_bias(self, in_features = prod(self$weight$shape[-1L])),
  forward = function(input) self$conv_forward_(input, self$weight),
  # For layers that compute their weight.
  conv_forward_ = function(input, weight) {
    if (self$padding_mode == "zeros") {
      return(private$conv(input, weight, self$bias, self$stride, self$padding, self$dilation, self$groups))
    }
    input <- nnf_pad(input, private$sides(), self$padding_mode)
    private$conv(input, weight, self$bias, self$stride, 0, self$dilation, self$groups)
  },
  private = list(
    check_spaces = function() {
      for (name in c("kernel_size", "stride", "padding", "dilation")) {
        value <- self[[name]]
        if (!is.character(value) && !length(value) %in% c(1L, private$ndim)) {
          value_error(sprintf("`%s` must be 1 number or %d numbers, not %d.", name, private$ndim, length(value)))
        }
      }
      if (identical(self$padding, "same") && any(unlist(self$stride) != 1)) {
        value_error(sprintf("`padding` can't be \"same\" with a `stride` of %s.", toString(self$stride)))
      }
    },
    # Padding before and after, from the last dimension to the first.
    sides = function() {
      total <- if (is.numeric(self$padding)) {
        2 * rep_len(self$padding, private$ndim)
      } else if (self$padding == "same") {
        self$dilation * (self$kernel_size - 1)
      } else {
        rep_len(0, private$ndim)
      }
      before <- rev(total %/% 2)
      after <- rev(total) - before
      unlist(lapply(seq_along(before), function(i) c(before[i], after[i])))
    }
  )
)

nn_conv_ <- nn_module(
  "nn_conv_", nn_conv_nd,
  initialize = function(in_channels, out_channels, kernel_size, stride = 1, padding = 0, dilation = 1, groups = 1,
                        bias = TRUE, padding_mode = "zeros") {
    super$initialize(in_channels, out_channels, kernel_size, stride, padding, dilation, FALSE, 0, groups, bias, padding_mode)
  }
)

#' @rdname nn_conv
#' @export
nn_conv1d <- nn_module("nn_conv1d", nn_conv_, private = list(
  ndim = 1L, conv = function(...) nnf_conv1d(...)
))

#' @rdname nn_conv
#' @export
nn_conv2d <- nn_module("nn_conv2d", nn_conv_, private = list(
  ndim = 2L, conv = function(...) nnf_conv2d(...)
))

#' @rdname nn_conv
#' @export
nn_conv3d <- nn_module("nn_conv3d", nn_conv_, private = list(
  ndim = 3L, conv = function(...) nnf_conv3d(...)
))

#' Transposed convolution layers
#'
#' A transposed convolution computes what a convolution computes for the gradient of its input, and so makes images
#' larger. See [nnf_conv_transpose1d()]. Initial values are uniform on \eqn{\pm 1 / \sqrt{out\_channels / groups \cdot
#' \prod kernel\_size}}.
#'
#' @inheritParams nn_conv1d
#' @param padding how much is cut off at each end of the result.
#' @param output_padding how much larger one end of each dimension of the result is; `stride` leaves its size open.
#' @param padding_mode `"zeros"`, nothing else.
#' @returns A module with the parameters `weight`, of shape `(in_channels, out_channels / groups, ...)`, and `bias`. Its
#'   `forward(input, output_size = NULL)` takes a tensor of shape `(N, in_channels, ...)` and returns one of shape
#'   `(N, out_channels, ...)`; `output_size`, sizes in space, instead of `output_padding`.
#' @section Shapes:
#' `nn_conv_transpose1d()`: `(N, C, L)` gives `(N, out_channels, L_out)`, and likewise with more dimensions of space. Each
#' of them becomes
#' \deqn{L_{out} = (L - 1)\,stride - 2\,padding + dilation\,(kernel\_size - 1) + output\_padding + 1.}{
#' L_out = (L - 1) stride - 2 padding + dilation (kernel_size - 1) + output_padding + 1.}
#' @examplesIf torch::torch_is_installed()
#' nn_conv_transpose2d(4, 1, kernel_size = 3, stride = 2)(torch_randn(2, 4, 8, 8))$shape
#' @name nn_conv_transpose
#' @aliases nn_conv_transpose1d
NULL

nn_conv_transpose_nd <- nn_module(
  "nn_conv_transpose_nd", nn_conv_nd,
  initialize = function(in_channels, out_channels, kernel_size, stride = 1, padding = 0, dilation = 1, transposed = TRUE,
                        output_padding = 0, groups = 1, bias = TRUE, padding_mode = "zeros") {
    if (!identical(padding_mode, "zeros")) {
      value_error(sprintf("`padding_mode` must be \"zeros\", not %s.", friendly_type(padding_mode)))
    }
    super$initialize(
      in_channels, out_channels, kernel_size, stride, padding, dilation, transposed, output_padding, groups, bias, padding_mode
    )
  },
  forward = function(input, output_size = NULL) {
    extra <- self$.output_padding(input, output_size, self$stride, self$padding, self$kernel_size)
    private$conv(input, self$weight, self$bias, self$stride, self$padding, extra, self$groups, self$dilation)
  },
  # How much larger than the smallest result that is.
  .output_padding = function(input, output_size, stride, padding, kernel_size) {
    if (is.null(output_size)) return(self$output_padding)
    ndim <- private$ndim
    stride <- rep_len(stride, ndim)
    space <- utils::tail(.Call(C_shape, input), ndim)
    smallest <- (space - 1) * stride - 2 * rep_len(padding, ndim) + self$dilation * (kernel_size - 1) + 1
    extra <- utils::tail(as.numeric(output_size), ndim) - smallest
    if (length(extra) != ndim || any(extra < 0 | extra >= stride)) {
      value_error(sprintf(
        "`output_size` must be from %s to %s, not %s.",
        toString(smallest), toString(smallest + stride - 1), toString(as.numeric(output_size))
      ))
    }
    extra
  }
)

nn_conv_transpose_ <- nn_module(
  "nn_conv_transpose_", nn_conv_transpose_nd,
  initialize = function(in_channels, out_channels, kernel_size, stride = 1, padding = 0, output_padding = 0, groups = 1,
                        bias = TRUE, dilation = 1, padding_mode = "zeros") {
    super$initialize(
      in_channels, out_channels, kernel_size, stride, padding, dilation, TRUE, output_padding, groups, bias, padding_mode
    )
  }
)

#' @rdname nn_conv_transpose
#' @export
nn_conv_transpose1d <- nn_module("nn_conv_transpose1d", nn_conv_transpose_, private = list(
  ndim = 1L, conv = function(...) nnf_conv_transpose1d(...)
))

#' @rdname nn_conv_transpose
#' @export
nn_conv_transpose2d <- nn_module("nn_conv_transpose2d", nn_conv_transpose_, private = list(
  ndim = 2L, conv = function(...) nnf_conv_transpose2d(...)
))

#' @rdname nn_conv_transpose
#' @export
nn_conv_transpose3d <- nn_module("nn_conv_transpose3d", nn_conv_transpose_, private = list(
  ndim = 3L, conv = function(...) nnf_conv_transpose3d(...)
))
