numbers <- dataset(
  "numbers",
  initialize = function(n) self$n <- n,
  .getitem = function(i) list(x = torch_tensor(c(i, 10 * i)), y = i, name = letters[i]),
  .length = function() self$n
)

batches_of <- function(dl) {
  all <- list()
  loop(for (b in dl) all <- c(all, list(b)))
  all
}

test_that("batches come in order and the last may be short", {
  skip_if_no_torch()
  dl <- dataloader(numbers(5), batch_size = 2)
  expect_length(dl, 3)
  all <- batches_of(dl)
  expect_length(all, 3)
  expect_named(all[[1]], c("x", "y", "name"))
  expect_equal(as_array(all[[2]]$x), rbind(c(3, 30), c(4, 40)))
  expect_identical(as_array(all[[2]]$y), 3:4)
  expect_identical(all[[3]]$name, "e")
  expect_length(batches_of(dl), 3)
  expect_true(is_dataloader(dl))

  dropping <- dataloader(numbers(5), batch_size = 2, drop_last = TRUE)
  expect_length(dropping, 2)
  expect_length(batches_of(dropping), 2)
})

test_that("shuffling follows torch's generator and is new at each run", {
  skip_if_no_torch()
  order_of <- function(dl) unlist(lapply(batches_of(dl), function(b) as_array(b$y)))
  dl <- dataloader(numbers(20), batch_size = 3, shuffle = TRUE)
  torch_manual_seed(1)
  first <- order_of(dl)
  second <- order_of(dl)
  expect_setequal(first, 1:20)
  expect_false(identical(first, second))
  torch_manual_seed(1)
  expect_identical(order_of(dl), first)
})

test_that("iterators are independent; dataloader_next() says when it is over", {
  skip_if_no_torch()
  dl <- dataloader(numbers(2))
  it <- dataloader_make_iter(dl)
  expect_identical(as_array(dataloader_next(it)$y), 1L)
  other <- dataloader_make_iter(dl)
  expect_identical(as_array(dataloader_next(it)$y), 2L)
  expect_identical(as_array(dataloader_next(other)$y), 1L)
  expect_null(dataloader_next(it))
  expect_identical(dataloader_next(it, completed = "done"), "done")
})

test_that("items that do not match are told by item and field", {
  skip_if_no_torch()
  batch <- function(...) {
    items <- list(...)
    dataloader(dataset(.getitem = function(i) items[[i]], .length = function() length(items))(), batch_size = length(items))$.iter()()
  }
  good <- list(x = torch_ones(2), y = 1)
  for (at in 1:3) {
    with_item <- function(item) {
      items <- list(good, good, good, good)
      items[[at + 1]] <- item
      do.call(batch, items)
    }
    refused <- function(item, pattern) expect_error(with_item(item), pattern, class = "value_error")
    here <- sprintf("item %d ", at + 1)
    refused(list(x = torch_ones(2)), paste0(here, "has no field `y`"))
    refused(list(x = torch_ones(2), y = 1, z = 1), paste0(here, "has a field `z`"))
    refused(list(x = torch_ones(2), y = 1, y = 2), paste0(here, "has twice the field `y`"))
    refused(list(torch_ones(2), 1), paste0(here, "has other names"))
    refused(list(x = torch_ones(3), y = 1), paste0("in `x`, ", here, "has shape \\(3\\), item 1 \\(2\\)"))
    refused(list(x = 1, y = 1), paste0("in `x`, ", here, "is the number 1, item 1 is a tensor"))
    refused(list(x = torch_ones(2), y = c(1, 2)), paste0("in `y`, ", here, "has length 2, item 1 1"))
    refused(list(x = torch_ones(2), y = "a"), paste0("in `y`, ", here, "is the character"))
    refused(list(x = torch_ones(2), y = NULL), paste0("in `y`, ", here, "is NULL"))
    refused(1, paste0(here, "is the number 1, item 1 is a list"))
  }
  # The order of names does not matter.
  expect_identical(as_array(batch(list(a = 1, b = 2), list(b = 4, a = 3))$a), c(1, 3))
  expect_error(batch(list(a = 1, a = 2), list(a = 1, a = 2)), "item 1 has `a` twice", class = "value_error")
  expect_error(batch(list(1, 2), list(1)), "item 2 has length 1, item 1 2", class = "value_error")
  expect_error(batch(list(p = list(1, 2)), list(p = list(1))), "in `p`, item 2 has length 1", class = "value_error")
  expect_error(batch(1:2, 1:3), "item 2 has length 3, item 1 2", class = "value_error")
  expect_error(batch(matrix(1, 2, 2), matrix(1, 4, 1)), "item 2 has dimensions 4, 1, item 1 2, 2", class = "value_error")
  expect_error(batch(torch_ones(1), 1), "item 2 is the number 1, item 1 is a tensor", class = "value_error")
  expect_error(batch(1, torch_ones(1)), "item 2 is a tensor, item 1 is the number 1", class = "value_error")
  expect_error(batch(bit64::as.integer64(1), 1), "item 2 is the number 1", class = "value_error")
  expect_error(batch(c("a", "b"), "c"), "item 2 has length 1", class = "value_error")
  expect_error(batch(list(a = mean), list(a = sd)), "class <function> \\(`a`\\)", class = "value_error")
})

test_that("items are collated by what they are", {
  skip_if_no_torch()
  collated <- function(...) dataloader(dataset(
    .getitem = function(i) list(...)[[i]], .length = function() 2
  )(), batch_size = 2)$.iter()()
  expect_identical(as_array(collated(1.5, 2)), c(1.5, 2))
  expect_true(collated(1.5, 2)$dtype == torch_float())
  expect_true(collated(1L, 2L)$dtype == torch_long())
  expect_true(collated(TRUE, FALSE)$dtype == torch_bool())
  expect_identical(collated("a", "b"), c("a", "b"))
  expect_equal(as_array(collated(1:3, 4:6)), rbind(1:3, 4:6))
  expect_equal(collated(matrix(1, 2, 3), matrix(2, 2, 3))$shape, c(2, 2, 3))
  expect_equal(collated(torch_scalar_tensor(1), torch_scalar_tensor(2))$shape, 2)
  nested <- collated(list(list(a = 1), 2), list(list(a = 3), 4))
  expect_identical(as_array(nested[[1]]$a), c(1, 3))
  expect_identical(as_array(nested[[2]]), c(2, 4))
  expect_error(collated(quote(x), quote(y)), class = "value_error")
  expect_snapshot(collated(mean, sd), error = TRUE)
})

test_that("datasets that make batches, and single items, are only converted", {
  skip_if_no_torch()
  batching <- dataset(
    .getbatch = function(indexes) list(x = indexes / 2, y = list(torch_ones(1), indexes)),
    .length = function() 4
  )()
  b <- batches_of(dataloader(batching, batch_size = 3))[[1]]
  expect_equal(as_array(b$x), c(0.5, 1, 1.5))
  expect_equal(as_array(b$y[[2]]), 1:3)
  single <- batches_of(dataloader(tensor_dataset(torch_arange(1, 3)), batch_size = NULL))
  expect_length(single, 3)
  words <- dataset(.getbatch = function(i) "a", .length = function() 1)()
  expect_error(batches_of(dataloader(words)), "Can't convert data of class", class = "value_error")
  kept <- batches_of(dataloader(words, collate_fn = identity))
  expect_identical(kept, list("a"))
})

test_that("a tensor dataset is taken in batches", {
  skip_if_no_torch()
  dl <- dataloader(tensor_dataset(x = torch_arange(1, 5), y = torch_eye(5)), batch_size = 2)
  b <- batches_of(dl)
  expect_identical(as_array(b[[3]]$x), 5)
  expect_equal(b[[1]]$y$shape, c(2, 5))
})

test_that("iterable datasets are gathered into batches", {
  skip_if_no_torch()
  count <- iterable_dataset("count",
    initialize = function(n) self$n <- n, .iter = function() as_iterator(seq_len(self$n))
  )
  sizes <- function(...) vapply(batches_of(dataloader(count(5), ...)), function(b) as.integer(b$numel()), 0L)
  expect_identical(sizes(batch_size = 2), c(2L, 2L, 1L))
  expect_identical(sizes(batch_size = 2, drop_last = TRUE), c(2L, 2L))
  expect_length(batches_of(dataloader(count(5), batch_size = NULL)), 5)
  expect_identical(length(dataloader(count(5))), NA_real_)
  expect_error(dataloader(count(5), shuffle = TRUE), class = "value_error")
})

test_that("samplers decide what comes", {
  skip_if_no_torch()
  backwards <- sampler(
    "backwards",
    initialize = function(n) self$n <- n,
    .iter = function() as_iterator(rev(seq_len(self$n))),
    .length = function() self$n
  )
  values <- function(dl) lapply(batches_of(dl), function(b) as_array(b$y))
  dl <- dataloader(numbers(3), batch_size = 2, sampler = backwards(3))
  expect_length(dl, 2)
  expect_identical(values(dl), list(3:2, 1L))
  pairs <- sampler("pairs", .iter = function() as_iterator(list(c(1, 3), 2)), .length = function() 2)
  dl <- dataloader(numbers(3), batch_sampler = pairs())
  expect_length(dl, 2)
  expect_identical(values(dl), list(c(1L, 3L), 2L))
  again <- RandomSampler(numbers(3), replacement = TRUE, num_samples = 50)
  expect_length(again, 50)
  drawn <- c()
  loop(for (i in again) drawn <- c(drawn, i))
  expect_length(drawn, 50)
  expect_setequal(drawn, 1:3)
})

test_that("enumerate() works with a warning, and loads on demand", {
  skip_if_no_torch()
  dl <- dataloader(numbers(4), batch_size = 2)
  expect_warning(all <- enumerate(dl), class = "deprecated")
  expect_identical(as_array(all[[2]]$y), 3:4)
  seen <- c()
  for (b in suppressWarnings(enumerate(dl))) seen <- c(seen, as_array(b[["y"]]))
  expect_identical(seen, 1:4)
  expect_length(suppressWarnings(enumerate(dl, max_len = 1)), 1)
})

test_that("options that exclude each other are told", {
  skip_if_no_torch()
  d <- numbers(3)
  s <- sampler("s")()
  expect_error(dataloader(d, num_workers = 2), class = "not_implemented_error")
  for (code in expression(
    dataloader(d, shuffle = TRUE, sampler = s), dataloader(d, batch_size = 2, batch_sampler = s),
    dataloader(d, batch_size = NULL, drop_last = TRUE), dataloader(d, batch_size = 0)
  )) {
    expect_error(eval(code), class = "value_error", info = deparse(code))
  }
  expect_snapshot(error = TRUE, {
    dataloader(d, num_workers = 2)
    dataloader(d, shuffle = TRUE, sampler = s)
    dataloader(d, batch_size = 2, batch_sampler = s)
    dataloader(d, batch_size = NULL, drop_last = TRUE)
    dataloader(d, batch_size = 0)
  })
})
