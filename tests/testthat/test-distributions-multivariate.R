test_that("a covariance matrix, its inverse and its factor are one distribution", {
  skip_if_no_torch()
  m <- torch_tensor(spd, dtype = "double")
  loc <- torch_zeros(3, dtype = "double")
  x <- torch_randn(4, 3, dtype = "double")
  ways <- list(
    distr_multivariate_normal(loc, covariance_matrix = m),
    distr_multivariate_normal(loc, precision_matrix = torch_tensor(solve(spd), dtype = "double")),
    distr_multivariate_normal(loc, scale_tril = linalg_cholesky(m))
  )
  for (d in ways) {
    expect_equal(as_array(d$log_prob(x)), as_array(ways[[1]]$log_prob(x)), tolerance = 1e-10)
    expect_equal(as_array(d$covariance_matrix), spd, tolerance = 1e-10)
    expect_equal(as_array(d$precision_matrix), solve(spd), tolerance = 1e-10)
    expect_equal(as_array(d$scale_tril), t(chol(spd)), tolerance = 1e-10)
  }
})

test_that("many means share one factor", {
  skip_if_no_torch()
  d <- distr_multivariate_normal(torch_zeros(50, 3), covariance_matrix = torch_tensor(spd))
  expect_identical(d$factor$shape, c(3L, 3L))
  expect_identical(d$expand(c(2, 50))$factor$shape, c(3L, 3L))
  expect_identical(d$scale_tril$shape, c(50L, 3L, 3L))
  expect_identical(d$log_prob(torch_zeros(7, 50, 3))$shape, c(7L, 50L))
})

test_that("a low-rank distribution is the full one with its covariance matrix", {
  skip_if_no_torch()
  w <- torch_tensor(spd[, 1:2], dtype = "double")
  d <- distr_low_rank_multivariate_normal(c(0, 1, 2), w, c(1, 2, 0.5))
  covariance <- spd[, 1:2] %*% t(spd[, 1:2]) + diag(c(1, 2, 0.5))
  full <- distr_multivariate_normal(c(0, 1, 2), covariance_matrix = torch_tensor(covariance, dtype = "double"))
  x <- torch_randn(4, 3, dtype = "double")
  expect_equal(as_array(d$log_prob(x)), as_array(full$log_prob(x)), tolerance = 1e-10)
  expect_equal(as_array(d$precision_matrix), solve(covariance), tolerance = 1e-10)
  expect_equal(as_array(d$scale_tril), t(chol(covariance)), tolerance = 1e-10)
  expect_equal(as.numeric(kl_divergence(d, full)), 0, tolerance = 1e-10)
})

test_that("Wishart draws have the covariances that it says, with gradients", {
  skip_if_no_torch()
  torch_manual_seed(6)
  m <- torch_tensor(spd, requires_grad = TRUE)
  d <- distr_wishart(c(4, 7), covariance_matrix = m)
  draws <- d$rsample(2e4)
  expect_identical(draws$shape, c(20000L, 2L, 3L, 3L))
  expect_true(as.logical(d$support$check(draws$detach())$all()))
  expect_equal(as_array(draws$mean(dim = 1)), as_array(d$mean), tolerance = 0.03)
  expect_equal(as_array(draws$var(dim = 1)), as_array(d$variance), tolerance = 0.06)
  draws$mean(dim = 1)[1, 1, 1]$backward()
  expect_equal(as.numeric(m$grad[1, 1]), 4, tolerance = 0.05)
})

test_that("LKJ draws are factors of correlation matrices", {
  skip_if_no_torch()
  torch_manual_seed(6)
  d <- distr_lkj_cholesky(4, c(0.5, 3))
  draws <- d$sample(2e4)
  expect_true(as.logical(d$support$check(draws)$all()))
  correlations <- torch_matmul(draws, draws$mT())[.., 2, 1]
  # Each correlation, scaled to 0 to 1, is beta distributed with twice concentration - 1 + n / 2.
  expect_equal(as_array(correlations$var(dim = 1)), 1 / (2 * c(0.5, 3) + 3), tolerance = 0.05)
})
