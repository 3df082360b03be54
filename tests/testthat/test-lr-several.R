test_that("milestones may be a tensor", {
  skip_if_no_torch()
  curve <- function(milestones) {
    opt <- optim_sgd(torch_ones(1, requires_grad = TRUE), lr = 1)
    scheduler <- lr_sequential(opt, list(lr_exponential(opt, 0.5), lr_exponential(opt, 0.1)), milestones)
    vapply(1:4, function(i) scheduler$step()$get_last_lr(), 0)
  }
  expect_equal(curve(torch_tensor(2L)), c(0.5, 1, 0.1, 0.01))
})
