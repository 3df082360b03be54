kinds_of <- function(f, ...) f$graph_for(...)$nodes()$kind

test_that("traces on the device give what R gives, and are fused", {
  skip_if_no_cuda()
  pointwise <- function(x, y) torch_relu(torch_tanh(x * 2 + y) * torch_sigmoid(y) - 0.1)
  x <- torch_randn(16, 16, device = "cuda")
  y <- torch_randn(16, 16, device = "cuda")
  f <- jit_trace(pointwise, x, y)
  for (i in 1:4) expect_equal(as_array(f(x, y)), as_array(pointwise(x, y)), tolerance = 1e-5)
  expect_true(f(x, y)$is_cuda)
  expect_true("prim::TensorExprGroup" %in% kinds_of(f, x, y))
  expect_true(jit_fuser_enabled("cuda"))
  # Other shapes, strides, dtypes and the CPU go through the same function.
  for (case in list(
    list(torch_randn(3, 5, device = "cuda"), torch_randn(3, 5, device = "cuda")),
    list(torch_randn(3, 5, device = "cuda"), torch_randn(5, device = "cuda")),
    list(x$t(), y), list(x[, 1:5], y[, 3:7]), list(x$double(), y$double()), list(x$cpu(), y$cpu()),
    list(torch_zeros(0, 3, device = "cuda"), torch_zeros(0, 3, device = "cuda"))
  )) {
    for (i in 1:3) expect_equal(held(do.call(f, case)), held(do.call(pointwise, case)), tolerance = 1e-5)
  }
  half <- f(x$half(), y$half())
  expect_equal(held(half)$values, held(pointwise(x$half(), y$half()))$values, tolerance = 1e-2)
  # Each kind of kernel.
  for (kind in c("STATIC", "DYNAMIC")) with_jit_fusion(list(c(kind, 4)), {
    g <- jit_trace(pointwise, x, y)
    for (n in c(2, 7, 7, 130)) {
      a <- torch_randn(n, n, device = "cuda")
      for (i in 1:2) expect_equal(as_array(g(a, a)), as_array(pointwise(a, a)), tolerance = 1e-5)
    }
  })
  expect_false("prim::TensorExprGroup" %in% with_jit_fusion(NULL, cuda = FALSE, kinds_of(jit_trace(pointwise, x, y), x, y)))
})

test_that("fused kernels have the gradients of their operators", {
  skip_if_no_cuda()
  for (pointwise in list(
    function(x, y) torch_tanh(x * y) + torch_sigmoid(x)$pow(2), function(x, y) torch_relu(x) * torch_exp(y) / (x * x + 1)
  )) for (dtype in list(torch_float(), torch_double())) {
    x <- torch_randn(6, 4, device = "cuda", dtype = dtype, requires_grad = TRUE)
    y <- torch_randn(4, device = "cuda", dtype = dtype, requires_grad = TRUE)
    f <- jit_trace(pointwise, x, y)
    expected <- autograd_grad(pointwise(x, y)$sum(), list(x, y))
    for (i in 1:4) {
      expect_equal(held(autograd_grad(f(x, y)$sum(), list(x, y))), held(expected), tolerance = if (identical(dtype, torch_double())) 1e-8 else 1e-4)
    }
    expect_match(as.character(f$graph_for(x, y)), "DifferentiableGraph")
  }
  # With R's functions on the way.
  called <- 0
  x <- torch_randn(5, device = "cuda", requires_grad = TRUE)
  f <- jit_trace(function(x) torch_tanh(x) * 2 + 1, x)
  for (i in 1:3) {
    y <- f(x)
    y$register_hook(function(g) {
      called <<- called + 1
      g * 10
    })
    x$grad <- NULL
    y$sum()$backward()
    expect_equal(as.numeric(x$grad), as.numeric(20 * (1 - torch_tanh(x)^2)), tolerance = 1e-4)
  }
  expect_equal(called, 3)
})

test_that("long chains come out right, in little time", {
  skip_if_no_cuda()
  x <- torch_randn(64, device = "cuda")
  for (n in c(50, 150, 600)) {
    chain <- function(x) {
      for (i in seq_len(n)) x <- torch_tanh(x + 0.01)
      x
    }
    f <- jit_trace(chain, x)
    took <- system.time(for (i in 1:3) y <- f(x))[[3]]
    expect_equal(as_array(y), as_array(chain(x)), tolerance = 1e-4)
    expect_lt(took, 30)
  }
})

test_that("programs in text compute on the device", {
  skip_if_no_cuda()
  unit <- jit_compile("
def there(x):
  y = x.to('cuda')
  return torch.zeros([2], device=y.device) + y.sum()
def is_there(x) -> bool:
  return x.is_cuda
def loop(x, n: int):
  for i in range(n):
    if bool(x.sum() > 0):
      x = x - 1
    else:
      x = x + 2
  return x
")
  expect_equal(as.numeric(unit$there(torch_ones(3))), c(3, 3))
  expect_true(unit$there(torch_ones(3))$is_cuda)
  expect_true(unit$is_there(torch_ones(1, device = "cuda")))
  expect_equal(as.numeric(unit$loop(torch_ones(2, device = "cuda"), 7)), as.numeric(unit$loop(torch_ones(2), 7)))
  expect_equal(as.numeric(jit_ops$aten$relu(torch_tensor(c(-1, 1), device = "cuda"))), c(0, 1))
  expect_true(jit_ops$aten$ones(list(2L), device = "cuda")$is_cuda)
  expect_identical(jit_ops$cuda$`_current_device`(), 0)
  jit_ops$cuda$synchronize()
})

test_that("files go from one device to the other", {
  skip_if_no_cuda()
  net <- nn_sequential(nn_linear(3, 4), nn_batch_norm1d(4), nn_tanh(), nn_dropout(0.5), nn_linear(4, 1))
  net$eval()
  x <- torch_randn(5, 3)
  expected <- as_array(net(x)$detach())
  file <- withr::local_tempfile(fileext = ".pt")
  net$cuda()
  traced <- jit_trace(net, x$cuda())
  traced$eval()
  jit_save(traced, file)
  there <- jit_load(file)
  there$eval()
  expect_true(there(x$cuda())$is_cuda)
  expect_equal(as_array(there(x$cuda())$detach()), expected, tolerance = 1e-3)
  here <- jit_load(file, device = "cpu")
  here$eval()
  expect_equal(as_array(here(x)$detach()), expected, tolerance = 1e-3)
  expect_false(here$parameters[[1]]$is_cuda)
  theirs <- python_eval("
x = torch.tensor(values)
result = {}
for device in ['cpu', 'cuda']:
  model = torch.jit.load(file, map_location=device).eval()
  result[device] = model(x.to(device)).tolist()
result['saved'] = next(torch.jit.load(file).parameters()).device.type
", file = file, values = as_array(x))
  expect_equal(theirs$cpu, expected, tolerance = 1e-3)
  expect_equal(theirs$cuda, expected, tolerance = 1e-3)
  expect_identical(theirs$saved, "cuda")
  # And back.
  net$cpu()
  on_cpu <- jit_trace(net, x)
  on_cpu$eval()
  jit_save(on_cpu, file)
  there <- jit_load(file, device = "cuda")
  there$eval()
  expect_equal(as_array(there(x$cuda())$detach()), expected, tolerance = 1e-3)
  expect_true(all(vapply(there$parameters, function(p) p$is_cuda, NA)))
  on_cpu$to(device = "cuda")
  expect_equal(as_array(on_cpu(x$cuda())$detach()), expected, tolerance = 1e-3)
  frozen <- jit_freeze(there)
  for (i in 1:3) expect_equal(as_array(frozen(x$cuda())$detach()), expected, tolerance = 1e-3)
  quick <- jit_optimize_for_inference(there)
  for (i in 1:3) expect_equal(as_array(quick(x$cuda())$detach()), expected, tolerance = 1e-3)
  bytes <- jit_serialize(there)
  expect_equal(as_array(jit_unserialize(bytes)(x$cuda())$detach()), expected, tolerance = 1e-3)
})

test_that("a traced network is trained on the device", {
  skip_if_no_cuda()
  torch_manual_seed(3)
  net <- nn_sequential(nn_conv2d(1, 4, 3), nn_relu(), nn_dropout(0.1), nn_flatten(), nn_linear(144, 1))
  net$cuda()
  x <- torch_randn(32, 1, 8, 8, device = "cuda")
  y <- x$mean(dim = c(2, 3, 4))$unsqueeze(2) * 5
  traced <- jit_trace(net, x)
  optimizer <- optim_adam(traced$parameters, lr = 0.01)
  losses <- vapply(1:60, function(i) {
    optimizer$zero_grad()
    loss <- nnf_mse_loss(traced(x), y)
    loss$backward()
    optimizer$step()
    loss$item()
  }, 0)
  expect_lt(losses[60], 0.3 * losses[1])
  in_half <- with_autocast(jit_trace(net, x), device_type = "cuda")
  net$eval()
  in_half$eval()
  expect_equal(as_array(in_half(x)$detach()$float()), as_array(net(x)$detach()), tolerance = 5e-2)
})
