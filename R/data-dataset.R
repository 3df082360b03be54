# Datasets: where items come from.

Dataset <- R6::R6Class(
  "dataset",
  lock_objects = FALSE,
  public = list(
    .getitem = function(index) {
      not_implemented_error("This dataset has no `.getitem` method.")
    },
    .length = function() {
      not_implemented_error("This dataset has no `.length` method.")
    },
    state_dict = function() tensors_of_dataset(self),
    load_state_dict = function(x, ..., .refer_to_state_dict = FALSE) {
      own <- tensors_of_dataset(self)
      missing <- setdiff(names(own), names(x))
      if (length(missing)) value_error(sprintf("`x` has no entry `%s`, which the dataset needs.", missing[[1L]]))
      for (name in names(own)) {
        if (!is_torch_tensor(x[[name]])) type_error(sprintf("`x` must hold a tensor for `%s`, not %s.", name, friendly_type(x[[name]])))
        with_no_grad(if (.refer_to_state_dict) torch_set_data(own[[name]], x[[name]]) else own[[name]]$copy_(x[[name]]))
      }
      invisible(self)
    }
  )
)

# The tensors in the fields of a dataset, and in lists there, by their paths.
tensors_of_dataset <- function(dataset) {
  names <- ls(dataset, all.names = TRUE)
  is_field <- vapply(names, function(name) !bindingIsActive(as.symbol(name), dataset), NA)
  tensors_by_path(mget(names[is_field], dataset))
}

tensors_by_path <- function(x, prefix = "") {
  paths <- paste0(prefix, ifelse(nzchar(names2(x)), names2(x), seq_along(x)), recycle0 = TRUE)
  out <- lapply(seq_along(x), function(i) {
    if (is_torch_tensor(x[[i]])) return(set_names(list(x[[i]]), paths[i]))
    if (is_bare_list(x[[i]])) tensors_by_path(x[[i]], paste0(paths[i], "."))
  })
  as.list(unlist(out, recursive = FALSE))
}

#' Datasets
#'
#' `dataset()` makes a class of datasets: a function that creates datasets. Its methods are
#'
#' * `initialize`: gives that function its arguments,
#' * `.getitem(i)`: the i-th item, counting from 1: a tensor, a vector, or a list of these,
#' * `.length()`: the number of items,
#' * `.getbatch(indexes)`, optional: several items as one batch, if that is faster than taking them one by one.
#'
#' `d[i]` calls `.getbatch` if there is one, else `.getitem`; `d[[i]]` calls `.getitem`; the index comes as an integer.
#' `length(d)` is the number of items, and `lapply()` goes over them.
#'
#' `$state_dict()` gives the tensors in a dataset's fields by their names, `$load_state_dict(x)` puts such a list back.
#'
#' `tensor_dataset()` holds tensors of the same first size; its items are lists with one slice of each.
#' `dataset_subset()` is a dataset of some items of another.
#'
#' @param name name of the class, or `NULL`.
#' @param inherit a generator to inherit from.
#' @param ... methods and fields; for `tensor_dataset()` tensors, named or not.
#' @param private,active lists of private members and of active bindings, as in [R6::R6Class()].
#' @param parent_env environment in which the methods are evaluated.
#' @param dataset a dataset.
#' @param indices positions of the items, from 1.
#' @returns `dataset()`: a generator, a function with the formals of `initialize` that returns a dataset, an object of
#'   class `c(name, "dataset", "R6")`; the others: a dataset. Tensors of different first sizes are a `value_error`.
#' @seealso [dataloader()], [iterable_dataset()]
#' @examplesIf torch::torch_is_installed()
#' squares <- dataset(
#'   "squares",
#'   initialize = function(n) self$x <- torch_arange(1, n),
#'   .getitem = function(i) list(x = self$x[i], y = self$x[i]^2),
#'   .length = function() self$x$size(1)
#' )
#' d <- squares(5)
#' d[3]
#' length(d)
#' @export
dataset <- function(name = NULL, inherit = Dataset, ..., private = NULL, active = NULL,
                    parent_env = parent.frame()) {
  new_generator(
    name, inherit, function() Dataset, list2(...), private, active, parent_env, "dataset_generator"
  )
}

#' @export
print.dataset_generator <- function(x, ...) print_class(x, "dataset_generator")

#' @export
print.dataset <- function(x, ...) print_object(x, dataset_title(x))

#' @export
`[.dataset` <- function(x, y) {
  get <- if (is.function(x$.getbatch)) x$.getbatch else x$.getitem
  get(item_positions(y))
}

# Fields are reached by name too, as in other R6 objects.
#' @export
`[[.dataset` <- function(x, y) {
  if (is.character(y)) .subset2(x, y) else x$.getitem(item_positions(y))
}

# A tensor of positions stands for the numbers that it holds. The dataset itself says whether it has items at these
# positions.
item_positions <- function(x, arg = "An index of items", call = entry_call(sys.nframe() - 1L)) {
  given <- if (is_torch_tensor(x)) as.numeric(x) else x
  if (!is.numeric(given) || anyNA(given) || any(given != trunc(given)) || any(abs(given) > .Machine$integer.max)) {
    value_error(sprintf("%s must be whole numbers, not %s.", arg, friendly_type(x)), call)
  }
  as.integer(given)
}

#' @export
length.dataset <- function(x) {
  n <- plain_number(x$.length())
  if (length(n) == 1L && (is.na(n) || (is_whole_number(n) && n >= 0))) return(n)
  value_error(sprintf("The `.length()` of a dataset must be a whole number from 0 on, or NA, not %s.", friendly_type(n)), call = NULL)
}

#' @export
as.list.dataset <- function(x, ...) lapply(seq_len(length(x)), function(i) x[[i]])

check_dataset_tensors <- function(tensors, call = entry_call(sys.nframe() - 1L)) {
  if (length(tensors) == 0L) value_error("`...` must hold at least one tensor.", call)
  for (x in tensors) {
    if (!is_torch_tensor(x)) {
      type_error(sprintf("`...` must be tensors, not %s. Make one by `torch_tensor()`.", friendly_type(x)), call)
    }
    if (length(.Call(C_shape, x)) == 0L) value_error("`...` must be tensors of items: a 0-d tensor has none.", call)
  }
}

#' @rdname dataset
#' @export
tensor_dataset <- dataset(
  "tensor_dataset",
  initialize = function(...) {
    tensors <- list2(...)
    check_dataset_tensors(tensors)
    sizes <- vapply(tensors, function(x) x$shape[1L], 0L)
    if (length(unique(sizes)) > 1L) {
      value_error(sprintf("The tensors must have the same first size, not %s.", toString(sizes)))
    }
    named <- names(tensors)[nzchar(names(tensors))]
    if (anyDuplicated(named)) value_error(sprintf("The tensors must have different names, not `%s` twice.", named[anyDuplicated(named)]))
    self$tensors <- tensors
  },
  .getitem = function(index, ..., drop = TRUE) {
    if (drop && !...length()) return(lapply(self$tensors, function(x) x$select(1L, index)))
    lapply(self$tensors, function(x) x[index, ..., drop = drop])
  },
  .getbatch = function(index) lapply(self$tensors, function(x) x[index, .., drop = FALSE]),
  .length = function() self$tensors[[1L]]$shape[[1L]]
)

#' @rdname dataset
#' @export
dataset_subset <- dataset(
  "dataset_subset",
  initialize = function(dataset, indices) {
    if (!inherits(dataset, "dataset")) type_error(sprintf("`dataset` must be a dataset, not %s.", friendly_type(dataset)))
    indices <- item_positions(indices, "`indices`", call = NULL)
    n <- if (length(indices)) tryCatch(length(dataset), error = function(e) NA)
    wrong <- indices[indices < 1L | (!is.na(n) & indices > n)]
    if (length(wrong)) {
      value_error(sprintf("`indices` must be positions in a dataset of %s items, from 1, not %d.", if (is.na(n)) "some" else n, wrong[1]))
    }
    self$dataset <- dataset
    self$indices <- indices
    if (is.function(dataset$.getbatch)) {
      self$.getbatch <- function(index) self$dataset$.getbatch(self$indices[index])
    }
    class(self) <- unique(c(paste0(setdiff(class(dataset), "R6"), "_subset"), class(self)))
  },
  # One item as the dataset gives it: a batch of one has a dimension more.
  .getitem = function(idx) {
    index <- self$indices[idx]
    if (length(index) == 1L) self$dataset$.getitem(index) else self$dataset[index]
  },
  .length = function() length(self$indices)
)

IterableDataset <- R6::R6Class(
  "iterable_dataset",
  lock_objects = FALSE,
  public = list(
    .iter = function() {
      not_implemented_error("This iterable dataset has no `.iter` method.")
    },
    .length = function() NA_integer_
  )
)

#' Datasets without positions
#'
#' `iterable_dataset()` makes a class of datasets whose items come one after the other, such as a stream. The method
#' `.iter()` returns an iterator (see [loop()]); `.length()` is optional.
#'
#' @inheritParams dataset
#' @returns A generator, a function with the formals of `initialize` that returns a dataset. Its `length()` is `NA` if
#'   there is no method `.length()`.
#' @examplesIf torch::torch_is_installed()
#' countdown <- iterable_dataset(
#'   "countdown",
#'   initialize = function(from) self$from <- from,
#'   .iter = function() as_iterator(self$from:1)
#' )
#' loop(for (batch in dataloader(countdown(5), batch_size = 2)) print(batch))
#' @export
iterable_dataset <- function(name = NULL, inherit = IterableDataset, ..., private = NULL, active = NULL,
                             parent_env = parent.frame()) {
  new_generator(
    name, inherit, function() IterableDataset, list2(...), private, active, parent_env, "iterable_dataset_generator"
  )
}

#' @export
print.iterable_dataset_generator <- function(x, ...) print_class(x, "iterable_dataset_generator")

#' @export
print.iterable_dataset <- function(x, ...) print_object(x, dataset_title(x))

#' @export
length.iterable_dataset <- length.dataset

#' @export
as.list.iterable_dataset <- function(x, ...) iterator_elements(x$.iter())
