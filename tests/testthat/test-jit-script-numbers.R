# Numbers in compiled R functions. What a program gives is compared with what R gives (helper-script.R).

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

test_that("zeros with a sign, infinite numbers and NaN go through arithmetic as in R", {
  skip_if_no_torch()
  # R tells 0 from -0 by what it divides.
  shown <- function(x) ifelse(is.na(x), "NaN", ifelse(x == 0, paste("0 of", 1 / x), format(x, digits = 12)))
  values <- c(0, -0, Inf, -Inf, NaN, NA, 0.91, -0.91, 3, -3, 2.5, -7.25)
  of_two <- list(
    function(a, b) a %% b, function(a, b) a %/% b, function(a, b) a / b, function(a, b) a^b, function(a, b) a * b,
    function(a, b) a - b, function(a, b) min(a, b), function(a, b) max(a, b), function(a, b) pmin(a, b), function(a, b) pmax(a, b),
    function(a, b) cummax(c(a, b))[2], function(a, b) cummin(c(a, b))[2]
  )
  of_one <- list(
    function(a, b) round(a), function(a, b) floor(a), function(a, b) ceiling(a), function(a, b) trunc(a), function(a, b) sign(a),
    function(a, b) -a, function(a, b) sqrt(a), function(a, b) exp(a), function(a, b) log(a), function(a, b) gamma(a),
    function(a, b) factorial(a), function(a, b) signif(a, 3), function(a, b) round(a, 1)
  )
  pairs <- expand.grid(a = values, b = values)
  for (f in c(of_two, of_one)) {
    if (!length(setdiff(all.vars(body(f)), "a"))) pairs <- data.frame(a = values, b = 0) else pairs <- expand.grid(a = values, b = values)
    program <- jit_script(f, a = "float", b = "float")
    wanted <- suppressWarnings(mapply(f, pairs$a, pairs$b))
    expect_identical(shown(mapply(program, pairs$a, pairs$b)), shown(wanted), info = deparse1(body(f)))
  }
  # As constants of the code, and of vectors.
  negative <- function(x) 1 / -0 + x
  expect_identical(jit_script(negative, x = "float")(1), -Inf)
  both <- function(x) c(1 / ceiling(-0.5), 1 / x)
  expect_identical(jit_script(both, x = "float")(0), both(0))
  remainders <- jit_script(function(a, b) a %% b, a = "List[float]", b = "List[float]")
  pairs <- expand.grid(a = values, b = values)
  expect_identical(shown(remainders(pairs$a, pairs$b)), shown(pairs$a %% pairs$b))
})
