# Places for the nodes of a picture and ways for its edges, in points, y from the top: by Graphviz' `dot` if it is there,
# else in layers.

graph_layout <- function(picture) {
  dot <- Sys.which("dot")
  if (nzchar(dot)) dot_layout(picture, dot) else layered_layout(picture)
}

node_width <- function(picture) pmax(7 * pmax(nchar(picture$nodes$text), 0.8 * nchar(shown_notes(picture))) + 18, 46)

# A node shows the shape of its result below itself. Operators whose result is no tensor show none.
shown_notes <- function(picture) ifelse(picture$nodes$form == "output", "", picture$nodes$note)

# Places nodes in layers from top to bottom: each node is one layer below the lowest of those that it depends on. An
# edge that passes layers is a chain of points in them, so that it goes around the boxes.
layered_layout <- function(picture) {
  nodes <- picture$nodes
  layer <- node_layers(picture)
  chains <- edge_chains(layer, picture$edges)
  n <- nrow(nodes)
  layers <- c(layer, chains$layer)
  width <- c(node_width(picture), rep(14, length(chains$layer)))
  x <- place_in_layers(layers, width, chains$from, chains$to, n)
  x <- x - min(x - width / 2) + 12
  y <- layers * 58 + 26
  height <- 26
  ways <- lapply(chains$ways, function(way) {
    points <- cbind(x[way], y[way])
    points[1, 2] <- points[1, 2] + height / 2
    points[length(way), 2] <- points[length(way), 2] - height / 2
    points
  })
  list(
    x = x[seq_len(n)], y = y[seq_len(n)], width = width[seq_len(n)], height = rep(height, n), ways = ways,
    dashed = picture$edges$name == "",
    size = ceiling(c(max(x + width / 2) + 12, max(y) + 34))
  )
}

node_layers <- function(picture) {
  n <- nrow(picture$nodes)
  form <- picture$nodes$form
  from <- picture$edges$from
  to <- picture$edges$to
  layer <- integer(n)
  # Nodes are in the order of execution, so the inputs of a node have their places already.
  for (i in seq_len(n)) layer[i] <- max(c(-1L, layer[from[to == i & from < i]])) + 1L
  # A node that depends on nothing stands just above the first one that uses it.
  for (i in which(form %in% c("constant", "input") & !seq_len(n) %in% to)) {
    if (i %in% from) layer[i] <- max(0L, min(layer[to[from == i]]) - 1L)
  }
  ends <- form == "output" & is.na(picture$nodes$parent)
  layer[ends] <- max(layer[!ends], -1L) + 1L
  layer
}

# Points where edges pass a layer, numbered after the nodes; `from` and `to`: the links between neighbouring layers.
edge_chains <- function(layer, edges) {
  n <- length(layer)
  passing <- integer()
  ways <- vector("list", nrow(edges))
  for (i in seq_len(nrow(edges))) {
    from <- layer[edges$from[i]]
    to <- layer[edges$to[i]]
    between <- if (to > from + 1L) seq(from + 1L, to - 1L) else integer()
    ways[[i]] <- c(edges$from[i], n + length(passing) + seq_along(between), edges$to[i])
    passing <- c(passing, between)
  }
  links <- do.call(rbind, lapply(ways, function(way) cbind(way[-length(way)], way[-1])))
  list(layer = passing, ways = ways, from = links[, 1], to = links[, 2])
}

# The horizontal places of nodes and points. A few sweeps bring each to the middle of its neighbours, first in order
# and then in place.
place_in_layers <- function(layer, width, from, to, n) {
  x <- as.double(ave(seq_along(layer), layer, FUN = seq_along))
  neighbours <- function(i, above) if (above) from[to == i] else to[from == i]
  middle <- function(nodes, above) {
    vapply(nodes, function(i) {
      others <- neighbours(i, above)
      if (length(others)) mean(x[others]) else x[i]
    }, 0)
  }
  by_layer <- split(seq_along(layer), layer)
  for (sweep in 1:6) {
    down <- sweep %% 2 == 1
    for (nodes in if (down) by_layer else rev(by_layer)) x[nodes[order(middle(nodes, down))]] <- seq_along(nodes)
  }
  sorted <- lapply(by_layer, function(nodes) nodes[order(x[nodes])])
  for (nodes in sorted) x[nodes] <- spread(x[nodes] * 0, width[nodes])
  for (sweep in 1:24) {
    down <- sweep %% 2 == 1
    for (nodes in if (down) sorted else rev(sorted)) x[nodes] <- spread(middle(nodes, down), width[nodes])
  }
  x
}

# The places nearest to the wanted ones at which boxes of these widths, in this order, do not touch.
spread <- function(wanted, width) {
  least <- cumsum(c(0, (width[-1] + width[-length(width)]) / 2 + 22))
  stats::isoreg(wanted - least)$yf + least
}

# `dot -Tplain` writes one thing a line, in inches, y from the bottom.
dot_layout <- function(picture, dot) {
  file <- tempfile(fileext = ".dot")
  on.exit(unlink(file))
  writeLines(dot_text(picture), file)
  lines <- system2(dot, c("-Tplain", shQuote(file)), stdout = TRUE)
  words <- lapply(lines, function(line) scan(text = line, what = "", quiet = TRUE))
  kind <- vapply(words, `[`, "", 1)
  points <- function(from, at) as.numeric(vapply(from, `[`, "", at)) * 72
  graph <- words[kind == "graph"]
  size <- ceiling(c(points(graph, 3), points(graph, 4)))
  nodes <- words[kind == "node"]
  nodes <- nodes[match(picture$nodes$id, vapply(nodes, `[`, "", 2))]
  edges <- words[kind == "edge"]
  ids <- vapply(edges, function(edge) paste(edge[2:3], collapse = " "), "")
  dashed <- picture$edges$name == ""
  held <- paste(picture$nodes$id[picture$edges$from], picture$nodes$id[picture$edges$to])[dashed]
  ways <- lapply(edges, function(edge) {
    way <- matrix(as.numeric(edge[4 + seq_len(2 * as.integer(edge[4]))]) * 72, ncol = 2, byrow = TRUE)
    cbind(way[, 1], size[2] - way[, 2])
  })
  list(
    x = points(nodes, 3), y = size[2] - points(nodes, 4), width = points(nodes, 5), height = points(nodes, 6), ways = ways,
    dashed = ids %in% held, size = size + c(0, 14)
  )
}
