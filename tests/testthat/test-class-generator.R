test_that("a class may have any name", {
  skip_if_no_torch()
  names <- c(
    "function", "factor", "data.frame", "list", "matrix", "R6", "torch_tensor", "nn_module", "dataset", "dataset_generator",
    "environment", "condition", "lm", "table", "my data", "a/b", "default", "", "script_module", "size"
  )
  for (name in names) {
    numbers <- dataset(
      name, initialize = function(n) self$n <- n, .getitem = function(i) torch_tensor(i), .length = function() self$n
    )(3)
    expect_length(numbers, 3)
    expect_length(dataloader(numbers, batch_size = 2), 2)
    expect_equal(as_array(numbers[2]), 2L, info = name)
    expect_equal(numbers$n, 3)
    expect_output(print(numbers), "of 3 items")
    net <- nn_module(name, initialize = function(n) self$layer <- nn_linear(n, 1), forward = function(x) self$layer(x))(2)
    expect_equal(dim(net(torch_ones(4, 2))), c(4L, 1L), info = name)
    expect_output(print(net), "containing 3 parameters")
    expect_length(net$parameters, 2)
    sums <- optimizer(name, initialize = function(params) super$initialize(params, list(lr = 1)))(list(torch_ones(1)))
    expect_output(print(sums), "1 parameter tensor")
  }
  expect_snapshot(error = TRUE, {
    dataset(1)
    nn_module(c("a", "b"))
  })
})

test_that("a class that has methods of the user's keeps its name", {
  skip_if_no_torch()
  registerS3method("length", "counted_by_user", new_function(alist(x = ), 42L, globalenv()))
  counted <- dataset("counted_by_user", .getitem = function(i) i, .length = function() 3)()
  expect_s3_class(counted, c("counted_by_user", "dataset", "R6"), exact = TRUE)
  expect_length(counted, 42)
})

test_that("generators are called, or their `$new()`", {
  skip_if_no_torch()
  net <- nn_module("net", initialize = function(n, hidden = n) self$layer <- nn_linear(n, hidden), forward = function(x) self$layer(x))
  expect_equal(dim(net$new(3)$layer$weight), c(3L, 3L))
  expect_equal(dim(net$new(hidden = 2, n = 3)$layer$weight), c(2L, 3L))
  expect_s3_class(nn_linear$new(1, 2), class(nn_linear(1, 2)), exact = TRUE)
  numbers <- dataset("numbers", initialize = function(n) self$n <- n, .length = function() self$n)
  expect_length(numbers$new(3), 3)
  stream <- iterable_dataset("stream", initialize = function(n) self$n <- n, .iter = function() as_iterator(seq_len(self$n)))
  expect_equal(as.list(stream$new(2)), list(1L, 2L))
  backwards <- sampler("backwards", initialize = function(n) self$n <- n, .iter = function() as_iterator(rev(seq_len(self$n))))
  expect_equal(as.list(backwards$new(2)), list(2L, 1L))
  expect_s3_class(optim_sgd$new(list(torch_ones(1)), lr = 1), "optim_sgd")
  expect_equal(net$classname, "net")
  expect_null(net$nothing)
})

test_that("an object made from a class's plan is what R6 makes", {
  base <- R6::R6Class("base", class = FALSE, lock_objects = FALSE,
    public = list(count = 1, initialize = function(n) self$count <- n, add = function() self$count + private$one),
    private = list(one = 1, hidden = function() "base"),
    active = list(twice = function(value) if (missing(value)) self$count * 2 else self$count <- value / 2))
  class <- R6::R6Class("derived", class = FALSE, lock_objects = FALSE, inherit = base,
    public = list(more = 2, add = function() super$add() + self$more, both = function() c(super$hidden(), private$hidden())),
    private = list(hidden = function() "derived"))
  shape <- function(object) {
    names <- setdiff(ls(object, all.names = TRUE), ".__enclos_env__")
    list(
      names = names, locked = vapply(names, bindingIsLocked, NA, object), active = vapply(names, bindingIsActive, NA, object),
      private = ls(object$.__enclos_env__$private, all.names = TRUE),
      # What calls of modules look for.
      around = setdiff(ls(object$.__enclos_env__, all.names = TRUE), ".hooks"),
      super = ls(object$.__enclos_env__$super, all.names = TRUE)
    )
  }
  ours <- new_instance(class, 5)
  expect_identical(shape(ours), shape(class$new(5)))
  expect_identical(list(ours$add(), ours$both(), ours$twice), list(8, c("base", "derived"), 10))
  ours$twice <- 4
  expect_identical(ours$count, 2)
  # A copy's methods, own and inherited, see the copy.
  copy <- ours$clone()
  copy$count <- 10
  expect_identical(c(ours$add(), copy$add(), copy$twice), c(5, 13, 20))
  # A class that has changed is planned anew; one with a class attribute is R6's.
  class$set("public", "add", function() "other", overwrite = TRUE)
  expect_identical(new_instance(class, 1)$add(), "other")
  expect_s3_class(new_instance(R6::R6Class("plain")), "R6")
})
