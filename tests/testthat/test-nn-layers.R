test_that("a linear layer is x W' + b with bounded initial values", {
  skip_if_no_torch()
  layer <- nn_linear(5, 3)
  x <- matrix(rnorm(10), 2)
  expected <- x %*% t(as_array(layer$weight)) + rep(as_array(layer$bias), each = 2)
  expect_equal(as_array(layer(torch_tensor(x))), expected, tolerance = 1e-6)
  expect_true(all(abs(as_array(layer$weight)) <= 1 / sqrt(5)))
  expect_named(nn_linear(5, 3, bias = FALSE)$parameters, "weight")
  expect_equal(nn_bilinear(2, 3, 4)(torch_ones(5, 2), torch_ones(5, 3))$shape, c(5, 4))
})

test_that("initial values are those of PyTorch for the same seed", {
  skip_if_no_torch()
  expected <- python_eval("
torch.manual_seed(7)
nn = torch.nn
modules = [nn.Linear(3, 2), nn.Conv2d(2, 3, 2), nn.Embedding(3, 2), nn.Bilinear(2, 2, 2)]
result = [p.detach().double().flatten().tolist() for m in modules for p in m.parameters()]
")
  torch_manual_seed(7)
  modules <- list(nn_linear(3, 2), nn_conv2d(2, 3, 2), nn_embedding(3, 2), nn_bilinear(2, 2, 2))
  parameters <- unlist(lapply(modules, function(m) unname(m$parameters)))
  got <- lapply(parameters, function(p) as_array(p$detach()$flatten()))
  expect_equal(got, expected, tolerance = 1e-6)
})

test_that("batch norm normalises, keeps running statistics and uses them", {
  skip_if_no_torch()
  m <- matrix(rnorm(20, 3, 2), 10)
  norm <- nn_batch_norm1d(2)
  y <- as_array(norm(torch_tensor(m)))
  biased <- function(v) mean((v - mean(v))^2)
  expect_equal(y, apply(m, 2, function(v) (v - mean(v)) / sqrt(biased(v) + 1e-5)), tolerance = 1e-4)
  expect_equal(as_array(norm$running_mean), 0.1 * colMeans(m), tolerance = 1e-5)
  expect_equal(as_array(norm$running_var), 0.9 + 0.1 * apply(m, 2, var), tolerance = 1e-5)
  expect_identical(as_array(norm$num_batches_tracked), 1L)
  norm$eval()
  expected <- sweep(sweep(m, 2, 0.1 * colMeans(m)), 2, sqrt(0.9 + 0.1 * apply(m, 2, var) + 1e-5), "/")
  expect_equal(as_array(norm(torch_tensor(m))), expected, tolerance = 1e-4)
  expect_identical(as_array(norm$num_batches_tracked), 1L)

  average <- nn_batch_norm1d(2, momentum = NULL)
  for (i in 1:2) average(torch_tensor(i * m))
  expect_equal(as_array(average$running_mean), 1.5 * colMeans(m), tolerance = 1e-5)
  plain <- nn_batch_norm1d(2, affine = FALSE, track_running_stats = FALSE)
  expect_length(plain$state_dict(), 0)
  expect_equal(as_array(plain$eval()(torch_tensor(m))), y, tolerance = 1e-5)

  expect_error(nn_batch_norm2d(2)(torch_ones(2, 2)), class = "value_error")
  expect_snapshot(nn_batch_norm1d(2)(torch_ones(2)), error = TRUE)
})

test_that("layer, group norm and convolutions agree with PyTorch", {
  skip_if_no_torch()
  set.seed(3)
  x <- array(round(rnorm(2 * 4 * 5 * 5), 3), c(2, 4, 5, 5))
  expected <- python_eval(
    "
nn = torch.nn
x = torch.tensor(x)
torch.manual_seed(5)
modules = [
  nn.LayerNorm(5), nn.GroupNorm(2, 4), nn.Conv2d(4, 2, 3, stride=2, padding=1), nn.Conv2d(4, 4, 3, groups=2),
  nn.Conv2d(4, 2, 3, padding='same', padding_mode='reflect'), nn.Conv2d(4, 2, (3, 2), padding=(1, 2), padding_mode='circular'),
]
result = [m(x).detach().double().flatten().tolist() for m in modules]
",
    x = x
  )
  torch_manual_seed(5)
  modules <- list(
    nn_layer_norm(5), nn_group_norm(2, 4), nn_conv2d(4, 2, 3, stride = 2, padding = 1), nn_conv2d(4, 4, 3, groups = 2),
    nn_conv2d(4, 2, 3, padding = "same", padding_mode = "reflect"),
    nn_conv2d(4, 2, c(3, 2), padding = c(1, 2), padding_mode = "circular")
  )
  input <- torch_tensor(x)
  got <- lapply(modules, function(m) as_array(m(input)$detach()$flatten()))
  expect_equal(got, expected, tolerance = 1e-4)
  expect_error(nn_conv1d(3, 4, 1, groups = 2), class = "value_error")
})

test_that("an embedding looks up rows from 1", {
  skip_if_no_torch()
  words <- nn_embedding(4, 2, padding_idx = 2)
  expect_identical(as_array(words$weight)[2, ], c(0, 0))
  expect_equal(as_array(words(torch_tensor(c(4L, 1L)))), as_array(words$weight)[c(4, 1), ])
  given <- nn_embedding(2, 2, .weight = torch_eye(2))
  expect_identical(as_array(given(torch_tensor(2L))), matrix(c(0, 1), 1))
})

test_that("layers of width 0 have no weights, and biases of zeros", {
  skip_if_no_torch()
  expect_identical(as_array(nn_linear(0, 3)(torch_zeros(2, 0))), matrix(0, 2, 3))
  expect_identical(nn_linear(3, 0)(torch_zeros(2, 3))$shape, c(2L, 0L))
  layers <- list(
    nn_bilinear(0, 2, 3), nn_bilinear(2, 0, 3), nn_conv1d(0, 3, 1), nn_conv2d(0, 3, 2), nn_conv3d(0, 3, 1),
    nn_conv2d(2, 0, 1), nn_embedding(0, 3), nn_embedding(3, 0), nn_layer_norm(0), nn_batch_norm1d(0)
  )
  for (layer in layers) expect_false(any(vapply(layer$parameters, function(p) anyNA(p), NA)))
  for (init in list(nn_init_xavier_uniform_, nn_init_xavier_normal_, nn_init_kaiming_uniform_, nn_init_kaiming_normal_, nn_init_uniform_, nn_init_normal_, nn_init_eye_)) {
    expect_identical(init(torch_empty(0, 0))$shape, c(0L, 0L))
  }
  # The bound of layers with weights is as it was.
  expect_lte(max(abs(as_array(nn_linear(4, 50)$bias))), 0.5)
})

test_that("a transposed convolution has the size that is asked for", {
  skip_if_no_torch()
  layer <- nn_conv_transpose2d(2, 1, 3, stride = 2)
  x <- torch_randn(1, 2, 4, 4)
  expect_identical(dim(layer(x, output_size = c(10, 9))), c(1L, 1L, 10L, 9L))
  expect_error(layer(x, output_size = c(11, 9)), "must be from 9, 9 to 10, 10", class = "value_error")
  expect_error(nn_conv_transpose1d(1, 1, 1, padding_mode = "circular"), "must be \"zeros\"", class = "value_error")
})

test_that("statistics of one value are refused, as are arguments that a layer has not", {
  skip_if_no_torch()
  expect_error(nn_batch_norm1d(2)(torch_ones(1, 2)), "more than 1 value", class = "value_error")
  expect_error(nn_instance_norm1d(2)(torch_ones(1, 2, 1)), "more than 1 value", class = "value_error")
  expect_identical(dim(nn_batch_norm1d(2)$eval()(torch_ones(1, 2))), 1:2)
  expect_error(nn_gru(3, 4, proj_size = 2), "`proj_size` is no argument", class = "value_error")
  lazy <- nn_lazy_linear(3)
  lazy$to(dtype = torch_double())
  expect_true(lazy(torch_ones(2, 4, dtype = "double"))$dtype == torch_double())
})

test_that("parts of layers serve layers of one's own", {
  skip_if_no_torch()
  torch_manual_seed(1)
  standardised <- nn_module("standardised", nn_conv2d, forward = function(input) {
    weight <- self$weight - self$weight$mean(c(2, 3, 4), keepdim = TRUE)
    self$conv_forward_(input, weight)
  })
  x <- torch_randn(1, 2, 4, 4)
  for (mode in c("zeros", "circular")) {
    layer <- standardised(2, 3, 3, padding = 1, padding_mode = mode)
    plain <- nn_conv2d(2, 3, 3, padding = 1, padding_mode = mode)
    plain$load_state_dict(layer$state_dict())
    with_no_grad(plain$weight$sub_(plain$weight$mean(c(2, 3, 4), keepdim = TRUE)))
    expect_equal(as_array(layer(x)), as_array(plain(x)), tolerance = 1e-6)
  }
  up <- nn_conv_transpose2d(2, 3, 3, stride = 2)
  expect_identical(up$.output_padding(x, c(10, 9), up$stride, up$padding, up$kernel_size), c(1, 0))
  expect_identical(up$.output_padding(x, NULL, up$stride, up$padding, up$kernel_size), 0)
  lstm <- nn_lstm(2, 3)
  state <- list(torch_arange(1, 6)$view(c(1, 2, 3)), torch_ones(1, 2, 3))
  expect_identical(as_array(lstm$permute_hidden(state, torch_tensor(c(2L, 1L)))[[1]])[1, , ], rbind(c(4, 5, 6), c(1, 2, 3)))
  expect_identical(lstm$permute_hidden(state, NULL), state)
})
