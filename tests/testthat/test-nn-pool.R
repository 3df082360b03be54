# Pooling modules against windows that base R takes. What each of them gives in PyTorch is in test-nn-table.R.

# The elements of each window over `length` elements; what lies in the padding is left out.
windows <- function(length, kernel_size, stride = kernel_size, padding = 0, dilation = 1) {
  span <- dilation * (kernel_size - 1) + 1
  starts <- seq(1 - padding, length + padding - span + 1, by = stride)
  lapply(starts, function(start) intersect(seq(start, by = dilation, length.out = kernel_size), seq_len(length)))
}
# `f` of each window of the last of the three dimensions of `x`. `f` gets the elements and where they are.
over <- function(x, windows, f) {
  vapply(windows, function(at) apply(x[, , at, drop = FALSE], 1:2, f, at), matrix(0, nrow(x), ncol(x)))
}
largest <- function(x, at) max(x)
place_of_largest <- function(x, at) at[which.max(x)]
# Whole numbers, each once: no maximum is in two places, and none is rounded.
distinct <- function(...) array(as.numeric(sample(prod(...))), c(...))

test_that("a max pooling takes the maxima of windows, and says where they were", {
  skip_if_no_torch()
  withr::local_seed(1)
  x <- distinct(2, 3, 10)
  for (settings in list(list(2), list(3, 1), list(3, 2, 1), list(3, 1, 1, 2))) {
    at <- do.call(windows, c(10, settings))
    got <- do.call(nn_max_pool1d, c(settings, return_indices = TRUE))(torch_tensor(x))
    expect_identical(as_array(got[[1]]), over(x, at, largest))
    expect_equal(as_array(got[[2]]), over(x, at, place_of_largest))
    expect_identical(as_array(do.call(nn_max_pool1d, settings)(torch_tensor(x))), over(x, at, largest))
  }
  # The last window may be short.
  short <- nn_max_pool1d(3, ceil_mode = TRUE)(torch_tensor(x))
  expect_identical(as_array(short), over(x, list(1:3, 4:6, 7:9, 10), largest))
})

test_that("positions in images and volumes count from 1, the last dimension fastest, and unpooling goes by them", {
  skip_if_no_torch()
  withr::local_seed(2)
  image <- distinct(1, 1, 4, 6)
  got <- nn_max_pool2d(2, return_indices = TRUE)(torch_tensor(image))
  maxima <- as_array(got[[1]])
  expect_identical(maxima[1, 1, , ], sapply(1:3, function(j) sapply(1:2, function(i) max(image[1, 1, 2 * i - 1:0, 2 * j - 1:0]))))
  expect_identical(aperm(image)[as_array(got[[2]])], as.vector(maxima))
  expect_identical(as_array(nn_max_unpool2d(2)(got[[1]], got[[2]])), image * (image %in% maxima))

  volume <- distinct(1, 1, 2, 4, 6)
  got <- nn_max_pool3d(2, return_indices = TRUE)(torch_tensor(volume))
  expect_identical(aperm(volume)[as_array(got[[2]])], as.vector(as_array(got[[1]])))
  expect_identical(as_array(nn_max_unpool3d(2)(got[[1]], got[[2]])), volume * (volume %in% as_array(got[[1]])))

  series <- distinct(2, 3, 10)
  got <- nn_max_pool1d(3, return_indices = TRUE)(torch_tensor(series))
  kept <- series * (series %in% as_array(got[[1]]))
  expect_identical(as_array(nn_max_unpool1d(3)(got[[1]], got[[2]])), kept[, , 1:9])
  expect_identical(as_array(nn_max_unpool1d(3)(got[[1]], got[[2]], output_size = 10)), kept)
})

test_that("a mean pooling divides by the elements of the window, with the padding or without, or by a number of one's own", {
  skip_if_no_torch()
  withr::local_seed(3)
  x <- distinct(2, 3, 10)
  at <- windows(10, 3, 2, 1)
  total <- over(x, at, function(x, at) sum(x))
  expect_equal(as_array(nn_avg_pool1d(3, 2, 1)(torch_tensor(x))), total / 3, tolerance = 1e-6)
  without <- nn_avg_pool1d(3, 2, 1, count_include_pad = FALSE)(torch_tensor(x))
  expect_equal(as_array(without), over(x, at, function(x, at) mean(x)), tolerance = 1e-6)
  short <- nn_avg_pool1d(3, ceil_mode = TRUE)(torch_tensor(x))
  expect_equal(as_array(short), over(x, list(1:3, 4:6, 7:9, 10), function(x, at) mean(x)), tolerance = 1e-6)
  # As an image of one row.
  row <- torch_tensor(array(x, c(2, 3, 1, 10)))
  by_seven <- nn_avg_pool2d(c(1, 2), divisor_override = 7)(row)
  expect_equal(as_array(by_seven)[, , 1, ], over(x, windows(10, 2), function(x, at) sum(x) / 7), tolerance = 1e-6)
})

test_that("a norm pooling is the norm of each window", {
  skip_if_no_torch()
  withr::local_seed(4)
  x <- distinct(2, 3, 9)
  for (p in c(1, 2, 3.5)) {
    expected <- over(x, windows(9, 3, 2), function(x, at) sum(x^p)^(1 / p))
    expect_equal(as_array(nn_lp_pool1d(p, 3, stride = 2)(torch_tensor(x))), expected, tolerance = 1e-5)
    row <- torch_tensor(array(x, c(2, 3, 1, 9)))
    expect_equal(as_array(nn_lp_pool2d(p, c(1, 3), stride = c(1, 2))(row))[, , 1, ], expected, tolerance = 1e-5)
  }
})

test_that("an adaptive pooling cuts a dimension into as many windows as are asked for", {
  skip_if_no_torch()
  withr::local_seed(5)
  # Windows share an element where the sizes do not divide.
  cut <- function(length, n) lapply(seq_len(n), function(i) seq(floor((i - 1) * length / n) + 1, ceiling(i * length / n)))
  x <- distinct(2, 3, 10)
  for (n in c(1, 3, 4, 10)) {
    got <- nn_adaptive_max_pool1d(n, return_indices = TRUE)(torch_tensor(x))
    expect_identical(as_array(got[[1]]), over(x, cut(10, n), largest))
    expect_equal(as_array(got[[2]]), over(x, cut(10, n), place_of_largest))
    mean <- over(x, cut(10, n), function(x, at) mean(x))
    expect_equal(as_array(nn_adaptive_avg_pool1d(n)(torch_tensor(x))), mean, tolerance = 1e-6)
  }
  # A size that is open stays.
  image <- distinct(2, 3, 4, 10)
  for (open in list(list(NULL, 1), c(NA, 1))) {
    got <- nn_adaptive_avg_pool2d(open)(torch_tensor(image))
    expect_equal(as_array(got), array(apply(image, 1:3, mean), c(2, 3, 4, 1)), tolerance = 1e-6)
  }
  expect_identical(as_array(nn_adaptive_max_pool2d(NULL)(torch_tensor(image))), image)
  expect_identical(dim(nn_adaptive_max_pool3d(c(NA, 2, NA))(torch_ones(1, 1, 3, 4, 5))), c(1L, 1L, 3L, 2L, 5L))
})
