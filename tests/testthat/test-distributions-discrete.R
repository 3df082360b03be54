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

test_that("infinite logits are probabilities of 0 and 1, with the gradients of their limits", {
  skip_if_no_torch()
  ends <- c(-Inf, Inf)
  value <- matrix(c(0, 1, 3), 1)
  # What `f(distribution)` gives for both ends, and its gradient by the logits.
  at_ends <- function(make, f) {
    logits <- torch_tensor(matrix(ends), dtype = "double", requires_grad = TRUE)
    result <- f(make(logits))
    list(value = as_array(result), gradient = as.numeric(autograd_grad(result$sum(), logits)[[1]]))
  }
  cases <- list(
    list(
      function(l) distr_binomial(3, logits = l), function(p, x) dbinom(x, 3, p), function(p, x) pbinom(x, 3, p),
      function(p, x) x - 3 * p
    ),
    list(
      function(l) distr_geometric(logits = l), function(p, x) dgeom(x, p), function(p, x) ifelse(p == 0, 0, 1),
      function(p, x) 1 - (1 + x) * p
    ),
    list(
      function(l) distr_negative_binomial(3, logits = l), function(p, x) (p == 0) * (x == 0), function(p, x) 1 - p + 0 * x,
      function(p, x) x - (3 + x) * p
    )
  )
  p <- matrix(c(0, 1), 2, 3)
  x <- matrix(c(0, 1, 3), 2, 3, byrow = TRUE)
  tensor_value <- torch_tensor(value, dtype = "double")
  for (case in cases) {
    log_prob <- at_ends(case[[1]], function(d) d$log_prob(tensor_value))
    density <- suppressWarnings(case[[2]](p, x))
    # R has no geometric distribution with a probability of 0.
    density[is.nan(density)] <- 0
    expect_equal(exp(log_prob$value), density, ignore_attr = TRUE)
    expect_equal(log_prob$gradient, rowSums(case[[4]](p, x)))
    cdf <- at_ends(case[[1]], function(d) d$cdf(tensor_value))
    expect_equal(cdf$value, case[[3]](p, x), ignore_attr = TRUE)
    expect_equal(cdf$gradient, c(0, 0))
  }
  bernoulli <- function(l) distr_bernoulli(logits = l)
  log_prob <- at_ends(bernoulli, function(d) d$log_prob(tensor_value[, 1:2]))
  expect_equal(log_prob, list(value = rbind(c(0, -Inf), c(-Inf, 0)), gradient = c(1, -1)))
  for (make in list(bernoulli, cases[[1]][[1]])) {
    expect_equal(at_ends(make, function(d) d$entropy()), list(value = matrix(c(0, 0)), gradient = c(0, 0)))
    expect_equal(at_ends(make, function(d) d$variance), list(value = matrix(c(0, 0)), gradient = c(0, 0)))
  }
  geometric <- cases[[2]][[1]]
  expect_equal(at_ends(geometric, function(d) d$entropy()), list(value = matrix(c(Inf, 0)), gradient = c(-1, 0)))
  expect_equal(at_ends(geometric, function(d) d$mean), list(value = matrix(c(Inf, 0)), gradient = c(-Inf, 0)))
  expect_equal(as.numeric(distr_negative_binomial(3, logits = Inf)$sample()), Inf)
  relaxed <- function(l) distr_relaxed_bernoulli(0.5, logits = l)
  log_prob <- at_ends(relaxed, function(d) d$log_prob(torch_tensor(0.3, dtype = "double")))
  expect_equal(log_prob, list(value = matrix(c(-Inf, -Inf)), gradient = c(1, -1)))
  expect_equal(as.numeric(relaxed(torch_tensor(ends))$rsample()), c(0, 1), tolerance = 1e-6)
})

test_that("the entropy of a geometric distribution is right for rare and for sure successes", {
  skip_if_no_torch()
  logits <- c(-500, -40, -3, 0, 3, 40)
  # A sum over R's probabilities, and the limit 1 - logit of rare ones.
  p <- plogis(logits[3:5])
  sums <- vapply(p, function(p) -sum(dgeom(0:2000, p) * pmax(dgeom(0:2000, p, log = TRUE), -1e300)), 0)
  entropy <- distr_geometric(logits = torch_tensor(logits, dtype = "double"))$entropy()
  expect_equal(as.numeric(entropy), c(501, 41, sums, 41 * exp(-40)), tolerance = 1e-8)
})

test_that("an infinite logit of an outcome is a probability of 1, or shares it with its likes", {
  skip_if_no_torch()
  logits <- function(...) torch_tensor(c(...), dtype = "double", requires_grad = TRUE)
  sure <- logits(Inf, 0, 1)
  d <- distr_categorical(logits = sure)
  expect_equal(as.numeric(d$probs), c(1, 0, 0))
  expect_equal(as.numeric(d$log_prob(torch_tensor(1:3))), c(0, -Inf, -Inf))
  expect_equal(as.numeric(d$entropy()), 0)
  expect_equal(as.numeric(autograd_grad(d$entropy() + d$log_prob(1L), sure)[[1]]), c(0, 0, 0))
  expect_equal(as.numeric(distr_one_hot_categorical(logits = logits(Inf, Inf, 0))$probs), c(0.5, 0.5, 0))
  expect_equal(as.numeric(distr_multinomial(3, logits = sure)$sample()), c(3, 0, 0))
  expect_equal(as.numeric(distr_relaxed_one_hot_categorical(0.5, logits = logits(0, Inf, 0))$rsample()), c(0, 1, 0))
  impossible <- logits(-Inf, 0, 1)
  d <- distr_categorical(logits = impossible)
  expect_equal(as.numeric(autograd_grad(d$entropy(), impossible)[[1]]), c(0, 1, -1) * prod(plogis(c(-1, 1))))
  expect_error(distr_categorical(logits = c(-Inf, -Inf)), class = "value_error")
})

test_that("divergences of distributions with infinite logits are those of probabilities of 0 and 1", {
  skip_if_no_torch()
  ends <- expand.grid(p = c(-Inf, 0, Inf), q = c(-Inf, 0, Inf))
  for (make in list(distr_bernoulli, function(...) distr_binomial(3, ...))) {
    by_logits <- kl_divergence(make(logits = ends$p), make(logits = ends$q))
    by_probs <- kl_divergence(make(probs = plogis(ends$p)), make(probs = plogis(ends$q)))
    expect_equal(as.numeric(by_logits), as.numeric(by_probs), tolerance = 1e-6)
    expect_equal(is.finite(as.numeric(by_logits)), ends$q == 0 | ends$q == ends$p)
  }
  geometric <- function(logits) distr_geometric(logits = logits)
  expect_equal(as.numeric(kl_divergence(geometric(c(Inf, 0)), geometric(c(Inf, Inf)))), c(0, Inf))
  expect_equal(as.numeric(kl_divergence(distr_geometric(probs = 1), distr_geometric(probs = 0.5))), log(2), tolerance = 1e-6)
})

test_that("no failures to wait for are no successes, whatever the logits", {
  skip_if_no_torch()
  for (logits in c(-Inf, -50, 0, 50, Inf)) {
    d <- distr_negative_binomial(torch_zeros(2, dtype = "double"), logits = torch_full(2, logits, dtype = "double"))
    expect_equal(as_array(d$cdf(c(0, 3))), pnbinom(c(0, 3), 0, 0.5))
    expect_equal(as_array(d$log_prob(c(0, 3))), c(0, -Inf))
  }
  # No such draw is as small as 3 where each is a success.
  expect_equal(as_array(distr_negative_binomial(2, logits = Inf)$cdf(3)), 0)
  expect_equal(as_array(distr_negative_binomial(2, logits = -Inf)$cdf(3)), pnbinom(3, 2, 1))
})
