test_that("values at the edge of a support are what R says", {
  skip_if_no_torch()
  log_density <- function(d, x) as_array(d$log_prob(torch_tensor(x, dtype = "double")))
  expect_equal(log_density(distr_gamma(torch_tensor(1, dtype = "double"), 2), 0), dgamma(0, 1, 2, log = TRUE))
  expect_equal(log_density(distr_beta(torch_tensor(1, dtype = "double"), 2), c(0, 1)), dbeta(c(0, 1), 1, 2, log = TRUE))
  expect_equal(log_density(distr_exponential(torch_tensor(2, dtype = "double")), 0), log(2))
  expect_equal(log_density(distr_uniform(torch_tensor(0, dtype = "double"), 2), c(0, 1, 2)), c(-log(2), -log(2), -Inf))
  expect_equal(log_density(distr_half_normal(torch_tensor(2, dtype = "double")), 0), log(2) + dnorm(0, 0, 2, log = TRUE))
})

test_that("tails of the normal distribution keep their digits", {
  skip_if_no_torch()
  d <- distr_normal(torch_tensor(0, dtype = "double"), 1)
  expect_equal(as_array(d$cdf(c(-20, -10, 10))), pnorm(c(-20, -10, 10)), tolerance = 1e-10)
  expect_equal(as_array(d$icdf(c(1e-20, 1e-8, 0.3))), qnorm(c(1e-20, 1e-8, 0.3)), tolerance = 1e-7)
})

test_that("a mode is where the density is highest", {
  skip_if_no_torch()
  grid <- torch_linspace(0.001, 0.999, 999, dtype = "double")
  for (d in list(distr_kumaraswamy(2, 3), distr_beta(2, 4), distr_weibull(0.5, 3), distr_fisher_snedecor(5, 9))) {
    highest <- grid[torch_argmax(d$log_prob(grid))]
    expect_equal(as.numeric(d$mode), as.numeric(highest), tolerance = 2e-3, info = format(d))
  }
  expect_equal(as_array(distr_weibull(1, c(0.5, 1))$mode), c(0, 0))
  expect_equal(as_array(distr_beta(c(0.5, 2, 0.5), c(2, 0.5, 0.5))$mode), c(0, 1, NaN))
})

test_that("an entropy is the mean of -log density", {
  skip_if_no_torch()
  torch_manual_seed(3)
  families <- list(
    distr_kumaraswamy(2, 3), distr_student_t(4), distr_weibull(2, 1.5), distr_pareto(1, 3), distr_gumbel(1, 2),
    distr_generalized_pareto(0, 1, 0.2), distr_inverse_gamma(3, 2), distr_continuous_bernoulli(0.2), distr_log_normal(0, 1)
  )
  for (d in families) {
    minus_log <- -d$log_prob(d$sample(5e4))
    error <- (as.numeric(minus_log$mean()) - as.numeric(d$entropy())) / (as.numeric(minus_log$std()) / sqrt(5e4))
    expect_lt(abs(error), 5, label = format(d))
  }
})

test_that("the continuous Bernoulli is smooth where its formulas change", {
  skip_if_no_torch()
  p <- torch_tensor(seq(0.495, 0.505, length.out = 101), dtype = "double")
  d <- distr_continuous_bernoulli(p)
  for (x in list(d$mean, d$variance, d$log_prob(0.3), d$icdf(0.3), d$cdf(0.3))) {
    expect_lt(max(abs(diff(diff(as_array(x))))), 1e-6)
  }
})
