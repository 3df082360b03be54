# Positions in programs, which count from 1 unless the program is traced for those who count from 0.

test_that("a position of 0 that a program meets is an error, as it is in R", {
  skip_if_no_torch()
  table <- torch_tensor(matrix(1:6, 3), dtype = "float")
  functions <- list(
    function(i) torch_embedding(table, i), function(i) torch_index_select(table, 1, i), function(i) table[i],
    function(i) torch_gather(table, 1, i$unsqueeze(2)), function(i) torch_take(table, i), function(i) nnf_one_hot(i, 3),
    function(i) torch_index_fill(table, 1, i, 7), function(i) nnf_nll_loss(table$t(), i$expand(2)),
    function(i) torch_zeros(3)$index_put(list(i), torch_tensor(1)), function(i) table$index_add(1, i, torch_ones(1, 2))
  )
  for (f in functions) for (dtype in c("long", "int")) {
    program <- tryCatch(jit_trace(f, torch_tensor(2L, dtype = dtype)), torch_error = function(e) NULL)
    # Some take int64 alone.
    if (is.null(program) && dtype == "int") next
    for (i in 1:3) {
      i <- torch_tensor(i, dtype = dtype)
      expect_equal(as_array(program(i)), as_array(f(i)), info = deparse(f))
    }
    expect_error(f(torch_tensor(0L, dtype = dtype)), "Indexing starts at 1", class = "torch_error")
    expect_error(program(torch_tensor(0L, dtype = dtype)), class = "torch_error", info = deparse(f))
  }
  # From the end, where LibTorch counts so.
  f <- function(i) table[i]
  expect_equal(as_array(jit_trace(f, torch_tensor(1L))(torch_tensor(-1L))), as_array(f(torch_tensor(-1L))))
  # What is ignored is no position.
  loss <- function(i) nnf_nll_loss(table, i, ignore_index = -100)
  expect_equal(as.numeric(jit_trace(loss, torch_tensor(c(1L, 2L, 1L)))(torch_tensor(c(-100L, 1L, 2L)))), as.numeric(loss(torch_tensor(c(-100L, 1L, 2L)))))
})

test_that("the check travels in the file, to Python too", {
  skip_if_no_torch()
  file <- withr::local_tempfile(fileext = ".pt")
  jit_save(jit_trace(nn_embedding(3, 2), torch_tensor(1L)), file)
  expect_error(jit_load(file)(torch_tensor(0L)), class = "torch_error")
  expect_equal(python_eval("
model = torch.jit.load(file)
try:
  model(torch.tensor([0]))
  result = 'no error'
except Exception as e:
  result = 'error'
result = [result, list(model(torch.tensor([3])).shape)]", file = file), list("error", c(1L, 2L)))
})

test_that("with `index_base = 0` inputs and results count from 0, whoever calls", {
  skip_if_no_torch()
  net <- nn_module(
    initialize = function() self$words <- nn_embedding(4, 3),
    forward = function(tokens) self$words(tokens)$argmax(2)
  )()
  traced <- jit_trace(net, torch_tensor(0:3), index_base = 0)
  expect_equal(as.integer(traced(torch_tensor(0:3))), as.integer(net(torch_tensor(1:4))) - 1L)
  expect_error(traced(torch_tensor(4L)), class = "torch_error")
  expect_error(traced(torch_tensor(-1L)), class = "torch_error")
  file <- withr::local_tempfile(fileext = ".pt")
  jit_save(traced, file)
  expect_equal(
    unlist(python_eval("result = torch.jit.load(file)(torch.arange(4)).tolist()", file = file)),
    as.integer(net(torch_tensor(1:4))) - 1L
  )
  # Of single inputs, and in lists; floats and masks are no positions.
  f <- function(x, tokens, n) list(torch_index_select(x, 1, tokens), n)
  one <- jit_trace(f, torch_tensor(c(5, 6)), torch_tensor(0L), torch_tensor(7L), index_base = c(tokens = 0))
  expect_equal(lapply(one(torch_tensor(c(5, 6)), torch_tensor(1L), torch_tensor(7L)), as.numeric), list(6, 7))
  g <- jit_trace(function(x) torch_index_select(x[[1]], 1, x[[2]]), list(torch_tensor(c(5, 6)), torch_tensor(1L)), index_base = 0)
  expect_equal(as.numeric(g(list(torch_tensor(c(5, 6)), torch_tensor(0L)))), 5)
  module <- jit_trace_module(net, forward = list(torch_tensor(0:3)), index_base = c(tokens = 0))
  expect_equal(as.integer(module(torch_tensor(0:3))), as.integer(net(torch_tensor(1:4))))
  expect_snapshot(error = TRUE, {
    jit_trace(net, torch_tensor(0:3), index_base = 2)
    jit_trace(net, torch_tensor(0:3), index_base = c(words = 0))
  })
})
