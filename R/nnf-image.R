# Shapes, patches and the size of images.

#' Padding, patches and images
#'
#' * `nnf_pad()` puts elements around a tensor.
#' * `nnf_unfold()` takes sliding windows as columns, `nnf_fold()` adds such columns up to an image.
#' * `nnf_pixel_shuffle()` turns channels into resolution, `nnf_pixel_unshuffle()` goes back; `nnf_channel_shuffle()` mixes
#'   groups of channels.
#' * `nnf_affine_grid()` makes the grid of an affine map, `nnf_grid_sample()` reads an image at the points of a grid.
#'
#' @param input a tensor; for images of shape `(N, C, H, W)`.
#' @param pad numbers of elements before and after, beginning with the last dimension.
#' @param mode for `nnf_pad()` `"constant"`, `"reflect"`, `"replicate"` or `"circular"`; for `nnf_grid_sample()`
#'   `"bilinear"`, `"nearest"` or (of images) `"bicubic"`.
#' @param value what to pad with, 0 if `NULL`.
#' @param kernel_size,dilation,padding,stride one number or two.
#' @param output_size height and width of the image.
#' @param upscale_factor,downscale_factor factor for height and width.
#' @param groups number of groups of channels.
#' @param theta affine maps, of shape `(N, 2, 3)` or `(N, 3, 4)`.
#' @param size sizes of the images to be made, `(N, C, H, W)` or `(N, C, D, H, W)`.
#' @param grid points, of shape `(N, H, W, 2)`, between -1 and 1.
#' @param padding_mode what is outside the image: `"zeros"`, `"border"` or `"reflection"`.
#' @param align_corners whether -1 and 1 are the centres of the corner pixels (else their outer edges).
#' @returns A tensor.
#' @examplesIf torch::torch_is_installed()
#' nnf_pad(torch_ones(2, 2), c(1, 0))
#' @export
nnf_pad <- function(input, pad, mode = "constant", value = NULL) torch_pad(input, pad, mode, value)

#' @rdname nnf_pad
#' @export
nnf_unfold <- function(input, kernel_size, dilation = 1, padding = 0, stride = 1) {
  check_windows(kernel_size, dilation, padding, stride)
  torch_im2col(input, rep_len(kernel_size, 2L), rep_len(dilation, 2L), rep_len(padding, 2L), rep_len(stride, 2L))
}

check_output_size <- function(output_size, call = caller_env()) {
  check_setting("output_size", output_size, whole_from(1, "whole numbers"), call)
}
check_windows <- function(kernel_size, dilation, padding, stride, call = caller_env()) {
  check_setting("kernel_size", kernel_size, call = call)
  check_setting("dilation", dilation, call = call)
  check_setting("padding", padding, call = call)
  check_setting("stride", stride, call = call)
}

#' @rdname nnf_pad
#' @export
nnf_fold <- function(input, output_size, kernel_size, dilation = 1, padding = 0, stride = 1) {
  check_output_size(output_size)
  check_windows(kernel_size, dilation, padding, stride)
  torch_col2im(
    input, rep_len(output_size, 2L),
    rep_len(kernel_size, 2L), rep_len(dilation, 2L), rep_len(padding, 2L), rep_len(stride, 2L)
  )
}

#' @rdname nnf_pad
#' @export
nnf_pixel_shuffle <- function(input, upscale_factor) torch_pixel_shuffle(input, upscale_factor)

#' @rdname nnf_pad
#' @export
nnf_pixel_unshuffle <- function(input, downscale_factor) torch_pixel_unshuffle(input, downscale_factor)

#' @rdname nnf_pad
#' @export
nnf_channel_shuffle <- function(input, groups) torch_channel_shuffle(input, groups)

#' @rdname nnf_pad
#' @export
nnf_affine_grid <- function(theta, size, align_corners = FALSE) {
  torch_affine_grid_generator(theta, size, align_corners)
}

#' @rdname nnf_pad
#' @export
nnf_grid_sample <- function(input, grid, mode = c("bilinear", "nearest", "bicubic"),
                            padding_mode = c("zeros", "border", "reflection"), align_corners = FALSE) {
  modes <- c(bilinear = 0L, nearest = 1L, bicubic = 2L)
  paddings <- c(zeros = 0L, border = 1L, reflection = 2L)
  torch_grid_sampler(input, grid, modes[[arg_match(mode)]], paddings[[arg_match(padding_mode)]], align_corners)
}

# ---- Resizing ----

#' Resize images, series and volumes
#'
#' Makes the dimensions of space larger or smaller by reading between the elements.
#'
#' | `mode` | shape of the input | reads |
#' |---|---|---|
#' | `"nearest"`, `"nearest-exact"` | `(N, C, L)`, `(N, C, H, W)`, `(N, C, D, H, W)` | the element that is nearest |
#' | `"linear"` | `(N, C, L)` | between two elements |
#' | `"bilinear"`, `"bicubic"` | `(N, C, H, W)` | between 4 or 16 |
#' | `"trilinear"` | `(N, C, D, H, W)` | between 8 |
#' | `"area"` | as `"nearest"` | the mean, [nnf_adaptive_avg_pool1d()] |
#'
#' @param input a tensor with dimensions for the batch, the channels, and one to three of space.
#' @param size sizes of the result in space, one number or one for each dimension.
#' @param scale_factor factors instead of `size`, likewise.
#' @param mode see above.
#' @param align_corners for the linear and cubic modes: whether the outermost elements stand at the edge (else their centres
#'   half a step inside).
#' @param recompute_scale_factor whether the factor is that of the sizes, after rounding, instead of `scale_factor` itself.
#' @param antialias for `"bilinear"` and `"bicubic"`: whether to smooth where the result is smaller.
#' @returns A tensor of shape `(N, C, ...)`.
#' @section Errors:
#' Both or none of `size` and `scale_factor`, a mode for another number of dimensions and `align_corners` with a mode that has
#' none are a `value_error`.
#' @source LibTorch's `upsample_*` functions.
#' @examplesIf torch::torch_is_installed()
#' nnf_interpolate(torch_tensor(array(c(1, 2), c(1, 1, 2))), scale_factor = 2, mode = "linear")
#' @export
nnf_interpolate <- function(input, size = NULL, scale_factor = NULL, mode = "nearest", align_corners = FALSE,
                            recompute_scale_factor = NULL, antialias = FALSE) {
  shape <- .Call(C_shape, input)
  ndim <- length(shape) - 2L
  check_resize(ndim, size, scale_factor, mode, align_corners, antialias)
  space <- for_each_dim(size %||% scale_factor, ndim)
  by_factor <- is.null(size) && !isTRUE(recompute_scale_factor) && mode != "area"
  if (is.null(size) && !by_factor) space <- floor(utils::tail(shape, ndim) * space)
  if (mode == "area") {
    return(switch(ndim, torch_adaptive_avg_pool1d, torch_adaptive_avg_pool2d, torch_adaptive_avg_pool3d)(input, space))
  }
  output_size <- if (!by_factor) space
  scale_factors <- if (by_factor) as.double(space)
  if (mode == "nearest") {
    return(switch(ndim, torch_upsample_nearest1d, torch_upsample_nearest2d, torch_upsample_nearest3d)(
      input = input, output_size = output_size, scale_factors = scale_factors
    ))
  }
  if (mode == "nearest-exact") {
    return(switch(ndim, torch__upsample_nearest_exact1d, torch__upsample_nearest_exact2d, torch__upsample_nearest_exact3d)(
      input = input, output_size = output_size, scale_factors = scale_factors
    ))
  }
  switch(mode,
    linear = torch_upsample_linear1d,
    bilinear = if (antialias) torch__upsample_bilinear2d_aa else torch_upsample_bilinear2d,
    bicubic = if (antialias) torch__upsample_bicubic2d_aa else torch_upsample_bicubic2d,
    torch_upsample_trilinear3d
  )(input = input, output_size = output_size, align_corners = isTRUE(align_corners), scale_factors = scale_factors)
}

# The numbers of dimensions of space that each mode is for, whether corners may be aligned, and whether it can smooth.
resize_modes <- list(
  nearest = list(ndim = 1:3, corners = FALSE, antialias = FALSE), "nearest-exact" = list(ndim = 1:3, corners = FALSE, antialias = FALSE),
  area = list(ndim = 1:3, corners = FALSE, antialias = FALSE), linear = list(ndim = 1L, corners = TRUE, antialias = FALSE),
  bilinear = list(ndim = 2L, corners = TRUE, antialias = TRUE), bicubic = list(ndim = 2L, corners = TRUE, antialias = TRUE),
  trilinear = list(ndim = 3L, corners = TRUE, antialias = FALSE)
)

check_resize <- function(ndim, size, scale_factor, mode, align_corners, antialias, call = caller_env()) {
  kind <- if (is_string(mode)) resize_modes[[mode]]
  if (is.null(kind)) value_error(sprintf("`mode` must be one of %s.", toString(dQuote(names(resize_modes), FALSE))), call)
  if (!ndim %in% kind$ndim) {
    wanted <- toString(kind$ndim + 2L)
    value_error(sprintf("`mode` \"%s\" is for input of %s dimensions, not %d.", mode, wanted, ndim + 2L), call)
  }
  if (is.null(size) == is.null(scale_factor)) value_error("Exactly one of `size` and `scale_factor` must be given.", call)
  if (isTRUE(align_corners) && !kind$corners) {
    value_error(sprintf("`align_corners` has no meaning for the mode \"%s\".", mode), call)
  }
  if (antialias && !kind$antialias) value_error("`antialias` is for the modes \"bilinear\" and \"bicubic\".", call)
  n <- length(size %||% scale_factor)
  if (!n %in% c(1L, ndim)) {
    arg <- if (is.null(size)) "scale_factor" else "size"
    value_error(sprintf("`%s` must be one number%s, not %d.", arg, if (ndim > 1) sprintf(" or %d", ndim) else "", n), call)
  }
}
