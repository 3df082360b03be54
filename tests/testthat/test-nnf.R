test_that("dropout keeps the mean and is off in evaluation", {
  skip_if_no_torch()
  x <- torch_ones(10000)
  torch_manual_seed(2)
  y <- as_array(nnf_dropout(x, 0.2))
  expect_setequal(round(y, 4), c(0, 1.25))
  expect_equal(mean(y), 1, tolerance = 0.02)
  expect_identical(as_array(nnf_dropout(x, 0.2, training = FALSE)), as_array(x))
  channels <- as_array(nnf_dropout2d(torch_ones(8, 8, 3, 3)))
  expect_true(all(apply(channels, 1:2, function(v) length(unique(c(v)))) == 1))
  expect_warning(nnf_dropout2d(torch_ones(2, 3)), "2 dimensions")
  expect_error(nnf_dropout(x, 1.5), class = "value_error")
  expect_snapshot(nnf_dropout(x, 1.5), error = TRUE)
})

test_that("normalisation agrees with its formulas", {
  skip_if_no_torch()
  m <- matrix(c(1, 2, 4, 8, 5, 7), 2)
  x <- torch_tensor(m, dtype = "double")
  normal <- function(v) (v - mean(v)) / sqrt(mean((v - mean(v))^2) + 1e-5)
  expect_equal(as_array(nnf_layer_norm(x, 3)), t(apply(m, 1, normal)))
  expect_equal(as_array(nnf_batch_norm(x, NULL, NULL, training = TRUE)), apply(m, 2, normal))
  expect_equal(as_array(nnf_group_norm(x, 1)), t(apply(m, 1, normal)))
  expect_equal(as_array(nnf_normalize(x)), m / sqrt(rowSums(m^2)))
  expect_equal(as_array(nnf_normalize(x, p = 1, dim = 1)), sweep(m, 2, colSums(m), "/"))
  expect_equal(as_array(nnf_instance_norm(x$unsqueeze(1)))[1, , ], t(apply(m, 1, normal)))
})

test_that("embeddings and one-hot count from 1", {
  skip_if_no_torch()
  table <- matrix(1:6 / 2, 3)
  weight <- torch_tensor(table, requires_grad = TRUE)
  input <- torch_tensor(c(3L, 1L, 3L))
  result <- nnf_embedding(input, weight, padding_idx = 1)
  expect_equal(as_array(result), table[c(3, 1, 3), ])
  result$sum()$backward()
  expect_equal(as_array(weight$grad), rbind(0, 0, c(2, 2)))
  shrunk <- torch_tensor(table)
  nnf_embedding(input, shrunk, max_norm = 1)
  expect_equal(sqrt(rowSums(as_array(shrunk)^2)), c(1, sqrt(sum(table[2, ]^2)), 1), tolerance = 1e-5)
  expect_identical(as_array(nnf_one_hot(torch_tensor(c(1L, 3L)))), rbind(c(1L, 0L, 0L), c(0L, 0L, 1L)))
  expect_identical(nnf_one_hot(torch_tensor(1L), 4)$shape, c(1L, 4L))
})

test_that("distances agree with base R", {
  skip_if_no_torch()
  a <- matrix(c(1, 2, 3, 4, 5, 6.5), 2)
  b <- matrix(c(2, 1, 0, 1, 3, 2), 2)
  x <- torch_tensor(a, dtype = "double")
  y <- torch_tensor(b, dtype = "double")
  expect_equal(as_array(nnf_cosine_similarity(x, y)), rowSums(a * b) / sqrt(rowSums(a^2) * rowSums(b^2)))
  expect_equal(as_array(nnf_pairwise_distance(x, y)), sqrt(rowSums((a - b + 1e-6)^2)))
  expect_equal(as_array(nnf_pdist(x)), c(dist(a)))
})

test_that("convolution and pooling agree with base R", {
  skip_if_no_torch()
  signal <- c(1, 4, 2, 8, 5, 7)
  x <- torch_tensor(array(signal, c(1, 1, 6)), dtype = "double")
  kernel <- c(1, 0, -2)
  w <- torch_tensor(array(kernel, c(1, 1, 3)), dtype = "double")
  windows <- embed(signal, 3)[, 3:1]
  expect_equal(c(as_array(nnf_conv1d(x, w))), c(windows %*% kernel))
  expect_equal(nnf_conv1d(x, w, padding = "same")$shape, c(1, 1, 6))
  expect_equal(c(as_array(nnf_max_pool1d(x, 2))), c(4, 8, 7))
  pooled <- nnf_max_pool1d(x, 2, return_indices = TRUE)
  expect_equal(c(as_array(pooled[[2]])), c(2, 4, 6))
  expect_equal(c(as_array(nnf_avg_pool1d(x, 3))), c(7 / 3, 20 / 3))
  expect_equal(c(as_array(nnf_adaptive_avg_pool1d(x, 2))), c(7 / 3, 20 / 3))
  expect_equal(c(as_array(nnf_adaptive_max_pool1d(x, 2))), c(4, 8))
  image <- torch_randn(1, 2, 4, 4)
  expect_equal(nnf_max_pool2d(image, 2)$shape, c(1, 2, 2, 2))
  expect_equal(nnf_conv2d(image, torch_randn(3, 2, 3, 3), stride = 1, padding = 1)$shape, c(1, 3, 4, 4))
  expect_equal(nnf_conv_transpose2d(image, torch_randn(2, 3, 2, 2), stride = 2)$shape, c(1, 3, 8, 8))
})

test_that("padding, patches and images", {
  skip_if_no_torch()
  x <- torch_tensor(matrix(1:4, 2), dtype = "float")
  expect_equal(as_array(nnf_pad(x, c(1, 0), value = 9)), cbind(9, matrix(1:4, 2)))
  image <- torch_randn(1, 1, 4, 4)
  patches <- nnf_unfold(image, 2, stride = 2)
  expect_equal(patches$shape, c(1, 4, 4))
  expect_equal(as_array(nnf_fold(patches, 4, 2, stride = 2)), as_array(image))
  expect_equal(nnf_pixel_shuffle(torch_randn(1, 4, 2, 2), 2)$shape, c(1, 1, 4, 4))
  identity <- torch_tensor(array(c(1, 0, 0, 1, 0, 0), c(1, 2, 3)))
  grid <- nnf_affine_grid(identity, c(1, 1, 4, 4))
  expect_equal(as_array(nnf_grid_sample(image, grid)), as_array(image), tolerance = 1e-5)
})

test_that("functions take R's numbers where tensors are meant", {
  skip_if_no_torch()
  withr::local_seed(1)
  arrays <- list(matrix(runif(6), 2), array(runif(24), c(2, 3, 4)), array(runif(48), c(2, 3, 4, 2)))
  known <- list(dim = 1, kernel_size = 1, output_size = 1)
  tried <- 0
  for (name in setdiff(grep("^nnf_", getNamespaceExports("torch"), value = TRUE), "nnf_gumbel_softmax")) {
    f <- get(name)
    needed <- setdiff(names(Filter(function(x) is.symbol(x) && !nzchar(as.character(x)), formals(f))), "...")
    for (x in arrays) {
      called <- function(x) {
        args <- known[intersect(needed, names(known))]
        args[c(names(formals(f))[1], intersect(needed, c("target", "input2", "x2")))] <- list(x)
        torch_manual_seed(1)
        tryCatch(suppressWarnings(do.call(f, args)), error = function(e) conditionMessage(e))
      }
      expected <- called(torch_tensor(x))
      if (!is_torch_tensor(expected)) next
      tried <- tried + 1
      got <- called(x)
      expect_true(is_torch_tensor(got), label = paste(name, "of an array"), info = if (is.character(got)) got)
      if (is_torch_tensor(got)) expect_equal(as_array(got), as_array(expected), tolerance = 1e-6, label = name)
    }
  }
  expect_gt(tried, 80)
  expect_error(nnf_gumbel_softmax(1), "`logits` must be a tensor", class = "type_error")
  expect_error(nnf_unfold(torch_ones(1, 1, 3, 3), NULL), "`kernel_size` must be whole numbers", class = "value_error")
  expect_error(nnf_fold(torch_ones(1, 1, 3), 3, "a"), "`kernel_size` must be whole numbers", class = "value_error")
})
