test_that("initialisation fills in place", {
  skip_if_no_torch()
  torch_manual_seed(11)
  w <- torch_empty(400, 100)
  values <- function() as_array(w)
  expect_identical(nn_init_constant_(w, 3), w)
  expect_true(all(values() == 3))
  nn_init_zeros_(w)
  expect_true(all(values() == 0))
  nn_init_ones_(w)
  expect_true(all(values() == 1))
  nn_init_normal_(w, 1, 2)
  expect_equal(c(mean(values()), sd(values())), c(1, 2), tolerance = 0.02)
  nn_init_uniform_(w, -1, 3)
  expect_equal(range(values()), c(-1, 3), tolerance = 0.01)
  nn_init_xavier_uniform_(w)
  expect_equal(sd(values()), sqrt(2 / 500), tolerance = 0.02)
  nn_init_xavier_normal_(w, gain = 2)
  expect_equal(sd(values()), 2 * sqrt(2 / 500), tolerance = 0.02)
  nn_init_kaiming_uniform_(w, nonlinearity = "relu")
  expect_equal(sd(values()), sqrt(2 / 100), tolerance = 0.02)
  nn_init_kaiming_normal_(w, mode = "fan_out", nonlinearity = "relu")
  expect_equal(sd(values()), sqrt(2 / 400), tolerance = 0.02)
  nn_init_trunc_normal_(w, a = -1, b = 2)
  expect_true(min(values()) >= -1 && max(values()) <= 2)
  expect_equal(mean(values()), (dnorm(-1) - dnorm(2)) / (pnorm(2) - pnorm(-1)), tolerance = 0.05)
  for (shape in list(c(3, 5), c(5, 3))) {
    q <- as_array(nn_init_orthogonal_(torch_empty(shape), gain = 2))
    product <- if (shape[[1]] < 4) q %*% t(q) else t(q) %*% q
    expect_equal(product, 4 * diag(3), tolerance = 1e-5)
  }
  expect_identical(as_array(nn_init_eye_(torch_empty(2, 3))), cbind(diag(2), 0))
  expect_identical(nn_init_calculate_gain("leaky_relu", 1), 1)
  parameter <- nn_parameter(torch_empty(2, 2))
  expect_true(nn_init_ones_(parameter)$requires_grad)
  expect_null(parameter$grad_fn)
})

test_that("wrong initialisation is told", {
  skip_if_no_torch()
  expect_error(nn_init_dirac_(torch_empty(2, 2)), class = "not_implemented_error")
  expect_error(nn_init_sparse_(torch_empty(2, 2), 0.1), class = "not_implemented_error")
  expect_snapshot(error = TRUE, {
    nn_init_xavier_normal_(torch_empty(3))
    nn_init_eye_(torch_empty(3))
    nn_init_kaiming_normal_(torch_empty(3, 3), mode = "fan")
    nn_init_calculate_gain("cube")
  })
})

test_that("what is no tensor can't be filled", {
  skip_if_no_torch()
  fillers <- list(
    nn_init_uniform_, nn_init_normal_, nn_init_trunc_normal_, nn_init_zeros_, nn_init_ones_, nn_init_eye_, nn_init_orthogonal_,
    nn_init_xavier_uniform_, nn_init_xavier_normal_, nn_init_kaiming_uniform_, nn_init_kaiming_normal_
  )
  for (fill in fillers) expect_error(fill(1), "`tensor` must be a tensor, not the number 1", class = "type_error")
})
