test_that("log probabilities, labels and loss of an adaptive softmax are PyTorch's", {
  skip_if_no_torch()
  withr::local_seed(7)
  x <- matrix(round(rnorm(30), 3), 5)
  target <- c(1L, 3L, 4L, 7L, 9L)
  for (head_bias in c(FALSE, TRUE)) {
    layer <- nn_adaptive_log_softmax_with_loss(6, 9, c(3, 6), div_value = 2, head_bias = head_bias)$to(dtype = torch_double())
    expected <- python_eval("
layer = torch.nn.AdaptiveLogSoftmaxWithLoss(6, 9, [3, 6], div_value=2., head_bias=bias).double()
layer.load_state_dict({k: torch.tensor(v).double() for k, v in state.items()})
x = torch.tensor(x).double()
out = layer(x, torch.tensor(target) - 1)
result = {
  'log_prob': layer.log_prob(x).tolist(), 'predict': (layer.predict(x) + 1).tolist(), 'output': out.output.tolist(),
  'loss': out.loss.item()
}", x = x, target = target, bias = head_bias, state = lapply(layer$state_dict(), as_array))
    x_tensor <- torch_tensor(x, dtype = "double")
    out <- layer(x_tensor, torch_tensor(target))
    expect_equal(as_array(layer$log_prob(x_tensor)$detach()), expected$log_prob)
    expect_equal(as_array(layer$predict(x_tensor)), expected$predict)
    expect_equal(as_array(out$output$detach()), expected$output)
    expect_equal(out$loss$item(), expected$loss)
  }
})

test_that("an adaptive softmax gives probabilities, and finds the most likely class", {
  skip_if_no_torch()
  layer <- nn_adaptive_log_softmax_with_loss(6, 9, c(3, 6), div_value = 2)
  x <- torch_randn(5, 6)
  all <- layer$log_prob(x)
  expect_equal(as_array(torch_sum(torch_exp(all), dim = 2)$detach()), rep(1, 5), tolerance = 1e-5)
  target <- torch_tensor(c(1L, 3L, 4L, 7L, 9L))
  out <- layer(x, target)
  expect_equal(as_array(out$output$detach()), as_array(all$detach())[cbind(1:5, as_array(target))], tolerance = 1e-5)
  expect_equal(out$loss$item(), -mean(as_array(out$output$detach())), tolerance = 1e-6)
  expect_identical(as_array(layer$predict(x)), apply(as_array(all$detach()), 1, which.max))
  expect_equal(layer(x[1, ], target[1])$output$item(), out$output[1]$item(), tolerance = 1e-6)
})

test_that("what an adaptive softmax can't use is refused", {
  skip_if_no_torch()
  layer <- nn_adaptive_log_softmax_with_loss(6, 9, c(3, 6))
  x <- torch_randn(5, 6)
  target <- torch_tensor(c(1L, 3L, 4L, 7L, 9L))
  expect_error(layer(x, target - 1L), "labels from 1 to 9", class = "value_error")
  expect_error(layer(x, target[1:3]), "`target` must have a label for each sample of `input`, shape (5), not (3)", fixed = TRUE, class = "value_error")
  expect_error(layer(x[1, ], target), "shape (), not (5)", fixed = TRUE, class = "value_error")
  expect_error(layer(torch_randn(2, 5, 6), target), "`input` must have 1 or 2 dimensions, not 3", class = "value_error")
  for (cutoffs in list(c(6, 3), c(3, 3), 9, 0, 2.5, c(3, NA), numeric(), "3")) {
    expect_error(nn_adaptive_log_softmax_with_loss(6, 9, cutoffs), "`cutoffs` must be whole numbers that rise", class = "value_error")
  }
})
