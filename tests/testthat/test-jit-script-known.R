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
