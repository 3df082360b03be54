# What statisticians write: R's densities, functions of samples, and R's functions of tensors, in programs.

test_that("densities, distribution functions and quantiles are R's", {
  skip_if_no_torch()
  v <- c(0.3, 1, 2.5)
  p <- c(0.001, 0.4, 0.999)
  m <- c(-1, 0, 2)
  functions <- list(
    function(x) dnorm(x), function(x) dnorm(x, 1), function(x) dnorm(x, 1, 2), function(x) dnorm(x, 1, 2, TRUE),
    function(x) dnorm(x, sd = 3, log = TRUE),
    function(x) dnorm(x, log = TRUE), function(x) pnorm(x), function(x) pnorm(-8 * x),
    function(x) pnorm(x, 1, 2, lower.tail = FALSE), function(x) pnorm(x, sd = 2),
    function(x) plogis(x), function(x) plogis(-800 * x), function(x) plogis(x, 1, 2), function(x) dexp(x),
    function(x) dexp(x, 2, log = TRUE), function(x) dexp(-x),
    function(x) pexp(x, 0.5), function(x) pexp(x, lower.tail = FALSE), function(x) dunif(x, 0, 2),
    function(x) punif(x, 0, 2), function(x) dgamma(x, 2, 3),
    function(x) dgamma(x, shape = 2, scale = 3), function(x) dgamma(0 * x, 1, 3), function(x) dt(x, 4),
    function(x) dcauchy(x, 1, 2, log = TRUE),
    function(x) dbeta(x / 3, 2, 0.5), function(x) dpois(round(x), 2.5),
    function(x) dbinom(round(x), 5, 0.3, log = TRUE), function(x) dbinom(round(x), 5, 0),
    function(x) lfactorial(x), function(x) lchoose(9, round(x)), function(x) choose(9, round(x)),
    function(x) choose(-2.5, 3) * x, function(x) beta(x, 2),
    function(x) lbeta(x, 2), function(x) digamma(x), function(x) trigamma(x)
  )
  for (f in functions) {
    expect_same(f, v)
    expect_same(f, 1)
  }
  for (f in list(
    function(p) qnorm(p), function(p) qnorm(p, 1, 2), function(p) qnorm(p, sd = 2), function(p) qlogis(p),
    function(p) qexp(p, 2), function(p) qunif(p, 1, 3))) {
    expect_same(f, p)
  }
  # Parameters are vectors too.
  expect_same(function(m, s) dnorm(0.5, m, s), m, v)
  expect_same(function(m, s) sum(dnorm(m, m + 1, s, log = TRUE)), m, v)
  # Far tails, to R's digits.
  expect_equal(jit_script(function(x) pnorm(x), 1)(-30), pnorm(-30), tolerance = 1e-12)
  expect_equal(jit_script(function(p) qnorm(p), 1)(1e-300), qnorm(1e-300), tolerance = 1e-12)
})

test_that("functions of samples are R's", {
  skip_if_no_torch()
  v <- c(3, 1, 2, 2, 7.5)
  w <- c(1, 0.5, 0.25, 2, 1)
  for (f in list(
    function(v, w) median(v), function(v, w) median(v[-1]), function(v, w) mad(v), function(v, w) quantile(v, 0.3),
    function(v, w) quantile(v, c(0, 0.25, 0.9, 1)),
    function(v, w) quantile(v), function(v, w) weighted.mean(v, w), function(v, w) cov(v, w), function(v, w) cor(v, w),
    function(v, w) rank(v), function(v, w) cummax(v),
    function(v, w) cummin(v), function(v, w) order(v), function(v, w) order(v, decreasing = TRUE),
    function(v, w) union(v, w), function(v, w) intersect(v, w),
    function(v, w) setdiff(v, w), function(v, w) match(v, w, nomatch = 0L), function(v, w) max(v, 9, w),
    function(v, w) min(1, 2, 3, 4, w[1]), function(v, w) max(1L, 7L, 3L, 5L),
    function(v, w) sum(1, 2, 3, v), function(v, w) prod(2L, 3L), function(v, w) rep(v, each = 2),
    function(v, w) rep(v, length.out = 7), function(v, w) rep(1:2, times = c(3, 1)),
    function(v, w) rep(v, 2, each = 2), function(v, w) tabulate(c(2L, 3L, 3L)),
    function(v, w) tabulate(c(2L, 3L, 3L), 5L)
  )) expect_same(function(v, w) unname(f(v, w)), v, w)
  expect_equal(jit_script(function(v) order(v), v = "List[float]")(c(1, NaN, 0)), order(c(1, NaN, 0)))
  expect_equal(jit_script(function(v) order(v, decreasing = TRUE), v = "List[float]")(c(1, NaN, 0)), order(c(1, NaN, 0), decreasing = TRUE))
  words <- c("b", "a", "b", "c")
  for (f in list(
    function(s) match(s, c("a", "b"), nomatch = 0L), function(s) order(s),
    function(s) paste(strrep(s, 2), collapse = ""),
    function(s) paste(setdiff(s, "b"), collapse = ""), function(s) paste(union(s, "z"), collapse = "")
  )) expect_same(f, words)
})

test_that("several elements of a vector or list are given values at once", {
  skip_if_no_torch()
  v <- c(1, 2, 3, 4)
  for (f in list(
    function(v) { v[v > 2] <- 0; v }, function(v) { v[c(1, 3)] <- c(9, 8); v }, function(v) { v[2:3] <- 0; v },
    function(v) { v[3:2] <- c(5, 6); v },
    function(v) { v[] <- 7; v }, function(v) { v[-1] <- 0; v }, function(v) { v[c(-1, -2)] <- 0; v },
    function(v) { v[v > 9] <- 1; v }, function(v) { v[4:6] <- c(7, 8, 9); v },
    function(v) { w <- v; w[w > 1] <- w[w > 1] * 2; c(v, w) }, function(v) { k <- 1:4; k[2:3] <- 0L; k },
    function(v) { k <- 1:4; k[c(1, 4)] <- c(0.5, 1.5); k },
    function(v) { for (i in 1:3) v[1:i] <- i; v },
    function(v) { s <- c("a", "b", "c"); s[s == "b"] <- "z"; paste(s, collapse = "") },
    function(v) { l <- list(v, v); l[1:2] <- list(v * 2, v * 3); l[[2]] },
    function(v) { v[c(1, 2, 3, 4)] <- c(0, 1); v }, function(v) { out <- numeric(4); out[v > 1] <- v[v > 1]; out }
  )) expect_same(f, v)
  expect_error(jit_script(function(v) { v[1:3] <- c(1, 2); v }, v = "List[float]")(v), "2 values for 3 elements", class = "torch_runtime_error")
  expect_error(jit_script(function(v) { v[7:8] <- 1; v }, v = "List[float]")(v), "subscript out of bounds", class = "torch_runtime_error")
  # A list that was made empty takes elements by names.
  expect_same(function(n) { l <- list(); l$a <- n; l$b <- n * 2; l$a + l$b }, 4)
})

test_that("R's functions of tensors are what they are in eager R", {
  skip_if_no_torch()
  m <- torch_tensor(matrix(c(3, 1, 2, 5, 4, 6), 2))
  square <- torch_tensor(matrix(c(2, 1, 1, 3), 2))
  v <- torch_tensor(c(3, 1, 2))
  cube <- torch_tensor(array(as.numeric(1:12), c(2, 3, 2)))
  cases <- list(
    list(m, function(x) range(x)), list(m, function(x) sum(x, dim = 2)), list(m,
    function(x) sum(x, dim = 1, keepdim = TRUE)), list(m, function(x) mean(x, dim = 2)),
    list(m, function(x) max(x, x * 2)), list(m, function(x) sum(x, x, 1)), list(m, function(x) min(x, 0.5)), list(m,
    function(x) all(x > 0, x > 2)),
    list(v, function(x) rev(x)), list(v, function(x) sort(x)), list(v, function(x) sort(x, decreasing = TRUE)), list(v,
    function(x) cumsum(x)), list(v, function(x) diff(x)),
    list(v, function(x) which.max(x)), list(v, function(x) which(x > 1)), list(v, function(x) median(x)), list(v,
    function(x) quantile(x, 0.25)),
    list(v, function(x) quantile(x, c(0.25, 0.5))), list(v, function(x) outer(x, x)), list(v, function(x) crossprod(x)),
    list(v, function(x) scale(x)),
    list(m, function(x) var(x)), list(m, function(x) cor(x)), list(v, function(x) var(x)), list(v,
    function(x) cov(x, x * 2)), list(m, function(x) rbind(x, x)),
    list(m, function(x) cbind(x, x)), list(m, function(x) crossprod(x)), list(m, function(x) tcrossprod(x)),
    list(square, function(x) solve(x)), list(m, function(x) aperm(x)),
    list(square, function(x) solve(x, torch_ones(2))), list(square, function(x) diag(x)), list(cube,
    function(x) rowSums(x)), list(cube, function(x) rowMeans(x)),
    list(cube, function(x) colSums(x)), list(cube, function(x) rowSums(x, dims = 2)), list(v,
    function(x) digamma(x) + gamma(x) + lgamma(x)), list(v, function(x) unique(x)),
    list(m, function(x) torch_norm(x)), list(m, function(x) torch_norm(x, dim = 2)), list(m,
    function(x) torch_norm(x, 1, dim = 1)), list(m, function(x) torch_norm(x, p = "fro")),
    list(m, function(x) x$norm()), list(m, function(x) x$norm(dim = 2, keepdim = TRUE)), list(m,
    function(x) x$norm("nuc")), list(m, function(x) x$norm(3))
  )
  for (case in cases) expect_same(case[[2]], case[[1]])
  # Of comparisons `$item()` gives a logical.
  expect_identical(jit_script(function(x) all(x > 0)$item(), v)(v), TRUE)
  expect_identical(jit_script(function(x) x$isnan()$any()$item(), v)(v), FALSE)
  expect_error(jit_script(function(x) median(x, na.rm = TRUE), v)(v), "`na.rm` must be FALSE")
})

test_that("Reduce() keeps what it goes through, from both sides; mapply() takes names and what stays the same", {
  skip_if_no_torch()
  v <- c(3, 1, 2)
  for (f in list(
    function(v) Reduce(`+`, v, accumulate = TRUE),
    function(v) Reduce(function(a, b) a * 0.5 + b, v, accumulate = TRUE, 10), function(v) Reduce(`-`, v, right = TRUE),
    function(v) Reduce(function(a, b) a - b, v, 10, right = TRUE),
    function(v) Reduce(`-`, v, accumulate = TRUE, right = TRUE), function(v) Reduce(max, v, -Inf),
    function(v) mapply(function(a, b) a - b, b = v, a = v * 2),
    function(v) mapply(function(a, k) a + k, v, MoreArgs = list(k = 2)),
    function(v) unlist(Map(function(x, y) x - y, y = v, x = v * 3))
  )) expect_same(f, v)
  expect_same(function(x) torch_stack(Reduce(function(a, b) a + b,
  list(x, x * 2, x * 3), accumulate = TRUE)), torch_ones(2))
})

test_that("what R has and a program can't is refused with what to write", {
  skip_if_no_torch()
  x <- torch_ones(2)
  for (f in list(
    function(x) Find(function(a) a > 0, x), function(x) format(1.5), function(x) all.equal(x, x),
    function(x) as_array(x), function(x) as.matrix(x),
    function(x) cut(x, 3), function(x) table(x)
  )) expect_snapshot(error = TRUE, jit_script(f, x), transform = without_lines)
})

# Programs that statisticians write, each against R itself, and in Python from its file.
statistical_programs <- function() {
  list(
    mixture = list(function(x, k = 2L) {
      n <- length(x)
      mu <- seq(min(x), max(x), length.out = k)
      sigma <- rep(1, k)
      p <- rep(1 / k, k)
      for (step in 1:10) {
        r <- vector("list", k)
        total <- numeric(n)
        for (j in seq_len(k)) {
          r[[j]] <- p[j] * dnorm(x, mu[j], sigma[j])
          total <- total + r[[j]]
        }
        for (j in seq_len(k)) {
          w <- r[[j]] / total
          p[j] <- sum(w) / n
          mu[j] <- weighted.mean(x, w)
          sigma[j] <- sqrt(sum(w * (x - mu[j])^2) / sum(w))
        }
      }
      c(mu, sigma, p)
    }, c(-2, -1.5, -2.2, 3, 3.1, 2.7, -1.9), 2L),
    irls = list(function(x, y) {
      b0 <- 0
      b1 <- 0
      for (i in 1:25) {
        eta <- b0 + b1 * x
        mu <- plogis(eta)
        w <- pmax(mu * (1 - mu), 1e-10)
        z <- eta + (y - mu) / w
        sw <- sum(w)
        sx <- sum(w * x)
        sxx <- sum(w * x^2)
        det <- sw * sxx - sx^2
        n0 <- (sxx * sum(w * z) - sx * sum(w * x * z)) / det
        n1 <- (sw * sum(w * x * z) - sx * sum(w * z)) / det
        done <- max(abs(c(n0 - b0, n1 - b1))) < 1e-10
        b0 <- n0
        b1 <- n1
        if (done) break
      }
      c(b0, b1)
    }, c(-1, 0, 0.5, 1, 2, -2), c(0, 1, 0, 1, 1, 0)),
    tokens = list(function(text, vocabulary) {
      words <- strsplit(tolower(text), " ", fixed = TRUE)[[1]]
      match(words[nzchar(words)], vocabulary, nomatch = 1L)
    }, "The cat  sat on THE mat", c("<unk>", "the", "cat", "sat", "mat")),
    huber = list(function(x, k = 1.345) {
      mu <- median(x)
      s <- mad(x)
      repeat {
        w <- ifelse(abs(x - mu) <= k * s, 1, k * s / abs(x - mu))
        better <- sum(w * x) / sum(w)
        if (abs(better - mu) < 1e-8 * s) break
        mu <- better
      }
      mu
    }, c(1, 2, 3, 2, 50), 1.345),
    bootstrap = list(function(x, at, times) {
      n <- length(x)
      stats <- numeric(times)
      for (b in seq_len(times)) stats[b] <- median(x[at[((b - 1) * n + 1):(b * n)]])
      c(mean(stats), sd(stats), unname(quantile(stats, 0.25)))
    }, c(3, 1, 4, 1.5, 9), c(1L, 5L, 2L, 2L, 3L, 4L, 4L, 1L, 3L, 5L), 2L),
    local_regression = list(function(x, y, x0, span) {
      d <- abs(x - x0)
      h <- sort(d)[ceiling(span * length(x))]
      w <- ifelse(d < h, (1 - (d / h)^3)^3, 0)
      xb <- weighted.mean(x, w)
      yb <- weighted.mean(y, w)
      yb + sum(w * (x - xb) * (y - yb)) / sum(w * (x - xb)^2) * (x0 - xb)
    }, c(1, 2, 3, 4, 5), c(2, 4, 5, 4, 6), 2.5, 0.8),
    simplex = list(function(v) {
      u <- sort(v, decreasing = TRUE)
      excess <- cumsum(u) - 1
      rho <- max(which(u > excess / seq_along(u)))
      out <- v - excess[rho] / rho
      out[out < 0] <- 0
      out
    }, c(0.9, 0.5, -0.2))
  )
}

test_that("programs of statistics give what R gives, in Python too", {
  skip_if_no_torch()
  for (it in statistical_programs()) {
    program <- do.call(expect_same, it)
    path <- withr::local_tempfile(fileext = ".pt")
    jit_save(program, path)
    got <- python_eval("
f = torch.jit.load(path)
as_float = lambda x: [float(v) for v in x] if isinstance(x, list) else float(x)
result = f(*[as_float(a) if kind == 'double' else a for a, kind in zip(arguments, kinds)])
", path = path, arguments = lapply(it[-1],
function(a) if (length(a) > 1) as.list(a) else a), kinds = I(vapply(it[-1], typeof, "")))
    expect_equal(unlist(got), do.call(it[[1]], it[-1]), tolerance = 1e-9, ignore_attr = TRUE)
  }
})

test_that("errors of builtins in a file tell the R file and line in Python", {
  skip_if_no_torch()
  file <- withr::local_tempfile(fileext = ".R", lines = c(
    "f <- function(v, s, which) {",
    "  if (which == 1L) return(match(\"z\", s) + 0)",
    "  if (which == 2L) return(which.max(v[v > 100]) + 0)",
    "  if (which == 3L) v[2:3] <- c(1, 2, 3)",
    "  if (which == 4L) return(quantile(v, 3))",
    "  if (which == 5L) return(as.numeric(nchar(strrep(s[1], -1))))",
    "  if (which == 6L) return(sum(sapply(v, function(one) {",
    "    if (one > 2) stop(sprintf(\"%05.2f is too much\", one))",
    "    one",
    "  })))",
    "  v[[9]]",
    "}"
  ))
  here <- new.env()
  sys.source(file, here, keep.source = TRUE)
  program <- jit_script(here$f, v = "List[float]", s = "List[str]", which = "int")
  path <- withr::local_tempfile(fileext = ".pt")
  jit_save(program, path)
  got <- python_eval("
f = torch.jit.load(path)
result = []
for i in range(1, 8):
  try: f([1.0, 2.0, 3.5], ['a', 'b'], i)
  except Exception as e: result.append(str(e))
", path = path)
  lines <- c(2, 3, 4, 5, 6, 8, 11)
  words <- c("finds nothing", "of no numbers", "3 values for 2 elements", "between 0 and 1", "number from 0 on", "03.50 is too much", "subscript out of bounds")
  expect_length(got, 7)
  for (i in 1:7) {
    expect_match(got[i], sprintf("File \"%s\", line %d", basename(file), lines[i]), fixed = TRUE)
    expect_match(got[i], words[i], fixed = TRUE)
  }
})
