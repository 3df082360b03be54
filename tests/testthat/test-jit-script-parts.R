# `[`, `[[` and `$` in compiled R functions, and assignments to them. What a program gives is compared with what R gives.

test_that("parts are given values, and nobody else sees it", {
  skip_if_no_torch()
  m <- torch_tensor(matrix(as.numeric(1:6), 2))
  expect_same(function(m) {
    m[1, 2] <- 5
    m[2, ] <- m[1, ]
    m[, 1] <- torch_tensor(c(7, 8))
    m
  }, m)
  # In eager R `kept` is the same tensor; in a program it keeps its values.
  kept <- jit_script(function(m) {
    kept <- m
    first <- m[1, ]
    m[1, ] <- 0
    list(kept, first, m)
  }, m)(m)
  expect_equal(plain(kept), list(plain(m), plain(m)[1, ], rbind(0, plain(m)[2, ])))
  expect_same(function(v) {
    other <- v
    v[2] <- 10
    v[length(v) + 1L] <- 7
    c(v, other)
  }, c(1, 2, 3))
  expect_same(function(x) {
    l <- list(a = x, b = 2L)
    k <- l
    l$a <- l$a + l$b
    l$a[1] <- 100
    list(l$a, k$a, l[["b"]])
  }, torch_tensor(c(1, 2)))
  for (mask in list(c(TRUE, FALSE, TRUE), c(FALSE, FALSE, FALSE))) expect_same(function(x, mask) {
    x[mask] <- 0
    x
  }, torch_tensor(c(1, 2, 3)), torch_tensor(mask))
  # Sizes of memory: the loop writes into the one tensor that it made.
  filled <- jit_script(function(n) {
    out <- torch_zeros(n)
    for (i in seq_len(n)) out[i] <- i
    out
  }, 3L)
  expect_false(grepl("clone", filled$code))
  expect_equal(as.numeric(filled(4L)), 1:4)
})

test_that("a loop that fills what it made takes memory for it once", {
  skip_if_no_torch()
  # Bytes that tensors took while it ran, once warm.
  taken <- function(f, ...) {
    for (i in 1:3) f(...)
    before <- torch:::cpp_memory_stats(FALSE)[["allocated"]]
    f(...)
    torch:::cpp_memory_stats(FALSE)[["allocated"]] - before
  }
  size <- 1e5
  programs <- list(
    jit_script(function(n, size) {
      out <- torch_zeros(size)
      for (i in seq_len(n)) out[i] <- i
      out
    }, 1L, 1L),
    jit_script(function(n, size) {
      out <- torch_zeros(2L, size)
      for (i in seq_len(n)) out[1, i] <- out[2, i] + 1
      out
    }, 1L, 1L),
    jit_script(function(n, size) {
      state <- list(sum = torch_zeros(size), n = 0L)
      for (i in seq_len(n)) {
        state$sum[i] <- 1
        state$n <- state$n + 1L
      }
      state$sum
    }, 1L, 1L)
  )
  for (program in programs) {
    once <- taken(program, 1L, as.integer(size))
    # A turn takes the few bytes of single elements.
    expect_lt(taken(program, 100L, as.integer(size)) - once, 100 * 1024)
    expect_gte(once, size * 4)
  }
  # The measure sees a copy where there is one: `kept` is another value.
  copying <- jit_script(function(n, size) {
    out <- torch_zeros(size)
    kept <- out
    for (i in seq_len(n)) {
      kept <- out
      out[i] <- i
    }
    list(kept, out)
  }, 1L, 1L)
  expect_gt(taken(copying, 100L, as.integer(size)), 100 * size * 4)
})

test_that("parts of parts are given values, and nobody else sees it", {
  skip_if_no_torch()
  expect_same(function(x) {
    p <- list(v = c(1, 2))
    q <- p
    q$v[1] <- x
    list(p$v, q$v)
  }, 5)
  expect_same(function(x) {
    start <- list(v = c(0, 0), n = 0L)
    step <- function(s, i) {
      s$v[1] <- s$v[1] + i
      s$n <- s$n + 1L
      s
    }
    a <- step(start, 1)
    b <- step(start, x)
    list(a$v, b$v, start$v, b$n)
  }, 2)
  expect_same(function(x) {
    v <- c(1, 2)
    l <- list(b = v, k = "q")
    l$b[2] <- x
    l[["b"]][1] <- 3
    list(l$b, v)
  }, 7)
  expect_same(function(x) {
    l <- list(a = c(1, 2), b = c(3, 4))
    l$b <- l$a
    l$a[1] <- x
    list(l$a, l$b)
  }, 9)
  expect_same(function(x) {
    l <- list(a = list(b = c(1, 2), q = "s"))
    out <- list()
    for (i in 1:3) {
      out[[i]] <- l$a$b
      l$a$b[1] <- l$a$b[1] * x
    }
    out
  }, 10)
  expect_same(function(x) {
    all <- list(list(s = 0, k = c(1, 2)), list(s = 1, k = c(3, 4)))
    other <- all
    other[[1]]$k[1] <- x
    list(all[[1]]$k, other[[1]]$k)
  }, -1)
  expect_same(function(x) {
    l <- list(a = list(b = c(1, 2), c = 1), d = "x")
    v <- c(7, 8)
    l$a$b <- v
    l$a$b[1] <- x
    list(v, l$a$b)
  }, 0)
  expect_same(function(x) {
    l <- list(a = c(1, 2), k = 0)
    for (i in 1:3) {
      m <- l
      l$a[1] <- l$a[1] + x
      l <- list(a = m$a, k = l$a[1])
      l$a[2] <- l$a[2] * 2
    }
    list(l$a, l$k)
  }, 1)
  dictionary <- jit_script(function(x) {
    d <- jit_dict(c("a"), list(c(1, 2)))
    l <- list(d = d, k = 1)
    l$d[["a"]] <- c(5, 5)
    list(d[["a"]], l$d[["a"]])
  }, 1)
  expect_equal(dictionary(1), list(c(1, 2), c(5, 5)))
  # Neither the caller's tensor, nor a module's field, nor a constant of the program.
  x <- torch_zeros(2)
  inside <- jit_script(function(x) {
    l <- list(a = x)
    l$a[1] <- 9
    l$a
  }, x)
  expect_equal(as_array(inside(x)), c(9, 0))
  expect_equal(as_array(x), c(0, 0))
  holder <- nn_module(initialize = function() self$v <- c(1, 2), forward = function(x) {
    s <- list(v = self$v)
    s$v[2] <- 100
    self$v
  })
  expect_equal(jit_script(holder())(torch_ones(1)), c(1, 2))
  outside <- torch_zeros(2)
  constant <- jit_script(function(x) {
    s <- list(w = outside, n = 1)
    s$w[1] <- s$w[1] + 1
    s$w$sum() + x
  })
  for (i in 1:2) expect_equal(as.numeric(constant(torch_ones(1))), 2)
  expect_equal(as_array(outside), c(0, 0))
})

test_that("what leaves a variable of which parts are given values keeps its own", {
  skip_if_no_torch()
  # One of two variables is changed as a whole, the other in a part of a part.
  expect_same(function(x) {
    y <- list(a = c(x, 2), n = 0)
    k <- y
    k$n <- 5
    y$a[1] <- 100
    c(k$a[1], y$a[1], k$n)
  }, 1)
  expect_same(function(x) {
    l <- list(a = c(x, 2), b = c(3, 4))
    s <- 0
    for (p in l) {
      l$b[1] <- 100
      s <- s + p[1]
    }
    s
  }, 1)
  expect_same(function(x) {
    h <- function(a) list(a = a, n = 1)
    v <- c(x, 2)
    t <- h(v)
    v[1] <- 100
    t$a[1]
  }, 1)
  expect_same(function(x) {
    l <- list(a = c(x, 2), k = 0)
    o <- lapply(1:2, function(i) l$a)
    p <- Map(function(i) l$a, 1:2)
    l$a[1] <- 100
    c(o[[1]][1], p[[2]][1])
  }, 1)
  expect_same(function(x) {
    v <- NULL
    if (x > 0) v <- c(x, 2)
    l <- list(v = v, n = 1)
    l$v[1] <- 3
    list(l$v, v)
  }, 1)
  # What may be NULL.
  expect_same(function(n) {
    v <- NULL
    for (i in seq_len(n)) v <- c(v, i / 2)
    w <- v
    if (!is.null(v)) v[1] <- 100
    c(c(w)[1], v[1])
  }, 2L)
  expect_same(function(x) {
    y <- NULL
    if (x > 0) y <- list(a = c(x, 2), n = 0)
    k <- y
    if (!is.null(k)) k$a[1] <- 100
    if (!is.null(y)) y$a[1] else 0
  }, 1)
  optional <- jit_script(function(x = NULL) {
    if (!is.null(x)) x[1] <- 0
    x
  }, x = "Optional[Tensor]")
  x <- torch_ones(3)
  expect_equal(as_array(optional(x)), c(0, 1, 1))
  expect_equal(as_array(x), c(1, 1, 1))
  expect_null(optional())
  # No element beside the one that changes is copied.
  nested <- jit_script(function(x, n) {
    s <- list(m = list(w = x, v = c(1, 2), n = 0L), k = 0)
    for (i in seq_len(n)) {
      s$m$n <- s$m$n + 1L
      s$m$v[1] <- 2
    }
    s$m$n
  }, torch_zeros(2), 1L)
  taken <- function(n) {
    before <- torch:::cpp_memory_stats(FALSE)[["allocated"]]
    nested(torch_zeros(1e5), n)
    torch:::cpp_memory_stats(FALSE)[["allocated"]] - before
  }
  for (i in 1:3) taken(2L)
  expect_lt(taken(100L) - taken(1L), 1e5)
})

test_that("indices mean what they mean to a tensor", {
  skip_if_no_torch()
  x <- torch_tensor(array(as.numeric(1:24), c(2, 3, 4)))
  cases <- list(
    function(x) x[1, ], function(x) x[, 2, 3], function(x) x[.., 1], function(x) x[1, .., 2], function(x) x[, 1:2, ],
    function(x) x[-1], function(x) x[, 2:N, 1], function(x) x[, , 1:4:2], function(x) x[1, , drop = FALSE], function(x) x[newaxis, 2],
    function(x) x[, c(1, 3), ], function(x) x[torch_tensor(c(2L, 1L)), ], function(x) x[x > 12], function(x) x[2, 3, 4],
    function(x) x[, torch_tensor(c(TRUE, FALSE, TRUE)), c(1, 4)]
  )
  for (f in cases) expect_same(f, x)
  expect_same(function(x, i) x[i, ], x, 2L)
  expect_error(jit_script(function(x, i) x[i, ], x, 1L)(x, 0L), "Indexing in R is 1-based and found a 0", class = "torch_runtime_error")
  slice <- jit_script(function(x, a, b) x[a:b, ]$size(1), x, 1L, 2L)
  for (ends in list(c(1, 2), c(2, 2), c(-1, 2), c(2, -1), c(-2, -1), c(3, -1), c(2, -2), c(-9, 1))) {
    expect_equal(slice(x, ends[1], ends[2]), dim(x[slc(ends[1], ends[2]), ])[1], info = toString(ends))
  }
  for (ends in list(c(2, 1), c(-1, 1), c(-1, -2), c(3, 2))) {
    expect_error(slice(x, ends[1], ends[2]), "counts down", class = "torch_runtime_error", info = toString(ends))
    expect_error(x[slc(ends[1], ends[2]), ], "counts down", class = "value_error", info = toString(ends))
  }
})

test_that("what is put behind the end of a vector leaves NaN between, and is refused where that can't be", {
  skip_if_no_torch()
  beyond <- jit_script(function(v) { v[5] <- 1; v }, v = "List[float]")
  expect_equal(beyond(c(1, 2)), c(1, 2, NaN, NaN, 1))
  expect_error(jit_script(function(v) { v[5] <- 1L; v }, v = "List[int]")(1:2), "R would put NA or NULL between")
  expect_error(jit_script(function(v) { v[4] <- "z"; v }, v = "List[str]")(c("a", "b")), "R would put NA or NULL between")
  expect_error(jit_script(function(v, i) v[i], v = "List[float]", i = "int")(c(1, 2), -1L), "where its minus is written")
})

test_that("positions that leave elements out stand alone, and 0 takes nothing", {
  skip_if_no_torch()
  v <- c(1, 2, 3)
  for (f in list(
    function(x) x[c(0, -1)], function(x) x[c(0, 2)], function(x) x[c(-1, -3)], function(x) x[-2:0], function(x) x[0:2], function(x) x[2:0],
    function(x) x[-1:-2], function(x) x[c(-1, -1)], function(x) x[c(-1, -9)], function(x) { x[c(0, 2)] <- 5; x },
    function(x) { x[c(0, -2)] <- 5; x }, function(x) { x[0:2] <- c(7, 8); x }, function(x) { x[-2:0] <- 7; x },
    function(x) unlist(list(x[1], 3)[c(-2, 0)])
  )) expect_same(f, v)
  left_out <- function(x, i) x[-i]
  given <- function(x, i) { x[-i] <- 5; x }
  for (i in c(0L, 2L, 9L, -2L)) {
    expect_same(left_out, v, i)
    expect_same(given, v, i)
  }
  for (f in list(
    function(x) x[c(-1, 2)], function(x) x[c(2, -1)], function(x) x[-1:2], function(x) x[1:-1], function(x) { x[c(-1, 2)] <- 5; x },
    function(x) { x[-1:2] <- 5; x }, function(x) list(x, x)[c(1, -2)]
  )) {
    expect_error(f(v), "0's may be mixed")
    expect_error(jit_script(f, x = "List[float]")(v), "negative positions leave elements out: they can't stand beside positive ones(.|\n)*<--- HERE")
  }
  # One element: no position stands for none, for several or for NA.
  for (f in list(
    function(x, i) x[[i]], function(x, i) { x[[i]] <- 5; x }, function(x, i) list(x, x)[[i]], function(x, i) { l <- list(x, x, x); l[[i]] <- x; l }
  )) {
    for (i in c(-1L, 0L)) expect_error(jit_script(f, x = "List[float]", i = "int")(v, i), "subscript out of bounds: position (-1|0) of [23](.|\n)*<--- HERE")
    expect_error(jit_script(f, x = "List[float]", i = "float")(v, NaN), "NA or NaN, where a whole number is needed(.|\n)*<--- HERE")
  }
  expect_error(jit_script(function(x) x[NA], x = "List[float]"), "a position must be a whole number, not NA", class = "torch_error")
  expect_error(jit_script(function(x) { x[[1.5]] <- 2; x }, x = "List[float]"), "a position must be a whole number, not 1.5", class = "torch_error")
})

test_that("what a function gives twice is changed once", {
  skip_if_no_torch()
  for (x in list(c(1, 2), torch_tensor(c(1, 2)))) {
    changed <- list(
      function(x) { h <- function(a) list(a, a); v <- h(x); v[[1]][1] <- 9; v[[2]] }, function(x) { h <- function(a) list(u = a, w = a); v <- h(x); v$u[1] <- 9; v$w },
      function(x) { h <- function(a) list(u = a, w = a, n = "s"); v <- h(x); v[["u"]][1] <- 9; v$w }, function(x) { v <- rep(list(x), 2); v[[1]][1] <- 9; v[[2]] },
      function(x) { h <- function(a) list(p = list(u = a, w = a), q = "s"); v <- h(x); v$p$u[1] <- 9; v$p$w }, function(x) { v <- lapply(1:2, function(i) x); v[[1]][1] <- 9; v[[2]] },
      function(x) { h <- function(a) list(a, a); v <- h(x); u <- v[[2]]; v[[1]][1] <- 9; u }
    )
    for (f in changed) expect_equal(plain(jit_script(f, example_of(x))(x)), c(1, 2))
  }
})

test_that("a task has its arguments as they were when it was started", {
  skip_if_no_torch()
  x <- torch_ones(1000)
  for (f in list(
    function(x) { later <- jit_fork(function(z) z * 2, x); x[1] <- 100; jit_wait(later) }, function(x) { y <- x * 1; later <- jit_fork(function(z) z * 2, y); y$add_(100); jit_wait(later) },
    function(x) { y <- x * 1; later <- jit_fork(function(z) z * 2, z = y); y$add_(100); jit_wait(later) }, function(x) { y <- x * 1; later <- jit_fork(function() y * 2); y$add_(100); jit_wait(later) }
  )) {
    program <- jit_script(f, x)
    # The task gets a copy: what it gets is not what is changed.
    expect_match(paste(utils::capture.output(program$graph), collapse = "\n"), "aten::clone")
    expect_equal(plain(program(x)), rep(2, 1000))
  }
})
