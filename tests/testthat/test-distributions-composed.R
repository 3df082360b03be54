test_that("a transformed distribution takes dimensions that its transforms mix into one draw", {
  skip_if_no_torch()
  d <- distr_transformed(distr_normal(torch_zeros(4, 3), 1), transform_stick_breaking())
  expect_identical(as.integer(d$batch_shape), 4L)
  expect_identical(as.integer(d$event_shape), 4L)
  expect_s3_class(d$base_dist, "torch_Independent")
  expect_identical(d$sample(2)$shape, c(2L, 4L, 4L))
  expect_identical(d$expand(c(2, 4))$sample(5)$shape, c(5L, 2L, 4L, 4L))
  # A transform with a batch makes one of a single distribution.
  wide <- distr_transformed(distr_normal(0, 1), transform_affine(torch_zeros(3), 1))
  expect_identical(wide$batch_shape, 3L)
  expect_identical(wide$sample()$shape, 3L)
})

test_that("a transform that goes down turns the distribution function round", {
  skip_if_no_torch()
  d <- distr_transformed(distr_exponential(2), transform_affine(1, -3))
  expect_equal(as.numeric(d$cdf(0)), 1 - pexp(1 / 3, 2), tolerance = 1e-6)
  expect_equal(as.numeric(d$cdf(d$icdf(0.3))), 0.3, tolerance = 1e-6)
})

test_that("an independent distribution sums over what it takes from the batch", {
  skip_if_no_torch()
  base <- distr_normal(torch_zeros(2, 3), 1)
  d <- distr_independent(base, 1)
  x <- torch_randn(2, 3)
  expect_equal(as_array(d$log_prob(x)), rowSums(dnorm(as_array(x), log = TRUE)), tolerance = 1e-6)
  expect_equal(as_array(d$entropy()), as_array(base$entropy()$sum(dim = 2)), tolerance = 1e-6)
  expect_identical(distr_independent(base, 2)$batch_shape, integer())
  expect_true(distr_independent(distr_bernoulli(c(0.5, 0.5)), 0)$has_enumerate_support)
  expect_error(distr_independent(distr_bernoulli(c(0.5, 0.5)), 1)$enumerate_support(), class = "not_implemented_error")
  expect_s3_class(d$support, "torch_Independent")
})

test_that("a mixture is what its formulas say, and draws from its components", {
  skip_if_no_torch()
  d <- distr_mixture_same_family(distr_categorical(c(0.3, 0.7)), distr_normal(c(-1, 2), c(1, 0.5)))
  x <- c(-2, 0, 1.5)
  expect_equal(exp(as_array(d$log_prob(x))), 0.3 * dnorm(x, -1) + 0.7 * dnorm(x, 2, 0.5), tolerance = 1e-6)
  expect_equal(as_array(d$cdf(x)), 0.3 * pnorm(x, -1) + 0.7 * pnorm(x, 2, 0.5), tolerance = 1e-6)
  expect_equal(as.numeric(d$mean), 0.3 * -1 + 0.7 * 2, tolerance = 1e-6)
  torch_manual_seed(2)
  draws <- as_array(d$sample(1e5))
  expect_equal(mean(draws < 0.5), as.numeric(d$cdf(0.5)), tolerance = 0.03)
  # One choice for each draw of vectors, and a batch of mixtures that share it.
  several <- distr_mixture_same_family(
    distr_categorical(c(0.5, 0.5)),
    distr_independent(distr_normal(torch_tensor(c(-100, 100))$reshape(c(1, 2, 1))$expand(c(4, 2, 3)), 1), 1)
  )
  expect_identical(as.integer(several$batch_shape), 4L)
  signs <- torch_sign(several$sample(200))
  expect_identical(signs$shape, c(200L, 4L, 3L))
  expect_true(as.logical((signs[.., 1] == signs[.., 3])$all()))
  expect_true(as.logical((signs[, 1, 1] != signs[, 2, 1])$any()))
  expect_identical(several$expand(c(2, 4))$log_prob(torch_zeros(3))$shape, c(2L, 4L))
  expect_true(as.logical(several$support$check(torch_zeros(4, 3))$all()))
})
