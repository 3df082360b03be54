# Modules that are one call of a function: activations, losses, pooling, distances. They hold the function's settings as
# fields and nothing else, so they are made from its name and the settings.

#' @include nn-module.R
NULL

# `settings` are the formals of `initialize`, `inputs` the arguments of `forward`. Tensors among the settings (class
# weights) become buffers, so that they move with the module. With `training`, the function gets the module's mode.
functional_module <- function(classname, fn, settings = alist(), inputs = "input", training = FALSE) {
  fields <- lapply(set_names(names2(settings)), function(name) expr(self[[!!name]]))
  if (training) {
    fields$training <- expr(self$training)
  }
  keep <- lapply(names(settings), function(name) expr(self[[!!name]] <- as_setting(!!sym(name))))
  env <- topenv()
  nn_module(
    classname,
    initialize = new_function(as.pairlist(settings), expr({ !!!keep }), env),
    forward = new_function(
      pairlist2(!!!set_names(rep_len(list(missing_arg()), length(inputs)), inputs)),
      expr((!!ensym(fn))(!!!syms(inputs), !!!fields)),
      env
    ),
    parent_env = env
  )
}

as_setting <- function(x) if (is_torch_tensor(x)) nn_buffer(x) else x

#' Activation modules
#'
#' Modules that apply an activation function; the functions themselves are in [nnf_relu()]. `nn_prelu()` has a learned
#' slope, all others no parameters. `nn_softmax2d()` is a softmax over the channels of an image `(N, C, H, W)`.
#'
#' @param inplace whether the input itself is changed.
#' @param alpha,negative_slope,lower,upper,min_val,max_val,lambd,beta,threshold,value constants of the function.
#' @param num_parameters 1, or the number of channels for one slope each.
#' @param init initial slope.
#' @param approximate `"none"`, or `"tanh"` for an approximation.
#' @param dim dimension, from 1; negative from the last.
#' @returns A module whose `forward(input)` returns a tensor of the shape of `input`.
#' @examplesIf torch::torch_is_installed()
#' relu <- nn_relu()
#' relu(torch_tensor(c(-1, 1)))
#' @name nn_activation
#' @aliases nn_relu
NULL

#' @rdname nn_activation
#' @export
nn_relu <- functional_module("nn_relu", nnf_relu, alist(inplace = FALSE))

#' @rdname nn_activation
#' @export
nn_relu6 <- functional_module("nn_relu6", nnf_relu6, alist(inplace = FALSE))

#' @rdname nn_activation
#' @export
nn_leaky_relu <- functional_module("nn_leaky_relu", nnf_leaky_relu, alist(negative_slope = 0.01, inplace = FALSE))

#' @rdname nn_activation
#' @export
nn_rrelu <- functional_module(
  "nn_rrelu", nnf_rrelu, alist(lower = 1 / 8, upper = 1 / 3, inplace = FALSE), training = TRUE
)

#' @rdname nn_activation
#' @export
nn_prelu <- nn_module(
  "nn_prelu",
  initialize = function(num_parameters = 1, init = 0.25) {
    self$num_parameters <- num_parameters
    self$weight <- nn_parameter(torch_full(num_parameters, init))
  },
  forward = function(input) nnf_prelu(input, self$weight)
)

#' @rdname nn_activation
#' @export
nn_elu <- functional_module("nn_elu", nnf_elu, alist(alpha = 1, inplace = FALSE))

#' @rdname nn_activation
#' @export
nn_celu <- functional_module("nn_celu", nnf_celu, alist(alpha = 1, inplace = FALSE))

#' @rdname nn_activation
#' @export
nn_selu <- functional_module("nn_selu", nnf_selu, alist(inplace = FALSE))

#' @rdname nn_activation
#' @export
nn_gelu <- functional_module("nn_gelu", nnf_gelu, alist(approximate = "none"))

#' @rdname nn_activation
#' @export
nn_silu <- functional_module("nn_silu", nnf_silu, alist(inplace = FALSE))

#' @rdname nn_activation
#' @export
nn_sigmoid <- functional_module("nn_sigmoid", torch_sigmoid)

#' @rdname nn_activation
#' @export
nn_tanh <- functional_module("nn_tanh", torch_tanh)

#' @rdname nn_activation
#' @export
nn_hardtanh <- functional_module("nn_hardtanh", nnf_hardtanh, alist(min_val = -1, max_val = 1, inplace = FALSE))

#' @rdname nn_activation
#' @export
nn_hardsigmoid <- functional_module("nn_hardsigmoid", nnf_hardsigmoid)

#' @rdname nn_activation
#' @export
nn_hardswish <- functional_module("nn_hardswish", nnf_hardswish)

#' @rdname nn_activation
#' @export
nn_log_sigmoid <- functional_module("nn_log_sigmoid", nnf_logsigmoid)

#' @rdname nn_activation
#' @export
nn_softplus <- functional_module("nn_softplus", nnf_softplus, alist(beta = 1, threshold = 20))

#' @rdname nn_activation
#' @export
nn_softsign <- functional_module("nn_softsign", nnf_softsign)

#' @rdname nn_activation
#' @export
nn_tanhshrink <- functional_module("nn_tanhshrink", nnf_tanhshrink)

#' @rdname nn_activation
#' @export
nn_softshrink <- functional_module("nn_softshrink", nnf_softshrink, alist(lambd = 0.5))

#' @rdname nn_activation
#' @export
nn_hardshrink <- functional_module("nn_hardshrink", nnf_hardshrink, alist(lambd = 0.5))

#' @rdname nn_activation
#' @export
nn_threshold <- functional_module("nn_threshold", nnf_threshold, alist(threshold = , value = , inplace = FALSE))

#' @rdname nn_activation
#' @export
nn_softmax <- functional_module("nn_softmax", nnf_softmax, alist(dim = ))

#' @rdname nn_activation
#' @export
nn_log_softmax <- functional_module("nn_log_softmax", nnf_log_softmax, alist(dim = ))

#' @rdname nn_activation
#' @export
nn_softmin <- functional_module("nn_softmin", nnf_softmin, alist(dim = ))

#' @rdname nn_activation
#' @export
nn_softmax2d <- nn_module("nn_softmax2d", forward = function(input) nnf_softmax(input, dim = -3L))

#' @rdname nn_activation
#' @export
nn_glu <- functional_module("nn_glu", nnf_glu, alist(dim = -1))

#' Dropout modules
#'
#' In training, drop elements (`nn_dropout()`) or channels of images and volumes; in evaluation they return their input.
#' See [nnf_dropout()].
#'
#' @param p probability of an element to be dropped.
#' @param inplace whether the input itself is changed.
#' @returns A module whose `forward(input)` returns a tensor of the shape of `input`.
#' @examplesIf torch::torch_is_installed()
#' drop <- nn_dropout(0.5)
#' drop(torch_ones(4))
#' drop$eval()
#' drop(torch_ones(4))
#' @export
nn_dropout <- functional_module("nn_dropout", nnf_dropout, alist(p = 0.5, inplace = FALSE), training = TRUE)

#' @rdname nn_dropout
#' @export
nn_dropout2d <- functional_module("nn_dropout2d", nnf_dropout2d, alist(p = 0.5, inplace = FALSE), training = TRUE)

#' @rdname nn_dropout
#' @export
nn_dropout3d <- functional_module("nn_dropout3d", nnf_dropout3d, alist(p = 0.5, inplace = FALSE), training = TRUE)

#' Modules that change the shape
#'
#' `nn_flatten()` merges the dimensions from `start_dim` to `end_dim` into one, `nn_unflatten()` splits one.
#' `nn_identity()` returns its input, whatever it was created with.
#'
#' @param start_dim,end_dim,dim dimensions, from 1; negative from the last.
#' @param unflattened_size sizes of the new dimensions.
#' @param ... ignored.
#' @returns A module with the method `forward(input)`.
#' @examplesIf torch::torch_is_installed()
#' nn_flatten()(torch_ones(2, 3, 4))$shape
#' @export
nn_flatten <- functional_module("nn_flatten", torch_flatten, alist(start_dim = 2, end_dim = -1))

#' @rdname nn_flatten
#' @export
nn_unflatten <- nn_module(
  "nn_unflatten",
  initialize = function(dim, unflattened_size) {
    self$dim <- dim
    self$unflattened_size <- unflattened_size
  },
  forward = function(input) input$unflatten(self$dim, self$unflattened_size)
)

#' @rdname nn_flatten
#' @export
nn_identity <- nn_module("nn_identity", initialize = function(...) {}, forward = function(input) input)

#' Pooling modules
#'
#' Maximum or mean over windows; the functions are in [nnf_max_pool1d()].
#'
#' @inheritParams nnf_max_pool1d
#' @returns A module whose `forward(input)` takes and returns a tensor of shape `(N, C, ...)`.
#' @examplesIf torch::torch_is_installed()
#' nn_max_pool2d(2)(torch_randn(1, 3, 8, 8))$shape
#' @export
nn_max_pool1d <- functional_module("nn_max_pool1d", nnf_max_pool1d, alist(
  kernel_size = , stride = NULL, padding = 0, dilation = 1, return_indices = FALSE, ceil_mode = FALSE
))

#' @rdname nn_max_pool1d
#' @export
nn_max_pool2d <- functional_module("nn_max_pool2d", nnf_max_pool2d, alist(
  kernel_size = , stride = NULL, padding = 0, dilation = 1, return_indices = FALSE, ceil_mode = FALSE
))

#' @rdname nn_max_pool1d
#' @export
nn_max_pool3d <- functional_module("nn_max_pool3d", nnf_max_pool3d, alist(
  kernel_size = , stride = NULL, padding = 0, dilation = 1, return_indices = FALSE, ceil_mode = FALSE
))

#' @rdname nn_max_pool1d
#' @export
nn_avg_pool1d <- functional_module("nn_avg_pool1d", nnf_avg_pool1d, alist(
  kernel_size = , stride = NULL, padding = 0, ceil_mode = FALSE, count_include_pad = TRUE
))

#' @rdname nn_max_pool1d
#' @export
nn_avg_pool2d <- functional_module("nn_avg_pool2d", nnf_avg_pool2d, alist(
  kernel_size = , stride = NULL, padding = 0, ceil_mode = FALSE, count_include_pad = TRUE, divisor_override = NULL
))

#' @rdname nn_max_pool1d
#' @export
nn_avg_pool3d <- functional_module("nn_avg_pool3d", nnf_avg_pool3d, alist(
  kernel_size = , stride = NULL, padding = 0, ceil_mode = FALSE, count_include_pad = TRUE, divisor_override = NULL
))

#' @rdname nn_max_pool1d
#' @export
nn_adaptive_max_pool1d <- functional_module(
  "nn_adaptive_max_pool1d", nnf_adaptive_max_pool1d, alist(output_size = , return_indices = FALSE)
)

#' @rdname nn_max_pool1d
#' @export
nn_adaptive_max_pool2d <- functional_module(
  "nn_adaptive_max_pool2d", nnf_adaptive_max_pool2d, alist(output_size = , return_indices = FALSE)
)

#' @rdname nn_max_pool1d
#' @export
nn_adaptive_max_pool3d <- functional_module(
  "nn_adaptive_max_pool3d", nnf_adaptive_max_pool3d, alist(output_size = , return_indices = FALSE)
)

#' @rdname nn_max_pool1d
#' @export
nn_adaptive_avg_pool1d <- functional_module(
  "nn_adaptive_avg_pool1d", nnf_adaptive_avg_pool1d, alist(output_size = )
)

#' @rdname nn_max_pool1d
#' @export
nn_adaptive_avg_pool2d <- functional_module(
  "nn_adaptive_avg_pool2d", nnf_adaptive_avg_pool2d, alist(output_size = )
)

#' @rdname nn_max_pool1d
#' @export
nn_adaptive_avg_pool3d <- functional_module(
  "nn_adaptive_avg_pool3d", nnf_adaptive_avg_pool3d, alist(output_size = )
)
