# The nodes of the graph that a backward walks through.

#' @export
`$.autograd_node` <- function(x, name) {
  switch(name, name = cpp_node_name(x), next_functions = cpp_node_next(x))
}
#' @export
`[[.autograd_node` <- function(x, name) `$.autograd_node`(x, name)

#' @export
.DollarNames.autograd_node <- function(x, pattern = "") grep(pattern, c("name", "next_functions"), value = TRUE)

#' @export
print.autograd_node <- function(x, ...) {
  cat(x$name, "\n", sep = "")
  invisible(x)
}
