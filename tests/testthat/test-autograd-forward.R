test_that("a dual tensor carries the derivative along its tangent", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, 2, 3))
  v <- torch_tensor(c(1, 0, -2))
  parts <- with_forward_ad({
    y <- forward_ad_make_dual(x, v)^3
    forward_ad_unpack_dual(y)
  })
  expect_named(parts, c("primal", "tangent"))
  expect_equal(as_array(parts$primal), c(1, 8, 27))
  expect_equal(as_array(parts$tangent), 3 * c(1, 4, 9) * c(1, 0, -2))
  # A constant has none, and grad mode has no part in it.
  with_forward_ad(expect_null(forward_ad_unpack_dual(x)$tangent))
  tangent <- with_forward_ad(with_no_grad(forward_ad_unpack_dual(torch_sin(forward_ad_make_dual(x, v)))$tangent))
  expect_equal(as_array(tangent), cos(1:3) * c(1, 0, -2), tolerance = 1e-6)
})

test_that("tangents go with their region", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, 2))
  dual <- with_forward_ad(forward_ad_make_dual(x, x))
  with_forward_ad(expect_null(forward_ad_unpack_dual(dual)$tangent))
  expect_error(with_forward_ad(stop("here")), "here")
  f <- function() {
    local_forward_ad()
    as_array(forward_ad_unpack_dual(forward_ad_make_dual(x, x) * 2)$tangent)
  }
  expect_identical(f(), c(2, 4))
  expect_identical(f(), c(2, 4))
})

test_that("derivatives of functions are PyTorch's", {
  skip_if_no_torch()
  a <- matrix(c(0.5, -1, 2, 0.25, 1, -0.5), 2)
  b <- c(1, -2, 0.5)
  va <- matrix(c(1, 0, -1, 2, 0.5, 1), 2)
  vb <- c(0.5, 1, -1)
  known <- python_eval(c(
    "from torch.autograd import functional as F",
    "T = lambda m: torch.tensor(m, dtype=torch.float64)",
    "f = lambda a, b: torch.tanh(a * b).sum(1)",
    "g = lambda a, b: (torch.sin(a * b) ** 2).sum()",
    "x = (T(a), T(b)); v = (T(va), T(vb)); w = T([1., -2.])",
    "L = lambda r: [L(e) for e in r] if isinstance(r, (tuple, list)) else r.flatten().tolist()",
    "result = dict(jvp=L(F.jvp(f, x, v)), vjp=L(F.vjp(f, x, w)), hvp=L(F.hvp(g, x, v)), jacobian=L(F.jacobian(f, x)),",
    "  hessian=L(F.hessian(g, x)), func=L(torch.func.jvp(f, x, v)))"
  ), a = a, b = b, va = va, vb = vb)
  tensor <- function(x) torch_tensor(x, dtype = "double")
  x <- list(tensor(a), tensor(b))
  v <- list(tensor(va), tensor(vb))
  f <- function(a, b) torch_sum(torch_tanh(a * b), 2)
  g <- function(a, b) torch_sum(torch_sin(a * b)^2)
  flat <- function(r) if (is_torch_tensor(r)) as_array(r$reshape(-1)) else unlist(lapply(r, flat))
  same <- function(have, wanted) expect_equal(flat(have), as.double(unlist(wanted)), tolerance = 1e-12)
  # Matrices of Python come in R's order.
  rows <- function(r) if (is.list(r)) lapply(r, rows) else if (is.matrix(r)) as.vector(t(r)) else r
  same(autograd_jvp(f, x, v), rows(known$jvp))
  same(autograd_jvp(f, x, v), rows(known$func))
  same(autograd_vjp(f, x, tensor(c(1, -2))), rows(known$vjp))
  same(autograd_hvp(g, x, v), rows(known$hvp))
  same(autograd_jacobian(f, x), rows(known$jacobian))
  same(autograd_hessian(g, x), rows(known$hessian))
  expect_identical(dim(autograd_jacobian(f, x)[[1]]), c(2L, 2L, 3L))
  expect_identical(dim(autograd_hessian(g, x)[[2]][[1]]), c(3L, 2L, 3L))
})

test_that("one input, several results, and none that matters", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, 2))
  one <- torch_ones(2)
  jvp <- autograd_jvp(function(x) list(x^2, torch_ones(3)), x, one)
  expect_identical(lapply(jvp[[2]], as_array), list(c(2, 4), c(0, 0, 0)))
  vjp <- autograd_vjp(function(x) list(x^2, x$sum()), x, list(one, torch_tensor(10)$squeeze()))
  expect_identical(as_array(vjp[[2]]), c(2, 4) + 10)
  expect_false(vjp[[1]][[1]]$requires_grad)
  expect_identical(as_array(autograd_vjp(function(x) torch_sum(x^2), x)[[2]]), c(2, 4))
  expect_identical(as_array(autograd_jacobian(function(x) torch_ones(2), x)), matrix(0, 2, 2))
  expect_identical(dim(autograd_jacobian(function(x) torch_narrow(x, 1, 1, 0), x)), c(0L, 2L))
  expect_identical(as_array(autograd_hessian(function(x) torch_sum(x), x)), matrix(0, 2, 2))
  expect_false(x$requires_grad)
  # Recorded: through the derivative to a tensor before it.
  w <- torch_tensor(3, requires_grad = TRUE)
  slope <- autograd_vjp(function(x) torch_sum(x^3), w * 2, create_graph = TRUE)[[2]]
  expect_equal(as_array(autograd_grad(slope, w)[[1]]), 6 * 6 * 2)
  expect_equal(as_array(autograd_jacobian(function(x) x^3, w * 2, create_graph = TRUE)$detach()), matrix(3 * 36))
})

test_that("forward over reverse gives second derivatives", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, 2, 3), dtype = "double")
  v <- torch_tensor(c(1, -1, 2), dtype = "double")
  product <- with_forward_ad({
    dual <- forward_ad_make_dual(x$clone()$requires_grad_(TRUE), v)
    forward_ad_unpack_dual(autograd_grad(torch_sum(dual^3), dual, create_graph = TRUE)[[1]])$tangent
  })
  expect_equal(as_array(product), 6 * (1:3) * c(1, -1, 2))
  expect_equal(as_array(product), as_array(autograd_hvp(function(x) torch_sum(x^3), x, v)[[2]]))
})

test_that("wrong calls of forward mode say what is wrong", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, 2))
  square <- function(x) x^2
  expect_snapshot(error = TRUE, {
    forward_ad_make_dual(x, x)
    forward_ad_unpack_dual(x)
    with_forward_ad(with_forward_ad(1))
    with_forward_ad(forward_ad_make_dual(x, torch_ones(3)))
    with_forward_ad(forward_ad_make_dual(x, torch_ones(2, dtype = "double")))
    with_forward_ad(forward_ad_make_dual(torch_tensor(1:2), torch_tensor(1:2)))
    with_forward_ad(forward_ad_make_dual(1, x))
    autograd_jvp(square, x, list(x, x))
    autograd_jvp(square, x, torch_ones(3))
    autograd_jvp(square, x, 1)
    autograd_jvp("square", x, x)
    autograd_jvp(square, 1, x)
    autograd_vjp(square, list(x, 1), x)
    autograd_jacobian(function(x) list(x, x), x)
    autograd_jacobian(function(x) 1, x)
  })
  rows <- function(x) x$view(c(1, 2))
  expect_error(autograd_jvp(function(x) torch_cdist(rows(x), rows(x)), x, x), "forward AD", class = "torch_error")
  # Nothing is left open.
  expect_identical(as_array(autograd_jvp(square, x, x)[[2]]), c(2, 8))
})
