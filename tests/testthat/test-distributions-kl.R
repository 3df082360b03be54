test_that("divergences of all of PyTorch's pairs, and their gradients, are PyTorch's", {
  skip_if_older("2.13")
  found <- kl_differences(kl_cases())
  expect_gte(found$n, 88)
  expect_identical(found$different, NULL)
})

test_that("a divergence is the mean of the difference of log densities", {
  skip_if_no_torch()
  torch_manual_seed(5)
  pairs <- list(
    list(distr_uniform(-1, 2), distr_laplace(c(-2, 0, 0.5, 3), 0.7)),
    list(distr_wishart(c(4, 6), spd), distr_wishart(6, spd + diag(3))),
    list(distr_normal(0, 1), distr_laplace(1, 2)),
    list(distr_gumbel(0, 1), distr_normal(1, 2)),
    list(distr_log_normal(0, 1), distr_log_normal(0.5, 2)),
    list(distr_gamma(2, 3), distr_gumbel(0.2, 0.8))
  )
  for (pair in pairs) {
    draws <- pair[[1]]$sample(c(2e4, 1))
    difference <- pair[[1]]$log_prob(draws) - pair[[2]]$log_prob(draws)
    value <- kl_divergence(pair[[1]], pair[[2]])
    error <- (difference$mean(dim = 1) - value) / (difference$std(dim = 1) / sqrt(2e4) + 1e-6)
    expect_lt(as.numeric(torch_max(torch_abs(error))), 5, label = format(pair[[2]]))
    expect_true(as.logical(torch_all(value > 0)))
  }
})

test_that("what p draws and q does not is infinitely far", {
  skip_if_no_torch()
  expect_equal(as_array(kl_divergence(distr_normal(0, 1), distr_gamma(2, 1))), Inf)
  expect_equal(
    as_array(kl_divergence(distr_uniform(0, 1), distr_uniform(c(-1, 0, 0.5), c(2, 1, 2)))), c(log(3), 0, Inf),
    tolerance = 1e-6
  )
  expect_equal(as_array(kl_divergence(distr_bernoulli(c(0, 1, 1)), distr_bernoulli(c(0, 0, 1)))), c(0, Inf, 0))
  expect_equal(as_array(kl_divergence(distr_binomial(3, 0.5), distr_binomial(2, 0.5))), Inf)
})

test_that("a user's exponential family has an entropy and divergences, with gradients", {
  skip_if_no_torch()
  distr_mine <- distribution(
    "Mine", list(rate = constraint_positive),
    natural_params = function() list(-rate), log_normalizer = function(x) -torch_log(-x)
  )
  rate <- torch_tensor(c(2, 3), requires_grad = TRUE)
  d <- distr_mine(rate)
  expect_equal(as_array(d$entropy()), 1 - log(c(2, 3)), tolerance = 1e-6)
  known <- kl_divergence(distr_exponential(rate), distr_exponential(1))
  own <- kl_divergence(d, distr_mine(1))
  expect_equal(as_array(own), as_array(known), tolerance = 1e-6)
  expect_equal(
    as_array(autograd_grad(own$sum(), rate)[[1]]), as_array(autograd_grad(known$sum(), rate)[[1]]), tolerance = 1e-6
  )
  expect_false(kl_divergence(distr_mine(2), distr_mine(1))$requires_grad)
})

test_that("a pair can be registered, and holds for what inherits from its classes", {
  skip_if_no_torch()
  distr_a <- distribution("A", list(loc = constraint_real))
  distr_b <- distribution("B", list(loc = constraint_real), inherit = distr_a)
  expect_error(kl_divergence(distr_a(1), distr_a(2)), class = "not_implemented_error")
  register_kl(distr_a, distr_a, function(p, q) p$loc - q$loc)
  expect_equal(as_array(kl_divergence(distr_a(3), distr_a(2))), 1)
  expect_equal(as_array(kl_divergence(distr_b(3), distr_a(2))), 1)
  register_kl(distr_b, distr_a, function(p, q) p$loc + q$loc)
  expect_equal(as_array(kl_divergence(distr_b(3), distr_a(2))), 5)
})

test_that("errors say what does not fit", {
  skip_if_no_torch()
  expect_snapshot({
    show_error(kl_divergence(1, distr_normal(0, 1)))
    show_error(kl_divergence(distr_normal(0, 1), distr_dirichlet(c(1, 2))))
    show_error(kl_divergence(distr_normal(0, 1), distr_poisson(1)))
    show_error(kl_divergence(distr_binomial(1, 0.5), distr_binomial(2, 0.5)))
    show_error(kl_divergence(distr_gamma(1, 1), distr_laplace(1, 2)))
    show_error(register_kl(distr_normal, mean, identity))
    show_error(register_kl(distr_normal, distr_gamma, 1))
  })
})
