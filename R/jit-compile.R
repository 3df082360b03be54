# TorchScript text and what it compiles to.

#' Compile TorchScript text
#'
#' @param source A string of TorchScript with one or more top-level `def`; indentation that all lines share is accepted.
#'   Arguments without annotation are tensors.
#' @return A compilation unit: `unit$fn` is the function `fn` of the source, a `script_function`; `names(unit)` lists
#'   them. Errors show the place in the source. Source: LibTorch's `CompilationUnit::define`.
#' @examplesIf torch::torch_is_installed()
#' unit <- jit_compile("
#'   def fn(x):
#'     return torch.relu(x)
#' ")
#' unit$fn(torch_tensor(c(-1, 0, 1)))
#' @export
jit_compile <- function(source) {
  if (!is_string(source)) type_error(sprintf("`source` must be one string of TorchScript, not %s.", friendly_type(source)))
  unit <- cpp_unit_compile(dedent(source))
  structure(list(handle = unit), class = c("torch_compilation_unit", "R7"))
}

dedent <- function(source) {
  lines <- strsplit(source, "\n", fixed = TRUE)[[1]]
  full <- grepl("\\S", lines)
  if (!any(full)) return(source)
  shared <- min(attr(regexpr("^[ \t]*", lines[full]), "match.length"))
  paste0(c(substring(lines, shared + 1), ""), collapse = "\n")
}

#' @export
`$.torch_compilation_unit` <- function(x, name) {
  handle <- unclass(x)$handle
  if (!name %in% cpp_unit_functions(handle)) return(NULL)
  new_script_function(cpp_unit_function(handle, name))
}
#' @export
`[[.torch_compilation_unit` <- function(x, name) `$.torch_compilation_unit`(x, name)
#' @export
names.torch_compilation_unit <- function(x) as.character(cpp_unit_functions(unclass(x)$handle))
#' @importFrom utils .DollarNames
#' @export
.DollarNames.torch_compilation_unit <- function(x, pattern = "") grep(pattern, names(x), value = TRUE)
#' @export
print.torch_compilation_unit <- function(x, ...) {
  cat("<torch_compilation_unit>\n")
  invisible(x)
}
