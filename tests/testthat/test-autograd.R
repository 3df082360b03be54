test_that("backward gives the derivative", {
  skip_if_no_torch()
  x <- torch_tensor(c(2, 3), requires_grad = TRUE)
  y <- (x^3)$sum()
  result <- withVisible(y$backward())
  expect_false(result$visible)
  expect_equal(as_array(x$grad), 3 * c(2, 3)^2)
  z <- torch_tensor(c(2, 3), requires_grad = TRUE)
  (z * z)$backward(gradient = torch_tensor(c(1, 10)))
  expect_equal(as_array(z$grad), c(4, 60))
})

test_that("gradients add up until they are cleared", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, 2), requires_grad = TRUE)
  expect_true(is_undefined_tensor(x$grad))
  for (i in 1:3) (x * c(5, 7))$sum()$backward()
  expect_equal(as_array(x$grad), 3 * c(5, 7))
  x$grad$zero_()
  (x * c(5, 7))$sum()$backward()
  expect_equal(as_array(x$grad), c(5, 7))
})

test_that("a graph can be used twice only if it was kept", {
  skip_if_no_torch()
  x <- torch_tensor(2, requires_grad = TRUE)
  y <- x^2
  y$backward(retain_graph = TRUE)
  y$backward()
  expect_equal(as_array(x$grad), 8)
  expect_error(y$backward(), "second time")
})

test_that("backward of several tensors, into some leaves only", {
  skip_if_no_torch()
  x <- torch_tensor(2, requires_grad = TRUE)
  w <- torch_tensor(3, requires_grad = TRUE)
  expect_null(autograd_backward(list(x * w, x^2)))
  expect_equal(as_array(x$grad), 3 + 4)
  expect_equal(as_array(w$grad), 2)
  u <- torch_tensor(2, requires_grad = TRUE)
  v <- torch_tensor(3, requires_grad = TRUE)
  autograd_backward(list(u * v), list(torch_tensor(10)))
  expect_equal(as_array(u$grad), 30)
  (u * v)$backward(inputs = v)
  expect_equal(c(as_array(u$grad), as_array(v$grad)), c(30, 20 + 2))
  expect_error(autograd_backward(list(u * v), list(torch_tensor(1), torch_tensor(1))), "grad_tensors", class = "value_error")
})

test_that("autograd_grad gives gradients and leaves $grad alone", {
  skip_if_no_torch()
  x <- torch_tensor(3, requires_grad = TRUE)
  w <- torch_tensor(4, requires_grad = TRUE)
  g <- autograd_grad(x^2 * w, list(x, w))
  expect_type(g, "list")
  expect_equal(lapply(g, as_array), list(2 * 3 * 4, 9))
  expect_true(is_undefined_tensor(x$grad))
  expect_error(autograd_grad(x^2, list(x, w)), "not have been used|allow_unused")
  g <- autograd_grad(x^2, list(x, w), allow_unused = TRUE)
  expect_equal(as_array(g[[1]]), 6)
  expect_true(is_undefined_tensor(g[[2]]))
  y <- torch_tensor(c(1, 2), requires_grad = TRUE)
  expect_equal(as_array(autograd_grad(y^2, y, grad_outputs = torch_tensor(c(1, 100)))[[1]]), c(2, 400))
  expect_error(autograd_grad(y^2, y), "scalar")
})

test_that("a gradient that comes in has the shape of what it is for", {
  skip_if_no_torch()
  x <- torch_ones(2, 2, requires_grad = TRUE)
  y <- x * 2
  expect_error(
    y$backward(torch_ones(3, 2, 2)), "`gradient` must have the shape of `x`, (2, 2), not (3, 2, 2)",
    class = "value_error", fixed = TRUE
  )
  expect_error(
    autograd_grad(y, x, torch_ones(2)), "`grad_outputs` must have the shape of `outputs`, (2, 2), not (2)",
    class = "value_error", fixed = TRUE
  )
  expect_error(
    autograd_backward(list(y, y$sum()), list(torch_ones(2, 2), torch_ones(1))),
    "Element 2 of `grad_tensors` must have the shape of that of `tensors`, (), not (1)", class = "value_error", fixed = TRUE
  )
  expect_null(x$grad$grad_fn)
  y$backward(torch_ones(2, 2) * 3)
  expect_identical(as_array(x$grad), matrix(6, 2, 2))
})

test_that("flags are TRUE or FALSE", {
  skip_if_no_torch()
  x <- torch_tensor(2, requires_grad = TRUE)
  expect_error(x$backward(retain_graph = "yes"), "`retain_graph` must be TRUE or FALSE", class = "type_error")
  expect_error(autograd_grad(x^2, x, create_graph = NA), "`create_graph` must be TRUE or FALSE", class = "type_error")
  expect_error(autograd_grad(x^2, x, allow_unused = 1), "`allow_unused` must be TRUE or FALSE", class = "type_error")
  expect_error(autograd_backward(x^2, retain_graph = c(TRUE, FALSE)), "`retain_graph` must be", class = "type_error")
  expect_error(optim_sgd(x, 1)$zero_grad(set_to_none = "a"), "`set_to_none` must be TRUE or FALSE", class = "type_error")
  y <- x^2
  expect_equal(as.numeric(autograd_grad(y, x, retain_graph = NULL, create_graph = TRUE)[[1]]), 4)
  expect_equal(as.numeric(autograd_grad(y, x)[[1]]), 4)
})

test_that("gradients of gradients", {
  skip_if_no_torch()
  x <- torch_tensor(2, requires_grad = TRUE, dtype = "double")
  first <- autograd_grad(x^4, x, create_graph = TRUE)[[1]]
  second <- autograd_grad(first, x, create_graph = TRUE)[[1]]
  third <- autograd_grad(second, x)[[1]]
  expect_equal(c(as_array(first), as_array(second), as_array(third)), c(4 * 2^3, 12 * 2^2, 24 * 2))
  expect_false(third$requires_grad)
})

test_that("recording is switched off and on, and restored after errors", {
  skip_if_no_torch()
  x <- torch_tensor(1, requires_grad = TRUE)
  records <- function() (x * 2)$requires_grad
  expect_true(records())
  expect_false(with_no_grad(records()))
  expect_true(with_no_grad(with_enable_grad(records())))
  expect_true(records())
  expect_error(with_no_grad(stop("here")), "here")
  expect_true(records())
  expect_error(with_no_grad(torch_tensor(c(1, 2)) + torch_tensor(c(1, 2, 3))))
  expect_true(records())
  f <- function(fail) {
    local_no_grad()
    if (fail) stop("here")
    records()
  }
  expect_false(f(FALSE))
  expect_true(records())
  expect_error(f(TRUE), "here")
  expect_true(records())
  g <- function() {
    local_no_grad()
    h <- function() {
      local_enable_grad()
      records()
    }
    c(h(), records())
  }
  expect_identical(g(), c(TRUE, FALSE))
  autograd_set_grad_mode(FALSE)
  withr::defer(autograd_set_grad_mode(TRUE))
  expect_false(records())
  autograd_set_grad_mode(TRUE)
  expect_true(records())
  expect_error(autograd_set_grad_mode(NA), "enabled", class = "type_error")
})

test_that("what requires a gradient follows its rules", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, 2))
  expect_identical(x$requires_grad_(TRUE), x)
  expect_true(x$requires_grad && x$is_leaf)
  y <- x * 2
  expect_true(y$requires_grad && !y$is_leaf)
  expect_false(y$detach()$requires_grad)
  expect_error(y$requires_grad_(FALSE), "leaf")
  expect_error(torch_tensor(1L)$requires_grad_(TRUE), "floating point")
  expect_error(x$add_(1), "leaf Variable")
  expect_error(x[1] <- 5, "leaf")
  with_no_grad(x$add_(1))
  expect_equal(as_array(x), c(2, 3))
  expect_error(torch_tensor(1)$backward(), "does not require grad")
  expect_error(y$backward(), "scalar")
  y$retain_grad()
  y$sum()$backward()
  expect_equal(as_array(y$grad), c(1, 1))
})

test_that("gradients agree with finite differences", {
  skip_if_no_torch()
  local_torch_manual_seed(3)
  functions <- list(
    tanh = function(x) torch_tanh(x),
    softmax = function(x) torch_softmax(x, 2)[1, ],
    matmul = function(x) torch_matmul(x, x$t())^2,
    logsumexp = function(x) torch_logsumexp(x, 1),
    cumsum = function(x) torch_cumsum(x, 2)^2,
    index = function(x) x[c(2, 1, 2), 2:3]^3,
    norm = function(x) torch_sqrt(torch_sum(x^2)),
    cat = function(x) torch_cat(list(x, x^2), dim = 1) * 3,
    gather = function(x) torch_gather(x, 2, torch_tensor(matrix(c(1L, 3L, 3L, 2L), 2)))^2,
    layer = function(x) nnf_layer_norm(x, 3) * torch_exp(x),
    where = function(x) torch_where(x > 0, x^2, -x),
    prod = function(x) torch_prod(x, 2) / (1 + x$sum(dim = 2)^2)
  )
  at <- matrix(c(0.3, -0.8, 1.1, 0.6, -0.2, 0.9), 2)
  step <- 1e-5
  for (name in names(functions)) {
    value <- function(m) sum(as_array(functions[[name]](torch_tensor(m, dtype = "double"))) * 1.0)
    x <- torch_tensor(at, dtype = "double", requires_grad = TRUE)
    functions[[name]](x)$sum()$backward()
    numeric <- at
    for (i in seq_along(at)) {
      up <- down <- at
      up[i] <- up[i] + step
      down[i] <- down[i] - step
      numeric[i] <- (value(up) - value(down)) / (2 * step)
    }
    expect_equal(as_array(x$grad), numeric, tolerance = 1e-6, info = name)
  }
})

test_that("the gradients of a small net are PyTorch's", {
  skip_if_no_torch()
  set.seed(5)
  x <- matrix(round(rnorm(12), 3), 4)
  y <- matrix(round(rnorm(4), 3), 4)
  w1 <- matrix(round(rnorm(15), 3), 5)
  w2 <- matrix(round(rnorm(5), 3), 1)
  answer <- python_eval(c(
    "t = lambda v: torch.tensor(v, dtype=torch.float64, requires_grad=True)",
    "w1, w2, x, y = t(w1), t(w2), t(x), t(y)",
    "h = torch.nn.functional.gelu(torch.nn.functional.linear(x, w1))",
    "loss = torch.nn.functional.mse_loss(torch.nn.functional.linear(h, w2), y)",
    "loss.backward()",
    "result = dict(loss=loss.item(), w1=w1.grad.tolist(), w2=w2.grad.tolist(), x=x.grad.tolist())"
  ), x = x, y = y, w1 = w1, w2 = w2)
  t <- function(v) torch_tensor(v, dtype = "double", requires_grad = TRUE)
  p1 <- t(w1)
  p2 <- t(w2)
  input <- t(x)
  loss <- nnf_mse_loss(nnf_linear(nnf_gelu(nnf_linear(input, p1)), p2), t(y))
  loss$backward()
  expect_equal(loss$item(), answer$loss, tolerance = 1e-12)
  expect_equal(as_array(p1$grad), answer$w1, tolerance = 1e-12)
  expect_equal(as_array(p2$grad), answer$w2, tolerance = 1e-12)
  expect_equal(as_array(input$grad), answer$x, tolerance = 1e-12)
})

test_that("NULL is no tensor to differentiate", {
  skip_if_no_torch()
  x <- torch_ones(2, requires_grad = TRUE)
  one <- torch_tensor(1)
  expect_error(autograd_backward(list(NULL), list(one)), "must hold tensors only, and element 1 is NULL", class = "type_error")
  expect_error(autograd_backward(list(x$sum(), NULL)), "element 2 is NULL", class = "type_error")
  expect_error(autograd_grad(list(x$sum()), list(NULL)), "`inputs` must hold tensors only", class = "type_error")
  expect_error(autograd_grad(list(NULL), list(x)), "`outputs` must hold tensors only", class = "type_error")
  # Of the gradients NULL stands for that of a single number.
  expect_equal(as.numeric(autograd_grad(list(x$sum()), list(x), list(NULL))[[1]]), c(1, 1))
})

test_that("a gradient that is set has shape and dtype of its tensor", {
  skip_if_no_torch()
  x <- torch_ones(2, requires_grad = TRUE)
  expect_error(x$grad <- torch_ones(2, dtype = "double"), "the dtype of its tensor, Float, not Double", class = "value_error")
  expect_error(x$grad <- torch_ones(3), "the shape of its tensor, (2), not (3)", class = "value_error", fixed = TRUE)
  error <- tryCatch(x$grad <- torch_ones(3), error = identity)
  expect_identical(conditionCall(error), quote(x$grad <- value))
  x$grad <- torch_ones(2)
  x$grad <- NULL
  expect_true(is.null(x$grad) || is_undefined_tensor(x$grad))
})
