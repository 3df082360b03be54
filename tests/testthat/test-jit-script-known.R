# What names mean outside of a function that is compiled: constants, functions, and what can't be in a program.

test_that("what a program can't hold is refused where it is named, with what to do instead", {
  skip_if_no_torch()
  methods::setClass("scriptPoint", representation(a = "numeric"), where = environment())
  held <- list(
    methods::new("scriptPoint", a = 1), new.env(), factor("u"), as.Date("2020-01-02"), as.difftime(1, units = "secs"),
    data.frame(a = 1), matrix(1:4, 2), as.raw(1), NA_integer_, NA_character_, NA, c(1L, NA), quote(x + 1), y ~ x
  )
  if (is_installed("bit64")) held <- c(held, list(bit64::as.integer64(5)))
  if (is_installed("R6")) held <- c(held, list(R6::R6Class("Counter", list(n = 1))$new()))
  for (it in held) {
    expect_error(jit_script(function(x) {
      x + 1
      it
    }, 1), "(`it` (is|holds) .*program can't)(.|\n)*it\n +~~ <--- HERE", class = "torch_error")
  }
  it <- matrix(1:4, 2)
  expect_snapshot(error = TRUE, jit_script(function(x) it, 1), transform = without_lines)
  it <- factor("u")
  expect_snapshot(error = TRUE, jit_script(function(x) it, 1), transform = without_lines)
  it <- data.frame(a = 1)
  expect_snapshot(error = TRUE, jit_script(function(x) it$a, 1), transform = without_lines)
  expect_snapshot(error = TRUE, jit_script(function(m) m, matrix(1:4, 2)))
  expect_snapshot(error = TRUE, jit_script(function(when) when, as.Date("2020-01-02")))
})

test_that("R's functions that are not compiled say what to write instead, whatever their arguments are", {
  skip_if_no_torch()
  refused <- list(
    function(x) tryCatch(x, error = function(e) 0), function(x) { on.exit(cat("bye")); x }, function(n) n * Recall(n - 1),
    function(x) eval(quote(x)), function(x) assign("y", x), function(x) with(list(a = x), a + 1),
    function(x, how = c("a", "b")) match.arg(how), function(v) Filter(Negate(function(i) i > 1), v), function(x) Sys.time(),
    function(x) rnorm(3), function(v) outer(v, v), function(s) regmatches(s, 1), function(x) cut(x, 3), function(x) nn_linear(1, 1)(x)
  )
  for (f in refused) expect_snapshot(error = TRUE, jit_script(f, 1), transform = without_lines)
})

test_that("a function of R's is known under another name", {
  skip_if_no_torch()
  total <- sum
  expect_same(function(x) total(x, 2), 1)
  # The workspace lies between R's own namespaces.
  assign("script_total", sum, globalenv())
  withr::defer(rm("script_total", envir = globalenv()))
  f <- eval(quote(function(x) script_total(x, 2)), globalenv())
  expect_equal(jit_script(f, 1)(1), 3)
})

# Runs code in an environment of its own, with functions that it defines.
in_own <- function(code) eval(substitute(code), new.env(parent = parent.frame()))

test_that("R's functions that are redefined later are noticed at the call, as long as they are", {
  skip_if_no_torch()
  changed <- function(call, name) expect_warning(call, sprintf("`%s` is another function now", name), fixed = TRUE, class = "torch_script_changed_warning")
  in_own({
    f <- jit_script(function(x) (x %% 3) + sum(c(x, 1)), 5)
    g <- jit_script(function(x) lapply(1:2, function(i) i + x), 5)
    expect_silent(f(7))
    `%%` <- function(e1, e2) 100
    changed(expect_equal(f(7), 9), "%%")
    changed(f(7), "%%")
    expect_silent(g(1))
    rm("%%")
    expect_silent(f(7))
    `+` <- function(e1, e2) 0
    changed(expect_equal(f(7), 9), "+")
    changed(g(1), "+")
    rm("+")
    lapply <- function(...) NULL
    changed(g(1), "lapply")
    # R goes past what is no function.
    sum <- 5
    expect_silent(f(7))
    sum <- function(...) 5
    changed(f(7), "sum")
  })
  # The workspace, and what is attached behind it.
  f <- eval(quote(function(x) max(x, 1)), globalenv())
  program <- jit_script(f, 5)
  assign("max", function(...) 5, globalenv())
  changed(program(7), "max")
  rm("max", envir = globalenv())
  expect_silent(program(7))
  attach(list(max = function(...) 5), name = "script_masks", warn.conflicts = FALSE)
  changed(program(7), "max")
  detach("script_masks")
  expect_silent(program(7))
  # Modules look as well.
  in_own({
    net <- nn_module(initialize = function() NULL, forward = function(x) x * 2)
    program <- jit_script(net(), torch_ones(1))
    expect_silent(program(torch_ones(1)))
    `*` <- function(e1, e2) 100
    changed(program(torch_ones(1)), "*")
  })
})

test_that("R's functions that are redefined before are the user's in the program", {
  skip_if_no_torch()
  in_own({ `%%` <- function(e1, e2) e1 + 1000; expect_same(function(x) x %% 3, 5); expect_same(function(x) x %% 3, torch_ones(1)) })
  in_own({ `+` <- function(e1, e2) e1 * e2; expect_same(function(x) { for (i in 1:2) x <- x + 3; x }, 2); expect_same(function(x) x + 3, torch_ones(1) * 2) })
  in_own({ `-` <- function(a, b = 5) a * b; expect_same(function(x) -x, 2); expect_equal(jit_script(function(x, k = -1) x + k, 2)(2), 7) })
  in_own({ `!` <- function(a) a; expect_same(function(v) if (!v) 1 else 2, TRUE) })
  in_own({ `==` <- function(a, b) TRUE; expect_same(function(v, k = "a") if (k == "b") 1 else 2, 1) })
  in_own({ `:` <- function(a, b) c(a, b); expect_same(function(v) { s <- 0; for (i in 1L:5L) s <- s + i; s }, 1); expect_same(function(v) v[1:3], c(1, 2, 3)) })
  in_own({ seq_len <- function(n) 0:n; expect_same(function(v) { s <- 0; for (i in seq_len(1L)) s <- s + v[i + 1L]; s }, c(1, 2)) })
  in_own({ lapply <- function(x, f) f(x) * 2; expect_same(function(x) lapply(x, function(i) i + 1), 5) })
  in_own({ Filter <- function(x) x + 7; expect_same(function(x) Filter(x), 5) })
  in_own({ missing <- function(x) 5; expect_same(function(x) missing(x), 2) })
  in_own({ stop <- function(x) 8; expect_same(function(x) stop(x), 2) })
  in_own({ is.null <- function(x) TRUE; expect_same(function(x) if (is.null(x)) 1 else 2, 2) })
  in_own({ list <- function(...) 5; expect_same(function(x) list(x), 2) })
  in_own({ value_error <- function(x) x * 2; expect_same(function(x) { y <- value_error(x); y + value_error(3) }, 2) })
  in_own({ `%||%` <- function(a, b) paste0(a, b); expect_same(function(x) x %||% "b", "a") })
  in_own({ `%||%` <- function(lhs, rhs) { if (is.null(lhs)) rhs else lhs }; expect_same(function(x, k = NULL) x + (k %||% 3), 1) })
  in_own({ abs <- jit_script(function(x) x * 2, 1); expect_same(function(x) abs(x), -3) })
  in_own({ torch_relu <- function(x) x * 2; expect_same(function(x) torch_relu(x), torch_ones(2)) })
  in_own({ c <- 7; expect_same(function(x) c(x, c), 2) })
  for (name in c("if", "{", "return", "[", "<-")) {
    # These are needed to say it.
    env <- new.env()
    assign(name, function(...) 5, env)
    f <- function(x) { y <- x; if (y > 1) return(y); c(y, 1)[1] }
    environment(f) <- env
    expect_error(jit_script(f, 1), sprintf("`%s` is not R's own where the function was written", name), fixed = TRUE, class = "value_error")
  }
})

test_that("compiling runs no active binding, and of what is not computed yet only arguments", {
  skip_if_no_torch()
  runs <- 0
  makeActiveBinding("now", function() { runs <<- runs + 1; 5 }, environment())
  for (f in list(function(x) x + now, function(x) now(x), function(x) now$a, function(x) now[1])) {
    expect_error(jit_script(f, 1), "`now(\\(\\))?` is computed anew each time that it is asked for", class = "torch_error")
  }
  expect_equal(runs, 0)
  k <- 3
  f <- jit_script(function(x) x + k, 1)
  rm(k)
  makeActiveBinding("k", function() { runs <<- runs + 1; 5 }, environment())
  expect_warning(expect_equal(f(1), 4), "`k` is another value now", class = "torch_script_changed_warning")
  expect_equal(runs, 0)
  # An argument is computed when it is first asked for.
  times <- function(by) jit_script(function(x) x * by, 1)
  expect_equal(times({ runs <- runs + 1; 4 })(2), 8)
  expect_equal(runs, 1)
})
