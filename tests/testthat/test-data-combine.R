test_that("datasets are put behind and beside each other", {
  skip_if_no_torch()
  a <- tensor_dataset(x = torch_tensor(1:3))
  b <- tensor_dataset(x = torch_tensor(11:12))
  empty <- dataset("empty", .getitem = function(i) stop("none"), .length = function() 0L)()
  both <- concat_dataset(a, empty, list = b)
  expect_length(both, 5)
  expect_identical(vapply(as.list(both), function(item) item$x$item(), 0L), c(1:3, 11:12))
  expect_identical(vapply(as.list(concat_dataset(list(b, a))), function(item) item$x$item(), 0L), c(11:12, 1:3))
  expect_identical(as_array(both[5]$x), 12L)
  batches <- as.list(dataloader(both, batch_size = 4))
  expect_identical(lapply(batches, function(batch) as_array(batch$x)), list(c(1:3, 11L), 12L))
  beside <- stack_dataset(first = a, second = concat_dataset(a))
  expect_length(beside, 3)
  expect_identical(beside[[2]]$second$x$item(), 2L)
  expect_null(beside$.getbatch)
  batch <- as.list(dataloader(stack_dataset(a, a), batch_size = 2))[[2]]
  expect_identical(as_array(batch[[2]]$x), 3L)
  chained <- chain_dataset(a, iterable_dataset("two", .iter = function() as_iterator(lapply(21:22, function(i) list(x = torch_tensor(i)[1]))), .length = function() 2)(), b)
  expect_length(chained, 7)
  expect_identical(as_array(torch_cat(lapply(as.list(dataloader(chained, batch_size = 3)), function(batch) batch$x))), c(1:3, 21L, 22L, 11L, 12L))
  expect_identical(length(chain_dataset(iterable_dataset(.iter = function() 1)())), NA_real_)
  expect_snapshot({
    concat_dataset()
    concat_dataset(a, 1)
    concat_dataset(chained)
    stack_dataset(a, b)
    both[[6]]
    both[[0]]
  }, error = TRUE)
})

test_that("a dataset gives its tensors and takes them back", {
  skip_if_no_torch()
  data <- dataset(
    "data", initialize = function() {
      self$x <- torch_ones(2)
      self$more <- list(a = torch_zeros(1), list(torch_zeros(2)))
      self$n <- 3
    },
    .getitem = function(i) self$x[i], .length = function() 2L, active = list(now = function() stop("not asked"))
  )()
  state <- data$state_dict()
  expect_named(state, c("more.a", "more.2.1", "x"))
  data$load_state_dict(lapply(state, function(x) x + 5))
  expect_identical(as_array(data$x), c(6, 6))
  expect_identical(as_array(data$more[[2]][[1]]), c(5, 5))
  shared <- lapply(state, function(x) x * 2)
  data$load_state_dict(shared, .refer_to_state_dict = TRUE)
  shared$x[1] <- 0
  expect_identical(as_array(data$x), c(0, 12))
  expect_error(data$load_state_dict(state[-1]), "no entry `more.a`", class = "value_error")
  expect_error(data$load_state_dict(replace(state, "x", 1)), "a tensor for `x`", class = "type_error")
  expect_identical(as_array(tensor_dataset(torch_ones(1))$state_dict()[["tensors.1"]]), 1)
})
