# R functions compiled. What a program gives is compared with what R itself gives; files with what Python gives.

plain <- function(value) {
  if (is_torch_tensor(value)) return(as_array(value$detach()))
  if (is.list(value)) return(lapply(unclass(value), plain))
  value
}

# The program, after it gave what the R function gives for these arguments; strings are arguments too.
expect_same <- function(f, ...) {
  arguments <- list(...)
  program <- do.call(jit_script, c(list(f), lapply(arguments, function(a) if (is.character(a)) "str" else a)))
  copies <- lapply(arguments, function(a) if (is_torch_tensor(a)) a$clone() else a)
  expect_equal(plain(do.call(program, arguments)), plain(do.call(f, copies)), tolerance = 1e-6)
  # Nothing of the caller's was changed.
  for (i in seq_along(arguments)) expect_equal(plain(do.call(program, arguments)), plain(do.call(program, arguments)), tolerance = 1e-6)
  invisible(program)
}

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
  longer <- torch_tensor(matrix(as.numeric(1:20), 10))
  expect_equal(plain(program(longer)), plain(over_rows(longer)))
})

test_that("control flow means what it means in R", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, -2, 3))
  expect_same(function(n) {
    steps <- 0L
    while (n != 1L) {
      n <- if (n %% 2L == 0L) n %/% 2L else 3L * n + 1L
      steps <- steps + 1L
    }
    steps
  }, 27L)
  for (n in c(1L, 4L)) expect_same(function(n) {
    total <- 0L
    for (i in n:1) total <- total * 2L + i
    total
  }, n)
  for (start in 0:3) expect_same(function(x, n) {
    i <- n
    repeat {
      i <- i + 1L
      if (i >= 6L) break
      if (i == 3L) next
      x <- x + i
    }
    x
  }, x, start)
  for (value in c(0, 1, 3)) expect_same(function(x) {
    if (x > 2) return(x)
    for (i in 1:3) if (i * x == 2) return(x * 10)
    -1
  }, value)
  for (word in c("a", "b", "c", "other")) {
    expect_same(function(word, x) switch(word, a = , b = x + 1, c = { y <- x * 2; y * 2 }, x - 1), word, 3)
  }
  for (n in c(2L, 5L)) expect_same(function(n) {
    y <- if (n > 3L) "large" else if (n > 1L) "middle" else "small"
    paste0(y, " ", n)
  }, n)
})

test_that("arithmetic of numbers is R's", {
  skip_if_no_torch()
  operations <- list(
    function(a, b) a + b, function(a, b) a - b, function(a, b) a * b, function(a, b) a / b, function(a, b) a^b,
    function(a, b) a %% b, function(a, b) a %/% b, function(a, b) a < b, function(a, b) a == b, function(a, b) -a + b
  )
  for (f in operations) {
    for (pair in list(list(7L, 2L), list(-7L, 2L), list(7L, -2L), list(7.5, 2), list(-7.5, 2L), list(5L, 2.5), list(0, 3))) {
      expect_same(f, pair[[1]], pair[[2]])
    }
  }
  for (value in list(5, 0, -3.5)) for (f in operations[-(3:1)]) expect_same(f, value, 0)
  for (value in c(-2.5, -0.5, 0.5, 1.5, 2.4)) expect_same(function(x) c(round(x), floor(x), ceiling(x), trunc(x), abs(x), sign(x)), value)
})

test_that("a variable finds the type that all its values have", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, -2, 3))
  expect_same(function(x) {
    total <- 0
    for (i in 1:3) total <- total + x[i]
    total
  }, x)
  for (n in 1:4) expect_same(function(n) {
    best <- NULL
    for (i in seq_len(n)) if (is.null(best) || i %% 3L > best) best <- i %% 3L
    if (is.null(best)) -1L else best
  }, n)
  for (n in 1:3) expect_same(function(n) {
    y <- 1L
    for (i in seq_len(n)) y <- y / 2
    y
  }, n)
  for (n in 0:3) expect_same(function(n) {
    out <- list()
    for (i in seq_len(n)) out[[i]] <- i * 1.5
    length(out) + sum(unlist(out))
  }, n)
})
