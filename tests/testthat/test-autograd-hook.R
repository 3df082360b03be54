test_that("hooks see gradients and replace them, in their order, until they are removed", {
  skip_if_no_torch()
  answer <- python_eval(c(
    "x = torch.tensor([1., 2.], requires_grad=True); y = x * 2; seen = []",
    "y.register_hook(lambda g: seen.append(g.tolist()))",
    "h = y.register_hook(lambda g: g * 10)",
    "y.register_hook(lambda g: g + 1)",
    "x.register_hook(lambda g: seen.append(g.tolist()))",
    "(y ** 2).sum().backward(retain_graph=True)",
    "h.remove(); (y ** 2).sum().backward()",
    "result = dict(seen=seen, grad=x.grad.tolist())"
  ))
  x <- torch_tensor(c(1, 2), requires_grad = TRUE)
  y <- x * 2
  seen <- list()
  note <- function(g) {
    seen[[length(seen) + 1]] <<- as_array(g)
    "ignored"
  }
  y$register_hook(note)
  h <- y$register_hook(function(g) g * 10)
  y$register_hook(function(g) g + 1)
  x$register_hook(note)
  (y^2)$sum()$backward(retain_graph = TRUE)
  expect_null(h$remove())
  expect_null(h$remove())
  (y^2)$sum()$backward()
  expect_equal(do.call(rbind, seen), answer$seen)
  expect_equal(as_array(x$grad), answer$grad)
})

test_that("a hook that ends in an assignment leaves the gradient as it is", {
  skip_if_no_torch()
  x <- torch_tensor(c(3, 4), requires_grad = TRUE)
  x$register_hook(function(g) largest <<- g$max())
  largest <- NULL
  (x * x)$sum()$backward()
  expect_equal(as_array(x$grad), c(6, 8))
  expect_equal(as.numeric(largest), 8)
})

test_that("a hook is called whatever R has collected by then", {
  skip_if_no_torch()
  calls <- 0
  through <- function(x, how) {
    y <- x + 0
    y$register_hook(function(g) {
      calls <<- calls + 1
      g * 10
    })
    how(y)
  }
  x <- torch_tensor(c(1, 2), requires_grad = TRUE)
  loss <- through(x, function(y) y$sum())
  gc()
  gc()
  loss$backward()
  expect_equal(calls, 1)
  expect_equal(as_array(x$grad), c(10, 10))
  # Twenty in a row, the tensors gone between each step.
  calls <- 0
  y <- x
  for (i in 1:20) {
    y <- through(y, function(y) torch_sin(y))
    gc(full = i %% 5 == 0)
  }
  y$sum()$backward()
  expect_equal(calls, 20)
  # A second graph over the same tensor, after the first one is used up.
  calls <- 0
  both <- through(x, function(y) list(y$sum(), (y * 2)$sum()))
  gc()
  both[[1]]$backward()
  gc()
  both[[2]]$backward()
  expect_equal(calls, 2)
  # While R collects all the time.
  calls <- 0
  gctorture2(10)
  loss <- tryCatch(through(x, function(y) y$sum()), finally = gctorture2(0))
  loss$backward()
  expect_equal(calls, 1)
})

test_that("a hook that can reach its own tensor is freed with it, used or not", {
  skip_if_no_torch()
  made <- 0
  freed <- 0
  make <- function(use) {
    x <- torch_ones(3, requires_grad = TRUE)
    y <- x * 2
    environment <- environment()
    made <<- made + 1
    reg.finalizer(environment, function(e) freed <<- freed + 1)
    y$register_hook(function(g) g * y)
    x$register_hook(function(g) g * x)
    if (use) y$sum()$backward()
    NULL
  }
  for (use in c(TRUE, FALSE)) for (i in 1:5) make(use)
  for (i in 1:4) gc()
  expect_equal(freed, made)
})

test_that("hooks say what they can't be", {
  skip_if_no_torch()
  x <- torch_tensor(1, requires_grad = TRUE)
  expect_snapshot({
    show_error(x$register_hook("text"))
    show_error(torch_tensor(1)$register_hook(function(g) g))
    show_error({
      x$register_hook(function(g) torch_zeros(3))
      (x * 2)$backward()
    })
    x$register_hook(identity)
  })
})

test_that("hooks compute gradients of their own, nested deeper than LibTorch nests", {
  skip_if_no_torch()
  n <- 0
  nest <- function(k) {
    x <- torch_tensor(1, requires_grad = TRUE)
    x$register_hook(function(g) {
      n <<- n + 1
      autograd_set_grad_mode(TRUE)
      if (k > 1) nest(k - 1)
      NULL
    })
    (x * 2)$backward()
    expect_equal(as_array(x$grad), 2)
  }
  nest(65)
  expect_equal(n, 65)
  # An error at the bottom comes through all of them.
  fails <- function(k) {
    x <- torch_tensor(1, requires_grad = TRUE)
    x$register_hook(function(g) {
      autograd_set_grad_mode(TRUE)
      if (k > 1) fails(k - 1) else stop("at the bottom")
    })
    (x * 2)$backward()
  }
  expect_error(fails(10), "at the bottom")
  expect_error(fails(10), "at the bottom")
  # What the hooks record is recorded as where the backward runs.
  x <- torch_tensor(3, requires_grad = TRUE)
  w <- torch_tensor(2, requires_grad = TRUE)
  x$register_hook(function(g) g * autograd_grad(with_enable_grad(w^3), w)[[1]])
  (x * 5)$backward()
  expect_equal(as_array(x$grad), 5 * 3 * 2^2)
})

test_that("an interrupt in a hook, and while a thread computes, ends the backward", {
  skip_if_no_torch()
  skip_if_no_interrupts()
  interrupted <- function(code) tryCatch({
    code
    "no"
  }, interrupt = function(i) "yes")
  x <- torch_tensor(1, requires_grad = TRUE)
  hook <- x$register_hook(function(g) {
    tools::pskill(Sys.getpid(), tools::SIGINT)
    Sys.sleep(5)
  })
  expect_identical(interrupted((x * 2)$backward()), "yes")
  hook$remove()
  # A backward inside a hook runs beside R, which waits.
  big <- torch_randn(c(700, 700), requires_grad = TRUE)
  y <- big
  for (i in 1:20) y <- torch_matmul(y, big) / 30
  y <- y$sum()
  x$register_hook(function(g) {
    system(sprintf("(sleep 1; kill -INT %d) &", Sys.getpid()))
    repeat autograd_grad(y, big, retain_graph = TRUE)
  })
  expect_identical(interrupted((x * 2)$backward()), "yes")
  z <- torch_tensor(1, requires_grad = TRUE)
  (z * 2)$backward()
  expect_equal(as_array(z$grad), 2)
})
