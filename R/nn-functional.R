# Modules that are one call of a function: activations, losses, pooling, distances. They hold the function's settings as
# fields and nothing else, so they are made from its name and the settings.

#' @include nn-module.R nn-settings.R
NULL

# `settings` are the formals of `initialize`, `inputs` those of `forward`, or their names. Tensors among the settings (class
# weights) become buffers, so that they move with the module. With `training`, the function gets the module's mode.
# `inherit` is a generator whose class the module has too. `checks` are of settings that mean something else than in other
# layers, see `setting_checks`.
functional_module <- function(classname, fn, settings = alist(), inputs = "input", training = FALSE, inherit = nn_Module,
                              checks = list()) {
  fields <- lapply(set_names(names2(settings)), function(name) expr(self[[!!name]]))
  if (training) {
    fields$training <- expr(self$training)
  }
  if (is.character(inputs)) inputs <- set_names(rep_len(list(missing_arg()), length(inputs)), inputs)
  # Those without a default come first, and go by place.
  required <- vapply(inputs, is_missing, NA)
  by_name <- c(unname(syms(names(inputs)[required])), set_names(syms(names(inputs)[!required]), names(inputs)[!required]))
  env <- topenv()
  nn_module(
    classname, inherit,
    initialize = new_function(as.pairlist(settings), if (length(settings)) expr(keep_settings(checks = !!checks)) else quote({}), env),
    forward = new_function(as.pairlist(inputs), expr((!!ensym(fn))(!!!by_name, !!!fields)), env),
    parent_env = env
  )
}

#' Activation modules
#'
#' Modules that apply an activation function; the functions themselves are in [nnf_relu()]. `nn_prelu()` has a learned
#' slope, all others no parameters. `nn_contrib_sparsemax()` is a softmax with zeros. `nn_softmax2d()` is a softmax over the channels of an image `(N, C, H, W)`.
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
    keep_settings(except = "init")
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
nn_mish <- functional_module("nn_mish", nnf_mish, alist(inplace = FALSE))

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
nn_relu6 <- functional_module("nn_relu6", nnf_relu6, alist(inplace = FALSE), inherit = nn_hardtanh)

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
nn_contrib_sparsemax <- functional_module("nn_contrib_sparsemax", nnf_contrib_sparsemax, alist(dim = -1))

#' @rdname nn_activation
#' @export
nn_softmax2d <- nn_module("nn_softmax2d", forward = function(input) nnf_softmax(input, dim = -3L))

#' @rdname nn_activation
#' @export
nn_glu <- functional_module("nn_glu", nnf_glu, alist(dim = -1))

nn_dropout_nd <- nn_module(
  "nn_dropout_nd", initialize = function(p = 0.5, inplace = FALSE) keep_settings(checks = list(p = probability))
)

dropout_module <- function(classname, fn) {
  inject(functional_module(classname, !!ensym(fn), alist(p = 0.5, inplace = FALSE), training = TRUE, inherit = nn_dropout_nd, checks = list(p = probability)))
}

#' Dropout modules
#'
#' In training, drop elements (`nn_dropout()`) or channels of series, images and volumes; in evaluation they return their
#' input. `nn_alpha_dropout()` and, by channels, `nn_feature_alpha_dropout()` keep mean and variance. See [nnf_dropout()].
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
nn_dropout <- dropout_module("nn_dropout", nnf_dropout)

#' @rdname nn_dropout
#' @export
nn_dropout1d <- dropout_module("nn_dropout1d", nnf_dropout1d)

#' @rdname nn_dropout
#' @export
nn_dropout2d <- dropout_module("nn_dropout2d", nnf_dropout2d)

#' @rdname nn_dropout
#' @export
nn_dropout3d <- dropout_module("nn_dropout3d", nnf_dropout3d)

#' @rdname nn_dropout
#' @export
nn_alpha_dropout <- dropout_module("nn_alpha_dropout", nnf_alpha_dropout)

#' @rdname nn_dropout
#' @export
nn_feature_alpha_dropout <- dropout_module("nn_feature_alpha_dropout", nnf_feature_alpha_dropout)

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
  initialize = function(dim, unflattened_size) keep_settings(),
  forward = function(input) input$unflatten(self$dim, self$unflattened_size)
)

#' @rdname nn_flatten
#' @export
nn_identity <- nn_module("nn_identity", initialize = function(...) {}, forward = function(input) input)
