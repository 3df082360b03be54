# Functions that are values in compiled code. What a program gives is compared with what R gives (helper-script.R).

test_that("functions are arguments, results and parts of lists", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, -2, 3))
  twice <- function(f, x) f(f(x))
  expect_same(function(x) twice(torch_tanh, x), x)
  expect_same(function(x) twice(function(z) z * 2 + 1, x), x)
  # What a function reads around it goes with it.
  expect_same(function(x, a) twice(function(z) z * a, x), x, 3)
  expect_same(function(x, a) {
    shift <- function(z) z + a
    a <- a * 2
    twice(shift, x) + shift(x)
  }, x, 3)
  adder <- function(a) function(x) x + a
  expect_same(function(x) {
    add <- adder(2)
    add(x) + adder(5)(x)
  }, x)
  expect_same(function(x) {
    steps <- list(torch_relu, function(z) z - 1, abs)
    for (step in steps) x <- step(x)
    x + steps[[2]](x)
  }, x)
  expect_same(function(x) {
    parts <- list(up = function(z) z + 1, down = function(z) z - 1)
    parts$up(x) * parts[["down"]](x)
  }, x)
  compose <- function(f, g) function(x) g(f(x))
  expect_same(function(x) compose(compose(torch_exp, torch_log), function(z) z * 3)(x), x$abs())
  # In numbers too.
  simpson <- function(f, a, b, n) {
    h <- (b - a) / n
    total <- f(a) + f(b)
    for (i in seq_len(n - 1L)) total <- total + (if (i %% 2L == 1L) 4 else 2) * f(a + i * h)
    total * h / 3
  }
  expect_same(function(b) simpson(function(t) t^3 - b, 0, b, 10L), 2)
})

test_that("what is known chooses between functions", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, -2))
  chosen <- function(x, how = "relu") {
    f <- switch(how, relu = torch_relu, double = function(z) z * 2, abs)
    f(x)
  }
  for (how in c("relu", "double", "other")) {
    f <- eval(bquote(function(x) chosen(x, .(how))))
    environment(f) <- environment()
    expect_same(f, x)
  }
  other <- function(x, f = NULL) {
    if (is.null(f)) f <- function(z) z - 1
    f(x)
  }
  expect_same(function(x) other(x) + other(x, torch_abs), x)
  expect_same(function(x) if (is.function(x)) x else x + 1, x)
})

test_that("lapply() and its kin, and do.call(), take variables that are functions", {
  skip_if_no_torch()
  xs <- list(torch_tensor(c(1, -2)), torch_tensor(c(3, -4)))
  each <- function(xs, f) lapply(xs, f)
  expect_same(function(xs) each(xs, torch_relu), xs, program = jit_script(function(xs) each(xs, torch_relu), xs = "List[Tensor]"))
  scale <- function(x, by = 1, offset = 0) x * by + offset
  expect_same(function(x) {
    arguments <- list(x = x, offset = 2)
    do.call(scale, c(arguments, list(by = 3))) + do.call("scale", list(x))
  }, xs[[1]])
  expect_same(function(x) {
    f <- function(x, y) x - y
    Reduce(f, list(x, x * 2, x * 3)) + do.call(f, list(y = x, x = x * 5))
  }, xs[[1]])
})

test_that("functions are called by strings, and syntax as functions", {
  skip_if_no_torch()
  twice <- function(v) v * 2
  for (f in list(
    function(n) sum(sapply(list(NULL, c(1, 2), NULL), is.null)), function(n) sapply(list(c(1, 2), c(n, 4)), "[[", 1), function(n) sapply(list(list(a = 1, b = "x"), list(a = n, b = "y")), `[[`, "a"),
    function(n) lapply(list(c(1, 2, 3), c(n, 4, 5)), "[", 2:3), function(n) sapply(c(1, n), "twice"), function(n) Reduce("+", c(1, n, 5)), function(n) do.call("sum", list(1, n)),
    function(n) do.call("twice", list(n)), function(n) mapply(FUN = "+", c(1, 2), c(n, 4)), function(n) length(Filter(function(z) !is.null(z), list(1, NULL, n))),
    function(n) findInterval(c(1, n, 12), c(0, 2, 10)), function(n) findInterval(n, c(0, 2, 10))
  )) expect_same(f, 3)
  expect_error(jit_script(function(n) Filter(function(z) TRUE, list(1, "a")), 1), "elements of this list are of several types", class = "torch_error")
  expect_error(jit_script(function(n) rapply(list(1, 2), function(z) z), 1), "Write a loop over each level", class = "torch_error")
  expect_error(jit_script(function(n) tapply(n, n, sum), 1), "write a loop over the groups", class = "torch_error")
})

test_that("functions in fields of modules, and methods of classes above, are called", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, -2))
  base <- nn_module(
    "base",
    initialize = function(f = torch_relu) {
      self$f <- f
      self$factor <- 2
      self$times <- 0L
    },
    forward = function(x) {
      self$times <- self$times + 1L
      self$f(x) * self$factor
    },
    describe = function(x) x + 1
  )
  middle <- nn_module("middle", base, forward = function(x) super$forward(x) + 10, describe = function(x) super$describe(x) * 2)
  top <- nn_module("top", middle, forward = function(x) super$forward(x) - super$describe(x))
  for (module in list(base(), base(function(z) z * 3), middle(), top(), top(torch_abs))) {
    expect_equal(plain(jit_script(module, x)(x)), plain(module(x)))
  }
  program <- jit_script(top(), x)
  program(x)
  program(x)
  expect_equal(program$times, 2)
  path <- withr::local_tempfile(fileext = ".pt")
  jit_save(program, path)
  got <- python_eval("result = torch.jit.load(path)(torch.tensor(x)).tolist()", path = path, x = c(1, -2))
  expect_equal(as.numeric(got), as.numeric(top()(x)))
})

test_that("what can't be chosen, or would read other values in R, is refused", {
  skip_if_no_torch()
  # What a snapshot holds has its source or not, by the version of testthat.
  with_source <- function(...) eval(parse(text = c(...), keep.source = TRUE))
  makes <- with_source("function(x) {", "  make <- function(a) function(z) z + a", "  make(x)", "}")
  loops <- with_source(
    "function(x) {", "  parts <- list()", "  for (i in 1:3) parts <- append(parts, list(function(z) z * i))", "  x", "}"
  )
  expect_snapshot(error = TRUE, jit_script(makes, torch_ones(1)))
  expect_snapshot(error = TRUE, jit_script(loops, torch_ones(1)))
  expect_error(jit_script(function(x) {
    f <- if (as.logical(x > 0)) torch_relu else torch_abs
    f(x)
  }, torch_ones(1)), "which function this is", class = "torch_error")
  expect_error(jit_script(function(x) {
    f <- function(z) twice(f, z)
    f(x)
  }, torch_ones(1)), "passes itself on", class = "torch_error")
})

test_that("parts of lists outside of the function are known one by one", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, -2))
  settings <- list(rate = 0.5, act = torch_tanh, inner = list(w = torch_tensor(3), f = function(z) z + 1, root = sqrt), words = c("a", "b"))
  f <- function(x) {
    y <- settings$act(x) * settings$rate * settings$inner$w + settings$inner$root(4)
    if (nchar(settings[["words"]][[1]]) == 1L) settings$inner$f(y) else y
  }
  program <- expect_same(f, x)
  settings$rate <- 1
  expect_warning(program(x), "`settings$rate`", fixed = TRUE, class = "torch_script_changed_warning")
  # A variable inside has its own parts.
  expect_same(function(x) {
    settings <- list(rate = x)
    settings$rate
  }, x)
})

test_that("a function that is chosen where it is called is known only when the program runs", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, -2))
  for (n in 1:3) {
    expect_same(function(x, n) switch(n, torch_relu, torch_abs, function(z) z * n)(x), x, n)
    expect_same(function(x, n) (if (n > 1L) torch_relu else { torch_abs })(x), x, n)
    expect_same(function(x, n) {
      steps <- list(torch_relu, function(z) z - n, abs)
      for (i in seq_len(n)) x <- steps[[i]](x)
      x
    }, x, n)
  }
  layers <- nn_module(
    "layers",
    initialize = function() {
      self$parts <- nn_module_list(list(nn_linear(2, 2), nn_relu(), nn_linear(2, 3)))
      self$n <- 3L
    },
    forward = function(x, n = 3L) {
      for (i in seq_len(n)) x <- self$parts[[i]](x)
      x
    }
  )
  module <- layers()
  program <- jit_script(module, x)
  for (n in 1:3) expect_equal(plain(program(x, n)), plain(module(x, n)), tolerance = 1e-6)
  expect_error(program(x, 4L), "position 4 of 3", class = "torch_runtime_error")
  expect_error(jit_script(function(x, n) list(torch_relu, function(z) 1)[[n]](x), x, 1L), "one gives a tensor, another one a number", class = "torch_error")
})

test_that("classes and members of enums of a unit are values of programs", {
  skip_if_no_torch()
  unit <- jit_compile("
class Counter(object):
  def __init__(self, n: int):
    self.n = n
  def add(self, k: int) -> int:
    self.n += k
    return self.n
class Color(Enum):
  RED = 1
  GREEN = 2
def number(c: Color) -> int:
  if c == Color.RED:
    return 1
  return 2
")
  Counter <- unit$Counter
  number <- unit$number
  red <- unit$Color$RED
  f <- jit_script(function(k) {
    counter <- Counter(k)
    counter$add(10L)
    if (counter$add(1L) > 15L) number(red) else counter$n
  }, 5L)
  expect_equal(f(5L), 1)
  expect_equal(f(2L), 13)
  file <- withr::local_tempfile(fileext = ".pt")
  jit_save(f, file)
  expect_equal(jit_load(file)(5L), 1)
  # Through the unit itself, too.
  h <- jit_script(function(k) {
    counter <- unit$Counter(k)
    if (counter$add(1L) > 3L) unit$number(unit$Color$RED) else unit$number(unit[["Color"]]$GREEN)
  }, 5L)
  expect_equal(c(h(5L), h(1L)), c(1, 2))
  g <- jit_script(function(c) if (c == red) "red" else if (c != "GREEN") "none" else "another", c = red)
  expect_equal(g(red), "red")
  expect_equal(g("GREEN"), "another")
})
