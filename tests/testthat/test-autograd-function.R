live_bytes <- function() {
  for (i in 1:3) {
    gc(full = TRUE)
    # What was let go is released before the next operator.
    torch_zeros(1)
  }
  gc(full = TRUE)
  asNamespace("torch")$cpp_memory_stats(FALSE)[["live"]]
}

test_that("a function has the derivative that it was given, also a second and a third", {
  skip_if_no_torch()
  f <- cube()
  expect_identical(formals(f), as.pairlist(alist(x = , n = 3)))
  x <- torch_tensor(c(2, 3), dtype = "double", requires_grad = TRUE)
  y <- f(x)
  expect_identical(y$grad_fn$name, "AutogradFunctionBackward")
  expect_equal(as_array(y), c(8, 27))
  first <- autograd_grad(y$sum(), x, create_graph = TRUE)[[1]]
  second <- autograd_grad(first$sum(), x, create_graph = TRUE)[[1]]
  third <- autograd_grad(second$sum(), x)[[1]]
  expect_equal(lapply(list(first, second, third), as_array), list(3 * c(2, 3)^2, 6 * c(2, 3), c(6, 6)))
  f(x, n = 2)$sum()$backward()
  expect_equal(as_array(x$grad), 2 * c(2, 3))
})

test_that("a function whose derivative can reach its own result is freed after the backward", {
  skip_if_no_torch()
  step <- function() {
    x <- torch_ones(1e5, requires_grad = TRUE)
    f <- autograd_function(function(ctx, x) x * 2, function(ctx, grad) list(x = grad * 2))
    y <- f(x)
    y$sum()$backward()
  }
  step()
  before <- live_bytes()
  for (i in 1:10) step()
  expect_lt(live_bytes() - before, 1e5)
  # What is kept for another backward is still there.
  x <- torch_ones(2, requires_grad = TRUE)
  f <- autograd_function(function(ctx, x) x * 2, function(ctx, grad) list(x = grad * 3))
  y <- f(x)$sum()
  y$backward(retain_graph = TRUE)
  y$backward()
  expect_equal(as_array(x$grad), c(6, 6))
  expect_error(y$backward(), "second time")
})

test_that("the derivative is the one that was written, not the recorded one", {
  skip_if_no_torch()
  straight_through <- autograd_function(function(ctx, x) torch_round(x), function(ctx, grad) list(x = grad * 7))
  x <- torch_tensor(c(0.2, 1.7), requires_grad = TRUE)
  straight_through(x)$sum()$backward()
  expect_equal(as_array(x$grad), c(7, 7))
})

test_that("several arguments and results: names, order, what needs nothing", {
  skip_if_no_torch()
  seen <- NULL
  f <- autograd_function(
    forward = function(ctx, a, scale, b) {
      seen <<- ctx$needs_input_grad
      ctx$save_for_backward(a, scale, b)
      list(sum = a * scale + b, note = "kept", product = a * b)
    },
    backward = function(ctx, grad_sum, grad_product) {
      s <- ctx$saved_variables
      list(b = grad_sum + grad_product * s[[1]], a = grad_sum * s[[2]] + grad_product * s[[3]])
    }
  )
  a <- torch_tensor(2, requires_grad = TRUE)
  b <- torch_tensor(5, requires_grad = TRUE)
  out <- f(a, 3, b)
  expect_identical(seen, list(a = TRUE, scale = FALSE, b = TRUE))
  expect_named(out, c("sum", "note", "product"))
  expect_identical(out$note, "kept")
  (out$sum * 10 + out$product)$backward()
  expect_equal(c(as_array(a$grad), as_array(b$grad)), c(10 * 3 + 5, 10 + 2))
  # One of the results is not used: zeros stand for its gradient.
  g <- autograd_grad(f(a, 3, b)$product, list(a, b))
  expect_equal(c(as_array(g[[1]]), as_array(g[[2]])), c(5, 2))
  # b needs none.
  g <- autograd_grad(f(a, 3, b$detach())$sum, a)
  expect_identical(seen$b, FALSE)
  expect_equal(as_array(g[[1]]), 3)
})

test_that("results in lists within the list have gradients too", {
  skip_if_no_torch()
  f <- autograd_function(
    forward = function(ctx, x) list(first = x * 2, rest = list(a = x * 3, b = list(x * 4, "text"))),
    backward = function(ctx, g1, g2, g3) list(x = g1 * 2 + g2 * 30 + g3 * 400)
  )
  x <- torch_tensor(1, requires_grad = TRUE)
  out <- f(x)
  expect_identical(names(out$rest), c("a", "b"))
  expect_identical(out$rest$b[[2]], "text")
  (out$first + out$rest$a * 2 + out$rest$b[[1]] * 3)$backward()
  expect_identical(as_array(x$grad), 2 + 60 + 1200)
})

test_that("a backward of one formal gets several gradients as a list; dots are arguments too", {
  skip_if_no_torch()
  f <- autograd_function(
    function(ctx, ...) {
      x <- list(...)
      list(x[[1]] * 2, x[[2]] * 3)
    },
    function(ctx, grads) list(..1 = grads[[1]] * 2, second = grads[[2]] * 3)
  )
  a <- torch_tensor(1, requires_grad = TRUE)
  b <- torch_tensor(1, requires_grad = TRUE)
  out <- f(a, second = b)
  (out[[1]] + out[[2]])$backward()
  expect_equal(c(as_array(a$grad), as_array(b$grad)), c(2, 3))
})

test_that("missing gradients are zeros, or undefined where that is asked for", {
  skip_if_no_torch()
  seen <- NULL
  two <- function(materialize) {
    autograd_function(
      function(ctx, x) {
        ctx$set_materialize_grads(materialize)
        list(x * 1, x * 2)
      },
      function(ctx, g, h) {
        seen <<- h
        g
      }
    )
  }
  x <- torch_tensor(c(1, 2), requires_grad = TRUE)
  two(TRUE)(x)[[1]]$sum()$backward()
  expect_equal(as_array(seen), c(0, 0))
  two(FALSE)(x)[[1]]$sum()$backward()
  expect_true(is_undefined_tensor(seen))
})

test_that("results that are inputs, changed in place, or without derivative: as PyTorch has them", {
  skip_if_no_torch()
  answer <- python_eval(c(
    "class Dirty(torch.autograd.Function):",
    "    @staticmethod",
    "    def forward(ctx, x):",
    "        x.mul_(3); ctx.mark_dirty(x); return x",
    "    @staticmethod",
    "    def backward(ctx, g): return g * 3",
    "class Same(torch.autograd.Function):",
    "    @staticmethod",
    "    def forward(ctx, x): return x",
    "    @staticmethod",
    "    def backward(ctx, g): return g * 5",
    "class Fixed(torch.autograd.Function):",
    "    @staticmethod",
    "    def forward(ctx, x):",
    "        i = x > 1; ctx.mark_non_differentiable(i); return x * 2, i",
    "    @staticmethod",
    "    def backward(ctx, g, h): return g * 2",
    "def leaf(): return torch.tensor([1., 2.], requires_grad=True)",
    "x = leaf(); y = x * 1; z = Dirty.apply(y); (z * y).sum().backward()",
    "a = leaf(); b = Same.apply(a); same = b is a; b.sum().backward()",
    "c = leaf(); d, i = Fixed.apply(c); d.sum().backward()",
    "result = dict(dirty=z is y, x=x.grad.tolist(), same=same, a=a.grad.tolist(), c=c.grad.tolist(), i=i.requires_grad)"
  ))
  leaf <- function() torch_tensor(c(1, 2), requires_grad = TRUE)
  triple <- autograd_function(
    function(ctx, x) {
      x$mul_(3)
      ctx$mark_dirty(x)
      x
    },
    function(ctx, g) g * 3
  )
  x <- leaf()
  y <- x * 1
  z <- triple(y)
  expect_identical(z, y)
  (z * y)$sum()$backward()
  same <- autograd_function(function(ctx, x) x, function(ctx, g) g * 5)
  a <- leaf()
  b <- same(a)
  b$sum()$backward()
  fixed <- autograd_function(
    function(ctx, x) {
      i <- x > 1
      ctx$mark_non_differentiable(i)
      list(x * 2, i)
    },
    function(ctx, g, h) g * 2
  )
  c <- leaf()
  d <- fixed(c)
  d[[1]]$sum()$backward()
  expect_true(answer$dirty)
  expect_equal(as_array(x$grad), answer$x)
  expect_identical(identical(b, a), answer$same)
  expect_equal(as_array(a$grad), answer$a)
  expect_equal(as_array(c$grad), answer$c)
  expect_identical(d[[2]]$requires_grad, answer$i)
})

test_that("nothing is recorded where nothing is asked for", {
  skip_if_no_torch()
  f <- cube()
  x <- torch_tensor(2, requires_grad = TRUE)
  expect_null(f(torch_tensor(2))$grad_fn)
  expect_null(with_no_grad(f(x))$grad_fn)
  y <- f(x)
  y$backward()
  expect_error(y$backward(), "second time")
  # An input that was changed after it was saved.
  z <- x * 1
  y <- f(z)
  z$add_(1)
  expect_error(y$backward(), "modified by an inplace operation")
})

test_that("wrong gradients are errors that say what was expected", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, 2), requires_grad = TRUE)
  with_backward <- function(backward) {
    autograd_function(function(ctx, x, n) x * n, function(ctx, grad) backward(grad))(x, 2)$sum()$backward()
  }
  expect_snapshot({
    show_error(with_backward(function(g) list(y = g)))
    show_error(with_backward(function(g) list(n = g)))
    show_error(with_backward(function(g) list(x = 2)))
    show_error(with_backward(function(g) list(g)))
    show_error(with_backward(function(g) "none"))
    show_error(with_backward(function(g) list(x = g[1])))
    show_error(with_backward(function(g) stop("in backward")))
    show_error(autograd_function(function(ctx, x) stop("in forward"), function(ctx, g) g)(x))
    show_error(autograd_function(function(ctx, x) "text", function(ctx, g) g)(x))
    show_error(autograd_function(function() 1, function(ctx, g) g))
    show_error(autograd_function(function(ctx, x) x, "g"))
    show_error(autograd_function(function(ctx, x) ctx$mark_dirty(1), function(ctx, g) g)(x))
    show_error(autograd_function(function(ctx, x) ctx$set_materialize_grads("no"), function(ctx, g) g)(x))
  })
  expect_true(is_undefined_tensor(x$grad))
  with_backward(function(g) list(x = g))
  expect_equal(as_array(x$grad), c(1, 1))
})

test_that("errors in R keep their class, and what ran before them stays", {
  skip_if_no_torch()
  x <- torch_tensor(1, requires_grad = TRUE)
  x$register_hook(function(g) rlang::abort("my problem", class = "my_class", data = 7))
  caught <- tryCatch((x * 2)$backward(), my_class = identity)
  expect_identical(caught$data, 7)
  expect_identical(withVisible(tryCatch((x * 2)$backward(), my_class = function(e) "caught"))$value, "caught")
  returned <- (function() {
    y <- x * 2
    y$register_hook(function(g) rlang::return_from(environment(), 3))
    tryCatch(y$backward(), error = function(e) "an error")
  })()
  expect_identical(returned, "an error")
  # Callable again.
  z <- torch_tensor(1, requires_grad = TRUE)
  (z * 2)$backward()
  expect_equal(as_array(z$grad), 2)
})

test_that("graphs of 1e5 operators and of 1e4 R functions", {
  skip_if_no_torch()
  x <- torch_tensor(1, dtype = "double", requires_grad = TRUE)
  y <- x
  for (i in 1:100000) y <- y * 1.00001
  y$backward()
  expect_equal(as_array(x$grad), 1.00001^100000)
  rm(y)
  grow <- autograd_function(
    function(ctx, x) {
      ctx$save_for_backward(x)
      x * 1.0001
    },
    function(ctx, grad) list(x = grad * 1.0001)
  )
  x <- torch_tensor(1, dtype = "double", requires_grad = TRUE)
  y <- x
  for (i in 1:10000) y <- grow(y)
  y$backward()
  expect_equal(as_array(x$grad), 1.0001^10000)
  # The graph goes without a backward too, and what its nodes kept with it.
  before <- live_bytes()
  y <- torch_randn(1000, requires_grad = TRUE)
  for (i in 1:1000) y <- grow(y)
  rm(y)
  expect_lte(live_bytes() - before, 100000)
})

test_that("functions and hooks of a finished graph are freed", {
  skip_if_no_torch()
  f <- cube()
  step <- function() {
    x <- torch_randn(10000, requires_grad = TRUE)
    h <- f(x * 1)
    h$register_hook(function(g) g * 2)
    h$sum()$backward()
    x$grad
  }
  step()
  before <- live_bytes()
  for (i in 1:50) step()
  expect_lte(live_bytes() - before, 200000)
  forward_only <- function() f(torch_randn(10000, requires_grad = TRUE) * 1)
  for (i in 1:50) forward_only()
  expect_lte(live_bytes() - before, 200000)
  # A hook lives on while its tensor does, and on a leaf for good.
  x <- torch_tensor(1, requires_grad = TRUE)
  n <- 0
  x$register_hook(function(g) n <<- n + 1)
  y <- x + 1
  y$register_hook(function(g) n <<- n + 100)
  for (i in 1:3) {
    y$backward()
    gc()
  }
  expect_equal(n, 303)
})

test_that("a net with a function of one's own trains as the built-in one does", {
  skip_if_no_torch()
  my_relu <- autograd_function(
    function(ctx, x) {
      ctx$save_for_backward(x)
      x$clamp(min = 0)
    },
    function(ctx, grad) grad * (ctx$saved_variables[[1]] > 0)
  )
  train <- function(activation) {
    torch_manual_seed(4)
    net <- nn_linear(3, 5)
    out <- nn_linear(5, 1)
    x <- torch_randn(20, 3)
    optimizer <- optim_sgd(c(net$parameters, out$parameters), lr = 0.1)
    vapply(1:5, function(i) {
      optimizer$zero_grad()
      loss <- (out(activation(net(x))) - x$sum(dim = 2, keepdim = TRUE))$square()$mean()
      loss$backward()
      optimizer$step()
      loss$item()
    }, 0)
  }
  expect_equal(train(my_relu), train(nnf_relu), tolerance = 1e-6)
})

test_that("a trace records the operators of forward and says that the derivative is lost", {
  skip_if_no_torch()
  double_slope <- autograd_function(function(ctx, x) x * 3, function(ctx, grad) grad * 100)
  x <- torch_tensor(c(1, 2), requires_grad = TRUE)
  expect_warning(
    traced <- jit_trace(function(x) double_slope(x) + 1, x), "`double_slope\\(x\\)`.* has a derivative of its own",
    class = "torch_tracer_warning"
  )
  expect_equal(as_array(traced(x)), c(4, 7))
  traced(x)$sum()$backward()
  expect_equal(as_array(x$grad), c(3, 3))
  expect_no_warning(jit_trace(function(x) double_slope(x) + 1, x$detach()))
})

test_that("gradients of optional arguments may be NULL from the start", {
  skip_if_no_torch()
  linear <- autograd_function(
    forward = function(ctx, input, weight, bias = NULL) {
      ctx$save_for_backward(input = input, weight = weight, bias = bias)
      output <- input$mm(weight$t())
      if (is.null(bias)) output else output + bias
    },
    backward = function(ctx, grad_output) {
      saved <- ctx$saved_variables
      grads <- list(input = NULL, weight = NULL, bias = NULL)
      if (ctx$needs_input_grad$input) grads$input <- grad_output$mm(saved$weight)
      if (ctx$needs_input_grad$weight) grads$weight <- grad_output$t()$mm(saved$input)
      if (!is.null(saved$bias) && ctx$needs_input_grad$bias) grads$bias <- grad_output$sum(1)
      grads
    }
  )
  x <- torch_randn(4, 3)
  w <- torch_randn(2, 3, requires_grad = TRUE)
  b <- torch_randn(2, requires_grad = TRUE)
  for (with_bias in c(TRUE, FALSE)) for (x_grad in c(TRUE, FALSE)) {
    x <- x$detach()$requires_grad_(x_grad)
    inputs <- c(list(w), if (x_grad) list(x), if (with_bias) list(b))
    expected <- autograd_grad(torch_linear(x, w, if (with_bias) b)$sum(), inputs)
    got <- autograd_grad((if (with_bias) linear(x, w, b) else linear(x, w))$sum(), inputs)
    for (i in seq_along(inputs)) expect_equal(as_array(got[[i]]), as_array(expected[[i]]), tolerance = 1e-6)
  }
  # All of them NULL: nothing is known of the gradient.
  none <- autograd_function(function(ctx, a, b) a * b, function(ctx, grad) list(a = NULL, b = NULL))
  none(w, w)$sum()$backward()
  expect_true(is_undefined_tensor(w$grad))
})
