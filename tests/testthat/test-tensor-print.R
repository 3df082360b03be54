test_that("tensors print in LibTorch's form", {
  skip_if_no_torch()
  local_reproducible_output()
  expect_snapshot({
    torch_tensor(matrix(c(1, -2.5, 1e5, 4, 5.25, 6), 2))
    torch_tensor(c(1L, -20L))
    torch_tensor(c(TRUE, FALSE))
    torch_tensor(as.raw(c(1, 255)))
    torch_tensor(c(1 + 2i, 3))
    torch_tensor(c(0.5, NaN, Inf), dtype = "half")
    torch_tensor(array(1:8, c(2, 2, 2)))
    torch_scalar_tensor(3.5)
    torch_zeros(0, 3)
    torch_tensor(NULL)
    torch_zeros(2, device = "meta")
    torch_tensor(c(1, 2), requires_grad = TRUE)
    torch_tensor(c(1, 2), requires_grad = TRUE) * 2
    torch_tensor(1, requires_grad = TRUE)$grad
    (torch_tensor(1, requires_grad = TRUE) * 2)$grad_fn
  })
})

test_that("every kind of tensor prints", {
  skip_if_no_torch()
  withr::local_options(width = 60)
  dense <- torch_tensor(diag(c(1, 2)))
  # LibTorch warns of some, once in a process.
  quantized <- suppressWarnings(torch_quantize_per_tensor(torch_tensor(c(0, 1)), 0.1, 10L, "quint8"))
  by_row <- suppressWarnings(dense$to_sparse_csr())
  by_column <- suppressWarnings(dense$to_sparse_csc())
  expect_snapshot({
    torch_tensor(matrix(complex(6, 1:6, c(0.5, -1)), 2))
    torch_tensor(array(1:8 + 1i, c(2, 2, 2)))[, , 1]
    torch_tensor(array(1:12, c(2, 3, 2, 1)))
    torch_tensor(matrix(1:24 / 8, 2))
    torch_tensor(c(1e-6, 1, NaN, -Inf), dtype = "double")
    torch_tensor(c(0, 123456.5))
    torch_tensor(bit64::as.integer64("9007199254740993"))
    torch_tensor(c(1, -2), dtype = "bfloat16")
    torch_zeros(0, 3)
    dense$to_sparse()
    by_row
    by_column
    torch_zeros(2, 2, device = "meta")
    torch_tensor(1, requires_grad = TRUE) * 2
    print(torch_zeros(5, 2), n = 2)
    quantized
  })
})

test_that("printed lines fit the console", {
  skip_if_no_torch()
  for (width in c(20, 33, 60, 100)) {
    withr::local_options(width = width)
    for (x in list(torch_tensor(matrix(1:40 / 7, 2)), torch_tensor(matrix(1:40, 2)), torch_tensor(matrix(complex(40, 1:40, 0.25), 2)))) {
      lines <- capture.output(print(x, n = -1))
      expect_lte(max(nchar(lines[-length(lines)])), width)
    }
  }
})

test_that("a type line that is too long goes on in the next", {
  skip_if_no_torch()
  quantized <- suppressWarnings(torch_quantize_per_tensor(torch_tensor(c(0, 1)), 0.1, 10L, "quint8"))
  graded <- torch_ones(2, requires_grad = TRUE) * 2
  withr::local_options(width = 40)
  expect_snapshot({
    quantized
    graded
  })
  expect_identical(paste(wrap_type_line(type_line(quantized)), collapse = " "), type_line(quantized))
  withr::local_options(width = 100)
  expect_identical(wrap_type_line(type_line(quantized)), type_line(quantized))
})

test_that("constants are named where they are pasted", {
  skip_if_no_torch()
  expect_identical(format(torch_sparse_coo()), "torch_sparse_coo")
  expect_identical(format(torch_channels_last_format()), "torch_channels_last_format")
  expect_identical(format(torch_per_channel_affine()), "torch_per_channel_affine")
})

test_that("printing stops after n lines", {
  skip_if_no_torch()
  x <- torch_arange(1, 50)
  lines <- function(...) capture.output(print(x, ...))
  expect_length(lines(), 33)
  expect_identical(lines(n = 2), c(
    "torch_tensor", " 1", " 2", "... [the output was truncated (use n=-1 to disable)]", "[ CPUFloatType{50} ]"
  ))
  expect_identical(as.integer(lines(n = -1)[2:51]), 1:50)
  expect_length(lines(n = -1), 52)
  capture.output(shown <- withVisible(print(x)))
  expect_false(shown$visible)
  expect_identical(shown$value, x)
})

test_that("a gradient that is zero without memory is printed and read", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, -2), dtype = "double", requires_grad = TRUE)
  gradient <- autograd_grad(torch_sgn(x)$sum(), x)[[1]]
  expect_identical(as_array(gradient), c(0, 0))
  expect_output(print(gradient), "CPUDoubleType")
})

test_that("digits are as R's own", {
  skip_if_no_torch()
  values <- list(c(1.123456789, 2), c(pi * 1e6, 1e-3), c(1, 2), c(-1 / 3, NaN, Inf), 1e10)
  shown <- function(v, ...) {
    text <- utils::capture.output(print(torch_tensor(v, dtype = if (is.complex(v)) "cdouble" else "double"), ...))
    trimws(text[-c(1, length(text))])
  }
  for (v in values) {
    for (digits in c(1, 3, 8, 15)) {
      expect_equal(shown(v, digits = digits), tolower(trimws(format(v, digits = digits))))
    }
  }
  # Tensors print as LibTorch has them, whatever `options(digits = )` says.
  withr::local_options(digits = 3)
  expect_equal(shown(pi), "3.1416")
  expect_equal(shown(c(1 + 2i / 3), digits = 3), "1+0.667i")
  x <- torch_tensor(1)
  expect_output(x$print(digits = 3))
  expect_snapshot(error = TRUE, {
    print(x, digits = 0)
    print(x, digits = "a")
  })
})
