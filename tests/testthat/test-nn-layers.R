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

test_that("modules of functions keep their settings", {
  skip_if_no_torch()
  x <- torch_tensor(c(-1, 2))
  expect_equal(as_array(nn_leaky_relu(0.5)(x)), c(-0.5, 2))
  expect_equal(as_array(nn_threshold(1, 7)(x)), c(7, 2))
  expect_equal(as_array(nn_hardtanh(max_val = 1.5)(x)), c(-1, 1.5))
  expect_equal(as_array(nn_prelu()(x)), c(-0.25, 2))
  expect_equal(as_array(nn_softmax(1)(x)), exp(c(-1, 2)) / sum(exp(c(-1, 2))), tolerance = 1e-6)
  expect_identical(formals(nn_threshold), as.pairlist(alist(threshold = , value = , inplace = FALSE)))
  expect_equal(nn_softmax2d()(torch_randn(2, 3, 4, 4))$sum(2)$mean()$item(), 1, tolerance = 1e-6)
  expect_error(nn_softmax()(x))
  expect_identical(nn_identity(1, a = 2)(x), x)
  expect_equal(nn_flatten()(torch_ones(2, 3, 4))$shape, c(2, 12))
  expect_equal(nn_unflatten(2, c(3, 4))(torch_ones(2, 12))$shape, c(2, 3, 4))
  expect_equal(nn_max_pool2d(2)(torch_ones(1, 1, 4, 4))$shape, c(1, 1, 2, 2))
  expect_equal(nn_adaptive_avg_pool2d(1)(torch_ones(1, 1, 4, 4))$shape, c(1, 1, 1, 1))
})

test_that("every module of one call runs", {
  skip_if_no_torch()
  x <- torch_rand(2, 4)
  for (name in c(
    "relu", "relu6", "leaky_relu", "rrelu", "prelu", "elu", "celu", "selu", "gelu", "silu", "sigmoid", "tanh",
    "hardtanh", "hardsigmoid", "hardswish", "log_sigmoid", "softplus", "softsign", "tanhshrink", "softshrink",
    "hardshrink", "dropout"
  )) {
    expect_identical(get(paste0("nn_", name))()(x)$shape, x$shape, info = name)
  }
  for (name in c("softmax", "log_softmax", "softmin")) {
    expect_identical(get(paste0("nn_", name))(1)(x)$shape, x$shape, info = name)
  }
  y <- torch_rand(2, 4)
  for (name in c("mse", "l1", "smooth_l1", "soft_margin", "bce", "bce_with_logits", "poisson_nll",
    "multilabel_soft_margin", "hinge_embedding")) {
    loss <- get(paste0("nn_", name, "_loss"))
    fn <- get(sub("nnf_bce", "nnf_binary_cross_entropy", paste0("nnf_", name, if (!grepl("^bce", name)) "_loss")))
    expect_equal(loss()(x, y)$item(), fn(x, y)$item(), info = name)
    expect_length(loss(reduction = "sum")(x, y)$shape, 0)
  }
  labels <- torch_tensor(c(1L, 4L))
  expect_equal(nn_cross_entropy_loss()(x, labels)$item(), nnf_cross_entropy(x, labels)$item())
  expect_equal(nn_nll_loss()(x, labels)$item(), nnf_nll_loss(x, labels)$item())
  expect_equal(nn_pairwise_distance()(x, y)$shape, 2)
})

test_that("class weights of a loss move with it", {
  skip_if_no_torch()
  loss <- nn_cross_entropy_loss(weight = torch_ones(3))
  expect_named(loss$buffers, "weight")
  expect_length(nn_cross_entropy_loss()$buffers, 0)
})

test_that("dropout modules follow the mode", {
  skip_if_no_torch()
  drop <- nn_dropout(0.5)
  x <- torch_ones(1000)
  expect_true(any(as_array(drop(x)) == 0))
  expect_identical(as_array(drop$eval()(x)), as_array(x))
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
