# Operators that fail inside a trace.

test_that("an operator that fails with a traced size among its arguments is an error", {
  skip_if_no_torch()
  expect_snapshot(error = TRUE, jit_trace(function(x) x$view(c(x$size(1), 7)), torch_ones(2, 3)))
  expect_error(jit_trace(function(x) torch_full(c(x$size(1), -3L), x$size(2)), torch_ones(2, 3)), class = "torch_error")
  expect_error(jit_trace(function(x) x$narrow(1, 1, x$size(2)), torch_ones(2, 3)), class = "torch_error")
  # The next trace is none the worse.
  expect_equal(as_array(jit_trace(function(x) x$view(c(x$size(1), -1)), torch_ones(2, 3))(torch_ones(4, 3))), as_array(torch_ones(4, 3)))
})

test_that("after a failure that the traced function catches the trace goes on without what failed", {
  skip_if_no_torch()
  program <- jit_compile("def f(x):\n  return torch.matmul(x, torch.ones(7, 7))\n")
  failing <- list(
    function(x) torch_matmul(x, torch_ones(7, 7)), function(x) x$view(c(x$size(1), 7)), function(x) x$add_(torch_ones(7, 7)),
    function(x) x$copy_(torch_ones(7, 7)), function(x) x[7, 1], function(x) x[1, 1] <- torch_ones(3, 4),
    function(x) x[1:2, torch_tensor(c(1L, 2L))] <- torch_ones(7), function(x) x$t()[torch_tensor(9L)], program$f,
    function(x) torch_cat(list(x, torch_ones(7))), function(x) x$to(dtype = "float")$index_select(9, torch_tensor(1L)),
    function(x) nnf_linear(x, torch_ones(7, 7)), function(x) torch_full(c(x$size(1), -3L), 0),
    function(x) (torch_ones(2, requires_grad = TRUE) * 2)$backward(), function(x) torch_ones(2)$add_(x),
    function(x) jit_trace(function(y) torch_matmul(y, y), x)
  )
  kinds <- function(traced) sort(unique(unlist(regmatches(traced$graph$text, gregexpr("aten::[a-z_]+", traced$graph$text)))))
  for (fails in failing) {
    failed <- FALSE
    f <- function(x) {
      y <- x$clone()
      tryCatch(fails(y), error = function(e) failed <<- TRUE)
      y + 1
    }
    traced <- jit_trace(f, torch_ones(2, 3))
    expect_true(failed, info = deparse(fails))
    expect_equal(as_array(traced(torch_zeros(4, 3))), as_array(torch_ones(4, 3)))
    # What was done on the way to it is harmless.
    on_the_way <- c(
      "aten::add", "aten::clone", "aten::select", "aten::slice", "aten::t", "aten::to", "aten::mul", "aten::eq", "aten::gt",
      "aten::sub", "aten::masked_fill"
    )
    expect_equal(setdiff(kinds(traced), on_the_way), character(), info = deparse(fails))
  }
})

test_that("what fails between two steps takes neither out", {
  skip_if_no_torch()
  f <- function(x) {
    y <- x$clone()
    y[1] <- 5
    try(y$view(99), silent = TRUE)
    y[2] <- 6
    try(y$add_(torch_ones(9)), silent = TRUE)
    y$mul_(2)
    try(y[9], silent = TRUE)
    y
  }
  traced <- jit_trace(f, torch_ones(3))
  expect_equal(as_array(traced(torch_tensor(c(1, 2, 3)))), as_array(torch_tensor(c(10, 12, 6))))
})

test_that("an error of R code that LibTorch called, caught in the trace, lets it go on", {
  skip_if_no_torch()
  f <- function(x) {
    y <- torch_ones(2, requires_grad = TRUE)
    z <- y * 2
    z$register_hook(function(g) stop("in the hook"))
    tryCatch(z$sum()$backward(), error = function(e) NULL)
    x * 3
  }
  expect_equal(as_array(jit_trace(f, torch_ones(2))(torch_tensor(c(1, 2)))), as_array(torch_tensor(c(3, 6))))
})

test_that("a compiled function that gives an empty Dict can be called in a trace", {
  skip_if_no_torch()
  program <- jit_compile("
def empty(x) -> Dict[str, Tensor]:
  d: Dict[str, Tensor] = {}
  return d
def nested(x) -> Dict[str, List[Tensor]]:
  d: Dict[str, List[Tensor]] = {}
  return d
")
  traced <- jit_trace(function(x) {
    stopifnot(length(program$empty(x)) == 0, length(program$nested(x)) == 0)
    x + 1
  }, torch_ones(2))
  expect_equal(as_array(traced(torch_zeros(2))), as_array(torch_ones(2)))
})

test_that("an operator that fails while LibTorch still records its arguments leaves no node behind", {
  skip_if_no_torch()
  needs_grad <- torch_tensor(1, requires_grad = TRUE)
  f <- function(x) {
    for (k in 1:3) tryCatch(x * needs_grad, error = function(e) NULL)
    x + 1
  }
  expect_equal(as.numeric(jit_trace(f, torch_tensor(1))(torch_tensor(2))), 3)
})
