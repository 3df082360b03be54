letters_dataset <- dataset(
  "letters_dataset",
  initialize = function(n, sep = "-") {
    self$n <- n
    self$sep <- sep
  },
  .getitem = function(i) paste0(letters[i], self$sep, typeof(i)),
  .length = function() self$n
)

test_that("a generator has the formals of initialize, a dataset its class", {
  expect_identical(formals(letters_dataset), as.pairlist(alist(n = , sep = "-")))
  d <- letters_dataset(3)
  expect_s3_class(d, c("letters_dataset", "dataset", "R6"), exact = TRUE)
  expect_length(d, 3)
  expect_snapshot(print(letters_dataset))
})

test_that("[ calls .getbatch if there is one, [[ always .getitem, with integers", {
  d <- letters_dataset(3)
  expect_identical(d[2], "b-integer")
  expect_identical(d[[2]], "b-integer")
  expect_identical(d[["sep"]], "-")
  batched <- dataset(inherit = letters_dataset, .getbatch = function(indexes) list("batch", indexes))
  b <- batched(3, sep = "+")
  expect_identical(b[c(1, 3)], list("batch", c(1L, 3L)))
  expect_identical(b[[1]], "a+integer")
  expect_s3_class(b, c("letters_dataset", "dataset", "R6"), exact = TRUE)
})

test_that("missing methods are told", {
  empty <- dataset("empty")()
  expect_error(empty[1], class = "not_implemented_error")
  expect_error(length(empty), class = "not_implemented_error")
})

test_that("a tensor dataset gives slices", {
  skip_if_no_torch()
  x <- matrix(1:6, 3)
  d <- tensor_dataset(x = torch_tensor(x), y = torch_tensor(c(7, 8, 9)))
  expect_length(d, 3)
  expect_identical(lapply(d[[2]], as_array), list(x = x[2, ], y = 8))
  expect_identical(lapply(d[c(3, 1)], as_array), list(x = x[c(3, 1), ], y = c(9, 7)))
  expect_identical(dim(d[2]$x), c(1L, 2L))
  expect_error(tensor_dataset(torch_ones(2), torch_ones(3)), class = "value_error")
  expect_snapshot(tensor_dataset(torch_ones(2), torch_ones(3)), error = TRUE)
})

test_that("a subset takes its items from the dataset", {
  d <- dataset_subset(letters_dataset(5), c(4, 2))
  expect_length(d, 2)
  expect_identical(d[1], "d-integer")
  expect_s3_class(d, c("letters_dataset_subset", "dataset_subset", "dataset", "R6"), exact = TRUE)
  skip_if_no_torch()
  d <- dataset_subset(tensor_dataset(torch_arange(1, 5)), c(2, 4))
  expect_equal(as_array(d[2:1][[1]]), c(4, 2))
})

test_that("iterable datasets have an iterator and maybe a length", {
  count <- iterable_dataset("count", initialize = function(n) self$n <- n, .iter = function() as_iterator(seq_len(self$n)))
  expect_identical(length(count(3)), NA_integer_)
  n <- 0
  loop(for (i in count(3)) n <- n + i)
  expect_identical(n, 6)
  expect_snapshot(print(count))
})

test_that("items are asked for by whole numbers that are there", {
  skip_if_no_torch()
  d <- tensor_dataset(torch_arange(1, 5))
  for (wrong in list(1.5, NA, "a", TRUE)) expect_error(d[wrong], "must be whole numbers", class = "value_error")
  expect_error(d[[2.5]], "must be whole numbers", class = "value_error")
  expect_equal(as.numeric(d[torch_tensor(2L)][[1]]), 2)
  whole <- tensor_dataset(x = torch_eye(5))
  part <- dataset_subset(whole, 3:4)
  expect_identical(as_array(part[[1]]$x), as_array(whole[[3]]$x))
  expect_identical(part[1]$x$shape, c(1L, 5L))
  expect_identical(batches_of(dataloader(concat_dataset(list(whole, part)), batch_size = 7))[[1]]$x$shape, c(7L, 5L))
  for (wrong in list(0, 6, -1)) expect_error(dataset_subset(d, wrong), "positions in a dataset of 5 items", class = "value_error")
  expect_error(dataset_subset(d, "a"), "`indices` must be whole numbers", class = "value_error")
  expect_error(dataset_subset(mtcars, 1), "`dataset` must be a dataset", class = "type_error")
  expect_length(dataset_subset(d, integer()), 0)
  expect_error(tensor_dataset(x = torch_ones(2), x = torch_ones(2)), "not `x` twice", class = "value_error")
})

test_that("a dataset says how many items it has", {
  skip_if_no_torch()
  of_length <- function(n) dataset("d", .getitem = function(i) i, .length = function() n)()
  for (n in list(4, 4L, bit64::as.integer64(4), torch_tensor(4L), torch_tensor(4))) {
    expect_equal(length(of_length(n)), 4)
    expect_length(as.list(dataloader(of_length(n), batch_size = 2)), 2)
  }
  expect_error(length(of_length(torch_tensor(c(1, 2)))), "must be a whole number from 0 on, or NA, not a tensor", class = "value_error")
  # One that does not know is loaded by a sampler that does.
  unknown <- of_length(NA)
  expect_error(as.list(dataloader(unknown, batch_size = 2)), "does not say how many items it has", class = "value_error")
  expect_error(as.list(dataloader(unknown, batch_size = 2, shuffle = TRUE)), "does not say how many items it has", class = "value_error")
  expect_length(as.list(dataloader(unknown, batch_size = 2, sampler = subset_random_sampler(1:4))), 2)
  endless <- function(n) iterable_dataset("e", .iter = function() function() 1, .length = function() n)()
  expect_equal(length(endless(torch_tensor(3))), 3)
  expect_error(length(endless("a")), "must be a whole number from 0 on", class = "value_error")
})
