# Operators that the shim computes itself where tensors are small and plain (inst/shim/core/small.cpp): nobody can tell.

small_operators <- c("add", "sub", "mul", "div", "eq", "ne", "lt", "le", "gt", "ge")
# Of odd, tiny and huge numbers, NaN and infinities.
odd_values <- c(0, -0, 1, -1.5, 1 / 3, 0.1, 1e-45, 1e-310, 3e38, 1e300, NaN, Inf, -Inf)

test_that("small tensors get bit for bit what LibTorch computes of large ones, and its dtypes", {
  skip_if_no_torch()
  pairs <- expand.grid(x = odd_values, y = odd_values)
  many <- rep(seq_len(nrow(pairs)), 20)
  # A row of bytes for each number.
  bits <- function(x) as_array(x$unsqueeze(-1)$view(dtype = torch_uint8()))
  for (dtype in list(torch_float(), torch_double())) {
    x <- torch_tensor(pairs$x, dtype = dtype)
    y <- torch_tensor(pairs$y, dtype = dtype)
    for (name in small_operators) {
      f <- get(paste0("torch_", name), asNamespace("torch"))
      large <- f(x[many], y[many])
      few <- split(seq_len(nrow(pairs)), seq_len(nrow(pairs)) %/% 40)
      small <- torch_cat(lapply(few, function(i) f(x[i], y[i])))
      expect_true(small$dtype == large$dtype)
      # What a NaN's bits are is nobody's to say.
      number <- !is.nan(as.numeric(small))
      expect_identical(is.nan(as.numeric(large))[seq_along(number)], !number)
      expect_identical(bits(small)[number, ], bits(large)[which(number), ], label = name)
      for (number in c(0.1, -3, 0, 1e300, Inf)) {
        by_number <- f(x[1:13], number)
        expect_identical(as.numeric(by_number), as.numeric(f(x[many], number))[1:13], label = name)
        expect_true(by_number$dtype == large$dtype)
      }
    }
  }
})

test_that("where LibTorch has something to do it gets the tensors", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, 2))
  w <- torch_tensor(c(3, 4), requires_grad = TRUE)
  y <- x * w
  expect_true(y$requires_grad)
  y$sum()$backward()
  expect_equal(as.numeric(w$grad), c(1, 2))
  expect_false(with_no_grad(x * w)$requires_grad)
  # Shapes, dtypes and strides that are not one.
  expect_equal(dim(x + torch_ones(3, 1)), c(3, 2))
  expect_true((x + torch_tensor(1, dtype = "double"))$dtype == torch_float64())
  expect_true((x + torch_tensor(c(1L, 2L)))$dtype == torch_float())
  expect_true((torch_tensor(c(1L, 2L)) / torch_tensor(c(1L, 2L)))$dtype == torch_float())
  m <- torch_tensor(matrix(1:4, 2), dtype = "float")
  expect_equal(as.matrix(m$t() + m), t(matrix(1:4, 2)) + matrix(1:4, 2))
  expect_equal(as.numeric(torch_add(x, x, alpha = 3)), c(4, 8))
  expect_equal(as.numeric(torch_div(x, torch_tensor(c(3, 3)), rounding_mode = "floor")), c(0, 0))
  expect_equal(dim(torch_empty(0) + torch_empty(0)), 0L)
  expect_error(torch_ones(2) + torch_ones(3), "must match")
  # Views and negations that are not computed yet.
  z <- torch_tensor(c(1 + 2i, 3 - 4i))
  expect_equal(as.numeric(torch_imag(z$conj()) + x), c(-1, 6))
  x$add_(1)
  expect_equal(as.numeric(x), c(2, 3))
})

test_that("tangents of small tensors go through operators", {
  skip_if_no_torch()
  tangent <- with_forward_ad({
    x <- forward_ad_make_dual(torch_tensor(c(1, 2)), torch_tensor(c(1, 10)))
    y <- (torch_tensor(c(3, 4)) * x + x) / 2
    as.numeric(forward_ad_unpack_dual(y)$tangent)
  })
  expect_equal(tangent, c(2, 25))
})

test_that("what watches operators sees those of small tensors", {
  skip_if_no_torch()
  x <- torch_tensor(c(1, 2))
  expect_match(jit_trace(function(x) x + x, x)$graph$text, "aten::add(", fixed = TRUE)
  half <- with_autocast(device_type = "cpu", torch_matmul(torch_ones(2, 2), torch_ones(2, 2)) + torch_ones(2, 2))
  expect_true(half$dtype == torch_float())
  model <- nn_linear(2, 1)
  step <- jit_train_step(model, function(output, target) ((output - target)^2)$mean(), optim_sgd(model$parameters, lr = 0.1))
  before <- as.numeric(model$weight)
  for (i in 1:3) step(torch_ones(4, 2), torch_zeros(4, 1))
  expect_false(isTRUE(all.equal(as.numeric(model$weight), before)))
})
