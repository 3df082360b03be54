# Modules that pad, resize and rearrange: settings of a function. See functional_module().

#' @include nn-functional.R nnf-image.R
NULL

#' Padding modules
#'
#' The modules put elements around the dimensions of space: a constant, zeros, the elements next to the edge mirrored
#' (`nn_reflection_pad*d()`), the edge repeated (`nn_replication_pad*d()`) or the other end (`nn_circular_pad*d()`).
#'
#' @param padding one number, or numbers before and after each dimension, beginning with the last. Negative
#'   ones cut off, before anything is repeated.
#' @param value what to pad with.
#' @returns A module whose `forward(input)` takes a tensor of shape `(N, C, ...)` or `(C, ...)` and returns a larger one. The field
#'   `padding` holds a number for each end.
#' @seealso [nnf_pad()]
#' @examplesIf torch::torch_is_installed()
#' nn_zero_pad2d(1)(torch_ones(1, 1, 2, 2))
#' @name nn_pad
#' @aliases nn_zero_pad2d
NULL

# A padding module of `ndim` dimensions of space.
pad_module <- function(kind, ndim, mode, value = NULL) {
  initialize <- if (kind == "constant") function(padding, value) private$pads(padding, value) else function(padding) private$pads(padding)
  nn_module(
    sprintf("nn_%s_pad%dd", kind, ndim),
    initialize = initialize,
    forward = function(input) nnf_pad(input, self$padding, private$mode, self$value),
    private = list(
      mode = mode, ndim = ndim, value = value,
      pads = function(padding, value = private$value) {
        ends <- 2L * private$ndim
        padding <- plain_setting(padding)
        if (!is.numeric(padding) || !length(padding) %in% c(1L, ends)) {
          value_error(sprintf("`padding` must be 1 number or %d numbers, not %s.", ends, friendly_type(padding)))
        }
        self$padding <- rep_len(padding, ends)
        self$value <- plain_setting(value)
      }
    ),
    parent_env = environment()
  )
}

#' @rdname nn_pad
#' @export
nn_constant_pad1d <- pad_module("constant", 1L, "constant")

#' @rdname nn_pad
#' @export
nn_constant_pad2d <- pad_module("constant", 2L, "constant")

#' @rdname nn_pad
#' @export
nn_constant_pad3d <- pad_module("constant", 3L, "constant")

#' @rdname nn_pad
#' @export
nn_zero_pad1d <- pad_module("zero", 1L, "constant", 0)

#' @rdname nn_pad
#' @export
nn_zero_pad2d <- pad_module("zero", 2L, "constant", 0)

#' @rdname nn_pad
#' @export
nn_zero_pad3d <- pad_module("zero", 3L, "constant", 0)

#' @rdname nn_pad
#' @export
nn_reflection_pad1d <- pad_module("reflection", 1L, "reflect")

#' @rdname nn_pad
#' @export
nn_reflection_pad2d <- pad_module("reflection", 2L, "reflect")

#' @rdname nn_pad
#' @export
nn_reflection_pad3d <- pad_module("reflection", 3L, "reflect")

#' @rdname nn_pad
#' @export
nn_replication_pad1d <- pad_module("replication", 1L, "replicate")

#' @rdname nn_pad
#' @export
nn_replication_pad2d <- pad_module("replication", 2L, "replicate")

#' @rdname nn_pad
#' @export
nn_replication_pad3d <- pad_module("replication", 3L, "replicate")

#' @rdname nn_pad
#' @export
nn_circular_pad1d <- pad_module("circular", 1L, "circular")

#' @rdname nn_pad
#' @export
nn_circular_pad2d <- pad_module("circular", 2L, "circular")

#' @rdname nn_pad
#' @export
nn_circular_pad3d <- pad_module("circular", 3L, "circular")

#' Resizing modules
#'
#' `nn_upsample()` makes series, images and volumes larger or smaller, `nn_upsampling_nearest2d()` and
#' `nn_upsampling_bilinear2d()` do it to images in one way; see [nnf_interpolate()].
#'
#' @inheritParams nnf_interpolate
#' @param align_corners for the linear and cubic modes; `NULL` is `FALSE`.
#' @returns A module whose `forward(input)` takes and returns a tensor of shape `(N, C, ...)`; each dimension of space
#'   becomes `size`, or `floor(L * scale_factor)`.
#' @examplesIf torch::torch_is_installed()
#' nn_upsample(scale_factor = 2)(torch_ones(1, 1, 2, 2))$shape
#' @export
nn_upsample <- nn_module(
  "nn_upsample",
  initialize = function(size = NULL, scale_factor = NULL, mode = "nearest", align_corners = NULL) keep_settings(),
  forward = function(input) nnf_interpolate(input, self$size, self$scale_factor, self$mode, isTRUE(self$align_corners))
)

#' @rdname nn_upsample
#' @export
nn_upsampling_nearest2d <- nn_module(
  "nn_upsampling_nearest2d", nn_upsample,
  initialize = function(size = NULL, scale_factor = NULL) super$initialize(size, scale_factor, "nearest")
)

#' @rdname nn_upsample
#' @export
nn_upsampling_bilinear2d <- nn_module(
  "nn_upsampling_bilinear2d", nn_upsample,
  initialize = function(size = NULL, scale_factor = NULL) super$initialize(size, scale_factor, "bilinear", TRUE)
)

#' Modules that rearrange images
#'
#' `nn_unfold()` takes sliding windows as columns, `nn_fold()` adds such columns up; `nn_pixel_shuffle()` turns channels into
#' resolution, `nn_pixel_unshuffle()` goes back; `nn_channel_shuffle()` mixes groups of channels. See [nnf_pad()].
#'
#' @inheritParams nnf_fold
#' @returns A module whose `forward(input)` returns a tensor.
#' @section Shapes:
#' `nn_unfold()`: `(N, C, H, W)` gives `(N, C * prod(kernel_size), windows)`, where the number of windows is the product of
#' the sizes that a convolution gives (see [nn_conv2d()]); `nn_fold()` goes back. `nn_pixel_shuffle(r)`:
#' `(N, C * r^2, H, W)` gives `(N, C, H * r, W * r)`; `nn_pixel_unshuffle(r)` goes back. `nn_channel_shuffle()` keeps the
#' shape.
#' @examplesIf torch::torch_is_installed()
#' nn_unfold(2)(torch_ones(1, 3, 4, 4))$shape
#' @export
nn_unfold <- functional_module("nn_unfold", nnf_unfold, alist(kernel_size = , dilation = 1, padding = 0, stride = 1))

#' @rdname nn_unfold
#' @export
nn_fold <- functional_module(
  "nn_fold", nnf_fold, alist(output_size = , kernel_size = , dilation = 1, padding = 0, stride = 1)
)

#' @rdname nn_unfold
#' @export
nn_pixel_shuffle <- functional_module("nn_pixel_shuffle", nnf_pixel_shuffle, alist(upscale_factor = ))

#' @rdname nn_unfold
#' @export
nn_pixel_unshuffle <- functional_module("nn_pixel_unshuffle", nnf_pixel_unshuffle, alist(downscale_factor = ))

#' @rdname nn_unfold
#' @export
nn_channel_shuffle <- functional_module("nn_channel_shuffle", nnf_channel_shuffle, alist(groups = ))
