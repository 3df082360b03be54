# Makes batches of items.

# Makes a batch of a list of items: tensors are stacked, R vectors become tensors first, lists are collated element by
# element. All items must be of the form of the first one. Runs once for each batch.
collate_items <- function(items, field = "") {
  first <- .subset2(items, 1L)
  if (inherits(first, "torch_tensor")) {
    return(stack_tensors(items, field))
  }
  if (is.list(first)) {
    return(collate_lists(items, field))
  }
  if (!is.character(first) && !is_data(first)) {
    value_error(sprintf(
      "Can't make a batch of data of class <%s>%s: items must be tensors, vectors, or lists of these.",
      paste(class(first), collapse = "/"), if (nzchar(field)) sprintf(" (`%s`)", field) else ""
    ), call = NULL)
  }
  # Items of most datasets are rows of one matrix, which then is the batch.
  if (!is.character(first) && .Call(C_are_rows, items)) {
    values <- unlist(items, use.names = FALSE)
    return(tensor_of_items(torch_tensor(if (length(first) == 1L) values else matrix(values, length(items), byrow = TRUE)), items, field))
  }
  check_vectors(items, field)
  if (is.character(first)) {
    return(unlist(items))
  }
  if (length(first) == 1L && is.null(dim(first))) {
    return(tensor_of_items(torch_tensor(do.call(c, items)), items, field))
  }
  tensor_of_items(torch_stack(lapply(items, torch_tensor)), items, field)
}

# Whole numbers and logical values have no NA in tensors.
tensor_of_items <- function(make, items, field) {
  tryCatch(make, error = function(e) {
    lacking <- Position(anyNA, items)
    if (is.na(lacking)) cnd_signal(e)
    value_error(sprintf(
      "The items of a batch must not hold NA where they are not floating-point numbers: %sitem %d does. Use `as.numeric()`.",
      if (nzchar(field)) sprintf("in `%s`, ", field) else "", lacking
    ), call = NULL)
  })
}

# `is` describes item `i`, and `wanted` describes the first item in the same words.
refuse_item <- function(i, field, is, wanted) {
  value_error(sprintf(
    "The items of a batch must match: %sitem %d %s, item 1 %s.",
    if (nzchar(field)) sprintf("in `%s`, ", field) else "", i, is, wanted
  ), call = NULL)
}

stack_tensors <- function(items, field) {
  are_tensors <- .Call(C_tensor_positions, items)
  if (length(are_tensors) < length(items)) {
    other <- setdiff(seq_along(items), are_tensors)[1L]
    refuse_item(other, field, paste("is", friendly_type(items[[other]])), "is a tensor")
  }
  tryCatch(torch_stack(items), error = function(e) {
    shapes <- vapply(items, function(x) toString(.Call(C_shape, x)), "")
    other <- match(FALSE, shapes == shapes[1L])
    if (is.na(other)) rlang::cnd_signal(e)
    refuse_item(other, field, sprintf("has shape (%s)", shapes[other]), sprintf("(%s)", shapes[1L]))
  })
}

# By name where all elements have one, else by position.
collate_lists <- function(items, field) {
  names <- names(.subset2(items, 1L))
  by_name <- !is.null(names) && all(nzchar(names))
  columns <- if (!by_name || !anyDuplicated(names)) .Call(C_columns, items)
  # The items do not all have the same names in the same order.
  if (is.null(columns)) check_lists(items, names, by_name, field)
  batch <- vector("list", length(.subset2(items, 1L)))
  for (i in seq_along(batch)) {
    at <- if (by_name) names[[i]] else i
    step <- if (by_name) paste0(if (nzchar(field)) "$", at) else sprintf("[[%d]]", i)
    batch[[i]] <- collate_items(if (is.null(columns)) lapply(items, .subset2, at) else columns[[i]], paste0(field, step))
  }
  names(batch) <- names
  batch
}

check_lists <- function(items, names, by_name, field) {
  if (by_name && anyDuplicated(names)) {
    value_error(sprintf("An item of a batch must have each field once: item 1 has `%s` twice.", names[anyDuplicated(names)]), call = NULL)
  }
  n <- length(.subset2(items, 1L))
  for (i in seq_along(items)) {
    item <- .subset2(items, i)
    if (!is.list(item)) refuse_item(i, field, paste("is", friendly_type(item)), "is a list")
    if (identical(names(item), names) && length(item) == n) next
    if (by_name && is.character(names(item))) {
      missing <- setdiff(names, names(item))
      if (length(missing)) refuse_item(i, field, sprintf("has no field `%s`", missing[1L]), "has one")
      more <- names(item)[!names(item) %in% names | duplicated(names(item))]
      if (length(more)) {
        twice <- more[1L] %in% names
        refuse_item(i, field, sprintf("has %s `%s`", if (twice) "twice the field" else "a field", more[1L]), if (twice) "once" else "has none")
      }
      next
    }
    if (length(item) != n) refuse_item(i, field, sprintf("has length %d", length(item)), sprintf("%d", n))
    refuse_item(i, field, "has other names", sprintf("has %s", if (is.null(names)) "none" else toString(names)))
  }
}

# Vectors of one kind, length and dimensions.
check_vectors <- function(items, field) {
  kind <- function(x) {
    if (is.character(x)) "character" else if (inherits(x, "integer64")) "integer64" else if (is_data(x)) "numbers" else ""
  }
  first <- .subset2(items, 1L)
  wanted <- kind(first)
  size <- dim(first) %||% length(first)
  for (i in seq_along(items)) {
    item <- .subset2(items, i)
    if (is_torch_tensor(item) || kind(item) != wanted) {
      refuse_item(i, field, paste("is", friendly_type(item)), paste("is", friendly_type(first)))
    }
    own <- dim(item) %||% length(item)
    if (!identical(as.integer(own), as.integer(size))) {
      refuse_item(i, field, sprintf("has %s %s", if (is.null(dim(item))) "length" else "dimensions", toString(own)), toString(size))
    }
  }
}

# Makes tensors of what a dataset gave as a batch. Strings stay what they are, as in collate_items().
convert_batch <- function(batch, field = "") {
  if (is_torch_tensor(batch) || is.character(batch)) {
    return(batch)
  }
  if (is.list(batch)) {
    return(each_field(batch, field, convert_batch))
  }
  where <- if (nzchar(field)) sprintf(" (`%s`)", field) else ""
  if (!is_data(batch)) {
    value_error(sprintf("Can't make a tensor of data of class <%s>%s.", paste(class(batch), collapse = "/"), where), call = NULL)
  }
  tryCatch(torch_tensor(batch), value_error = function(e) {
    value_error(sprintf("Can't make a tensor of what the dataset gave%s: %s", where, conditionMessage(e)), call = NULL)
  })
}

# `f` of each element of a list and of the path to it, such as `a$b` or `[[1]]`, which is computed where it is needed.
each_field <- function(batch, field, f) {
  names <- names2(batch)
  step <- function(i) if (nzchar(names[[i]])) paste0(if (nzchar(field)) "$", names[[i]]) else sprintf("[[%d]]", i)
  out <- lapply(seq_along(batch), function(i) f(batch[[i]], paste0(field, step(i))))
  names(out) <- names(batch)
  out
}

is_data <- function(x) is.numeric(x) || is.logical(x) || is.complex(x) || is.raw(x) || inherits(x, "integer64")

pin_batch <- function(batch) {
  if (is_torch_tensor(batch)) {
    batch$pin_memory()
  } else if (is.list(batch)) {
    lapply(batch, pin_batch)
  } else {
    batch
  }
}
