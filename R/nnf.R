# Functions without parameters of their own: what layers compute. Each is one or two operator calls. That positions count
# from 1 is the business of the operators (inst/ops/notes.tsv).

#' Linear maps
#'
#' `nnf_linear()` is \eqn{x W^T + b}, `nnf_bilinear()` is \eqn{x_1^T W_k x_2 + b_k} for each output k.
#'
#' @param input,input1,input2 tensors of shape `(..., in_features)`.
#' @param weight tensor of shape `(out_features, in_features)`; for `nnf_bilinear()`
#'   `(out_features, in1_features, in2_features)`.
#' @param bias tensor of shape `(out_features)`, or `NULL`.
#' @returns A tensor of shape `(..., out_features)`.
#' @examplesIf torch::torch_is_installed()
#' nnf_linear(torch_ones(2, 3), torch_ones(4, 3))
#' @export
nnf_linear <- function(input, weight, bias = NULL) torch_linear(input, weight, bias)

#' @rdname nnf_linear
#' @export
nnf_bilinear <- function(input1, input2, weight, bias = NULL) torch_bilinear(input1, input2, weight, bias)

# ---- Dropout ----

#' Dropout
#'
#' In training, sets elements to zero with probability `p` and divides the others by `1 - p`. `nnf_dropout1d()`, `nnf_dropout2d()`
#' and `nnf_dropout3d()` drop whole channels (the second dimension). `nnf_alpha_dropout()` keeps mean and variance, for
#' networks with SELU; `nnf_feature_alpha_dropout()` does so by channels.
#'
#' @param input a tensor; for `nnf_dropout2d()` of shape `(N, C, H, W)`, for `nnf_dropout3d()` `(N, C, D, H, W)`.
#' @param p probability of an element to be dropped, from 0 to 1, else a `value_error`.
#' @param training whether to drop at all.
#' @param inplace whether `input` itself is changed.
#' @returns A tensor of the shape of `input`.
#' @source Srivastava et al. (2014), Dropout: a simple way to prevent neural networks from overfitting.
#' @examplesIf torch::torch_is_installed()
#' nnf_dropout(torch_ones(5), p = 0.2)
#' @export
nnf_dropout <- function(input, p = 0.5, training = TRUE, inplace = FALSE) {
  check_probability(p)
  if (inplace) torch_dropout_(input, p, training) else torch_dropout(input, p, training)
}

#' @rdname nnf_dropout
#' @export
nnf_dropout1d <- function(input, p = 0.5, training = TRUE, inplace = FALSE) nnf_dropout3d(input, p, training, inplace)

#' @rdname nnf_dropout
#' @export
nnf_dropout2d <- function(input, p = 0.5, training = TRUE, inplace = FALSE) {
  ndim <- length(.Call(C_shape, input))
  if (ndim != 4L) {
    warn(sprintf(
      "`input` has %d dimensions; channels are dropped from 4-d input (N, C, H, W). For other input use `nnf_dropout()`.", ndim
    ))
  }
  nnf_dropout3d(input, p, training, inplace)
}

#' @rdname nnf_dropout
#' @export
nnf_dropout3d <- function(input, p = 0.5, training = TRUE, inplace = FALSE) {
  check_probability(p)
  if (inplace) torch_feature_dropout_(input, p, training) else torch_feature_dropout(input, p, training)
}

#' @rdname nnf_dropout
#' @export
nnf_alpha_dropout <- function(input, p = 0.5, training = FALSE, inplace = FALSE) {
  check_probability(p)
  if (inplace) torch_alpha_dropout_(input, p, training) else torch_alpha_dropout(input, p, training)
}

#' @rdname nnf_dropout
#' @export
nnf_feature_alpha_dropout <- function(input, p = 0.5, training = FALSE, inplace = FALSE) {
  check_probability(p)
  if (inplace) torch_feature_alpha_dropout_(input, p, training) else torch_feature_alpha_dropout(input, p, training)
}

check_probability <- function(p, arg = "p", call = caller_env()) {
  if (!isTRUE(p >= 0 && p <= 1)) {
    value_error(sprintf("`%s` must be a probability from 0 to 1, not %s.", arg, format(p)), call = call)
  }
}

# ---- Normalisation ----

#' Normalisation
#'
#' * `nnf_batch_norm()`: over all dimensions but the second (the channels).
#' * `nnf_instance_norm()`: for each sample and channel.
#' * `nnf_layer_norm()`: over the last dimensions, those of `normalized_shape`.
#' * `nnf_group_norm()`: over groups of channels.
#' * `nnf_rms_norm()`: divides by the root of the mean square over the last dimensions.
#' * `nnf_local_response_norm()`: divides by a power of the mean square over neighbouring channels.
#' * `nnf_normalize()`: divides by the `p`-norm along `dim`.
#'
#' @param input a tensor.
#' @param running_mean,running_var tensors with one element a channel; used instead of the batch's own statistics when
#'   not training, and moved towards these by `momentum` when training. May be `NULL`.
#' @param weight,bias factor and summand after the normalisation, or `NULL`.
#' @param training,use_input_stats whether statistics are taken from `input`.
#' @param momentum weight of the new statistics.
#' @param eps added to the variance; for `nnf_normalize()` the smallest divisor; for `nnf_rms_norm()` the dtype's own if `NULL`.
#' @param size number of channels whose squares are averaged, with the channel itself in the middle.
#' @param alpha,beta,k the divisor is \eqn{(k + \alpha \cdot mean)^\beta}.
#' @param normalized_shape sizes of the last dimensions.
#' @param num_groups number of groups; divides the number of channels.
#' @param p exponent of the norm.
#' @param dim dimension, from 1.
#' @param out a tensor to write the result to.
#' @returns A tensor of the shape of `input`.
#' @examplesIf torch::torch_is_installed()
#' nnf_layer_norm(torch_randn(2, 3), 3)
#' @name nnf_norm
NULL

#' @rdname nnf_norm
#' @export
nnf_batch_norm <- function(input, running_mean, running_var, weight = NULL, bias = NULL, training = FALSE,
                           momentum = 0.1, eps = 1e-5) {
  if (training) check_spread(input, prod(.Call(C_shape, input)[-2]))
  torch_batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps, TRUE)
}

#' @rdname nnf_norm
#' @export
nnf_instance_norm <- function(input, running_mean = NULL, running_var = NULL, weight = NULL, bias = NULL,
                              use_input_stats = TRUE, momentum = 0.1, eps = 1e-5) {
  if (use_input_stats) check_spread(input, prod(.Call(C_shape, input)[-(1:2)]))
  torch_instance_norm(input, weight, bias, running_mean, running_var, use_input_stats, momentum, eps, TRUE)
}

# One value has no spread. A trace may still use such an example, because the program is meant for other input.
check_spread <- function(input, values, call = caller_env()) {
  if (values == 1 && !cpp_is_tracing()) {
    value_error(sprintf("`input` must have more than 1 value for each channel to take statistics of, not the shape (%s).",
      toString(.Call(C_shape, input))), call)
  }
}

#' @rdname nnf_norm
#' @export
nnf_layer_norm <- function(input, normalized_shape, weight = NULL, bias = NULL, eps = 1e-5) {
  torch_layer_norm(input, normalized_shape, weight, bias, eps)
}

#' @rdname nnf_norm
#' @export
nnf_group_norm <- function(input, num_groups, weight = NULL, bias = NULL, eps = 1e-5) {
  torch_group_norm(input, num_groups, weight, bias, eps)
}

#' @rdname nnf_norm
#' @export
nnf_rms_norm <- function(input, normalized_shape, weight = NULL, eps = NULL) torch_rms_norm(input, normalized_shape, weight, eps)

#' @rdname nnf_norm
#' @export
nnf_local_response_norm <- function(input, size, alpha = 1e-4, beta = 0.75, k = 1) {
  if (length(.Call(C_shape, input)) < 3) {
    value_error(sprintf("`input` must have at least 3 dimensions, not %d.", length(.Call(C_shape, input))))
  }
  # The channels become a dimension of space, and the dimensions of space become one.
  squares <- torch_unsqueeze(torch_flatten(torch_square(input), start_dim = 3L), 2L)
  padded <- nnf_pad(squares, c(0, 0, size %/% 2, (size - 1) %/% 2))
  mean <- torch_squeeze(torch_avg_pool2d(padded, c(size, 1), 1), 2L)
  input / torch_reshape(torch_pow(mean * alpha + k, beta), input$shape)
}

#' @rdname nnf_norm
#' @export
nnf_normalize <- function(input, p = 2, dim = 2, eps = 1e-12, out = NULL) {
  normalized <- input / linalg_vector_norm(input, p, dim, keepdim = TRUE)$clamp_min(eps)
  if (is.null(out)) normalized else out$copy_(normalized)
}

# ---- Embeddings ----

#' Look-up tables
#'
#' `nnf_embedding()` takes rows of a table, `nnf_one_hot()` makes indicator vectors.
#'
#' @param input,tensor integer tensor of any shape; positions count from 1.
#' @param weight the table, of shape `(num_embeddings, embedding_dim)`.
#' @param padding_idx position, from 1, of a row that gets no gradient.
#' @param max_norm rows that are looked up and have a larger norm are scaled down to it, in `weight` itself.
#' @param norm_type exponent of that norm.
#' @param scale_grad_by_freq whether gradients are divided by how often a row occurs in `input`.
#' @param sparse whether the gradient of `weight` is a sparse tensor.
#' @param num_classes number of classes; -1: the largest value in `tensor`.
#' @returns `nnf_embedding()`: a tensor of the shape of `input` with `embedding_dim` appended; `nnf_one_hot()`: int64,
#'   the shape of `tensor` with `num_classes` appended.
#' @examplesIf torch::torch_is_installed()
#' nnf_embedding(torch_tensor(c(1L, 3L)), torch_randn(3, 2))
#' nnf_one_hot(torch_tensor(1:3))
#' @export
nnf_embedding <- function(input, weight, padding_idx = NULL, max_norm = NULL, norm_type = 2,
                          scale_grad_by_freq = FALSE, sparse = FALSE) {
  input <- as_positions(input)
  if (!is.null(max_norm)) {
    with_no_grad(torch_embedding_renorm_(weight, input$contiguous(), max_norm, norm_type))
  }
  torch_embedding(weight, input, row_of_table(padding_idx, weight), scale_grad_by_freq, sparse)
}

# Checks R values that stand for positions. LibTorch checks those in tensors.
as_positions <- function(input, call = caller_env()) {
  if (is_torch_tensor(input)) return(input)
  if (is.factor(input)) input <- as.integer(input)
  x <- if (is.list(input)) unlist(input) else input
  if (is.numeric(x) && !anyNA(x) && all(x == floor(x))) return(input)
  value_error(sprintf("`input` must hold positions from 1, whole numbers without NA, not %s.", describe_value(input)), call)
}

#' Look-up tables whose rows are summed
#'
#' Looks up rows of a table and sums, averages or maximises them by bags. This is [nnf_embedding()] and a reduction in
#' one, without the tensor between them.
#'
#' @inheritParams nnf_embedding
#' @param input int64 positions that count from 1: of shape `(B, N)` for B bags of N, or `(N)` with `offsets`.
#' @param offsets where each bag begins: how many elements of a 1-d `input` come before it. The first is 0.
#' @param mode `"sum"`, `"mean"` or `"max"`.
#' @param per_sample_weights factors of the shape of `input`, for `"sum"` only.
#' @param include_last_offset whether the last element of `offsets` is the end of `input`.
#' @param padding_idx position, from 1, of a row that takes no part.
#' @returns A tensor of shape `(B, embedding_dim)`.
#' @source LibTorch's `embedding_bag`.
#' @examplesIf torch::torch_is_installed()
#' indices <- torch_tensor(c(1L, 3L, 2L))
#' nnf_embedding_bag(indices, torch_eye(3), offsets = torch_tensor(c(0L, 2L)), mode = "sum")
#' @export
nnf_embedding_bag <- function(input, weight, offsets = NULL, max_norm = NULL, norm_type = 2, scale_grad_by_freq = FALSE,
                              mode = "mean", sparse = FALSE, per_sample_weights = NULL, include_last_offset = FALSE,
                              padding_idx = NULL) {
  check_tensor(input, "input")
  check_choice(mode, c("sum", "mean", "max"), "mode")
  ndim <- length(.Call(C_shape, input))
  if (!ndim %in% 1:2) value_error(sprintf("`input` must have 1 or 2 dimensions, not %d.", ndim))
  if ((ndim == 2) != is.null(offsets)) {
    value_error("`offsets` must be given for an `input` of 1 dimension, and must not for one of 2.")
  }
  if (!is.null(per_sample_weights)) {
    if (mode != "sum") value_error(sprintf("`per_sample_weights` is for the mode \"sum\", not \"%s\".", mode))
    if (!identical(.Call(C_shape, per_sample_weights), .Call(C_shape, input))) {
      value_error("`per_sample_weights` must have the shape of `input`.")
    }
    per_sample_weights <- torch_flatten(per_sample_weights)
  }
  if (ndim == 2) {
    width <- input$size(2)
    offsets <- (torch_arange(1L, input$size(1), dtype = torch_long(), device = input$device) - 1L) * width
    input <- torch_flatten(input)
  }
  input <- as_positions(input)
  if (!is.null(max_norm)) {
    with_no_grad(torch_embedding_renorm_(weight, input$contiguous(), max_norm, norm_type))
  }
  torch_embedding_bag(
    weight, input, offsets, scale_grad_by_freq, c(sum = 0L, mean = 1L, max = 2L)[[mode]], sparse, per_sample_weights,
    include_last_offset, if (is.null(padding_idx)) NULL else row_of_table(padding_idx, weight)
  )[[1]]
}

# Rows count from 1. LibTorch writes -1 for no row.
row_of_table <- function(row, table) {
  if (is.null(row)) -1L else if (row > 0) row else row + .Call(C_shape, table)[[1L]] + 1
}

#' @rdname nnf_embedding
#' @export
nnf_one_hot <- function(tensor, num_classes = -1) torch_one_hot(tensor, num_classes)

# ---- Distances ----

#' Distances
#'
#' @param x1,x2 tensors of the same shape, or shapes that broadcast.
#' @param input tensor of shape `(N, M)`.
#' @param dim dimension of the vectors, from 1.
#' @param p exponent of the norm.
#' @param eps avoids division by zero.
#' @param keepdim whether the last dimension is kept with size 1.
#' @returns `nnf_cosine_similarity()`, `nnf_pairwise_distance()`: a tensor without the dimension of the vectors;
#'   `nnf_pdist()`: the distances of all pairs of rows, of shape `(N * (N - 1) / 2)`.
#' @examplesIf torch::torch_is_installed()
#' nnf_pdist(torch_eye(3))
#' @export
nnf_cosine_similarity <- function(x1, x2, dim = 2, eps = 1e-8) torch_cosine_similarity(x1, x2, dim, eps)

#' @rdname nnf_cosine_similarity
#' @export
nnf_pairwise_distance <- function(x1, x2, p = 2, eps = 1e-6, keepdim = FALSE) {
  torch_pairwise_distance(x1, x2, p, eps, keepdim)
}

#' @rdname nnf_cosine_similarity
#' @export
nnf_pdist <- function(input, p = 2) torch_pdist(input, p)

# ---- Convolution ----

#' Convolution
#'
#' Cross-correlation of `input` with the kernels in `weight`, in 1, 2 or 3 dimensions of space; `nnf_conv_transpose*d()`
#' is the gradient of the convolution with respect to its input. `nnf_conv_tbc()` takes 1-d input as (time, batch,
#' channels).
#'
#' @param input tensor of shape `(N, C_in, ...)`, or `(C_in, ...)` without a batch dimension.
#' @param weight kernels, of shape `(C_out, C_in / groups, ...)`, for the transposed ones `(C_in, C_out / groups, ...)`,
#'   for `nnf_conv_tbc()` `(kernel, C_in, C_out)`.
#' @param bias tensor of shape `(C_out)`, or `NULL`.
#' @param stride,padding,dilation,output_padding,pad one number, or one for each dimension of space; `padding` may also
#'   be `"valid"` or `"same"`.
#' @param groups number of groups of channels that are convolved separately.
#' @returns A tensor of shape `(N, C_out, ...)`.
#' @examplesIf torch::torch_is_installed()
#' nnf_conv1d(torch_ones(1, 1, 5), torch_ones(1, 1, 3))
#' @export
nnf_conv1d <- function(input, weight, bias = NULL, stride = 1, padding = 0, dilation = 1, groups = 1) {
  torch_conv1d(input, weight, bias, stride, padding, dilation, groups)
}

#' @rdname nnf_conv1d
#' @export
nnf_conv2d <- function(input, weight, bias = NULL, stride = 1, padding = 0, dilation = 1, groups = 1) {
  torch_conv2d(input, weight, bias, stride, padding, dilation, groups)
}

#' @rdname nnf_conv1d
#' @export
nnf_conv3d <- function(input, weight, bias = NULL, stride = 1, padding = 0, dilation = 1, groups = 1) {
  torch_conv3d(input, weight, bias, stride, padding, dilation, groups)
}

#' @rdname nnf_conv1d
#' @export
nnf_conv_transpose1d <- function(input, weight, bias = NULL, stride = 1, padding = 0, output_padding = 0,
                                 groups = 1, dilation = 1) {
  torch_conv_transpose1d(input, weight, bias, stride, padding, output_padding, groups, dilation)
}

#' @rdname nnf_conv1d
#' @export
nnf_conv_transpose2d <- function(input, weight, bias = NULL, stride = 1, padding = 0, output_padding = 0,
                                 groups = 1, dilation = 1) {
  torch_conv_transpose2d(input, weight, bias, stride, padding, output_padding, groups, dilation)
}

#' @rdname nnf_conv1d
#' @export
nnf_conv_transpose3d <- function(input, weight, bias = NULL, stride = 1, padding = 0, output_padding = 0,
                                 groups = 1, dilation = 1) {
  torch_conv_transpose3d(input, weight, bias, stride, padding, output_padding, groups, dilation)
}

#' @rdname nnf_conv1d
#' @export
nnf_conv_tbc <- function(input, weight, bias, pad = 0) torch_conv_tbc(input, weight, bias, pad)
