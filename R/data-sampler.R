# Samplers: in which order the items of a dataset are taken.

Sampler <- R6::R6Class(
  "utils_sampler",
  lock_objects = FALSE,
  public = list(
    initialize = function(data_source) {},
    .iter = function() {
      not_implemented_error("This sampler has no `.iter` method.")
    }
  )
)

#' Make a sampler
#'
#' A sampler gives positions of items, for the arguments `sampler` and `batch_sampler` of [dataloader()].
#'
#' Its method `.iter()` returns an iterator (see [loop()]) over positions from 1, for a batch sampler over vectors of
#' them; `.length()` returns how many there are. A sampler for single positions may also have `.iter_batch(batch_size)`,
#' an iterator over vectors.
#'
#' @param name name of the class, or `NULL`.
#' @param inherit a generator to inherit from.
#' @param ... methods and fields.
#' @param private,active lists of private members and of active bindings, as in [R6::R6Class()].
#' @param parent_env environment in which the methods are evaluated.
#' @returns A generator, a function with the formals of `initialize` that returns a sampler.
#' @examples
#' backwards <- sampler(
#'   "backwards",
#'   initialize = function(n) self$n <- n,
#'   .iter = function() as_iterator(rev(seq_len(self$n))),
#'   .length = function() self$n
#' )
#' loop(for (i in backwards(3)) print(i))
#' @export
sampler <- function(name = NULL, inherit = Sampler, ..., private = NULL, active = NULL,
                    parent_env = parent.frame()) {
  new_generator(
    name, inherit, function() Sampler, list2(...), private, active, parent_env, "sampler_generator"
  )
}

#' @export
length.utils_sampler <- function(x) x$.length()

#' @export
as.list.utils_sampler <- function(x, ...) iterator_elements(x$.iter())

#' @export
print.utils_sampler <- function(x, ...) print_object(x, sampler_title(x))

#' @export
print.sampler_generator <- function(x, ...) print_class(x, "sampler_generator")

# Gives the elements of `order` in pieces.
iterate_batches <- function(order, batch_size) {
  at <- 0L
  n <- length(order)
  function() {
    if (at >= n) {
      return(exhausted())
    }
    from <- at + 1L
    at <<- min(at + batch_size, n)
    order[from:at]
  }
}

SequentialSampler <- sampler(
  "utils_sampler_sequential",
  initialize = function(data_source) self$data_source <- data_source,
  .order = function() seq_len(length(self$data_source)),
  .iter = function() as_iterator(self$.order()),
  .iter_batch = function(batch_size) iterate_batches(self$.order(), batch_size),
  .length = function() length(self$data_source)
)

RandomSampler <- sampler(
  "utils_sampler_random",
  SequentialSampler,
  initialize = function(data_source, replacement = FALSE, num_samples = NULL, generator = NULL) {
    super$initialize(data_source)
    self$replacement <- replacement
    self$num_samples <- num_samples
    self$generator <- generator
  },
  .order = function() {
    n <- length(self$data_source)
    options <- if (is.null(self$generator)) list() else list(generator = self$generator)
    draw <- if (self$replacement) {
      inject(torch_randint(0, n, self$.length(), !!!options))
    } else {
      inject(torch_randperm(n, !!!options))
    }
    (as.integer(draw) + 1L)[seq_len(self$.length())]
  },
  .length = function() self$num_samples %||% length(self$data_source)
)

BatchSampler <- sampler(
  "utils_sampler_batch",
  initialize = function(sampler, batch_size, drop_last) {
    self$sampler <- sampler
    self$batch_size <- as.integer(batch_size)
    self$drop_last <- drop_last
  },
  .iter = function() {
    sampler <- self$sampler
    size <- self$batch_size
    drop_last <- self$drop_last
    batches <- if (is.function(sampler$.iter_batch)) sampler$.iter_batch(size) else gather_batches(sampler$.iter(), size)
    function() {
      batch <- batches()
      if (drop_last && length(batch) < size) exhausted() else batch
    }
  },
  .length = function() {
    batches <- length(self$sampler) / self$batch_size
    if (self$drop_last) floor(batches) else ceiling(batches)
  }
)

# Collects up to `size` elements of an iterator at a time, as a vector or list.
gather_batches <- function(iterator, size) {
  function() {
    batch <- list()
    while (length(batch) < size && !is_exhausted(element <- iterator())) {
      batch <- c(batch, list(element))
    }
    if (length(batch) == 0L) exhausted() else batch
  }
}

# For iterable datasets, whose items have no positions.
InfiniteSampler <- sampler(
  "infinite_sampler",
  initialize = function() {},
  .iter = function() function() TRUE,
  .length = function() NA_integer_
)
