test_that("a parameter that joins later begins its own count of steps", {
  skip_if_no_torch()
  a <- torch_tensor(1, requires_grad = TRUE)
  b <- torch_tensor(1, requires_grad = TRUE)
  opt <- optim_adagrad(list(a, b), lr = 1, lr_decay = 1)
  for (loss in list(quote(a), quote(a + b), quote(a + b))) {
    opt$zero_grad(set_to_none = TRUE)
    eval(loss)$backward()
    opt$step()
  }
  steps <- lapply(opt$state_dict()$state, function(state) state$step$item())
  expect_equal(steps, list(`1` = 3, `2` = 2))
  expect_equal(a$item(), 1 - 1 - 1 / 2 / sqrt(2) - 1 / 3 / sqrt(3), tolerance = 1e-6)
  expect_equal(b$item(), 1 - 1 - 1 / 2 / sqrt(2), tolerance = 1e-6)
})

test_that("wrong hyperparameters are told", {
  skip_if_no_torch()
  x <- torch_ones(2, 2, requires_grad = TRUE)
  expect_snapshot(error = TRUE, {
    optim_adadelta(x, rho = 2)
    optim_adafactor(x, eps = c(1, -1))
    optim_adafactor(x, d = 0.5)
    optim_adagrad(x, lr_decay = -1)
    optim_rmsprop(x, centered = NA)
    optim_rprop(x, etas = c(2, 3))
    optim_adamax(list(list(params = x, betas = 0.9)))
  })
})
