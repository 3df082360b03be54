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

test_that("the area under the smaller error rate is the integral of the smaller error rate", {
  skip_if_no_torch()
  withr::local_seed(9)
  prediction <- rnorm(12)
  label <- rep(0:1, 6)
  rates <- function(threshold) {
    taken <- prediction + threshold > 0
    min(mean(taken[label == 0]), mean(!taken[label == 1]))
  }
  grid <- seq(-5, 5, length.out = 200001)
  area <- mean(vapply(grid[seq(1, length(grid), 10)], rates, 0)) * 10
  x <- torch_tensor(prediction, dtype = "double", requires_grad = TRUE)
  loss <- nnf_area_under_min_fpr_fnr(x, torch_tensor(label))
  expect_equal(loss$item(), area, tolerance = 1e-2)
  loss$backward()
  slope <- vapply(seq_along(prediction), function(i) {
    moved <- function(by) nnf_area_under_min_fpr_fnr(torch_tensor(replace(prediction, i, prediction[i] + by), dtype = "double"), torch_tensor(label))$item()
    (moved(1e-6) - moved(-1e-6)) / 2e-6
  }, 0)
  expect_equal(as_array(x$grad), slope, tolerance = 1e-6)
  expect_identical(nn_aum_loss()(torch_tensor(c(1, 2, 3)), torch_tensor(c(0L, 1L, 1L)))$item(), 0)
})

test_that("losses that are not a layer's say what does not fit", {
  skip_if_no_torch()
  expect_error(nnf_gaussian_nll_loss(torch_zeros(2), torch_zeros(2), torch_tensor(c(1, -1))), "`var` must not be negative", class = "value_error")
  expect_equal(nnf_gaussian_nll_loss(torch_zeros(2), torch_ones(2), 4, full = TRUE)$item(), -dnorm(1, 0, 2, log = TRUE), tolerance = 1e-6)
  expect_error(nnf_huber_loss(torch_zeros(2), torch_zeros(2), "most"), "`reduction` must be", class = "value_error")
})

test_that("labels that are none are refused by the CTC loss", {
  skip_if_no_torch()
  scores <- torch_randn(5, 1, 3)$log_softmax(3)
  for (label in c(1000000000L, 3L, -1L)) {
    expect_error(
      nnf_ctc_loss(scores, torch_tensor(matrix(c(label, 2L), 1)), torch_tensor(5L), torch_tensor(2L)),
      "labels from 0 to 2", class = "value_error"
    )
  }
})
