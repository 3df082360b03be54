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
#' A graph prints as LibTorch writes it. `graph$nodes()` gives its nodes as a data frame, `plot()` draws them on R's
#' graphics device. Where the program `dot` of Graphviz is installed, it places the nodes; else they stand in layers from
#' top to bottom.
#'
#' @param x A graph.
#' @param ... Not used.
#' @param constants Whether constants are shown.
#' @return `graph$nodes()` a data frame with one row a node, in the order of execution, also of the nodes in blocks and
#'   subgraphs: `kind`, `inputs`, `outputs` and the outputs' `types` (lists of strings), `attributes` (lists of values),
#'   `file`, `line` and `source` of the R function or text that it comes from (`NA` if unknown), `scope`, `parent` (row of
#'   the node that holds it, `NA` at top level), `block` (which of the parent's), `depth`. `graph$inputs()` and
#'   `graph$outputs()` give the names of values. `as_dot()` and `as_svg()` give a string; `plot()` its `x`, invisibly.
#' @section Source: LibTorch's `Graph`, `GraphExecutor::getDebugState`, `lastExecutedOptimizedGraph`.
#' @seealso [with_jit_fusion()]
#' @examplesIf torch::torch_is_installed()
#' f <- jit_trace(function(x) torch_relu(x * 2), torch_tensor(c(-1, 1)))
#' f$graph
#' f$graph$nodes()[c("kind", "inputs", "outputs")]
#' cat(as_dot(f$graph))
#' plot(f$graph)
#' @name jit_graph
NULL

new_graph <- function(handle, which, class) {
  structure(list(handle = cpp_callable_graph(handle, which)), class = c(class, "torch_graph"))
}

# Runs until the executor has made its final plan, then gives that plan.
graph_for <- function(handle, ..., class) {
  run_until_final(handle, ...)
  new_graph(handle, 2L, class)
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
  cat(as.character(x))
  invisible(x)
}
#' @export
as.character.torch_graph <- function(x, ...) cpp_graph_text(unclass(x)$handle)

# All rows, also those that begin and end a block: its parameters and results.
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

# What a picture shows: nodes with a text and a shape, and the edges between them, named by the value that goes along.
graph_picture <- function(x, constants) {
  rows <- graph_rows(x)
  shown <- rows$kind != "prim::Constant" | constants
  values <- function(i) paste0("%", rows$outputs[[i]])
  text <- vapply(seq_len(nrow(rows)), function(i) {
    kind <- rows$kind[i]
    if (kind == "prim::Param") return(paste(values(i), collapse = ", "))
    if (kind == "prim::Return") return("return")
    value <- rows$attributes[[i]][["value"]]
    if (kind != "prim::Constant") return(kind)
    if (is.null(value)) return("None")
    if (is_torch_tensor(value)) return("<Tensor>")
    encodeString(paste(format(unlist(value)), collapse = ", "))
  }, "")
  # A block without parameters needs no box for them.
  empty <- rows$kind %in% c("prim::Param", "prim::Return") & lengths(rows$outputs) + lengths(rows$inputs) == 0
  shown <- shown & !empty
  maker <- rep(seq_len(nrow(rows)), lengths(rows$outputs))
  # Subgraphs use their values' names anew: a name means the nearest one before.
  made <- unlist(rows$outputs)
  edges <- do.call(rbind, lapply(which(shown), function(i) {
    names <- rows$inputs[[i]]
    from <- vapply(names, function(name) {
      makers <- maker[made == name]
      makers <- makers[makers < i & vapply(makers, function(m) in_scope(rows, m, i), NA)]
      if (length(makers)) max(makers) else NA_integer_
    }, 1L)
    data.frame(from = as.integer(from), to = rep(i, length(names)), name = as.character(names))
  }))
  edges <- edges[!is.na(edges$from) & edges$from %in% which(shown), ]
  # A node that holds blocks stands before the first node of each.
  inner <- which(shown & rows$depth > 0)
  first <- inner[!duplicated(paste(rows$parent, rows$block)[inner])]
  first <- first[!paste(rows$parent[first], first) %in% paste(edges$from, edges$to)]
  held <- data.frame(from = rows$parent[first], to = first, name = rep("", length(first)))
  list(
    id = which(shown), text = text[shown], depth = rows$depth[shown], group = paste(rows$parent, rows$block)[shown],
    parent = rows$parent[shown],
    shape = ifelse(rows$kind %in% c("prim::Param", "prim::Return"), "ellipse",
      ifelse(rows$kind == "prim::Constant", "plaintext", "box"))[shown],
    edges = rbind(edges, held)
  )
}

# Whether what row `maker` makes can be used by row `user`: it stands in the same block or in one around it.
in_scope <- function(rows, maker, user) {
  repeat {
    if (identical(rows$parent[maker], rows$parent[user]) && rows$block[maker] == rows$block[user]) return(TRUE)
    user <- rows$parent[user]
    if (is.na(user)) return(FALSE)
  }
}

#' @rdname jit_graph
#' @export
as_dot <- function(x, ..., constants = TRUE) UseMethod("as_dot")

#' @export
as_dot.torch_graph <- function(x, ..., constants = TRUE) {
  picture <- graph_picture(x, constants)
  quoted <- function(text) paste0("\"", gsub("([\"\\\\])", "\\\\\\1", text), "\"")
  node <- sprintf("n%d [label=%s, shape=%s];", picture$id, quoted(picture$text), picture$shape)
  # Nodes of one block stand in a box, which stands in its parent's.
  boxes <- function(parent, indent) {
    here <- if (is.na(parent)) is.na(picture$parent) else picture$parent %in% parent
    unlist(lapply(unique(picture$group[here]), function(group) {
      inside <- which(picture$group == group)
      lines <- unlist(lapply(inside, function(i) {
        c(paste0(indent, node[i]), boxes(picture$id[i], paste0(indent, "  ")))
      }))
      if (is.na(parent)) return(lines)
      c(sprintf("%ssubgraph \"cluster_%s\" {", indent, group), lines, paste0(indent, "}"))
    }))
  }
  edges <- picture$edges
  style <- ifelse(edges$name == "", "style=dashed", paste0("label=", quoted(edge_label(edges))))
  paste0(c(
    "digraph {", "  node [fontsize=11];", "  edge [fontsize=9];", boxes(NA, "  "),
    sprintf("  n%d -> n%d [%s];", edges$from, edges$to, style),
    "}", ""
  ), collapse = "\n")
}

edge_label <- function(edges) sprintf("%%%s", edges$name)

# Places of nodes and ways of edges, in points, y from the top: by `dot` if it is there.
graph_layout <- function(x, constants) {
  picture <- graph_picture(x, constants)
  dot <- Sys.which("dot")
  if (nzchar(dot)) dot_layout(picture, as_dot(x, constants = constants), dot) else layered_layout(picture)
}

# Each node one layer below the lowest of those that it depends on.
layered_layout <- function(picture) {
  n <- length(picture$id)
  edges <- picture$edges
  from <- match(edges$from, picture$id)
  to <- match(edges$to, picture$id)
  layer <- integer(n)
  # Rows are in the order of execution: what comes in was placed before.
  for (i in seq_len(n)) layer[i] <- max(c(-1L, layer[from[to == i & from < i]])) + 1L
  # Constants stand just above what uses them first.
  for (i in which(picture$shape == "plaintext")) layer[i] <- max(0L, min(layer[to[from == i]], 1L + n) - 1L)
  ends <- picture$text == "return" & picture$depth == 0
  layer[ends] <- max(layer[!ends], -1L) + 1L
  width <- 7 * nchar(picture$text) + 16
  x <- numeric(n)
  for (nodes in split(seq_len(n), layer)) {
    right <- cumsum(width[nodes] + 24)
    x[nodes] <- right - (width[nodes] + 24) / 2 - max(right) / 2
  }
  x <- x - min(x - width / 2) + 10
  y <- layer * 54 + 24
  labels <- data.frame(
    x = 0.3 * x[from] + 0.7 * x[to], y = 0.3 * y[from] + 0.7 * y[to] - 4, text = edge_label(edges)
  )
  list(
    x = x, y = y, width = width, height = rep(26, n), text = picture$text, shape = picture$shape,
    edges = lapply(seq_along(from), function(i) cbind(c(x[from[i]], x[to[i]]), c(y[from[i]] + 13, y[to[i]] - 13))),
    labels = labels[edges$name != "", ],
    size = ceiling(c(max(x + width / 2) + 10, max(y) + 24))
  )
}

# `dot -Tplain` writes one thing a line, in inches, y from the bottom.
dot_layout <- function(picture, text, dot) {
  file <- tempfile(fileext = ".dot")
  on.exit(unlink(file))
  writeLines(text, file)
  lines <- system2(dot, c("-Tplain", shQuote(file)), stdout = TRUE)
  words <- lapply(lines, function(line) scan(text = line, what = "", quiet = TRUE))
  kind <- vapply(words, `[`, "", 1)
  number <- function(from, at) as.numeric(vapply(from, `[`, "", at)) * 72
  graph <- words[kind == "graph"]
  size <- ceiling(c(number(graph, 3), number(graph, 4)))
  nodes <- words[kind == "node"]
  nodes <- nodes[match(paste0("n", picture$id), vapply(nodes, `[`, "", 2))]
  edges <- words[kind == "edge"]
  ways <- lapply(edges, function(edge) {
    points <- matrix(as.numeric(edge[4 + seq_len(2 * as.integer(edge[4]))]) * 72, ncol = 2, byrow = TRUE)
    cbind(points[, 1], size[2] - points[, 2])
  })
  # What follows the points: a label and its place, if there is one, then two words on style.
  after <- function(edge, k) edge[4 + 2 * as.integer(edge[4]) + k]
  labelled <- Filter(function(edge) !is.na(after(edge, 3)), edges)
  place <- function(k) as.numeric(vapply(labelled, after, "", k)) * 72
  list(
    x = number(nodes, 3), y = size[2] - number(nodes, 4), width = number(nodes, 5), height = number(nodes, 6),
    text = picture$text, shape = picture$shape, edges = ways,
    labels = data.frame(x = place(2), y = size[2] - place(3), text = vapply(labelled, after, "", 1)),
    size = size
  )
}

#' @rdname jit_graph
#' @export
as_svg <- function(x, ..., constants = TRUE) UseMethod("as_svg")

#' @export
as_svg.torch_graph <- function(x, ..., constants = TRUE) {
  layout <- graph_layout(x, constants)
  escaped <- function(text) {
    gsub(">", "&gt;", gsub("<", "&lt;", gsub("&", "&amp;", text, fixed = TRUE), fixed = TRUE), fixed = TRUE)
  }
  element <- function(chosen, format, ...) do.call(sprintf, c(format, lapply(list(...), `[`, chosen)))
  left <- layout$x - layout$width / 2
  top <- layout$y - layout$height / 2
  way <- vapply(layout$edges, function(way) paste(sprintf("%.1f,%.1f", way[, 1], way[, 2]), collapse = " "), "")
  paste0(c(
    do.call(sprintf, c(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %.0f %.0f' width='%.0f' height='%.0f'>", as.list(rep(layout$size, 2))
    )),
    "<defs><marker id='tip' markerWidth='8' markerHeight='8' refX='7' refY='3' orient='auto'>",
    "<path d='M0,0 L7,3 L0,6 z'/></marker></defs>",
    "<g fill='none' stroke='black'>",
    element(
      layout$shape == "box", "<rect x='%.1f' y='%.1f' width='%.1f' height='%.1f'/>", left, top, layout$width, layout$height
    ),
    element(
      layout$shape == "ellipse", "<ellipse cx='%.1f' cy='%.1f' rx='%.1f' ry='%.1f'/>", layout$x, layout$y, layout$width / 2,
      layout$height / 2
    ),
    sprintf("<polyline points='%s' marker-end='url(#tip)'/>", way), "</g>",
    "<g font-family='sans-serif' text-anchor='middle'>",
    sprintf("<text x='%.1f' y='%.1f' font-size='11'>%s</text>", layout$x, layout$y + 4, escaped(layout$text)),
    sprintf(
      "<text x='%.1f' y='%.1f' font-size='9' fill='gray'>%s</text>", layout$labels$x, layout$labels$y,
      escaped(layout$labels$text)
    ),
    "</g>", "</svg>", ""
  ), collapse = "\n")
}

#' @rdname jit_graph
#' @importFrom graphics arrows lines par plot.window plot.new rect text
#' @export
plot.torch_graph <- function(x, ..., constants = TRUE) {
  layout <- graph_layout(x, constants)
  before <- par(mar = c(0, 0, 0, 0))
  on.exit(par(before))
  plot.new()
  plot.window(c(0, layout$size[1]), c(layout$size[2], 0), asp = 1)
  for (way in layout$edges) {
    n <- nrow(way)
    lines(way[, 1], way[, 2], col = "gray50")
    arrows(way[n - 1, 1], way[n - 1, 2], way[n, 1], way[n, 2], length = 0.06, col = "gray50")
  }
  left <- layout$x - layout$width / 2
  top <- layout$y - layout$height / 2
  box <- layout$shape != "plaintext"
  rect(left[box], top[box], (left + layout$width)[box], (top + layout$height)[box],
    col = ifelse(layout$shape[box] == "ellipse", "gray92", "white"))
  text(layout$x, layout$y, layout$text, cex = 0.8)
  if (nrow(layout$labels)) text(layout$labels$x, layout$labels$y, layout$labels$text, cex = 0.6, col = "gray40")
  invisible(x)
}
