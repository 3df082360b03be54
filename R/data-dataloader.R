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
    timeout = NULL,
    worker_init_fn = NULL,
    worker_globals = NULL,
    worker_packages = NULL,
    prefetch_factor = NULL,
    persistent_workers = NULL,
    # Workers that wait for another run, the run that began last, and the state from which the next run goes on.
    .workers = NULL,
    .run = NULL,
    .resumed = NULL,
    initialize = function(dataset, batch_size, shuffle, sampler, batch_sampler, num_workers, collate_fn, pin_memory,
                          drop_last, timeout, worker_init_fn, worker_globals, worker_packages, prefetch_factor,
                          persistent_workers) {
      iterable <- inherits(dataset, "iterable_dataset")
      self$dataset <- dataset
      self$batch_size <- if (is.null(batch_sampler)) batch_size
      self$drop_last <- drop_last
      self$pin_memory <- pin_memory
      self$num_workers <- num_workers
      self$timeout <- timeout
      self$worker_init_fn <- worker_init_fn
      self$worker_globals <- worker_globals
      self$worker_packages <- worker_packages
      self$prefetch_factor <- prefetch_factor
      self$persistent_workers <- persistent_workers
      self$sampler <- sampler %||% if (iterable) {
        InfiniteSampler()
      } else if (shuffle) {
        random_sampler(dataset)
      } else {
        sequential_sampler(dataset)
      }
      self$batch_sampler <- batch_sampler %||% if (!is.null(batch_size) && !iterable) {
        batch_sampler(self$sampler, batch_size, drop_last)
      }
      # A dataset that makes batches itself leaves only the conversion to do.
      converts <- is.null(batch_size) || (!iterable && is.function(dataset$.getbatch))
      self$collate_fn <- collate_fn %||% if (converts) convert_batch else collate_items
    },
    .iter = function() {
      close <- NULL
      now <- random_states(self)
      state <- self$.resumed %||% list(batches = 0, random = now)
      self$.run <- new_environment(state)
      if (!is.null(self$.resumed)) {
        self$.resumed <- NULL
        set_random_states(self, state$random)
        on.exit(set_random_states(self, now[c("torch", "r")]))
      }
      # As in PyTorch each run begins with a draw, so that with the same seed the order is the same there.
      seed <- draw_torch_seed()
      if (self$num_workers > 0) {
        parallel <- iterate_workers(self, seed, state$batches)
        batches <- parallel$batches
        close <- parallel$close
      } else if (inherits(self$dataset, "iterable_dataset")) {
        batches <- iterate_stream(self, state$batches)
      } else {
        batches <- iterate_items(self, state$batches)
      }
      if (self$pin_memory && cuda_is_available()) batches <- pinned(batches)
      structure(counted(batches, self$.run), class = "dataloader_iter", close = close)
    },
    # The state of the run that began last: how many of its batches were given, and the random states with which it
    # began.
    state_dict = function() {
      if (is.null(self$.run)) list(batches = 0) else c(mget(c("batches", "random"), self$.run), list(of = sizes_of_loader(self)))
    },
    load_state_dict = function(state_dict) {
      if (!is.list(state_dict) || !is_whole_number(state_dict$batches) || state_dict$batches < 0) {
        value_error("`state_dict` must be what `$state_dict()` of a data loader gave.")
      }
      if (!is.null(state_dict$of) && !identical(state_dict$of, sizes_of_loader(self))) {
        words <- function(of) sprintf("%s by %s", if (is.null(of$items)) "any number of items" else count_of(of$items, "item"), of$batch_size %||% "batches of a sampler's own")
        value_error(sprintf("`state_dict` must be of a loader of %s, not of %s.", words(sizes_of_loader(self)), words(state_dict$of)))
      }
      if (self$num_workers > 0 && inherits(self$dataset, "iterable_dataset") && state_dict$batches > 0) {
        not_implemented_error("A run of an iterable dataset with workers can't be taken up in the middle.")
      }
      self$.resumed <- if (state_dict$batches > 0) state_dict
      invisible(self)
    },
    .length = function() {
      if (!inherits(self$dataset, "iterable_dataset")) {
        return(length(self$batch_sampler %||% self$sampler))
      }
      batches <- length(self$dataset) / (self$batch_size %||% 1)
      if (self$drop_last) floor(batches) else ceiling(batches)
    }
  ),
  active = list(
    .auto_collation = function() !is.null(self$batch_sampler),
    .index_sampler = function() self$batch_sampler %||% self$sampler
  )
)

# What must be the same for a state to be taken up.
sizes_of_loader <- function(loader) {
  is_map <- !inherits(loader$dataset, "iterable_dataset")
  compact(list(items = if (is_map) as.double(length(loader$dataset)), batch_size = if (!is.null(loader$batch_size)) as.double(loader$batch_size)))
}

# The random states on which the order of a run depends.
random_states <- function(loader) {
  generator <- generator_of_loader(loader)
  compact(list(
    torch = torch_get_rng_state(), r = get0(".Random.seed", globalenv(), inherits = FALSE),
    generator = if (!is.null(generator)) generator$get_state()
  ))
}

set_random_states <- function(loader, states) {
  if (!is.null(states$torch)) torch_set_rng_state(states$torch)
  if (!is.null(states$r)) assign(".Random.seed", states$r, globalenv())
  if (!is.null(states$generator)) generator_of_loader(loader)$set_state(states$generator)
}

generator_of_loader <- function(loader) {
  sampler <- loader$.index_sampler
  if (inherits(sampler, "utils_sampler_batch")) sampler <- sampler$sampler
  generator <- member_of(sampler, "generator")
  if (inherits(generator, "torch_generator")) generator
}

# Counts the batches that are given. Nothing can go on with a run that is over.
counted <- function(batches, run) {
  force(batches)
  function() {
    batch <- batches()
    if (is_exhausted(batch)) run$batches <- 0 else run$batches <- run$batches + 1
    batch
  }
}

# An iterator without its first elements.
without_first <- function(iterator, n) {
  while (n > 0 && !is_exhausted(iterator())) n <- n - 1
  iterator
}

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

iterate_items <- function(loader, skip) {
  next_index <- without_first(own_iterator(loader$.index_sampler, "sampler"), skip)
  fetch <- item_fetcher(loader_parts(loader))
  function() {
    index <- next_index()
    if (is_exhausted(index)) index else fetch(index)
  }
}

# A function that makes the batch of an index. It looks up what does not change from batch to batch once, before the
# first batch.
item_fetcher <- function(parts) {
  collate <- parts$collate_fn
  getbatch <- parts$dataset$.getbatch
  getitem <- parts$dataset$.getitem
  if (is.function(getbatch)) {
    function(index) collate(getbatch(given_positions(index)))
  } else if (!parts$in_batches) {
    function(index) collate(getitem(given_positions(index)))
  } else {
    function(index) collate(lapply(given_positions(index), getitem))
  }
}

# What a sampler gave, as integers. Many datasets would take other numbers for some other item.
given_positions <- function(index) {
  if (is.integer(index) && !anyNA(index) && all(index >= 1L)) return(index)
  given <- if (is.list(index)) unlist(lapply(index, plain_number)) else if (is_torch_tensor(index)) as.numeric(index) else index
  if (is.null(given)) return(integer())
  is_right <- if (is.numeric(given)) !is.na(given) & given >= 1 & given <= .Machine$integer.max & given == trunc(given) else FALSE
  if (all(is_right)) return(as.integer(given))
  wrong <- if (is.atomic(given)) given[!is_right][1L] else given
  value_error(sprintf("A sampler must give positions of items, whole numbers from 1 on, not %s.", friendly_type(wrong)), call = NULL)
}

iterate_stream <- function(loader, skip) {
  size <- loader$batch_size
  drop_last <- loader$drop_last
  collate <- loader$collate_fn
  items <- as_iterator(loader$dataset)
  batches <- without_first(if (is.null(size)) items else gather_batches(items, size), skip)
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
#' @section Workers:
#' With `num_workers`, that many R processes make the batches, which come in the same order as without them. On Linux
#' they are forks of the session: they have its variables and packages, and start in milliseconds. In RStudio, on
#' macOS, or with `options(torch.fork_workers = FALSE)`, they are new sessions. These need the package processx and
#' take a second or two to start. They get the dataset as [torch_save()] would write it, and of other variables and
#' packages only those that `worker_globals` and `worker_packages` name. A worker uses one thread. Tensors come
#' through shared memory; they must be on the CPU, since a forked process can't use CUDA. On Windows `num_workers`
#' counts as 0, with a message.
#'
#' Each run draws a seed from torch's random numbers, and with workers one from R's; worker `i` adds `i - 1`. So
#' [torch_manual_seed()] and `set.seed()` make runs with the same number of workers repeatable. Each worker has the
#' whole of an iterable dataset. Its `.iter()` must ask [get_worker_info()] which share to give; otherwise each item
#' comes once from each worker.
#'
#' An error in a worker is a `runtime_error` with its message and calls; warnings are passed on. A worker that was
#' killed, and a batch that does not come within `timeout`, are a `runtime_error` too. After such an error, and when
#' the loop is left or interrupted, all workers end. They also end when the main session does, however it ends, and
#' leave no shared memory behind.
#'
#' @section Going on in the middle of a run:
#' `$state_dict()` tells how many batches the last run has given, and the random states with which it began. After
#' `$load_state_dict(state_dict)` the next run goes on after these batches, in the same order, and leaves torch's and
#' R's random numbers as they are. So a training can go on as if it had not stopped: save this state with
#' [torch_save()], together with `torch_get_rng_state()`, the model and the optimiser. Items that were given are not
#' made again; only an iterable dataset is run through from its beginning. Workers begin with new random numbers of
#' their own. An iterable dataset with workers is a `not_implemented_error`.
#'
#' @param dataset a [dataset()] or [iterable_dataset()].
#' @param batch_size items in a batch; `NULL` for single items.
#' @param shuffle whether the items come in a random order, new at each run, from torch's generator
#'   ([torch_manual_seed()]). An iterable dataset has an order of its own, and takes no notice.
#' @param sampler,batch_sampler a [sampler()] that says which items come, one by one or in batches.
#' @param num_workers number of processes that load batches in the background, see the section Workers; 0: the batches are
#'   made when they are asked for.
#' @param collate_fn a function that makes a batch of a list of items, or of what `.getbatch` returned.
#' @param pin_memory whether to put batches into page-locked memory, for faster copies to a GPU; ignored without CUDA.
#' @param drop_last whether an incomplete last batch is left out.
#' @param timeout milliseconds that a batch of a worker is waited for; without a limit if it is not positive.
#' @param worker_init_fn a function of the number of the worker, from 1, that each one calls before its first batch.
#' @param worker_globals variables that workers find in their global environment: a list with names, or names of variables
#'   where `dataloader()` is called.
#' @param worker_packages names of packages that workers attach.
#' @param prefetch_factor number of batches that each worker makes ahead.
#' @param persistent_workers whether the workers stay for the next run over the loader. Forked ones do not see what changes
#'   in the dataset meanwhile.
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
                       worker_init_fn = NULL, worker_globals = NULL, worker_packages = NULL, prefetch_factor = 2,
                       persistent_workers = FALSE) {
  iterable <- inherits(dataset, "iterable_dataset")
  check_dataset(dataset)
  check_switch(shuffle, "shuffle")
  check_switch(drop_last, "drop_last")
  check_switch(pin_memory, "pin_memory")
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
  batch_size <- plain_number(batch_size)
  timeout <- plain_number(timeout)
  if (!is.null(batch_size) && !(is_whole_number(batch_size) && batch_size >= 1)) {
    value_error(sprintf("`batch_size` must be a positive whole number or NULL, not %s.", friendly_type(batch_size)))
  }
  num_workers <- as_count(num_workers, "num_workers", least = 0)
  if (!is_number(timeout)) {
    value_error(sprintf("`timeout` must be a number of milliseconds, not %s.", friendly_type(timeout)))
  }
  if (!is.null(worker_init_fn) && !is.function(worker_init_fn)) {
    type_error(sprintf("`worker_init_fn` must be a function or NULL, not %s.", friendly_type(worker_init_fn)))
  }
  if (!is.null(worker_packages) && !is.character(worker_packages)) {
    type_error(sprintf("`worker_packages` must be names of packages or NULL, not %s.", friendly_type(worker_packages)))
  }
  prefetch_factor <- as_count(prefetch_factor, "prefetch_factor")
  check_switch(persistent_workers, "persistent_workers")
  if (num_workers > 0 && .Platform$OS.type == "windows") {
    inform(
      "`num_workers` is 0 on Windows: the main session loads the batches.",
      .frequency = "once", .frequency_id = "torch_workers"
    )
    num_workers <- 0
  }
  DataLoader$new(
    dataset, batch_size, shuffle, sampler, batch_sampler, num_workers, collate_fn, pin_memory, drop_last, timeout,
    worker_init_fn, worker_variables(worker_globals, caller_env()), worker_packages, prefetch_factor, persistent_workers
  )
}

# What workers find in their global environment: a named list, or the names of variables of the caller's.
worker_variables <- function(globals, env, call = caller_env()) {
  if (is.null(globals) || (is.list(globals) && (!length(globals) || is_named(globals)))) return(as.list(globals))
  if (!is.character(globals)) {
    type_error(sprintf("`worker_globals` must be a list with names, or names of variables, not %s.", friendly_type(globals)), call)
  }
  known <- vapply(globals, exists, NA, envir = env)
  if (!all(known)) runtime_error(sprintf("`worker_globals` names `%s`, which is not there.", globals[!known][1L]), call)
  mget(globals, envir = env, inherits = TRUE)
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

check_sampler <- function(x, arg, call = caller_env(), or_null = TRUE) {
  if (!(is.null(x) && or_null) && !is.function(member_of(x, ".iter"))) {
    what <- if (or_null) ", which has a method `.iter`, or NULL" else ", which has a method `.iter`"
    type_error(sprintf("`%s` must be a sampler%s, not %s.", arg, what, friendly_type(x)), call)
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
  fields <- mget(c("dataset", "sampler", "collate_fn", "drop_last", "pin_memory", "num_workers"), envir = x)
  # What the loader chose itself needs no line.
  own <- function(field) {
    is.null(field) || isFALSE(field) || identical(field, 0) || inherits(field, "infinite_sampler") ||
      identical(field, collate_items) || identical(field, convert_batch)
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
  if (!is.function(iter)) type_error(sprintf("`iter` must be an iterator, which `dataloader_make_iter()` gives, not %s.", friendly_type(iter)))
  batch <- iter()
  if (is_exhausted(batch)) completed else batch
}

#' @rdname dataloader
#' @export
is_dataloader <- function(x) inherits(x, "dataloader")
