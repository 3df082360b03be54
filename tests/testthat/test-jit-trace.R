# Functions in traces: names, what goes in and comes out, what is recorded, errors. Modules and called programs have files of
# their own.

# Inputs of a graph by name, as its first lines show them.
graph_inputs <- function(f) {
  head <- sub("\\):\n.*", "", as.character(f$graph))
  gsub("%", "", regmatches(head, gregexpr("%[A-Za-z0-9_.]+", head))[[1]])
}

test_that("the arguments of the function name the inputs of the graph, made fit for Python", {
  skip_if_no_torch()
  one <- torch_tensor(1)
  f <- jit_trace(function(my.arg, lambda, self, `2x`) my.arg + lambda * self - `2x`, one, one, one, one)
  expect_equal(graph_inputs(f), c("my_arg", "lambda_", "self_", "_2x"))
  expect_equal(as.numeric(f(torch_tensor(10), torch_tensor(2), torch_tensor(3), torch_tensor(4))), 12)

  file <- withr::local_tempfile()
  jit_save(f, file)
  from_python <- python_eval("
t = torch.tensor
result = torch.jit.load(file)(t(10.), _2x=t(4.), self_=t(3.), lambda_=t(2.)).item()", file = file)
  expect_equal(from_python, 12)
})

test_that("names that become one identifier stay two inputs", {
  skip_if_no_torch()
  f <- jit_trace(function(a.b, a_b) a.b - a_b, torch_tensor(1), torch_tensor(1))
  expect_equal(graph_inputs(f), c("a_b", "a_b_"))
  expect_equal(as.numeric(f(torch_tensor(5), torch_tensor(3))), 2)
})

test_that("example inputs and arguments of calls go by name", {
  skip_if_no_torch()
  f <- jit_trace(function(x, y) x - y, y = torch_tensor(1), torch_tensor(2))
  expect_equal(graph_inputs(f), c("x", "y"))
  expect_equal(as.numeric(f(torch_tensor(5), torch_tensor(3))), 2)
  expect_equal(as.numeric(f(y = torch_tensor(5), x = torch_tensor(3))), -2)
  expect_equal(as.numeric(f(y = torch_tensor(5), torch_tensor(3))), -2)
  # The examples go to the arguments that they name: these shapes fit in one order only.
  product <- jit_trace(function(x, y) x$matmul(y), y = torch_ones(3, 4), x = torch_ones(2, 3))
  expect_equal(dim(product(torch_ones(2, 3), torch_ones(3, 4))), c(2, 4))
  dots <- jit_trace(function(...) Reduce(`-`, list(...)), torch_tensor(1), torch_tensor(2), torch_tensor(4))
  expect_equal(as.numeric(dots(torch_tensor(10), torch_tensor(2), torch_tensor(4))), 4)
})

test_that("lists, named lists and tuples of tensors go in", {
  skip_if_no_torch()
  a <- torch_tensor(c(1, 2))
  b <- torch_tensor(c(10, 20))
  as_list <- jit_trace(function(l) l[[1]] - l[[2]], list(a, b))
  expect_match(as_list$schema, "Tensor[] l", fixed = TRUE)
  expect_equal(as.numeric(as_list(list(b, a))), c(9, 18))

  as_dict <- jit_trace(function(l) l$a - l$b, list(a = a, b = b))
  expect_match(as_dict$schema, "Dict(str, Tensor) l", fixed = TRUE)
  expect_equal(as.numeric(as_dict(list(b = a, a = b))), c(9, 18))

  as_tuple <- jit_trace(function(l) l[[1]] - l[[2]], jit_tuple(list(a, b)))
  expect_match(as_tuple$schema, "(Tensor, Tensor) l", fixed = TRUE)
  expect_equal(as.numeric(as_tuple(jit_tuple(list(b, a)))), c(9, 18))
  expect_error(as_tuple(jit_tuple(list(b, a, a))), class = "type_error")

  named <- jit_trace(function(l) l$a - l$b, jit_tuple(list(a = a, b = b)))
  expect_equal(as.numeric(named(jit_tuple(list(a = b, b = a)))), c(9, 18))

  nested <- jit_trace(function(l) l[[1]]$a - l[[2]][[1]], jit_tuple(list(list(a = a), list(b, b))))
  expect_equal(as.numeric(nested(jit_tuple(list(list(a = b), list(a, b))))), c(9, 18))
})

test_that("lists, named lists and tuples of tensors come out", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, 2))
  numbers <- function(values) lapply(values, as.numeric)
  as_tuple <- jit_trace(function(x) jit_tuple(list(x, x + 1)), x)
  expect_equal(numbers(as_tuple(x)), list(c(1, 2), c(2, 3)))
  as_list <- jit_trace(function(x) list(x, x + 1), x, strict = FALSE)
  expect_equal(numbers(as_list(x)), list(c(1, 2), c(2, 3)))
  expect_match(as_list$schema, "Tensor[]", fixed = TRUE)
  as_dict <- jit_trace(function(x) list(b = x, a = x + 1), x, strict = FALSE)
  expect_equal(numbers(as_dict(x)), list(b = c(1, 2), a = c(2, 3)))
  expect_warning(
    strictly <- jit_trace(function(x) list(b = x, a = x + 1), x), "strict = FALSE", class = "torch_tracer_warning"
  )
  expect_equal(numbers(strictly(x)), list(b = c(1, 2), a = c(2, 3)))
  nested <- jit_trace(function(x) jit_tuple(list(x, jit_tuple(list(x + 1, x + 2)))), x)
  expect_equal(numbers(nested(x)[[2]]), list(c(2, 3), c(3, 4)))
})

test_that("tensors from outside are constants of the graph, also when they change later", {
  skip_if_no_torch()
  w <- torch_tensor(c(2, 3))
  f <- jit_trace(function(x) x * w, torch_tensor(c(1, 1)))
  expect_match(as.character(f$graph), "prim::Constant\\[value=")
  expect_equal(as.numeric(f(torch_tensor(c(10, 10)))), c(20, 30))
  w <- torch_tensor(c(0, 0))
  expect_equal(as.numeric(f(torch_tensor(c(10, 10)))), c(20, 30))
  needs_grad <- torch_tensor(1, requires_grad = TRUE)
  expect_error(jit_trace(function(x) x * needs_grad, torch_tensor(1)), "Cannot insert a Tensor that requires grad")
})

test_that("operators are recorded as they are called", {
  skip_if_no_torch()
  f <- jit_trace(function(x) torch_relu(x$matmul(x))$sum(dim = 1), torch_ones(2, 2))
  expect_equal(graph_operators(f), c("aten::matmul", "aten::relu", "aten::sum"))
  # What PyTorch records for the same function.
  expect_equal(
    graph_operators(f),
    python_eval("
import re
g = torch.jit.trace(lambda x: torch.relu(x.matmul(x)).sum(0), torch.ones(2, 2)).graph
result = re.findall(r'aten::\\w+', str(g))")
  )
})

test_that("a function is run once, a module once in each mode", {
  skip_if_no_torch()
  runs <- 0
  jit_trace(function(x) {
    runs <<- runs + 1
    x + 1
  }, torch_tensor(1))
  expect_equal(runs, 1)

  modes <- logical()
  Counted <- nn_module(forward = function(x) {
    modes <<- c(modes, self$training)
    x + 1
  })
  jit_trace(Counted(), torch_tensor(1))
  expect_equal(modes, c(TRUE, FALSE))
  modes <- logical()
  jit_trace(Counted()$eval(), torch_tensor(1), respect_mode = FALSE)
  expect_equal(modes, FALSE)
})

test_that("an error in a traced function keeps its class, message and data; the next trace works", {
  skip_if_no_torch()
  x <- torch_tensor(1)
  error <- tryCatch(
    jit_trace(function(x) rlang::abort("my words", class = "mine", detail = 42), x),
    mine = identity
  )
  expect_equal(conditionMessage(error), "my words")
  expect_equal(error$detail, 42)
  expect_error(jit_trace(function(x) stop("plain"), x), "^plain$", class = "simpleError")
  expect_error(jit_trace(function(x) x$matmul(torch_ones(3, 3)), torch_ones(2)), "cannot be multiplied", class = "torch_error")
  f <- jit_trace(function(x) x + 1, x)
  expect_equal(graph_operators(f), "aten::add")
  # No graph is open any more: eager operators are not recorded into anything.
  expect_equal(as.numeric(torch_tensor(1) + 1), 2)
})

test_that("restarts, interrupts and returns leave a trace in order", {
  skip_if_no_torch()
  x <- torch_tensor(1)
  expect_equal(withRestarts(jit_trace(function(x) invokeRestart("leave", 8), x), leave = identity), 8)
  expect_equal(tryCatch(jit_trace(function(x) rlang::interrupt(), x), interrupt = function(c) "interrupted"), "interrupted")
  expect_equal(callCC(function(leave) jit_trace(function(x) leave(7), x)), 7)
  # The argument is evaluated while the trace is open, and ends the function that gave it.
  trace_with <- function(argument) jit_trace(function(x) argument, x)
  outer <- function() {
    trace_with(return("early"))
    "late"
  }
  expect_equal(outer(), "early")
  # Clean-up code of the traced function runs on the way out.
  closed <- FALSE
  try(jit_trace(function(x) {
    on.exit(closed <<- TRUE)
    stop("x")
  }, x), silent = TRUE)
  expect_true(closed)
  # A warning is handled where it is raised, and the trace goes on.
  expect_warning(f <- jit_trace(function(x) {
    warning("careful")
    x + 1
  }, x), "careful")
  expect_equal(as.numeric(f(x)), 2)
})

test_that("wrong functions, modules and inputs are refused", {
  skip_if_no_torch()
  x <- torch_tensor(1)
  module <- nn_linear(1, 1)
  expect_snapshot({
    show_error(jit_trace(nn_linear, x))
    show_error(jit_trace(sum, x))
    show_error(jit_trace(1, x))
    show_error(jit_trace(function(x) x, 1L))
    show_error(jit_trace(function(x) x, list(x, "a")))
    show_error(jit_trace(function(x) x, x, x))
    show_error(jit_trace(function(x) x, z = x))
    show_error(jit_trace(function(x) 1, x))
    show_error(jit_trace(function(x) NULL, x))
    show_error(jit_trace_module(1, forward = x))
    show_error(jit_trace_module(module, list(x)))
    show_error(jit_trace_module(module, nope = x))
    show_error(jit_trace_module(module, trainforward = x))
    show_error(jit_trace_module(module, forward = x, respect_mode = NA))
  })
})

test_that("R names are made fit for Python once, and both spellings go at every call", {
  skip_if_no_torch()
  one <- torch_tensor(1)
  f <- jit_trace(function(my.arg, x.1, x.2, lambda) my.arg + 10 * x.1 + 100 * x.2 + 1000 * lambda, one, one, one, one)
  expect_match(f$schema, "Tensor my_arg, Tensor x_1, Tensor x_2, Tensor lambda_", fixed = TRUE)
  call <- function(f) {
    n <- function(i) torch_tensor(i)
    expect_equal(as.numeric(f(n(1), n(2), n(3), n(4))), 4321)
    expect_equal(as.numeric(f(lambda = n(4), x.2 = n(3), my.arg = n(1), x.1 = n(2))), 4321)
    expect_equal(as.numeric(f(lambda_ = n(4), x_2 = n(3), my_arg = n(1), x_1 = n(2))), 4321)
    expect_equal(as.numeric(f(x.2 = n(3), n(1), n(2), n(4))), 4321)
  }
  call(f)
  file <- withr::local_tempfile(fileext = ".pt")
  jit_save(f, file)
  call(jit_load(file))
  value <- python_eval(
    "result = torch.jit.load(file)(my_arg=torch.tensor(1.), x_1=torch.tensor(2.), x_2=torch.tensor(3.), lambda_=torch.tensor(4.)).item()",
    file = file
  )
  expect_equal(value, 4321)
  module <- nn_module(forward = function(my.arg, lambda) my.arg - lambda)()
  traced <- jit_trace(module, torch_tensor(1), torch_tensor(2))
  jit_save(traced, file)
  for (m in list(traced, jit_load(file))) {
    expect_equal(as.numeric(m(lambda = torch_tensor(5), my.arg = torch_tensor(1))), -4)
    expect_equal(as.numeric(m$eval()(lambda_ = torch_tensor(5), my_arg = torch_tensor(1))), -4)
    expect_equal(as.numeric(m$trainforward(lambda = torch_tensor(5), torch_tensor(1))), -4)
  }
})

test_that("no name of an argument is changed in the file", {
  skip_if_no_torch()
  names <- c(
    python_words, "torch", "self", "ops", "fork", "inf", "nan", "CONSTANTS", "aten", "unchecked_cast", "uninitialized",
    "getattr", "x", "x_1", "x.1", "len", "print", "annotate", "Tensor", "int", "0x", "\u00e9t\u00e9", "input", "forward", "range", "%x", "a b"
  )
  f <- eval(call("function", as.pairlist(structure(rep(alist(x = ), length(names)), names = names)), quote(x + len)))
  traced <- do.call(jit_trace, c(list(f), rep(list(torch_tensor(1)), length(names))))
  file <- withr::local_tempfile(fileext = ".pt")
  jit_save(traced, file)
  expected <- python_identifiers(names)
  expect_false(anyDuplicated(expected) > 0)
  seen <- python_eval("result = [a.name for a in torch.jit.load(file).forward.schema.arguments][1:]", file = file)
  expect_equal(seen, expected)
})

test_that("a named tuple keeps its names in the type and back in R", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, 2))
  f <- jit_trace(function(x) jit_tuple(list(low = x - 1, both = jit_tuple(list(a = x, b = x * 2)))), x)
  expect_named(f(x), c("low", "both"))
  expect_named(f(x)$both, c("a", "b"))
  file <- withr::local_tempfile(fileext = ".pt")
  jit_save(f, file)
  expect_named(jit_load(file)(x), c("low", "both"))
  value <- python_eval("y = torch.jit.load(file)(torch.tensor([1., 2.]))\nresult = y.both.b.tolist()", file = file)
  expect_equal(value, c(2, 4))
  # As an input too, and in a list.
  g <- jit_trace(function(p) list(jit_tuple(list(q = p$u + p$v))), jit_tuple(list(u = x, v = x)))
  expect_equal(as.numeric(g(list(u = x, v = x))[[1]]$q), c(2, 4))
})

test_that("a logical in the place of a number gives in a trace what it gives without", {
  skip_if_no_torch()
  uses <- list(
    function(x) x + TRUE, function(x) x * FALSE, function(x) x$fill(TRUE) + x$fill(2) + x$zero(), function(x) x$clone()$fill_(TRUE),
    function(x) x == TRUE, function(x) x$masked_fill(x > 0, TRUE), function(x) torch_where(x > 0, 1, x) + TRUE,
    function(x) torch_full(2, TRUE), function(x) torch_full_like(x, TRUE), function(x) nnf_threshold(x$float(), TRUE, FALSE)
  )
  for (dtype in c("float", "int64", "bool")) {
    x <- torch_tensor(c(2, 0), dtype = dtype)
    for (use in uses) {
      f <- jit_trace(use, x)
      for (made in list(f(x), f(x), jit_unserialize(jit_serialize(f))(x))) {
        expect_equal(made$dtype, use(x)$dtype, info = deparse(body(use)))
        expect_equal(as.numeric(made), as.numeric(use(x)), info = deparse(body(use)))
      }
    }
  }
})
