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

test_that("far tails are those of R", {
  skip_if_no_torch()
  double <- function(x) torch_tensor(x, dtype = torch_double())
  p <- c(1e-200, 1e-20, 1e-5, 0.01, 0.3, 0.7, 0.99)
  quantiles <- list(
    list(distr_student_t(double(0.1)), qt(p, 0.1)), list(distr_student_t(double(3), 1, 2), 1 + 2 * qt(p, 3)),
    list(distr_gamma(double(0.05), 2), qgamma(p, 0.05, 2)), list(distr_chi2(double(0.1)), qchisq(p, 0.1)),
    list(distr_beta(double(0.05), 0.5), qbeta(p, 0.05, 0.5)), list(distr_beta(double(2), 3), qbeta(p, 2, 3))
  )
  for (one in quantiles) {
    ours <- as_array(one[[1]]$icdf(double(p)))
    expect_equal(is.finite(ours), is.finite(one[[2]]))
    known <- is.finite(ours) & abs(one[[2]]) > 1e-300
    expect_equal(ours[known] / one[[2]][known], rep(1, sum(known)), tolerance = 1e-7, info = class(one[[1]])[1])
    expect_false(is.unsorted(c(as.numeric(one[[1]]$icdf(double(0))), ours)))
    # There and back.
    some <- is.finite(ours) & abs(ours) > 1e-290
    expect_equal(as_array(one[[1]]$cdf(double(ours[some]))), p[some], tolerance = 1e-7)
  }
  # R's own qf() has three digits there, and is 0 early.
  for (df in list(c(0.5, 0.1), c(3, 0.1), c(3, 5))) {
    ours <- as_array(distr_fisher_snedecor(double(df[1]), df[2])$icdf(double(p)))
    expect_equal(pf(ours[ours > 0], df[1], df[2]) / p[ours > 0], rep(1, sum(ours > 0)), tolerance = 1e-7)
  }
  # Densities and distribution functions where the square of a value is beyond all numbers.
  z <- c(1e-3, 0.5, 1, 2, 1e5, 1e20, 1e160, 1e300)
  t <- distr_student_t(double(0.1))
  expect_equal(as_array(t$log_prob(double(-z))), dt(-z, 0.1, log = TRUE), tolerance = 1e-12)
  expect_equal(as_array(t$cdf(double(-z))), pt(-z, 0.1), tolerance = 1e-12)
  expect_equal(as_array(distr_cauchy(double(0), 2)$log_prob(double(z))), -log(pi * 2) - 2 * log(pmax(z / 2, 1)) - log1p(pmin(z / 2, 2 / z)^2), tolerance = 1e-12)
  expect_equal(as_array(distr_half_cauchy(1)$log_prob(1e30)), log(2 / pi) - 60 * log(10), tolerance = 1e-6)
  # First and second derivatives, at 0 too.
  x <- torch_tensor(c(-3, 0, 0.5, 1, 4), dtype = torch_double(), requires_grad = TRUE)
  first <- autograd_grad(sum(distr_cauchy(double(0), 1)$log_prob(x)), x, create_graph = TRUE)[[1]]
  second <- autograd_grad(sum(first), x)[[1]]
  v <- as_array(x$detach())
  expect_equal(as_array(first$detach()), -2 * v / (1 + v^2))
  expect_equal(as_array(second), -2 * (1 - v^2) / (1 + v^2)^2)
})

test_that("distribution functions are known at 0, where an open support ends", {
  skip_if_no_torch()
  distributions <- list(
    distr_fisher_snedecor(1, 2), distr_fisher_snedecor(3, 2), distr_weibull(1, 2), distr_log_normal(0, 1), distr_inverse_gamma(1, 2),
    distr_gamma(1, 2)
  )
  theirs <- c(pf(0, 1, 2), pf(0, 3, 2), pweibull(0, 2), plnorm(0), 0, pgamma(0, 1, 2))
  expect_identical(vapply(distributions, function(d) as.numeric(d$cdf(0)), 0), theirs)
  for (d in distributions[1:5]) {
    expect_error(d$cdf(-1), "must be in the support", class = "value_error")
    expect_error(d$log_prob(0), "must be in the support", class = "value_error")
  }
  big <- distr_fisher_snedecor(2, 3)$cdf(c(1e30, 1e38, Inf))
  expect_equal(as_array(big), pf(c(1e30, 1e38, Inf), 2, 3))
})
