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

test_that("distribution functions hold in the tails, as R's do", {
  skip_if_no_torch()
  d <- function(x) torch_tensor(x, dtype = "double")
  one <- d(1)
  zero <- d(0)
  cases <- list(
    list(distr_normal(zero, one), x <- c(-35, -20, -10, -5, -1, 0, 1, 5, 8), pnorm(x)),
    list(distr_log_normal(zero, one), x <- exp(c(-30, -10, -5, 0, 3, 8)), plnorm(x)),
    list(distr_half_normal(one), x <- c(1e-20, 1e-8, 0.1, 1, 3, 6), pchisq(x^2, 1)),
    list(distr_laplace(zero, one), x <- c(-700, -100, -40, -5, -1e-10, 0, 1, 20), ifelse(x < 0, exp(x) / 2, 1 - exp(-x) / 2)),
    list(distr_cauchy(zero, one), x <- c(-1e15, -1e8, -100, -1, 0, 1, 100, 1e10), pcauchy(x)),
    list(distr_half_cauchy(one), x <- c(1e-20, 1e-8, 1, 100, 1e10), 2 / pi * atan(x)),
    list(distr_exponential(one), x <- c(1e-20, 1e-5, 1, 30), pexp(x)),
    list(distr_beta(d(2), d(3)), x <- c(1e-10, 1e-3, 0.5, 0.9, 1 - 1e-6), pbeta(x, 2, 3)),
    list(distr_beta(d(200), d(3)), x <- c(0.1, 0.3, 0.5, 0.9), pbeta(x, 200, 3)),
    list(distr_fisher_snedecor(d(3), d(7)), x <- c(1e-10, 1e-3, 1, 10, 50), pf(x, 3, 7)),
    list(distr_fisher_snedecor(d(3), d(1e10)), x <- c(1e-10, 1e-3, 1, 10), pf(x, 3, 1e10)),
    list(distr_gumbel(zero, one), x <- c(-5, -3, 0, 3, 30), exp(-exp(-x))), list(distr_weibull(one, d(2)), x <- c(1e-10, 1e-3, 1, 5), pweibull(x, 2)),
    list(distr_pareto(one, d(2)), x <- c(1 + 1e-12, 1 + 1e-5, 2, 100), -expm1(-2 * log1p(x - 1))),
    list(distr_kumaraswamy(d(2), d(3)), x <- c(1e-12, 1e-5, 0.1, 0.5, 0.99), -expm1(3 * log1p(-x^2))),
    list(distr_inverse_gamma(d(3), one), x <- c(0.01, 0.05, 1, 10, 1e3), pgamma(1 / x, 3, lower.tail = FALSE))
  )
  for (df in c(0.5, 1, 3, 30, 1e5, 1e6, 1e10)) {
    x <- c(-40, -10, -5, -1, -1e-3, 0, 1, 5)
    cases <- c(cases, list(list(distr_student_t(d(df)), x, pt(x, df))))
  }
  for (a in c(0.1, 1, 5, 100)) {
    x <- c(1e-10, 1e-3, 0.1, 1, 10, 50, 200)
    cases <- c(cases, list(list(distr_gamma(d(a), one), x, pgamma(x, a))))
  }
  for (case in cases) {
    value <- d(case[[2]])$requires_grad_(TRUE)
    got <- case[[1]]$cdf(value)
    cdf <- as_array(got$detach())
    expect_true(all(abs(cdf - case[[3]]) <= 1e-11 * case[[3]]), label = class(case[[1]])[1])
    # Its derivative is the density, in the lower tail too.
    got$sum()$backward()
    density <- exp(as_array(case[[1]]$log_prob(value)$detach()))
    inner <- density > 0 & case[[2]] != 0 & cdf < 0.999
    expect_lt(max(abs(as_array(value$grad)[inner] / density[inner] - 1)), 1e-6, label = paste(class(case[[1]])[1], "density"))
  }
  # And quantiles of small probabilities.
  p <- c(1e-300, 1e-20, 1e-5, 0.2, 0.5, 0.8, 1 - 1e-10)
  expect_equal(as_array(distr_cauchy(zero, one)$icdf(d(p))), qcauchy(p), tolerance = 1e-9)
  expect_equal(as_array(distr_laplace(zero, one)$icdf(d(p))), ifelse(p < 0.5, log(2 * p), -log(2 - 2 * p)), tolerance = 1e-9)
  expect_equal(as_array(distr_half_cauchy(one)$icdf(d(p[2:6]))) / tan(pi * p[2:6] / 2), rep(1, 5), tolerance = 1e-9)
  expect_equal(as_array(distr_half_normal(one)$icdf(d(p[2:6]))) / sqrt(qchisq(p[2:6], 1)), rep(1, 5), tolerance = 1e-9)
})

test_that("a log density of very many degrees of freedom is R's", {
  skip_if_no_torch()
  for (df in c(50, 250, 1e4, 1e10)) {
    x <- c(-20, -1, 0, 3)
    expect_equal(as_array(distr_student_t(torch_tensor(df, dtype = "double"))$log_prob(torch_tensor(x, dtype = "double"))), dt(x, df, log = TRUE), tolerance = 1e-12)
  }
})
