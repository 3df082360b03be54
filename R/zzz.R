#' @section Errors:
#' Every error is an rlang condition of class `torch_error` and one of `value_error`, `type_error`, `runtime_error`,
#' `not_implemented_error`, `torch_runtime_error` (LibTorch's own), `torch_memory_error` (not enough memory),
#' `torch_install_error` (no LibTorch, or one that does not fit). `options(torch.cpp_trace = TRUE)` adds LibTorch's C++
#' trace to the message.
#'
#' @section Memory:
#' The memory of a tensor is freed when R's garbage collector finds it unused. The package counts the bytes that tensors
#' hold and asks for a collection when many were allocated since the last one, and once more when LibTorch finds no
#' memory before it reports an error.
#'
#' @section Environment:
#' `TORCH_HOME`, `TORCH_URL`: see [install_torch()]. LibTorch is loaded at the first use, not by `library(torch)`.
#'
#' @useDynLib torch, .registration = TRUE
#' @importFrom Rcpp evalCpp
#' @importFrom magrittr %>%
#' @importFrom utils head str tail
#' @import rlang
#' @evalNamespace op_exports()
"_PACKAGE"

#' @importFrom magrittr %>%
#' @export
magrittr::`%>%`

make_creation_functions(environment())
make_r_methods(environment())
# Makes the operators' functions. Everything above that has the name of an operator is written by hand.
make_op_functions(environment(), by_hand = ls(environment()))
ask_for_arguments(environment())

.onLoad <- function(libname, pkgname) {
  if (getRversion() >= "4.3.0") registerS3method("%*%", "torch_tensor", matmul_torch_tensor, envir = asNamespace("base"))
  if (getRversion() >= "4.4.0") {
    registerS3method("crossprod", "torch_tensor", cross_product, envir = asNamespace("base"))
    registerS3method("tcrossprod", "torch_tensor", cross_product_of_rows, envir = asNamespace("base"))
  }
  when_loaded("waldo", register_compare_proxies)
  # R takes a tensor's operators rather than those of other classes, such as integer64.
  if (getRversion() >= "4.3.0") {
    registerS3method("chooseOpsMethod", "torch_tensor", function(x, y, mx, my, cl, reverse) TRUE, envir = baseenv())
  }
  register_coro_methods()
  # One function for these classes: R refuses `x * size` if its operands bring two.
  for (operator in size_operands) {
    for (class in c("torch_size", "torch_recorded")) {
      registerS3method(operator, class, get(paste0(operator, ".torch_tensor")), envir = topenv())
    }
  }
}

# Before R 4.3 the package exports a `%*%`, which calls base R's: that this masks it is nothing that a user need read.
.onAttach <- function(libname, pkgname) {
  if (getRversion() < "4.3.0") assign(".conflicts.OK", TRUE, envir = as.environment(paste0("package:", pkgname)))
}

when_loaded <- function(package, register) {
  if (isNamespaceLoaded(package)) register()
  setHook(packageEvent(package, "onLoad"), register)
}
