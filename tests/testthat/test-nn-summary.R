test_that("a summary has a row for each module, with its shape and its own parameters", {
  skip_if_no_torch()
  withr::local_options(cli.unicode = FALSE, cli.num_colors = 1)
  net <- nn_sequential(nn_conv2d(1, 2, 3), nn_sequential(nn_relu(), nn_flatten()), nn_linear(72, 3))
  net[[1]]$bias$requires_grad_(FALSE)
  table <- summary(net, torch_ones(5, 1, 8, 8))
  expect_s3_class(table, "data.frame")
  expect_equal(table$layer, c("", "0", "1", "1.0", "1.1", "2"))
  expect_equal(table$output, c("(5, 3)", "(5, 2, 6, 6)", "(5, 72)", "(5, 2, 6, 6)", "(5, 72)", "(5, 3)"))
  expect_equal(table$parameters, c(0, 2 * 9 + 2, 0, 0, 0, 72 * 3 + 3))
  expect_equal(table$trainable, c(0, 2 * 9, 0, 0, 0, 72 * 3 + 3))
  expect_equal(table$multiply_adds, c(0, 5 * 2 * 36 * 9, 0, 0, 0, 5 * 72 * 3))
  expect_equal(table$bytes, 4 * table$parameters)
  expect_equal(summary(net)$multiply_adds, rep(NA_real_, 6))
  expect_equal(summary(net)$output, rep(NA_character_, 6))
  expect_snapshot({
    print(table)
    print(summary(net))
    print(summary(jit_trace(net, torch_ones(5, 1, 8, 8)), torch_ones(2, 1, 8, 8)))
  })
  expect_error(summary(net, torch_ones(1)), class = "torch_error")
  expect_snapshot(error = TRUE, summary(nn_linear))
})

test_that("a summary leaves the module, its gradients and the random numbers as they were", {
  skip_if_no_torch()
  net <- nn_sequential(nn_linear(2, 3), nn_batch_norm1d(3), nn_dropout(0.5))
  sum(net(torch_randn(4, 2)))$backward()
  before <- lapply(c(net$state_dict(), lapply(net$parameters, function(p) p$grad)), as_array)
  children <- net$children
  torch_manual_seed(1)
  expected <- as_array(torch_rand(1))
  torch_manual_seed(1)
  summary(net, torch_randn(4, 2))
  expect_equal(as_array(torch_rand(1)), expected)
  try(summary(net, torch_randn(4, 9)), silent = TRUE)
  expect_equal(lapply(c(net$state_dict(), lapply(net$parameters, function(p) p$grad)), as_array), before)
  expect_identical(net$children, children)
  expect_true(net$training)
  # Layers that are shared count once in the total.
  layer <- nn_linear(2, 2)
  expect_output(print(summary(nn_sequential(layer, layer))), "^.*\n6 parameters")
})


# By hand; `py` is the same for PyTorch's counter, where that counts.
cost_cases <- list(
  list("nn_linear(3, 4)", "f 5,3", 5 * 3 * 4, "nn.Linear(3, 4)"),
  list("nn_linear(3, 4)", "f 2,5,3", 10 * 3 * 4, "nn.Linear(3, 4)"),
  list("nn_bilinear(2, 3, 4)", "f 5,2 5,3", 5 * 4 * 2 * 3, NULL),
  list("nn_conv1d(2, 3, 2, stride = 2)", "f 2,2,7", 2 * 3 * 3 * 2 * 2, "nn.Conv1d(2, 3, 2, stride=2)"),
  list("nn_conv2d(4, 6, c(3, 2), padding = c(1, 0), groups = 2)", "f 2,4,5,6", 2 * 6 * 5 * 5 * 2 * 6, "nn.Conv2d(4, 6, (3, 2), padding=(1, 0), groups=2)"),
  list("nn_conv2d(2, 3, 3, padding = 'same', padding_mode = 'circular')", "f 1,2,4,4", 3 * 16 * 2 * 9, "nn.Conv2d(2, 3, 3, padding='same', padding_mode='circular')"),
  list("nn_conv3d(1, 2, 2)", "f 1,1,3,4,3", 2 * 2 * 3 * 2 * 8, "nn.Conv3d(1, 2, 2)"),
  list("nn_conv_transpose1d(2, 3, 3, stride = 2)", "f 2,2,5", 2 * 2 * 5 * 3 * 3, "nn.ConvTranspose1d(2, 3, 3, stride=2)"),
  list("nn_conv_transpose2d(4, 6, 3, groups = 2)", "f 1,4,3,4", 4 * 12 * 3 * 9, "nn.ConvTranspose2d(4, 6, 3, groups=2)"),
  # 7 steps of 2 sequences; 4 gates; the second layer sees both directions of the first.
  list("nn_lstm(3, 4, 2, bidirectional = TRUE)", "f 7,2,3", 14 * 2 * (16 * (3 + 4) + 16 * (8 + 4)), NULL),
  list("nn_gru(3, 4)", "f 7,2,3", 14 * 12 * (3 + 4), NULL),
  list("nn_lstm_cell(3, 4)", "f 5,3", 5 * 16 * (3 + 4), NULL),
  list("nn_rnn_cell(3, 4)", "f 5,3", 5 * 4 * (3 + 4), NULL),
  # Four projections of 10 tokens, scores and sums of 2 sequences.
  list("nn_multihead_attention(6, 2)", "f 5,2,6 5,2,6 5,2,6", 4 * 10 * 36 + 2 * 2 * 25 * 6, "nn.MultiheadAttention(6, 2)"),
  list("nn_transformer_encoder_layer(6, 2, 8)", "f 5,2,6", 4 * 10 * 36 + 2 * 2 * 25 * 6 + 2 * 10 * 48, "nn.TransformerEncoderLayer(6, 2, 8)"),
  list("nn_transformer_encoder_layer(6, 2, 8, batch_first = TRUE)$eval()", "f 2,5,6", 4 * 10 * 36 + 2 * 2 * 25 * 6 + 2 * 10 * 48, NULL),
  list("nn_sequential(nn_linear(3, 4), nn_relu(), nn_layer_norm(4), nn_linear(4, 2))", "f 5,3", 5 * (12 + 8), "nn.Sequential(nn.Linear(3, 4), nn.ReLU(), nn.LayerNorm(4), nn.Linear(4, 2))")
)

test_that("multiply-adds of layers are those of a count by hand, and half of PyTorch's", {
  skip_if_no_torch()
  shapes <- function(case) lapply(strsplit(sub("^f ", "", case[[2]]), " ")[[1]], function(text) as.integer(strsplit(text, ",")[[1]]))
  # Transformer layers need LibTorch 2.0.
  has_transformers <- numeric_version(libtorch_find()$version) >= "2.0"
  for (case in Filter(function(case) has_transformers || !grepl("transformer", case[[1]]), cost_cases)) {
    table <- do.call(summary, c(list(eval(parse(text = case[[1]]))), lapply(shapes(case), torch_randn)))
    expect_equal(sum(table$multiply_adds), case[[3]], label = case[[1]])
  }
  skip_if_older("2.1")
  counted <- Filter(function(case) !is.null(case[[4]]), cost_cases)
  theirs <- python_eval("
from torch import nn
from torch.utils.flop_counter import FlopCounterMode
result = []
for code, shapes in zip(codes, shapes):
  with FlopCounterMode(display=False) as counter, torch.no_grad(): eval(code)(*[torch.randn(*s) for s in shapes])
  result.append(counter.get_total_flops())
", codes = vapply(counted, `[[`, "", 4), shapes = lapply(counted, shapes))
  expect_equal(2 * vapply(counted, `[[`, 0, 3), theirs)
})

test_that("multiply-adds of products, by the functions and operators that do them", {
  skip_if_no_torch()
  count <- function(f, ...) {
    module <- nn_module("f", forward = f)()
    summary(module, ...)$multiply_adds[1]
  }
  a <- torch_randn(2, 3)
  b <- torch_randn(3, 4)
  batch <- torch_randn(5, 2, 3)
  v <- torch_randn(3)
  cases <- expression(
    count(function(x) x %*% b, a), count(function(x) torch_mm(x, b), a), count(function(x) x$matmul(b), batch),
    count(function(x) torch_matmul(v, x), b), count(function(x) torch_bmm(x, torch_ones(5, 3, 4)), batch), count(function(x) x$mv(v), a),
    count(function(x) torch_dot(x, v), v), count(function(x) torch_addmm(torch_ones(4), x, b), a),
    count(function(x) torch_baddbmm(torch_ones(1), x, torch_ones(5, 3, 4)), batch),
    count(function(x) torch_addbmm(torch_ones(1), x, torch_ones(5, 3, 4)), batch), count(function(x) torch_outer(x, v), v),
    count(function(x) torch_tensordot(x, b, list(2, 1)), a), count(function(x) torch_einsum("ij,jk->ik", list(x, b)), a),
    count(function(x) torch_einsum("bij,jk->bik", list(x, b)), batch), count(function(x) torch_einsum("...ij,jk->...ik", list(x, b)), batch),
    count(function(x) crossprod(x), a), count(function(x) torch_relu(x) + 1, a)
  )
  expect_equal(vapply(cases, eval, 0, environment()), c(24, 24, 120, 12, 120, 6, 3, 24, 120, 120, 9, 24, 24, 120, 120, 18, 0))
})

test_that("a summary counts each call, tells what script modules do not, and forgets the operators after", {
  skip_if_no_torch()
  twice <- nn_module("twice", initialize = function() self$layer <- nn_linear(3, 3), forward = function(x) self$layer(self$layer(x)))
  expect_equal(summary(twice(), torch_ones(2, 3))$multiply_adds, c(0, 2 * 2 * 9))
  mixed <- nn_sequential(jit_trace(nn_linear(3, 3), torch_ones(2, 3)), nn_batch_norm1d(3))
  table <- summary(mixed, torch_ones(2, 3))
  expect_equal(table$multiply_adds, c(0, NA, 0))
  # Two running statistics and a count of 8 bytes.
  expect_equal(table$bytes, c(0, 48, 24 + 24 + 8))
  expect_output(print(table), "At least 0 multiply-adds")
  expect_error(summary(nn_linear(2, 3), torch_ones(7)))
  expect_null(cpp_observe_operators(NULL))
})
