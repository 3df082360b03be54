sizes_of_graph <- function(f) lengths(regmatches(f$graph$text, gregexpr("aten::size", f$graph$text)))

test_that("a size that goes into an operator follows the input, as in PyTorch", {
  skip_if_no_torch()
  functions <- list(
    first = function(x) x$view(c(x$size(1), -1)),
    last = function(x) x$view(c(-1, x$size(1))),
    shape = function(x) x$reshape(c(x$shape[1], x$shape[2:3])),
    dim = function(x) x$reshape(c(dim(x)[1], prod(dim(x)[-1]))),
    list = function(x) x$reshape(list(x$size(1), -1)),
    arithmetic = function(x) x$reshape(c(x$size(1) * 2L, x$size(2) %/% 2, -1)),
    change = function(x) {
      size <- x$shape
      size[3] <- -1
      x$view(size)
    },
    number = function(x) x / x$size(1) + x$size(2),
    left = function(x) x$size(1) - x,
    factory = function(x) x + torch_ones(x$size(1), 1, 1) * torch_full(x$shape[2:3], 2),
    expand = function(x) torch_zeros(1)$expand(x$shape),
    numel = function(x) x$view(x$numel()),
    minus = function(x) torch_arange(1, x$size(1) - 1),
    total = function(x) x$view(c(sum(x$size(1), 0), -1))
  )
  small <- torch_randn(2, 4, 3)
  large <- torch_randn(6, 2, 5)
  for (name in names(functions)) {
    f <- functions[[name]]
    expect_no_warning(traced <- jit_trace(f, small))
    expect_equal(as_array(traced(large)), as_array(f(large)), tolerance = 1e-6, info = name)
  }
})

test_that("the graph holds the sizes that PyTorch's has", {
  skip_if_no_torch()
  f <- jit_trace(function(x) x$view(c(x$size(1), -1)), torch_randn(2, 3, 4))
  kinds <- function(text) unlist(regmatches(text, gregexpr("(aten|prim)::\\w+", text)))
  theirs <- python_eval("
f = torch.jit.trace(lambda x: x.view(x.size(0), -1), torch.randn(2, 3, 4))
result = [n.kind() for n in f.graph.nodes() if n.kind() not in ('prim::NumToTensor', 'aten::Int')]")
  expect_equal(kinds(f$graph$text), theirs)
  # A size that nobody uses leaves nothing behind.
  expect_equal(sizes_of_graph(jit_trace(function(x) {
    x$shape
    x + 1
  }, torch_randn(2))), 0)
})

test_that("sizes survive the file", {
  skip_if_no_torch()
  f <- jit_trace(function(x) x$view(c(x$size(1) * 2, -1)), torch_randn(2, 3, 4))
  file <- withr::local_tempfile(fileext = ".pt")
  jit_save(f, file)
  expect_equal(python_eval("result = list(torch.jit.load(file)(torch.randn(5, 1, 4)).shape)", file = file), c(10, 2))
})

test_that("a size used as a number of R is frozen with a warning, once a place", {
  skip_if_no_torch()
  x <- torch_randn(3, 2)
  frozen <- function(f) {
    warnings <- character()
    withCallingHandlers(jit_trace(f, x), torch_tracer_warning = function(w) {
      warnings <<- c(warnings, conditionMessage(w))
      invokeRestart("muffleWarning")
    })
    warnings
  }
  uses <- list(
    function(x) x * sqrt(x$size(1)), function(x) if (x$size(1) == 3) x + 1 else x, function(x) x * (x$size(1) / 2),
    function(x) {
      for (i in seq_len(x$size(1))) x <- x + 1
      x
    },
    function(x) x + torch_tensor(matrix(0, x$size(1), 2)), function(x) x[seq_len(x$size(1)), ],
    function(x) x + as.numeric(x$size(2)), function(x) x + c(x$size(1), 0.5)[2], function(x) x * length(x)
  )
  for (f in uses) expect_length(frozen(f), 1)
  expect_length(frozen(function(x) x + nchar(paste("rows:", format(x$shape)[1]))), 0)
})

test_that("sizes look like integers, outside traces they are", {
  skip_if_no_torch()
  kept <- NULL
  printed <- NULL
  jit_trace(function(x) {
    kept <<- x$shape
    printed <<- utils::capture.output(print(x$shape))
    x + 1
  }, torch_randn(3, 2))
  expect_equal(printed, "[1] 3 2")
  expect_true(is.integer(kept))
  expect_equal(as.integer(kept), 3:2)
  expect_equal(kept[1] * 2 + 1, 7)
  expect_equal(c(1, kept), c(1, 3, 2))
  expect_equal(rev(kept), 2:3)
  expect_equal(as.numeric(torch_ones(2, 3)$view(kept)$sum()), 6)
  expect_equal(as.integer(unserialize(serialize(kept, NULL))), 3:2)
  expect_identical(torch_randn(3, 2)$shape, 3:2)
})

test_that("c() of others is not ours", {
  expect_identical(c(1, 2), c(1, 2))
  expect_identical(c(as.Date("2020-01-01"), NA), as.Date(c("2020-01-01", NA)))
  expect_identical(c(NULL, 1L), 1L)
})
