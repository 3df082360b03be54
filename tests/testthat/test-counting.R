# Positions count from 1 wherever they come out or go in; base R is the oracle.

test_that("positions beside values count from 1", {
  skip_if_no_torch()
  v <- c(3, 1, 2, 5, 1)
  x <- torch_tensor(v)
  second <- function(r) as.integer(r[[2]])
  # The value at the position is the value itself, along each dimension.
  m <- torch_tensor(matrix(c(4, 2, 9, 7, 5, 3, 8, 1, 6), 3))
  for (f in list(torch_cummax, torch_cummin, torch_mode, torch_median, torch_max, torch_min, function(x, dim, ...) x$nanmedian(dim, ...))) {
    for (dim in 1:2) {
      r <- if ("keepdim" %in% names(formals(f)) || "..." %in% names(formals(f))) f(m, dim = dim, keepdim = TRUE) else f(m, dim)
      expect_identical(as_array(torch_gather(m, dim, r[[2]])), as_array(r[[1]]))
    }
  }
  expect_identical(second(torch_median(x, dim = 1)), match(median(v), v))
  expect_identical(second(x$nanmedian(1)), match(median(v), v))
  expect_identical(second(torch_kthvalue(x, 2)) %in% which(v == sort(v)[2]), TRUE)
  expect_identical(second(torch_mode(x)) %in% which(v == 1), TRUE)
  expect_identical(second(torch_cummax(x, 1)), c(1L, 1L, 1L, 4L, 4L))
  expect_identical(second(torch_sort(x)), c(2L, 5L, 3L, 1L, 4L)[order(c(1, 1, 2, 3, 5))])
  # Without a dimension there is no position.
  expect_identical(as_array(torch_median(x)), 2)
})

test_that("inverse indices and positions of elements count from 1", {
  skip_if_no_torch()
  v <- c(5, 5, 7, 5)
  r <- torch_unique_consecutive(torch_tensor(v), return_inverse = TRUE, return_counts = TRUE)
  expect_identical(as_array(r[[2]]), c(1L, 1L, 2L, 3L))
  expect_identical(as_array(r[[1]][r[[2]]]), v)
  expect_identical(as_array(r[[3]]), c(2L, 1L, 1L))
  call <- function(name, ...) call_torch_function(name, ..., quiet = TRUE)
  for (r in list(
    call("torch__unique", torch_tensor(v), return_inverse = TRUE), call("torch__unique2", torch_tensor(v), return_inverse = TRUE),
    call("torch_unique_dim", torch_tensor(v), dim = 1, return_inverse = TRUE)
  )) expect_identical(as_array(r[[1]][r[[2]]]), v)
  rows <- torch_tensor(rbind(c(1, 2), c(3, 4), c(1, 2)))
  r <- call("torch_unique_dim", rows, dim = 1, return_inverse = TRUE)
  expect_identical(as_array(r[[2]]), c(1L, 2L, 1L))
  mask <- matrix(c(FALSE, TRUE, TRUE, FALSE), 2)
  expect_identical(as_array(torch_tensor(mask)$argwhere()), unname(which(t(mask), arr.ind = TRUE)[, 2:1]))
  expect_identical(as_array(torch_repeat_interleave(torch_tensor(c(2L, 0L, 1L)))), rep(1:3, c(2, 0, 1)))
  # With values it repeats those.
  expect_identical(as_array(torch_repeat_interleave(torch_tensor(c(7L, 8L)), torch_tensor(c(2L, 1L)))), c(7L, 7L, 8L))
})

test_that("pooling gives positions that unpooling and gathering take", {
  skip_if_no_torch()
  x <- torch_randn(1, 2, 6, 6)
  flat <- x$flatten(start_dim = 3)
  r <- nnf_adaptive_max_pool2d(x, c(2, 2), return_indices = TRUE)
  expect_identical(as_array(flat$gather(3, r[[2]]$flatten(start_dim = 3))), as_array(r[[1]]$flatten(start_dim = 3)))
  line <- torch_randn(1, 1, 8)
  r <- nnf_adaptive_max_pool1d(line, 3, return_indices = TRUE)
  expect_identical(as_array(line$gather(3, r[[2]])), as_array(r[[1]]))
  r <- call_torch_function("torch_fractional_max_pool2d", x, 2, 3, torch_rand(1, 2, 2), quiet = TRUE)
  expect_identical(as_array(flat$gather(3, r[[2]]$flatten(start_dim = 3))), as_array(r[[1]]$flatten(start_dim = 3)))
  # The derivative as an operator takes the same positions as the operator gives.
  pooled <- torch_max_pool2d_with_indices(x, 2)
  back <- torch_max_pool2d_with_indices_backward(torch_ones_like(pooled[[1]]), x, 2, 2, 0, 1, FALSE, pooled[[2]])
  expect_identical(as_array(back$sum(c(3, 4))), matrix(9, 1, 2))
  expect_setequal(as_array(x[back == 1]), as_array(pooled[[1]]$flatten()))
})

test_that("losses as operators of their own count labels from 1, forwards and backwards", {
  skip_if_no_torch()
  call <- function(name, ...) call_torch_function(name, ..., quiet = TRUE)
  x <- torch_log_softmax(torch_randn(3, 4), 2)
  target <- torch_tensor(c(1L, 4L, 2L))
  out <- call("torch_nll_loss_forward", x, target, NULL, 1L, -100L)
  expect_equal(as_array(out[[1]]), -mean(as_array(x)[cbind(1:3, c(1, 4, 2))]), tolerance = 1e-6)
  grad <- call("torch_nll_loss_backward", torch_tensor(1)$squeeze(), x, target, NULL, 1L, -100L, out[[2]])
  expected <- matrix(0, 3, 4)
  expected[cbind(1:3, c(1, 4, 2))] <- -1 / 3
  expect_equal(as_array(grad), expected, tolerance = 1e-6)
  expect_error(call("torch_nll_loss_forward", x, target - 1L, NULL, 1L, -100L), "found a 0")
})

test_that("embedding bags take positions", {
  skip_if_no_torch()
  w <- matrix(1:6 + 0, 3)
  table <- torch_tensor(w)
  bag <- function(...) call_torch_function("torch_embedding_bag", ..., quiet = TRUE)
  out <- bag(table, torch_tensor(c(1L, 3L, 2L)), torch_tensor(c(0L, 2L)))
  expect_identical(as_array(out[[1]]), rbind(w[1, ] + w[3, ], w[2, ]))
  expect_identical(as_array(torch_embedding(table, torch_tensor(c(3L, 1L)))), w[c(3, 1), ])
  # The row that is left out counts from 1 too.
  w <- torch_tensor(matrix(1, 3, 2), requires_grad = TRUE)
  torch_embedding(w, torch_tensor(1:3), padding_idx = 2)$sum()$backward()
  expect_identical(as_array(w$grad), matrix(c(1, 0, 1), 3, 2))
})

test_that("sorters are what argsort gives, and counts below a number stay counts", {
  skip_if_no_torch()
  v <- c(3, 1, 2)
  x <- torch_tensor(v)
  got <- torch_searchsorted(x, torch_tensor(c(1.5, 3)), right = TRUE, sorter = torch_argsort(x))
  expect_identical(as_array(got), findInterval(c(1.5, 3), sort(v)))
  expect_identical(as_array(torch_bucketize(torch_tensor(c(0, 5)), torch_tensor(sort(v)))), c(0L, 3L))
})

test_that("sparse matrices in compressed form have columns from 1", {
  skip_if_no_torch()
  m <- matrix(c(0, 5, 7, 0, 0, 9), 2)
  csr <- suppressWarnings(torch_tensor(m)$to_sparse_csr())
  expect_identical(as_array(csr$col_indices()), c(2L, 1L, 3L))
  again <- call_torch_function("torch_sparse_csr_tensor", csr$crow_indices(), csr$col_indices(), csr$values(), c(2, 3), quiet = TRUE)
  expect_identical(as_array(again$to_dense()), m)
  csc <- suppressWarnings(torch_tensor(m)$to_sparse_csc())
  expect_identical(as_array(csc$row_indices()), c(2L, 1L, 2L))
})

test_that("select of a copy counts as select does", {
  skip_if_no_torch()
  x <- torch_arange(1, 3)
  expect_identical(as_array(call_torch_function("torch_select_copy", x, 1, 2, quiet = TRUE)), 2)
  expect_error(call_torch_function("torch_select_copy", x, 1, 0, quiet = TRUE), "found a 0", class = "value_error")
})
