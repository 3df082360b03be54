# Variables that a function reads before it gives them a value, as R finds them around it.

skip_if_no_torch()

# What the program gives is what R gives, for each list of arguments.
expect_as_r <- function(f, ...) {
  sets <- list(...)
  program <- do.call(jit_script, c(list(f), lapply(sets[[1]], example_of)))
  for (arguments in sets) {
    expect_equal(plain(do.call(program, arguments)), plain(do.call(f, arguments)))
  }
}

test_that("a variable begins with the value outside of the function", {
  k <- 2L
  total <- 0.5
  word <- "a"
  limits <- c(1, 5, 9)
  expect_as_r(function(n = 3L) {
    k <- k + n
    k
  }, list(1L), list(7L))
  expect_as_r(function(n = 3L) {
    for (i in seq_len(n)) total <- total + i
    total
  }, list(0L), list(4L))
  expect_as_r(function(go = TRUE) {
    if (go) word <- paste0(word, "b")
    word
  }, list(TRUE), list(FALSE))
  expect_as_r(function(x = 1) {
    if (x > 2) total <- 3
    total
  }, list(1), list(4))
  expect_as_r(function(x = 1) {
    limits[2] <- x
    limits
  }, list(1), list(4))
  expect_as_r(function(n = 2L) {
    repeat {
      k <- k * 2L
      if (k > n) break
    }
    while (k > 10L) k <- k - 3L
    k
  }, list(1L), list(50L))
  expect_identical(limits, c(1, 5, 9))
})

test_that("a tensor outside is read, and never changed", {
  weights <- torch_ones(3)
  f <- function(x) {
    weights[1] <- x[1]
    weights <- weights + x
    weights
  }
  program <- jit_script(f, torch_ones(3))
  x <- torch_tensor(c(5, 6, 7))
  for (i in 1:2) expect_equal(as.numeric(program(x)), c(10, 7, 8))
  expect_equal(as.numeric(weights), rep(1, 3))
})

test_that("an inner function begins with the variables of the function around", {
  expect_as_r(function(n = 2L) {
    k <- 10L
    step <- function(by) {
      k <- k + by
      k
    }
    c(step(n), step(n), k)
  }, list(1L), list(5L))
  expect_as_r(function(n = 2L) {
    k <- 1
    g <- function(i) {
      if (i > 1L) k <- i * 0.5
      k
    }
    k <- k + g(n)
    k + sum(sapply(1:3, function(i) {
      k <- k * i
      k
    }))
  }, list(1L), list(5L))
  # What comes further down is read at the time of the call.
  expect_as_r(function(n = 2L) {
    g <- function() k + 1L
    k <- n
    g()
  }, list(1L))
  # What comes only later is not there yet.
  expect_as_r(function(n = 2L) {
    g <- function(i) {
      for (j in seq_len(i)) k <- j
      k
    }
    a <- g(n)
    k <- 5L
    a + k
  }, list(1L), list(4L))
  # Two levels.
  expect_as_r(function(n = 2L) {
    k <- n
    g <- function() {
      h <- function() {
        k <- k + 1L
        k
      }
      h() + k
    }
    g()
  }, list(1L), list(4L))
})

test_that("what happens to stand outside does not disturb", {
  y <- "by chance"
  z <- 7
  expect_as_r(function(n = 2L) {
    for (i in seq_len(n)) y <- i * 2L
    if (n > 0L) z <- 1L else z <- 2L
    y + z
  }, list(1L), list(3L))
  f <- jit_script(function(n = 2L) {
    for (i in seq_len(n)) y <- i
    y
  })
  expect_equal(f(2L), 2)
  expect_error(f(0L), "object 'y' not found")
  # One that the function has of its own does not hide it from other functions of the program.
  expect_as_r(function(n = 2L) {
    g <- function(a) {
      z <- a
      z
    }
    g(n) + z
  }, list(1L))
  # A function of that name is no value.
  expect_error(jit_script(function(n = 2L) {
    mean <- mean + n
    mean
  }), "mean")
})

test_that("what an inner function gives a value itself need not have one around it", {
  expect_as_r(function(n = 2L) {
    g <- function(i) {
      if (i > 0L) tmp <- i * 2L else if (i < 0L) tmp <- -i
      tmp
    }
    if (n > 5L) tmp <- 100L
    g(n)
  }, list(2L), list(7L), list(-3L))
  # Where it has one, that counts.
  expect_as_r(function(n = 2L) {
    g <- function(i) {
      if (i > 0L) tmp <- i * 2L
      tmp
    }
    tmp <- 100L
    g(n)
  }, list(2L), list(-3L))
  # Kept, it reads the one value.
  expect_as_r(function(n = 2L) {
    if (n > 0L) k <- 5L
    fs <- list(function(x) x + k)
    fs[[1]](n)
  }, list(2L))
})

test_that("functions that are called are not variables that come later", {
  expect_as_r(function(x = c(1, 2)) {
    biggest <- function(v) max(v)
    scaled <- function(v) biggest(v) * 2
    max <- scaled(x)
    max
  }, list(c(1, 5)))
  expect_as_r(function(x = c(1, 2)) {
    biggest <- function(v) max(v)
    twice <- function(v) {
      max <- biggest(v)
      max * 2
    }
    twice(x)
  }, list(c(1, 5)))
})

test_that("variables that only functions inside read early begin outside", {
  k <- 10L
  expect_as_r(function(n = 2L) {
    k <- sum(sapply(seq_len(n), function(i) i * k))
    k
  }, list(2L))
  expect_as_r(function(n = 2L) {
    k <- 10L
    g <- function(m) {
      k <- sum(sapply(seq_len(m), function(i) i * k))
      k
    }
    g(n) + k
  }, list(2L))
  expect_as_r(function(n = 2L, m = k * 2L) {
    r <- m + n
    k <- r
    k
  }, list(2L))
  expect_as_r(function(n = 3L) {
    switch(n, k <- 1L, k <- 2L)
    k
  }, list(3L), list(1L))
})

test_that("the type of a value outside is joined with what is assigned, unless none holds both", {
  total <- 0L
  expect_as_r(function(x = 1) {
    if (x > 2) total <- x
    total
  }, list(1), list(4))
  expect_as_r(function(x = 1) {
    k <- 1L
    g <- function(i) {
      if (i > 1) k <- i * 0.5
      k
    }
    g(x)
  }, list(1), list(4))
  nothing <- NULL
  expect_as_r(function(x = 1) {
    if (x > 0) nothing <- x else nothing <- -x
    nothing + 1
  }, list(1), list(-4))
  f <- jit_script(function(x = 1) {
    if (x > 0) nothing <- x
    nothing + 1
  })
  expect_equal(f(1), 2)
  expect_error(f(-1), "object 'nothing' not found")
})

test_that("a loop without an end gives its variables values", {
  y <- "by chance"
  f <- jit_script(function(n = 3L) {
    while (TRUE) {
      y <- n
      n <- n - 1L
      if (n < 0L) break
    }
    y
  })
  y <- 7
  expect_silent(expect_equal(f(3L), 0))
})

test_that("a value that a program can't hold says so, where it is surely read", {
  frame <- data.frame(a = 1)
  expect_error(jit_script(function(n = 1) {
    frame <- frame$a + n
    frame
  }), "data frame")
  expect_as_r(function(x = 1, w = NULL) {
    if (!is.null(w)) frame <- frame * w
    frame <- x
    frame
  }, list(2))
  leaf <- torch_ones(2, requires_grad = TRUE)
  expect_error(jit_script(function(x) {
    leaf <- leaf + x
    leaf
  }, torch_ones(2)), "give it as an argument")
  f <- jit_script(function(x, how = "mean") {
    if (how == "mean") leaf <- torch_mean(x) else if (how == "sum") leaf <- torch_sum(x)
    leaf
  }, torch_ones(2))
  expect_equal(as.numeric(f(torch_ones(2), "sum")), 2)
})

test_that("changes outside are noticed", {
  k <- 1
  f <- jit_script(function(n = 1) {
    k <- k + n
    k
  })
  expect_identical(f(2), 3)
  k <- 5
  expect_warning(f(2), "`k`")
  # Of a variable that is given its value first nothing is held.
  g <- jit_script(function(n = 1) {
    k <- n
    k
  })
  k <- 6
  expect_silent(g(2))
  y <- "by chance"
  h <- jit_script(function(n = 2L) {
    for (i in seq_len(n)) y <- i
    y
  })
  y <- "other"
  expect_silent(h(2L))
})

test_that("a function of the function around reads its own variable", {
  expect_error(jit_script(function(n = 1L) {
    k <- 1L
    h <- function() k
    g <- function() {
      k <- 5L
      h() + k
    }
    g() + n
  }), "Give one of them another name")
})
