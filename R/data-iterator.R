# Iteration. An iterator is a function that returns the next element at each call and the symbol `.__exhausted__.` after
# the last. This is the protocol of the coro package, whose loops and generators work with our data loaders and ours with
# its iterators.

exhausted <- function() quote(.__exhausted__.)

is_exhausted <- function(x) identical(x, quote(.__exhausted__.))

#' Loops over data loaders and other iterators
#'
#' `loop(for (x in it) ...)` is a `for` loop in which `it` may be an iterator, a [dataloader()], a [dataset()], a sampler, a
#' module such as [nn_module_list()], or a vector or list as usual. The body runs where `loop()` is called: assignments stay, `break` and `next`
#' work, and in a function `return()` returns from that function.
#'
#' An iterator is a function that returns the next element each time it is called, and the symbol
#' `as.symbol(".__exhausted__.")` when there is none. `as_iterator()` makes one; it is a generic, so that loops can run
#' over objects of other classes. This is the protocol of the coro package: `coro::loop()` takes our data loaders, and
#' `loop()` takes coro's generators. To write generators you need
#' coro itself: `yield()` of this package only gives an error that says so.
#'
#' @param loop a `for` loop.
#' @param .progress whether a progress bar of the package cli is shown: `TRUE`, or its title. It has no end where the
#'   number of elements is not known.
#' @param x an object to iterate over.
#' @returns `loop()`: `NULL`, invisibly; `as_iterator()`: a function.
#' @examples
#' numbers <- local({
#'   i <- 0
#'   function() if (i < 3) i <<- i + 1 else as.symbol(".__exhausted__.")
#' })
#' loop(for (i in numbers) print(i))
#' @export
loop <- function(loop, .progress = FALSE) {
  loop <- substitute(loop)
  if (!is_call(loop, "for")) {
    value_error("`loop` must be a `for` loop, as in `loop(for (batch in dataloader) ...)`.")
  }
  env <- caller_env()
  name <- as.character(loop[[2L]])
  over <- eval(loop[[3L]], env)
  iterator <- as_iterator(over)
  # Users may go on with an iterator of their own after a `break`.
  if (is_dataloader(over)) on.exit(close_iterator(iterator))
  if (!isFALSE(.progress)) iterator <- with_progress(iterator, .progress, if (is.function(over)) NA else length_or_na(over))
  advance <- function() {
    value <- iterator()
    if (identical(value, quote(.__exhausted__.))) {
      return(FALSE)
    }
    assign(name, value, envir = env)
    TRUE
  }
  expr <- call2("while", call2(advance), loop[[4L]])
  if (identical(env, globalenv())) {
    # R compiles such a loop. Without a frame of its own, the profiler of R 4.2 ends R there.
    eval(expr, env)
  } else {
    # eval_bare() adds no frame, so that return() in the body finds the caller's.
    eval_bare(expr, env)
  }
  invisible(NULL)
}

#' @rdname loop
#' @export
as_iterator <- function(x) UseMethod("as_iterator")

#' @export
as_iterator.default <- function(x) {
  if (is.function(x)) {
    return(x)
  }
  if (!is_vector(x) && !is.null(x)) {
    type_error(sprintf("`x` must be an iterator (a function), a vector or a list, not %s.", friendly_type(x)))
  }
  i <- 0L
  new_iterator(function() {
    if (i >= length(x)) {
      return(exhausted())
    }
    i <<- i + 1L
    x[[i]]
  }, x)
}

#' @export
as_iterator.dataloader <- function(x) new_iterator(x$.iter(), x)

#' @export
as_iterator.dataset <- function(x) {
  i <- 0L
  new_iterator(function() if (i >= length(x)) exhausted() else x[[i <<- i + 1L]], x)
}

#' @export
as_iterator.iterable_dataset <- function(x) own_iterator(x, "dataset")

own_iterator <- function(x, what) {
  iterator <- x$.iter()
  if (is.function(iterator)) return(iterator)
  type_error(
    sprintf("The `.iter()` of a %s must give a function, as `as_iterator()` does, not %s.", what, friendly_type(iterator)), call = NULL
  )
}

#' @export
as_iterator.utils_sampler <- function(x) own_iterator(x, "sampler")

# The modules in a module, which is itself a function.
#' @export
as_iterator.nn_module <- function(x) as_iterator.default(as.list(x))

# Shows a progress bar until the frame of loop() ends.
with_progress <- function(iterator, title, total, frame = caller_env()) {
  force(iterator)
  if (!is_bool(title) && !is_string(title)) {
    value_error(sprintf("`.progress` must be TRUE, FALSE or a title, not %s.", friendly_type(title)), frame)
  }
  bar <- cli::cli_progress_bar(name = if (is_string(title)) title, total = total, .envir = frame)
  is_first <- TRUE
  function() {
    element <- iterator()
    # An element is done when the loop asks for the next one.
    if (!is_first) cli::cli_progress_update(id = bar, .envir = frame)
    is_first <<- FALSE
    element
  }
}

# What an iterator needs no longer: the workers of a data loader.
close_iterator <- function(iterator) {
  close <- attr(iterator, "close", exact = TRUE)
  if (is.function(close)) close()
}

# A function with a class, so that it says what it goes over.
new_iterator <- function(f, over) {
  structure(f, class = "torch_iterator", over = over)
}

# An iterator is a function. Some users call it by this name.
#' @export
`$.torch_iterator` <- function(x, name) if (name %in% c(".next", ".iter")) if (name == ".next") x else function() x

#' @export
print.torch_iterator <- function(x, ...) {
  over <- attr(x, "over", exact = TRUE)
  what <- if (is.environment(over)) describe_value(over) else count_of(length(over), "element")
  cat("<torch_iterator> over ", what, "\n", sep = "")
  invisible(x)
}

# All that an iterator still gives, as a list.
iterator_elements <- function(iterator) {
  elements <- list()
  while (!is_exhausted(element <- iterator())) elements[length(elements) + 1L] <- list(element)
  elements
}

#' @rdname loop
#' @export
yield <- function(x) {
  runtime_error(paste(
    "`yield()` works only inside a generator, and generators need the coro package:",
    "`coro::generator(function() yield(1))`."
  ))
}

# Lets coro's loops iterate over our objects, now or when coro is loaded. Called by .onLoad().
register_coro_methods <- function() {
  when_loaded("coro", function(...) {
    for (class in c("dataloader", "dataset", "iterable_dataset", "utils_sampler", "nn_module")) {
      method <- get(paste0("as_iterator.", class), envir = topenv())
      registerS3method("as_iterator", class, method, envir = asNamespace("coro"))
    }
  })
}

#' Batches in a plain for loop
#'
#' Deprecated: use [loop()]. `for (batch in enumerate(dl))` runs over the batches of a data loader. A
#' batch is loaded when an element of it is first taken, by `[[` or `$`.
#'
#' @param x a [dataloader()].
#' @param ... `max_len`: no more than this many batches.
#' @returns A list with one object for each batch.
#' @export
enumerate <- function(x, ...) UseMethod("enumerate")

#' @export
enumerate.dataloader <- function(x, max_len = 1e6, ...) {
  warn("`enumerate()` is deprecated: use `loop(for (batch in dataloader) ...)`.", class = "deprecated")
  if (is.na(length(x))) {
    value_error("`x` must have a known length: use `loop()` for iterable datasets.")
  }
  iterator <- x$.iter()
  loaded <- 0L
  # The function skips batches that nobody looked at.
  load <- function(i) {
    while (loaded < i) {
      batch <- iterator()
      loaded <<- loaded + 1L
    }
    batch
  }
  lapply(seq_len(min(length(x), max_len)), function(i) {
    lazy <- new_environment()
    delayedAssign("batch", load(i), assign.env = lazy)
    structure(lazy, class = "enum_env")
  })
}

#' @export
`[[.enum_env` <- function(x, name, ...) .subset2(x, "batch")[[name]]

#' @export
`$.enum_env` <- function(x, name) .subset2(x, "batch")[[name]]
