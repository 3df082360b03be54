# Vectors of numbers, strings and logicals in compiled code. What a program gives is compared with what R gives.

test_that("what is done to numbers is done to the elements of vectors", {
  skip_if_no_torch()
  v <- c(-1.5, 0, 2.25, 7)
  w <- c(2, 3, -1, 0.5)
  for (f in list(
    function(v, w) v + w * 2 - 1, function(v, w) v / w, function(v, w) v^2, function(v, w) v %% w, function(v, w) v %/% w,
    function(v, w) -v, function(v, w) v > w, function(v, w) (v > 0) & !(w > 2), function(v, w) v < 0 | w == 3,
    function(v, w) sqrt(abs(v)), function(v, w) exp(v), function(v, w) round(v), function(v, w) sign(w), function(v, w) floor(v),
    function(v, w) ifelse(v > 0, v, w), function(v, w) as.integer(v), function(v, w) is.na(v / 0), function(v, w) xor(v > 0, w > 0),
    function(v, w) sum(v[v > 0]), function(v, w) 1 / w, function(v, w) log(abs(w)), function(v, w) as.logical(v)
  )) expect_same(f, v, w)
  for (x in c(2, 0.5, -3)) for (f in list(function(v, x) v * x, function(v, x) x - v, function(v, x) v == x, function(v, x) v %/% x)) {
    expect_same(f, c(1L, 4L, -7L), x)
  }
  expect_same(function(words) nchar(words), c("a", "bcd", ""))
  expect_same(function(words) paste(toupper(substr(words, 1L, 1L)), collapse = "+"), c("ab", "cde"))
  expect_same(function(words, x) words == x, c("ab", "cde"), "ab")
  expect_same(function(v) v + 1, numeric())
  expect_error(jit_script(function(v, w) v + w, v = "List[float]", w = "List[float]")(c(1, 2, 3), c(1, 2)), "only single numbers are recycled")
})

test_that("seq() and its kin, and position 0, are R's", {
  skip_if_no_torch()
  for (n in 1:4) for (f in list(
    function(n) seq(0, 1, length.out = n), function(n) seq(2L, by = 3L, length.out = n), function(n) seq(1.5, by = -0.5, length.out = n),
    function(n) seq(to = 10, by = 2, length.out = n), function(n) seq(5L, length.out = n), function(n) seq(to = 5L, length.out = n),
    function(n) seq(length.out = n), function(n) seq(along.with = c(1, n)), function(n) seq(n), function(n) seq(1, n), function(n) seq(1, n, 0.5),
    function(n) seq(0.5, n), function(n) seq(n, 1L), function(n) seq(1, 10, n), function(n) seq.int(1L, 10L, n), function(n) rev(seq_len(n)),
    function(n) seq_len(n)[0], function(n) length(c("a", "b")[0L]), function(n) seq_len(n)[c(0L, 1L)]
  )) expect_same(f, n)
})

test_that("elements by names and positions that are computed", {
  skip_if_no_torch()
  for (mode in c("sum", "max")) expect_same(function(mode) c(sum = 0L, mean = 1L, max = 2L)[[mode]] + list(a = 1L, b = 2L)[[nchar(mode) - 1L]], mode)
  expect_error(jit_script(function(mode) c(sum = 0L, mean = 1L)[[mode]], mode = "str")("none"), "no such name", class = "torch_runtime_error")
  expect_same(function(n) do.call(c, lapply(seq_len(n), function(i) i * 2)), 3L)
  # Places of tensors that are not there yet.
  expect_same(function(x) {
    parts <- list(NULL, NULL)
    parts[[1]] <- x
    if (is.null(parts[[2]]) && !is.null(parts[[1]])) parts[[1]] + 1 else x
  }, torch_tensor(1))
})

test_that("functions of vectors are R's", {
  skip_if_no_torch()
  for (v in list(c(3, 1, 2), c(2, 2, -1, 5))) for (f in list(
    function(v) order(v), function(v) order(v, decreasing = TRUE), function(v) unique(v), function(v) duplicated(v), function(v) diff(v),
    function(v) cumprod(v), function(v) var(v), function(v) sd(v), function(v) pmin(v, 2), function(v) pmax(v, rev(v)),
    function(v) range(v), function(v) head(v, -1), function(v) tail(v, -1), function(v) max(v, 4, v[1]), function(v) sum(v, 1L, 2.5, v),
    function(v) paste0("a", v, c("x"), collapse = "-"), function(v) paste(v[1], "b"), function(v) length(paste("v", v > 1))
  )) expect_same(f, v)
  for (text in c("a,b,c", "a,", "", ",x")) expect_same(function(text) paste(strsplit(text, ",")[[1]], collapse = "+"), text)
  expect_same(function(text) paste(strsplit(text, "")[[1]], collapse = "+"), "h\u00e9\u4e2d")
  expect_same(function(text) paste(strsplit(text, ".", fixed = TRUE)[[1]], collapse = "+"), "1.2.3")
  expect_error(jit_script(function(text) strsplit(text, ".")[[1]], text = "str")("1.2"), "fixed = TRUE", class = "torch_runtime_error")
})

test_that("ranges of positions, vectors that begin as NULL and texts of numbers are R's", {
  skip_if_no_torch()
  for (f in list(
    function(v) v[2:1], function(v) v[3:3], function(v) v[1:0], function(v) v[-1:-2], function(v) v[0:2], function(v) v %in% c(1, 3)
  )) expect_same(f, c(5, 1, 3))
  for (n in 0:3) expect_same(function(n) {
    v <- c()
    for (i in seq_len(n)) v <- c(v, i * 2)
    for (i in NULL) v <- c(v, 1)
    if (is.null(v)) -1 else sum(v)
  }, n)
  expect_same(function(v) paste(v, collapse = " "), c(
    0.1, 1 / 3, 100000, 123456, 1e-5, 0.0001, 1e15, 1e20, 1.5e-300, 2.5, -3, 123456.7, 1e5 + 0.1, 99999.5, 1 - 1e-15, pi * 1e10, 0
  ))
})

test_that("names and numbers of elements of a list are known, and a part that is not there is NULL", {
  skip_if_no_torch()
  expect_same(function(x) {
    settings <- list(a = x, b = "two")
    shift <- settings$shift %||% 1
    list(paste(names(settings), collapse = "+"), length(settings), is.null(settings$c), is.null(settings$a), shift)
  }, 2)
})

# R's answer is NA. What is computed with a logical that can be NA no program can say.
test_that("a comparison with NaN ends the program, as `if` ends in R", {
  skip_if_no_torch()
  comparisons <- list(
    function(x) x < 1, function(x) x > 1, function(x) x <= 1, function(x) x >= 1, function(x) x == 1, function(x) x != 1,
    function(x) !x, function(x) as.logical(x), function(x) if (x > 1) 1 else 2, function(x) { while (x < 1) x <- x + 1; x }
  )
  for (f in comparisons) {
    program <- jit_script(f, 1)
    for (value in c(-1, 0, 1, 2)) expect_same(f, value, program = program)
    expect_error(program(NaN), "comparison with NaN is NA in R", class = "torch_runtime_error")
  }
  expect_error(jit_script(function(v) sum(v > 1), v = "List[float]")(c(2, NaN)), "NA in R")
  # The place is the user's.
  expect_error(jit_script(comparisons[[1]], 1)(NaN), "x < 1", fixed = TRUE)
  # As machine code too.
  count <- function(x, n) {
    k <- 0
    for (i in seq_len(n)) if (x * i > 3) k <- k + 1
    k
  }
  program <- expect_same(count, 0.5, 20L)
  jit_warmup(program, 0.5, 20L)
  expect_same(count, 0.5, 20L, program = program)
  expect_error(program(NaN, 20L), "NA in R")
  for (f in list(
    function(x) is.nan(x), function(x) identical(x, NaN), function(x) NaN %in% c(1, x), function(x) match(NaN, c(1, x)),
    function(x) unique(c(x, 1, x, 1)), function(x) duplicated(c(x, 1, x, 1)), function(x) which.max(c(x, 1, 3, 2)),
    function(x) which.min(c(x, 1, 3, 0)), function(x) sort(c(x, 2, 1)), function(x) max(c(2, x, 1)), function(x) min(2, x),
    function(x) range(c(1, x))
  )) expect_same(f, NaN)
})

test_that("round() and signif() give R's digits", {
  skip_if_no_torch()
  withr::local_seed(1)
  values <- c(0.15, 0.25, 0.35, 2.675, 1.005, 2.5, -0.5, -1.5, 1234.5, 1e15 + 0.5, 123456789.125, round(runif(50, -100, 100), 3), 0)
  for (digits in c(0L, 1L, 2L, 3L, -1L, -2L)) {
    rounded <- jit_script(function(v, digits) round(v, digits), v = "List[float]", digits = "int")
    expect_identical(rounded(values, digits), round(values, digits))
  }
  significant <- jit_script(function(v, digits) signif(v, digits), v = "List[float]", digits = "int")
  for (digits in 1:6) expect_equal(significant(values, digits), signif(values, digits), tolerance = 1e-15)
})

test_that("sprintf() writes what R's does", {
  skip_if_no_torch()
  # The format must be known, so that each is a program of its own.
  of <- function(format, type) jit_script(eval(bquote(function(x) sprintf(.(format), x))), x = type)
  withr::local_seed(2)
  numbers <- c(
    0, -0, 1, -1.5, 3.14159, 0.125, 0.375, 2.675, 4.35, 0.5, 1.5, 2.5, 9.995, 999999.5, 1e-5, 1.23456e-7, 123456789.123, 1e15, -2^40 / 3,
    1e100, 5e-324, 1.7976931348623157e308, NaN, Inf, -Inf, round(10^runif(40, -8, 8), 4), 10^(-5:10)
  )
  formats <- c(
    "%f", "%.0f", "%.1f", "%.2f", "%8.3f", "%-8.1f|", "%+.2f", "%08.2f", "% .3f", "%#.0f", "%.15f", "%e", "%.0e", "%.3e", "%12.4E|", "%g",
    "%.3g", "%10.4g|", "%-12g|", "%G", "%.10g", "%.15g", "%+012g"
  )
  for (format in formats) {
    program <- of(format, "float")
    here <- if (grepl("f", format)) numbers[is.nan(numbers) | abs(numbers) < 1e22 | is.infinite(numbers)] else numbers
    for (x in here) expect_identical(program(x), sprintf(format, x), info = paste(format, format(x, digits = 17)))
  }
  for (format in c("%d", "%5d", "%-5d|", "%05d", "%+d", "% d", "%i", "%.3d", "%8.3d")) {
    for (x in c(0L, 42L, -7L, 2147483647L)) expect_identical(of(format, "int")(x), sprintf(format, x), info = format)
  }
  for (format in c("%x", "%X", "%o", "%08x", "%#x")) {
    for (x in c(0L, 255L, 4096L)) expect_identical(of(format, "int")(x), sprintf(format, x), info = format)
  }
  for (format in c("%s", "%5s|", "%-5s|", "%.1s", "%5.2s|")) {
    for (x in c("", "ab", "longer words")) expect_identical(of(format, "str")(x), sprintf(format, x), info = format)
  }
  # By letters, as R does where strings are UTF-8.
  expect_identical(of("%5.2s|", "str")("\u00e9t\u00e9"), "   \u00e9t|")
  expect_same(function(x) sprintf("%s is %d", x, TRUE), 2.5)
  expect_same(function(x, n) sprintf("%2$d of %1$.1f%%", x, n), 2.5, 3L)
  expect_same(function(x, n) sprintf("%*d|%*d|", 5L, n, -5L, n), 1, 3L)
  expect_same(function(n) sprintf("%d", 3), 1L)
  expect_equal(unlist(jit_script(function(v) sprintf("%02d/%.1f", v, 0.5), v = "List[int]")(1:3)), sprintf("%02d/%.1f", 1:3, 0.5))
  for (f in list(
    function(x) sprintf("%q", x), function(x) sprintf("%d"), function(x) sprintf("%d", x, 1L), function(x) sprintf("%d", "a"),
    function(x) sprintf("%.20f", x), function(x) sprintf("%99999d", x), function(x) sprintf("%1$*2$d", x, 5L), function(x) sprintf(paste0("%", x), 1), function(x) sprintf("%")
  )) expect_snapshot(error = TRUE, jit_script(f, 1L), transform = without_lines)
  expect_error(of("%d", "float")(2.5), "2.5 is no whole number")
  expect_error(of("%.1f", "float")(1e23), "`%e` and `%g`", fixed = TRUE)
})

test_that("numbers become text as in R", {
  skip_if_no_torch()
  withr::local_seed(3)
  text <- jit_script(function(x) as.character(x), 1)
  values <- c(1 / 3, 2 / 3, 0.1 + 0.2, 1e5, 123456.7, 1e-5, 1e15, 1e-300, 123456789012345, -2.5e100, 10^runif(60, -20, 20))
  for (x in values) expect_identical(text(x), as.character(x))
  expect_same(function(s) as.numeric(s), " 1.5e3 ")
  for (bad in c("abc", "", "1a", "e")) expect_error(jit_script(function(s) as.numeric(s), s = "str")(bad), "is no number")
  expect_same(function(s) c(grepl("an", s), grepl(".", s, fixed = TRUE)), "banana")
  expect_same(function(s) paste(gsub("an", "AN", s), sub("an", "", s), gsub("", "", s)), "banana")
  expect_error(jit_script(function(s) gsub("a+", "", s), s = "str")("a"), "fixed = TRUE")
})

test_that("letters are counted and cut as in R, whatever they are", {
  skip_if_no_torch()
  words <- c("", "a", "abc", "h\u00e9llo", "\u65e5\u672c\u8a9e", "a\"b\\c", "tab\there\nnew\r", "\001x", "~ }", "one \U1F600!")
  cut <- jit_script(function(x, a, b) list(nchar(x), substr(x, a, b)), x = "str", a = "int", b = "int")
  for (x in words) for (a in c(-1L, 0L, 1L, 2L, 5L)) for (b in c(-1L, 0L, 1L, 3L, 9L)) {
    expect_equal(cut(x, a, b), list(nchar(x), substr(x, a, b)), info = paste(x, a, b))
  }
  cased <- jit_script(function(x) paste(toupper(x), tolower(x)), x = "str")
  for (x in c("", "aB1", "\001q")) expect_equal(cased(x), paste(toupper(x), tolower(x)))
  expect_error(cased("\u00e9"), "`toupper()` knows the letters", fixed = TRUE)
})

test_that("a vector that begins as NULL is a vector without elements", {
  skip_if_no_torch()
  functions <- list(
    function(n) {
      v <- NULL
      for (i in seq_len(n)) v <- c(v, i * 1.0)
      list(length(v), sum(v), seq_along(v))
    },
    function(n) {
      v <- NULL
      while (length(v) < n) v <- c(v, 1.5)
      v
    },
    function(n) {
      v <- NULL
      for (i in seq_len(n)) v <- c(v, i / 2)
      total <- 0
      for (one in v) total <- total + one
      for (i in seq_along(v)) total <- total + v[[i]] * i
      total
    }
  )
  for (f in functions) for (n in c(0L, 1L, 3L)) expect_equal(plain(jit_script(f, 1L)(n)), plain(f(n)), info = n)
  expect_same(function(n) {
    v <- NULL
    for (i in seq_len(n)) v <- c(v, i / 2)
    rev(v)
  }, 3L)
  counted <- jit_script(function(x) length(x), x = "Optional[List[int]]")
  expect_equal(list(counted(1:3), counted(NULL)), list(3L, 0L))
  expect_equal(jit_script(function(x) length(x), x = "Optional[Tensor]")(torch_ones(5)), 5)
  expect_same(function(v) seq_along(along.with = v), c(4, 5, 6))
  named <- jit_script(function(x) length(x), x = "Optional[str]")
  expect_equal(list(named("abc"), named(NULL)), list(1L, 0L))
})

test_that("a single logical is a vector of one", {
  skip_if_no_torch()
  functions <- list(
    function(a) sum(a > 1), function(a) paste("n:", sum(a > 1)), function(a) which(a > 1), function(a) mean(a > 1), function(a) prod(a > 1),
    function(a) c(5, 6)[sum(a > 1) + 1L], function(a) list(any(a > 1), all(a > 1), max(a), min(a), sum(a), prod(a))
  )
  for (f in functions) for (a in c(0, 2)) expect_same(f, a)
  for (n in c(1.5, 2.9, 1, 3)) expect_equal(jit_script(function(n) switch(n, "a", "b"), 1)(n), switch(n, "a", "b"))
})

test_that("the least and the greatest of no numbers are infinite, with a warning", {
  skip_if_no_torch()
  for (f in list(function(a) max(a), function(a) min(a), function(a) range(a))) {
    program <- jit_script(f, a = "List[float]")
    expect_equal(suppressWarnings(program(numeric())), suppressWarnings(f(numeric())))
    expect_match(conditionMessage(rlang::catch_cnd(program(numeric()), "warning")), "of no numbers is -?Inf")
  }
  expect_same(function(a) max(a, 1), numeric())
  for (f in list(function(a) seq(a, 1L, 0L), function(a) seq(1, 1, 0), function(a) invisible(seq(a, a, by = 0L)))) expect_same(f, 1L)
  expect_same(function(a) { b <- invisible(); is.null(b) }, 1)
})
