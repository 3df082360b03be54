test_that("the largest learning rate of a cycle may be a tensor", {
  skip_if_no_torch()
  curve <- function(make) {
    opt <- optim_sgd(torch_ones(1, requires_grad = TRUE), lr = 0.1, momentum = 0.9)
    scheduler <- make(opt)
    vapply(1:4, function(i) scheduler$step()$get_last_lr(), 0)
  }
  expect_equal(
    curve(function(opt) lr_one_cycle(opt, torch_tensor(2), total_steps = 5)), curve(function(opt) lr_one_cycle(opt, 2, total_steps = 5))
  )
})
