# Area of a polygon by the corners in order, the first again at the end.
shoelace <- function(xy) {
  n <- nrow(xy)
  sum(xy[-n, 1] * xy[-1, 2] - xy[-1, 1] * xy[-n, 2]) / 2
}

# `n` points on a circle, in no order, at random ones of `m` places; the others hold zero.
random_corners <- function(n, m) {
  angles <- stats::runif(n, 0, 2 * pi)
  xy <- matrix(0, m, 2)
  at <- sample(m - 1, n)
  xy[at, ] <- cbind(cos(angles), sin(angles)) * stats::runif(1, 0.5, 3)
  list(xy = xy, mask = seq_len(m) %in% at, hull = at[order(angles)])
}

test_that("corners are put in order", {
  skip_if_no_torch()
  withr::local_seed(1)
  cases <- lapply(rep(0:8, 4), random_corners, m = 24)
  of <- function(name) aperm(simplify2array(lapply(cases, `[[`, name)), c(3, 1, 2)[seq_len(1 + length(dim(cases[[1]][[name]])))])
  vertices <- torch_tensor(array(of("xy"), c(1, length(cases), 24, 2)))
  mask <- torch_tensor(array(t(sapply(cases, `[[`, "mask")), c(1, length(cases), 24)))
  valid <- mask$sum(dim = -1)$to(dtype = "int")
  out <- contrib_sort_vertices(vertices, mask, valid)
  expect_identical(out$shape, c(1L, length(cases), 9L))
  expect_true(out$dtype == torch_int64())
  got <- as_array(out)[1, , ]
  for (i in seq_along(cases)) {
    hull <- cases[[i]]$hull
    n <- length(hull)
    padding <- which(!cases[[i]]$mask[9:24])[1] + 8L
    expected <- if (n < 3) rep(padding, 9) else c(hull, hull[1], rep(padding, 8 - n))
    expect_identical(got[i, ], expected)
    # chull() goes clockwise.
    area <- if (n < 3) 0 else {
      corners <- cases[[i]]$xy[hull, ]
      turn <- rev(grDevices::chull(corners))
      shoelace(corners[c(turn, turn[1]), ])
    }
    expect_equal(shoelace(cases[[i]]$xy[got[i, ], ]), area)
  }
  # The positions are those that torch_gather() takes.
  picked <- torch_gather(vertices, 3, out$unsqueeze(4)$expand(c(-1, -1, -1, 2)))
  expect_identical(as_array(picked)[1, 5, 1, ], as_array(vertices)[1, 5, got[5, 1], ])
})

test_that("corners that coincide count once", {
  skip_if_no_torch()
  square <- cbind(c(1, -1, -1, 1), c(1, 1, -1, -1))
  xy <- rbind(square, square, matrix(0, 4, 2))
  mask <- rep(c(TRUE, FALSE), c(8, 4))
  out <- contrib_sort_vertices(
    torch_tensor(array(xy, c(1, 1, 12, 2))), torch_tensor(array(mask, c(1, 1, 12))), torch_tensor(matrix(8L))
  )
  expect_equal(shoelace(xy[as_array(out)[1, 1, ], ]), 4)
})

test_that("other shapes are refused", {
  skip_if_no_torch()
  v <- torch_zeros(1, 2, 9, 2)
  m <- torch_zeros(1, 2, 9, dtype = "bool")
  n <- torch_zeros(1, 2, dtype = "int")
  expect_snapshot({
    show_error(contrib_sort_vertices(1, m, n))
    show_error(contrib_sort_vertices(v[, , 1:8], m, n))
    show_error(contrib_sort_vertices(v, m[, 1], n))
    show_error(contrib_sort_vertices(v, m, n[1]))
  })
})
