# Tensors in compiled R functions. What a program gives is compared with what R gives (helper-script.R).

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

test_that("numbers keep what a tensor beside them can hold, whatever its dtype", {
  skip_if_no_torch()
  cases <- list(
    function(x) x + 0.1, function(x) 0.1 * x, function(x) 2 / x, function(x) x^0.5, function(x) x %% 0.3, function(x) x %/% 2L,
    function(x) torch_maximum(x, 0.1), function(x) torch_where(x > 1, x, 0.1), function(x) ifelse(x > 1, x, 0.1),
    function(x) ifelse(x > 1, 0.1, x), function(x) min(x, 0.1), function(x) max(x, 0.1), function(x) sum(x, 0.1),
    function(x) prod(x, 0.1), function(x) torch_clamp(x, 0.1, 2.1), function(x) mean(x), function(x) mean(x, dim = 1),
    function(x) mean(x > 1), function(x) sd(x), function(x) x * 3L, function(x) x - TRUE, function(x) log(x, 2),
    function(x) cumprod(x), function(x) cummax(x), function(x) anyNA(x), function(x) torch_full_like(x, 0.1)
  )
  for (dtype in c("float", "double", "long", "int", "bool")) {
    for (x in list(torch_tensor(c(3, 1, 2, 1), dtype = dtype), torch_tensor(2, dtype = dtype)$squeeze(1))) {
      for (f in cases) {
        info <- paste(deparse1(body(f)), dtype)
        # The deviation of one number is told to be none.
        wanted <- suppressWarnings(tryCatch(f(x), error = function(e) NULL))
        if (is.null(wanted)) next
        got <- suppressWarnings(jit_script(f, x)(x))
        if (!is_torch_tensor(wanted)) {
          expect_identical(got, wanted, info = info)
          next
        }
        expect_equal(as_array(got), as_array(wanted), tolerance = 1e-13, info = info)
        expect_true(got$dtype == wanted$dtype, info = info)
      }
    }
  }
  for (f in list(function(x) rowMeans(x), function(x) colMeans(x), function(x) rowSums(x))) {
    expect_same(f, torch_tensor(matrix(c(3L, 1L, 2L, 5L, 4L, 7L), 2)))
  }
  expect_error(jit_script(function(x) colSums(x))(torch_ones(3)), "at least two dimensions", class = "torch_runtime_error")
})

test_that("a tensor that is made of numbers has them as they are, in Python too", {
  skip_if_no_torch()
  cases <- list(
    function(v) torch_tensor(v, dtype = "double"), function(v) torch_tensor(v[[1]], dtype = "double"), function(v) torch_tensor(v),
    function(v) torch_tensor(v, dtype = torch_double()), function(v) torch_tensor(v * 1e10, dtype = "long"),
    function(v) torch_scalar_tensor(v[[1]], dtype = "double"), function(v) torch_tensor(v, dtype = "half"),
    function(v) torch_tensor(v, "double", "cpu"), function(v) torch_tensor(v, NULL), function(v) torch_scalar_tensor(v[[2]]),
    function(v) { x <- torch_zeros(2, dtype = "double"); x[1:2] <- v; x }, function(v) { x <- torch_zeros(2, dtype = "double"); x[2] <- v[[1]]; x },
    function(v) { x <- torch_zeros(2, dtype = "double"); x[torch_tensor(c(TRUE, FALSE))] <- v[[1]]; x },
    function(v) torch_full(2, v[[1]], dtype = "double"), function(v) torch_scalar_tensor(3L)
  )
  values <- c(0.1, 1 / 3)
  for (f in cases) {
    program <- jit_script(f, v = "List[float]")
    got <- program(values)
    wanted <- f(values)
    info <- deparse1(body(f))
    expect_identical(as_array(got), as_array(wanted), info = info)
    expect_true(got$dtype == wanted$dtype, info = info)
  }
  expect_identical(dim(jit_script(cases[[1]], v = "List[float]")(numeric())), 0L)
  path <- withr::local_tempfile(fileext = ".pt")
  jit_save(jit_script(cases[[1]], v = "List[float]"), path)
  got <- python_eval("result = torch.jit.load(path)(v).tolist()", path = path, v = values)
  expect_equal(as.numeric(got), values, tolerance = 1e-14)
})

test_that("as.vector() gives the numbers of a tensor as R orders them", {
  skip_if_no_torch()
  total <- function(x) {
    out <- 0
    for (one in as.vector(x)) out <- out * 10 + one
    out
  }
  for (x in list(torch_tensor(matrix(as.numeric(1:6), 2)), torch_tensor(c(1, 2)), torch_tensor(array(1:8, c(2, 2, 2))))) {
    expect_same(function(x) as.vector(x), x)
    expect_same(total, x)
  }
  expect_same(function(x) as.vector(x), torch_tensor(5)$squeeze(1))
  expect_error(jit_script(function(x) as.vector(x))(torch_tensor(TRUE)), "gives numbers", class = "torch_runtime_error")
  # R goes through the numbers of a tensor; a program does not without being told.
  for (f in list(
    function(x) lapply(x, function(one) one), function(x) sapply(x, function(one) one), function(x) Map(function(a, b) a, x, x),
    function(x) Reduce(`+`, x), function(x) Filter(function(one) TRUE, x), function(x) as.list(x)
  )) expect_error(jit_script(f), "`as.vector(x)` gives them", fixed = TRUE, class = "torch_error", info = deparse1(body(f)))
})

test_that("masks and positions stand beside other indices in assignments", {
  skip_if_no_torch()
  x <- torch_tensor(matrix(1:12 * 1, 3, 4))
  rows <- torch_tensor(c(TRUE, FALSE, TRUE))
  columns <- torch_tensor(c(TRUE, FALSE, TRUE, TRUE))
  for (f in list(
    function(x, m) { x[m, 2] <- 0; x }, function(x, m) { x[m, ] <- c(1, 2, 3, 4); x }, function(x, m) { x[m, 2] <- c(7, 8); x }, function(x, m) { x[m, 2] <- torch_tensor(c(7, 8)); x },
    function(x, m) { x[m, 1:2] <- 0; x }, function(x, m) { x[1:2, c(1, 3)] <- 0; x }, function(x, m) { x[-1, c(1, 3)] <- 0; x }, function(x, m) { x[c(1, 3), 2] <- 5L; x },
    function(x, m) { x[c(1, 3), c(2, -1)] <- 0; x }, function(x, m) { x[m, c(1, 2)] <- torch_tensor(c(5, 6, 7, 8))$view(c(2, 2)); x }, function(x, m) { x[m, 3] <- x[m, 3] * 10; x },
    function(x, m) { x[x[, 1] > 1, 2] <- -1; x }, function(x, m) { y <- torch_zeros(2, 3, 4); y[2, m, 3] <- 1; y[1, m, ] <- 2; y[.., c(1, 2)] <- 3; y },
    function(x, m) { y <- torch_zeros(2, 3, 4); y[c(1, 2), , c(1, 4)] <- torch_arange(1, 12)$view(c(2, 3, 2)); y }, function(x, m) { y <- torch_zeros(2, 3, 4); y[c(1, 2), 2, c(1, 4)] <- 1; y }
  )) expect_same(f, x, rows)
  for (f in list(
    function(x, m) { x[2, m] <- -1; x }, function(x, m) { x[.., m] <- 0; x }, function(x, m) { for (i in 1:3) x[i, m] <- x[i, m] * i; x }, function(x, m) { x[c(1, 3), m] <- 0; x }
  )) expect_same(f, x, columns)
})
