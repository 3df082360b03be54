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
  expect_snapshot(error = TRUE, {
    nn_init_xavier_normal_(torch_empty(3))
    nn_init_eye_(torch_empty(3))
    nn_init_kaiming_normal_(torch_empty(3, 3), mode = "fan")
    nn_init_calculate_gain("cube")
    nn_init_dirac_(torch_empty(2, 2))
    nn_init_dirac_(torch_empty(3, 2, 1), groups = 2)
    nn_init_sparse_(torch_empty(2, 2, 2), 0.1)
    nn_init_sparse_(torch_empty(2, 2), 2)
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

test_that("identities of convolutions and sparse matrices are PyTorch's", {
  skip_if_no_torch()
  shapes <- list(c(4, 3, 3), c(2, 4, 4, 5), c(6, 2, 1, 2, 3), c(6, 1, 3))
  groups <- c(1, 2, 3, 2)
  theirs <- python_eval("
import torch
result = []
for shape, g in zip(shapes, groups): result.append(torch.nn.init.dirac_(torch.empty(*shape), int(g)).flatten().tolist())
torch.manual_seed(5)
result.append(torch.nn.init.sparse_(torch.empty(7, 3), 0.3, 2.).flatten().tolist())
", shapes = shapes, groups = groups)
  flat <- function(x) as.numeric(x$flatten())
  for (i in seq_along(shapes)) expect_identical(flat(nn_init_dirac_(torch_empty(shapes[[i]]), groups[i])), as.numeric(theirs[[i]]))
  torch_manual_seed(5)
  expect_equal(flat(nn_init_sparse_(torch_empty(7, 3), 0.3, 2)), as.numeric(theirs[[5]]), tolerance = 1e-6)
  conv <- nn_conv1d(2, 2, 3, padding = 1, bias = FALSE)
  nn_init_dirac_(conv$weight)
  x <- torch_randn(1, 2, 5)
  expect_equal(as_array(conv(x)), as_array(x))
})
