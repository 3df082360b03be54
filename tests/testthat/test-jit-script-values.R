# Values of code that looks plain: literals, what assignments give, comparisons, text, pipes. R's closure tells what is right.

test_that("numbers that are written have all their digits", {
  skip_if_no_torch()
  for (f in list(
    function(n) n + 16777217L, function(n) n + 999999999L, function(n) n - 2147483647L, function(n) as.integer(n == 16777217L),
    function(n) n + 0.30000000000000004, function(n) 3.141592653589793 - n, function(n) 1e-300 * n, function(n, hi = -Inf) max(n, hi)
  )) {
    for (keeps in c(TRUE, FALSE)) {
      g <- if (keeps) f else utils::removeSource(f)
      expect_identical(as.numeric(jit_script(g, 16777216L)(16777216L)), as.numeric(f(16777216L)))
    }
  }
  expect_equal(jit_script(function(x) x + 16777217L, torch_tensor(1L, dtype = "int64"))(torch_tensor(1L, dtype = "int64"))$item(), 16777218)
  expect_equal(jit_script(function(x) torch_arange(16777217L, 16777219L), 1)(1)$numel(), 3)
  park_miller <- function(seed) {
    m <- 2147483647L
    for (i in 1:100) seed <- (16807L * seed) %% m
    seed
  }
  expect_equal(jit_script(park_miller, 11L)(11L), 1222649996)
})

test_that("code that was put together means what its tree says", {
  skip_if_no_torch()
  f <- g <- h <- function(x) NULL
  body(f) <- bquote(.(-2)^x)
  body(g) <- bquote(sum(x * .(c(0.1 + 0.2, 1 / 3))))
  body(h) <- bquote(min(x, .(-Inf)))
  for (it in list(f, g, h)) expect_identical(jit_script(it, 2)(2), it(2))
})

test_that("the value of an assignment is what is assigned", {
  skip_if_no_torch()
  expect_same(function(x) x[2] <- 5, c(1, 2))
  expect_same(function(x) {
    l <- list(a = 1, b = 2)
    l$a <- x
  }, 5)
  expect_same(function(x) {
    set <- function(v) v[[1]] <- 7
    y <- x[2] <- 3
    set(x) + y + sum(x)
  }, c(1, 2))
  expect_same(function(x) invisible(x[1] <- 4), c(1, 2))
})

test_that("a comparison of a variable with itself finds NaN", {
  skip_if_no_torch()
  compared <- list(
    function(x) x == x, function(x) x != x, function(x) x < x, function(x) x >= x, function(x) x <= x, function(x) x > x, function(x) !x,
    function(x) as.logical(x)
  )
  for (f in compared) {
    program <- expect_same(f, 2)
    expect_error(program(NaN), "a comparison with NaN", class = "torch_runtime_error")
  }
})

test_that("values of different kinds are not identical", {
  skip_if_no_torch()
  for (f in list(
    function(a) identical(a, 5), function(a) identical(a, 5L), function(a) identical(2L, 2), function(a) identical(c(1, 2), 1:2),
    function(a) identical(c(1, 2), c(1, 2)), function(a) identical(a, TRUE), function(a) identical(a, "5"), function(a) identical(NULL, a),
    function(a) identical(a, c(5L, 6L))
  )) expect_same(f, 5L)
})

test_that("texts of vectors without elements, and NULL", {
  skip_if_no_torch()
  for (f in list(
    function(v) paste0("n=", v), function(v) paste("a", v, "b"), function(v) length(paste0(v, v)), function(v) paste("a", NULL, "b"),
    function(v) paste(v, v, "a", sep = "-"), function(v) paste0(v, collapse = "+")
  )) for (n in 0:2) expect_equal(as.character(unlist(jit_script(f, v = "List[float]")(as.numeric(seq_len(n))))), as.character(f(as.numeric(seq_len(n)))), info = deparse(f))
  written <- function(f, ...) capture.output(invisible(jit_script(f, ...)(...)))
  expect_equal(written(function(v) cat(v, sep = "\n"), c(1, 2)), c("1", "2"))
  expect_equal(written(function(v) cat("a", v, NULL, numeric(0), "b"), c(1, 2)), "a 1 2 b")
  expect_equal(written(function(v) print(NULL), 1), "NULL")
  expect_error(jit_script(function(v) print(list(1, "a")), 1), "can't write a list of a number, a string", class = "torch_error")
})

test_that("loops are left from inside of with_no_grad()", {
  skip_if_no_torch()
  for (f in list(
    function(x) {
      for (i in 1:4) with_no_grad({
        if (i == 3L) break
        x <- x + i
      })
      x
    },
    function(x) {
      for (i in 1:4) with_no_grad({
        if (i == 2L) next
        for (k in 1:3) {
          if (k == 2L) next
          x <- x + k
        }
        x <- x * 2
      })
      x
    },
    function(x) {
      for (i in 1:4) with_no_grad(for (k in 1:3) {
        with_no_grad(if (i == 3L) break)
        x <- x + k
      })
      x
    },
    function(x) {
      i <- 0L
      while (TRUE) {
        i <- i + 1L
        y <- with_no_grad({
          if (i > 4L) break
          x * i
        })
        x <- x + y
      }
      x
    }
  )) {
    expect_same(f, 2)
    expect_same(f, torch_ones(2))
  }
})

test_that("what leaves a loop or function stands before, in and behind with_no_grad() and with_enable_grad()", {
  skip_if_no_torch()
  for (f in list(
    function(x) { for (i in 1:4) { if (i == 2L) next; with_no_grad({ x <- x * i }) }; x }, function(x) { for (i in 1:4) { if (i == 3L) break; y <- with_no_grad(x * i); x <- x + y }; x },
    function(x) { for (i in 1:4) { with_no_grad({ x <- x * i }); if (i == 2L) next; x <- x + 1 }; x }, function(x) { i <- 0L; repeat { i <- i + 1L; if (i > 4L) break; with_no_grad(x <- x + i) }; x },
    function(x) { i <- 0L; while (i < 5L) { i <- i + 1L; if (i == 2L) next; with_no_grad(x <- x + i) }; x }, function(x) { for (i in 1:3) { if (i == 3L) return(x); with_no_grad(x <- x + 1) }; x * 100 },
    function(x) { if (length(x) > 1) return(x); with_no_grad(x * 2) }, function(x) { with_no_grad({ if (length(x) > 1) return(x); y <- x * 2 }); y },
    function(x) { with_no_grad({ for (i in 1:3) { for (k in 1:3) if (k == 2L && i == 2L) return(x * 10); x <- x + 1 } }); x },
    function(x) { with_no_grad({ x <- x + 1; with_enable_grad({ if (length(x) > 1) return(x * 3); x <- x * 7 }) }); x },
    function(x) { for (i in 1:4) { if (i == 1L) next; with_no_grad({ if (i == 3L) next; for (k in 1:3) { if (k == 2L) next; with_enable_grad(x <- x + k) } }); x <- x * 2 }; x },
    function(x) { for (i in 1:3) { if (i > 5L) stop("no"); stopifnot(i < 9L); with_no_grad(x <- x + i) }; x },
    function(x) { for (i in 1:4) { if (i == 2L) next; if (i > 2L) with_no_grad(x <- x * 2) else x <- x + 1 }; x }, function(x) { for (i in 1:3) x <- with_enable_grad(x * 2); x }
  )) {
    expect_same(f, 2)
    expect_same(f, torch_ones(2))
  }
  # The mode is that of R, and the one before afterwards.
  modes <- function(x) {
    w <- torch_ones(2)$requires_grad_()
    out <- c((w * x)$requires_grad)
    with_no_grad({
      out <- c(out, (w * x)$requires_grad)
      for (i in 1:2) with_enable_grad({
        if (i == 2L) next
        out <- c(out, (w * x)$requires_grad)
      })
      out <- c(out, (w * x)$requires_grad)
    })
    c(out, (w * x)$requires_grad)
  }
  program <- expect_same(modes, torch_ones(2))
  expect_identical(with_no_grad(unlist(program(torch_ones(2)))), with_no_grad(modes(torch_ones(2))))
  expect_error(jit_script(function(x) with_no_grad(x, 2), torch_ones(2)), "takes the code to run, and nothing else", class = "torch_error")
  path <- withr::local_tempfile(fileext = ".pt")
  jit_save(program, path)
  expect_identical(unlist(jit_load(path)(torch_ones(2))), modes(torch_ones(2)))
  expect_identical(unlist(python_eval("result = torch.jit.load(path)(torch.ones(2))", path = path)), modes(torch_ones(2)))
})

test_that("kinds of values are known while a program is compiled", {
  skip_if_no_torch()
  for (x in list(2, 2L, "a", TRUE)) for (f in list(
    function(x) class(x), function(x) typeof(x), function(x) mode(x), function(x) storage.mode(x), function(x) if (inherits(x, "numeric")) "number" else "other",
    function(x) inherits(x, c("a", "integer")), function(x) class(list(x, NULL)), function(x) class(NULL), function(x) class(function(z) z), function(x) inherits(x, what = "character")
  )) expect_same(f, x)
  expect_same(function(x) if (inherits(x, "torch_tensor")) x * 2 else nchar(x), torch_ones(2))
  expect_same(function(x) class(x)[1], torch_ones(2))
  expect_same(function(x) if (x$device$type == "cuda") 1 else if (is.null(x$device$index)) 2 else 3, torch_ones(2))
  for (f in list(
    function(x) x$device == torch_device("cpu"), function(x) x$device != torch_device("cuda", 1L), function(x) identical(x$device, torch_device("cuda:0")),
    function(x) x$dtype == torch_float(), function(x) x$layout == torch_strided(), function(x) x$is_leaf, function(x) x$ndim, function(x) x$is_sparse(), function(x) x$element_size(),
    function(x) x$is_cuda
  )) expect_same(f, torch_ones(2, 3))
})

test_that("functions of strings", {
  skip_if_no_torch()
  for (s in c("abc", "a\u00e9\u4e2d\U1F600", "")) for (f in list(
    function(s) utf8ToInt(s), function(s) intToUtf8(utf8ToInt(s)), function(s) intToUtf8(utf8ToInt(s), multiple = TRUE), function(s) nchar(s, type = "bytes"), function(s) nchar(s, "chars"),
    function(s) chartr("ab\u4e2d", "xyz", s), function(s) paste(rev(strsplit(s, "")[[1]]), collapse = ""), function(s) max(c("b", s))
  )) expect_equal(as.character(unlist(jit_script(f, s = "str")(s))), as.character(f(s)))
  expect_same(function(s) { k <- utf8ToInt(s); intToUtf8((k - 97L + 3L) %% 26L + 97L) }, "xyz")
  for (s in c("  a ", "\t a\u00a0 \n")) for (f in list(function(s) trimws(s), function(s) trimws(s, "left"), function(s) trimws(s, which = "right"), function(s) nchar(trimws(c(s, " b"))))) expect_same(f, s)
  for (f in list(
    function(n) strtoi("101", base = 2), function(n) strtoi("-fF", 16L), function(n) strtoi("077", 8), function(n) strtoi("0x1A", 16L), function(n) strtoi(c("10", "77"), 8L), function(n) strtoi("zz", 36L),
    function(n) nchar(n), function(n) nchar(c(1.5, 20)), function(n) IQR(c(1, 2, 3, 4, n)), function(n) mad(c(1, NaN, 4, n), na.rm = TRUE), function(n) (1:n)[3], function(n) seq_len(n)[[2]],
    function(n) (n:1)[2], function(n) length((1:n)[0]), function(n) seq_len(n)[-1], function(n) c(1, 2, n)[TRUE], function(n) length(c(1, 2, n)[FALSE])
  )) expect_same(f, 10L)
  for (text in c("12", "", "2 ")) expect_error(jit_script(function(s) strtoi(s, 2L), s = "str")(text), "is NA in R", class = "torch_runtime_error")
  expect_error(jit_script(function(s) trimws(s, whitespace = "x"), s = "str")("a"), "patterns are not compiled", class = "torch_runtime_error")
  for (f in list(function(n) (1:n)[4], function(n) seq_len(n)[[4]])) expect_error(jit_script(f, 1L)(3L), "subscript out of bounds: position 4 of 3", class = "torch_runtime_error")
  # No vector is made.
  expect_equal(jit_script(function(n) seq_len(n)[7] + (1:n)[5] + (n:1)[n], 1L)(2000000000L), 13)
})

test_that("pipes of magrittr mean what they mean in R", {
  skip_if_no_torch()
  skip_if_not_installed("magrittr")
  `%>%` <- magrittr::`%>%`
  `%<>%` <- magrittr::`%<>%`
  twice <- function(x, by = 2) x * by
  for (f in list(
    function(x) x %>% (function(z) z + 1), function(x) x %>% (\(z) z + 1)(), function(x) x %>% {. + 1}, function(x) x %>% c(1, .),
    function(x) x %>% .[1], function(x) x %>% twice, function(x) x %>% twice(3), function(x) x %>% twice(2, .), function(x) x %>% twice(. + 1),
    function(x) x %>% (twice), function(x) x %>% c(., . + 1) %>% sum, function(x) x %>% twice(by = . %>% abs(.)), function(x) x %>% max(1 %>% twice(., .))
  )) {
    it <- try(f(-9.12), silent = TRUE)
    if (!inherits(it, "try-error") && is.numeric(it)) expect_same(f, -9.12)
  }
  expect_error(jit_script(function(x) {
    f <- . %>% sum
    f(x)
  }, 1), "makes a function, which is not compiled", class = "torch_error")
  expect_error(jit_script(function(x) {
    x %<>% abs
    x
  }, 1), "assign what `%>%` gives", class = "torch_error")
})

test_that("small functions of R", {
  skip_if_no_torch()
  for (f in list(
    function(v) sum(v, na.rm = TRUE), function(v) mean(v, na.rm = TRUE), function(v) max(v, 2, na.rm = TRUE), function(v) median(v, na.rm = TRUE),
    function(v) min(v[-2], na.rm = FALSE)
  )) expect_same(f, c(1, NaN, 5))
  for (f in list(
    function(s) substring(s, 2), function(s) substring(s, 2, 3), function(s) substring(s, first = 3L), function(s) is.element(s, c("a", s)),
    function(s) append(list(), s, after = 0)[[1]]
  )) expect_same(f, "word")
  for (f in list(
    function(n) bitwNot(n), function(n) Position(function(x) x > 2, c(1, 3, n)), function(n) Find(function(x) x > 2, c(1, 3, n)),
    function(n) is.null(Find(function(x) x > 20, c(1, 3, n))), function(n) rep(1, t = n), function(n) length(seq(1, 10, length = n)),
    function(n) unlist(list(c(1, 2), n)), function(n) {
      g <- function(value, times) value * times
      g(val = n, tim = 3L)
    }, function(n) {
      x <- c(1, 2)
      x[0] <- 5
      x
    }, function(n) {
      l <- list(c(1, 2), 3:4 / 2, c(5, 6, 7))
      l[[1]] <- NULL
      l[[n - 1L]] <- NULL
      length(l) + l[[1]]
    }
  )) expect_same(f, 2L)
  expect_error(jit_script(function(n) Position(function(x) x > n, c(1, 3)), 5)(5), "`Position()` finds nothing", fixed = TRUE)
})

test_that("a number that becomes a tensor is given as a number", {
  skip_if_no_torch()
  f <- function(x, n) {
    for (i in 1:n) x <- x * torch_ones(1)
    x
  }
  program <- jit_script(f, 1.5, 2L)
  expect_equal(program(1.5, 2L)$item(), 1.5)
  expect_equal(program(x = 2.5, n = 1L)$item(), 2.5)
})

test_that("an argument that the program does not have is told", {
  skip_if_no_torch()
  f <- jit_script(function(x, mask = NULL) if (is.null(mask)) x else x * mask, torch_ones(2))
  expect_error(f(torch_ones(2), torch_ones(2)), "`mask` is NULL in it", class = "type_error")
})

test_that("functions that are none of R code are refused by name", {
  skip_if_no_torch()
  for (f in list(torch_relu, mean, sapply)) expect_error(jit_script(f, torch_ones(2)), "write `function(x)` around its call", fixed = TRUE, class = "type_error")
})

test_that("marks stand below what they mark", {
  skip_if_no_torch()
  marked <- function(text) {
    f <- eval(parse(text = text, keep.source = TRUE))
    shown <- strsplit(conditionMessage(tryCatch(jit_script(f, n = 1L), error = identity)), "\n")[[1]]
    at <- grep("<--- HERE", shown)[1]
    mark <- regexpr("~+", shown[at])
    expect_equal(gsub("[^\t]", "", substr(shown[at], 1, mark)), gsub("[^\t]", "", substr(shown[at - 1], 1, mark)))
    substr(shown[at - 1], mark, mark + attr(mark, "match.length") - 1)
  }
  for (before in c("", "s <- \"\u00fc\u00fc\u00fc\"; ", "\t\t", "  \t s <- \"\u00fc\";\t")) {
    expect_equal(marked(paste0("function(n) {\n", before, "n <<- 1\n}")), "n <<- 1")
  }
})
