# Numbers that are followed through R's arithmetic, and tapes of what operators did with them.

skip_if_no_torch()

record_of <- function(x, f, value = 2.7182) {
  numbers <- new_numbers()
  the$numbers <- numbers
  given <- record_number("given", value)
  the$numbers <- NULL
  record_tape(list(x), numbers, out <- f(x, given), function() {
    if (length(numbers$open)) "compared" else list(results = list(out), following = 0L)
  })
}

test_that("a tape shows operators and the numbers that they get", {
  x <- torch_ones(3)
  tape <- record_of(x, function(x, lr) torch_mul(x, sqrt(lr) / 2 - lr^2))
  expect_s3_class(tape, "torch_tape")
  expect_output(print(tape), "aten::mul.*n[0-9]+")
})

test_that("two recordings tell what is not followed", {
  x <- torch_ones(3)
  followed <- function(x, lr) torch_mul(x, larger_of(-lr, 1) + either(lr < 3, lr, 0))
  lost <- function(x, lr) torch_mul(x, as.numeric(lr) * 2)
  same <- function(f) cpp_tape_difference(record_of(x, f, 2.7182), record_of(x, f, 2.8182))
  expect_equal(same(followed), "")
  expect_match(same(lost), "`other` of `aten::mul` changes")
})

test_that("comparisons and values that are read make no tape", {
  x <- torch_ones(3)
  expect_equal(record_of(x, function(x, lr) if (lr > 2) x * 2 else x), "compared")
  expect_match(record_of(x, function(x, lr) x * as.numeric(x$sum())), "values of a tensor are read")
  expect_match(record_of(x, function(x, lr) torch_nonzero(x)), "aten::nonzero")
  expect_error(record_of(x, function(x, lr) torch_matmul(x, torch_ones(2))))
  # A recording that failed is over.
  expect_s3_class(record_of(x, function(x, lr) x * lr), "torch_tape")
})
