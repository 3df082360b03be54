has_dtype <- function(x, name) expect_true(x$dtype == torch:::as_dtype(name))

test_that("each R type becomes its dtype, with the same values", {
  skip_if_no_torch()
  cases <- list(
    float = c(1.5, -2), int64 = c(1L, -7L), bool = c(TRUE, FALSE), cfloat = c(1 + 2i, -0.5i), uint8 = as.raw(c(0, 255)),
    float = matrix(c(0.5, 1, 2, 4, 8, 16), 2), int64 = array(1:24, c(2, 3, 4)), bool = matrix(c(TRUE, FALSE), 1),
    cfloat = matrix(c(1i, 2, 3, 4 - 1i), 2), uint8 = matrix(as.raw(1:6), 3)
  )
  for (i in seq_along(cases)) {
    value <- cases[[i]]
    x <- torch_tensor(value)
    has_dtype(x, names(cases)[i])
    expect_equal(dim(x), if (is.null(dim(value))) length(value) else dim(value))
    expect_identical(as_array(x), value)
  }
})

test_that("elements land row-major at the subscripts that R gives them", {
  skip_if_no_torch()
  a <- array(1:24, c(2, 3, 4))
  x <- torch_tensor(a)
  expect_equal(x$stride(), c(12, 4, 1))
  expect_equal(as_array(x$flatten()), as.vector(aperm(a)))
  for (at in list(c(1, 1, 1), c(2, 1, 3), c(1, 3, 2), c(2, 3, 4))) {
    expect_equal(x[at[1], at[2], at[3]]$item(), a[at[1], at[2], at[3]])
  }
})

test_that("integer64 keeps every bit both ways", {
  skip_if_no_torch()
  skip_if_not_installed("bit64")
  big <- bit64::as.integer64(c("9223372036854775807", "-9007199254740993", "5"))
  x <- torch_tensor(big)
  has_dtype(x, "int64")
  expect_identical(as_array(x), big)
  expect_identical(bit64::as.integer64(x), big)
  expect_identical(as.character(x[1]$item()), "9223372036854775807")
  expect_identical(as.character((x - 1L)[1]$item()), "9223372036854775806")
  expect_identical(as.character(torch_add(x, bit64::as.integer64("9007199254740993"))[2]$item()), "0")
})

test_that("doubles with dtype long are exact up to 2^53", {
  skip_if_no_torch()
  expect_identical(as_array(torch_tensor(c(2^53, 2^53 - 1), dtype = "long")), c(2^53, 2^53 - 1))
  expect_identical(torch_tensor(2^53, dtype = "long")$item(), 2^53)
})

test_that("NA is NaN to floating dtypes, and no number to others", {
  skip_if_no_torch()
  expect_identical(as_array(torch_tensor(c(1, NA, NaN, Inf))), c(1, NaN, NaN, Inf))
  missing <- list(c(NA, 1), c(NA, 1L), c(NA, TRUE), bit64::as.integer64(c(NA, 1)))
  for (v in missing) {
    for (dtype in c("float", "double", "half", "bfloat16")) expect_identical(is.na(as_array(torch_tensor(v, dtype = dtype)$double())), c(TRUE, FALSE))
    expect_true(is.nan(Re(as_array(torch_tensor(v, dtype = "cfloat"))[1])))
    for (dtype in c("int64", "int32", "int16", "int8", "uint8", "bool")) {
      expect_error(torch_tensor(v, dtype = dtype), "must not hold (NA|NaN) \\(element 1\\)", class = "value_error")
    }
  }
  expect_identical(as_array(torch_tensor(matrix(c(1L, NA, 3L, 4L), 2), dtype = "float")), matrix(c(1, NaN, 3, 4), 2))
  expect_snapshot(error = TRUE, {
    torch_tensor(c(1L, NA))
    torch_tensor(NA)
  })
})

test_that("an operand NA is NaN, as in R's arithmetic", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, 2))
  for (na in list(NA, NA_integer_, NA_real_, bit64::NA_integer64_)) {
    expect_identical(as_array(torch_add(x, na)), c(NaN, NaN))
    expect_identical(as_array(torch_mul(na, x)), c(NaN, NaN))
    expect_identical(as_array(torch_tensor(1:2)$add(na)), c(NaN, NaN))
    expect_identical(as_array(torch_where(x > 1, x, na)), c(NaN, 2))
    expect_identical(as_array(torch_full(2, na)), c(NaN, NaN))
    y <- x$clone()
    y[1] <- na
    expect_identical(as_array(y), c(NaN, 2))
    y[c(1, 2)] <- c(na, na)
    expect_identical(as_array(y), c(NaN, NaN))
    for (dtype in c("int", "long", "bool")) {
      z <- torch_tensor(c(1L, 0L), dtype = dtype)
      expect_error(z[1] <- na, "must not hold", class = "value_error")
      expect_identical(as.integer(z), c(1L, 0L))
    }
  }
  expect_error(x + c(1L, NA), "must not hold NA", class = "value_error")
})

test_that("a number that does not fit an integer dtype is an error", {
  skip_if_no_torch()
  # Wherever a number is put into a tensor.
  b <- torch_tensor(c(TRUE, FALSE))
  for (dtype in c("bool", "int", "uint8", "long")) {
    x <- torch_tensor(c(1L, 0L), dtype = dtype)
    for (wrong in list(NA, NA_real_, if (dtype != "bool") 1e30)) {
      if (is.null(wrong)) next
      refused <- function(code) expect_error(code, "`(fill_)?value` must hold|`(fill_)?value` must not hold", class = "value_error")
      refused(x$fill_(wrong))
      refused(x$masked_fill(b, wrong))
      refused(x$masked_fill_(b, wrong))
      refused(x$index_fill(1, torch_tensor(1L), wrong))
      refused(x$scatter(1, torch_tensor(1L), value = wrong))
      refused(x$new_full(2, wrong))
      refused(torch_full(2, wrong, dtype = dtype))
      refused(torch_full_like(x, wrong))
      expect_identical(as.integer(x), c(1L, 0L))
    }
    expect_true(torch_full_like(x, NA, dtype = "float")$isnan()$all()$item())
    expect_identical(as.integer(x$masked_fill(b, 0)), c(0L, 0L))
  }
  bounds <- list(uint8 = c(0, 255), int8 = c(-128, 127), int16 = c(-2^15, 2^15 - 1), int32 = c(-2^31, 2^31 - 1))
  for (dtype in names(bounds)) {
    expect_identical(as.numeric(torch_tensor(bounds[[dtype]], dtype = dtype)$double()), bounds[[dtype]])
    # Fractions are cut off.
    expect_identical(as.numeric(torch_tensor(bounds[[dtype]] + c(-0.5, 0.5), dtype = dtype)$double()), bounds[[dtype]])
    for (v in list(bounds[[dtype]][1] - 1, bounds[[dtype]][2] + 1, 1e10, Inf, -Inf)) {
      expect_error(torch_tensor(c(1, v), dtype = dtype), "`data` must hold numbers from .* \\(element 2\\)", class = "value_error")
      x <- torch_tensor(c(1L, 2L), dtype = dtype)
      expect_error(x[2] <- v, "`value` must hold numbers", class = "value_error")
      expect_error(x[1:2] <- c(1, v), "`value` must hold numbers", class = "value_error")
    }
  }
  expect_error(torch_tensor(300L, dtype = "uint8"), "from 0 to 255", class = "value_error")
  expect_error(torch_tensor(bit64::as.integer64(2)^40, dtype = "int"), "must hold numbers", class = "value_error")
  expect_error(torch_tensor(2^63, dtype = "long"), "must hold numbers", class = "value_error")
  expect_identical(torch_tensor(-2^63, dtype = "long")$item(), -2^63)
  expect_true(torch_tensor(Inf, dtype = "bool")$item())
  expect_snapshot(error = TRUE, {
    torch_tensor(1e10, dtype = "int")
    torch_tensor(c(1, 2^64), dtype = "long")
  })
})

test_that("the smallest numbers of int32 and int64 are not NA", {
  skip_if_no_torch()
  for (dtype in c("int", "long")) {
    x <- torch_tensor(c(-2147483648, 1), dtype = dtype)
    expect_identical(as_array(x), c(-2147483648, 1))
    expect_identical(x[1]$item(), -2147483648)
    expect_identical(as_array(x$reshape(c(1, 2))), matrix(c(-2147483648, 1), 1))
  }
  least <- torch_tensor(-2^63, dtype = "long")
  expect_identical(as_array(least), -2^63)
  expect_output(print(least), "-9223372036854775808")
  both <- torch_cat(list(least, torch_tensor(bit64::as.integer64("9223372036854775807"))))
  expect_warning(out <- as_array(both), "has no form in integer64", class = "torch_int64_warning")
  expect_identical(as.character(out), c(NA, "9223372036854775807"))
  expect_output(print(both), "-9223372036854775808\n 9223372036854775807")
})

test_that("integer64 comes with its methods", {
  skip_if_no_torch()
  out <- callr::r(function() {
    library(torch)
    x <- torch_full(1, 2^60, dtype = "long")
    c(capture.output(print(x))[2], format(as.array(x)), format(x$item()), format(jit_compile("def f(x: int):\n  return x * 4\n")$f(2^60)))
  })
  expect_identical(out, c(" 1152921504606846976", rep("1152921504606846976", 2), "4611686018427387904"))
})

test_that("NULL, empty vectors and matrices without rows are tensors without elements", {
  skip_if_no_torch()
  x <- torch_tensor(NULL)
  has_dtype(x, "bool")
  expect_identical(dim(x), 0L)
  expect_identical(as_array(torch_tensor(numeric())), numeric())
  m <- matrix(numeric(), 0, 3)
  expect_identical(dim(torch_tensor(m)), c(0L, 3L))
  expect_identical(as_array(torch_tensor(m)), m)
  expect_identical(as_array(torch_tensor(matrix(integer(), 2, 0))), matrix(integer(), 2, 0))
  expect_identical(as_array(torch_tensor(m)$sum(dim = 1)), c(0, 0, 0))
})

test_that("dtype, device and requires_grad are taken as object or string", {
  skip_if_no_torch()
  has_dtype(torch_tensor(1:2, dtype = torch_float64()), "double")
  has_dtype(torch_tensor(1.7, dtype = "int"), "int32")
  expect_identical(as_array(torch_tensor(c(1.7, -1.7), dtype = "int")), c(1L, -1L))
  expect_identical(as_array(torch_tensor(c(0, 2), dtype = "bool")), c(FALSE, TRUE))
  expect_identical(as.character(torch_tensor(1, device = torch_device("meta"))$device), "meta")
  expect_identical(as.character(torch_tensor(1, device = "cpu")$device), "cpu")
  expect_true(torch_tensor(1, requires_grad = TRUE)$requires_grad)
  expect_false(torch_tensor(1)$requires_grad)
})

test_that("a tensor of a tensor is a detached copy", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, 2), requires_grad = TRUE)
  y <- torch_tensor(x * 2)
  expect_false(y$requires_grad)
  z <- torch_tensor(c(1, 2))
  copy <- torch_tensor(z)
  copy$add_(1)
  expect_identical(as_array(z), c(1, 2))
  has_dtype(torch_tensor(torch_tensor(1:2), dtype = "float"), "float")
})

test_that("the default dtype does not matter for R data", {
  skip_if_no_torch()
  before <- torch_set_default_dtype("double")
  withr::defer(torch_set_default_dtype(before))
  has_dtype(torch_tensor(1.5), "float32")
})

test_that("fields tell what is known of a tensor", {
  skip_if_no_torch()
  x <- torch_tensor(matrix(c(1, 2, 3, 4, 5, 6), 2), requires_grad = TRUE)
  expect_identical(x$shape, c(2L, 3L))
  expect_identical(x$ndim, 2L)
  expect_identical(x$dim(), 2L)
  expect_identical(x$numel(), 6L)
  expect_identical(x$size(), c(2L, 3L))
  expect_identical(x$size(-1), 3L)
  expect_identical(x$stride(1), 3L)
  expect_identical(x$is_leaf, TRUE)
  expect_identical((x * 2)$is_leaf, FALSE)
  expect_identical(x$is_cuda, FALSE)
  expect_identical(x$is_contiguous(), TRUE)
  expect_identical(x$t()$is_contiguous(), FALSE)
  expect_identical(x$is_sparse(), FALSE)
  expect_identical(x$is_complex(), FALSE)
  expect_identical(x$is_floating_point(), TRUE)
  expect_null(x$grad_fn)
  expect_null(x$names)
  expect_identical(x$ptr, x)
  expect_identical(x[["shape"]], x$shape)
  expect_true(is_undefined_tensor(x$grad))
  expect_false(is_undefined_tensor(x))
  expect_identical(torch_scalar_tensor(1)$shape, integer())
  z <- torch_tensor(c(1 + 2i, 3 - 4i))
  expect_identical(as_array(z$real), c(1, 3))
  expect_identical(as_array(z$imag), c(2, -4))
})

test_that("the fields that can be set are set in place", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, 2))
  alias <- x
  x$requires_grad <- TRUE
  expect_true(alias$requires_grad)
  x$grad <- torch_tensor(c(3, 4))
  expect_identical(as_array(alias$grad), c(3, 4))
  x$grad <- NULL
  expect_true(is_undefined_tensor(alias$grad))
  z <- torch_tensor(c(1 + 2i, 3 - 4i))
  z$real <- torch_tensor(c(5, 6))
  z$imag <- torch_tensor(c(0, 1))
  expect_identical(as_array(z), c(5 + 0i, 6 + 1i))
  expect_error(x$shape <- 3, "can't be assigned", class = "value_error")
})

test_that("a result that is the argument's own tensor is the argument's R object", {
  skip_if_no_torch()
  address <- function(x) rlang::obj_address(x)
  x <- torch_tensor(matrix(c(1, 2, 3, 4), 2))
  class(x) <- c("marked", class(x))
  same <- list(
    x$add_(1), x$mul_(2), x$contiguous(), x$to(dtype = "float"), x$to(device = "cpu"), x$float(), x$cpu(),
    torch_relu_(x), x$zero_(), x$requires_grad_(FALSE), x$copy_(torch_ones(2, 2)), x$expand_as(x)$contiguous()$ptr
  )
  for (i in seq_len(length(same) - 1)) {
    expect_identical(address(same[[i]]), address(x), info = i)
    expect_s3_class(same[[i]], "marked")
  }
  expect_false(identical(address(x$to(dtype = "double")), address(x)))
  expect_false(identical(address(x$t()$contiguous()), address(x)))
  expect_false(identical(address(x$to(dtype = "float", copy = TRUE)), address(x)))
})

test_that("clone and detach keep what marks a parameter", {
  skip_if_no_torch()
  p <- nn_parameter(torch_tensor(c(1, 2)))
  expect_true(is_nn_parameter(p))
  expect_true(is_nn_parameter(p$clone()))
  expect_true(is_nn_parameter(p$detach()))
  expect_false(is_nn_parameter(p + 1))
  expect_true(is_nn_parameter(with_no_grad(p$add_(1))))
})

test_that("str, format, head and tail are R's", {
  skip_if_no_torch()
  x <- torch_tensor(matrix(1:20, 10))
  expect_output(str(x), "Long [1:10, 1:2]", fixed = TRUE)
  expect_output(str(torch_scalar_tensor(1)), "Float []", fixed = TRUE)
  expect_output(str(list(a = x)), "a.*Long \\[1:10, 1:2\\]")
  expect_identical(format(x), "[ CPULongType{10,2} ]")
  m <- matrix(1:20, 10)
  for (n in list(6, 3, 100, 1e300, -2, -100, 0)) {
    expect_identical(as_array(head(x, n)), head(m, n), info = n)
    expect_identical(as_array(tail(x, n)), tail(m, n, keepnums = FALSE), info = n)
  }
  for (n in list(c(2, 1), c(NA, 1), c(-2, -1), c(3, Inf))) {
    expect_identical(as_array(head(x, n)), head(m, n), info = n)
    expect_identical(as_array(tail(x, n)), tail(m, n, keepnums = FALSE), info = n)
  }
  expect_snapshot({
    show_error(head(x, "a"))
    show_error(tail(x, 1.5))
    show_error(head(x, NULL))
    show_error(head(x, c(1, 2, 3)))
    show_error(head(torch_scalar_tensor(1)))
  })
})

test_that("flags and sizes that are none are refused", {
  skip_if_no_torch()
  x <- torch_ones(2)
  expect_snapshot({
    show_error(torch_tensor(1, requires_grad = NA))
    show_error(torch_tensor(1, pin_memory = "a"))
    show_error(torch_zeros(1, requires_grad = NULL))
    show_error(torch_zeros_like(x, requires_grad = "a"))
    show_error(x$requires_grad_(1))
    show_error(x$requires_grad <- NA)
    show_error(torch_tensor_from_buffer(1:2, "a", "int"))
    show_error(torch_tensor_from_buffer(1:2, -1, "int"))
    show_error(torch_tensor_from_buffer(1:2, NA, "int"))
  })
  expect_false(x$requires_grad)
  x$requires_grad <- TRUE
  expect_true(x$requires_grad)
})

test_that("a tensor that R saved without its memory is dead and says so", {
  skip_if_no_torch()
  withr::local_options(torch.serialize_in_rds = FALSE)
  file <- withr::local_tempfile()
  saveRDS(list(torch_tensor(1)), file)
  x <- readRDS(file)[[1]]
  expect_output(print(x), "dead")
  expect_output(print(list(x)), "dead")
  expect_output(str(x), "dead")
  for (use in list(
    \() x + 1, \() 1 + x, \() x$add(1), \() torch_add(torch_tensor(1), x), \() as_array(x), \() x$shape, \() dim(x),
    \() length(x), \() x[1], \() x[1] <- 2, \() torch_tensor(1)[x], \() torch_cat(list(x)), \() x$backward(), \() x$grad,
    \() x$requires_grad_(TRUE), \() x$item(), \() torch_tensor(x), \() torch_tensor(1)$copy_(x),
    \() x$dtype, \() x$grad_fn, \() autograd_grad(x, x), \() is_undefined_tensor(x), \() { x$grad <- torch_tensor(1) },
    \() buffer_from_torch_tensor(x), \() torch_zeros_like(x)
  )) {
    expect_error(use(), "dead tensor", info = deparse(body(use)))
  }
  # R puts the value of `x` into the call of a Summary function, and rlang's trace then fails on it likewise.
  expect_match(conditionMessage(tryCatch(sum(x), error = identity)), "dead tensor")
})

test_that("an undefined tensor refuses what needs values", {
  skip_if_no_torch()
  u <- torch_tensor(1, requires_grad = TRUE)$grad
  expect_output(print(u), "undefined")
  expect_identical(length(u), 0L)
  for (use in list(\() u + 1, \() u$shape, \() as_array(u), \() u[1], \() u$item(), \() u$backward(), \() u$dtype, \() u$grad)) {
    expect_error(use(), info = deparse(body(use)))
  }
})

test_that("a tensor from a buffer shares the R vector's memory", {
  skip_if_no_torch()
  buffer <- c(1.5, 2.5, 3.5, 4.5, 5.5, 6.5)
  x <- torch_tensor_from_buffer(buffer, c(2, 3), "double")
  expect_equal(as_array(x), matrix(c(1.5, 2.5, 3.5, 4.5, 5.5, 6.5), 2, byrow = TRUE))
  x$add_(1)
  expect_identical(buffer[6], 7.5)
  expect_identical(as_array(torch_tensor_from_buffer(as.raw(c(1, 0, 0, 0, 255, 255, 255, 255)), 2, "int")), c(1L, -1L))
  expect_error(torch_tensor_from_buffer(as.raw(1:7), 2, "int"), "7 bytes", class = "value_error")
  expect_error(torch_tensor_from_buffer("a", 1), "buffer", class = "type_error")
  expect_error(torch_tensor_from_buffer(buffer, -1), class = "error")
  expect_error(torch_tensor_from_buffer(buffer, NA), class = "error")
})

test_that("the buffer lives as long as a tensor on it, and no longer", {
  skip_if_no_torch()
  make <- function(i) {
    buffer <- as.double(seq_len(1000) + i)
    torch_tensor_from_buffer(buffer, 1000, "double")
  }
  tensors <- lapply(1:20, make)
  views <- lapply(tensors, function(x) x[1:10])
  rm(tensors)
  for (i in 1:3) {
    gc()
    junk <- lapply(1:200, function(i) rep(-1, 1000))
  }
  for (i in 1:20) expect_identical(as_array(views[[i]]), as.double(1:10 + i))
  rm(views, junk)
  for (i in 1:300) {
    x <- torch_tensor_from_buffer(double(1e5), 1e5, "double")
    rm(x)
    if (i %% 50 == 0) gc()
  }
  torch_zeros(1)
  gc()
  torch_zeros(1)
  expect_lt(gc()["Vcells", "(Mb)"], 150)
})

test_that("a tensor's bytes come as raw", {
  skip_if_no_torch()
  expect_identical(buffer_from_torch_tensor(torch_tensor(c(1.5, -2), dtype = "double")), writeBin(c(1.5, -2), raw()))
  expect_identical(buffer_from_torch_tensor(torch_tensor(matrix(1:4, 2), dtype = "int")$t()), writeBin(1:4, raw()))
  expect_identical(buffer_from_torch_tensor(torch_scalar_tensor(1)), writeBin(1, raw(), size = 4))
  expect_identical(buffer_from_torch_tensor(torch_tensor(numeric())), raw())
  expect_error(buffer_from_torch_tensor(1), "tensor", class = "type_error")
})

test_that("what is no data is refused", {
  skip_if_no_torch()
  for (value in list("a", list(1), sum, quote(x), new.env(), data.frame(a = 1))) {
    expect_error(torch_tensor(value), "R type not handled", class = "type_error")
  }
})

test_that("factors are their codes, positions may be R numbers or tensors of one element", {
  skip_if_no_torch()
  expect_identical(as_array(torch_tensor(factor(c("b", "a", "b")))), c(2L, 1L, 2L))
  expect_error(torch_tensor(factor(c("b", NA))), "NA")
  expect_identical(as_array(torch_arange(1, 5)$narrow(1, torch_tensor(2), 2)), c(2, 3))
  expect_identical(as_array(torch_narrow(torch_arange(1, 5), 1, torch_tensor(4L), 2)), c(4, 5))
  expect_error(torch_narrow(torch_arange(1, 5), 1, torch_tensor(0L), 2), class = "torch_error")
  expect_identical(dim(torch_softmax(torch_ones(2, 3), dim = torch_tensor(2L))), 2:3)
  expect_error(torch_softmax(torch_ones(2, 3), dim = torch_tensor(1.5)), "`dim` must be a whole number", class = "type_error")
  table <- torch_tensor(matrix(as.double(1:6), 3))
  for (index in list(2L, 2, c(1, 3), c(3L, 1L))) {
    expect_identical(as_array(nnf_embedding(index, table)), as_array(table)[index, , drop = FALSE])
    expect_identical(as_array(torch_index_select(table, 1, index)), as_array(table)[index, , drop = FALSE])
  }
  expect_true(torch_ones(1)$to(device = "auto")$device$type %in% c("cpu", "cuda", "mps"))
  expect_identical(torch_float()$.type(), "Float")
})
