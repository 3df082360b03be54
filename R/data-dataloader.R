# Data loaders: batches of the items of a dataset.

DataLoader <- R6::R6Class(
  "dataloader",
  lock_objects = FALSE,
  public = list(
    dataset = NULL,
    batch_size = NULL,
    sampler = NULL,
    batch_sampler = NULL,
    collate_fn = NULL,
    pin_memory = NULL,
    drop_last = NULL,
    num_workers = NULL,
    initialize = function(dataset, batch_size, shuffle, sampler, batch_sampler, num_workers, collate_fn, pin_memory,
                          drop_last) {
      iterable <- inherits(dataset, "iterable_dataset")
      self$dataset <- dataset
      self$batch_size <- if (is.null(batch_sampler)) batch_size
      self$drop_last <- drop_last
      self$pin_memory <- pin_memory
      self$num_workers <- num_workers
      self$sampler <- sampler %||% if (iterable) {
        InfiniteSampler()
      } else if (shuffle) {
        RandomSampler(dataset)
      } else {
        SequentialSampler(dataset)
      }
      self$batch_sampler <- batch_sampler %||% if (!is.null(batch_size) && !iterable) {
        BatchSampler(self$sampler, batch_size, drop_last)
      }
      # A dataset that makes batches itself leaves only the conversion to do.
      converts <- is.null(batch_size) || (!iterable && is.function(dataset$.getbatch))
      self$collate_fn <- collate_fn %||% if (converts) convert_batch else collate_items
    },
    .iter = function() {
      batches <- if (inherits(self$dataset, "iterable_dataset")) iterate_stream(self) else iterate_items(self)
      if (self$pin_memory && cuda_is_available()) batches <- pinned(batches)
      structure(batches, class = "dataloader_iter")
    },
    .length = function() {
      if (!inherits(self$dataset, "iterable_dataset")) {
        return(length(self$batch_sampler %||% self$sampler))
      }
      batches <- length(self$dataset) / (self$batch_size %||% 1)
      if (self$drop_last) floor(batches) else ceiling(batches)
    }
  )
)

pinned <- function(batches) {
  force(batches)
  function() {
    batch <- batches()
    if (is_exhausted(batch)) batch else pin_batch(batch)
  }
}

# The iterator is a function; some call it by this name.
#' @export
`$.dataloader_iter` <- function(x, name) if (name == ".next") x

#' @export
print.dataloader_iter <- function(x, ...) {
  cat("<dataloader_iter>: a function that gives the next batch\n")
  invisible(x)
}

# Everything that does not change from batch to batch is looked up before the first.
iterate_items <- function(loader) {
  next_index <- (loader$batch_sampler %||% loader$sampler)$.iter()
  collate <- loader$collate_fn
  getbatch <- loader$dataset$.getbatch
  getitem <- loader$dataset$.getitem
  fetch <- if (is.function(getbatch)) {
    function(index) collate(getbatch(as.integer(index)))
  } else if (is.null(loader$batch_sampler)) {
    function(index) collate(getitem(as.integer(index)))
  } else {
    function(index) collate(lapply(as.integer(index), getitem))
  }
  function() {
    index <- next_index()
    if (is_exhausted(index)) index else fetch(index)
  }
}

iterate_stream <- function(loader) {
  size <- loader$batch_size
  drop_last <- loader$drop_last
  collate <- loader$collate_fn
  items <- loader$dataset$.iter()
  batches <- if (is.null(size)) items else gather_batches(items, size)
  function() {
    batch <- batches()
    if (is_exhausted(batch) || (drop_last && length(batch) < size)) exhausted() else collate(batch)
  }
}

#' Data loaders
#'
#' Gives the items of a dataset in batches. Run over the batches by `loop(for (batch in dl) ...)`, see [loop()], or call
#' `it <- dataloader_make_iter(dl)` and then `dataloader_next(it)` for one batch after the other. `lapply(dl, f)` loads all
#' batches before it calls `f`; R's `for` alone does not go over a data loader.
#'
#' @section Batches:
#' By default, tensors are stacked along a new first dimension; vectors longer than 1 and arrays become tensors and are
#' stacked; numbers become a float32 vector, integers int64, logicals bool; strings stay a character vector; lists are
#' treated element by element and keep their names. Anything else is a `value_error`. If the dataset has a method
#' `.getbatch`, or `batch_size` is `NULL`, vectors become tensors and nothing is stacked.
#'
#' @param dataset a [dataset()] or [iterable_dataset()].
#' @param batch_size items in a batch; `NULL` for single items.
#' @param shuffle whether the items come in a random order, new at each run, from torch's generator
#'   ([torch_manual_seed()]). An iterable dataset has an order of its own, and takes no notice.
#' @param sampler,batch_sampler a [sampler()] that says which items come, one by one or in batches.
#' @param num_workers must be 0: loading in background sessions is not implemented (`not_implemented_error`).
#' @param collate_fn a function that makes a batch of a list of items, or of what `.getbatch` returned.
#' @param pin_memory whether to put batches into page-locked memory, for faster copies to a GPU; ignored without CUDA.
#' @param drop_last whether an incomplete last batch is left out.
#' @param timeout,worker_init_fn,worker_globals,worker_packages for background sessions.
#' @param iter an iterator.
#' @param completed what to return after the last batch.
#' @param x any object.
#' @returns `dataloader()`: a data loader; `length()` is the number of batches. `dataloader_next()`: a batch. Options
#'   that exclude each other are a `value_error`.
#' @examplesIf torch::torch_is_installed()
#' dl <- dataloader(tensor_dataset(x = torch_randn(5, 3), y = torch_randn(5)), batch_size = 2)
#' length(dl)
#' loop(for (batch in dl) print(batch$x$shape))
#' @export
dataloader <- function(dataset, batch_size = 1, shuffle = FALSE, sampler = NULL, batch_sampler = NULL,
                       num_workers = 0, collate_fn = NULL, pin_memory = FALSE, drop_last = FALSE, timeout = -1,
                       worker_init_fn = NULL, worker_globals = NULL, worker_packages = NULL) {
  iterable <- inherits(dataset, "iterable_dataset")
  check_dataset(dataset)
  if (!is_bool(shuffle)) value_error(sprintf("`shuffle` must be TRUE or FALSE, not %s.", friendly_type(shuffle)))
  if (!is_bool(drop_last)) value_error(sprintf("`drop_last` must be TRUE or FALSE, not %s.", friendly_type(drop_last)))
  check_sampler(sampler, "sampler")
  check_sampler(batch_sampler, "batch_sampler")
  if (!is.null(collate_fn) && !is.function(collate_fn)) {
    type_error(sprintf("`collate_fn` must be a function or NULL, not %s.", friendly_type(collate_fn)))
  }
  if (iterable && (!is.null(sampler) || !is.null(batch_sampler))) {
    value_error("`sampler` and `batch_sampler` can't be used with an iterable dataset.")
  }
  if (!is.null(sampler) && shuffle) {
    value_error("`shuffle` can't be used with a `sampler`.")
  }
  if (!is.null(batch_sampler) && (!identical(as.numeric(batch_size), 1) || shuffle || !is.null(sampler) || drop_last)) {
    value_error("`batch_size`, `shuffle`, `sampler` and `drop_last` can't be used with a `batch_sampler`.")
  }
  if (is.null(batch_size) && drop_last) {
    value_error("`drop_last` needs a `batch_size`.")
  }
  if (!is.null(batch_size) && !(is_integerish(batch_size, 1L) && batch_size >= 1)) {
    value_error(sprintf("`batch_size` must be a positive whole number or NULL, not %s.", toString(format(batch_size))))
  }
  if (!is_whole_number(num_workers) || num_workers < 0) {
    value_error(sprintf("`num_workers` must be a whole number from 0 on, not %s.", friendly_type(num_workers)))
  }
  if (num_workers > 0) {
    not_implemented_error("`num_workers` must be 0: loading in background sessions is not implemented.")
  }
  DataLoader$new(
    dataset, batch_size, shuffle, sampler, batch_sampler, num_workers, collate_fn, pin_memory, drop_last
  )
}

check_dataset <- function(x, call = caller_env()) {
  methods <- if (inherits(x, "iterable_dataset")) ".iter" else c(".length", if (!is.function(member_of(x, ".getbatch"))) ".getitem")
  if (all(vapply(methods, function(name) is.function(member_of(x, name)), NA))) return(invisible())
  hint <- if (is.data.frame(x)) {
    " Use `tensor_dataset(torch_tensor(as.matrix(data)))`."
  } else if (is_torch_tensor(x) || (is.atomic(x) && !is.null(x))) {
    " Use `tensor_dataset()` of tensors."
  } else if (inherits(x, c("dataset_generator", "iterable_dataset_generator"))) {
    " Call the generator first."
  }
  type_error(sprintf("`dataset` must be a dataset, not %s.%s", friendly_type(x), hint %||% ""), call)
}

check_sampler <- function(x, arg, call = caller_env()) {
  if (!is.null(x) && !is.function(member_of(x, ".iter"))) {
    type_error(sprintf("`%s` must be a sampler, which has a method `.iter`, or NULL, not %s.", arg, friendly_type(x)), call)
  }
}

member_of <- function(x, name) if (is.environment(x)) get0(name, x, inherits = FALSE) else if (is_bare_list(x)) x[[name]]

#' @export
length.dataloader <- function(x) x$.length()

# All batches, so that lapply() goes over them.
#' @export
as.list.dataloader <- function(x, ...) iterator_elements(x$.iter())

#' @export
print.dataloader <- function(x, ...) {
  title <- dataloader_title(x)
  fields <- mget(c("dataset", "sampler", "collate_fn", "drop_last", "pin_memory"), envir = x)
  # What the loader chose itself needs no line.
  own <- function(field) {
    is.null(field) || isFALSE(field) || inherits(field, "infinite_sampler") || identical(field, collate_items) ||
      identical(field, convert_batch)
  }
  print_object(x, title, describe_fields(fields[!vapply(fields, own, NA)]))
}

dataloader_title <- function(x) {
  of <- if (is.numeric(x$batch_size)) paste(" of", count_of(x$batch_size, "item")) else ""
  sprintf("<dataloader> of %s%s", count_of(length_or_na(x), "batch", "batches"), of)
}

#' @param dataloader a data loader.
#' @rdname dataloader
#' @export
dataloader_make_iter <- function(dataloader) as_iterator(dataloader)

#' @rdname dataloader
#' @export
dataloader_next <- function(iter, completed = NULL) {
  batch <- iter()
  if (is_exhausted(batch)) completed else batch
}

#' @rdname dataloader
#' @export
is_dataloader <- function(x) inherits(x, "dataloader")
