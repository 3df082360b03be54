test_that("gradients are clipped as in PyTorch", {
  skip_if_no_torch()
  grads <- list(c(3, -4, 12), c(0.5, 84))
  make <- function() lapply(grads, function(g) {
    w <- torch_zeros(length(g), requires_grad = TRUE, dtype = "double")
    w$grad <- torch_tensor(g, dtype = "double")
    w
  })
  expected <- python_eval("
def make():
  ws = [torch.zeros(len(g), dtype=torch.double, requires_grad=True) for g in grads]
  for w, g in zip(ws, grads): w.grad = torch.tensor(g).double()
  return ws
u = torch.nn.utils
result = []
for p in [2.0, 1.0, float('inf')]:
  ws = make(); total = u.clip_grad_norm_(ws, 5.0, p); result.append([total.item()] + [v for w in ws for v in w.grad.tolist()])
ws = make(); u.clip_grad_value_(ws, 2.0); result.append([0.0] + [v for w in ws for v in w.grad.tolist()])
", grads = grads)
  got <- rbind(t(vapply(c(2, 1, Inf), function(p) {
    ws <- c(make(), torch_zeros(1, requires_grad = TRUE))
    total <- nn_utils_clip_grad_norm_(ws, 5, p)
    c(total$item(), unlist(lapply(ws[1:2], function(w) as_array(w$grad))))
  }, numeric(6))), {
    ws <- make()
    nn_utils_clip_grad_value_(ws, 2)
    c(0, unlist(lapply(ws, function(w) as_array(w$grad))))
  })
  expect_equal(unname(got), expected, tolerance = 1e-12)
  expect_identical(nn_utils_clip_grad_norm_(torch_zeros(1, requires_grad = TRUE), 1)$item(), 0)
  w <- torch_zeros(1, requires_grad = TRUE)
  w$grad <- torch_tensor(NaN)
  expect_error(nn_utils_clip_grad_norm_(w, 1, error_if_nonfinite = TRUE), "norm of the gradients is NaN", class = "runtime_error")
  expect_error(nn_utils_clip_grad_norm_("a", 1), "must be a tensor or a list of tensors", class = "type_error")
})

test_that("parameters go into a vector and back", {
  skip_if_no_torch()
  model <- nn_sequential(nn_linear(2, 3), nn_linear(3, 1))
  before <- lapply(model$parameters, as_array)
  vector <- nn_utils_parameters_to_vector(model$parameters)
  expect_identical(dim(vector), 13L)
  nn_utils_vector_to_parameters(vector$detach() * 2, model$parameters)
  expect_equal(lapply(model$parameters, as_array), lapply(before, `*`, 2))
  expect_error(nn_utils_vector_to_parameters(torch_ones(3), model$parameters), "must be a vector of 13 elements", class = "value_error")
})

test_that("a norm goes into the layer before it", {
  skip_if_no_torch()
  norm <- function(norm) {
    norm$running_mean$normal_()
    norm$running_var$uniform_(0.5, 2)
    nn_init_normal_(norm$weight)
    nn_init_normal_(norm$bias)
    norm$eval()
  }
  cases <- list(
    list(nn_conv2d(2, 3, 2), norm(nn_batch_norm2d(3)), c(1, 2, 4, 4)), list(nn_conv1d(2, 3, 2, bias = FALSE), norm(nn_batch_norm1d(3)), c(1, 2, 4)),
    list(nn_conv_transpose2d(2, 3, 2), norm(nn_batch_norm2d(3)), c(1, 2, 4, 4))
  )
  for (case in cases) {
    layer <- case[[1]]$eval()
    x <- torch_randn(case[[3]])
    fused <- nn_utils_fuse_conv_bn_eval(layer, case[[2]])
    expect_equal(as_array(fused(x)$detach()), as_array(case[[2]](layer(x))$detach()), tolerance = 1e-5)
    expect_s3_class(fused, class(layer)[1])
  }
  linear <- nn_linear(2, 3)$eval()
  bn <- norm(nn_batch_norm1d(3))
  x <- torch_randn(4, 2)
  expect_equal(as_array(nn_utils_fuse_linear_bn_eval(linear, bn)(x)$detach()), as_array(bn(linear(x))$detach()), tolerance = 1e-5)
  expect_error(nn_utils_fuse_conv_bn_eval(nn_conv2d(1, 1, 1), nn_batch_norm2d(1)), "evaluation mode", class = "value_error")
})
