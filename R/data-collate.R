# From items to batches.

# Makes a batch of a list of items: tensors are stacked, R vectors become tensors first, lists are collated element by
# element. Runs once for each batch.
collate_items <- function(items) {
  first <- .subset2(items, 1L)
  if (inherits(first, "torch_tensor")) {
    return(torch_stack(items))
  }
  if (is.list(first)) {
    names <- names(first)
    batch <- vector("list", length(first))
    for (i in seq_along(first)) {
      batch[[i]] <- collate_items(lapply(items, .subset2, if (is.null(names)) i else names[[i]]))
    }
    names(batch) <- names
    return(batch)
  }
  if (is.character(first)) {
    return(unlist(items))
  }
  if (!is_data(first)) {
    value_error(sprintf(
      "Can't make a batch of data of class <%s>: items must be tensors, vectors, or lists of these.",
      paste(class(first), collapse = "/")
    ), call = NULL)
  }
  if (length(first) == 1L && is.null(dim(first))) {
    return(torch_tensor(do.call(c, items)))
  }
  torch_stack(lapply(items, torch_tensor))
}

# Makes tensors of what a dataset gave as a batch.
convert_batch <- function(batch) {
  if (is_torch_tensor(batch)) {
    return(batch)
  }
  if (is.list(batch)) {
    return(lapply(batch, convert_batch))
  }
  if (!is_data(batch)) {
    value_error(sprintf("Can't convert data of class %s to a tensor.", paste(class(batch), collapse = "/")), call = NULL)
  }
  torch_tensor(batch)
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
