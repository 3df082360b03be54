# Division of integers: what a processor can't do ends no process.

smallest <- function(dtype) torch_tensor(1L, dtype = dtype)$bitwise_left_shift(if (dtype == "int") 31L else 63L)

test_that("the smallest integer divided by -1 is itself, and nothing remains", {
  skip_if_no_torch()
  for (dtype in c("int", "long")) {
    x <- torch_cat(list(smallest(dtype), torch_tensor(c(6L, -7L), dtype = dtype)))
    want <- torch_cat(list(smallest(dtype), torch_tensor(c(-6L, 7L), dtype = dtype)))
    by <- torch_tensor(c(-1L, -1L, -1L), dtype = dtype)
    none <- torch_zeros(3, dtype = dtype)
    for (y in list(by, by[1], -1L)) {
      expect_true(torch_equal(x %/% y, want))
      expect_true(torch_equal(torch_div(x, y, rounding_mode = "trunc"), want))
      expect_true(torch_equal(torch_div(x, y, rounding_mode = "floor"), want))
      expect_true(torch_equal(torch_floor_divide(x, y), want))
      expect_true(torch_equal(x %% y, none))
      expect_true(torch_equal(torch_remainder(x, y), none))
      expect_true(torch_equal(torch_fmod(x, y), none))
      expect_true(torch_equal(x$clone()$div_(y, rounding_mode = "trunc"), want))
      expect_true(torch_equal(x$clone()$floor_divide_(y), want))
      expect_true(torch_equal(x$clone()$remainder_(y), none))
      expect_true(torch_equal(x$clone()$fmod_(y), none))
      # A small type promotes; its own -1 is the same divisor.
      if (is_torch_tensor(y)) expect_true(torch_equal(x %/% y$to(dtype = "int8"), want))
    }
  }
})

test_that("a tensor of integers divided by 0 is an error, by a program too", {
  skip_if_no_torch()
  x <- torch_tensor(1:3)
  expect_snapshot(error = TRUE, {
    x %/% 0L
    x %% torch_tensor(c(1L, 0L, 1L))
    torch_fmod(x, 0L)
  })
  f <- jit_trace(function(x, y) list(x %/% y, x %% y), x, torch_tensor(c(1L, 2L, 3L)))
  expect_error(f(x, torch_tensor(c(0L, 1L, 1L))), "can't be divided by 0", class = "torch_error")
  expect_true(torch_equal(f(smallest("long"), torch_tensor(-1L))[[1]], smallest("long")))
  expect_length(torch_tensor(integer()) %/% 0L, 0)
  # Of floats it is none.
  expect_equal(as.numeric(torch_tensor(c(1, -1)) %/% 0), c(Inf, -Inf))
  expect_equal(as.numeric(torch_div(x, 0L)), rep(Inf, 3))
})

test_that("TorchScript's own integers are divided alike, when text is compiled too", {
  skip_if_no_torch()
  unit <- jit_compile("
def divide(x: int, y: int):
  return x // y, x % y, divmod(x, y)
def smallest(y: int):
  return (-9223372036854775807 - 1) // y, (-9223372036854775807 - 1) % y
def constant() -> int:
  return 7 % 0
def mixed(x: int, y: float):
  return x // y, x % y
")
  expect_equal(unit$divide(7L, 2L), list(3L, 1L, list(3L, 1L)), ignore_attr = TRUE)
  # Floor, as Python has it.
  expect_equal(unit$divide(-7L, 2L), list(-4L, 1L, list(-4L, 1L)), ignore_attr = TRUE)
  expect_equal(unit$mixed(-7L, 2), list(-4, 1), ignore_attr = TRUE)
  expect_snapshot(error = TRUE, {
    unit$divide(7L, 0L)
    unit$constant()
    jit_ops$aten$remainder(7L, 0L)
  })
  expect_error(jit_compile("def f(x: int):\n  return x % 0\n")$f(1L), "can't be divided by 0", class = "torch_error")
  expect_equal(unit$smallest(-1L)[[2]], 0L)
  expect_error(jit_ops$aten$floordiv(7L, 0L), class = "torch_error")
  expect_error(jit_ops$aten$divmod(7L, 0L), class = "torch_error")
  expect_error(jit_ops$aten$`__round_to_zero_floordiv`(7L, 0L), class = "torch_error")
  expect_equal(jit_ops$aten$`__round_to_zero_floordiv`(-7L, 2L), -3L)
})

test_that("derivatives of divisions are what they were", {
  skip_if_no_torch()
  x <- torch_tensor(c(5, -3), requires_grad = TRUE)
  expect_equal(as.numeric(autograd_grad((x %% 2)$sum(), x)[[1]]), c(1, 1))
  expect_equal(as.numeric(autograd_grad(torch_fmod(x, 2)$sum(), x)[[1]]), c(1, 1))
})
