warning_of <- function(code) {
  seen <- NULL
  withCallingHandlers(code, torch_tracer_warning = function(w) {
    seen <<- c(seen, conditionMessage(w))
    invokeRestart("muffleWarning")
  })
  seen
}

test_that("a program that is right is not accused, whatever it does", {
  skip_if_no_torch()
  expect_no_warning({
    jit_trace(function(x) x + 1, torch_randn(3))
    jit_trace(function(x) torch_log(x), torch_tensor(-1))
    jit_trace(function(x) x$add_(1), torch_randn(3))
    jit_trace(function(x) x + torch_rand(3) + torch_randn_like(x), torch_randn(3))
    jit_trace(function(x) x + stats::runif(1), torch_randn(3))
    jit_trace(nn_sequential(nn_linear(3, 3), nn_dropout(0.5), nn_batch_norm1d(3)), torch_randn(4, 3))
    jit_trace(function(x) list(x, list(x > 0)), torch_randn(3))
  })
})

test_that("the function runs once, and once more for each check input", {
  skip_if_no_torch()
  runs <- 0
  f <- function(x) {
    runs <<- runs + 1
    x * 2
  }
  jit_trace(f, torch_tensor(1))
  expect_equal(runs, 1)
  jit_trace(f, torch_tensor(1), check_inputs = list(list(torch_tensor(2)), torch_tensor(3)))
  expect_equal(runs, 4)
})

test_that("a frozen value is found by further inputs, with its node and line", {
  skip_if_no_torch()
  file <- file.path(withr::local_tempdir(), "frozen.R")
  writeLines(c("f <- function(x) {", "  y <- x * 2", "  k <- as.numeric(y$sum())", "  z <- torch_sin(y)", "  z + k", "}"), file)
  source(file, local = TRUE, keep.source = TRUE)
  seen <- warning_of(jit_trace(f, torch_tensor(1), check_inputs = list(torch_tensor(2))))
  expect_length(seen, 2)
  expect_match(seen[1], "frozen.R:3", fixed = TRUE)
  expect_match(seen[2], "`check_inputs[[1]]`", fixed = TRUE)
  expect_match(seen[2], "frozen.R:5", fixed = TRUE)
  # Another branch is another operator.
  writeLines(c("g <- function(x) {", "  y <- x * 2", "  if (as.logical(y > 0)) {", "    torch_sin(y)", "  } else {", "    torch_cos(y)", "  }", "}"), file)
  source(file, local = TRUE, keep.source = TRUE)
  seen <- warning_of(jit_trace(g, torch_tensor(1), check_inputs = list(torch_tensor(-2))))
  expect_match(seen[2], "aten::cos at frozen.R:6", fixed = TRUE)
})

test_that("state that the graph does not have is found on the example inputs", {
  skip_if_no_torch()
  state <- torch_zeros(1)
  f <- function(x) {
    y <- x * 2
    state$add_(1)
    y + state
  }
  seen <- warning_of(jit_trace(f, torch_tensor(1)))
  expect_match(seen, "does not give what the R function gives for the example inputs")
  expect_length(warning_of(jit_trace(f, torch_tensor(1), check_trace = FALSE)), 0)
})

test_that("inputs that the function changes in place lead to no wrong node, wherever they are held", {
  skip_if_no_torch()
  held <- list(
    function(x) list(x), function(x) list(x = x), function(x) jit_tuple(list(x, x$clone())), function(x) list(list(list(x)))
  )
  for (hold in held) {
    state <- torch_zeros(1)
    f <- function(inputs) {
      x <- inputs[[1]]
      while (is.list(x)) x <- x[[1]]
      x$add_(1)
      state$mul_(2)$sub_(1)
      x + state
    }
    seen <- warning_of(jit_trace(f, hold(torch_ones(2))))
    expect_match(seen, "aten::mul_", fixed = TRUE)
  }
})

test_that("what no output needs is not compared", {
  skip_if_no_torch()
  state <- torch_zeros(3, 4)
  f <- function(x) {
    unused <- x * 2
    state$add_(1)
    torch_sin(state[2, ]) + x[1]
  }
  expect_match(warning_of(jit_trace(f, torch_ones(3))), "aten::add_ at")
})

test_that("the check runs no plan of the executor", {
  skip_if_no_torch()
  f <- jit_trace(function(x) torch_relu(x) + 1, torch_randn(2))
  expect_match(f$graph_for(torch_randn(2))$text, "graph(", fixed = TRUE)
})

test_that("what the check is given is checked", {
  skip_if_no_torch()
  x <- torch_tensor(1)
  expect_snapshot(error = TRUE, {
    jit_trace(function(x) x, x, check_trace = NA)
    jit_trace(function(x) x, x, check_tolerance = -1)
    jit_trace(function(x) x, x, check_inputs = torch_tensor(1))
    jit_trace(function(x) x + 1, x, check_inputs = list(list(x, x)))
    jit_trace(function(x, y) x + y, x, x, check_inputs = list(x))
  })
})
