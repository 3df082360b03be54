# What a picture of a graph shows: nodes with a text and a form, and the values that go from one to another.

# Kinds of nodes that a picture leaves out unless all detail is asked for: what they give says nothing of the flow
# (`aside`), or they only pack and unpack what flows through them (`packing`).
kinds_aside <- c("prim::Constant", "prim::GetAttr")
kinds_packing <- c(
  "prim::ListConstruct", "prim::TupleConstruct", "prim::DictConstruct", "prim::ListUnpack", "prim::TupleUnpack"
)

# A list of two data frames. `nodes`: `id` (the row of graph_rows(), and a letter for each of several inputs), `text`,
# `form` ("input", "output", "layer", "operator" or "constant"), `note` (the shape of what it gives), `parent` (the row of
# the node that holds it), `group` (one a block), `layer` (which one computes it, "" if none is known). `edges`: `from`, `to`
# (positions in `nodes`), `name` (of the value; empty from a node to a block that it holds), `note` (its shape).
graph_picture <- function(x, detail) {
  rows <- graph_rows(x)
  values <- graph_values(rows)
  all <- detail == "all"
  rows$owner <- if (all) "" else layer_owners(rows, values)
  rows$called <- called_names(rows, values)
  aside <- !all & rows$kind %in% kinds_aside
  packing <- !all & rows$kind %in% kinds_packing
  # A block without parameters or results needs no box for them.
  empty <- rows$kind %in% c("prim::Param", "prim::Return") & lengths(rows$outputs) + lengths(rows$inputs) == 0
  nodes <- picture_nodes(rows, which(!aside & !packing & !empty), all)
  edges <- picture_edges(rows, values, nodes, packing)
  # An unused input is the module, whose parameters the picture leaves out.
  idle <- !all & nodes$form == "input" & is.na(nodes$parent) & !seq_len(nrow(nodes)) %in% edges$from
  if (!all(idle[nodes$form == "input"])) {
    kept <- which(!idle)
    nodes <- nodes[kept, ]
    edges$from <- match(edges$from, kept)
    edges$to <- match(edges$to, kept)
  }
  picture <- list(nodes = nodes, edges = rbind(edges, edges_to_blocks(nodes, edges)))
  if (detail == "layers") fold_layers(picture) else picture
}

# All values: their names, the rows that make them, and their types. Subgraphs use names anew.
graph_values <- function(rows) {
  data.frame(
    name = as.character(unlist(rows$outputs)), row = rep(seq_len(nrow(rows)), lengths(rows$outputs)),
    at = sequence(lengths(rows$outputs)), type = as.character(unlist(rows$types))
  )
}

# The position in `values` of what row `user` means by each name: the nearest before it that it can see, or NA.
find_values <- function(names, user, rows, values) {
  vapply(names, function(name) {
    made <- which(values$name == name & values$row < user)
    made <- made[vapply(values$row[made], in_scope, NA, rows = rows, user = user)]
    if (length(made)) max(made) else NA_integer_
  }, 1L, USE.NAMES = FALSE)
}

# Whether row `user` can use what row `maker` makes: `maker` stands in the same block or in one around it.
in_scope <- function(maker, rows, user) {
  repeat {
    if (identical(rows$parent[maker], rows$parent[user]) && rows$block[maker] == rows$block[user]) return(TRUE)
    user <- rows$parent[user]
    if (is.na(user)) return(FALSE)
  }
}

# For each row the layer whose parameters it uses ("features.0"), "" for none: by the path of the attributes among its
# inputs.
layer_owners <- function(rows, values) {
  path <- rep("", nrow(rows))
  owner <- rep("", nrow(rows))
  for (i in seq_len(nrow(rows))) {
    makers <- values$row[find_values(rows$inputs[[i]], i, rows, values)]
    if (rows$kind[i] == "prim::GetAttr") {
      path[i] <- paste0(if (nzchar(path[makers])) paste0(path[makers], "."), rows$attributes[[i]][["name"]])
    } else {
      paths <- path[makers[!is.na(makers) & rows$kind[makers] == "prim::GetAttr"]]
      # A method call belongs to the module of the method, and a parameter belongs to the module that holds it.
      if (rows$kind[i] != "prim::CallMethod") paths <- ifelse(grepl(".", paths, fixed = TRUE), sub("[.][^.]*$", "", paths), "")
      if (length(paths)) owner[i] <- paths[[1]]
    }
  }
  owner
}

# What a call calls: a method by its name, a function by that of the constant that it is. "" for all else.
called_names <- function(rows, values) {
  vapply(seq_len(nrow(rows)), function(i) {
    from <- switch(rows$kind[i],
      "prim::CallMethod" = i, "prim::CallFunction" = values$row[find_values(rows$inputs[[i]][1], i, rows, values)], NA
    )
    if (is.na(from)) "" else as.character(rows$attributes[[from]][["name"]] %||% "")
  }, "")
}

picture_nodes <- function(rows, shown, all) {
  nodes <- lapply(shown, function(i) {
    kind <- rows$kind[i]
    parts <- if (kind == "prim::Param") seq_along(rows$outputs[[i]]) else 1L
    form <- switch(kind, "prim::Param" = "input", "prim::Return" = "output", "prim::Constant" = "constant",
      if (rows$owner[i] != "") "layer" else "operator")
    data.frame(
      row = i, part = parts, form = form, parent = rows$parent[i], block = rows$block[i],
      text = if (kind == "prim::Param") rows$outputs[[i]] else node_text(rows[i, ], all),
      note = if (kind == "prim::Param") type_shape(rows$types[[i]]) else paste(type_shape(rows$types[[i]]), collapse = ", "),
      layer = layer_in_place(rows$file[i])
    )
  })
  nodes <- do.call(rbind, nodes)
  nodes$id <- paste0("n", nodes$row, ifelse(nodes$part > 1, letters[pmin(nodes$part, 26)], ""))
  nodes$group <- paste(nodes$parent, nodes$block)
  nodes
}

node_text <- function(row, all) {
  if (row$kind == "prim::Return") return("return")
  if (row$kind == "prim::Constant") return(constant_text(row$attributes[[1]][["value"]]))
  if (all) return(row$kind)
  name <- if (row$called == "") tolower(sub("^\\w+::_*", "", row$kind)) else row$called
  if (row$owner != "" && name == "forward") return(row$owner)
  paste(c(if (row$owner != "") row$owner, name), collapse = ": ")
}

constant_text <- function(value) {
  if (is.null(value)) return("None")
  if (is_torch_tensor(value)) return("<Tensor>")
  encodeString(paste(format(unlist(value)), collapse = ", "))
}

# "head.2: nn_linear" of the place "net$head$2, nn_linear"; "" for a place in a file or in the code of the whole.
layer_in_place <- function(file) {
  parts <- regmatches(file, regexec("^[^,$]+[$]([^,]+), ([^,]+)$", file))[[1]]
  if (length(parts) == 3L && !is.na(file)) paste0(gsub("$", ".", parts[2], fixed = TRUE), ": ", parts[3]) else ""
}

# "(2, 8)" of "Float(2, 8, strides=[8, 1], requires_grad=0, device=cpu)"; "" where the type tells no shape.
type_shape <- function(types) {
  known <- grepl("^\\w+\\((\\d|strides|requires_grad|device)", types)
  sizes <- sub("(, )?(strides|requires_grad|device)=.*$", "", sub("^\\w+\\(", "", types))
  ifelse(known, paste0("(", sub("\\)$", "", sizes), ")"), "")
}

picture_edges <- function(rows, values, nodes, packing) {
  position <- function(value) match(paste(values$row[value], ifelse(rows$kind[values$row[value]] == "prim::Param", values$at[value], 1L)), paste(nodes$row, nodes$part))
  # The values that were packed into these.
  sources <- function(row) {
    found <- find_values(rows$inputs[[row]], row, rows, values)
    found <- found[!is.na(found)]
    unlist(lapply(found, function(value) if (packing[values$row[value]]) sources(values$row[value]) else value))
  }
  edges <- lapply(which(nodes$part == 1 & nodes$form != "input"), function(i) {
    from <- sources(nodes$row[i])
    if (!length(from)) return(NULL)
    data.frame(from = position(from), to = i, name = values$name[from], note = type_shape(values$type[from]))
  })
  edges <- do.call(rbind, c(edges, list(data.frame(from = integer(), to = integer(), name = character(), note = character()))))
  unique(edges[!is.na(edges$from), ])
}

# A node that holds blocks stands before the first node of each, and before what it hands to them.
edges_to_blocks <- function(nodes, edges) {
  first <- which(!is.na(nodes$parent) & (!duplicated(nodes$group) | nodes$form == "input"))
  holder <- match(nodes$parent[first], nodes$row)
  new <- !is.na(holder) & !paste(holder, first) %in% paste(edges$from, edges$to)
  data.frame(from = holder[new], to = first[new], name = rep("", sum(new)), note = rep("", sum(new)))
}

# What one call of a layer computes becomes one node: the operators of a layer that stand one after the other.
fold_layers <- function(picture) {
  nodes <- picture$nodes
  nodes$layer[nodes$form %in% c("input", "output")] <- ""
  # The position of the first node of each run; a node of no layer is a run of its own.
  alone <- nodes$layer == ""
  run <- paste(nodes$layer, nodes$group, ifelse(alone, seq_len(nrow(nodes)), ""))
  head <- which(c(TRUE, run[-1] != run[-length(run)]))[cumsum(c(TRUE, run[-1] != run[-length(run)]))]
  kept <- unique(head)
  last <- vapply(kept, function(i) max(which(head == i)), 1L)
  has_parameters <- vapply(kept, function(i) any(nodes$form[head == i] == "layer"), NA)
  named <- !alone[kept]
  nodes$text[kept[named]] <- nodes$layer[kept[named]]
  nodes$form[kept[named & has_parameters]] <- "layer"
  nodes$note[kept] <- nodes$note[last]
  edges <- picture$edges
  edges$from <- match(head[edges$from], kept)
  edges$to <- match(head[edges$to], kept)
  edges <- edges[edges$from != edges$to, ]
  list(nodes = nodes[kept, ], edges = edges[!duplicated(edges[c("from", "to")]), ])
}
