# What jit_script() refuses, and errors of programs that run: both tell the place in the R code.

test_that("what is not compiled is told at its place", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, 2))
  refused <- list(
    function(x) x <<- 1, function(x, s = "a") x + s, function(x) no_such_function(x), function(x) cut(x, 3),
    function(x) lapply(torch_unbind(x), no_such_function), function(x) list(1, x)[[x]], function(x) x$no_such_method(), function(x) x$shape[1, 2],
    function(x) { f <- function(n) if (n > 0) f(n - 1) else 0; f(3) }, function(x) c("a", x), function(x) 1:x,
    function(x) { g <- abs; g }, function(x) ~x, function(x) x[0], function(x) if ("a") x else x
  )
  expect_error(jit_script(function(x) {
    g <- function(z) z
    g + 1
  }, x), "a function, a number", class = "torch_error")
  # Lines of this file move.
  for (f in refused) expect_snapshot(error = TRUE, jit_script(f, x), transform = without_lines)
})

test_that("an error of the running program shows the R code", {
  skip_if_no_torch()
  f <- jit_script(function(x) {
    if (as.logical(x$sum() > 0)) stop("the sum is ", 3L, "!")
    x$matmul(torch_ones(7, 7))
  }, torch_ones(2))
  expect_error(f(torch_ones(2)), "the sum is 3!", fixed = TRUE, class = "torch_runtime_error")
  expect_error(f(-torch_ones(2)), "x$matmul(torch_ones(7, 7))", fixed = TRUE, class = "torch_runtime_error")
  checked <- jit_script(function(n = 1L) {
    stopifnot(n > 0L, "n is small" = n < 5L)
    n
  })
  expect_equal(checked(3L), 3L)
  expect_error(checked(0L), "n > 0L is not TRUE", fixed = TRUE)
  expect_error(checked(7L), "n is small", fixed = TRUE)
})

test_that("a function gives one type, and says where it does not", {
  skip_if_no_torch()
  expect_snapshot(error = TRUE, jit_script(function(n) {
    if (n > 2) return("large")
    n
  }, 1), transform = without_lines)
})

test_that("two types of one variable are told with both places", {
  skip_if_no_torch()
  refused <- list(
    branches = function(n = 1L) {
      if (n > 2L) y <- torch_ones(2) else y <- "a"
      y
    },
    loop = function(n = 1L) {
      y <- torch_ones(2)
      for (i in 1:3) y <- "a"
      y
    },
    value = function(n = 1L) {
      y <- if (n > 2L) torch_ones(2) else "a"
      y
    },
    argument = function(n = 1L) {
      for (i in 1:3) n <- "a"
      n
    },
    element = function(n = 1L) {
      y <- c(1, 2)
      y[1] <- torch_ones(2)
      y
    },
    one_branch = function(n = 1L) {
      if (n > 2L) y <- torch_ones(2)
      for (i in 1:3) y <- "a"
      y
    },
    several_lines = function(n = 1L) {
      y <- torch_ones(
        2
      )
      repeat {
        y <- list(a = 1)
        break
      }
      y
    },
    # The first two may differ: no branch or loop stands between.
    third = function(n = 1L) {
      y <- 1
      y <- "a"
      if (n > 2L) y <- torch_ones(2)
      y
    }
  )
  for (f in refused) expect_snapshot(error = TRUE, jit_script(f), transform = without_lines)
})

test_that("an argument whose default is of a narrower type takes the wider one", {
  skip_if_no_torch()
  f <- jit_script(function(n = 1L) {
    if (n > 2L) n <- torch_ones(2)
    n
  })
  expect_equal(as_array(f()), 1)
  expect_equal(f()$dtype, torch_int64())
  expect_equal(as_array(f(torch_tensor(3L))), c(1, 1))
  g <- jit_script(function(n = 1L) {
    n <- n + 0.5
    n
  })
  expect_identical(g(), 1.5)
  h <- jit_script(function(x, n = 1) {
    if (x > 0) n <- c(n, 2)
    x * n[1]
  }, 1)
  expect_equal(h(3), 3)
})

test_that("a variable without a value is told with the branch that gives it one", {
  skip_if_no_torch()
  expect_snapshot(error = TRUE, {
    jit_script(function(x = 1) {
      if (x > 0) y <- 1
      y
    })(-1)
    jit_script(function(x = 1) {
      if (x > 0) y <- 1 else if (x < -5) y <- 2 else z <- 3
      y
    })(-1)
    jit_script(function(n = 1L) {
      for (i in seq_len(n)) {
        last <- i
      }
      last
    })(0L)
    jit_script(function(n = 1L) {
      while (n > 0L) {
        if (n == 3L) y <- n
        n <- n - 1L
      }
      y
    })(2L)
  })
  # What is not used afterwards need have no value.
  expect_equal(jit_script(function(x = 1) {
    if (x > 0) y <- x * 2
    x
  })(-1), -1)
})

test_that("one number is asked of a tensor of several", {
  skip_if_no_torch()
  for (f in list(function(x) as.numeric(x), function(x) as.integer(x), function(x) x$item())) {
    expect_error(jit_script(f, torch_ones(3))(torch_ones(3)), "A tensor with 3 elements is no single number", class = "torch_runtime_error")
  }
  for (f in list(function(x) as.logical(x), function(x) if (x) 1 else 2)) {
    for (n in c(0, 3)) expect_error(jit_script(f, torch_ones(3))(torch_ones(n)), "is neither TRUE nor FALSE", class = "torch_runtime_error")
  }
})

# A file with its functions, as a user has it.
sourced <- function(keep, env = parent.frame()) {
  lines <- c(
    "outer <- function(x) {", "  y <- x * 2", "  if (as.logical(x$sum() > 0)) stop(\"the sum is \", 3L)", "  inner <- function(z) {",
    "    stopifnot(z$size(1) > 2)", "    z", "  }", "  for (i in 1:2) y <- y + inner(x)", "  below(y)", "}",
    "below <- function(n) {", "  v <- c(1, 2)", "  v[[as.integer(n[1]) + 10L]]", "}"
  )
  file <- file.path(withr::local_tempdir(.local_envir = env), "sums.R")
  writeLines(lines, file)
  home <- new.env()
  source(file, home, keep.source = keep)
  home$outer
}

test_that("errors that a program raises itself tell their place, in R, in Python and of functions without sources", {
  skip_if_no_torch()
  inputs <- list(c(1, 1), c(-1, -1), c(-1, -1, -1))
  problems <- c("the sum is 3", "z$size(1) > 2 is not TRUE", "subscript out of bounds: position 6 of 2")
  code <- c("stop(\"the sum is \", 3L)", "z$size(1) > 2", "v[[as.integer(n[1]) + 10L]]")
  for (keep in c(TRUE, FALSE)) {
    program <- jit_script(sourced(keep), torch_ones(2))
    path <- withr::local_tempfile(fileext = ".pt")
    jit_save(program, path)
    loaded <- jit_load(path)
    said <- python_eval("
m = torch.jit.load(path)
result = []
for x in inputs:
  try: m(torch.tensor(x))
  except Exception as e: result.append(str(e))
", path = path, inputs = inputs)
    # Without sources lines are those of the function as R writes it.
    lines <- if (keep) c(3, 5, 13) else c(5, 7, 4)
    file <- if (keep) "sums.R" else "<R function>"
    for (i in seq_along(inputs)) {
      told <- list(tryCatch(program(torch_tensor(inputs[[i]])), error = conditionMessage), tryCatch(loaded(torch_tensor(inputs[[i]])), error = conditionMessage))
      for (text in c(told, said[[i]])) {
        expect_match(text, problems[i], fixed = TRUE)
        expect_match(text, sprintf("File \"%s\", line %d", file, lines[i]), fixed = TRUE, info = keep)
        expect_match(text, code[i], fixed = TRUE)
        expect_match(text, "~~~ <--- HERE", fixed = TRUE)
      }
    }
  }
  # In loops of numbers too, which are machine code where they can be.
  counting <- eval(parse(text = c(
    "function(n) {", "  total <- 0", "  for (i in seq_len(n)) {", "    if (total > 1e5) stop(\"too many\")", "    total <- total + 1",
    "  }", "  total", "}"
  ), keep.source = TRUE)[[1]])
  expect_error(jit_script(counting, 1L)(1000000L), "too many\n.*line 4.*\n *if \\(total > 1e5\\) stop\\(\"too many\"\\)")
})

test_that("what a program can't do of distributions is refused with what to write", {
  skip_if_no_torch()
  expect_error(jit_script(function(x) distr_normal(0, 1)), "its formula, by `dnorm()`", fixed = TRUE, class = "torch_error")
})

test_that("errors of vectors tell the line", {
  skip_if_no_torch()
  fails <- list(
    list(function(a, b) { z <- 1; a + b }, c(1, 2, 3), c(1, 2)), list(function(a, b) a %/% b, c(1L, 2L), c(0L, 1L)), list(function(a, b) a %% b, c(1L, 2L), c(0L, 1L)),
    list(function(a, m) a[m], c(1, 2, 3), c(TRUE, FALSE)), list(function(a, m) { a[m] <- 9; a }, c(1, 2, 3), c(TRUE, FALSE)), list(function(a) max(a), integer()),
    list(function(a, b) seq(a, 10, by = b), 1, -1), list(function(a, b) seq(a, 10L, by = b), 1L, -1L), list(function(a) { a[[7]] <- "a"; a }, c("a", "b")),
    list(function(a) rep_len(a, 3), numeric()), list(function(a, n) rep(a, n), 1, -1L), list(function(n) numeric(n), -1L), list(function(a) which.max(a), numeric())
  )
  for (it in fails) {
    types <- lapply(it[-1], function(value) if (length(value) == 1) example_of(value) else sprintf("List[%s]", switch(typeof(value), integer = "int", double = "float", logical = "bool", "str")))
    program <- do.call(jit_script, c(it[1], types))
    message <- conditionMessage(rlang::catch_cnd(do.call(program, it[-1]), "error"))
    expect_match(message, "^[^\n]+\nIn the TorchScript program:\n  File \"[^\n]*\", line [0-9]+, in function\n[^\n]+\n *~+ <--- HERE *$", info = message)
  }
  expect_error(jit_script(function(x) { lapply(1:2, function(i) { v <- c(1, 2); v[i + 5L] }); x }, 1)(1), "position 6 of 2(.|\n)*v\\[i \\+ 5L\\]")
})

test_that("positions in errors count from 1, as the program does", {
  skip_if_no_torch()
  x <- torch_zeros(3, 2)
  for (it in list(
    list(function(x, i) x[i], x, 9L), list(function(x, i) { y <- x * 1; y[i] <- 1; y }, x, 9L), list(function(x, i) x$select(1, i), x, 9L),
    list(function(x, i) x$select(i, 1), x, 9L), list(function(x, i) x$size(i), x, 7L), list(function(x, i) x$stride(i), x, 7L), list(function(x, i) torch_sum(x, dim = i), x, 7L),
    list(function(x, i) x[c(1L, i), 1], x, 9L), list(function(x, i) nnf_nll_loss(x, i), x, torch_tensor(c(1L, 2L, 9L)))
  )) {
    eager <- conditionMessage(rlang::catch_cnd(do.call(it[[1]], it[-1]), "error"))
    program <- do.call(jit_script, c(it[1], lapply(it[-1], example_of)))
    expect_match(conditionMessage(rlang::catch_cnd(do.call(program, it[-1]), "error")), eager, fixed = TRUE)
  }
  for (f in list(function(x, i) x$size(i), function(x, i) x$stride(i), function(x, i) x$narrow(i, 1, 1))) expect_error(jit_script(f, x, 0L)(x, 0L), "1-based and found a 0")
  # A text of the user's stays as it is, as does what a program of LibTorch's own language says.
  expect_error(jit_script(function(x) { if (x > 1) stop("Dimension 2 is out of bounds"); x }, 1)(2), "Dimension 2 is", fixed = TRUE)
  python <- jit_compile("def f(x):\n  return x.select(0, 8)\n")
  expect_error(python$f(x), "index 8 out of range", fixed = TRUE)
})

test_that("`break` and `next` stand in a loop, and a condition is one value", {
  skip_if_no_torch()
  for (f in list(function(x) { break; x }, function(x) { if (x > 0) next; x }, function(x) { for (i in 1:2) lapply(1:2, function(i) if (i > 1) break); x })) {
    expect_error(jit_script(f, 1), "`(break|next)` stands in no loop", class = "torch_error")
  }
  for (f in list(function(v) if ((v > 1) && TRUE) 1 else 2, function(v) if (v > 1) 1 else 2, function(v) { while ((v > 1) || FALSE) break; 1 })) {
    expect_error(jit_script(f, v = "List[float]")(c(1, 2)), "a condition must be one TRUE or FALSE, not 2: ask `any()` or `all()`", fixed = TRUE)
  }
  expect_equal(jit_script(function(v) if ((v > 1) && TRUE) 1 else 2, v = "List[float]")(3), 1)
})
