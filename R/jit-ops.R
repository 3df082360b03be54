# LibTorch's operators under their registered names.

#' Operators by their registered names
#'
#' `jit_ops$ns$op` is the operator `ns::op` of LibTorch's registries as an R function, with all its overloads, also those
#' that write into an `out` tensor, and those that only TorchScript knows. Arguments go by position or by name, as the
#' schema has them; those with a default may be left out. Dimensions and positions count from 0. Values are converted as
#' for any TorchScript function: a number is not made a tensor. The overload that fits best is called; `print()` shows them.
#'
#' @format An object of class `torch_ops`. One result comes as such, several as an unnamed list.
#' @seealso [jit_load_library()]
#' @examplesIf torch::torch_is_installed()
#' jit_ops$aten$relu(torch_tensor(c(-1, 1)))
#' jit_ops$aten$size(torch_ones(2, 3), 1)
#' jit_ops$aten$relu
#' @export
jit_ops <- structure(list(), class = "torch_ops")

#' @export
`$.torch_ops` <- function(x, y, ...) {
  namespace <- attr(x, "namespace", exact = TRUE)
  if (is.null(namespace)) return(structure(list(), class = "torch_ops", namespace = y))
  name <- paste0(namespace, "::", y)
  if (!cpp_has_operator(name)) value_error(sprintf("Operator not found: LibTorch has no `%s`.", name))
  structure(function(...) (.External2(C_call_op, name, ...)), class = "torch_ops", opname = name)
}
#' @export
`[[.torch_ops` <- function(x, y, ...) `$.torch_ops`(x, y)

#' @export
print.torch_ops <- function(x, ...) {
  name <- attr(x, "opname", exact = TRUE)
  namespace <- attr(x, "namespace", exact = TRUE)
  if (!is.null(name)) {
    print_schemas(name)
  } else if (!is.null(namespace)) {
    cat("<torch_ops>: Handle to namespace ", namespace, "\n")
  } else {
    cat("Object of class <torch_ops>\n")
  }
  invisible(x)
}

# The schema that LibTorch lists first by the kinds of its types; then, where there are more, all of them.
print_schemas <- function(name) {
  kinds <- cpp_op_kinds(name)
  listed <- function(texts) if (length(texts)) paste(texts, collapse = ", ") else "<none>"
  cat("function_schema (name = ", name, ")\n", sep = "")
  cat("arguments:", listed(sprintf("%s - %s", names(kinds[[1]]), unlist(kinds[[1]]))), "\n")
  cat("returns:", listed(unlist(kinds[[2]])), "\n")
  signatures <- cpp_op_signatures(name)
  if (length(signatures) > 1) cat("overloads:", op_signatures_in_r(signatures), sep = "\n")
}

op_signatures_in_r <- function(signatures) {
  vapply(signatures, function(one) {
    name <- if (nzchar(one$overload)) paste0(one$name, ".", one$overload) else one$name
    returns <- if (length(one$returns)) paste0(" -> ", paste(one$returns, collapse = ", ")) else ""
    paste0("  ", signature_in_r(one, name), returns)
  }, "")
}

no_jit_overload_message <- function(name, given) {
  what <- paste0("`", names(given), "` is ", vapply(given, friendly_type, ""), collapse = ", ")
  signatures <- op_signatures_in_r(cpp_op_signatures(name))
  paste0(
    "Tried all schemas; none matched.\n",
    "Given: ", if (length(given)) what else "nothing", ".\n",
    "`", name, if (length(signatures) > 1) "` takes one of:\n" else "` takes:\n",
    paste0(signatures, collapse = "\n")
  )
}

#' @importFrom utils .DollarNames
#' @export
.DollarNames.torch_ops <- function(x, pattern = "") {
  if (!is.null(attr(x, "opname", exact = TRUE))) return(character())
  schemas <- c(operator_schemas("dispatcher"), operator_schemas("jit"))
  namespace <- attr(x, "namespace", exact = TRUE)
  names <- unique(sub("[.(].*$", "", schemas))
  all <- if (is.null(namespace)) sub("::.*$", "", names) else sub("^.*::", "", names[startsWith(names, paste0(namespace, "::"))])
  sort(grep(pattern, unique(all), value = TRUE))
}

#' Load a library of operators
#'
#' Opens a shared library that registers operators with LibTorch (`TORCH_LIBRARY` in its C++ sources). They are then
#' `jit_ops$ns$op` and can be traced; a program that runs a saved module with such an operator must load the library too.
#' The library must be built against the LibTorch in use, whose folders [install_torch_sitrep()] tells.
#'
#' @param path The library's file.
#' @return `path`, invisibly.
#' @seealso [jit_ops]
#' @examplesIf torch::torch_is_installed() && file.exists("libmyops.so")
#' jit_load_library("libmyops.so")
#' jit_ops$myops$twice(torch_tensor(1))
#' @export
jit_load_library <- function(path) {
  if (!is_string(path)) type_error(sprintf("`path` must be the name of a file, not %s.", friendly_type(path)))
  if (!file.exists(path) || dir.exists(path)) value_error(sprintf("`path` must be a shared library: there is no file `%s`.", path))
  load_torch()
  cpp_load_library(normalizePath(path))
  check_mapped(libtorch_files(libtorch_find()))
  invisible(path)
}
