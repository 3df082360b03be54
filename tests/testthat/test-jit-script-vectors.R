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
