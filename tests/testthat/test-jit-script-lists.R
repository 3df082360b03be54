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
