# Samplers: in which order the items of a dataset are taken.

Sampler <- R6::R6Class(
  "utils_sampler",
  lock_objects = FALSE,
  public = list(
    initialize = function(data_source) {},
    .iter = function() {
      not_implemented_error("This sampler has no `.iter` method.")
    },
    .length = function() {
      not_implemented_error("This sampler has no `.length` method.")
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
as.list.utils_sampler <- function(x, ...) iterator_elements(as_iterator(x))

#' @export
print.utils_sampler <- function(x, ...) print_object(x, sampler_title(x))

#' @export
print.sampler_generator <- function(x, ...) print_class(x, "sampler_generator")

# Gives the elements of `order` in pieces.
iterate_batches <- function(order, batch_size) {
  # Not in integers: a batch may be larger than all that there is.
  at <- 0
  n <- length(order)
  function() {
    if (at >= n) {
      return(exhausted())
    }
    from <- at + 1
    at <<- min(at + batch_size, n)
    order[from:at]
  }
}

# A sampler that knows all its positions when a run begins: `.order()` gives them.
OrderSampler <- sampler(
  "utils_sampler_order",
  .iter = function() as_iterator(self$.order()),
  .iter_batch = function(batch_size) iterate_batches(self$.order(), batch_size),
  .length = function() self$num_samples
)

# The generator of a run: the one that was given, or a new one whose seed comes from torch's.
generator_of_run <- function(generator) {
  if (!is.null(generator)) return(generator)
  generator <- torch_generator()
  generator$set_current_seed(draw_torch_seed())
  generator
}

# The number of items that a sampler chooses from.
known_length <- function(data_source) {
  n <- length(data_source)
  if (!is.na(n)) return(n)
  value_error("The dataset does not say how many items it has: give `sampler` one that tells which items come.", call = NULL)
}

draw_torch_seed <- function() torch_empty(1, dtype = torch_int64())$random_()$item()

random_order <- function(n, generator) as.integer(op_randperm(n, generator = generator)) + 1L

check_generator <- function(generator, call = caller_env()) {
  if (!is.null(generator) && !inherits(generator, "torch_generator")) {
    type_error(sprintf("`generator` must be a `torch_generator()` or NULL, not %s.", friendly_type(generator)), call)
  }
}

check_switch <- function(x, arg, call = caller_env()) {
  if (!is_bool(x)) value_error(sprintf("`%s` must be TRUE or FALSE, not %s.", arg, friendly_type(x)), call)
}

# A number of things, which may be given as an integer64 or a tensor too.
as_count <- function(n, arg, least = 1, call = caller_env()) {
  plain <- plain_number(n)
  if (!is_whole_number(plain) || plain < least) {
    value_error(sprintf("`%s` must be a whole number from %d on, not %s.", arg, least, friendly_type(n)), call)
  }
  plain
}

#' Samplers
#'
#' In which order the items of a dataset come, for the arguments `sampler` and `batch_sampler` of [dataloader()]. Each run
#' draws anew. Given the seed, positions are those of PyTorch's samplers, plus 1.
#'
#' * `sequential_sampler()`: all items, in their order.
#' * `random_sampler()`: a random order of all items; with `replacement` each time any item. More samples than items are one
#'   order behind the other.
#' * `subset_random_sampler()`: some items in a random order.
#' * `weighted_random_sampler()`: each item with a probability in proportion to its weight. Without `replacement`, items with
#'   weight 0 do not come.
#' * `distributed_sampler()`: the share of one of several processes that train together. All must have the same `seed`, and
#'   `$set_epoch(epoch)` before each run shuffles anew. Shares are filled up to the same length with items of the
#'   beginning, or cut with `drop_last`.
#' * `batch_sampler()`: the positions of another sampler as vectors.
#'
#' @param data_source,dataset a dataset, or anything with a length.
#' @param replacement whether a position may come more than once.
#' @param num_samples number of positions; `NULL`: as many as there are items.
#' @param generator a [torch_generator()]; `NULL`: one with a seed from torch's random numbers ([torch_manual_seed()]).
#' @param indices positions from 1.
#' @param weights numbers from 0 on or a 1-d tensor, one for each item.
#' @param num_replicas number of processes.
#' @param rank which of them this is, from 1.
#' @param shuffle whether the order is random.
#' @param seed a whole number.
#' @param drop_last whether what is left over at the end is left out.
#' @param sampler a sampler.
#' @param batch_size positions in a batch.
#' @returns A sampler: `length()` is the number of positions or batches, [loop()] goes over them. A wrong argument is a
#'   `value_error` or a `type_error`.
#' @source `torch.utils.data` of PyTorch.
#' @seealso [sampler()] for samplers of your own.
#' @examplesIf torch::torch_is_installed()
#' # A rare class comes as often as the other one.
#' y <- c(1, 1, 1, 1, 2)
#' balanced <- weighted_random_sampler(1 / table(y)[y], num_samples = 5)
#' dl <- dataloader(tensor_dataset(y = torch_tensor(y)), batch_size = 5, sampler = balanced)
#' loop(for (batch in dl) print(batch$y))
#' @name samplers
NULL

#' @rdname samplers
#' @export
sequential_sampler <- sampler(
  "utils_sampler_sequential",
  OrderSampler,
  initialize = function(data_source) self$data_source <- data_source,
  .order = function() seq_len(known_length(self$data_source)),
  .length = function() length(self$data_source)
)

#' @rdname samplers
#' @export
random_sampler <- sampler(
  "utils_sampler_random",
  OrderSampler,
  initialize = function(data_source, replacement = FALSE, num_samples = NULL, generator = NULL) {
    check_switch(replacement, "replacement")
    if (!is.null(num_samples)) num_samples <- as_count(num_samples, "num_samples")
    check_generator(generator)
    self$data_source <- data_source
    self$replacement <- replacement
    private$wanted <- num_samples
    self$generator <- generator
  },
  .order = function() {
    n <- known_length(self$data_source)
    wanted <- self$.length()
    if (n == 0) return(integer())
    generator <- generator_of_run(self$generator)
    if (self$replacement) {
      # As PyTorch draws them, 32 at a time.
      sizes <- c(rep(32L, wanted %/% 32L), wanted %% 32L)
      draw <- function(size) as.integer(torch_randint(0, n, size, generator = generator, dtype = torch_int64())) + 1L
      return(unlist(lapply(sizes, draw)))
    }
    order <- unlist(lapply(seq_len(wanted %/% n), function(i) random_order(n, generator)))
    # PyTorch draws for the rest even where there is none. The next run sees that if the user gave a generator.
    rest <- if (wanted %% n > 0 || !is.null(self$generator)) random_order(n, generator)
    c(order, rest[seq_len(wanted %% n)])
  },
  .length = function() self$num_samples,
  private = list(wanted = NULL),
  active = list(num_samples = function() private$wanted %||% length(self$data_source))
)

#' @rdname samplers
#' @export
subset_random_sampler <- sampler(
  "utils_sampler_subset_random",
  OrderSampler,
  initialize = function(indices, generator = NULL) {
    check_generator(generator)
    indices <- item_positions(indices, "`indices`", current_env())
    if (any(indices < 1L)) value_error(sprintf("`indices` must be positions from 1, not %d.", indices[indices < 1L][1L]))
    self$indices <- indices
    self$num_samples <- length(indices)
    self$generator <- generator
  },
  # PyTorch draws from its own generator here.
  .order = function() {
    n <- length(self$indices)
    draw <- op_randperm(n, generator = self$generator)
    self$indices[as.integer(draw) + 1L]
  }
)

#' @rdname samplers
#' @export
weighted_random_sampler <- sampler(
  "utils_sampler_weighted_random",
  OrderSampler,
  initialize = function(weights, num_samples, replacement = TRUE, generator = NULL) {
    values <- if (is_torch_tensor(weights) || is.numeric(weights)) as.numeric(weights)
    if (!length(values) || anyNA(values) || any(values < 0) || any(is.infinite(values))) {
      value_error("`weights` must be finite numbers from 0 on.")
    }
    if (length(values) > 2^24) value_error(sprintf("`weights` must be at most 2^24 numbers, not %s.", format(length(values))))
    num_samples <- as_count(num_samples, "num_samples")
    check_switch(replacement, "replacement")
    check_generator(generator)
    possible <- if (replacement) Inf * any(values > 0) else sum(values > 0)
    if (is.nan(possible) || possible < num_samples) {
      needed <- if (replacement) "one item" else count_of(num_samples, "item")
      value_error(sprintf("`weights` must be positive for at least %s.", needed))
    }
    self$weights <- torch_tensor(values, dtype = torch_double())
    self$num_samples <- num_samples
    self$replacement <- replacement
    self$generator <- generator
  },
  .order = function() {
    generator <- if (!is.null(self$generator)) list(generator = self$generator)
    as.integer(inject(torch_multinomial(self$weights, self$num_samples, self$replacement, !!!generator)))
  }
)

#' @rdname samplers
#' @export
distributed_sampler <- sampler(
  "utils_sampler_distributed",
  OrderSampler,
  initialize = function(dataset, num_replicas, rank, shuffle = TRUE, seed = 0, drop_last = FALSE) {
    num_replicas <- as_count(num_replicas, "num_replicas")
    rank <- as_count(rank, "rank")
    if (rank > num_replicas) {
      value_error(sprintf("`rank` must be a number from 1 to %s, not %s.", format(num_replicas), format(rank)))
    }
    check_switch(shuffle, "shuffle")
    check_switch(drop_last, "drop_last")
    self$data_source <- dataset
    self$num_replicas <- num_replicas
    self$rank <- rank
    self$shuffle <- shuffle
    self$seed <- check_seed(seed)
    self$drop_last <- drop_last
    self$epoch <- 0
  },
  set_epoch = function(epoch) {
    self$epoch <- as_count(epoch, "epoch", 0)
    invisible(self)
  },
  .order = function() {
    n <- known_length(self$data_source)
    order <- if (self$shuffle) {
      generator <- torch_generator()
      generator$set_current_seed(self$seed + self$epoch)
      random_order(n, generator)
    } else {
      seq_len(n)
    }
    total <- self$.length() * self$num_replicas
    rep_len(order, total)[seq(self$rank, by = self$num_replicas, length.out = self$.length())]
  },
  .length = function() {
    n <- known_length(self$data_source)
    if (self$drop_last) n %/% self$num_replicas else ceiling(n / self$num_replicas)
  }
)

#' @rdname samplers
#' @export
batch_sampler <- sampler(
  "utils_sampler_batch",
  initialize = function(sampler, batch_size, drop_last = FALSE) {
    check_sampler(sampler, "sampler", or_null = FALSE)
    batch_size <- as_count(batch_size, "batch_size")
    check_switch(drop_last, "drop_last")
    self$sampler <- sampler
    self$batch_size <- as.integer(min(batch_size, .Machine$integer.max))
    self$drop_last <- drop_last
  },
  .iter = function() {
    sampler <- self$sampler
    size <- self$batch_size
    drop_last <- self$drop_last
    batches <- if (is.function(sampler$.iter_batch)) sampler$.iter_batch(size) else gather_batches(as_iterator(sampler), size)
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
      # R makes room for more than one element, as it does not in `c()`.
      batch[length(batch) + 1L] <- list(element)
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
