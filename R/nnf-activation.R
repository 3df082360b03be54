# Activation functions. Most have a form that changes its argument, chosen by `inplace` or by a name that ends in `_`.

#' Activation functions
#'
#' Elementwise, except for the softmax family, `nnf_glu()` and `nnf_prelu()`. The modules of the same names are in
#' [nn_relu()].
#'
#' @details
#' | function | value at x |
#' |---|---|
#' | `nnf_relu()`, `nnf_relu6()` | max(0, x); at most 6 |
#' | `nnf_leaky_relu()`, `nnf_prelu()`, `nnf_rrelu()` | x, or a multiple of x where x < 0: fixed, learned, random |
#' | `nnf_elu()`, `nnf_celu()`, `nnf_selu()` | x, or an exponential approach to a negative bound where x < 0 |
#' | `nnf_gelu()`, `nnf_silu()` | x times the normal or the logistic distribution function |
#' | `nnf_hardtanh()`, `nnf_hardsigmoid()`, `nnf_hardswish()` | piecewise linear (quadratic) stand-ins |
#' | `nnf_sigmoid()`, `nnf_logsigmoid()` | 1 / (1 + exp(-x)); its logarithm |
#' | `nnf_softplus()` | log(1 + exp(beta x)) / beta; x where beta x > threshold |
#' | `nnf_softsign()`, `nnf_tanhshrink()` | x / (1 + abs(x)); x - tanh(x) |
#' | `nnf_softshrink()`, `nnf_hardshrink()` | 0 within +-lambd; outside x moved towards 0, or x |
#' | `nnf_threshold()` | x where x > threshold, else `value` |
#' | `nnf_softmax()`, `nnf_log_softmax()`, `nnf_softmin()` | exp(x) over its sum along `dim`; logarithm; of -x |
#' | `nnf_gumbel_softmax()` | a sample from the categorical distribution with these logits, differentiable |
#' | `nnf_glu()` | first half along `dim` times the sigmoid of the second |
#'
#' @param input,logits a tensor of a floating type.
#' @param inplace whether `input` itself is changed.
#' @param alpha,negative_slope,weight,lower,upper,min_val,max_val,lambd,beta,threshold,value constants of the function;
#'   `weight` is a tensor with one element, or one a channel.
#' @param training whether the slope of `nnf_rrelu()` is random; else it is the mean of `lower` and `upper`.
#' @param approximate `"none"`, or `"tanh"` for an approximation.
#' @param dim dimension, from 1; negative from the last. For `nnf_log_softmax()` `NULL` takes the first of tensors with
#'   0, 1 or 3 dimensions, else the second.
#' @param dtype type to convert `input` to first, or `NULL`.
#' @param tau temperature.
#' @param hard whether the sample is one-hot (the gradient is that of the soft sample).
#' @returns A tensor of the shape of `input` (`nnf_glu()`: half the size along `dim`).
#' @examplesIf torch::torch_is_installed()
#' x <- torch_tensor(c(-1, 0, 2))
#' nnf_relu(x)
#' nnf_softmax(x, dim = 1)
#' @export
nnf_relu <- function(input, inplace = FALSE) if (inplace) torch_relu_(input) else torch_relu(input)

#' @rdname nnf_relu
#' @export
nnf_relu_ <- function(input) torch_relu_(input)

#' @rdname nnf_relu
#' @export
nnf_relu6 <- function(input, inplace = FALSE) if (inplace) torch_relu6_(input) else torch_relu6(input)

#' @rdname nnf_relu
#' @export
nnf_leaky_relu <- function(input, negative_slope = 0.01, inplace = FALSE) {
  if (inplace) torch_leaky_relu_(input, negative_slope) else torch_leaky_relu(input, negative_slope)
}

#' @rdname nnf_relu
#' @export
nnf_prelu <- function(input, weight) torch_prelu(input, weight)

#' @rdname nnf_relu
#' @export
nnf_rrelu <- function(input, lower = 1 / 8, upper = 1 / 3, training = FALSE, inplace = FALSE) {
  if (inplace) torch_rrelu_(input, lower, upper, training) else torch_rrelu(input, lower, upper, training)
}

#' @rdname nnf_relu
#' @export
nnf_rrelu_ <- function(input, lower = 1 / 8, upper = 1 / 3, training = FALSE) {
  torch_rrelu_(input, lower, upper, training)
}

#' @rdname nnf_relu
#' @export
nnf_elu <- function(input, alpha = 1, inplace = FALSE) {
  if (inplace) torch_elu_(input, alpha) else torch_elu(input, alpha)
}

#' @rdname nnf_relu
#' @export
nnf_elu_ <- function(input, alpha = 1) torch_elu_(input, alpha)

#' @rdname nnf_relu
#' @export
nnf_celu <- function(input, alpha = 1, inplace = FALSE) {
  if (inplace) torch_celu_(input, alpha) else torch_celu(input, alpha)
}

#' @rdname nnf_relu
#' @export
nnf_celu_ <- function(input, alpha = 1) torch_celu_(input, alpha)

#' @rdname nnf_relu
#' @export
nnf_selu <- function(input, inplace = FALSE) if (inplace) torch_selu_(input) else torch_selu(input)

#' @rdname nnf_relu
#' @export
nnf_selu_ <- function(input) torch_selu_(input)

#' @rdname nnf_relu
#' @export
nnf_gelu <- function(input, approximate = "none") torch_gelu(input, approximate = approximate)

#' @rdname nnf_relu
#' @export
nnf_silu <- function(input, inplace = FALSE) if (inplace) torch_silu_(input) else torch_silu(input)

#' @rdname nnf_relu
#' @export
nnf_hardtanh <- function(input, min_val = -1, max_val = 1, inplace = FALSE) {
  if (inplace) torch_hardtanh_(input, min_val, max_val) else torch_hardtanh(input, min_val, max_val)
}

#' @rdname nnf_relu
#' @export
nnf_hardtanh_ <- function(input, min_val = -1, max_val = 1) torch_hardtanh_(input, min_val, max_val)

#' @rdname nnf_relu
#' @export
nnf_hardsigmoid <- function(input, inplace = FALSE) {
  if (inplace) torch_hardsigmoid_(input) else torch_hardsigmoid(input)
}

#' @rdname nnf_relu
#' @export
nnf_hardswish <- function(input, inplace = FALSE) if (inplace) torch_hardswish_(input) else torch_hardswish(input)

#' @rdname nnf_relu
#' @export
nnf_sigmoid <- function(input) torch_sigmoid(input)

#' @rdname nnf_relu
#' @export
nnf_logsigmoid <- function(input) torch_log_sigmoid(input)

#' @rdname nnf_relu
#' @export
nnf_softplus <- function(input, beta = 1, threshold = 20) torch_softplus(input, beta, threshold)

#' @rdname nnf_relu
#' @export
nnf_softsign <- function(input) input / (torch_abs(input) + 1)

#' @rdname nnf_relu
#' @export
nnf_tanhshrink <- function(input) input - torch_tanh(input)

#' @rdname nnf_relu
#' @export
nnf_softshrink <- function(input, lambd = 0.5) torch_softshrink(input, lambd)

#' @rdname nnf_relu
#' @export
nnf_hardshrink <- function(input, lambd = 0.5) torch_hardshrink(input, lambd)

#' @rdname nnf_relu
#' @export
nnf_threshold <- function(input, threshold, value, inplace = FALSE) {
  if (inplace) torch_threshold_(input, threshold, value) else torch_threshold(input, threshold, value)
}

#' @rdname nnf_relu
#' @export
nnf_threshold_ <- function(input, threshold, value) torch_threshold_(input, threshold, value)

#' @rdname nnf_relu
#' @export
nnf_softmax <- function(input, dim, dtype = NULL) torch_softmax(input, dim, dtype)

#' @rdname nnf_relu
#' @export
nnf_log_softmax <- function(input, dim = NULL, dtype = NULL) {
  torch_log_softmax(input, dim %||% (if (length(.Call(C_shape, input)) %in% c(0L, 1L, 3L)) 1L else 2L), dtype)
}

#' @rdname nnf_relu
#' @export
nnf_softmin <- function(input, dim, dtype = NULL) torch_softmax(torch_neg(input), dim, dtype)

#' @rdname nnf_relu
#' @export
nnf_gumbel_softmax <- function(logits, tau = 1, hard = FALSE, dim = -1) {
  check_tensor(logits, "logits")
  noise <- -torch_empty_like(logits)$exponential_()$log()
  soft <- torch_softmax((logits + noise) / tau, dim)
  if (!hard) {
    return(soft)
  }
  one_hot <- torch_zeros_like(logits)$scatter_(dim, soft$argmax(dim, keepdim = TRUE), value = 1)
  one_hot - soft$detach() + soft
}

#' @rdname nnf_relu
#' @export
nnf_glu <- function(input, dim = -1) torch_glu(input, dim)

#' @rdname nnf_relu
#' @export
nnf_mish <- function(input, inplace = FALSE) if (inplace) torch_mish_(input) else torch_mish(input)

#' Softmax with zeros
#'
#' Gives the point of the simplex that is nearest to the input: non-negative numbers that sum to 1 along `dim`. Small
#' ones are exactly 0.
#'
#' @param input a floating tensor.
#' @param dim dimension, from 1; negative from the last.
#' @returns A tensor of the shape of `input`.
#' @source Martins and Astudillo (2016), From softmax to sparsemax: a sparse model of attention and multi-label classification.
#' @examplesIf torch::torch_is_installed()
#' nnf_contrib_sparsemax(torch_tensor(c(0.1, 1, 1.2)), dim = 1)
#' @export
nnf_contrib_sparsemax <- function(input, dim = -1) {
  input <- torch_transpose(input, dim, -1L)
  sorted <- torch_sort(input, dim = -1L, descending = TRUE)[[1]]
  sums <- torch_cumsum(sorted, -1L) - 1
  rank <- torch_arange(1L, input$size(-1), dtype = input$dtype, device = input$device)
  in_support <- rank * sorted > sums
  n <- torch_sum(in_support, dim = -1L, keepdim = TRUE)
  shift <- torch_gather(sums, -1L, n) / n
  torch_transpose(torch_relu(input - shift), dim, -1L)
}
