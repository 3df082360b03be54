# Layers that learn the size of their input when they first see one.

#' @include nn-layers.R
NULL

#' Layers that take their input's size
#'
#' `nn_lazy_linear()` is [nn_linear()] without `in_features`, and so on. The layer has no parameters until it is first
#' called, or loads a state dict. It then makes them for the size of that input, on its device, or for that state. Call the
#' model once before you hand its parameters to an optimiser, count or save them.
#'
#' @param out_features,bias,out_channels,kernel_size,stride,padding,dilation,groups,padding_mode,output_padding As the
#'   layer of the same name without `lazy` has them.
#' @param eps,momentum,affine,track_running_stats As [nn_batch_norm1d()] and its like have them.
#' @returns A module that also has the class of that layer.
#' @examplesIf torch::torch_is_installed()
#' model <- nn_sequential(nn_lazy_linear(8), nn_relu(), nn_lazy_linear(1))
#' model(torch_randn(2, 3))
#' model$parameters[[1]]$shape
#' @name nn_lazy
#' @aliases nn_lazy_linear
NULL

# `size_of` finds in the shape of an input what the layer's first argument would have been, `size_of_weight` in the shape of its
# weight; statistics of batches have the size alone.
lazy_module <- function(layer, size_of, size_of_weight = function(shape, settings) shape[1L]) {
  settings <- formals(layer)[-1]
  nn_module(
    sub("^nn_", "nn_lazy_", class(layer)[1]), layer,
    initialize = new_function(settings, expr(private$settings <- list(!!!set_names(syms(names(settings)), names(settings))))),
    forward = function(input, ...) {
      if (!is.null(private$settings)) private$materialise(input)
      super$forward(input, ...)
    },
    .load_from_state_dict = function(state_dict, prefix) {
      found <- state_dict[[paste0(prefix, "weight")]] %||% state_dict[[paste0(prefix, "running_mean")]]
      if (!is.null(private$settings) && is_torch_tensor(found)) private$make(size_of_weight(.Call(C_shape, found), private$settings))
      if (is.null(private$settings)) load_own_state(self, state_dict, prefix) else note_missing(paste0(prefix, "weight"))
    },
    private = list(
      settings = NULL,
      materialise = function(input) {
        if (cpp_is_tracing()) runtime_error("This layer has no parameters yet: call the model once before it is traced.")
        check_tensor(input, "input")
        size <- size_of(.Call(C_shape, input))
        if (length(size) != 1 || is.na(size)) value_error("`input` has too few dimensions.")
        private$make(size)
        self$to(dtype = if (input$is_floating_point()) input$dtype, device = input$device)
      },
      make = function(size) {
        # The size may depend on the settings.
        force(size)
        settings <- private$settings
        private$settings <- NULL
        do.call(super$initialize, c(list(size), settings))
      }
    ),
    parent_env = environment()
  )
}

last_dim <- function(shape) shape[length(shape)]
second_dim <- function(shape) shape[2]
# The channels of input with or without a batch.
dim_before <- function(space) {
  force(space)
  function(shape) shape[length(shape) - space]
}

channels_of_filters <- function(shape, settings) shape[2L] * (settings$groups %||% 1L)

#' @rdname nn_lazy
#' @export
nn_lazy_linear <- lazy_module(nn_linear, last_dim, function(shape, settings) shape[2L])

#' @rdname nn_lazy
#' @export
nn_lazy_conv1d <- lazy_module(nn_conv1d, dim_before(1L), channels_of_filters)

#' @rdname nn_lazy
#' @export
nn_lazy_conv2d <- lazy_module(nn_conv2d, dim_before(2L), channels_of_filters)

#' @rdname nn_lazy
#' @export
nn_lazy_conv3d <- lazy_module(nn_conv3d, dim_before(3L), channels_of_filters)

#' @rdname nn_lazy
#' @export
nn_lazy_conv_transpose1d <- lazy_module(nn_conv_transpose1d, dim_before(1L))

#' @rdname nn_lazy
#' @export
nn_lazy_conv_transpose2d <- lazy_module(nn_conv_transpose2d, dim_before(2L))

#' @rdname nn_lazy
#' @export
nn_lazy_conv_transpose3d <- lazy_module(nn_conv_transpose3d, dim_before(3L))

#' @rdname nn_lazy
#' @export
nn_lazy_batch_norm1d <- lazy_module(nn_batch_norm1d, second_dim)

#' @rdname nn_lazy
#' @export
nn_lazy_batch_norm2d <- lazy_module(nn_batch_norm2d, second_dim)

#' @rdname nn_lazy
#' @export
nn_lazy_batch_norm3d <- lazy_module(nn_batch_norm3d, second_dim)

#' @rdname nn_lazy
#' @export
nn_lazy_instance_norm1d <- lazy_module(nn_instance_norm1d, dim_before(1L))

#' @rdname nn_lazy
#' @export
nn_lazy_instance_norm2d <- lazy_module(nn_instance_norm2d, dim_before(2L))

#' @rdname nn_lazy
#' @export
nn_lazy_instance_norm3d <- lazy_module(nn_instance_norm3d, dim_before(3L))
