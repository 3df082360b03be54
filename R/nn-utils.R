# Functions for all parameters of a network together.

#' Gradients within bounds
#'
#' `nn_utils_clip_grad_norm_()` scales all gradients by one factor so that together they have at most the norm `max_norm`;
#' `nn_utils_clip_grad_value_()` moves each element into an interval. Both change the gradients themselves.
#'
#' @param parameters a tensor or a list of tensors; those without a gradient are left out.
#' @param max_norm largest norm of all gradients together.
#' @param norm_type exponent of the norm; `Inf` for the largest absolute value.
#' @param error_if_nonfinite whether a norm that is NaN or infinite is a `runtime_error`.
#' @param clip_value largest absolute value of an element.
#' @returns `nn_utils_clip_grad_norm_()`, `nn_utils_get_total_norm()`: the norm as it was, a 0-d tensor;
#'   `nn_utils_clip_grad_value_()` nothing.
#' @source Pascanu, Mikolov and Bengio (2013), On the difficulty of training recurrent neural networks.
#' @examplesIf torch::torch_is_installed()
#' w <- torch_tensor(c(3, 4), requires_grad = TRUE)
#' sum(w * w / 2)$backward()
#' nn_utils_clip_grad_norm_(w, 1)
#' w$grad
#' @export
nn_utils_clip_grad_norm_ <- function(parameters, max_norm, norm_type = 2, error_if_nonfinite = FALSE) {
  grads <- gradients_of(parameters)
  check_setting("max_norm", max_norm, not_negative)
  if (is_torch_tensor(max_norm)) max_norm <- max_norm$reshape(integer())
  total <- nn_utils_get_total_norm(grads, norm_type, error_if_nonfinite)
  # The factor is 1 if nothing has to be clipped. Multiplying by it costs less than asking.
  factor <- torch_clamp(max_norm / (total + 1e-6), max = 1)
  # Older LibTorchs take a list of factors, but not one tensor for all.
  if (length(grads)) with_no_grad(torch__foreach_mul_(grads, other = rep(list(factor), length(grads))))
  total
}

#' @rdname nn_utils_clip_grad_norm_
#' @param tensors a tensor or a list of tensors.
#' @export
nn_utils_get_total_norm <- function(tensors, norm_type = 2, error_if_nonfinite = FALSE) {
  tensors <- as_tensors(tensors, "tensors")
  check_setting("norm_type", norm_type)
  check_switch(error_if_nonfinite, "error_if_nonfinite")
  if (!length(tensors)) return(torch_tensor(0))
  total <- with_no_grad(linalg_vector_norm(torch_stack(torch__foreach_norm(tensors, norm_type)), norm_type))
  if (error_if_nonfinite && !as.logical(torch_isfinite(total))) {
    runtime_error(sprintf("The norm of the gradients is %s.", format(as.numeric(total))))
  }
  total
}

#' @rdname nn_utils_clip_grad_norm_
#' @export
nn_utils_clip_grad_value_ <- function(parameters, clip_value) {
  grads <- gradients_of(parameters)
  check_setting("clip_value", clip_value, not_negative)
  if (length(grads)) {
    with_no_grad({
      torch__foreach_clamp_min_(grads, scalar = -clip_value)
      torch__foreach_clamp_max_(grads, scalar = clip_value)
    })
  }
  invisible()
}

as_tensors <- function(x, arg, call = caller_env()) {
  if (is_torch_tensor(x)) return(list(x))
  if (is.list(x) && all(vapply(x, is_torch_tensor, NA))) return(x)
  type_error(sprintf("`%s` must be a tensor or a list of tensors, not %s.", arg, friendly_type(x)), call)
}

gradients_of <- function(parameters, call = caller_env()) {
  unname(Filter(Negate(is.null), grads_of(as_tensors(parameters, "parameters", call))))
}

#' Parameters as one vector
#'
#' `nn_utils_parameters_to_vector()` puts all elements into one vector, with gradients; `nn_utils_vector_to_parameters()` copies
#' the elements of such a vector back.
#'
#' @param parameters a list of tensors.
#' @param vec a 1-d tensor with as many elements as all parameters together.
#' @returns A 1-d tensor; `nn_utils_vector_to_parameters()` nothing.
#' @examplesIf torch::torch_is_installed()
#' model <- nn_linear(2, 1)
#' weights <- nn_utils_parameters_to_vector(model$parameters)
#' nn_utils_vector_to_parameters(weights * 0, model$parameters)
#' model$weight
#' @export
nn_utils_parameters_to_vector <- function(parameters) torch_cat(lapply(unname(as_tensors(parameters, "parameters")), torch_flatten))

#' @rdname nn_utils_parameters_to_vector
#' @export
nn_utils_vector_to_parameters <- function(vec, parameters) {
  check_tensor(vec, "vec")
  parameters <- as_tensors(parameters, "parameters")
  sizes <- vapply(parameters, function(x) prod(.Call(C_shape, x)), 0)
  if (!identical(as.numeric(.Call(C_shape, vec)), sum(sizes))) {
    value_error(sprintf("`vec` must be a vector of %s elements, as the parameters have.", format(sum(sizes))))
  }
  parts <- torch_split(vec, sizes)
  with_no_grad(Map(function(x, part) x$copy_(part$view_as(x)), parameters, parts))
  invisible()
}

#' A convolution and a batch norm as one layer
#'
#' In evaluation a batch norm multiplies each channel by a number and adds another one. After a convolution or a
#' linear layer, the weights of that layer can do both.
#'
#' @param conv,linear a layer, in evaluation mode; stays as it is.
#' @param bn the batch norm behind it, in evaluation mode.
#' @returns A layer of the same class, in evaluation mode, that computes both.
#' @examplesIf torch::torch_is_installed()
#' conv <- nn_conv2d(1, 2, 3)$eval()
#' norm <- nn_batch_norm2d(2)$eval()
#' x <- torch_randn(1, 1, 5, 5)
#' all.equal(nn_utils_fuse_conv_bn_eval(conv, norm)(x), norm(conv(x)), tolerance = 1e-5)
#' @export
nn_utils_fuse_conv_bn_eval <- function(conv, bn) fuse_norm(conv, bn, if (isTRUE(conv$transposed)) 2L else 1L)

#' @rdname nn_utils_fuse_conv_bn_eval
#' @export
nn_utils_fuse_linear_bn_eval <- function(linear, bn) fuse_norm(linear, bn, 1L)

fuse_norm <- function(layer, norm, dim, call = caller_env()) {
  if (layer$training || norm$training) value_error("Both layers must be in evaluation mode: call `$eval()`.", call)
  if (is.null(norm$running_mean)) value_error("`bn` must have running statistics.", call)
  out <- layer$clone(deep = TRUE)
  with_no_grad({
    factor <- torch_rsqrt(norm$running_var + norm$eps)
    if (!is.null(norm$weight)) factor <- factor * norm$weight
    shape <- replace(rep(1L, length(dim(layer$weight))), dim, -1L)
    weight <- layer$weight * factor$reshape(shape)
    bias <- (if (is.null(layer$bias)) 0 else layer$bias) - norm$running_mean
    bias <- bias * factor
    if (!is.null(norm$bias)) bias <- bias + norm$bias
  })
  out$register_parameter("weight", nn_parameter(weight$detach()))
  out$register_parameter("bias", nn_parameter(bias$detach()))
  out
}
