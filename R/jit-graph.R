# Graphs of script functions and methods, and the plans that the executor makes of them.

new_graph <- function(text, class) structure(list(text = text), class = class)

# Runs until the executor has made its final plan, then gives that plan.
graph_for <- function(handle, ..., class) {
  for (i in seq_len(cpp_profiled_runs() + 1L)) .External2(C_call, handle, ...)
  new_graph(cpp_callable_text(handle, 2L), class)
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
