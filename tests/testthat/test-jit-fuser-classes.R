# Losses of classes in kernels: the values and gradients of LibTorch's operators, and their errors.

skip_if_no_fuser()

class_losses <- list(
  cross_entropy = function(x, t, how) nnf_cross_entropy(x * 1.5, t, reduction = how),
  nll = function(x, t, how) nnf_nll_loss(nnf_log_softmax(x + 0.25, 2), t, reduction = how),
  both = function(x, t, how) nnf_cross_entropy(x, t, reduction = how) * 0.5 + nnf_mse_loss(torch_sigmoid(x), torch_zeros_like(x))
)

# Small gradients are differences of numbers near 1: their error is that of these.
expect_near <- function(got, expected, tolerance, where = NULL) {
  got <- as_array(got$detach())
  expected <- as_array(expected$detach())
  expect_identical(dim(got), dim(expected), info = where)
  expect_lt(max(abs(got - expected)) / max(1, abs(expected)), tolerance)
}

test_that("losses of classes and their gradients are those of the operators", {
  for (dtype in list(torch_float(), torch_double())) for (name in names(class_losses)) for (how in c("mean", "sum", "none")) {
    f <- function(x, t) class_losses[[name]](x, t, how)
    for (size in list(c(5, 3), c(64, 10), c(1, 7), c(33, 17), c(4, 1000))) {
      torch_manual_seed(sum(size))
      x <- torch_randn(size[1], size[2], dtype = dtype, requires_grad = TRUE)
      t <- torch_randint(1, size[2] + 1, size[1], dtype = torch_long())
      traced <- jit_trace(f, x, t)
      jit_warmup(traced, x, t)
      above <- torch_randn_like(f(x, t))
      expected <- f(x, t)
      slope <- autograd_grad(expected, x, above)[[1]]
      for (i in 1:3) {
        got <- traced(x, t)
        where <- paste(name, how, size[1], size[2])
        tolerance <- if (identical(dtype, torch_double())) 1e-10 else 1e-5
        expect_near(got, expected, tolerance, where)
        expect_near(autograd_grad(got, x, above)[[1]], slope, tolerance, where)
      }
    }
  }
})

test_that("a cross entropy is one kernel", {
  x <- torch_randn(32, 10)
  t <- torch_randint(1, 11, 32, dtype = torch_long())
  f <- jit_trace(function(x, t) nnf_cross_entropy(torch_relu(x), t), x, t)
  jit_warmup(f, x, t)
  explained <- jit_explain(f, x, t)
  kernels <- explained$kernel[explained$operator %in% c("relu", "cross_entropy_loss")]
  expect_length(kernels, 2)
  expect_length(unique(kernels), 1)
  expect_false(anyNA(kernels))
})

test_that("targets that are no classes are LibTorch's errors, and ignored ones count for nothing", {
  x <- torch_randn(6, 4, requires_grad = TRUE)
  t <- torch_tensor(c(1L, 2L, 3L, 4L, 1L, 2L))
  f <- function(x, t) nnf_cross_entropy(x * 2, t)
  traced <- jit_trace(f, x, t)
  jit_warmup(traced, x, t)
  for (i in 1:3) expect_equal(traced(x, t)$item(), f(x, t)$item(), tolerance = 1e-6)
  for (wrong in list(c(1L, 2L, 3L, 5L, 1L, 2L), c(0L, 2L, 3L, 4L, 1L, 2L), c(1L, 2L, 3L, 4L, 1L, 1000000L))) {
    expect_error(traced(x, torch_tensor(wrong)))
  }
  ignored <- torch_tensor(c(1L, -100L, 3L, 4L, -100L, 2L))
  expect_equal(traced(x, ignored)$item(), f(x, ignored)$item(), tolerance = 1e-6)
  expect_true("" %in% fused_groups(traced))
  expect_false("a target is no class" %in% fused_groups(traced))
  expect_near(autograd_grad(traced(x, ignored), x)[[1]], autograd_grad(f(x, ignored), x)[[1]], 1e-6)
  expect_true(is.nan(traced(x, torch_full(6, -100L, dtype = torch_long()))$item()))
  for (i in 1:2) expect_equal(traced(x, t)$item(), f(x, t)$item(), tolerance = 1e-6)
  # Targets that lie apart.
  apart <- torch_tensor(matrix(c(1:4, 1:2, 4:1, 2:1), 6))[, 2]
  expect_equal(traced(x, apart)$item(), f(x, apart)$item(), tolerance = 1e-6)
})

test_that("weights, smoothing and probabilities are left to the operators", {
  x <- torch_randn(6, 4)
  t <- torch_tensor(c(1L, 2L, 3L, 4L, 1L, 2L))
  p <- torch_rand(6, 4)
  w <- torch_rand(4)
  images <- torch_randn(2, 3, 4, 4)
  of_pixels <- torch_randint(1, 4, c(2, 4, 4), dtype = torch_long())
  for (case in list(
    list(function(x, t) nnf_cross_entropy(x * 2, t, weight = w), x, t),
    list(function(x, t) nnf_cross_entropy(x * 2, t, label_smoothing = 0.1), x, t),
    list(function(x, t) nnf_cross_entropy(x * 2, t), x, p), list(function(x, t) nnf_cross_entropy(x * 2, t), images, of_pixels)
  )) {
    traced <- do.call(jit_trace, case)
    do.call(jit_warmup, c(list(traced), case[-1]))
    for (i in 1:3) expect_equal(do.call(traced, case[-1])$item(), do.call(case[[1]], case[-1])$item(), tolerance = 1e-5)
  }
})

test_that("a loss without a kernel leaves the operators before it in theirs", {
  x <- torch_randn(6, 4)
  t <- torch_tensor(c(1L, 2L, 3L, 4L, 1L, 2L))
  for (f in list(
    function(x, t) nnf_cross_entropy(torch_tanh(x * 2) + 1, t, label_smoothing = 0.1),
    function(x, t) nnf_cross_entropy(torch_tanh(x * 2)$reshape(c(2, 3, 4))$transpose(2, 3) + 1, t$reshape(c(2, 3)))
  )) {
    traced <- jit_trace(f, x, t)
    jit_warmup(traced, x, t)
    expect_equal(traced(x, t)$item(), f(x, t)$item(), tolerance = 1e-5)
    explained <- jit_explain(traced, x, t)
    expect_false(is.na(explained$kernel[explained$operator == "tanh"]))
    expect_true(is.na(explained$kernel[explained$operator == "cross_entropy_loss"]))
  }
})

test_that("a classifier is trained as the loop in R does", {
  torch_manual_seed(4)
  x <- torch_randn(60, 5)
  t <- torch_randint(1, 4, 60, dtype = torch_long())
  run <- function(step_of) {
    torch_manual_seed(2)
    model <- nn_sequential(nn_linear(5, 8), nn_tanh(), nn_linear(8, 3))
    optimizer <- optim_sgd(model$parameters, lr = 0.1)
    step <- step_of(model, optimizer)
    vapply(1:20, function(i) as.numeric(step(x, t)), 0)
  }
  expected <- run(function(model, optimizer) function(x, t) {
    optimizer$zero_grad()
    loss <- nnf_cross_entropy(model(x), t)
    loss$backward()
    optimizer$step()
    loss$item()
  })
  expect_equal(run(function(model, optimizer) jit_train_step(model, nnf_cross_entropy, optimizer)), expected, tolerance = 1e-4)
})
