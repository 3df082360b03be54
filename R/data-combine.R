# Datasets made of datasets.

#' @include data-dataset.R
NULL

#' Datasets made of datasets
#'
#' `concat_dataset()` has the items of several datasets one after the other, `stack_dataset()` has them side by side.
#' `chain_dataset()` runs through several datasets one after the other, also through [iterable_dataset()]s.
#'
#' @param ... datasets, or one list of them, which may be named. An item of `stack_dataset()` is a list with an item
#'   of each dataset, under these names.
#' @returns A dataset; `chain_dataset()` an [iterable_dataset()]. Its length is the sum of the lengths, that of `stack_dataset()`
#'   the length that all have.
#' @section Errors:
#' What is no dataset is a `type_error`; no dataset at all, and datasets of different lengths in `stack_dataset()`, are a
#' `value_error`.
#' @source PyTorch's `ConcatDataset`, `StackDataset` and `ChainDataset`.
#' @seealso [dataset_subset()], [random_split()]
#' @examplesIf torch::torch_is_installed()
#' a <- tensor_dataset(x = torch_tensor(1:3))
#' b <- tensor_dataset(x = torch_tensor(11:12))
#' both <- concat_dataset(a, b)
#' length(both)
#' both[[4]]
#' stack_dataset(first = a, second = a)[[2]]
#' loop(for (batch in dataloader(chain_dataset(a, b), batch_size = 3)) print(batch$x))
#' @export
concat_dataset <- dataset(
  "concat_dataset",
  initialize = function(...) {
    self$datasets <- datasets_given(list2(...))
    self$ends <- cumsum(vapply(self$datasets, function(dataset) as.numeric(length(dataset)), 0))
  },
  .getitem = function(index) {
    which <- findInterval(index, c(1, self$ends + 1))
    if (!which %in% seq_along(self$ends)) {
      value_error(sprintf("The dataset has %s: there is none at %s.", count_of(length(self), "item"), format(index)))
    }
    self$datasets[[which]]$.getitem(as.integer(index - c(0, self$ends)[which]))
  },
  .length = function() self$ends[length(self$ends)]
)

#' @rdname concat_dataset
#' @export
stack_dataset <- dataset(
  "stack_dataset",
  initialize = function(...) {
    self$datasets <- datasets_given(list2(...))
    lengths <- vapply(self$datasets, function(dataset) as.numeric(length(dataset)), 0)
    if (length(unique(lengths)) > 1L) {
      value_error(sprintf("The datasets must have the same length, not %s.", toString(lengths)))
    }
    if (all(vapply(self$datasets, function(dataset) is.function(member_of(dataset, ".getbatch")), NA))) {
      self$.getbatch <- function(index) lapply(self$datasets, function(dataset) dataset$.getbatch(index))
    }
  },
  .getitem = function(index) lapply(self$datasets, function(dataset) dataset$.getitem(index)),
  .length = function() length(self$datasets[[1L]])
)

#' @rdname concat_dataset
#' @export
chain_dataset <- iterable_dataset(
  "chain_dataset",
  initialize = function(...) {
    self$datasets <- datasets_given(list2(...), iterable = TRUE)
  },
  .iter = function() {
    left <- self$datasets
    current <- NULL
    function() {
      repeat {
        if (is.null(current)) {
          if (!length(left)) return(exhausted())
          current <<- as_iterator(left[[1L]])
          left <<- left[-1L]
        }
        item <- current()
        if (!is_exhausted(item)) return(item)
        current <<- NULL
      }
    }
  },
  .length = function() sum(vapply(self$datasets, function(dataset) as.numeric(length(dataset)), 0))
)

datasets_given <- function(datasets, iterable = FALSE) {
  if (length(datasets) == 1L && is_bare_list(datasets[[1L]])) datasets <- datasets[[1L]]
  if (!length(datasets)) value_error("`...` must hold at least one dataset.")
  for (x in datasets) {
    if (inherits(x, "dataset") || (iterable && inherits(x, "iterable_dataset"))) next
    hint <- if (inherits(x, "iterable_dataset")) " `chain_dataset()` takes datasets without positions." else ""
    type_error(sprintf("`...` must be datasets, not %s.%s", friendly_type(x), hint))
  }
  datasets
}
