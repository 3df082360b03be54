# Which expressions of R became what in a program.

#' What became of R's expressions
#'
#' A table of the expressions of a compiled R function, with what the program does for each: operators of LibTorch,
#' loops, branches, constants. The expressions of functions that it calls stand where they are called.
#'
#' @param f A `script_function`, or a module or method of one, made by [jit_script()], [jit_trace()] or [jit_compile()].
#' @return A data frame of class `torch_script_explanation` with a row for each expression, in the order of execution:
#'   `file` and `line` of the source, the `expression` (its first line), what it `became`, and the `type` of its result as
#'   TorchScript writes it, `""` where there is none. What the compiler worked out by itself is a constant, and what it left
#'   out has no row.
#' @section Errors: Another `f` is an error of class `torch_type_error`.
#' @section Source: The places that nodes of LibTorch's graphs keep.
#' @seealso [jit_graph] for all nodes.
#' @examplesIf torch::torch_is_installed()
#' f <- jit_script(function(x, n = 3L) {
#'   for (i in seq_len(n)) x <- x * i
#'   if (as.logical(sum(x) > 0)) torch_relu(x) else x
#' })
#' jit_explain_script(f)
#' @export
jit_explain_script <- function(f) {
  if (inherits(f, "script_module")) f <- f$forward
  if (!inherits(f, c("script_function", "script_method"))) {
    type_error(sprintf("`f` must be a compiled function or module, not %s.", friendly_type(f)))
  }
  nodes <- f$inlined_graph$nodes()
  nodes <- nodes[!is.na(nodes$source) & !is.na(nodes$line), ]
  key <- paste(nodes$file, nodes$line, nodes$source, sep = "\r")
  # What has no effect but a value of its own is told of the expression that it is for.
  rows <- lapply(split(seq_len(nrow(nodes)), factor(key, unique(key))), function(at) explained(nodes[at, ]))
  table <- if (length(rows)) do.call(rbind, rows) else explained(nodes)
  rownames(table) <- NULL
  class(table) <- c("torch_script_explanation", class(table))
  table
}

# Nodes of one expression as a row. Of those that lie in each other the outer ones tell what it became.
explained <- function(nodes) {
  real <- nodes[nodes$kind != "prim::Constant" & !is_quiet(nodes), ]
  outer <- if (nrow(real)) real[real$depth == min(real$depth), ] else nodes
  type <- unlist(outer$types)
  data.frame(
    file = nodes$file[1], line = nodes$line[1], expression = sub("\n.*", " ...", trimws(nodes$source[1])),
    became = toString(unique(became(outer))), type = if (length(type)) type[length(type)] else ""
  )[seq_len(min(nrow(nodes), 1L)), ]
}

# What stands behind loops for the interpreter's sake.
is_quiet <- function(nodes) nodes$kind == "aten::is_grad_enabled"

became <- function(nodes) {
  words <- c(
    "prim::Constant" = "a constant", "prim::Loop" = "a loop", "prim::If" = "a branch", "prim::ListConstruct" = "a list",
    "prim::TupleConstruct" = "a list", "prim::TupleIndex" = "an element", "prim::TupleUnpack" = "elements",
    "prim::DictConstruct" = "a dictionary", "prim::RaiseException" = "an error", "prim::Print" = "a message",
    "prim::GetAttr" = "a field", "prim::SetAttr" = "a field", "prim::fork" = "a task"
  )
  known <- words[nodes$kind]
  unname(ifelse(is.na(known), nodes$kind, known))
}

#' @export
print.torch_script_explanation <- function(x, ...) {
  if (!nrow(x)) {
    cat("<no expressions>\n")
    return(invisible(x))
  }
  shown <- as.data.frame(lapply(unclass(x)[c("line", "expression", "became", "type")], function(column) {
    text <- as.character(column)
    ifelse(nchar(text) > 48, paste0(substr(text, 1, 45), "..."), text)
  }))
  for (file in unique(x$file)) {
    cat(file, "\n", sep = "")
    rows <- shown[x$file == file, ]
    print(format(rows, justify = "left"), row.names = FALSE, right = FALSE)
  }
  invisible(x)
}
