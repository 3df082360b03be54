test_that("the continuous Bernoulli is smooth where its formulas change", {
  skip_if_no_torch()
  p <- torch_tensor(seq(0.495, 0.505, length.out = 101), dtype = "double")
  d <- distr_continuous_bernoulli(p)
  for (x in list(d$mean, d$variance, d$log_prob(0.3), d$icdf(0.3), d$cdf(0.3))) {
    expect_lt(max(abs(diff(diff(as_array(x))))), 1e-6)
  }
})
