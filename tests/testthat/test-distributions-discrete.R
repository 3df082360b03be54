test_that("categorical outcomes count from 1", {
  skip_if_no_torch()
  d <- distr_categorical(c(0, 0, 5))
  expect_equal(as_array(d$sample(4)), rep(3, 4))
  expect_true(d$sample()$dtype == torch_long())
  expect_equal(as_array(d$log_prob(torch_tensor(3L))), 0, tolerance = 1e-6)
  expect_equal(as.numeric(d$mode), 3)
  expect_equal(as_array(d$enumerate_support()), 1:3)
  expect_error(d$log_prob(0), "from 1 to 3", class = "value_error")
  many <- distr_categorical(torch_ones(2, 3))
  expect_identical(many$enumerate_support()$shape, c(3L, 2L))
  expect_identical(many$enumerate_support(expand = FALSE)$shape, c(3L, 1L))
  expect_identical(many$log_prob(torch_ones(5, 1, dtype = "long"))$shape, c(5L, 2L))
})

test_that("probabilities and logits give each other", {
  skip_if_no_torch()
  expect_equal(as_array(distr_bernoulli(logits = 1)$probs), plogis(1), tolerance = 1e-6)
  expect_equal(as_array(distr_bernoulli(probs = 0.3)$logits), qlogis(0.3), tolerance = 1e-5)
  d <- distr_categorical(logits = c(1, 2, 3))
  expect_equal(as_array(d$probs), exp(1:3) / sum(exp(1:3)), tolerance = 1e-6)
  expect_equal(as_array(exp(d$logits)), as_array(d$probs), tolerance = 1e-6)
  expect_equal(as_array(distr_categorical(c(2, 6))$probs), c(0.25, 0.75))
})

test_that("sure events have probability 1", {
  skip_if_no_torch()
  expect_equal(as_array(exp(distr_bernoulli(c(0, 1))$log_prob(c(0, 1)))), c(1, 1), tolerance = 1e-5)
  expect_equal(as_array(exp(distr_geometric(1)$log_prob(0))), 1)
  expect_equal(as_array(exp(distr_poisson(0)$log_prob(0))), 1)
  expect_equal(as_array(exp(distr_negative_binomial(0, probs = 0.3)$log_prob(0))), 1, tolerance = 1e-6)
  expect_equal(as_array(distr_multinomial(2, logits = c(0, -Inf))$log_prob(c(2, 0))), 0, tolerance = 1e-6)
})

test_that("probabilities of all values sum to 1", {
  skip_if_no_torch()
  for (d in list(distr_bernoulli(0.3), distr_binomial(7, 0.3), distr_categorical(c(1, 2, 3)))) {
    expect_equal(as.numeric(exp(d$log_prob(d$enumerate_support()))$sum()), 1, tolerance = 1e-5, info = format(d))
  }
  one_hot <- distr_one_hot_categorical(c(1, 2, 3))
  expect_equal(as_array(exp(one_hot$log_prob(one_hot$enumerate_support()))), 1:3 / 6, tolerance = 1e-6)
})

test_that("draws of the straight-through distribution are ones, with gradients", {
  skip_if_no_torch()
  logits <- torch_zeros(3, requires_grad = TRUE)
  draw <- distr_one_hot_categorical_straight_through(logits = logits)$rsample(4)
  expect_equal(as_array(draw$sum(dim = 2)$detach()), rep(1, 4), tolerance = 1e-6)
  (draw * torch_tensor(c(1, 2, 3)))$sum()$backward()
  expect_equal(as_array(logits$grad), c(-1, 0, 1) * 4 / 3, tolerance = 1e-5)
})

test_that("relaxed draws come close to discrete ones", {
  skip_if_no_torch()
  torch_manual_seed(1)
  x <- distr_relaxed_bernoulli(0.01, probs = 0.3)$sample(1e4)
  expect_equal(mean(as_array(x) > 0.5), 0.3, tolerance = 0.05)
  y <- distr_relaxed_one_hot_categorical(0.01, probs = c(0.2, 0.8))$sample(1e4)
  expect_equal(mean(as_array(y[, 2]) > 0.5), 0.8, tolerance = 0.05)
})

test_that("what is sure or impossible has the log probability of R's functions, and no NaN in gradients", {
  skip_if_no_torch()
  d <- function(x) torch_tensor(x, dtype = "double")
  expect_equal(as_array(distr_bernoulli(d(c(0, 1, 0, 1)))$log_prob(d(c(0, 1, 1, 0)))), dbinom(c(0, 1, 1, 0), 1, c(0, 1, 0, 1), log = TRUE))
  expect_equal(as_array(distr_bernoulli(d(c(0, 1)))$entropy()), c(0, 0))
  x <- c(0, 5, 1, 4)
  expect_equal(as_array(distr_binomial(d(5), d(c(0, 1, 0, 1)))$log_prob(d(x))), dbinom(x, 5, c(0, 1, 0, 1), log = TRUE))
  expect_equal(as_array(distr_binomial(d(5), d(c(0, 1)))$entropy()), c(0, 0))
  expect_equal(as_array(distr_geometric(d(1))$log_prob(d(c(0, 2)))), dgeom(c(0, 2), 1, log = TRUE))
  expect_equal(as_array(distr_negative_binomial(d(3), d(0))$log_prob(d(c(0, 1)))), dnbinom(c(0, 1), 3, 1, log = TRUE))
  expect_equal(as_array(distr_poisson(d(0))$log_prob(d(c(0, 1)))), dpois(c(0, 1), 0, log = TRUE))
  expect_equal(as_array(distr_categorical(d(c(0, 1)))$log_prob(torch_tensor(1:2))), c(-Inf, 0))
  expect_equal(as_array(distr_one_hot_categorical(d(c(0, 1)))$log_prob(d(rbind(0:1, 1:0)))), c(0, -Inf))
  expect_equal(as_array(distr_multinomial(5, d(c(0, 1)))$log_prob(d(rbind(c(0, 5), c(1, 4))))), c(0, -Inf))
  expect_equal(as_array(distr_categorical(d(c(0, 0.5, 0.5)))$entropy()), log(2))
  # By logits nothing is sure.
  expect_true(is.finite(as_array(distr_bernoulli(logits = torch_tensor(30))$log_prob(0))))
  gradient <- function(make, probs, value) {
    probs <- d(probs)$requires_grad_(TRUE)
    make(probs)$log_prob(value)$sum()$backward()
    as_array(probs$grad)
  }
  expect_equal(gradient(distr_bernoulli, c(0, 1, 0.5), d(c(0, 1, 1))), c(0, 0, 2))
  expect_equal(gradient(distr_categorical, c(0, 0.25, 0.75), torch_tensor(2L)), c(-1, 3, -1))
  expect_equal(as_array(kl_divergence(distr_categorical(d(c(0, 1))), distr_categorical(d(c(0.5, 0.5))))), log(2))
  expect_equal(as_array(kl_divergence(distr_categorical(d(c(0.5, 0.5))), distr_categorical(d(c(0, 1))))), Inf)
  expect_equal(as_array(kl_divergence(distr_categorical(d(c(0, 1))), distr_categorical(d(c(0, 1))))), 0)
  expect_equal(as_array(kl_divergence(distr_bernoulli(d(c(0, 1, 0))), distr_bernoulli(d(c(0.5, 0.5, 1))))), c(log(2), log(2), Inf))
})

test_that("the entropy of a Poisson distribution is the sum that defines it, with its gradient", {
  skip_if_no_torch()
  rates <- c(0, 1e-10, 0.01, 1, 5, 50, 499, 501, 1e4)
  sums <- vapply(rates, function(rate) {
    k <- 0:ceiling(rate + 40 * sqrt(rate) + 50)
    p <- dpois(k, rate)
    -sum(ifelse(p > 0, p * dpois(k, rate, log = TRUE), 0))
  }, 0)
  rate <- torch_tensor(rates, dtype = "double", requires_grad = TRUE)
  entropy <- distr_poisson(rate)$entropy()
  expect_equal(as_array(entropy$detach()), sums, tolerance = 1e-12)
  entropy$sum()$backward()
  # Of large rates it is about half of the logarithm.
  expect_equal(as_array(rate$grad)[9], 0.5 / 1e4, tolerance = 1e-3)
  step <- 1e-5
  differences <- (as_array(distr_poisson(rate$detach() + step)$entropy()) - as_array(distr_poisson(rate$detach())$entropy())) / step
  expect_equal(as_array(rate$grad)[4:7], differences[4:7], tolerance = 1e-4)
  traced <- jit_trace(function(rate) distr_poisson(rate)$entropy(), torch_tensor(c(1, 2)))
  expect_equal(as_array(traced(torch_tensor(c(300, 2)))), as_array(distr_poisson(torch_tensor(c(300, 2)))$entropy()), tolerance = 1e-5)
})
