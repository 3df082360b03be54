# Script functions: closures over a handle of the shim; what TorchScript text compiles to; graphs.

new_script_function <- function(handle, class = "script_function") {
  structure(function(...) .External2(C_call, handle, ...), class = class, handle = handle)
}

new_graph <- function(text, class) structure(list(text = text), class = class)

# Runs until the executor has made its final plan, then gives that plan.
graph_for <- function(handle, ..., class) {
  for (i in seq_len(cpp_profiled_runs() + 1L)) .External2(C_call, handle, ...)
  new_graph(cpp_callable_text(handle, 2L), class)
}

#' @export
`$.script_function` <- function(x, name) {
  handle <- attr(x, "handle", exact = TRUE)
  switch(name,
    graph = new_graph(cpp_callable_text(handle, 0L), "graph_function"),
    inlined_graph = new_graph(cpp_callable_text(handle, 1L), "graph_function"),
    graph_for = function(...) graph_for(handle, ..., class = "graph_function"),
    code = cpp_callable_text(handle, 3L),
    schema = cpp_callable_schema(handle),
    save = function(filename) save_script(x, filename, FALSE),
    save_for_mobile = function(filename) save_script(x, filename, TRUE),
    ptr = handle,
    NULL
  )
}

#' @export
print.script_function <- function(x, ...) {
  cat("<script_function>\n")
  invisible(x)
}

#' @export
`$.script_method` <- function(x, y) {
  handle <- attr(x, "handle", exact = TRUE)
  switch(y,
    graph = new_graph(cpp_callable_text(handle, 0L), "script_method_graph"),
    inlined_graph = new_graph(cpp_callable_text(handle, 1L), "script_method_graph"),
    graph_for = function(...) graph_for(handle, ..., class = "script_method_graph"),
    code = cpp_callable_text(handle, 3L),
    schema = cpp_callable_schema(handle),
    NULL
  )
}
#' @export
`[[.script_method` <- function(x, y) `$.script_method`(x, y)

#' @export
print.script_method <- function(x, ...) {
  cat("<script_method>\n")
  invisible(x)
}

#' @export
print.graph_function <- function(x, ...) {
  cat(x$text)
  invisible(x)
}
#' @export
print.script_method_graph <- print.graph_function
#' @export
as.character.graph_function <- function(x, ...) x$text
#' @export
as.character.script_method_graph <- as.character.graph_function

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

#' Mark values for TorchScript
#'
#' `jit_scalar()` makes a vector of length 1 a scalar (else it is a list of one element); `jit_tuple()` makes a list a
#' tuple, a named one a named tuple.
#'
#' @param x An atomic vector of length 1, or a list.
#' @return `x` with a class added.
#' @examples
#' jit_scalar(1L)
#' @export
jit_scalar <- function(x) {
  if (!is.atomic(x) || length(x) != 1) {
    runtime_error(sprintf("`x` must be scalar atomic (a vector of length 1), not %s.", friendly_type(x)))
  }
  class(x) <- c(class(x), "jit_scalar")
  x
}

#' @rdname jit_scalar
#' @export
jit_tuple <- function(x) {
  if (!is.list(x)) runtime_error(sprintf("`x` must be a list, not %s.", friendly_type(x)))
  class(x) <- c(class(x), "jit_tuple")
  x
}

# A TorchScript dict whose keys are no strings, and a member of a TorchScript enum.
new_torch_dict <- function(keys, values) structure(list(keys = keys, values = values), class = "torch_dict")
new_torch_enum <- function(parts) structure(list(class = parts[[1]], name = parts[[2]], value = parts[[3]]), class = "torch_enum")

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
