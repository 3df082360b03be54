test_that("int64 comes back as the narrowest R type that holds all values", {
  skip_if_no_torch()
  at <- function(v) as_array(torch_tensor(v, dtype = "double")$to(dtype = "long"))
  expect_identical(at(c(1, -5)), c(1L, -5L))
  expect_identical(at(c(2^31, 1)), c(2^31, 1))
  expect_identical(at(c(2^53, -2^53)), c(2^53, -2^53))
  beyond <- at(c(2^53 + 2, 1))
  expect_s3_class(beyond, "integer64")
  expect_identical(as.character(beyond), c("9007199254740994", "1"))
})

test_that("base R computes with the numbers of int64, not with the bytes that hold them", {
  skip_if_no_torch()
  values <- c(3, 2^60, 1)
  x <- torch_tensor(values, dtype = "long")
  numbers <- list(
    as.vector(x), as.complex(x), as.vector(matrix(x)), as.vector(array(x)), as.vector(as.matrix(x)), union(x, numeric()),
    sapply(x, as.numeric), sort(-xtfrm(x)), summary(x)[["Max."]], sapply(as.vector(x, "list"), as.character)
  ) |> suppressWarnings()
  expect_identical(numbers, list(
    values, values + 0i, values, values, values, values, values, c(-3, -2, -1), 2^60, as.character(bit64::as.integer64(values))
  ))
  expect_warning(as.vector(x), "precision lost")
  expect_equal(suppressWarnings(svd(x)$d), sqrt(sum(values^2)))
  # Doubles can't tell these apart.
  near <- torch_tensor(bit64::as.integer64(2)^60L + 1:0, dtype = "long")
  expect_identical(order(near), 2:1)
  expect_identical(as.character(as.list(near)[[1]]), "1152921504606846977")
  expect_identical(as.character(as.data.frame(near)[[1]][1]), "1152921504606846977")
})

test_that("floating dtypes of every width come back as doubles", {
  skip_if_no_torch()
  values <- c(0.5, -2, 1.25)
  for (dtype in c("half", "bfloat16", "float", "double")) {
    expect_identical(as_array(torch_tensor(values, dtype = dtype)), values, info = dtype)
  }
  for (dtype in c("int8", "int16", "int32", "int64")) {
    expect_identical(as_array(torch_tensor(c(-3L, 7L), dtype = dtype)), c(-3L, 7L), info = dtype)
  }
})

test_that("a tensor converts by R's own generics", {
  skip_if_no_torch()
  a <- matrix(c(0, 1.5, 2, -3), 2)
  x <- torch_tensor(a)
  expect_identical(as.array(x), a)
  expect_identical(as.matrix(x), a)
  expect_identical(as.vector(x), as.vector(a))
  expect_identical(as.numeric(x), as.numeric(a))
  expect_identical(as.integer(x), as.integer(a))
  expect_identical(as.logical(x), as.logical(a))
  expect_identical(as.complex(x), as.complex(a))
  expect_identical(as.matrix(x[1, ]), matrix(a[1, ]))
  expect_identical(as_array(a), a)
  expect_identical(length(x), 4L)
  expect_identical(dim(x), c(2L, 2L))
  expect_identical(nrow(x), 2L)
})

test_that("as_array ignores requires_grad and strides", {
  skip_if_no_torch()
  a <- matrix(1:6 + 0.5, 2)
  expect_identical(as_array(torch_tensor(a, requires_grad = TRUE)), a)
  expect_identical(as_array(torch_tensor(a)$t()), t(a))
  expect_identical(as_array(torch_tensor(a)$expand(c(2, 2, 3)))[2, , ], a)
})

test_that("item gives the R scalar of the dtype", {
  skip_if_no_torch()
  expect_identical(torch_tensor(1.5)$item(), 1.5)
  expect_identical(torch_tensor(3L)$item(), 3L)
  expect_identical(torch_tensor(TRUE)$item(), TRUE)
  expect_identical(torch_tensor(1 + 2i)$item(), 1 + 2i)
  expect_identical(torch_tensor(as.raw(7))$item(), 7L)
  expect_identical(torch_tensor(matrix(4))$item(), 4)
  expect_error(torch_tensor(c(1, 2))$item(), "2 elements|one element")
})

test_that("R's summaries and conversions take a tensor for its values", {
  skip_if_no_torch()
  m <- matrix(c(3, 1, 2, 6, 5, 4), 2)
  x <- torch_tensor(m)
  expect_identical(order(x), order(m))
  expect_identical(order(torch_tensor(c(TRUE, FALSE))), 2:1)
  expect_identical(summary(x), summary(as.vector(m)))
  expect_identical(as.data.frame(x), as.data.frame(m))
  expect_identical(data.frame(torch_tensor(1:3))[[1]], 1:3)
  expect_identical(as.raw(torch_tensor(c(1, 255))), as.raw(c(1, 255)))
})

test_that("waldo compares values, device and what autograd knows", {
  skip_if_no_torch()
  sparse <- function(v) torch_tensor(v)$to_sparse()
  alike <- list(
    list(torch_tensor(1), torch_tensor(1)), list(sparse(c(0, 1)), sparse(c(0, 1))), list(torch_tensor(1)$grad, torch_tensor(1)$grad),
    list(torch_zeros(2, device = "meta"), torch_ones(2, device = "meta"))
  )
  for (pair in alike) expect_length(waldo::compare(pair[[1]], pair[[2]]), 0)
  dead <- dead_copy(torch_tensor(1))
  differ <- list(
    torch_tensor(2), torch_tensor(1)$view(c(1, 1)), torch_tensor(1, requires_grad = TRUE), torch_tensor(1)$grad, sparse(1),
    torch_zeros(1, device = "meta"), dead
  )
  for (other in differ) expect_gt(length(waldo::compare(torch_tensor(1), other)), 0)
  expect_gt(length(waldo::compare(sparse(c(0, 1)), sparse(c(0, 2)))), 0)
  expect_gt(length(waldo::compare(torch_zeros(2, device = "meta"), torch_zeros(3, device = "meta"))), 0)
})

test_that("expect_equal compares values, device, requires_grad and grad_fn", {
  skip_if_no_torch()
  local_edition(3)
  x <- torch_tensor(c(1, 2))
  expect_equal(x, torch_tensor(c(1, 2)))
  expect_failure(expect_equal(x, torch_tensor(c(1, 3))))
  expect_failure(expect_equal(x, torch_tensor(matrix(c(1, 2)))))
  expect_failure(expect_equal(x, torch_tensor(c(1, 2), requires_grad = TRUE)))
  y <- torch_tensor(c(1, 2), requires_grad = TRUE)
  expect_failure(expect_equal(y * 1, y + 0))
  expect_equal(y * 1, y * 1)
})

test_that("large vectors of odd lengths come through whole, in each pair of types that has a loop of its own", {
  skip_if_no_torch()
  n <- 2^19 + 37
  doubles <- runif(n)
  expect_identical(as_array(torch_tensor(doubles, dtype = "double")), doubles)
  expect_equal(as_array(torch_tensor(doubles)), doubles, tolerance = 1e-7)
  # A float goes through R's doubles and back without a change.
  x <- torch_randn(n)
  expect_true(torch_equal(torch_tensor(as_array(x)), x))
  whole <- sample.int(2^31 - 1, n)
  long <- torch_tensor(whole)
  expect_identical(as_array(long), whole)
  expect_identical(as_array(torch_tensor(whole, dtype = "int")), whole)
  expect_identical(long[N]$item(), whole[n])
  # A matrix with one row is as in R's memory.
  expect_identical(as_array(torch_tensor(t(whole))), t(whole))
})
