test_that("activations agree with their formulas", {
  skip_if_no_torch()
  values <- c(-7, -2, -0.4, 0, 0.3, 1, 6.5)
  x <- torch_tensor(values, dtype = "double")
  logistic <- 1 / (1 + exp(-values))
  expected <- list(
    nnf_relu = pmax(values, 0),
    nnf_relu6 = pmin(pmax(values, 0), 6),
    nnf_leaky_relu = ifelse(values > 0, values, 0.01 * values),
    nnf_rrelu = ifelse(values > 0, values, (1 / 8 + 1 / 3) / 2 * values),
    nnf_elu = ifelse(values > 0, values, exp(values) - 1),
    nnf_celu = ifelse(values > 0, values, exp(values) - 1),
    nnf_selu = 1.0507009873554805 * ifelse(values > 0, values, 1.6732632423543772 * (exp(values) - 1)),
    nnf_gelu = values * pnorm(values),
    nnf_silu = values * logistic,
    nnf_hardtanh = pmin(pmax(values, -1), 1),
    nnf_hardsigmoid = pmin(pmax(values + 3, 0), 6) / 6,
    nnf_hardswish = values * pmin(pmax(values + 3, 0), 6) / 6,
    nnf_sigmoid = logistic,
    nnf_logsigmoid = log(logistic),
    nnf_softplus = log1p(exp(values)),
    nnf_softsign = values / (1 + abs(values)),
    nnf_tanhshrink = values - tanh(values),
    nnf_softshrink = sign(values) * pmax(abs(values) - 0.5, 0),
    nnf_hardshrink = ifelse(abs(values) > 0.5, values, 0)
  )
  for (name in names(expected)) {
    expect_equal(as_array(get(name)(x)), expected[[name]], tolerance = 1e-7, info = name)
  }
  expect_equal(as_array(nnf_threshold(x, 0.5, -1)), ifelse(values > 0.5, values, -1))
  expect_equal(as_array(nnf_prelu(x, torch_tensor(0.1, dtype = "double"))), ifelse(values > 0, values, 0.1 * values))
  expect_equal(as_array(nnf_glu(x[1:6])), values[1:3] * logistic[4:6])
})

test_that("inplace changes the argument and only then", {
  skip_if_no_torch()
  for (fn in c(
    "nnf_relu", "nnf_relu6", "nnf_elu", "nnf_celu", "nnf_selu", "nnf_leaky_relu", "nnf_hardtanh", "nnf_silu",
    "nnf_hardswish", "nnf_hardsigmoid", "nnf_rrelu"
  )) {
    x <- torch_tensor(c(-2, 3))
    y <- get(fn)(x)
    expect_identical(as_array(x), c(-2, 3), info = fn)
    expect_identical(get(fn)(x, inplace = TRUE), x, info = fn)
    expect_equal(as_array(x), as_array(y), info = fn)
  }
  x <- torch_tensor(c(-2, 3))
  for (fn in list(nnf_relu_, nnf_elu_, nnf_celu_, nnf_selu_, nnf_hardtanh_, nnf_rrelu_)) {
    expect_identical(fn(x), x)
  }
  expect_identical(as_array(nnf_threshold_(x, 5, 0)), c(0, 0))
})

test_that("the softmax family counts dims from 1", {
  skip_if_no_torch()
  m <- matrix(c(1, 2, 3, 4, 5, 7), 2)
  x <- torch_tensor(m, dtype = "double")
  columns <- sweep(exp(m), 2, colSums(exp(m)), "/")
  rows <- sweep(exp(m), 1, rowSums(exp(m)), "/")
  expect_equal(as_array(nnf_softmax(x, 1)), columns)
  expect_equal(as_array(nnf_softmax(x, -1)), rows)
  expect_equal(as_array(nnf_log_softmax(x)), log(rows))
  expect_equal(as_array(nnf_softmin(-x, 1)), columns)
  expect_true(nnf_softmax(x, 1, dtype = torch_float())$dtype == torch_float())
  torch_manual_seed(1)
  hard <- as_array(nnf_gumbel_softmax(x, hard = TRUE))
  expect_equal(rowSums(hard), c(1, 1))
  expect_equal(apply(hard, 1, max), c(1, 1))
})

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

test_that("losses agree with their formulas", {
  skip_if_no_torch()
  a <- c(0.2, 0.7, 0.9)
  b <- c(0, 1, 1)
  x <- torch_tensor(a, dtype = "double")
  y <- torch_tensor(b, dtype = "double")
  expect_loss <- function(loss, values) {
    expect_equal(loss(x, y)$item(), mean(values))
    expect_equal(loss(x, y, reduction = "sum")$item(), sum(values))
    expect_equal(as_array(loss(x, y, reduction = "none")), values)
  }
  expect_loss(nnf_mse_loss, (a - b)^2)
  expect_loss(nnf_l1_loss, abs(a - b))
  expect_loss(nnf_smooth_l1_loss, (a - b)^2 / 2)
  expect_loss(nnf_binary_cross_entropy, -log(ifelse(b == 1, a, 1 - a)))
  expect_loss(nnf_binary_cross_entropy_with_logits, log1p(exp(ifelse(b == 1, -a, a))))
  expect_loss(nnf_soft_margin_loss, log1p(exp(-a * b)))
  expect_loss(nnf_poisson_nll_loss, exp(a) - b * a)
  hinge <- nnf_hinge_embedding_loss(x, torch_tensor(c(-1, 1, 1), dtype = "double"), reduction = "none")
  expect_equal(as_array(hinge), c(0.8, 0.7, 0.9))
  positive <- torch_tensor(b + 0.5, dtype = "double")
  target <- b + 0.5
  expect_equal(nnf_kl_div(x, positive, "sum")$item(), sum(target * (log(target) - a)))
  expect_equal(nnf_kl_div(x, positive, "batchmean")$item(), sum(target * (log(target) - a)) / 3)
  expect_warning(nnf_kl_div(x, positive), "batchmean")
  expect_error(nnf_mse_loss(x, y, "median"), class = "value_error")
  expect_snapshot(nnf_mse_loss(x, y, "median"), error = TRUE)
})

test_that("mse_loss warns of shapes that broadcast", {
  skip_if_no_torch()
  expect_snapshot(invisible(nnf_mse_loss(torch_ones(2, 1), torch_ones(2))))
})

test_that("class labels count from 1", {
  skip_if_no_torch()
  scores <- matrix(c(1, 2, 0.5, 0.1, -1, 3), 2)
  x <- torch_tensor(scores, dtype = "double")
  y <- torch_tensor(c(1L, 3L))
  log_p <- scores - log(rowSums(exp(scores)))
  expect_equal(nnf_cross_entropy(x, y)$item(), -mean(log_p[cbind(1:2, c(1, 3))]))
  expect_equal(nnf_nll_loss(torch_tensor(log_p, dtype = "double"), y)$item(), -mean(log_p[cbind(1:2, c(1, 3))]))
  expect_equal(nnf_cross_entropy(x, y, ignore_index = 3)$item(), -log_p[1, 1])
  expect_equal(nnf_cross_entropy(x, torch_tensor(c(1L, -100L)))$item(), -log_p[1, 1])
  weight <- torch_tensor(c(1, 1, 2), dtype = "double")
  expect_equal(nnf_cross_entropy(x, y, weight)$item(), -(log_p[1, 1] + 2 * log_p[2, 3]) / 3)
  probabilities <- matrix(c(0.5, 0, 0.5, 0, 0, 1), 2)
  expect_equal(
    nnf_cross_entropy(x, torch_tensor(probabilities, dtype = "double"))$item(), -sum(probabilities * log_p) / 2
  )
  expect_error(nnf_cross_entropy(x, y, ignore_index = 0), "1 based class index", class = "value_error")
  margins <- pmax(0, 1 - scores[1, 1] + scores[1, 2:3])
  expect_equal(nnf_multi_margin_loss(x[1:1, ], y[1:1])$item(), sum(margins) / 3)
})

test_that("the other losses agree with PyTorch", {
  skip_if_no_torch()
  set.seed(1)
  a <- matrix(round(rnorm(6), 3), 2)
  b <- matrix(round(rnorm(6), 3), 2)
  n <- matrix(round(rnorm(6), 3), 2)
  expected <- python_eval(
    "
from torch.nn import functional as F
a, b, n = (torch.tensor(v, dtype=torch.double) for v in (a, b, n))
sign = torch.tensor([1., -1.], dtype=torch.double)
binary = (b > 0).double()
labels = torch.tensor([[0, 2, -1], [1, -1, 0]])
result = [v.item() for v in (
  F.cosine_embedding_loss(a, b, sign, margin=0.1),
  F.margin_ranking_loss(a[:, 0], b[:, 0], sign, margin=0.2),
  F.triplet_margin_loss(a, b, n, swap=True),
  F.triplet_margin_with_distance_loss(a, b, n, swap=True),
  F.multilabel_soft_margin_loss(a, binary, weight=torch.tensor([1., 2., 3.], dtype=torch.double)),
  F.multilabel_margin_loss(a, labels),
  F.multi_margin_loss(a, torch.tensor([0, 2]), p=2),
  F.poisson_nll_loss(a, 3 * b.abs(), full=True),
  F.ctc_loss(a[:, None, :].log_softmax(2), torch.tensor([[1]]), torch.tensor([2]), torch.tensor([1])),
)]
",
    a = a, b = b, n = n
  )
  x <- torch_tensor(a, dtype = "double")
  y <- torch_tensor(b, dtype = "double")
  z <- torch_tensor(n, dtype = "double")
  sign <- torch_tensor(c(1, -1), dtype = "double")
  binary <- (y > 0)$to(dtype = torch_double())
  results <- list(
    nnf_cosine_embedding_loss(x, y, sign, margin = 0.1),
    nnf_margin_ranking_loss(x[, 1], y[, 1], sign, margin = 0.2),
    nnf_triplet_margin_loss(x, y, z, swap = TRUE),
    nnf_triplet_margin_with_distance_loss(x, y, z, swap = TRUE),
    nnf_multilabel_soft_margin_loss(x, binary, weight = torch_tensor(c(1, 2, 3), dtype = "double")),
    nnf_multilabel_margin_loss(x, torch_tensor(rbind(c(1L, 3L, -1L), c(2L, -1L, 1L)))),
    nnf_multi_margin_loss(x, torch_tensor(c(1L, 3L)), p = 2),
    nnf_poisson_nll_loss(x, 3 * y$abs(), full = TRUE),
    nnf_ctc_loss(nnf_log_softmax(x$unsqueeze(2), 3), torch_tensor(matrix(1L)), torch_tensor(2L), torch_tensor(1L))
  )
  expect_equal(vapply(results, function(v) v$item(), 0), expected, tolerance = 1e-6)
})

test_that("integer targets of multilabel soft margin losses are numbers", {
  skip_if_no_torch()
  x <- rbind(c(0.5, -1, 2), c(1.5, 0.25, -0.75))
  y <- rbind(c(1L, 0L, 1L), c(0L, 1L, 0L))
  expected <- -rowMeans(y * plogis(x, log.p = TRUE) + (1 - y) * plogis(-x, log.p = TRUE))
  for (dtype in c("long", "int", "float", "uint8")) {
    target <- torch_tensor(y, dtype = dtype)
    expect_equal(as_array(nnf_multilabel_soft_margin_loss(torch_tensor(x), target)), mean(expected), tolerance = 1e-6)
    expect_equal(as_array(nnf_multilabel_soft_margin_loss(torch_tensor(x), target, reduction = "none")), expected, tolerance = 1e-6)
  }
  w <- c(1, 2, 3)
  weighted <- -rowMeans((y * plogis(x, log.p = TRUE) + (1 - y) * plogis(-x, log.p = TRUE)) * rep(w, each = 2))
  got <- nnf_multilabel_soft_margin_loss(torch_tensor(x), torch_tensor(y), weight = torch_tensor(w), reduction = "sum")
  expect_equal(as_array(got), sum(weighted), tolerance = 1e-6)
})
