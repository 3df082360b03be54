# Pictures of graphs: for Graphviz, as SVG, and on R's graphics device.

#' Pictures of programs
#'
#' `plot()` draws on R's graphics device what a program computes, from top to bottom: its inputs, operators and layers, with
#' the shapes that a trace has seen. `as_svg()` gives the same as an SVG file, `as_dot()` as text for Graphviz. Where the
#' program `dot` of Graphviz is installed, it places the nodes.
#'
#' @param x A graph, a `script_function`, a `script_module` (its `forward`), or an [nn_module()].
#' @param ... For an `nn_module`, example inputs: it is traced on them in its present mode. Else not used.
#' @param detail `"layers"`: parameters, constants and lists are left out, and what a layer computes is one node;
#'   `"operators"`: the same with each operator as a node; `"all"`: every node of the graph, as LibTorch names it.
#' @return `as_dot()` and `as_svg()` a string; `plot()` its `x`, invisibly.
#' @seealso [jit_graph]
#' @examplesIf torch::torch_is_installed()
#' net <- nn_sequential(nn_linear(3, 8), nn_relu(), nn_linear(8, 1))
#' plot(net, torch_randn(5, 3))
#' cat(as_dot(jit_trace(net, torch_randn(5, 3))))
#' @name plot_graph
NULL

# The graph of what is to be drawn.
graph_to_draw <- function(x, ..., call) {
  if (inherits(x, "torch_graph")) return(x)
  if (inherits(x, c("script_function", "script_method", "script_module"))) return(x$graph)
  if (!is_nn_module(x)) {
    type_error(sprintf("`x` must be a graph, a script function or module, or an nn_module, not %s.", friendly_type(x)), call)
  }
  if (...length() == 0L) {
    value_error("`...` must hold example inputs for the module, as in `plot(model, torch_randn(1, 3))`.", call)
  }
  jit_trace(x, ..., strict = FALSE, respect_mode = FALSE, check_trace = FALSE)$graph
}

draw <- function(as, x, ..., detail, call = caller_env()) {
  arg_match0(detail, c("layers", "operators", "all"), "detail", error_call = call)
  as(graph_picture(graph_to_draw(x, ..., call = call), detail))
}

#' @rdname plot_graph
#' @export
as_dot <- function(x, ..., detail = "layers") draw(dot_text, x, ..., detail = detail)

#' @rdname plot_graph
#' @export
as_svg <- function(x, ..., detail = "layers") draw(svg_text, x, ..., detail = detail)

#' @rdname plot_graph
#' @importFrom graphics arrows lines par plot.window plot.new rect strwidth text
#' @export
plot.torch_graph <- function(x, ..., detail = "layers") {
  draw(draw_on_device, x, ..., detail = detail)
  invisible(x)
}
#' @rdname plot_graph
#' @export
plot.script_function <- plot.torch_graph
#' @rdname plot_graph
#' @export
plot.script_method <- plot.torch_graph
#' @rdname plot_graph
#' @export
plot.nn_module <- plot.torch_graph

# ---- the forms ----------------------------------------------------------------------------------------------------------

dot_text <- function(picture) {
  nodes <- picture$nodes
  quoted <- function(text) paste0("\"", gsub("([\"\\\\])", "\\\\\\1", text), "\"")
  shape <- c(input = "ellipse", output = "ellipse", constant = "plaintext", layer = "box", operator = "box")
  node <- sprintf("%s [label=%s, shape=%s];", nodes$id, quoted(nodes$text), shape[nodes$form])
  # Nodes of one block stand in a box, which stands in its parent's.
  boxes <- function(parent, indent) {
    here <- if (is.na(parent)) is.na(nodes$parent) else nodes$parent %in% parent
    unlist(lapply(unique(nodes$group[here]), function(group) {
      lines <- unlist(lapply(which(nodes$group == group), function(i) {
        c(paste0(indent, node[i]), boxes(nodes$row[i], paste0(indent, "  ")))
      }))
      if (is.na(parent)) return(lines)
      c(sprintf("%ssubgraph \"cluster_%s\" {", indent, group), lines, paste0(indent, "}"))
    }))
  }
  edges <- picture$edges
  style <- ifelse(edges$name == "", "style=dashed", paste0("label=", quoted(edges$note)))
  paste0(c(
    "digraph {", "  node [fontsize=11];", "  edge [fontsize=9];", boxes(NA, "  "),
    sprintf("  %s -> %s [%s];", nodes$id[edges$from], nodes$id[edges$to], style),
    "}", ""
  ), collapse = "\n")
}

fill_colours <- c(input = "#ececec", output = "#ececec", constant = "none", layer = "#dfeaf7", operator = "#ffffff")

svg_text <- function(picture) {
  layout <- graph_layout(picture)
  nodes <- picture$nodes
  escaped <- function(text) {
    gsub(">", "&gt;", gsub("<", "&lt;", gsub("&", "&amp;", text, fixed = TRUE), fixed = TRUE), fixed = TRUE)
  }
  way <- vapply(layout$ways, function(way) paste(sprintf("%.1f,%.1f", way[, 1], way[, 2]), collapse = " "), "")
  rounded <- ifelse(nodes$form %in% c("input", "output"), layout$height / 2, 4)
  boxed <- nodes$form != "constant"
  notes <- shown_notes(picture)
  paste0(c(
    do.call(sprintf, c(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 %.0f %.0f' width='%.0f' height='%.0f'>", as.list(rep(layout$size, 2))
    )),
    "<defs><marker id='tip' markerWidth='8' markerHeight='8' refX='7' refY='3' orient='auto'>",
    "<path d='M0,0 L7,3 L0,6 z' fill='#777777'/></marker></defs>",
    "<g fill='none' stroke='#777777'>",
    sprintf("<polyline points='%s'%s marker-end='url(#tip)'/>", way, ifelse(layout$dashed, " stroke-dasharray='4 3'", "")),
    sprintf(
      "<rect x='%.1f' y='%.1f' width='%.1f' height='%.1f' rx='%.1f' fill='%s'/>", layout$x - layout$width / 2,
      layout$y - layout$height / 2, layout$width, layout$height, rounded, fill_colours[nodes$form]
    )[boxed],
    "</g>",
    "<g font-family='sans-serif' text-anchor='middle'>",
    sprintf("<text x='%.1f' y='%.1f' font-size='11'>%s</text>", layout$x, layout$y + 4, escaped(nodes$text)),
    # A white line lies behind the edge, so that it stands out where it passes another one.
    unlist(lapply(c("fill='none' stroke='white' stroke-width='3'", "fill='#555555'"), function(style) sprintf(
      "<text x='%.1f' y='%.1f' font-size='9' text-anchor='start' %s>%s</text>", layout$x + 5,
      layout$y + layout$height / 2 + 11, style, escaped(notes)
    )[nzchar(notes)])),
    "</g>", "</svg>", ""
  ), collapse = "\n")
}

draw_on_device <- function(picture) {
  layout <- graph_layout(picture)
  nodes <- picture$nodes
  before <- par(mar = c(0, 0, 0, 0))
  on.exit(par(before))
  plot.new()
  plot.window(c(0, layout$size[1]), c(layout$size[2], 0), asp = 1)
  # A point of the picture is a point of the device, unless the picture is too large. Text shrinks with its boxes and
  # is never larger than usual.
  scale <- min(par("pin") * 72 / layout$size, 1)
  for (i in seq_along(layout$ways)) {
    way <- layout$ways[[i]]
    n <- nrow(way)
    dashes <- if (layout$dashed[i]) 2 else 1
    lines(way[-n, 1], way[-n, 2], col = "gray50", lty = dashes)
    arrows(way[n - 1, 1], way[n - 1, 2], way[n, 1], way[n, 2], length = 0.07 * scale, col = "gray50", lty = dashes)
  }
  left <- layout$x - layout$width / 2
  top <- layout$y - layout$height / 2
  box <- nodes$form != "constant"
  rect(
    left[box], top[box], (left + layout$width)[box], (top + layout$height)[box], border = "gray50",
    col = fill_colours[nodes$form[box]]
  )
  text(layout$x, layout$y, nodes$text, cex = scale * 11 / par("ps"))
  noted <- which(nzchar(shown_notes(picture)))
  if (length(noted) > 0L) {
    x <- layout$x[noted] + 5
    y <- (layout$y + layout$height / 2 + 8)[noted]
    cex <- scale * 9 / par("ps")
    rect(x, y - 5, x + strwidth(nodes$note[noted], cex = cex), y + 5, col = "white", border = NA)
    text(x, y, nodes$note[noted], cex = cex, col = "gray30", adj = c(0, 0.5))
  }
}
