test_that("a deep clone has tensors of its own, shared ones shared", {
  skip_if_no_torch()
  tied <- nn_module(
    initialize = function() {
      self$a <- nn_linear(2, 2)
      self$b <- nn_linear(2, 2)
      self$b$weight <- self$a$weight
      self$skip <- nn_buffer(torch_ones(1), persistent = FALSE)
      self$fields <- list(torch_ones(1))
    },
    forward = function(x) self$b(self$a(x)),
    private = list(finalize_deep_clone = function() self$copied <- TRUE)
  )
  model <- tied()
  model$a$bias$requires_grad_(FALSE)
  copy <- model$clone()
  expect_true(copy$copied)
  expect_null(model$copied)
  expect_named(copy$parameters, names(model$parameters))
  expect_identical(tensor_address(copy$b$weight), tensor_address(copy$a$weight))
  expect_false(copy$a$bias$requires_grad)
  expect_length(copy$state_dict(), length(model$state_dict()))
  x <- torch_randn(1, 2)
  expect_equal(as_array(copy(x)), as_array(model(x)))
  with_no_grad(copy$a$weight$zero_())
  with_no_grad(copy$fields[[1]]$zero_())
  expect_false(all(as_array(model$a$weight) == 0))
  expect_identical(as_array(model$fields[[1]]), 1)

  shallow <- clone_module(model)
  expect_identical(tensor_address(shallow$a$weight), tensor_address(model$a$weight))
  shallow$more <- 1
  expect_null(model$more)
})

test_that("a copy reads no member that is computed", {
  skip_if_no_torch()
  torch_manual_seed(1)
  normed <- nn_utils_parametrizations_spectral_norm(nn_linear(5, 3))
  estimate <- function(module) lapply(module$buffers, as_array)
  before <- estimate(normed)
  copy <- normed$clone(deep = TRUE)
  expect_identical(estimate(normed), before)
  expect_identical(estimate(copy), before)
  expect_identical(estimate(clone_module(normed)), before)
  x <- torch_ones(1, 5)
  expect_equal(as_array(copy(x)), as_array(normed(x)))
  expect_false(identical(estimate(normed), before))
})
