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

test_that("dropout modules follow the mode", {
  skip_if_no_torch()
  drop <- nn_dropout(0.5)
  x <- torch_ones(1000)
  expect_true(any(as_array(drop(x)) == 0))
  expect_identical(as_array(drop$eval()(x)), as_array(x))
})
