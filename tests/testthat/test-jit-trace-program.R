# Programs that are called while another one is traced.

test_that("a traced function or module called while another is traced is recorded in it", {
  skip_if_no_torch()
  inner <- jit_trace(function(y) y$cos(), torch_tensor(1))
  module <- jit_trace(nn_relu(), torch_tensor(1))
  compiled <- jit_compile("def fn(x):\n  return torch.exp(x)\n")$fn
  f <- jit_trace(function(x) compiled(module(inner(x))), torch_tensor(0.5))
  expect_setequal(graph_operators(list(graph = f$inlined_graph)), c("aten::cos", "aten::relu", "aten::exp"))
  expect_equal(as.numeric(f(torch_tensor(c(0, pi)))), exp(c(1, 0)), tolerance = 1e-6)
})

test_that("a trace inside a trace is recorded in it, and leaves no mark of its own", {
  skip_if_no_torch()
  x <- torch_tensor(1)
  f <- jit_trace(function(x) jit_trace(function(y) y * 2, x)(x) + 1, x)
  expect_equal(as.numeric(f(torch_tensor(5))), 11)
  text <- f$inlined_graph$text
  expect_equal(unlist(regmatches(text, gregexpr("aten::\\w+", text))), c("aten::mul", "aten::add"))
  expect_error(jit_trace(function(x) jit_trace(function(y) stop("inner"), x)(x), x), "inner")
  expect_equal(as.numeric(jit_trace(function(x) x * 2, x)(x)), 2)
})

test_that("a module that forwards to a traced child keeps it", {
  skip_if_no_torch()
  child <- jit_trace(nn_linear(2, 1), torch_ones(1, 2))
  Parent <- nn_module(initialize = function(child) self$child <- child, forward = function(x) self$child(x) * 2)
  parent <- Parent(child)
  traced <- jit_trace(parent, torch_ones(1, 2))
  x <- torch_randn(3, 2)
  expect_equal(as_array(traced(x)), 2 * as_array(child(x)))
  expect_equal(names(traced$parameters), c("child.weight", "child.bias"))
})

test_that("of a program that ran before, a trace holds what was written, not what runs: polls of loops, kernels", {
  skip_if_no_torch()
  unit <- jit_compile("
def chain(x):
  return torch.tanh(x * 2 + 1) / 3
def f(x, n: int):
  for i in range(n):
    x = chain(x)
  return x
def g(n: int):
  total = 0
  for i in range(n):
    total += i * i
  return total
")
  x <- torch_randn(3, 20)
  for (i in 1:3) unit$f(x, 3L)
  for (i in 1:3) unit$g(10L)
  traced <- jit_trace(function(x) unit$f(x, 3L) + unit$chain(x) + unit$g(4L), x)
  expected <- unit$f(x, 3L) + unit$chain(x) + 14
  expect_equal(as_array(traced(x)), as_array(expected), tolerance = 1e-6)
  file <- withr::local_tempfile(fileext = ".pt")
  jit_save(traced, file)
  expect_equal(as_array(jit_load(file)(x)), as_array(expected), tolerance = 1e-6)
  expect_no_match(as.character(traced$graph), "torchshim")
})

test_that("script modules that ran before, with gradients, are recorded as what they compute", {
  skip_if_no_torch()
  inner <- jit_trace(nn_sequential(nn_linear(2, 2), nn_batch_norm1d(2), nn_dropout(0.5)), torch_randn(4, 2))
  outer <- nn_module(
    initialize = function() {
      self$head <- nn_linear(2, 1)
      self$inner <- inner
    },
    forward = function(x) self$head(self$inner(x))
  )()
  for (i in 1:3) outer(torch_randn(4, 2))$sum()$backward()
  x <- torch_randn(4, 2)
  traced <- jit_trace(outer, x)
  file <- withr::local_tempfile(fileext = ".pt")
  jit_save(traced, file)
  outer$eval()
  for (program in list(traced$eval(), jit_load(file)$eval())) {
    expect_equal(as_array(program(x)), as_array(outer(x)), tolerance = 1e-6)
  }
  expect_true("inner.0.weight" %in% names(traced$parameters))
})

test_that("a program that is called in a trace keeps its control flow, also when it is gone itself", {
  skip_if_no_torch()
  unit <- jit_compile("
    def positive_sum(x):
      out = torch.zeros(1)
      for i in range(x.size(0)):
        if bool(x[i] > 0):
          out = out + x[i]
      return out
  ")
  f <- jit_trace(function(x) unit$positive_sum(x) * 2, torch_tensor(c(1, -1, 3)))
  rm(unit)
  gc()
  expect_equal(as.numeric(f(torch_tensor(c(1, 2, 3, 4, -1)))), 20)
})
