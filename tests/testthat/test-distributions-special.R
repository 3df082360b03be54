test_that("the incomplete beta function is R's, in both tails and for large parameters", {
  skip_if_no_torch()
  double <- function(x) torch_tensor(x, dtype = "double")
  grid <- expand.grid(a = c(0.1, 1, 5, 300), b = c(0.2, 1, 20, 500), x = c(0, 1e-8, 0.01, 0.3, 0.5, 0.97, 1))
  here <- as_array(incomplete_beta(double(grid$a), double(grid$b), double(grid$x)))
  there <- pbeta(grid$x, grid$a, grid$b)
  expect_lt(max(abs(here - there) / (there + 1e-300)), 1e-9)
})

test_that("distribution functions have the density as their derivative", {
  skip_if_no_torch()
  x <- torch_tensor(c(0.2, 0.7), dtype = "double", requires_grad = TRUE)
  for (d in list(distr_beta(2, 3), distr_student_t(3.5), distr_fisher_snedecor(3, 7), distr_gamma(2, 3))) {
    slope <- autograd_grad(d$cdf(x)$sum(), x)[[1]]
    expect_equal(as_array(slope), as_array(exp(d$log_prob(x))$detach()), tolerance = 1e-5, info = format(d))
  }
})

test_that("a quantile's gradients are those of its definition", {
  skip_if_no_torch()
  a <- torch_tensor(2, dtype = "double", requires_grad = TRUE)
  p <- torch_tensor(0.3, dtype = "double", requires_grad = TRUE)
  q <- distr_beta(a, 3)$icdf(p)
  slopes <- lapply(autograd_grad(q, list(a, p)), as.numeric)
  h <- 1e-5
  expect_equal(slopes[[1]], (qbeta(0.3, 2 + h, 3) - qbeta(0.3, 2 - h, 3)) / (2 * h), tolerance = 1e-6)
  expect_equal(slopes[[2]], 1 / dbeta(qbeta(0.3, 2, 3), 2, 3), tolerance = 1e-6)
})

test_that("quantiles go to the ends, and far into tails", {
  skip_if_no_torch()
  p <- torch_tensor(c(1e-10, 1e-3, 0.5, 1 - 1e-6), dtype = "double")
  gamma <- distr_gamma(torch_tensor(0.5, dtype = "double"), 2)
  expect_equal(as_array(gamma$icdf(p)), qgamma(as_array(p), 0.5, 2), tolerance = 1e-6)
  student <- distr_student_t(torch_tensor(2.5, dtype = "double"))
  expect_equal(as_array(student$icdf(p)), qt(as_array(p), 2.5), tolerance = 1e-6)
  expect_equal(as_array(distr_beta(2, 3)$icdf(c(0, 1))), c(0, 1))
  expect_equal(as_array(distr_gamma(2, 3)$icdf(c(0, 1))), c(0, Inf))
  expect_equal(as_array(distr_student_t(3)$icdf(c(0, 1))), c(-Inf, Inf))
  expect_equal(as_array(distr_gamma(2, 3)$icdf(0.5)), qgamma(0.5, 2, 3), tolerance = 1e-6)
})

test_that("distribution functions of counts are steps", {
  skip_if_no_torch()
  x <- c(0, 3, 5)
  expect_equal(as_array(distr_binomial(5, 0.3)$cdf(x)), pbinom(x, 5, 0.3), tolerance = 1e-6)
  unchecked <- distr_binomial(5, 0.3, validate_args = FALSE)
  expect_equal(as_array(unchecked$cdf(c(-1, 2.5, 7))), pbinom(c(-1, 2.5, 7), 5, 0.3), tolerance = 1e-6)
  expect_equal(as_array(distr_negative_binomial(2.5, 0.3)$cdf(x)), pnbinom(x, 2.5, 0.7), tolerance = 1e-6)
})

test_that("distribution functions can be traced", {
  skip_if_no_torch()
  f <- jit_trace(function(a, x) distr_beta(a, 2)$cdf(x), torch_tensor(c(1, 1)), torch_tensor(c(0.5, 0.5)))
  here <- f(torch_tensor(c(40, 3)), torch_tensor(c(0.9, 0.2)))
  expect_equal(as_array(here), pbeta(c(0.9, 0.2), c(40, 3), 2), tolerance = 1e-5)
})

test_that("the gradient of a beta distribution function is the density, at the ends too", {
  skip_if_no_torch()
  x <- torch_tensor(rep(c(0, 1), each = 3), dtype = "double", requires_grad = TRUE)
  a <- c(1, 2, 0.5)
  distr_beta(torch_tensor(c(a, 3, 3, 3), dtype = "double"), torch_tensor(c(3, 3, 3, a), dtype = "double"))$cdf(x)$sum()$backward()
  expect_equal(as.numeric(x$grad), dbeta(rep(c(0, 1), each = 3), c(a, 3, 3, 3), c(3, 3, 3, a)))
})
