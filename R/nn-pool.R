# Pooling modules: settings of a pooling function. See functional_module().

#' @include nn-functional.R nnf-pool.R
NULL

nn_max_pool_nd <- nn_module(
  "nn_max_pool_nd",
  initialize = function(kernel_size, stride = NULL, padding = 0, dilation = 1, return_indices = FALSE, ceil_mode = FALSE) keep_settings()
)
lp_pool_nd <- nn_module("lp_pool_nd", initialize = function(norm_type, kernel_size, stride = NULL, ceil_mode = FALSE) keep_settings())

#' Pooling modules
#'
#' Maximum, mean or norm over windows, and `nn_max_unpool*d()`, the way back; the functions are in [nnf_max_pool1d()].
#'
#' @inheritParams nnf_max_pool1d
#' @returns A module whose `forward(input)` takes and returns a tensor of shape `(N, C, ...)`; that of `nn_max_unpool*d()` is
#'   `forward(input, indices, output_size = NULL)`.
#' @section Shapes:
#' `(N, C, L)` gives `(N, C, L_out)`, and likewise with two and three dimensions of space. Each of them becomes
#' \deqn{L_{out} = \left\lfloor \frac{L + 2\,padding - dilation\,(kernel\_size - 1) - 1}{stride} \right\rfloor + 1,}{
#' L_out = floor((L + 2 padding - dilation (kernel_size - 1) - 1) / stride) + 1,}
#' where `stride` is `kernel_size` unless it is given, and rounds up with `ceil_mode = TRUE`. Means and norms know no
#' `dilation`. Adaptive pooling gives `output_size`; unpooling gives `(L - 1) stride - 2 padding + kernel_size`.
#' @examplesIf torch::torch_is_installed()
#' nn_max_pool2d(2)(torch_randn(1, 3, 8, 8))$shape
#' nn_max_pool2d(3, stride = 2, padding = 1)(torch_randn(1, 3, 8, 8))$shape
#' nn_adaptive_avg_pool2d(1)(torch_randn(1, 3, 8, 8))$shape
#' @export
nn_max_pool1d <- functional_module("nn_max_pool1d", nnf_max_pool1d, alist(
  kernel_size = , stride = NULL, padding = 0, dilation = 1, return_indices = FALSE, ceil_mode = FALSE
), inherit = nn_max_pool_nd)

#' @rdname nn_max_pool1d
#' @export
nn_max_pool2d <- functional_module("nn_max_pool2d", nnf_max_pool2d, alist(
  kernel_size = , stride = NULL, padding = 0, dilation = 1, return_indices = FALSE, ceil_mode = FALSE
), inherit = nn_max_pool_nd)

#' @rdname nn_max_pool1d
#' @export
nn_max_pool3d <- functional_module("nn_max_pool3d", nnf_max_pool3d, alist(
  kernel_size = , stride = NULL, padding = 0, dilation = 1, return_indices = FALSE, ceil_mode = FALSE
), inherit = nn_max_pool_nd)

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

#' @rdname nn_max_pool1d
#' @export
nn_lp_pool1d <- functional_module(
  "nn_lp_pool1d", nnf_lp_pool1d, alist(norm_type = , kernel_size = , stride = NULL, ceil_mode = FALSE), inherit = lp_pool_nd
)

#' @rdname nn_max_pool1d
#' @export
nn_lp_pool2d <- functional_module(
  "nn_lp_pool2d", nnf_lp_pool2d, alist(norm_type = , kernel_size = , stride = NULL, ceil_mode = FALSE), inherit = lp_pool_nd
)

#' @rdname nn_max_pool1d
#' @export
nn_lp_pool3d <- functional_module(
  "nn_lp_pool3d", nnf_lp_pool3d, alist(norm_type = , kernel_size = , stride = NULL, ceil_mode = FALSE), inherit = lp_pool_nd
)

#' @rdname nn_max_pool1d
#' @export
nn_fractional_max_pool2d <- functional_module("nn_fractional_max_pool2d", nnf_fractional_max_pool2d, alist(
  kernel_size = , output_size = NULL, output_ratio = NULL, return_indices = FALSE
))

#' @rdname nn_max_pool1d
#' @export
nn_fractional_max_pool3d <- functional_module("nn_fractional_max_pool3d", nnf_fractional_max_pool3d, alist(
  kernel_size = , output_size = NULL, output_ratio = NULL, return_indices = FALSE
))

#' @rdname nn_max_pool1d
#' @export
nn_max_unpool1d <- functional_module(
  "nn_max_unpool1d", nnf_max_unpool1d, alist(kernel_size = , stride = NULL, padding = 0), alist(input = , indices = , output_size = NULL)
)

#' @rdname nn_max_pool1d
#' @export
nn_max_unpool2d <- functional_module(
  "nn_max_unpool2d", nnf_max_unpool2d, alist(kernel_size = , stride = NULL, padding = 0), alist(input = , indices = , output_size = NULL)
)

#' @rdname nn_max_pool1d
#' @export
nn_max_unpool3d <- functional_module(
  "nn_max_unpool3d", nnf_max_unpool3d, alist(kernel_size = , stride = NULL, padding = 0), alist(input = , indices = , output_size = NULL)
)
