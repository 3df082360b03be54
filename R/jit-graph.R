# Graphs of script functions and methods, and the plans that the executor makes of them.

#' Look at graphs
#'
#' A script function, method or module shows what it compiled to:
#'
#' * `f$graph`: the graph as it was compiled or traced; `f$inlined_graph`: with the functions it calls put in place.
#' * `f$graph_for(...)`: the plan that the executor makes for such arguments. It runs `f` until the plan is final, see
#'   [jit_warmup()].
#' * `f$code`: TorchScript text; `f$schema`: names and types of arguments and results.
#'
#' For a module these are of its `forward`; for one that was traced in both modes, of the present mode's trace, while
#' `m$forward$graph` shows the method that chooses.
#'
#' A graph prints as LibTorch writes it. `graph$nodes()` and `as.data.frame(graph)` give its nodes as a data frame, and
#' [plot()][plot_graph] draws them.
#'
#' @return `graph$nodes()` a data frame with one row a node, in the order of execution, also of the nodes in blocks and
#'   subgraphs: `kind`, `inputs`, `outputs` and the outputs' `types` (lists of strings), `attributes` (lists of values),
#'   `file`, `line` and `source` of the R function or text that it comes from (`NA` if unknown), `scope`, `parent` (row of
#'   the node that holds it, `NA` at top level), `block` (which of the parent's), `depth`. `graph$inputs()` and
#'   `graph$outputs()` give the names of values.
#' @section Source: LibTorch's `Graph`, `GraphExecutor::getDebugState`, `lastExecutedOptimizedGraph`.
#' @seealso [plot_graph], [with_jit_fusion()]
#' @examplesIf torch::torch_is_installed()
#' f <- jit_trace(function(x) torch_relu(x * 2), torch_tensor(c(-1, 1)))
#' f$graph
#' f$graph$nodes()[c("kind", "inputs", "outputs")]
#' @name jit_graph
NULL

new_graph <- function(handle, stage, class) {
  structure(list(handle = cpp_callable_graph(handle, graph_stages[[stage]])), class = c(class, "torch_graph"))
}

# Runs until the executor has made its final plan, then gives that plan.
graph_for <- function(handle, ..., class) {
  run_until_final(handle, ...)
  new_graph(handle, "plan", class)
}

#' @export
`$.torch_graph` <- function(x, name) {
  switch(name,
    nodes = function() graph_nodes(x),
    inputs = function() graph_rows(x)$outputs[[1]],
    outputs = function() {
      rows <- graph_rows(x)
      rows$inputs[[nrow(rows)]]
    },
    text = as.character(x),
    NULL
  )
}
#' @importFrom utils .DollarNames
#' @export
.DollarNames.torch_graph <- function(x, pattern = "") {
  grep(pattern, c("nodes", "inputs", "outputs", "text"), value = TRUE)
}
#' @export
.DollarNames.script_function <- function(x, pattern = "") {
  fields <- c("graph", "inlined_graph", "graph_for", "code", "schema", if (!inherits(x, "script_method")) "save")
  grep(pattern, fields, value = TRUE)
}
#' @export
.DollarNames.script_method <- .DollarNames.script_function

#' @export
print.torch_graph <- function(x, ...) {
  if (is_dead(unclass(x)$handle)) return(print_dead(x, "torch_graph"))
  cat(as.character(x))
  invisible(x)
}
#' @export
as.character.torch_graph <- function(x, ...) cpp_graph_text(unclass(x)$handle)

# All rows, including those that begin and end a block with its parameters and results.
graph_rows <- function(x) {
  columns <- cpp_graph_nodes(unclass(x)$handle)
  strings <- function(name) vapply(columns[[name]], as.character, "")
  lists <- function(name) I(lapply(columns[[name]], function(row) as.character(unlist(row))))
  known <- function(value) ifelse(value %in% c("", 0), NA, value)
  parent <- as.integer(columns$parent)
  depth <- integer(length(parent))
  for (i in which(parent > 0)) depth[i] <- depth[parent[i]] + 1L
  rows <- data.frame(kind = strings("kind"))
  rows$inputs <- lists("inputs")
  rows$outputs <- lists("outputs")
  rows$types <- lists("types")
  rows$attributes <- I(lapply(columns$attributes, identity))
  rows$file <- known(strings("file"))
  rows$line <- as.integer(known(columns$line))
  rows$source <- known(strings("source"))
  rows$scope <- known(strings("scope"))
  rows$parent <- as.integer(known(parent))
  rows$block <- as.integer(columns$block)
  rows$depth <- depth
  rows
}

graph_nodes <- function(x) {
  rows <- graph_rows(x)
  kept <- which(!rows$kind %in% c("prim::Param", "prim::Return"))
  nodes <- rows[kept, ]
  nodes$parent <- match(nodes$parent, kept)
  rownames(nodes) <- NULL
  nodes
}

#' @export
as.data.frame.torch_graph <- function(x, ...) graph_nodes(x)
