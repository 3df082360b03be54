a <- matrix(c(1, -2, 3, 4, 5, -6), 2)
b <- matrix(c(2, 2, -4, 1, 8, 16), 2)

arithmetic <- list(`+` = `+`, `-` = `-`, `*` = `*`, `/` = `/`)
comparison <- list(`==` = `==`, `!=` = `!=`, `<` = `<`, `<=` = `<=`, `>` = `>`, `>=` = `>=`)

test_that("arithmetic and comparison agree with base R, with numbers on either side", {
  skip_if_no_torch()
  x <- torch_tensor(a)
  y <- torch_tensor(b)
  operators <- c(arithmetic, comparison)
  for (name in names(operators)) {
    op <- operators[[name]]
    expect_equal(as_array(op(x, y)), op(a, b), info = name, tolerance = 1e-6)
    for (number in list(2, -3L, 1)) {
      expect_equal(as_array(op(x, number)), op(a, number), info = name, tolerance = 1e-6)
      expect_equal(as_array(op(number, x)), op(number, a), info = name, tolerance = 1e-6)
    }
    expect_equal(as_array(op(x, a)), op(a, a), info = name)
    expect_equal(as_array(op(b, x)), op(b, a), info = name, tolerance = 1e-6)
  }
})

test_that("powers agree with base R", {
  skip_if_no_torch()
  p <- abs(a)
  x <- torch_tensor(p)
  expect_equal(as_array(x^2), p^2)
  expect_equal(as_array(x^-0.5), p^-0.5, tolerance = 1e-6)
  expect_equal(as_array(2^x), 2^p)
  expect_equal(as_array(x^torch_tensor(b)), p^b, tolerance = 1e-6)
  expect_equal(as_array(torch_tensor(c(1L, 2L, 3L))^2L), c(1, 4, 9))
})

test_that("quotient and remainder are those of R", {
  skip_if_no_torch()
  left <- c(7, -7, 7, -7, 5.5, -5, 5, -5)
  right <- c(3, 3, -3, -3, 2, Inf, Inf, -Inf)
  quotient <- left %/% right
  x <- torch_tensor(left)
  y <- torch_tensor(right)
  expect_equal(as_array(x %/% y), quotient)
  expect_equal(as_array(x %% y), left %% right)
  expect_equal(as_array(x %% 3), left %% 3)
  expect_equal(as_array(x %/% 3), left %/% 3)
  expect_equal(as_array(7 %/% y), 7 %/% right)
  expect_equal(as_array(7 %% y), 7 %% right)
  i <- c(7L, -7L, 7L, -7L)
  k <- c(3L, 3L, -3L, -3L)
  for (dtype in c("int", "long", "int8")) {
    u <- torch_tensor(i, dtype = dtype)
    v <- torch_tensor(k, dtype = dtype)
    expect_true((u %/% v)$dtype == u$dtype)
    expect_identical(as_array((u %/% v)$long()), i %/% k)
    expect_identical(as_array((u %% v)$long()), i %% k)
    expect_identical(as_array((u %/% 2L)$long()), i %/% 2L)
    expect_identical(as_array((u %% -2L)$long()), i %% -2L)
    expect_identical(as_array((-7L %/% v)$long()), -7L %/% k)
  }
  # In a trace and what is loaded from its file.
  f <- jit_trace(function(a, b) list(a %/% b, a %% b), x, y)
  file <- withr::local_tempfile(fileext = ".pt")
  jit_save(f, file)
  for (g in list(f, jit_load(file))) {
    expect_equal(as_array(g(-x, y)[[1]]), -left %/% right)
    expect_equal(as_array(g(-x, y)[[2]]), -left %% right)
  }
  z <- torch_tensor(-7, requires_grad = TRUE)
  (z %/% 2 + z %% 2)$backward()
  expect_identical(as_array(z$grad), 1)
})

test_that("logical operators give bool for any dtype", {
  skip_if_no_torch()
  p <- c(TRUE, TRUE, FALSE, FALSE)
  q <- c(TRUE, FALSE, TRUE, FALSE)
  for (dtype in c("bool", "long", "float")) {
    x <- torch_tensor(p, dtype = dtype)
    y <- torch_tensor(q, dtype = dtype)
    expect_identical(as_array(x & y), p & q, info = dtype)
    expect_identical(as_array(x | y), p | q, info = dtype)
    expect_identical(as_array(!x), !p, info = dtype)
  }
  expect_identical(as_array(torch_tensor(p) & TRUE), p)
  expect_identical(as_array(FALSE | torch_tensor(p)), p)
})

test_that("unary minus and plus are operators of one argument", {
  skip_if_no_torch()
  expect_identical(as_array(-torch_tensor(a)), -a)
  expect_identical(as_array(+torch_tensor(a)), a)
  expect_error(-torch_tensor(TRUE), "bool")
})

test_that("%*% is matmul", {
  skip_if_no_torch()
  expect_equal(as_array(torch_tensor(a) %*% torch_tensor(t(b))), a %*% t(b))
})

test_that("operands are broadcast", {
  skip_if_no_torch()
  x <- torch_tensor(a)
  expect_equal(as_array(x + c(10, 20, 30)), sweep(a, 2, c(10, 20, 30), "+"))
  expect_equal(as_array(x * torch_tensor(matrix(c(2, 3)))), a * c(2, 3))
  expect_error(x + c(1, 2), "size of tensor")
})

test_that("types are promoted as in PyTorch", {
  skip_if_no_torch()
  dtypes <- c("uint8", "int32", "int64", "float16", "bfloat16", "float32", "float64", "complex64", "bool")
  answer <- python_eval(c(
    "import operator",
    "ops = dict(add=operator.add, mul=operator.mul, div=operator.truediv, pow=operator.pow, lt=operator.lt)",
    "def name(f):",
    "    try:",
    "        r = f()",
    "        return str(r.dtype)[6:] + ':' + str(r.dim())",
    "    except Exception: return 'error'",
    "scalars = dict(int=2, double=2.5, logical=True)",
    "result = []",
    "for d in dtypes:",
    "    for shape in ([2], []):",
    "        x = torch.ones(shape, dtype=getattr(torch, d))",
    "        for o, op in ops.items():",
    "            for s, v in scalars.items():",
    "                result.append([d, len(shape), o, s, name(lambda: op(x, v)), name(lambda: op(v, x))])",
    "            for e in dtypes:",
    "                y = torch.ones([2], dtype=getattr(torch, e))",
    "                result.append([d, len(shape), o, e, name(lambda: op(x, y)), name(lambda: op(y, x))])"
  ), dtypes = dtypes)
  answer <- as.data.frame(answer)
  names(answer) <- c("dtype", "ndim", "op", "other", "right", "left")
  names_of <- c(
    Byte = "uint8", Int = "int32", Long = "int64", Half = "float16", BFloat16 = "bfloat16", Float = "float32",
    Double = "float64", ComplexFloat = "complex64", ComplexDouble = "complex128", Bool = "bool",
    ComplexHalf = "complex32"
  )
  ops <- list(add = `+`, mul = `*`, div = `/`, pow = `^`, lt = `<`)
  numbers <- list(int = 2L, double = 2.5, logical = TRUE)
  name <- function(code) {
    x <- tryCatch(code, error = function(e) NULL)
    if (is.null(x)) "error" else paste0(names_of[[as.character(x$dtype)]], ":", x$ndim)
  }
  # LibTorch warns that ComplexHalf is experimental.
  ours <- suppressWarnings(t(apply(answer, 1, function(row) {
    one <- torch_ones(if (row[["ndim"]] == "1") 2 else integer(), dtype = torch:::as_dtype(row[["dtype"]]))
    other <- numbers[[row[["other"]]]]
    if (is.null(other)) other <- torch_ones(2, dtype = torch:::as_dtype(row[["other"]]))
    op <- ops[[row[["op"]]]]
    c(right = name(op(one, other)), left = name(op(other, one)))
  })))
  label <- paste(answer$dtype, answer$ndim, answer$op, answer$other)
  expect_gt(length(label), 500)
  expect_identical(setNames(ours[, "right"], label), setNames(answer$right, label))
  expect_identical(setNames(ours[, "left"], label), setNames(answer$left, label))
})

test_that("R's mathematical functions work on tensors", {
  skip_if_no_torch()
  values <- c(0.1, 0.35, 0.5, 0.95)
  x <- torch_tensor(values, dtype = "double")
  for (name in c(
    "abs", "acos", "asin", "atan", "ceiling", "cos", "cosh", "cumsum", "exp", "expm1", "floor", "log", "log10", "log1p",
    "log2", "sign", "sin", "sinh", "sqrt", "tan", "tanh", "trunc", "round"
  )) {
    f <- get(name, baseenv())
    expect_equal(as_array(f(x)), f(values), info = name)
  }
  signed <- c(-1.7, -0.5, 0, 2.5)
  y <- torch_tensor(signed, dtype = "double")
  for (name in c("abs", "ceiling", "floor", "sign", "trunc", "round")) {
    f <- get(name, baseenv())
    expect_equal(as_array(f(y)), f(signed), info = name)
  }
  expect_equal(as_array(log(x, 3)), log(values, 3))
  expect_equal(as_array(log(x, base = 2)), log(values, 2))
  expect_equal(as_array(round(torch_tensor(c(1.234, -5.678), dtype = "double"), 2)), c(1.23, -5.68))
  m <- torch_tensor(a)
  expect_equal(as_array(cumsum(m)), apply(a, 2, cumsum))
})

test_that("R's summaries work on tensors", {
  skip_if_no_torch()
  x <- torch_tensor(a)
  y <- torch_tensor(b)
  for (name in c("sum", "prod", "max", "min")) {
    f <- get(name, baseenv())
    expect_equal(as_array(f(x)), f(a), info = name)
    expect_equal(as_array(f(x, y)), f(a, b), info = name)
    expect_equal(as_array(f(x, y, x)), f(a, b, a), info = name)
  }
  expect_error(sum(x, na.rm = NA), "na.rm", class = "value_error")
  expect_error(sum(x, stop("mine")), "mine")
  expect_equal(as_array(mean(x)), mean(a), tolerance = 1e-6)
  expect_equal(as_array(sum(x, dim = 1)), colSums(a))
  expect_equal(as_array(sum(x, dim = 2)), rowSums(a))
  expect_equal(as_array(sum(x, dim = c(1, 2))), sum(a))
  expect_equal(as_array(prod(x, dim = 2)), apply(a, 1, prod))
  expect_equal(as_array(mean(x, dim = 1)), colMeans(a))
  expect_identical(dim(sum(x, dim = 1, keepdim = TRUE)), c(1L, 3L))
  expect_identical(dim(mean(x, dim = 2, keepdim = TRUE)), c(2L, 1L))
})

test_that("na.rm is refused", {
  skip_if_no_torch()
  x <- torch_tensor(a)
  for (f in list(sum, prod, max, min, mean)) {
    expect_error(f(x, na.rm = TRUE), "na.rm", class = "value_error")
  }
})

test_that("a tensor is no condition, but converts to one", {
  skip_if_no_torch()
  expect_error(if (torch_tensor(TRUE)) 1)
  expect_identical(if (as.logical(torch_tensor(TRUE))) 1, 1)
})

test_that("the rest of R's Math and Summary groups agrees with base R", {
  skip_if_no_torch()
  v <- c(0.3, -1.7, 2.25, -0.5, 4)
  x <- torch_tensor(v, dtype = "double")
  for (f in list(cospi, sinpi, asinh, lgamma, digamma, gamma, trigamma, cumprod, cummax, cummin)) {
    w <- if (identical(f, trigamma) || identical(f, digamma)) abs(v) else v
    expect_equal(as_array(f(torch_tensor(w, dtype = "double"))), f(w), tolerance = 1e-8)
  }
  expect_equal(as_array(tanpi(x[1:3])), tanpi(v[1:3]))
  expect_equal(as_array(acosh(torch_tensor(c(1, 2.5)))), acosh(c(1, 2.5)), tolerance = 1e-6)
  expect_equal(as_array(atanh(torch_tensor(c(0.5, -0.25)))), atanh(c(0.5, -0.25)), tolerance = 1e-6)
  expect_error(signif(x, 2), "torch_round", class = "value_error")
  expect_identical(as_array(range(x)), range(v))
  expect_identical(as_array(range(x, torch_tensor(10, dtype = "double"))), range(v, 10))
  expect_identical(as_array(any(x > 3)), TRUE)
  expect_identical(as_array(all(x > 3)), FALSE)
  expect_identical(as_array(any(x > 3, x > 100)), TRUE)
  expect_error(any(x, na.rm = TRUE), "na.rm", class = "value_error")
  expect_identical(as_array(median(x)), median(v))
  expect_equal(as_array(median(x[1:4])), median(v[1:4]))
})

test_that("what R users try first works, or says what to use", {
  skip_if_no_torch()
  m <- matrix(c(1, NA, 3, Inf, 5, 6), 2)
  x <- torch_tensor(m)
  expect_identical(as_array(is.na(x)), is.na(m))
  expect_identical(as_array(is.finite(x)), is.finite(m))
  expect_identical(as_array(is.infinite(x)), is.infinite(m))
  expect_identical(as_array(is.nan(x)), is.na(m))
  y <- torch_tensor(matrix(c(4, 1, 2, 3), 2))
  expect_identical(as_array(t(y)), t(as_array(y)))
  expect_identical(as_array(rev(y[1])), rev(as_array(y)[1, ]))
  expect_identical(as_array(sort(y)), apply(as_array(y), 2, sort))
  expect_identical(as_array(sort(y[1], decreasing = TRUE)), c(4, 2))
  expect_identical(as_array(diff(y)), diff(as_array(y)))
  expect_identical(as_array(unique(torch_tensor(c(3, 1, 3, 2)))), c(3, 1, 2))
  expect_equal(as_array(solve(y)), solve(as_array(y)), tolerance = 1e-6)
  expect_equal(as_array(solve(y, torch_tensor(c(1, 2)))), solve(as_array(y), c(1, 2)), tolerance = 1e-6)
  expect_identical(as_array(rbind(y, y)), rbind(as_array(y), as_array(y)))
  expect_identical(as_array(cbind(y[1], y[2])), cbind(as_array(y[1]), as_array(y[2])))
  expect_identical(as.character(torch_tensor(c(1.5, 2))), c("1.5", "2"))
  expect_identical(as_array(xor(y > 1, y > 3)), xor(as_array(y) > 1, as_array(y) > 3))
  expect_equal(as_array(round(torch_tensor(2.345), 1)), 2.3, tolerance = 1e-6)
  # c() makes a list, as it does of any object that is no vector.
  expect_identical(c(y, y), list(y, y))
  a <- array(as.numeric(1:24), 2:4)
  expect_identical(as_array(aperm(torch_tensor(a))), aperm(a))
  expect_identical(as_array(aperm(torch_tensor(a), c(2, 3, 1))), aperm(a, c(2, 3, 1)))
  expect_error(det(y), "torch_det", class = "value_error")
  expect_equal(as_array(quantile(y)), unname(quantile(as_array(y))))
  expect_equal(as_array(quantile(y, 0.1)), unname(quantile(as_array(y), 0.1)), tolerance = 1e-6)
  expect_identical(as_array(median(torch_tensor(c(4L, 1L, 2L, 3L)))), 2.5)
  expect_equal(as_array(quantile(torch_tensor(1:5), 0.3)), unname(quantile(1:5, 0.3)), tolerance = 1e-6)
  expect_error(rep(y, 2), "repeat", class = "value_error")
  expect_error(dim(y) <- c(4, 1), "reshape", class = "value_error")
  expect_error(length(y) <- 2, "resize_", class = "value_error")
  expect_identical(as_array(y %*% matrix(1, 2, 1)), as_array(y) %*% matrix(1, 2, 1))
  expect_identical(diag(2) %*% diag(2), diag(2))
})

test_that("results are visible, whatever the arguments or a warning ended with", {
  skip_if_no_torch()
  x <- torch_tensor(c(3, 4))
  visible <- function(code) withVisible(code)$visible
  two <- function() invisible(2)
  f <- jit_compile("def f(x: Tensor, n: float) -> Tensor:\n  return x * n\n")$f
  expect_true(visible(torch_add(x, two())))
  expect_true(visible(x$mul(two())))
  expect_true(visible(x + two()))
  expect_true(visible(x[two()]))
  expect_true(visible(f(x, two())))
  expect_true(visible(torch_norm(x, p = "fro")))
  expect_true(visible(torch_ones(two())))
  expect_true(visible(suppressWarnings(torch_std(torch_tensor(1)))))
})

test_that("whole doubles stand for the integers that operators of integers need", {
  skip_if_no_torch()
  x <- torch_tensor(c(12L, 18L))
  expect_identical(as_array(torch_add(x, x, alpha = 10)), c(132L, 198L))
  expect_identical(as_array(x$sub(1L, alpha = 2)), c(10L, 16L))
  expect_identical(as_array(torch_addr(torch_eye(2, dtype = "long"), x, x, beta = 2, alpha = 3)[1, ]), c(434L, 648L))
  expect_identical(as_array(torch_bitwise_and(x, 6)), bitwAnd(c(12L, 18L), 6L))
  expect_identical(as_array(x$bitwise_or(1)), bitwOr(c(12L, 18L), 1L))
  expect_identical(as_array(x$bitwise_left_shift(2)), c(48L, 72L))
  expect_identical(as_array(torch_gcd(x, 8)), c(4L, 2L))
  expect_identical(as_array(torch_lcm(8, x)), c(24L, 72L))
  expect_error(torch_add(x, x, alpha = 1.5), "integral", class = "torch_runtime_error")
  # With floating tensors nothing changes.
  expect_identical(as_array(torch_add(torch_tensor(1), torch_tensor(2), alpha = 10)), 21)
  expect_identical(as_array(torch_add(torch_tensor(1), torch_tensor(2L), alpha = 1.5)), 4)
})
