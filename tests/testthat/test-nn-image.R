# Modules that pad, resize and rearrange, against base R. What each of them gives in PyTorch is in test-nn-table.R.

# Which elements of a dimension stand in it once it is padded; none where there is a constant.
padded <- function(kind, length, before, after) {
  i <- seq(1 - before, length + after)
  switch(kind,
    replication = pmin(pmax(i, 1), length),
    reflection = ifelse(i < 1, 2 - i, ifelse(i > length, 2 * length - i, i)),
    circular = (i - 1) %% length + 1,
    ifelse(i < 1 | i > length, NA, i)
  )
}
pad_layer <- function(kind, ndim, padding, value) {
  make <- get(sprintf("nn_%s_pad%dd", kind, ndim))
  if (kind == "constant") make(padding, value) else make(padding)
}

# A padded layer, its input and what must come out, for each kind and number of dimensions of space.
each_padding <- function(kinds, expect) {
  for (kind in kinds) {
    for (ndim in 1:3) {
      sizes <- utils::tail(3:5, ndim)
      x <- array(as.numeric(seq_len(2 * prod(sizes))), c(1, 2, sizes))
      ends <- utils::head(c(1, 2, 0, 1, 2, 0), 2 * ndim)
      at <- lapply(rev(seq_len(ndim)), function(k) padded(kind, rev(sizes)[k], ends[2 * k - 1], ends[2 * k]))
      expected <- do.call(`[`, c(list(x, TRUE, TRUE), at, drop = FALSE))
      expected[is.na(expected)] <- if (kind == "constant") 7 else 0
      layer <- pad_layer(kind, ndim, ends, 7)
      expect_identical(layer$padding, ends)
      expect(layer, x, expected, paste(kind, ndim))
    }
  }
}
expect_padded_alone <- function(layer, x, expected, info) {
  alone <- layer(torch_tensor(array(x, dim(x)[-1])))
  expect_identical(as_array(alone), array(expected, dim(expected)[-1]), info = info)
}

test_that("padding lengthens the dimensions of space from the last on, each module in its way", {
  skip_if_no_torch()
  each_padding(c("constant", "zero", "reflection", "replication", "circular"), function(layer, x, expected, info) {
    expect_identical(as_array(layer(torch_tensor(x))), expected, info = info)
  })
})

test_that("padding takes what has no batch", {
  skip_if_no_torch()
  each_padding(c("constant", "zero", "reflection", "replication"), expect_padded_alone)
})

test_that("circular padding takes what has no batch", {
  skip_if_older("2.0")
  each_padding("circular", expect_padded_alone)
})

test_that("one number is for all ends, and negative numbers cut off", {
  skip_if_no_torch()
  x <- matrix(as.numeric(1:12), 3)
  image <- torch_tensor(array(x, c(1, 1, 3, 4)))
  layer <- nn_zero_pad2d(1)
  expect_identical(layer$padding, rep(1, 4))
  expect_identical(as_array(layer(image))[1, 1, , ], rbind(0, cbind(0, x, 0), 0))
  expect_identical(as_array(nn_constant_pad2d(c(-1, 0, 0, -2), 9)(image))[1, 1, , ], x[1, -1])
  for (kind in c("constant", "zero", "reflection", "replication", "circular")) {
    cut <- pad_layer(kind, 1, c(-1, 2), 0)(torch_tensor(array(1:5 + 0, c(1, 1, 5))))
    # What is cut off is gone before the rest is repeated.
    expected <- padded(kind, 4, 0, 2) + 1
    expect_identical(as_array(cut)[1, 1, ], ifelse(is.na(expected), 0, expected), info = kind)
  }
  expect_error(nn_circular_pad3d(1:5), "must be 1 number or 6 numbers", class = "value_error")
  expect_error(nn_reflection_pad1d("1"), "must be 1 number or 2 numbers", class = "value_error")
})

test_that("nearest resizing repeats or leaves out elements, and rounds sizes down", {
  skip_if_no_torch()
  x <- matrix(as.numeric(1:15), 3)
  image <- torch_tensor(array(x, c(1, 1, 3, 5)))
  twice <- x[rep(1:3, each = 2), rep(1:5, each = 2)]
  expect_identical(as_array(nn_upsample(scale_factor = 2)(image))[1, 1, , ], twice)
  expect_identical(as_array(nn_upsampling_nearest2d(scale_factor = 2)(image))[1, 1, , ], twice)
  expect_identical(as_array(nn_upsampling_nearest2d(size = c(6, 10))(image))[1, 1, , ], twice)
  # 1.5 times 3 is 4 rows, 1.5 times 5 is 7 columns.
  expect_identical(as_array(nn_upsample(scale_factor = 1.5)(image))[1, 1, , ], x[floor(0:3 / 1.5) + 1, floor(0:6 / 1.5) + 1])
  expect_identical(dim(nn_upsample(size = 2, mode = "nearest")(torch_ones(1, 2, 4, 4, 4))), c(1L, 2L, 2L, 2L, 2L))
})

test_that("linear resizing lies on the lines between the elements", {
  skip_if_no_torch()
  withr::local_seed(6)
  x <- round(rnorm(5), 2)
  series <- torch_tensor(array(x, c(1, 1, 5)), dtype = "double")
  ends <- nn_upsample(size = 9, mode = "linear", align_corners = TRUE)(series)
  expect_equal(as_array(ends)[1, 1, ], approx(x, n = 9)$y)
  # Without aligned corners, elements are as wide as the steps between them, and the ends go on flat.
  for (align_corners in list(NULL, FALSE)) {
    middles <- nn_upsample(size = 8, mode = "linear", align_corners = align_corners)(series)
    expect_equal(as_array(middles)[1, 1, ], approx(x, xout = (1:8 - 0.5) * 5 / 8 + 0.5, rule = 2)$y)
  }
  x <- matrix(round(rnorm(12), 2), 3)
  image <- torch_tensor(array(x, c(1, 1, 3, 4)), dtype = "double")
  along_rows <- t(apply(x, 1, function(row) approx(row, n = 7)$y))
  expected <- apply(along_rows, 2, function(column) approx(column, n = 5)$y)
  expect_equal(as_array(nn_upsampling_bilinear2d(size = c(5, 7))(image))[1, 1, , ], expected)
})

test_that("unfolding takes windows as columns, and folding adds them up", {
  skip_if_no_torch()
  x <- array(as.numeric(1:48), c(3, 4, 4))
  image <- torch_tensor(array(x, c(1, 3, 4, 4)))
  for (stride in 1:2) {
    starts <- seq(1, 3, by = stride)
    starts <- expand.grid(column = starts, row = starts)
    expected <- mapply(function(i, j) as.vector(aperm(x[, i + 0:1, j + 0:1])), starts$row, starts$column)
    expect_identical(as_array(nn_unfold(2, stride = stride)(image))[1, , ], expected)
  }
  apart <- nn_fold(c(4, 4), 2, stride = 2)(nn_unfold(2, stride = 2)(image))
  expect_identical(as_array(apart)[1, , , ], x)
  # Elements that several windows share are added as often.
  shared <- nn_fold(c(4, 4), 2)(nn_unfold(2)(image))
  times <- outer(c(1, 2, 2, 1), c(1, 2, 2, 1))
  expect_identical(as_array(shared)[1, , , ], x * rep(times, each = 3))
})

test_that("shuffles move elements between channels and space", {
  skip_if_no_torch()
  x <- array(as.numeric(1:48), c(8, 2, 3))
  wide <- as_array(nn_pixel_shuffle(2)(torch_tensor(array(x, c(1, 8, 2, 3)))))
  expect_identical(dim(wide), c(1L, 2L, 4L, 6L))
  # Channel `c` has the elements of channels 4 c - 3 to 4 c, a square for each place, row by row.
  for (c in 1:2) {
    for (i in 1:2) {
      for (j in 1:2) expect_identical(wide[1, c, seq(i, 4, 2), seq(j, 6, 2)], x[4 * (c - 1) + 2 * (i - 1) + j, , ])
    }
  }
  expect_identical(as_array(nn_pixel_unshuffle(2)(torch_tensor(wide)))[1, , , ], x)
  mixed <- nn_channel_shuffle(2)(torch_tensor(array(x, c(1, 8, 2, 3))))
  expect_identical(as_array(mixed)[1, , , ], x[c(1, 5, 2, 6, 3, 7, 4, 8), , ])
})
