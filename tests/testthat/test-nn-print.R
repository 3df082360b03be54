block <- nn_module(
  "block",
  initialize = function(features, rate = 0.5, activation = nn_relu(), name = "b") {
    self$features <- features
    self$rate <- rate
    self$name <- name
    self$conv <- nn_conv2d(features, 2 * features, 3, padding = 1, bias = FALSE)
    self$head <- nn_sequential(activation, nn_dropout(rate), nn_flatten())
  },
  forward = function(x) self$head(self$conv(x))
)

test_that("a module is labelled as the call that makes it", {
  skip_if_no_torch()
  # R reads the label, and makes a module that has the same.
  calls <- expression(
    nn_linear(3, 8), nn_linear(3, 8, bias = FALSE), nn_bilinear(1, 2, 3), nn_dropout(p = 0.2), nn_dropout(), nn_conv1d(1, 2, 3),
    nn_conv2d(1, 2, c(3, 5), stride = 2, padding = "valid"), nn_conv2d(4, 4, 3, groups = 2, padding_mode = "reflect"),
    nn_embedding(10, 3, padding_idx = 1), nn_batch_norm1d(3), nn_batch_norm2d(3, eps = 0.01, affine = FALSE),
    nn_layer_norm(c(2, 3)), nn_group_norm(2, 4), nn_max_pool2d(2), nn_avg_pool1d(3, stride = 2), nn_softmax(2),
    nn_threshold(0.1, 20), nn_prelu(num_parameters = 3), nn_flatten(), nn_flatten(start_dim = 1), nn_cross_entropy_loss(),
    nn_mse_loss(reduction = "sum"), nn_unflatten(2, c(3, 4)), nn_hardtanh(min_val = -2)
  )
  for (i in seq_along(calls)[-2:-7]) {
    call <- calls[[i]]
    label <- module_label(eval(call))
    expect_equal(module_label(eval(parse(text = label))), label)
  }
  expect_equal(vapply(calls, function(call) module_label(eval(call)), ""), c(
    "nn_linear(3, 8)", "nn_linear(3, 8, bias = FALSE)", "nn_bilinear(1, 2, 3)", "nn_dropout(p = 0.2)", "nn_dropout()",
    "nn_conv1d(1, 2, 3)", "nn_conv2d(1, 2, c(3, 5), stride = 2, padding = \"valid\")",
    "nn_conv2d(4, 4, 3, groups = 2, padding_mode = \"reflect\")", "nn_embedding(10, 3, padding_idx = 1)", "nn_batch_norm1d(3)",
    "nn_batch_norm2d(3, eps = 0.01, affine = FALSE)", "nn_layer_norm(c(2, 3))", "nn_group_norm(2, 4)", "nn_max_pool2d(2)",
    "nn_avg_pool1d(3, stride = 2)", "nn_softmax(2)", "nn_threshold(0.1, 20)", "nn_prelu(num_parameters = 3)", "nn_flatten()",
    "nn_flatten(start_dim = 1)", "nn_cross_entropy_loss()", "nn_mse_loss(reduction = \"sum\")", "nn_unflatten(2, c(3, 4))",
    "nn_hardtanh(min_val = -2)"
  ))
})

test_that("a label shows the present settings, those of a user's class too, and evaluates nothing", {
  skip_if_no_torch()
  drop <- nn_dropout(0.2)
  drop$p <- 0.3
  expect_equal(module_label(drop), "nn_dropout(p = 0.3)")
  expect_equal(module_label(block(2)), "block(2)")
  expect_equal(module_label(block(2, rate = 0.1, name = "x")), "block(2, rate = 0.1, name = \"x\")")
  counted <- 0
  lazy <- nn_module("lazy", initialize = function(n = counted <<- counted + 1) self$n <- 5)
  expect_equal(module_label(lazy()), "lazy(n = 5)")
  expect_equal(counted, 0)
  # What it was made of is not kept.
  expect_equal(module_label(nn_module("net", initialize = function(n) self$layer <- nn_linear(n, 1))(2)), "net")
  expect_equal(module_label(nn_sequential(nn_relu())), "nn_sequential")
  expect_equal(module_label(nn_identity(5)), "nn_identity")
  expect_equal(module_label(nn_module()()), "nn_module()")
})

test_that("modules, traced or not, print with settings and sizes", {
  skip_if_no_torch()
  withr::local_options(cli.unicode = FALSE, cli.num_colors = 1)
  net <- block(2)
  traced <- jit_trace(net, torch_ones(1, 2, 4, 4))
  expect_snapshot({
    print(net)
    print(traced)
    print(jit_module("Empty"))
    print(list(nn_linear(1, 2), nn_relu))
    str(net)
  })
})

test_that("printing shows children, parameters and buffers", {
  skip_if_no_torch()
  withr::local_options(cli.unicode = FALSE, cli.num_colors = 1L, width = 60)
  expect_snapshot(print(net(3)))
  expect_snapshot(print(nn_linear(1000, 1000)))
  expect_snapshot(print(net))
})
