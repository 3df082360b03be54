# R functions compiled. What a program gives is compared with what R itself gives; files with what Python gives.

test_that("the programs of the users' documents that a trace gets wrong", {
  skip_if_no_torch()
  on_sum <- function(x) if (as.logical(sum(x) > 0)) torch_relu(x) else abs(x)
  for (values in list(c(1, -2, 3), c(-1, 2, -3))) expect_same(on_sum, torch_tensor(values))
  over_rows <- function(x) {
    out <- torch_zeros(x$size(2))
    for (row in torch_unbind(x)) out <- out * 2 + row
    out
  }
  program <- expect_same(over_rows, torch_tensor(matrix(as.numeric(1:6), 2)))
  expect_same(over_rows, torch_tensor(matrix(as.numeric(1:20), 10)), program = program)
})

test_that("functions are called: outer ones, inner ones, of lists, script functions", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, -2, 3))
  k <- 3
  power <- function(a, p = 2) a^p
  expect_same(function(x) power(x) + k + power(x, p = 3), x)
  expect_same(function(x) {
    b <- 2
    g <- function(z, by = b) z * by
    b <- 5
    g(x) + g(x, 1)
  }, x)
  expect_same(function(n) sum(sapply(1:n, function(i) i * 2)) + length(lapply(seq_len(n), function(i) i)), 4L)
  expect_same(function(n) Reduce(function(a, b) a + b, 1:n) + Reduce(function(a, b) a * b, 1:n, 2L), 5L)
  expect_same(function(n) length(Filter(function(i) i %% 2L == 0L, 1:n)), 7L)
  expect_same(function(a, b) unlist(Map(function(u, v) u * v, a, b)), c(1, 2), c(3, 4))
  expect_same(function(a) do.call(power, list(a, p = 3)), 2)
  expect_same(function(x) x |> power() |> torch_sum(), x)
  expect_same(function(x) x %>% torch_unbind(dim = 1) %>% lapply(function(one) one$sum()) %>% torch_stack(dim = 1), x)
  traced <- jit_trace(function(x) torch_tanh(x) * 2, x)
  expect_equal(plain(jit_script(function(x) traced(x) + 1, x)(x)), plain(torch_tanh(x) * 2 + 1))
  branch <- jit_script(function(x) if (as.logical(x$sum() > 0)) x else -x, x)
  both <- jit_trace(function(x) branch(x) * 1, x)
  expect_equal(plain(both(-x)), plain(x))
  expect_equal(plain(jit_script(function(x) {
    later <- jit_fork(power, x)
    x + jit_wait(later)
  }, x)(x)), plain(x + x^2))
})

test_that("what a program found outside is noticed when it changes", {
  skip_if_no_torch()
  scale <- 2
  f <- jit_script(function(x) x * scale, torch_ones(1))
  expect_silent(f(torch_ones(1)))
  scale <- 3
  expect_warning(expect_equal(as.numeric(f(torch_ones(1))), 2), "`scale`", class = "torch_script_changed_warning")
  weights <- c(1, 2)
  bias <- torch_ones(1)
  g <- jit_script(function(x) x * sum(weights) + bias, torch_ones(1))
  bias$add_(1)
  # The tensor is shared: its new elements are the program's.
  expect_silent(expect_equal(as.numeric(g(torch_ones(1))), 5))
  weights[2] <- 3
  expect_warning(g(torch_ones(1)), "`weights`", class = "torch_script_changed_warning")
  weights <- c(1, 2)
  bias <- torch_ones(1)
  expect_warning(g(torch_ones(1)), "`bias`", class = "torch_script_changed_warning")
})

test_that("a function that a program found outside is noticed when it changes", {
  skip_if_no_torch()
  twice <- function(x) x * 2
  inner <- function(x) twice(x) + 1
  tools <- list(half = function(x) x / 2)
  f <- jit_script(function(x) tools$half(inner(x)), torch_ones(1))
  expect_silent(f(torch_ones(1)))
  # The same function, written anew.
  twice <- function(x) x * 2
  expect_silent(f(torch_ones(1)))
  twice <- function(x) x * 3
  expect_warning(expect_equal(as.numeric(f(torch_ones(1))), 1.5), "`twice` is another function now", class = "torch_script_changed_warning")
  twice <- function(x) x * 2
  tools$half <- function(x) x / 4
  expect_warning(f(torch_ones(1)), "`tools$half`", fixed = TRUE, class = "torch_script_changed_warning")
  tools$half <- function(x) x / 2
  rm(twice)
  expect_warning(f(torch_ones(1)), "`twice`", class = "torch_script_changed_warning")
  # The function has a variable of that name.
  twice <- function(x) x
  own <- jit_script(function(x) {
    twice <- x * 2
    twice
  }, torch_ones(1))
  twice <- 3
  expect_silent(own(torch_ones(1)))
  nothing <- NULL
  g <- jit_script(function(x) is.null(nothing))
  expect_silent(g(torch_ones(1)))
  nothing <- 5
  expect_warning(g(torch_ones(1)), "`nothing`", class = "torch_script_changed_warning")
})

test_that("types are said by examples, strings, declare() and defaults", {
  skip_if_no_torch()
  signature <- function(...) jit_script(...)$schema
  expect_match(signature(function(x, n) x * n, torch_ones(1), 2L), "Tensor x, int n")
  expect_match(signature(function(x, n) x * n, n = "float"), "Tensor x, float n")
  expect_match(signature(function(x, n) {
    declare(type(n = int, x = List[float]))
    x[n]
  }), "float[] x, int n", fixed = TRUE)
  expect_match(signature(function(x, n = 2L, name = "a") x * n), "Tensor x, int n=2, str name=")
  for (type in c("Tensor", " int", "List[ List[float] ]", "Optional[Dict[str, Tuple[int, Tensor]]]", "torch.Tensor", "Device", "Union[int, str]", "Future[Tensor]")) {
    expect_s3_class(jit_script(function(x) 1, x = type), "script_function")
  }
  expect_snapshot(error = TRUE, jit_script(function(x) x, "abc"))
  for (type in c("int foo", "List[", "List[int", "Foo", "List[Foo]", "Dict[str]", "", "int]", "List[int], int", "int?", "bool # x", "Tensor[]", "Dict[List[int], int]")) {
    expect_error(jit_script(function(x) 1, x = type), sprintf("`x` has no type \"%s\"", type), fixed = TRUE, class = "value_error")
  }
  expect_error(jit_script(function(n) { declare(type(n = Foo)); n }), "`n` has no type \"Foo\"", class = "value_error")
  expect_snapshot(error = TRUE, jit_script(function(x) x, 1, 2))
  expect_snapshot(error = TRUE, jit_script(function(x) x, y = 1))
  expect_snapshot(error = TRUE, jit_script(sum))
  expect_snapshot(error = TRUE, jit_script("x"))
})

test_that("deep code compiles, and deeper code is refused", {
  skip_if_no_torch()
  sum_of <- function(n) eval(call("function", as.pairlist(alist(x = )), Reduce(function(a, b) call("+", a, b), rep(list(quote(x)), n))))
  expect_equal(as.numeric(jit_script(sum_of(3000), torch_ones(1))(torch_ones(1))), 3000)
  expect_error(jit_script(sum_of(6000), torch_ones(1)), "nested more than 5000 levels deep: give parts of it names", class = "torch_error")
  # Each branch of a chain stands inside of the one before.
  chain <- function(n) eval(parse(text = paste0("function(x) ", paste0("if (x == ", seq_len(n), ") ", seq_len(n) + 0.5, collapse = " else "), " else 0")))
  expect_equal(jit_script(chain(900), 1)(900), 900.5)
  expect_error(jit_script(chain(1200), 1), "more than 1000 levels of calls and blocks; each `else if` is one", class = "torch_error")
})

test_that("calls inside of each other compile that R's parser does not take", {
  skip_if_no_torch()
  nested <- function(inner, n) {
    code <- Reduce(function(code, i) call("abs", code), seq_len(n), inner)
    eval(call("function", as.pairlist(alist(x = )), code))
  }
  expect_equal(jit_script(nested(quote(x), 500), x = "float")(-2), 2)
  expect_error(jit_script(nested(quote(x$no_such_method()), 60)), "`no_such_method` is no method", class = "torch_error")
})

test_that("very long functions compile", {
  skip_if_no_torch()
  skip_on_cran()
  written <- function(lines, args = "x") eval(parse(text = c(sprintf("function(%s) {", args), lines, "}"), keep.source = TRUE)[[1]])
  expect_same(written(c(sprintf("a%d <- x + %d", 1:2000, 1:2000), "a2000")), 1)
  names <- sprintf("a%d", 1:300)
  do.call(expect_same, c(list(written(paste(names, collapse = " + "), toString(names))), as.list(runif(300))))
  expect_same(written(sprintf("sum(c(%s))", toString(rep("x", 2000)))), 1)
  expect_same(written(sprintf("length(list(%s))", toString(rep("x", 2000)))), 1)
  expect_same(written(sprintf("list(%s)[[2000]]", toString(c(rep("x", 1999), "\"a\"")))), 1)
})

test_that("options(torch.jit_disable =) runs the R code itself", {
  skip_if_no_torch()
  withr::local_options(torch.jit_disable = TRUE)
  f <- function(x) x + 1
  expect_identical(jit_script(f, torch_ones(1)), f)
})

test_that("defaults may be computed, `...` takes what is left, and missing() is known", {
  skip_if_no_torch()
  x <- torch_tensor(matrix(as.numeric(1:6), 2))
  f <- function(x, factor = -2, n = x$size(1)) x * n * factor
  program <- jit_script(f, x)
  expect_equal(plain(program(x)), plain(f(x)))
  expect_equal(plain(program(x, 3)), plain(f(x, 3)))
  g <- function(first, ..., scale = 1) {
    total <- first
    for (one in list(...)) total <- total + one
    total * scale
  }
  program <- jit_script(g, x, x, x)
  expect_equal(plain(program(x, x * 2, x * 3)), plain(g(x, x * 2, x * 3)))
  expect_equal(plain(program(x, x * 2, x * 3, scale = 2)), plain(g(x, x * 2, x * 3, scale = 2)))
  h <- function(x, y) if (missing(y)) x else x + y
  expect_same(function(x) h(x) + h(x, x), x)
  # What a snapshot holds has its source or not, by the version of testthat.
  with_default <- eval(parse(text = "function(x, n = 1) if (missing(n)) x else x * n", keep.source = TRUE))
  expect_snapshot(error = TRUE, jit_script(with_default, x))
})

test_that("a default is computed when R computes it", {
  skip_if_no_torch()
  expect_same(function(x) { g <- function(a, b = a * 2) { a <- 10; a + b }; g(x) }, 1)
  expect_same(function(x) { g <- function(a, b = a * 2) { b; a <- 10; a + b }; g(x) }, 1)
  expect_same(function(x, y = z * 2, z = x + 1) x + y + z, 1)
  expect_same(function(x, y = w) { w <- x * 2; y + 1 }, 1)
  expect_same(function(x) { g <- function(a, b = stop("needed")) if (missing(b)) a else a + b; g(x) }, 1)
  expect_same(function(x) { g <- function(a, b = stop("needed")) a; g(x) }, 1)
  expect_error(jit_script(function(x) { g <- function(a, b = stop("needed")) a + b; g(x) }, 1)(1), "needed")
  expect_snapshot(error = TRUE, jit_script(function(x, y = z, z = y) x + y, 1), transform = without_lines)
  expect_snapshot(error = TRUE, jit_script(function(x) {
    g <- function(a, b = a) {
      for (i in 1:2) {
        a <- a + 1
        a <- a + b
      }
      a
    }
    g(x)
  }, 1), transform = without_lines)
})

test_that("any name of R's can be a variable's", {
  skip_if_no_torch()
  expect_same(function(lambda, None, del) { self <- lambda + None; `_` <- self * del; `_` }, 1, 2, 3)
  expect_same(function(x) {
    True <- x; import <- True + 1; from <- import; global <- from; nonlocal <- global + 1; assert <- nonlocal; async <- assert
    len <- async; torch <- len + 1; math <- torch; ops <- math; int <- ops; print <- int; Tensor <- print; List <- Tensor
    Optional <- List; str <- Optional; annotate <- str; `a"b` <- annotate; `a\\b` <- `a"b` + 1; R.v1 <- `a\\b`; R.v1
  }, 1)
  umlauts <- "function(gr\u00f6\u00dfe) { stra\u00dfe <- gr\u00f6\u00dfe * 2; `\u65e5\u672c` <- stra\u00dfe + 1; `\u65e5\u672c` }"
  expect_same(eval(parse(text = umlauts)), 1)
  expect_same(function(x) { l <- list(`a b` = x, lambda = 2, `for` = 3, .x = 4, `1` = 5); l$`a b` + l$lambda + l$`for` + l$.x + l$`1` }, 1)
})
