# Programs of R's control flow on a GPU give what they give on the CPU, and lie there.

cuda_programs <- list(
  loop = list(function(x, n = 5L) {
    for (i in seq_len(n)) x <- torch_tanh(x * 2 + i)
    x
  }),
  branch = list(function(x) {
    total <- torch_zeros_like(x)
    for (i in 1:10) {
      if (as.logical(sum(total) > 12)) break
      total <- total + abs(x) * i
    }
    total
  }),
  parts = list(function(x) {
    out <- torch_zeros(4L, 3L, device = x$device)
    for (i in 1:4) {
      out[i, ] <- x * i
      out[i, 1] <- -1
    }
    x[1] <- 100
    list(out, x, out[2:3, ], out[out > 0])
  }),
  recurrent = list(function(x) {
    h <- torch_zeros_like(x)
    states <- list()
    for (i in 1:6) {
      h <- torch_sigmoid(x + h * 0.5) * torch_tanh(h - x)
      states[[i]] <- h
    }
    list(torch_stack(states), h)
  }),
  numbers = list(function(x) {
    best <- -Inf
    at <- 0L
    for (i in seq_len(length(x))) {
      if (as.numeric(x[i]) > best) {
        best <- as.numeric(x[i])
        at <- i
      }
    }
    list(best, at)
  }),
  named = list(function(x) {
    state <- list(mean = x$mean(), sum = torch_zeros(3L, device = x$device))
    for (i in 1:3) {
      state$sum[i] <- state$mean * i
      state$mean <- state$mean + 1
    }
    state
  }),
  closures = list(function(x) {
    scale <- function(z, by = 2) z * by
    Reduce(function(a, b) a + b, lapply(1:3, function(i) scale(x, i)))
  })
)

test_that("compiled programs compute on the device what they compute on the CPU", {
  skip_if_no_cuda()
  for (name in names(cuda_programs)) {
    f <- cuda_programs[[name]][[1]]
    values <- torch_tensor(c(0.5, -1, 2))
    program <- jit_script(f, values)
    for (i in 1:3) {
      here <- held(program(values))
      there <- program(values$cuda())
      expect_equal(held(there), here, tolerance = 1e-5, info = name)
      expect_equal(held(f(values$cuda())), here, tolerance = 1e-5, info = name)
      for (x in if (is.list(there)) Filter(is_torch_tensor, there) else list(there)) expect_true(x$is_cuda, info = name)
    }
    expect_equal(as.numeric(values), c(0.5, -1, 2))
  }
})

test_that("compiled loops have the gradients of R's on the device", {
  skip_if_no_cuda()
  f <- function(x, w) {
    h <- torch_zeros_like(x)
    for (i in 1:5) h <- torch_tanh(torch_matmul(h, w) + x)
    h
  }
  x <- torch_randn(4, 3, device = "cuda", requires_grad = TRUE)
  w <- torch_randn(3, 3, device = "cuda", requires_grad = TRUE)
  program <- jit_script(f, x, w)
  expected <- held(autograd_grad(f(x, w)$sum(), list(x, w)))
  for (i in 1:4) expect_equal(held(autograd_grad(program(x, w)$sum(), list(x, w))), expected, tolerance = 1e-4)
  file <- withr::local_tempfile(fileext = ".pt")
  jit_save(program, file)
  expect_equal(held(jit_load(file)(x, w)), held(f(x, w)), tolerance = 1e-5)
})

test_that("tensors of two devices are LibTorch's error, told with the line in R", {
  skip_if_no_cuda()
  f <- jit_script(function(x) {
    y <- torch_ones(3L)
    x + y
  }, torch_ones(3))
  expect_error(f(torch_ones(3, device = "cuda")), "device")
  expect_equal(as.numeric(f(torch_ones(3))), rep(2, 3))
})

test_that("calls on the device are explained and profiled", {
  skip_if_no_cuda()
  x <- torch_randn(100, 100, device = "cuda")
  f <- jit_trace(function(x) torch_relu(torch_tanh(x * 2 + 1)) + torch_matmul(x, x), x)
  explained <- jit_explain(f, x)
  expect_true(any(grepl("matmul|mm", explained$operator)))
  expect_output(print(explained), "tanh")
  profile <- jit_profile(torch_tanh(torch_matmul(x, x))$sum())
  expect_true(all(c("aten::matmul", "aten::tanh") %in% profile$events$name))
})
