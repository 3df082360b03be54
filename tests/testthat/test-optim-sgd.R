test_that("a momentum that is set later begins with the gradient", {
  skip_if_no_torch()
  x <- torch_tensor(1, requires_grad = TRUE)
  opt <- optim_sgd(x, lr = 0.1)
  step <- function() {
    opt$zero_grad()
    (3 * x)$backward()
    opt$step()
    x$item()
  }
  step()
  expect_length(opt$state_dict()$state, 0)
  opt$param_groups[[1]]$momentum <- 0.5
  expect_equal(step(), 1 - 0.6, tolerance = 1e-6)
  expect_equal(step(), 1 - 0.6 - 0.45, tolerance = 1e-6)
  expect_equal(opt$state_dict()$state[["1"]]$momentum_buffer$item(), 4.5)
})

test_that("Muon is for matrices", {
  skip_if_no_torch()
  expect_snapshot(error = TRUE, {
    optim_muon(torch_ones(2, requires_grad = TRUE))
    optim_muon(torch_ones(2, 3, requires_grad = TRUE), adjust_lr_fn = "rms")
  })
})
