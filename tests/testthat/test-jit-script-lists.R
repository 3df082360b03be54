# Lists and strings in compiled R functions. What a program gives is compared with what R gives (helper-script.R).

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

test_that("order(), rank() and functions of sets give what R gives, also of long vectors", {
  skip_if_no_torch()
  withr::local_seed(1)
  makers <- list(
    "List[float]" = function(n) sample(c(round(rnorm(n), 1), NaN, -0, 0), n), "List[int]" = function(n) sample(-5:5, n, TRUE),
    "List[str]" = function(n) sample(c("b", "a", "B", ""), n, TRUE)
  )
  of_one <- list(
    function(x) order(x), function(x) order(x, decreasing = TRUE), function(x) unique(x), function(x) duplicated(x)
  )
  of_two <- list(
    function(x, y) union(x, y), function(x, y) intersect(x, y), function(x, y) setdiff(x, y), function(x, y) x %in% y,
    function(x, y) match(x, y, nomatch = 0L)
  )
  withr::local_collate("C")
  for (type in names(makers)) {
    for (n in c(1, 2, 40)) {
      x <- makers[[type]](n)
      y <- makers[[type]](n)
      # An empty vector of strings comes as an empty list.
      for (f in of_one) expect_equal(as.vector(jit_script(f, x = type)(x), typeof(f(x))), f(x), info = deparse1(body(f)))
      for (f in of_two) {
        got <- jit_script(f, x = type, y = type)(x, y)
        expect_equal(as.vector(got, typeof(f(x, y))), f(x, y), info = deparse1(body(f)))
      }
    }
  }
  ranks <- jit_script(function(x) rank(x), x = "List[float]")
  for (n in c(0, 1, 50)) {
    x <- round(rnorm(n), 1)
    expect_equal(as.numeric(ranks(x)), rank(x))
  }
  long <- runif(1e5)
  expect_identical(as.integer(jit_script(function(x) order(x), x = "List[float]")(long)), order(long))
  expect_true(all(jit_script(function(x, y) x %in% y, x = "List[float]", y = "List[float]")(long, rev(long))))
})

test_that("Map() recycles single values, and goes through nothing else of another length", {
  skip_if_no_torch()
  expect_same(function(v) unlist(Map(function(a, b) a * b, v, 2)), c(1, 2, 3))
  expect_same(function(v) unlist(Map(function(a, b) a * b, 2, v)), c(1, 2, 3))
  expect_same(function(v) unlist(mapply(function(a, b, c) a * b + c, v, 2, 1:3)), c(1, 2, 3))
  expect_same(function(v) unlist(Map(function(a) a * 2, v)), c(1, 2, 3))
  expect_error(
    jit_script(function(v, w) Map(function(a, b) a * b, v, w), v = "List[float]", w = "List[float]")(c(1, 2, 3), c(1, 2)),
    "lists of 3 and 2 elements", class = "torch_runtime_error"
  )
})

test_that("dictionaries are what jit_dict() makes in R, and empty ones learn what they hold", {
  skip_if_no_torch()
  x <- torch_ones(2)
  expect_same(function() { d <- jit_dict("a", 1); d[["b"]] <- 2; d[["a"]] + d[["b"]] })
  expect_same(function() jit_dict(1, list("u"))[[1]])
  expect_same(function() { d <- jit_dict(character(0), list()); d[["a"]] <- "x"; d[["b"]] <- "y"; paste0(d[["a"]], d[["b"]]) })
  expect_same(function(n) { d <- jit_dict(character(0), list()); for (i in 1:n) d[[paste0("k", i)]] <- i; d[["k2"]] + length(d) }, 3L)
  expect_same(function() { d <- jit_dict(numeric(0), list()); d[[2]] <- 1L; d[[3]] <- 0.5; d[[2]] + d[[3]] })
  expect_same(function(x) { d <- jit_dict(character(0), list()); d[["b"]] <- x; d[["b"]] }, x)
  expect_same(function(x) { d <- jit_dict("a", list(x)); d[["b"]] <- x + 1; d[["b"]] }, x)
  expect_same(function() length(jit_dict(character(0), list())))
  expect_same(function() {
    put <- function(d, k) { d[[k]] <- "v"; d }
    d <- jit_dict(character(0), list())
    for (k in c("a", "b")) d <- put(d, k)
    paste0(d[["a"]], length(d))
  })
  for (f in list(
    function() jit_dict(c("a", "a"), c(1, 2)), function() jit_dict(c("a", "b"), 1), function() jit_dict("a", list()),
    function() jit_dict(c("a", "b"), c(1, 2, 3))
  )) expect_error(jit_script(f)(), conditionMessage(rlang::catch_cnd(f())), fixed = TRUE)
  expect_snapshot(error = TRUE, jit_script(function() { d <- jit_dict("a", 1); d[["b"]] <- "s"; d }), transform = without_lines)
})

test_that("what a function puts into an empty list tells what the list holds", {
  skip_if_no_torch()
  expect_same(function() { put <- function(l, v) { l[[length(l) + 1]] <- v; l }; l <- list(); l <- put(l, 1); unlist(put(l, 2)) })
  expect_same(function() { put <- function(l, v) { l[[length(l) + 1]] <- v; l }; l <- list(); for (s in c("a", "b")) l <- put(l, s); paste0(l[[1]], l[[2]]) })
  expect_same(function() { put <- function(l, v) { l[["a"]] <- v; l }; l <- list(); l <- put(l, 1); l[["a"]] })
  expect_same(function() sum(unlist(list())))
  expect_same(function(x) { l <- list(x); l[[1]] <- 1; l[[1]] + 0 }, torch_tensor(5))
  expect_same(function(v) { total <- 0; for (i in list()) total <- total + i; for (i in c()) total <- total + i; total + v }, 1)
})

test_that("functions of functions go through nothing as R does", {
  skip_if_no_torch()
  for (f in list(
    function() lapply(NULL, function(i) nchar(i)), function() lapply(list(), function(i) "a"), function() length(sapply(c(), function(i) i + 1)),
    function() Map(function(a, b) a + b, NULL, 1:2), function() Map(function(a, b) a + b, list(), list()), function() Filter(function(a) a > 1, list()),
    function() Filter(function(a) a > 1, NULL), function() Reduce(`+`, list()), function() Reduce(`+`, NULL, 5), function() Reduce(`+`, list(), 0),
    function() Reduce(`+`, NULL, accumulate = TRUE), function() vapply(list(), function(i) i * 2, 1), function() vapply(NULL, function(i) i, TRUE)
  )) expect_same(f)
  expect_equal(jit_script(function(v) length(Filter(function(i) i > 0, v)), v = "Optional[List[float]]")(NULL), 0)
  expect_error(jit_script(function() do.call(sum, list())), "`sum()` needs arguments", fixed = TRUE, class = "torch_error")
})

test_that("vapply() gives what `FUN.VALUE` is, or fails where R does", {
  skip_if_no_torch()
  v <- c(1, 2)
  for (f in list(
    function(v) vapply(v, function(i) i * 2, 1), function(v) vapply(v, function(i) i > 1, 1), function(v) vapply(v, function(i) TRUE, 1L),
    function(v) vapply(v, function(i) 2L, numeric(1)), function(v) vapply(v, function(i) i > 1, logical(1)), function(v) vapply(v, function(i) 1L, NA_integer_),
    function(v) vapply(v, function(i) i, NA_real_), function(v) vapply(v, function(i) i > 1, NA), function(v) vapply(v, FUN.VALUE = 1, function(i) i)
  )) expect_identical(jit_script(f, v = "List[float]")(v) + 0, f(v) + 0)
  expect_same(function(v) paste(vapply(v, function(i) "a", NA_character_), collapse = ""), v)
  expect_equal(jit_script(function(v) vapply(v, function(i) c(i, i), numeric(2)), v = "List[float]")(v), list(c(1, 1), c(2, 2)))
  for (f in list(
    function(v) vapply(v, function(i) i * 2, 1L), function(v) vapply(v, function(i) "a", 1), function(v) vapply(v, function(i) i, ""),
    function(v) vapply(v, function(i) i, NA), function(v) vapply(v, function(i) c(i, i), character(2))
  )) {
    expect_error(f(v), "values must be type")
    expect_error(jit_script(f, v = "List[float]"), "`FUN.VALUE` wants a .*, and the function gives .*<--- HERE", class = "torch_error")
  }
  for (f in list(function(v) vapply(v, function(i) c(i, i), 1), function(v) vapply(v, function(i) i, numeric(2)))) {
    expect_error(f(v), "values must be length")
    expect_error(jit_script(f, v = "List[float]")(v), "`FUN.VALUE` is of length", class = "torch_error")
  }
  expect_error(jit_script(function(v) vapply(v, function(i) i), v = "List[float]"), "`FUN.VALUE` is missing", class = "torch_error")
  expect_error(jit_script(function(x) vapply(1:2, function(i) x$sum(), 1)), "gives a tensor: take its number, by `as.numeric()`", fixed = TRUE, class = "torch_error")
})

test_that("names() is NULL where there can be none, and what `lapply()` and its like go through hands its names on", {
  skip_if_no_torch()
  for (f in list(function() names(list(1, 2)), function() names(c(1, 2)), function() names(list()), function() names(1), function() names(list(1, "a")))) expect_same(f)
  for (f in list(
    function() names(Map(function(a) a, c("u", "v"))), function() names(lapply(list(a = 1, b = 2), function(i) i)), function() names(sapply(c("u", "v"), nchar)),
    function() Map(function(a, b) a + b, list(x = 1, y = 2), list(3, 4))$y, function() lapply(list(a = 1, b = 2), function(i) i * 2)$b,
    function() sapply(c("x", "yy"), nchar)[["yy"]],
    function() mapply(function(k, n) n, c(u = "a", v = "b"), 1:2)[["v"]], function() unlist(lapply(list(a = 1, b = 2), function(i) i + 1))[[2]],
    function() lapply(list(a = 1, b = "s"), function(e) length(e))
  )) expect_equal(unlist(plain(jit_script(f)())), unlist(f()))
  expect_error(jit_script(function(n) names(sapply(seq_len(n), function(i) i)), 3L), "has no names in a program", class = "torch_error")
})

test_that("names are given to lists and vectors whose elements are written", {
  skip_if_no_torch()
  for (f in list(
    function(n) { v <- c(1, n); names(v) <- c("a", "b"); v[["b"]] }, function(n) setNames(c(1, n), c("a", "b"))[["a"]], function(n) names(setNames(list(n, "s"), c("u", "v"))),
    function(n) setNames(nm = c("a", "b"), object = list(n, 3))$b, function(n) { l <- list(a = n, b = 2); names(l) <- c("x", "y"); l$y },
    function(n) { l <- list(a = n, b = "s"); names(l) <- NULL; l[[2]] }, function(n) rev(list(a = n, b = "s"))$a, function(n) rev(list(n, "s", TRUE))[[1]]
  )) expect_equal(unlist(plain(jit_script(f, 3)(3))), unlist(f(3)))
  for (f in list(
    function(n) { v <- c(a = 1, b = n); v[2] <- 5; v }, function(n) { v <- c(a = 1L, b = 2L); for (i in 1:2) v[i] <- v[i] * n; v[["b"]] }, function(n) { v <- c(a = 1, b = n); v[-1] <- 7; v[["b"]] },
    function(n) { v <- c(a = 1, b = n); names(which.max(v)) }, function(n) { v <- c(a = 1, b = n); v * 2 + sum(v) }
  )) expect_equal(unname(unlist(jit_script(f, 3)(3))), unname(f(3)))
  # Vectors with names are vectors where names do not matter.
  for (f in list(
    function(n) { r <- sapply(c("x", "y"), function(v) paste0(v, "!")); paste(r, collapse = "-") }, function(n) { r <- sapply(list(a = n, b = 2), function(v) v + 1); r[r > 3] },
    function(n) sum(c(sapply(list(a = n, b = 2), function(v) v + 1), 5)), function(n) { r <- c(a = n, b = 2); sum(head(r, 1)) + sum(tail(r, 1)) + length(r[-1]) },
    function(n) Reduce(`+`, Map(function(s) nchar(s), c("x", "yy"))), function(n) do.call(sum, Map(function(s) nchar(s), c("x", "yy"))), function(n) sum(a = n, b = 2),
    function(n) { d <- list(); for (k in c("a", "b")) d[[k]] <- n; d[[2]] + sum(unlist(d)) }, function(n) { r <- c(u = n, v = 2); "v" %in% names(r) && 2 %in% r },
    function(n) { x <- if (n > 1) torch_ones(2, 2) * n; as.numeric(sum(x, dim = 1)[2]) }
  )) expect_equal(unname(unlist(jit_script(f, 3)(3))), unname(f(3)), info = deparse(body(f)))
  expect_output(jit_script(function(n) cat(c(a = 1, b = n), "\n"), 3)(3), "1 3")
  expect_error(jit_script(function(n) { v <- c(a = 1, b = n); v[3] <- 5; v }, 3)(3), "gets no elements by positions", class = "torch_runtime_error")
  expect_error(jit_script(function(n) setNames(numeric(n), c("a", "b")), 2L), "has names of lists and vectors whose elements", class = "torch_error")
  expect_error(jit_script(function(n) setNames(c(1, 2), "a"), 2L), "1 names for 2 elements", class = "torch_error")
})
