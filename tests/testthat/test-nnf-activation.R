test_that("activations agree with their formulas", {
  skip_if_no_torch()
  values <- c(-7, -2, -0.4, 0, 0.3, 1, 6.5)
  x <- torch_tensor(values, dtype = "double")
  logistic <- 1 / (1 + exp(-values))
  expected <- list(
    nnf_relu = pmax(values, 0),
    nnf_relu6 = pmin(pmax(values, 0), 6),
    nnf_leaky_relu = ifelse(values > 0, values, 0.01 * values),
    nnf_rrelu = ifelse(values > 0, values, (1 / 8 + 1 / 3) / 2 * values),
    nnf_elu = ifelse(values > 0, values, exp(values) - 1),
    nnf_celu = ifelse(values > 0, values, exp(values) - 1),
    nnf_selu = 1.0507009873554805 * ifelse(values > 0, values, 1.6732632423543772 * (exp(values) - 1)),
    nnf_gelu = values * pnorm(values),
    nnf_silu = values * logistic,
    nnf_hardtanh = pmin(pmax(values, -1), 1),
    nnf_hardsigmoid = pmin(pmax(values + 3, 0), 6) / 6,
    nnf_hardswish = values * pmin(pmax(values + 3, 0), 6) / 6,
    nnf_sigmoid = logistic,
    nnf_logsigmoid = log(logistic),
    nnf_softplus = log1p(exp(values)),
    nnf_softsign = values / (1 + abs(values)),
    nnf_tanhshrink = values - tanh(values),
    nnf_softshrink = sign(values) * pmax(abs(values) - 0.5, 0),
    nnf_hardshrink = ifelse(abs(values) > 0.5, values, 0)
  )
  for (name in names(expected)) {
    expect_equal(as_array(get(name)(x)), expected[[name]], tolerance = 1e-7, info = name)
  }
  expect_equal(as_array(nnf_threshold(x, 0.5, -1)), ifelse(values > 0.5, values, -1))
  expect_equal(as_array(nnf_prelu(x, torch_tensor(0.1, dtype = "double"))), ifelse(values > 0, values, 0.1 * values))
  expect_equal(as_array(nnf_glu(x[1:6])), values[1:3] * logistic[4:6])
})

test_that("inplace changes the argument and only then", {
  skip_if_no_torch()
  for (fn in c(
    "nnf_relu", "nnf_relu6", "nnf_elu", "nnf_celu", "nnf_selu", "nnf_leaky_relu", "nnf_hardtanh", "nnf_silu",
    "nnf_hardswish", "nnf_hardsigmoid", "nnf_rrelu"
  )) {
    x <- torch_tensor(c(-2, 3))
    y <- get(fn)(x)
    expect_identical(as_array(x), c(-2, 3), info = fn)
    expect_identical(get(fn)(x, inplace = TRUE), x, info = fn)
    expect_equal(as_array(x), as_array(y), info = fn)
  }
  x <- torch_tensor(c(-2, 3))
  for (fn in list(nnf_relu_, nnf_elu_, nnf_celu_, nnf_selu_, nnf_hardtanh_, nnf_rrelu_)) {
    expect_identical(fn(x), x)
  }
  expect_identical(as_array(nnf_threshold_(x, 5, 0)), c(0, 0))
})

test_that("the softmax family counts dims from 1", {
  skip_if_no_torch()
  m <- matrix(c(1, 2, 3, 4, 5, 7), 2)
  x <- torch_tensor(m, dtype = "double")
  columns <- sweep(exp(m), 2, colSums(exp(m)), "/")
  rows <- sweep(exp(m), 1, rowSums(exp(m)), "/")
  expect_equal(as_array(nnf_softmax(x, 1)), columns)
  expect_equal(as_array(nnf_softmax(x, -1)), rows)
  expect_equal(as_array(nnf_log_softmax(x)), log(rows))
  expect_equal(as_array(nnf_softmin(-x, 1)), columns)
  expect_true(nnf_softmax(x, 1, dtype = torch_float())$dtype == torch_float())
  torch_manual_seed(1)
  hard <- as_array(nnf_gumbel_softmax(x, hard = TRUE))
  expect_equal(rowSums(hard), c(1, 1))
  expect_equal(apply(hard, 1, max), c(1, 1))
})

test_that("sparsemax is the nearest point of the simplex", {
  skip_if_no_torch()
  withr::local_seed(3)
  x <- matrix(rnorm(20), 4)
  # The shift is found by bisection.
  nearest <- function(z) pmax(z - uniroot(function(shift) sum(pmax(z - shift, 0)) - 1, range(z) + c(-1, 0), tol = 1e-12)$root, 0)
  y <- torch_tensor(x, dtype = "double", requires_grad = TRUE)
  out <- nnf_contrib_sparsemax(y, dim = 2)
  expect_equal(as_array(out$detach()), t(apply(x, 1, nearest)), tolerance = 1e-8)
  expect_equal(as_array(nnf_contrib_sparsemax(torch_tensor(t(x), dtype = "double"), dim = 1)), apply(x, 1, nearest), tolerance = 1e-8)
  # The gradient of a row is what it is less its mean over the positive elements.
  weights <- matrix(rnorm(20), 4)
  sum(out * torch_tensor(weights, dtype = "double"))$backward()
  expected <- t(vapply(1:4, function(i) {
    positive <- as_array(out$detach())[i, ] > 0
    ifelse(positive, weights[i, ] - mean(weights[i, positive]), 0)
  }, numeric(5)))
  expect_equal(as_array(y$grad), expected, tolerance = 1e-8)
})
