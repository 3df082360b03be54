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

# The operators' functions: everything above that has the name of one is written by hand.
make_op_functions(environment(), by_hand = ls(environment()))

.onLoad <- function(libname, pkgname) {
  if (getRversion() >= "4.3.0") registerS3method("%*%", "torch_tensor", matmul_torch_tensor, envir = asNamespace("base"))
  when_loaded("waldo", function(...) {
    registerS3method("compare_proxy", "torch_tensor", compare_proxy.torch_tensor, envir = asNamespace("waldo"))
  })
  register_coro_methods()
}

when_loaded <- function(package, register) {
  if (isNamespaceLoaded(package)) register()
  setHook(packageEvent(package, "onLoad"), register)
}
