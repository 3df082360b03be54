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
    expect_same(function(word, x) switch(word, a = , b = x + 1, c = {
      y <- x * 2
      y * 2
    }, x - 1), word, 3)
  }
  for (n in c(0L, 2L, 5L)) expect_same(function(n) {
    y <- if (n > 3L) "large" else if (n > 1L) "middle" else "small"
    paste0(y, " ", n)
  }, n)
  # The loop's variable keeps its last value, and what a loop assigns is there after it.
  expect_same(function(n) {
    for (i in seq_len(n)) last <- i * 2L
    c(i, last)
  }, 4L)
  expect_error(jit_script(function(n) {
    for (i in seq_len(n)) last <- i
    last
  }, 1L)(0L), "object 'last' not found", class = "torch_runtime_error")
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
  for (value in list(5, 0, -3.5)) for (f in operations) expect_same(f, value, 0)
  for (value in c(-2.5, -0.5, 0.5, 1.5, 2.4)) {
    expect_same(function(x) c(round(x), floor(x), ceiling(x), trunc(x), abs(x), sign(x)), value)
  }
  # R has NA for these; a program has no NA of whole numbers.
  for (f in operations[6:7]) expect_error(jit_script(f, 1L, 1L)(7L, 0L), "divided by 0", class = "torch_runtime_error")
  expect_same(function(x, y) c(x * 2 + y, x / y, -x, rev(x)), c(1, 2, 3), c(4, 5, 6))
})

# Two rules of LibTorch's are wrong: what a loop's last round leaves is forgotten where it is asked what may be the same
# value, and a loop of one result may be computed behind what is used with it.
test_that("loops that change what the round before left give what R gives, in Python too", {
  skip_if_no_torch()
  in_while <- function(v, n) {
    w <- 0L
    while (w < 3L && n > 0L) {
      w <- w + 1L
      v[1] <- 3.65
      v <- c(3.38, -3.34)
    }
    v
  }
  in_place <- function(x, n) {
    x <- x$clone()
    for (i in seq_len(n)) {
      x$add_(1)
      x <- torch_zeros(2)
    }
    x
  }
  dictionary <- function(n) {
    d <- jit_dict(c("a"), c(1))
    for (i in seq_len(n)) {
      d[["a"]] <- 5
      d <- jit_dict(c("a"), c(2))
    }
    d[["a"]]
  }
  behind <- function(y, yes) {
    n <- 1
    z <- y * 2
    w <- z / 3
    if (yes) {
      z <- y * 3
      for (i in 1:3) n <- z * 2 + n
    } else {
      z <- 1
    }
    c(z, n, w)
  }
  summed <- function(v, yes) {
    total <- 0
    if (yes) {
      both <- list(v * 2, sum(v))
      total <- both[[2]] + sum(both[[1]])
    }
    total
  }
  programs <- list(
    list(in_while, c(1, 2), 1L), list(in_place, torch_ones(2), 3L), list(dictionary, 3L), list(behind, 1, TRUE),
    list(summed, c(1, 2, 3), TRUE)
  )
  for (it in programs) {
    program <- do.call(expect_same, it)
    for (i in 1:3) do.call(expect_same, c(it, list(program = program)))
    path <- withr::local_tempfile(fileext = ".pt")
    jit_save(program, path)
    arguments <- lapply(it[-1], function(a) if (is_torch_tensor(a)) as_array(a) else a)
    got <- python_eval("
m = torch.jit.load(path)
a = [torch.tensor(a, dtype=torch.float) if tensor and i == 0 else a for i, a in enumerate(arguments)]
flat = lambda r: r.tolist() if torch.is_tensor(r) else [flat(x) for x in r] if isinstance(r, (list, tuple)) else r
for i in range(3): r = m(*a)
result = flat(r)
", path = path, arguments = arguments, tensor = is_torch_tensor(it[[2]]))
    wanted <- plain(do.call(it[[1]], it[-1]))
    expect_equal(unlist(got), unlist(wanted), tolerance = 1e-6)
  }
})

test_that("random programs that once gave something else than R give the same", {
  skip_if_no_torch()
  for (seed in c(10358, 10831, 11215, 11418)) expect_null(random_difference(seed))
})

test_that("a variable finds the type that all its values have", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, -2, 3))
  expect_same(function(x) {
    total <- 0
    for (i in 1:3) total <- total + x[i]
    total
  }, x)
  for (n in 0:4) expect_same(function(n) {
    best <- NULL
    for (i in seq_len(n)) if (is.null(best) || i %% 3L > best) best <- i %% 3L
    if (is.null(best)) -1L else best
  }, n)
  for (n in 1:3) expect_same(function(n) {
    y <- 1L
    for (i in seq_len(n)) y <- y / 2
    y
  }, n)
  for (n in 1:3) expect_same(function(n) {
    out <- list()
    for (i in seq_len(n)) out[[i]] <- i * 1.5
    length(out) + sum(unlist(out))
  }, n)
  expect_same(function(n) {
    words <- list()
    words[["one"]] <- n
    words[["two"]] <- n + 1L
    words[["one"]] + words[["two"]]
  }, 3L)
})

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

test_that("operators count from 1, as when R calls them", {
  skip_if_no_torch()
  m <- torch_tensor(matrix(c(3, 1, 2, 5, 4, 6), 2))
  cases <- list(
    function(m) m$sum(dim = 1), function(m) torch_sum(m, dim = c(1, 2)), function(m) torch_topk(m, 2, dim = 2)[[2]],
    function(m) m$argmax(dim = 1), function(m) torch_sort(m, dim = 2)[[1]], function(m) torch_cat(list(m, m), dim = 2),
    function(m) m$transpose(1, 2), function(m) torch_gather(m, 2, torch_argmin(m, dim = 2, keepdim = TRUE)),
    function(m) m %*% t(m), function(m) m$view(c(3, -1)), function(m) m$reshape(6), function(m) torch_where(m > 2, m, -m),
    function(m) nnf_softmax(m, dim = 2), function(m) torch_max(m, dim = 2)[[2]], function(m) m$to(dtype = "double")$sqrt(),
    function(m) torch_clamp(m, min = 2, max = 5), function(m) torch_stack(list(m, m), 2), function(m) m$mean(),
    function(m) torch_zeros_like(m, dtype = torch_long()), function(m) linalg_norm(m), function(m) m * c(1, 2, 3)
  )
  for (f in cases) expect_same(f, m)
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
  expect_snapshot(error = TRUE, jit_script(function(x) x, 1, 2))
  expect_snapshot(error = TRUE, jit_script(function(x) x, y = 1))
  expect_snapshot(error = TRUE, jit_script(sum))
  expect_snapshot(error = TRUE, jit_script("x"))
})

test_that("what is not compiled is told at its place", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, 2))
  refused <- list(
    function(x) x <<- 1, function(x, s = "a") x + s, function(x) no_such_function(x), function(x) cut(x, 3),
    function(x) lapply(x, no_such_function), function(x) list(1, x)[[x]], function(x) x$no_such_method(), function(x) x$shape[1, 2],
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

test_that("deep code compiles, and deeper code is refused", {
  skip_if_no_torch()
  sum_of <- function(n) eval(call("function", as.pairlist(alist(x = )), Reduce(function(a, b) call("+", a, b), rep(list(quote(x)), n))))
  expect_equal(as.numeric(jit_script(sum_of(900), torch_ones(1))(torch_ones(1))), 900)
  expect_error(jit_script(sum_of(2000), torch_ones(1)), "nested more than 1000 levels", class = "torch_error")
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

test_that("longer programs give what R gives", {
  skip_if_no_torch()
  programs <- script_programs()
  for (name in names(programs)) {
    f <- programs[[name]][[1]]
    sets <- programs[[name]][[2]]
    program <- do.call(jit_script, c(list(f), lapply(sets[[1]], example_of)))
    for (arguments in sets) {
      expect_equal(plain(do.call(program, arguments)), plain(do.call(f, arguments)), tolerance = 1e-5, info = name)
    }
  }
})

test_that("random programs give what R gives", {
  skip_if_no_torch()
  for (seed in 1:60) expect_null(random_difference(seed), info = seed)
})

test_that("files of programs run in Python without R", {
  skip_if_no_torch()
  folder <- withr::local_tempdir()
  f <- jit_script(function(x, n = 3L) {
    total <- 0
    for (i in seq_len(n)) total <- total + if (as.logical(x$sum() > i)) x * i else -x
    total
  }, torch_ones(2))
  path <- file.path(folder, "f.pt")
  jit_save(f, path)
  inputs <- list(c(1, 1), c(3, -1))
  expect_equal(plain(jit_load(path)(torch_tensor(c(3, -1)), 2L)), plain(f(torch_tensor(c(3, -1)), 2L)))
  got <- python_eval("
f = torch.jit.load(path)
result = [f(torch.tensor(x), 3).tolist() for x in inputs]
", path = path, inputs = inputs)
  expect_equal(as.numeric(t(got)), unlist(lapply(inputs, function(x) as.numeric(f(torch_tensor(x), 3L)))))
})

test_that("names of arguments and elements that Python doesn't take are R's here and others in files", {
  skip_if_no_torch()
  f <- function(x, lag.max = 2L, lambda = 1, `a b` = 3) {
    g <- function(z, na.rm) if (na.rm) z else -z
    parts <- list(one.part = g(x, TRUE), `for` = lambda)
    g(parts$one.part, lag.max > 1L) + parts$`for` + `a b`
  }
  program <- expect_same(f, 5, 3L, 2, 4)
  expect_equal(program(5, lag.max = 0L, lambda = 2, `a b` = 7), f(5, lag.max = 0L, lambda = 2, `a b` = 7))
  expect_equal(jit_script(function(x) program(x, `a b` = 1, lag.max = 3L, lambda = 1), 1)(2), f(2, 3L, 1, 1))
  path <- withr::local_tempfile(fileext = ".pt")
  jit_save(program, path)
  expect_equal(python_eval("
f = torch.jit.load(path)
result = [f(5.0, 3, 2.0, 4.0), f(5.0, lag_max=0, lambda_=2.0, a_b=7.0)]
", path = path), c(f(5, 3L, 2, 4), f(5, 0L, 2, 7)))
  expect_equal(jit_load(path)(5, lag.max = 0L, lambda = 2, `a b` = 7), f(5, 0L, 2, 7))
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

test_that("strings are letters, and what is known of a variable decides", {
  skip_if_no_torch()
  for (word in c("h\u00e9llo", "\u4e2d\u6587x", "\U{1F600}a", "plain", "")) {
    expect_same(function(word) list(nchar(word), substr(word, 2L, 3L), substr(word, 1L, 1L), toString(c(1L, nchar(word)))), word)
  }
  expect_error(jit_script(function(x) toupper(x), x = "str")("\u00e9"), "toupper", class = "torch_runtime_error")
  pick <- function(x, mode = "list") {
    two <- mode == "list"
    out <- if (two) list(x, x + 1) else x
    if (two) out[[2]] else out * 3
  }
  expect_same(function(x) pick(x) + pick(x, "one"), torch_tensor(1))
})

test_that("lists of strings, tensors and lists grow in loops", {
  skip_if_no_torch()
  same_texts <- function(f, ...) {
    expect_identical(unlist(do.call(jit_script, c(list(f), lapply(list(...), example_of)))(...)), unlist(f(...)))
  }
  growing <- list(
    function(n) { out <- list(); for (i in seq_len(n)) out <- append(out, paste0("a", i)); out },
    function(n) { out <- list(); for (i in seq_len(n)) out <- append(out, list(paste0("a", i))); out },
    function(n) { out <- list(); for (i in seq_len(n)) out <- c(out, paste0("a", i)); out },
    function(n) { out <- list(); for (i in seq_len(n)) out[[length(out) + 1L]] <- paste("a", i); out },
    function(n) { out <- c(); for (i in seq_len(n)) out <- append(out, paste0("a", i)); out },
    function(n) { out <- character(); for (i in seq_len(n)) out <- c(out, paste("a", i)); out },
    function(n) { out <- character(n); for (i in seq_len(n)) out[[i]] <- paste("a", i); out },
    function(n) vapply(seq_len(n), function(i) paste0("a", i), character(1)),
    function(n) lapply(c("x", "yz"), function(s) paste(s, n)),
    function(n) { s <- ""; for (word in c("x", "yz")) s <- paste(s, word, n, sep = "-"); s },
    function(n) append(c("x", "y"), paste(n), after = 1)
  )
  for (f in growing) same_texts(f, 3L)
  expect_same(function(n) { out <- list(); for (i in seq_len(n)) out <- append(out, i * 1.5); sum(unlist(out)) }, 3L)
  expect_same(function(v) c(append(v, 9, after = 0), append(v, c(7, 8), after = 1), append(v, 5)), c(1, 2))
  expect_same(function(x, n) {
    out <- list()
    for (i in seq_len(n)) out <- append(out, list(x * i))
    torch_stack(out)
  }, torch_ones(2), 3L)
})

test_that("vector(\"list\", n) has n places, which hold NULL at first", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, 2))
  expect_same(function(x, n) {
    out <- vector("list", n)
    for (i in seq_along(out)) out[[i]] <- x * i
    torch_stack(out)
  }, x, 3L)
  expect_same(function(n) {
    out <- vector("list", n)
    for (i in n:1) out[[i]] <- paste0("k", i)
    paste(c(unlist(out), paste(length(out))), collapse = "-")
  }, 3L)
  expect_same(function(n) {
    out <- vector("list", n)
    out[[2]] <- 5
    empty <- 0L
    for (i in seq_len(n)) if (is.null(out[[i]])) empty <- empty + 1L
    c(empty, length(out))
  }, 4L)
  expect_same(function(x) {
    parts <- vector("list", 2)
    parts[[1]] <- list(a = x, b = 1)
    parts[[2]] <- list(a = x * 2, b = 2)
    parts[[2]]$a * parts[[1]]$b + parts[[1]]$a$sum()
  }, x)
  expect_equal(jit_script(function(x) { out <- vector("list", 2); out[[2]] <- x; out }, x)(x)[[1]], NULL)
  program <- jit_script(function(x) { out <- vector("list", 2); out[[1]] <- x; torch_stack(out) }, x)
  expect_error(program(x), "element 2 of the list is NULL")
})

test_that("what is put behind the end of a vector leaves NaN between, and is refused where that can't be", {
  skip_if_no_torch()
  beyond <- jit_script(function(v) { v[5] <- 1; v }, v = "List[float]")
  expect_equal(beyond(c(1, 2)), c(1, 2, NaN, NaN, 1))
  expect_error(jit_script(function(v) { v[5] <- 1L; v }, v = "List[int]")(1:2), "R would put NA or NULL between")
  expect_error(jit_script(function(v) { v[4] <- "z"; v }, v = "List[str]")(c("a", "b")), "R would put NA or NULL between")
  expect_error(jit_script(function(v, i) v[i], v = "List[float]", i = "int")(c(1, 2), -1L), "where its minus is written")
  expect_error(jit_script(function(v) { v[[2]] <- NULL; v }, v = "List[float]"), "x <- x[-i]", fixed = TRUE)
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

test_that("a function gives one type, and says where it does not", {
  skip_if_no_torch()
  expect_snapshot(error = TRUE, jit_script(function(n) {
    if (n > 2) return("large")
    n
  }, 1), transform = without_lines)
})

test_that("an interrupt ends a loop of any kind soon", {
  skip_if_no_torch()
  skip_on_os("windows")
  loops <- list(
    numbers = list(function(n) { k <- 0; i <- 0; while (i < n) { k <- k + sqrt(i); i <- i + 1 }; k }, 1e12),
    tensors = list(function(x, n) { for (i in seq_len(n)) x <- x * 0.5 + 1; x }, torch_ones(3), 2000000000L),
    strings = list(function(n) { s <- ""; while (nchar(s) < n) if (s == "x") s <- "y"; s }, 5L),
    vectors = list(function(n) { repeat { out <- lapply(1:1000, function(i) i * 2.0); if (length(out) == 5L) break }; n }, 1L),
    elements = list(function(x) { repeat { x[1] <- x[2] + 1; if (as.logical(x[1] < 0)) break }; x }, torch_ones(3)),
    forked = list(function(x) {
      jit_wait(jit_fork(function(z) { repeat { z <- z * 0.5; if (as.logical(z$sum() > 10)) break }; z }, x))
    }, torch_ones(3))
  )
  for (name in names(loops)) {
    program <- do.call(jit_script, loops[[name]])
    system(sprintf("(sleep 0.5; kill -INT %d) &", Sys.getpid()))
    start <- proc.time()[["elapsed"]]
    expect_true(tryCatch({ do.call(program, loops[[name]][-1]); FALSE }, interrupt = function(i) TRUE), info = name)
    expect_lt(proc.time()[["elapsed"]] - start, 5)
  }
})
