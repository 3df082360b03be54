# What LibTorch was built with.

#' Libraries behind LibTorch
#'
#' Whether the LibTorch at hand was built with, and can use, Intel's MKL, oneDNN (`mkldnn`), OpenMP, cuDNN, and Apple's
#' Metal (`mps`). `backends_mps_synchronize()` waits until the MPS device has done all that it was given.
#'
#' @return A logical, `FALSE` also where there is no LibTorch. `backends_cudnn_version()` a [numeric_version()], or `NULL`
#'   without cuDNN; `backends_mps_synchronize()` nothing.
#' @section Errors:
#' `backends_mps_synchronize()` is a `runtime_error` where MPS is not available.
#' @section Source:
#' LibTorch's `at::hasMKL()`, `at::hasMKLDNN()`, `at::hasOpenMP()`, `at::hasMPS()` and `at::CUDAHooksInterface`.
#' @seealso [cuda_is_available()], [torch_get_num_threads()]
#' @examplesIf torch::torch_is_installed()
#' backends_mkl_is_available()
#' backends_openmp_is_available()
#' @name backends
NULL

backend_fact <- function(name) cpp_backend(backend_facts[[name]])
has_backend <- function(name) torch_is_installed() && backend_fact(name) != 0

#' @rdname backends
#' @export
backends_mkl_is_available <- function() has_backend("mkl")
#' @rdname backends
#' @export
backends_mkldnn_is_available <- function() has_backend("mkldnn")
#' @rdname backends
#' @export
backends_openmp_is_available <- function() has_backend("openmp")
#' @rdname backends
#' @export
backends_mps_is_available <- function() has_backend("mps")
#' @rdname backends
#' @export
backends_cudnn_is_available <- function() has_backend("cudnn")

#' @rdname backends
#' @export
backends_cudnn_version <- function() if (backends_cudnn_is_available()) cudnn_version(backend_fact("cudnn"))

# cuDNN writes 9.1.2 as 90102, before that 8.9.7 as 8907.
cudnn_version <- function(number) {
  major <- if (number >= 90000) 10000 else 1000
  numeric_version(paste(number %/% major, number %% major %/% 100, number %% 100, sep = "."))
}

#' @rdname backends
#' @export
backends_mps_synchronize <- function() {
  if (!backends_mps_is_available()) runtime_error("There is no MPS device that this LibTorch can use.")
  invisible(cpp_mps_synchronize())
}
