# Lists, vectors and dictionaries that grow from nothing, lose elements, or hold NULL first. R's closure tells what is right.

test_that("vectors and lists grow from NULL", {
  skip_if_no_torch()
  for (f in list(
    function(n) { x <- c(); for (i in seq_len(n)) x[i] <- i * 1.5; x }, function(n) { x <- NULL; for (i in seq_len(n)) x[i] <- i; x },
    function(n) { x <- NULL; for (i in seq_len(n)) x[[i]] <- c(i, 2); length(x) }, function(n) { x <- NULL; for (i in seq_len(n)) x[length(x) + 1L] <- i * 2; sum(x) },
    function(n) { x <- NULL; for (i in seq_len(n)) x[[i]] <- torch_ones(2) * i; if (is.null(x)) torch_zeros(1) else torch_stack(x) },
    function(n) { x <- NULL; for (i in seq_len(n)) x <- c(x, i); is.null(x) }, function(n) { x <- c(); for (i in seq_len(n)) x <- c(x, paste0("s", i)); paste(x, collapse = "") },
    function(n) { l <- NULL; for (i in seq_len(n)) l <- append(l, i, after = 0); l }, function(n) { l <- NULL; for (i in seq_len(n)) l <- append(l, list(c(i, 1))); length(l) },
    function(n) { a <- b <- c(); for (i in seq_len(n)) { a[i] <- i; b[i] <- a[i] * 2 }; sum(a) + sum(b) }, function(n) { x <- NULL; x[1] <- n; x[2] <- 0.5; x },
    function(n) { x <- NULL; for (i in seq_len(n)) x[[paste0("k", i)]] <- i; length(x) }, function(n) { x <- c(); for (i in seq_len(n)) x[paste0("k", i)] <- i; names(x) },
    function(n) { x <- NULL; x$a <- n; x$b <- "s"; paste0(x$b, x$a) }, function(n) { x <- NULL; for (i in seq_len(n)) x$a <- i; is.null(x$a) },
    function(n) { s <- list(l = NULL); for (i in seq_len(n)) s$l[[i]] <- i; length(s$l) }, function(n) { o <- c(1); for (i in seq_len(n)) o <- c(o, if (i > 1L) i * 2); o },
    function(n) { o <- NULL; for (i in seq_len(n)) o <- c(o, switch(i, 10, 20)); o }, function(n) { x <- integer(0); for (i in seq_len(n)) x[i] <- i / 2; sum(x) }
  )) for (n in c(0L, 3L)) expect_equal(unlist(plain(jit_script(f, 1L)(n))), unlist(plain(f(n))), info = deparse(body(f)))
  # What a variable that may be NULL gets in a loop is no constant, though parts of it are changed in the next turn.
  expect_same(function(n) {
    x <- NULL
    s <- 0
    for (i in seq_len(n)) {
      if (!is.null(x)) x[1] <- 5 + i
      s <- s * 10 + sum(x)
      x <- c(1, 2)
    }
    s
  }, 4L)
})

test_that("lists get and lose elements by their names", {
  skip_if_no_torch()
  for (f in list(
    function(n) { l <- list(a = n, b = "s"); l$a <- NULL; names(l) }, function(n) { l <- list(a = n, b = 2); l[["a"]] <- NULL; l["b"] <- 7; l$b },
    function(n) { l <- list(a = n, b = 2); l["a"] <- NULL; length(l) }, function(n) { l <- list(n, "s", 3L); l[[2]] <- NULL; l[[2]] },
    function(n) { l <- list(a = n); l$a <- NULL; length(l) }, function(n) { l <- list(a = n); l$z <- NULL; l$a }, function(n) { l <- list(a = list(b = n, c = 2)); l$a$b <- NULL; names(l$a) },
    function(n) { l <- list(a = n, b = 2); if (n > 2) l$a <- NULL; length(l) }, function(n) { l <- list(a = n); l$b <- "x"; l[["c"]] <- 5L; names(l) },
    function(n) { f <- function(l) { l$b <- "x"; l }; l <- list(a = n); paste0(f(l)$b, length(l)) }, function(n) { l <- list(n, "s"); l[[3]] <- TRUE; l[[1]] <- "t"; paste0(l[[1]], length(l)) },
    function(n) { l <- list(); l$n <- n; l$s <- "x"; l$n <- l$n * 2; l$n }, function(n) { l <- list(); l$a <- n; for (k in c("b", "c")) l[[k]] <- 1; names(l) },
    function(n) { l <- list(a = 1); if (n > 2) l$b <- 2; names(l) }, function(n) { l <- list(a = 1); l$a <- "text"; l$a }
  )) for (n in c(1, 3)) expect_equal(unlist(plain(jit_script(f, 1)(n))), unlist(plain(f(n))), info = deparse(body(f)))
  for (f in list(
    function(n) { l <- list(c(1, 2), c(3, 4)); l[n] <- NULL; length(l) }, function(n) { l <- list(c(1, 2), c(3, 4), c(5, 6)); l[c(1L, n)] <- NULL; l[[1]] },
    function(n) { l <- list(c(1, 2), c(3, 4), c(5, 6)); l[c(TRUE, FALSE, TRUE)] <- NULL; l[[1]] }, function(n) { l <- list(c(1, 2), c(3, 4), c(5, 6)); l[-n] <- NULL; l[[1]] },
    function(n) { s <- list(l = list(c(1, 2), c(3, 4)), k = 1); s$l[[n]] <- NULL; length(s$l) }, function(n) { l <- list(1, 2, 3); l[[n]] <- NULL; l[[2]] },
    function(n) { q <- list(); for (i in 1:5) q[[i]] <- i; s <- 0; while (length(q) > 0) { s <- s * 2 + q[[1]]; q[[1]] <- NULL }; s },
    function(n) { l <- list(c(1, 2)); k <- l; l[[1]] <- NULL; length(k) }, function(n) { l <- list(1, 2); l[[n + 5L]] <- NULL; length(l) },
    function(n) { d <- jit_dict(c("a", "b"), c(1, 2)); d[["a"]] <- NULL; d[["z"]] <- NULL; length(d) }, function(n) { d <- list(); for (k in c("a", "b")) d[[k]] <- n; d[["a"]] <- NULL; d$b }
  )) expect_same(f, 2L)
  expect_error(jit_script(function(n) {
    l <- list(a = n)
    if (n > 2) l$b <- "s"
    l
  }, 1), "in a loop or branch a list keeps its elements: make it with all of them, NULL where", class = "torch_error")
})

test_that("elements that are NULL first get values in loops", {
  skip_if_no_torch()
  for (f in list(
    function(x) { s <- list(best = NULL, n = 0L); for (i in 1:4) { v <- x * (3 - abs(i - 3)); if (is.null(s$best) || v > s$best) s$best <- v; s$n <- s$n + 1L }; s$best + s$n },
    function(x) { s <- list(trace = c(), n = 0); for (i in 1:4) s$trace <- c(s$trace, i * x); sum(s$trace) },
    function(x) { s <- list(n = 0L, v = NULL); for (i in 1:4) { s$n <- s$n + x; if (i > 2L) s$v <- c(i, x) }; s$n + sum(s$v) },
    function(x) { f <- function(k) if (k > 1) list(a = k, b = NULL) else list(a = 1L, b = "s"); is.null(f(x)$b) },
    function(x) { s <- list(a = x); for (i in 1:3) { old <- s; s$a <- s$a + 1; old$a <- 100 }; s$a }
  )) expect_same(f, 2)
  best <- function(x) {
    best <- NULL
    for (i in 1:3) {
      v <- x * i
      if (is.null(best) || sum(v)$item() > sum(best$value)$item()) best <- list(value = v, at = i)
    }
    best$value * best$at
  }
  expect_error(jit_script(best, torch_ones(2)), NA)
  f <- jit_script(function(x) { s <- list(best = NULL); for (i in 1:3) if (is.null(s$best)) s$best <- x * i else s$best <- s$best + x; s$best }, torch_ones(2))
  expect_equal(as_array(f(torch_ones(2))), c(3, 3))
})

test_that("keys of dictionaries are asked for before they are there", {
  skip_if_no_torch()
  for (f in list(
    function(s) { d <- list(); for (w in strsplit(s, " ")[[1]]) { if (is.null(d[[w]])) d[[w]] <- 1L else d[[w]] <- d[[w]] + 1L }; d[["a"]] },
    function(s) { d <- jit_dict(); for (w in strsplit(s, " ")[[1]]) if (is.null(d[[w]])) d[[w]] <- 1L else d[[w]] <- d[[w]] + 1L; d[["a"]] },
    function(s) { d <- list(); for (w in strsplit(s, " ")[[1]]) { if (w %in% names(d)) d[[w]] <- d[[w]] + 1L else d[[w]] <- 1L }; d[["a"]] },
    function(s) { d <- list(); for (w in strsplit(s, " ")[[1]]) d[[w]] <- (d[[w]] %||% 0L) + 1L; paste(names(d), collapse = "-") },
    function(s) { d <- jit_dict(c("a", "b"), c(1, 2)); is.null(d[[s]]) }, function(s) { l <- list(a = 1, b = 2); is.null(l[[s]]) && is.null(l[["z"]]) && is.null(l$z) },
    function(s) { l <- list(a = 1, b = 2); if (is.null(l[[substr(s, 1, 1)]])) 0 else l[[substr(s, 1, 1)]] }, function(s) length(jit_dict())
  )) expect_same(f, "a b a c a")
  expect_error(jit_script(function(s) { d <- jit_dict(c("a", "b"), c(1, 2)); d[[s]] }, s = "str")("z"), "no such name in the dictionary, so that this is NULL in R", class = "torch_runtime_error")
})
