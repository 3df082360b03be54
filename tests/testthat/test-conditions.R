test_that("every error of the package has its own class, torch_error, and rlang's", {
  skip_if_no_torch()
  classes <- function(expr) setdiff(class(tryCatch(expr, error = identity)), c("rlang_error", "error", "condition"))
  x <- torch_ones(2, 3)
  expect_equal(classes(torch_tensor("a")), c("type_error", "torch_error"))
  expect_equal(classes(torch_ones(-1)), c("value_error", "torch_error"))
  expect_equal(classes(jit_tuple(1)), c("runtime_error", "torch_error"))
  expect_equal(classes(x$view(4)), c("torch_runtime_error", "torch_error"))
  expect_equal(classes(torch_empty(1e15, dtype = torch_uint8())), c("torch_memory_error", "torch_error"))
  expect_s3_class(tryCatch(x$view(4), error = identity), "rlang_error")
})

test_that("the message is LibTorch's own problem, without the trace of its C++ frames", {
  skip_if_no_torch()
  x <- torch_ones(2, 3)
  error <- tryCatch(torch_matmul(x, x), error = identity)
  expect_equal(conditionMessage(error), "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)")
  # PyTorch says the same.
  expect_equal(conditionMessage(error), python_eval("
try:
    torch.ones(2, 3).matmul(torch.ones(2, 3))
except RuntimeError as e:
    result = str(e)"))
  expect_no_match(conditionMessage(error), "frame #|Exception raised from|\\.so|\\.cpp")
  # It is kept, and shown on request.
  expect_match(error$cpp_trace, "cannot be multiplied.*\n.*(frame #0|Exception raised from)")
  withr::local_options(torch.cpp_trace = TRUE)
  expect_error(torch_matmul(x, x), "frame #0|Exception raised from", class = "torch_runtime_error")
})

test_that("messages begin with the problem and end with it", {
  skip_if_no_torch()
  messages <- vapply(list(
    quote(jit_compile("def f(x):\n  return torch.nope(x)\n")), quote(jit_compile("def f(x):\n  return y\n")),
    quote(jit_load(system.file("DESCRIPTION", package = "torch"))), quote(torch_ones(2)$view(3))
  ), function(call) conditionMessage(tryCatch(eval(call), error = identity)), "")
  expect_equal(messages, trimws(messages))
})

# The call that an error shows, as text.
call_of <- function(expr) {
  error <- tryCatch({
    expr
    NULL
  }, error = identity)
  paste(deparse(conditionCall(error)), collapse = " ")
}

test_that("the call shown is the one that the user wrote", {
  skip_if_no_torch()
  x <- torch_ones(2, 3)
  other <- torch_ones(4)
  linear <- nn_linear(2, 2)
  traced <- jit_trace(function(x) x$view(6), x)
  # Functions and methods of operators.
  expect_equal(call_of(torch_matmul(x, x)), "torch_matmul(x, x)")
  expect_equal(call_of(torch_cat(list(x, other))), "torch_cat(list(x, other))")
  expect_equal(call_of(x$view(4)), "x$view(4)")
  expect_equal(call_of(x$sum(dim = 7)), "x$sum(dim = 7)")
  # S3 operators and functions.
  expect_equal(call_of(x + other), "x + other")
  expect_equal(call_of(1 - x * "a"), "x * \"a\"")
  expect_equal(call_of(-torch_tensor(TRUE)), "-torch_tensor(TRUE)")
  expect_equal(call_of(mean(x, 9)), "mean(x, 9)")
  expect_equal(call_of(x[5, 1]), "x[5, 1]")
  # Through helpers of the package, at any depth.
  expect_equal(call_of(torch_tensor("a")), "torch_tensor(\"a\")")
  expect_equal(call_of(nnf_linear(x, other)), "nnf_linear(x, other)")
  expect_equal(call_of(linear(x)), "linear(x)")
  expect_equal(call_of(traced(other)), "traced(other)")
  expect_equal(call_of(jit_trace(function(x) 1, x)), "jit_trace(function(x) 1, x)")
  expect_equal(call_of(jit_compile("def")), "jit_compile(\"def\")")
  expect_equal(call_of(autograd_grad(x, x)), "autograd_grad(x, x)")
  expect_equal(call_of(x$backward()), "x$backward()")
})

test_that("the call is not that of a function of the package in whose argument the user made it", {
  skip_if_no_torch()
  x <- torch_ones(2, 3)
  expect_equal(call_of(with_no_grad(x$view(4))), "x$view(4)")
  expect_equal(call_of(torch_relu(torch_matmul(x, x))), "torch_matmul(x, x)")
  expect_equal(call_of(nnf_relu(torch_matmul(x, x))), "torch_matmul(x, x)")
  # Nor of a function of the package that called the user's.
  expect_equal(call_of(jit_trace(function(x) x$view(4), x)), "x$view(4)")
  net <- nn_module(forward = function(x) torch_matmul(x, x))()
  expect_equal(call_of(net(x)), "torch_matmul(x, x)")
  # The user's own functions are no part of it.
  mine <- function(x) torch_matmul(x, x)
  expect_equal(call_of(mine(x)), "torch_matmul(x, x)")
  expect_equal(call_of(lapply(list(1, 2), function(i) torch_matmul(x, x))), "torch_matmul(x, x)")
})

test_that("the call of a dead handle is the user's too", {
  skip_if_no_torch()
  dead <- unserialize(serialize(jit_trace(nn_linear(1, 1), torch_ones(1, 1)), NULL))
  expect_equal(call_of(dead$weight), "dead$weight")
  f <- unserialize(serialize(jit_trace(function(x) x + 1, torch_ones(1)), NULL))
  expect_equal(call_of(f$graph), "f$graph")
  withr::local_options(torch.serialize_in_rds = FALSE)
  x <- unserialize(serialize(torch_ones(1), NULL))
  expect_equal(call_of(x + 1), "x + 1")
  expect_equal(call_of(x$sum()), "x$sum()")
})

test_that("errors are raised the same from deep stacks, in handlers and in loops", {
  skip_if_no_torch()
  x <- torch_ones(2, 3)
  deep <- function(n) if (n == 0) torch_matmul(x, x) else deep(n - 1)
  expect_equal(call_of(deep(100)), "torch_matmul(x, x)")
  caught <- 0
  for (i in 1:200) tryCatch(torch_matmul(x, x), torch_error = function(e) caught <<- caught + 1)
  expect_equal(caught, 200)
  nested <- tryCatch(torch_matmul(x, x), error = function(e) tryCatch(x$view(4), error = conditionMessage))
  expect_match(nested, "invalid for input of size 6")
})

test_that("values are named in messages as a user would", {
  says <- function(x) friendly_type(x)
  expect_equal(says(NULL), "NULL")
  expect_equal(says(1), "the number 1")
  expect_equal(says(2.5), "the number 2.5")
  expect_equal(says(1L), "the integer 1")
  expect_equal(says(TRUE), "the logical TRUE")
  expect_equal(says("a"), "the character \"a\"")
  expect_equal(says("a\nb"), "the character \"a\\nb\"")
  expect_equal(says(NA), "NA")
  expect_equal(says(NA_real_), "NA")
  expect_equal(says(1:3), "an integer vector of length 3")
  expect_equal(says(c(1, 2)), "a double vector of length 2")
  expect_equal(says(character()), "a character vector of length 0")
  expect_equal(says(letters), "a character vector of length 26")
  expect_equal(says(raw(2)), "a raw vector of length 2")
  expect_equal(says(c(1i, 2)), "a complex vector of length 2")
  expect_equal(says(matrix(1:4, 2)), "an integer matrix")
  expect_equal(says(array(1, c(1, 2, 3))), "a double array")
  expect_equal(says(list(1, 2)), "a list of length 2")
  expect_equal(says(structure(list(), class = "own")), "a list of length 0 of class own")
  expect_equal(says(mtcars), "a data frame")
  expect_equal(says(factor("a")), "a factor")
  expect_equal(says(sum), "a function")
  expect_equal(says(function(x) x), "a function")
  expect_equal(says(new.env()), "an environment")
  expect_equal(says(quote(a)), "an object of type symbol")
  expect_equal(says(quote(a + b)), "an object of type language")
  expect_equal(says(structure(1, class = "jit_scalar")), "the number 1")
})

test_that("tensors, modules and big integers too", {
  skip_if_no_torch()
  expect_equal(friendly_type(torch_ones(1)), "a tensor")
  expect_equal(friendly_type(nn_relu()), "an nn_module")
  expect_equal(friendly_type(jit_compile("def f(x):\n  return x\n")$f), "a function")
  skip_if_not_installed("bit64")
  expect_equal(friendly_type(bit64::as.integer64(1:2)), "an integer64 vector of length 2")
  expect_equal(friendly_type(bit64::as.integer64("9007199254740993")), "the integer64 9007199254740993")
})

test_that("positions in LibTorch's messages count from 1", {
  skip_if_no_torch()
  x <- torch_tensor(matrix(c(1, 2, 3, 4, 5, 6), 2))
  message <- function(code) conditionMessage(tryCatch(code, error = identity))
  has <- function(code, text) {
    said <- message(code)
    expect_match(said, text, fixed = TRUE)
  }
  has(torch_sum(x, dim = 3), "expected to be in range of [-2, 2], but got 3)")
  has(torch_sum(x, dim = -3), "expected to be in range of [-2, 2], but got -3)")
  has(torch_sum(torch_scalar_tensor(1), dim = 2), "[-1, 1], but got 2)")
  has(torch_unsqueeze(x, 5), "[-3, 3], but got 5)")
  has(x[3, 1], "index 3 out of range for tensor of size [2, 3] at dimension 1")
  has(x[1, 4], "index 4 out of range for tensor of size [3] at dimension 1")
  has(x[-3, 1], "index -3 out of range")
  has(x[c(1, 5), ], "index 5 is out of bounds for dimension 1 with size 2")
  has(x[c(TRUE, FALSE, TRUE), ], "[3] at index 1 does not match the shape of the indexed tensor [2, 3] at index 1")
  has(x + torch_zeros(2), "at non-singleton dimension 2")
  has(torch_cat(list(x, torch_zeros(3, 4))), "tensor number 2 in the list")
  has(torch_cat(list(x, torch_zeros(3, 4))), "except in dimension 1")
  has(torch_stack(list(x, torch_zeros(3))), "[2, 3] at entry 1 and [3] at entry 2")
  has(torch_index_select(x, 1, torch_tensor(3L)), "index")
  has(torch_narrow(x, 1, 2, 5), "start (2) + length (5)")
  has(torch_diagonal(x, dim1 = 1, dim2 = 1), "cannot be identical 1, 1")
  has(torch_amax(torch_zeros(0, 2), dim = 1), "reduction dim 1")
  has(torch_flip(x, c(1, 1)), "dim 1 appears")
  has(torch_split(x, c(1, 3)), "at dimension 1")
  has(torch_cross(x, x, dim = 1), "dimension 1")
  has(torch_nll_loss(x, torch_tensor(c(1L, 5L))), "Target 5 is out of bounds")
  has(torch_gather(x, 1, torch_tensor(matrix(5L))), "index 5 is out of bounds for dimension 1 with size 2")
  # What LibTorch's own functions are given by their own names counts as they do.
  has(jit_ops$aten$sum(x, 2L), "[-2, 1], but got 2)")
  # Numbers that are no positions stay.
  has(torch_matmul(x, x), "(2x3 and 2x3)")
  has(x$view(c(4, 4)), "shape '[4, 4]' is invalid for input of size 6")
})

test_that("LibTorch's warnings are R warnings", {
  skip_if_no_torch()
  # In a process of its own: LibTorch gives this one once.
  warned <- callr::r(function() {
    library(torch)
    w <- tryCatch(torch_chain_matmul(list(torch_eye(2), torch_eye(2))), warning = identity)
    c(class(w)[1], deparse(conditionCall(w)), conditionMessage(w))
  })
  expect_identical(warned[1:2], c("torch_warning", "torch_chain_matmul(list(torch_eye(2), torch_eye(2)))"))
  expect_match(warned[3], "torch_chain_matmul is deprecated.* Use linalg_multi_dot instead")
})

test_that("an error in a layer says which one it was", {
  skip_if_no_torch()
  net <- nn_module(
    "net", initialize = function() self$body <- nn_sequential(nn_linear(2, 3), nn_relu(), nn_linear(4, 1)), forward = function(x) self$body(x)
  )()
  expect_snapshot(error = TRUE, {
    net(torch_ones(1, 2))
    nn_sequential(nn_lstm(2, 3))(torch_ones(1, 2, 5))
    nn_linear(4, 1)(torch_ones(1, 2))
    jit_trace(net, torch_ones(1, 2))
  })
  # A layer that is made within another is none that was called.
  outer <- nn_module("outer", initialize = function() self$inner <- nn_linear("a", 1))
  expect_no_match(conditionMessage(tryCatch(outer(), error = identity)), "In `", fixed = TRUE)
})
