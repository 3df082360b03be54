has_dtype <- function(x, name) expect_true(x$dtype == torch:::as_dtype(name))

test_that("sizes are taken in every spelling", {
  skip_if_no_torch()
  size <- c(2, 3)
  for (make in list(torch_zeros, torch_ones, torch_rand, torch_randn, torch_empty)) {
    for (x in list(make(2, 3), make(c(2, 3)), make(list(2, 3)), make(size = c(2, 3)), make(!!!size), make(c(2L, 3L)))) {
      expect_identical(dim(x), c(2L, 3L))
    }
    expect_identical(dim(make(4)), 4L)
    expect_identical(dim(make(0)), 0L)
    expect_identical(dim(make(2, 0, 1)), c(2L, 0L, 1L))
    expect_identical(dim(make(c())), integer())
    expect_identical(dim(make(list())), integer())
  }
  expect_identical(dim(torch_full(c(2, 3), 1)), c(2L, 3L))
  expect_identical(dim(torch_full(4, 1)), 4L)
  expect_identical(dim(torch_full(list(2, 3), 1)), c(2L, 3L))
})

test_that("sizes may be integer64", {
  skip_if_no_torch()
  skip_if_not_installed("bit64")
  n <- bit64::as.integer64(c(2, 3))
  expect_identical(torch_zeros(n)$shape, 2:3)
  expect_identical(torch_zeros(n[1], n[2])$shape, 2:3)
  expect_identical(torch_zeros(size = n)$shape, 2:3)
})

test_that("times keep their seconds", {
  skip_if_no_torch()
  time <- as.POSIXct("2026-11-26 10:00:01", tz = "UTC")
  expect_identical(as_array(torch_tensor(time)), as.numeric(time))
  expect_true(torch_tensor(time, dtype = "float")$dtype == torch_float())
})

test_that("a size that is none is refused", {
  skip_if_no_torch()
  expect_error(torch_zeros(-1), "negative", class = "value_error")
  expect_error(torch_zeros(1.5), "whole number", class = "value_error")
  expect_error(torch_zeros(NA), "whole number", class = "value_error")
  expect_error(torch_zeros(c(1, NA)), "whole number", class = "value_error")
  expect_error(torch_zeros("a"), "whole number", class = "value_error")
  expect_error(torch_zeros(2, size = 3), "once", class = "value_error")
  expect_error(torch_zeros(c(2, 3), c(4, 5)), "whole number", class = "value_error")
  expect_error(torch_zeros(2, foo = 3), "foo", class = "type_error")
  expect_error(torch_full(c(2, NA), 1), "whole number", class = "value_error")
})

test_that("the values are those the name tells", {
  skip_if_no_torch()
  expect_identical(as_array(torch_zeros(2, 2)), matrix(0, 2, 2))
  expect_identical(as_array(torch_ones(3)), c(1, 1, 1))
  expect_identical(as_array(torch_full(c(1, 2), 3.5)), matrix(3.5, 1, 2))
  expect_identical(as_array(torch_full(2, 7L)), c(7L, 7L))
  expect_identical(as_array(torch_full(2, TRUE)), c(TRUE, TRUE))
  expect_identical(as_array(torch_eye(3)), diag(3))
  expect_identical(as_array(torch_eye(2, 3)), diag(1, 2, 3))
  expect_identical(as_array(torch_linspace(0, 1, 5)), seq(0, 1, length.out = 5))
  expect_length(torch_linspace(0, 1), 100)
  expect_equal(as_array(torch_logspace(0, 2, 3)), c(1, 10, 100))
  expect_equal(as_array(torch_logspace(0, 3, 4, base = 2)), c(1, 2, 4, 8))
  expect_identical(as_array(torch_scalar_tensor(2.5)), 2.5)
  expect_identical(dim(torch_scalar_tensor(2.5)), integer())
  expect_error(torch_scalar_tensor(1:2), "length 1", class = "value_error")
})

test_that("arange includes its end as seq does", {
  skip_if_no_torch()
  cases <- list(
    c(1, 5), c(0, 10, 3), c(0, 9, 3), c(0, 1, 0.1), c(0, 0.3, 0.1), c(5, 1, -1), c(5, 0, -2), c(3, 3), c(-2, 2, 0.5),
    c(1, 1e6, 1e5), c(0.1, 0.5, 0.1)
  )
  for (case in cases) {
    step <- if (length(case) == 3) case[3] else 1
    x <- torch_arange(case[1], case[2], step, dtype = "double")
    expect_equal(as_array(x), seq(case[1], case[2], by = step), info = toString(case))
  }
  expect_identical(as_array(torch_arange(4)), c(1, 2, 3, 4))
  has_dtype(torch_arange(1L, 5L), "int64")
  expect_identical(as_array(torch_arange(1L, 10L, 4L)), c(1L, 5L, 9L))
  expect_identical(as_array(torch_arange(10L, 1L, -3L)), c(10L, 7L, 4L, 1L))
  has_dtype(torch_arange(1, 5), "float32")
  has_dtype(torch_arange(1, 5, dtype = "long"), "int64")
  expect_error(torch_arange(1, 5, -1), "step", class = "value_error")
  expect_error(torch_arange(1, 5, 0), "step", class = "value_error")
  expect_error(torch_arange("a"), "start", class = "type_error")
  expect_error(torch_arange(1, NA_real_), "end", class = "type_error")
})

test_that("random tensors have the range, moments and dtype that are asked for", {
  skip_if_no_torch()
  local_torch_manual_seed(1)
  u <- as_array(torch_rand(4000))
  expect_true(all(u >= 0 & u < 1))
  expect_equal(mean(u), 0.5, tolerance = 0.05)
  n <- as_array(torch_randn(4000))
  expect_equal(c(mean(n) + 1, sd(n)), c(1, 1), tolerance = 0.1)
  i <- torch_randint(3, 6, c(20, 50))
  has_dtype(i, "float32")
  has_dtype(torch_randint(3, 6, 2, dtype = "int64"), "int64")
  expect_setequal(as_array(i), c(3, 4, 5))
  has_dtype(torch_randint(0, 2, 3, dtype = "float"), "float")
  expect_identical(sort(as_array(torch_randperm(20))), 0:19)
  x <- as_array(torch_normal(5, 0.1, c(40, 50)))
  expect_identical(dim(x), c(40L, 50L))
  expect_equal(c(mean(x), sd(x)), c(5, 0.1), tolerance = 0.1)
  expect_equal(as_array(torch_normal(torch_tensor(c(-10, 10)), 1e-6)), c(-10, 10), tolerance = 1e-4)
  expect_equal(as_array(torch_normal(3, torch_tensor(c(1e-6, 1e-7)))), c(3, 3), tolerance = 1e-4)
  expect_equal(as_array(torch_normal(torch_tensor(c(1, 2)), torch_tensor(c(1e-6, 1e-6)))), c(1, 2), tolerance = 1e-4)
  has_dtype(torch_normal(0, 1, 3, dtype = "double"), "double")
  expect_error(torch_normal(0, 1), "size", class = "value_error")
  expect_error(torch_normal(torch_zeros(2), 1, 2), "size", class = "value_error")
  expect_error(torch_normal(torch_zeros(2), 1, dtype = "float"), "options", class = "value_error")
})

test_that("the like functions take size, dtype and device of their input", {
  skip_if_no_torch()
  x <- torch_tensor(matrix(1:6, 2), dtype = "double")
  expect_equal(torch_zeros_like(x), torch_tensor(matrix(0, 2, 3), dtype = "double"))
  expect_equal(torch_ones_like(x), torch_tensor(matrix(1, 2, 3), dtype = "double"))
  expect_equal(torch_full_like(x, 7), torch_tensor(matrix(7, 2, 3), dtype = "double"))
  for (make in list(torch_zeros_like, torch_ones_like, torch_rand_like, torch_randn_like, torch_empty_like)) {
    y <- make(x)
    expect_identical(dim(y), c(2L, 3L))
    has_dtype(y, "double")
    has_dtype(make(x, dtype = "float"), "float")
    expect_true(make(x, requires_grad = TRUE)$requires_grad)
    expect_identical(make(x, device = "meta")$device$type, "meta")
    expect_error(make(1), "must be a tensor", class = "type_error")
  }
})

test_that("options are taken by all creation functions", {
  skip_if_no_torch()
  makers <- list(
    \(...) torch_zeros(2, ...), \(...) torch_ones(2, ...), \(...) torch_rand(2, ...), \(...) torch_randn(2, ...),
    \(...) torch_empty(2, ...), \(...) torch_full(2, 1, ...), \(...) torch_linspace(0, 1, 3, ...),
    \(...) torch_logspace(0, 1, 3, ...), \(...) torch_eye(2, ...), \(...) torch_arange(1, 3, ...),
    \(...) torch_scalar_tensor(1, ...), \(...) torch_normal(0, 1, 2, ...), \(...) torch_randint(0, 3, 2, ...),
    \(...) torch_randperm(3, ...)
  )
  # LibTorch itself can't permute on the meta device.
  for (make in makers) {
    info <- deparse(body(make))
    expect_true(make(dtype = "double")$dtype == torch_double(), info = info)
    expect_true(make(dtype = torch_double(), requires_grad = TRUE)$requires_grad, info = info)
    if (identical(make, makers[[length(makers)]])) next
    expect_identical(make(device = "meta")$device$type, "meta", info = info)
    expect_identical(with_device(make(), device = "meta")$device$type, "meta", info = info)
    expect_identical(with_device(make(device = "cpu"), device = "meta")$device$type, "cpu", info = info)
  }
  expect_error(torch_zeros(2, dtype = "flaot"), "flaot", class = "value_error")
  expect_error(torch_zeros(2, names = c("a")), "names", class = "not_implemented_error")
})

test_that("the default dtype is used where there is no data", {
  skip_if_no_torch()
  before <- torch_set_default_dtype("double")
  withr::defer(torch_set_default_dtype(before))
  expect_true(before == torch_float())
  for (x in list(torch_zeros(1), torch_ones(1), torch_rand(1), torch_randn(1), torch_empty(1), torch_full(1, 2.5),
    torch_linspace(0, 1, 2), torch_eye(1), torch_arange(1.5, 2.5))) {
    has_dtype(x, "double")
  }
  expect_error(torch_set_default_dtype("int"))
  has_dtype(torch_zeros(1), "double")
})

test_that("requires_grad of dtypes without gradient is refused", {
  skip_if_no_torch()
  expect_error(torch_zeros(2, dtype = "int", requires_grad = TRUE), "floating point")
  expect_error(torch_tensor(1L, requires_grad = TRUE), "floating point")
})

test_that("windows, frequencies, triangles and sparse tensors agree with PyTorch", {
  skip_if_no_torch()
  expected <- python_eval(c(
    "w = lambda t: t.tolist()",
    "result = dict(hann=w(torch.hann_window(5)), sym=w(torch.hann_window(5, periodic=False)),",
    "  bartlett=w(torch.bartlett_window(5)), blackman=w(torch.blackman_window(5)), hamming=w(torch.hamming_window(5)),",
    "  other=w(torch.hamming_window(5, True, 0.5, 0.5)), kaiser=w(torch.kaiser_window(5, True, 4.)),",
    "  freq=w(torch.fft.fftfreq(5, 0.5)), tril=w(torch.tril_indices(3, 2, -1) + 1), triu=w(torch.triu_indices(3, 2) + 1))"
  ))
  expect_equal(as_array(torch_hann_window(5)), expected$hann, tolerance = 1e-6)
  expect_equal(as_array(torch_hann_window(5, periodic = FALSE)), expected$sym, tolerance = 1e-6)
  expect_equal(as_array(torch_bartlett_window(5)), expected$bartlett, tolerance = 1e-6)
  expect_equal(as_array(torch_blackman_window(5)), expected$blackman, tolerance = 1e-6)
  expect_equal(as_array(torch_hamming_window(5)), expected$hamming, tolerance = 1e-6)
  expect_equal(as_array(torch_hamming_window(5, alpha = 0.5, beta = 0.5)), expected$other, tolerance = 1e-6)
  expect_equal(as_array(torch_kaiser_window(5, TRUE, 4)), expected$kaiser, tolerance = 1e-6)
  expect_equal(as_array(torch_fft_fftfreq(5, 0.5)), expected$freq, tolerance = 1e-6)
  expect_equal(as_array(torch_tril_indices(3, 2, -1)), expected$tril)
  expect_equal(as_array(torch_triu_indices(3, 2)), expected$triu)
  expect_true(torch_hann_window(5, requires_grad = TRUE)$requires_grad)
  sparse <- torch_sparse_coo_tensor(torch_tensor(rbind(c(1L, 2L), c(3L, 1L))), c(10, 20), c(2, 3))
  expect_identical(as_array(sparse$to_dense()), rbind(c(0, 0, 10), c(20, 0, 0)))
  expect_identical(as_array(sparse$coalesce()$indices()), rbind(1:2, c(3L, 1L)))
  expect_identical(dim(torch_sparse_coo_tensor(torch_tensor(rbind(c(1L, 2L), c(3L, 1L))), c(10, 20))), c(2L, 3L))
  expect_identical(torch_empty_strided(c(2, 3), c(1, 2))$stride(), c(1L, 2L))
  expect_warning(r <- torch_range(1, 3), class = "deprecated")
  expect_identical(as_array(r), c(1, 2, 3))
  draws <- as_array(torch_randint_like(torch_zeros(100), 3, 5))
  expect_setequal(draws, c(3, 4))
})

test_that("what must be given is asked for in the user's call", {
  skip_if_no_torch()
  expect_snapshot(error = TRUE, {
    torch_full(fill_value = 1)
    torch_ones_like()
    torch_zeros_like(1)
    torch_zeros(2, names = "a")
    torch_zeros(2, device = 7)
  })
})

test_that("a device by default is for tensors that are like no other", {
  skip_if_no_torch()
  expect_identical(with_device(torch_zeros(2)$device$type, device = "meta"), "meta")
  expect_identical(with_device(torch_zeros(2, device = "cpu")$device$type, device = "meta"), "cpu")
  x <- torch_ones(2)
  expect_identical(with_device(torch_zeros_like(x)$device$type, device = "meta"), "cpu")
})

test_that("a trace follows sizes into each creation function", {
  skip_if_no_torch()
  f <- jit_trace(function(x) {
    n <- x$size(1)
    torch_zeros(n, 2) + torch_ones(c(n, 2)) + torch_full(c(n, 2), 1) + torch_ones_like(torch_empty(n, 2))
  }, torch_ones(3))
  expect_equal(as_array(f(torch_ones(5))), matrix(3, 5, 2))
})

test_that("sparse tensors have indices that they have places for", {
  skip_if_no_torch()
  at <- function(i, n = 1) torch_sparse_coo_tensor(torch_tensor(matrix(i, 1)), torch_ones(n), 3)
  expect_equal(as_array(at(c(1L, 3L), 2)$to_dense()), c(1, 0, 1))
  # These read and wrote beyond the tensor.
  expect_error(at(5000000L), "for dim 1, size is 3 but found index 5000000", class = "torch_runtime_error")
  expect_error(at(1L, 2), class = "torch_runtime_error")
  unit <- jit_compile("def f(i: Tensor):\n  return torch.sparse_coo_tensor(i, torch.ones(1), [3]).to_dense()")
  expect_equal(as_array(unit$f(torch_tensor(matrix(2L)))), c(0, 0, 1))
  expect_error(unit$f(torch_tensor(matrix(5000000L))), "found index", class = "torch_runtime_error")
  compressed <- function(rows, columns) call_torch_function(
    "torch_sparse_csr_tensor", torch_tensor(rows), torch_tensor(columns), torch_ones(2), c(2, 2), quiet = TRUE
  )
  expect_error(compressed(c(0L, 1L, 2L), c(1L, 900000L)), class = "torch_runtime_error")
})
