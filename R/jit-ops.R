# LibTorch's operators under their registered names.

#' Operators by their registered names
#'
#' `jit_ops$ns$op` is the operator `ns::op` of LibTorch's registries as an R function: arguments by position or name, as
#' its schema has them; dimensions and positions count from 0. The overload that fits best is called.
#'
#' @format An object of class `torch_ops`.
#' @examplesIf torch::torch_is_installed()
#' jit_ops$aten$relu(torch_tensor(c(-1, 1)))
#' @export
jit_ops <- structure(list(), class = "torch_ops")

#' @export
`$.torch_ops` <- function(x, y, ...) {
  namespace <- attr(x, "namespace", exact = TRUE)
  if (is.null(namespace)) return(structure(list(), class = "torch_ops", namespace = y))
  name <- paste0(namespace, "::", y)
  if (!cpp_has_operator(name)) value_error(sprintf("Operator not found: LibTorch has no `%s`.", name))
  structure(function(...) .External2(C_call_op, name, ...), class = "torch_ops", opname = name)
}

#' @export
print.torch_ops <- function(x, ...) {
  name <- attr(x, "opname", exact = TRUE)
  namespace <- attr(x, "namespace", exact = TRUE)
  if (!is.null(name)) {
    cat("function_schema (name = ", name, ")\n", sep = "")
    cat(cpp_op_ranking(name), sep = "\n")
  } else if (!is.null(namespace)) {
    cat("<torch_ops>: Handle to namespace ", namespace, "\n")
  } else {
    cat("Object of class <torch_ops>\n")
  }
  invisible(x)
}

#' @importFrom utils .DollarNames
#' @export
.DollarNames.torch_ops <- function(x, pattern = "") {
  schemas <- c(cpp_operator_schemas(0L), cpp_operator_schemas(1L))
  namespace <- attr(x, "namespace", exact = TRUE)
  names <- unique(sub("[.(].*$", "", schemas))
  all <- if (is.null(namespace)) sub("::.*$", "", names) else sub("^.*::", "", names[startsWith(names, paste0(namespace, "::"))])
  sort(grep(pattern, unique(all), value = TRUE))
}
