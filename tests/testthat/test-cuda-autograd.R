# LibTorch computes gradients of the GPU on a thread of its own, while R's hooks and derivatives run on R's (host.cpp).

gradient_on <- function(device, f, ...) {
  inputs <- lapply(list(...), function(x) torch_tensor(x, dtype = torch_double(), device = device, requires_grad = TRUE))
  autograd_grad(do.call(f, inputs), inputs)
}

test_that("gradients are those of the CPU", {
  skip_if_no_cuda()
  a <- matrix(c(0.5, -1, 2, 0.25, 1, -0.5), 2)
  b <- matrix(c(1, -2, 0.5, 3, 0.25, -1), 3)
  losses <- list(
    function(x, y) torch_matmul(x, y)$tanh()$sum(),
    function(x, y) (x[1, ] * y[, 2])$sum() + x[c(1, 1), ]$pow(3)$sum(),
    function(x, y) torch_where(x > 0, x, x^2)$logsumexp(dim = 2)$prod() + y$max(),
    function(x, y) torch_cat(list(x, y$t()))$softmax(dim = 1)$pow(2)$sum(),
    function(x, y) linalg_inv(torch_matmul(x, y) + 3 * torch_eye(2, dtype = torch_double(), device = x$device))$sum(),
    function(x, y) nnf_conv1d(x$unsqueeze(1), y$t()$unsqueeze(1)[, , 1:2])$pow(2)$sum(),
    function(x, y) torch_sort(x, dim = 2)[[1]][, 1]$sum() * y$std(),
    # Through both kinds of devices.
    function(x, y) (x$cpu()$exp()$to(device = x$device) * y$t()$cpu()$sin()$to(device = x$device))$sum()
  )
  for (loss in losses) {
    expect_equal(held(gradient_on("cuda", loss, a, b)), held(gradient_on("cpu", loss, a, b)), tolerance = 1e-8)
  }
})

test_that("hooks run in order, see gradients of the device and replace them", {
  skip_if_no_cuda()
  seen <- function(device) {
    x <- torch_tensor(c(1, 2), device = device, requires_grad = TRUE)
    y <- x * 2
    z <- y$cpu() + 1
    order <- list()
    note <- function(name) function(g) {
      order[[length(order) + 1]] <<- list(name, as.character(g$device$type) == if (name == "z") "cpu" else device, as_array(g$cpu()))
      NULL
    }
    x$register_hook(note("x"))
    y$register_hook(note("y"))
    h <- y$register_hook(function(g) g * 10)
    y$register_hook(note("y after"))
    z$register_hook(note("z"))
    (z^2)$sum()$backward(retain_graph = TRUE)
    h$remove()
    (z^2)$sum()$backward()
    list(order, as_array(x$grad$cpu()))
  }
  expect_equal(seen("cuda"), seen("cpu"))
  # Each of a network of hooked layers is called, though R collects.
  called <- 0
  x <- torch_ones(4, device = "cuda", requires_grad = TRUE)
  y <- x
  for (i in 1:20) {
    y <- y * 1.5
    y$register_hook(function(g) {
      called <<- called + 1
      gc()
      g / 1.5
    })
  }
  loss <- y$sum()
  rm(y)
  gc()
  loss$backward()
  expect_equal(called, 20)
  expect_equal(as.numeric(x$grad), rep(1, 4), tolerance = 1e-5)
  # Where the hook's answer lies on another device, or has another shape.
  x$register_hook(function(g) g$cpu())
  expect_error((x * 2)$sum()$backward(), "device|type of value")
})

test_that("derivatives written in R, first and second ones", {
  skip_if_no_cuda()
  thread <- NULL
  power <- cube()
  x <- torch_tensor(c(2, 3), dtype = "double", device = "cuda", requires_grad = TRUE)
  first <- autograd_grad((power(x) * 2)$sum(), x, create_graph = TRUE)[[1]]
  second <- autograd_grad(first$sum(), x, create_graph = TRUE)[[1]]
  third <- autograd_grad(second$sum(), x)[[1]]
  expect_true(third$is_cuda)
  expect_equal(lapply(list(first, second, third), function(g) as.numeric(g)), list(6 * c(2, 3)^2, 12 * c(2, 3), c(12, 12)))
  # Many of them, beside operators, in a deep graph.
  y <- x
  for (i in 1:50) y <- power(y, 1) + 0
  y$sum()$backward()
  expect_equal(as.numeric(x$grad), c(1, 1))
  # A backward inside of a hook, inside of a backward.
  w <- torch_tensor(2, device = "cuda", requires_grad = TRUE)
  v <- torch_tensor(3, device = "cuda", requires_grad = TRUE)
  v$register_hook(function(g) g * autograd_grad(with_enable_grad(w^3), w)[[1]])
  (v * 5)$backward()
  expect_equal(as.numeric(v$grad), 5 * 3 * 2^2)
})

test_that("an error in a hook or a derivative ends the backward and nothing else", {
  skip_if_no_cuda()
  x <- torch_ones(3, device = "cuda", requires_grad = TRUE)
  h <- x$register_hook(function(g) stop("in the hook"))
  for (i in 1:3) expect_error((x * 2)$sum()$backward(), "in the hook")
  h$remove()
  broken <- autograd_function(function(ctx, x) x * 1, function(ctx, grad) torch_ones(2, device = "cuda") + torch_ones(3, device = "cuda"))
  for (i in 1:3) expect_error(broken(x)$sum()$backward(), "size")
  h <- x$register_hook(function(g) torch_zeros(7, device = "cuda"))
  expect_error((x * 2)$sum()$backward(), "shape|size|hook")
  h$remove()
  caller <- function() for (i in 1:3) {
    h <- x$register_hook(function(g) break)
    (x * 2)$sum()$backward()
  }
  expect_error(caller())
  x <- torch_ones(3, device = "cuda", requires_grad = TRUE)
  (x * 2)$sum()$backward()
  expect_equal(as.numeric(x$grad), c(2, 2, 2))
  expect_warning({
    x$register_hook(function(g) {
      warning("noticed")
      g
    })
    (x * 2)$sum()$backward()
  }, "noticed")
})

test_that("an interrupt in a hook, and while the device computes, ends the backward", {
  skip_if_no_cuda()
  skip_on_os("windows")
  interrupted <- function(code) tryCatch({
    code
    "no"
  }, interrupt = function(i) "yes")
  x <- torch_ones(1, device = "cuda", requires_grad = TRUE)
  hook <- x$register_hook(function(g) {
    tools::pskill(Sys.getpid(), tools::SIGINT)
    Sys.sleep(5)
  })
  expect_identical(interrupted((x * 2)$backward()), "yes")
  hook$remove()
  big <- torch_randn(c(2000, 2000), device = "cuda", requires_grad = TRUE)
  y <- big
  for (i in 1:20) y <- torch_matmul(y, big) / 50
  y <- y$sum()
  system(sprintf("(sleep 1; kill -INT %d) &", Sys.getpid()))
  took <- system.time(expect_identical(interrupted(for (i in 1:1e5) autograd_grad(y, big, retain_graph = TRUE)), "yes"))[[3]]
  expect_lt(took, 5)
  z <- torch_ones(1, device = "cuda", requires_grad = TRUE)
  (z * 2)$backward()
  expect_equal(as.numeric(z$grad), 2)
})

test_that("anomalies, tangents, Jacobians and checkpoints of state work there", {
  skip_if_no_cuda()
  x <- torch_tensor(c(-1, 2), device = "cuda", requires_grad = TRUE)
  expect_error(with_detect_anomaly(torch_sqrt(x)$sum()$backward()), "SqrtBackward0")
  p <- torch_tensor(1:3 + 0, device = "cuda")
  v <- torch_tensor(c(1, 0, -2), device = "cuda")
  tangent <- with_forward_ad(forward_ad_unpack_dual(forward_ad_make_dual(p, v)^3)$tangent)
  expect_equal(as.numeric(tangent), 3 * c(1, 4, 9) * c(1, 0, -2))
  jacobian <- autograd_jacobian(function(x) x^2, p)
  expect_equal(as_array(jacobian$cpu()), diag(2 * (1:3)))
  y <- with_no_grad(x * 2)
  expect_false(y$requires_grad)
})

test_that("what a backward on the device held is given back", {
  skip_if_no_cuda()
  live <- function() {
    for (i in 1:3) {
      gc(full = TRUE)
      torch_zeros(1)
    }
    cuda_memory_stats()$allocated_bytes$all$current
  }
  step <- function() {
    x <- torch_ones(1e6, device = "cuda", requires_grad = TRUE)
    f <- autograd_function(function(ctx, x) {
      ctx$save_for_backward(x = x)
      x * 2
    }, function(ctx, grad) list(x = grad * 2))
    y <- f(x) * 3
    y$register_hook(function(g) g + 0 * y)
    y$sum()$backward()
  }
  step()
  before <- live()
  for (i in 1:10) step()
  expect_lt(live() - before, 1e6)
})
